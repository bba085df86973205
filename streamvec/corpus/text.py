"""Plain text, a line a document, cut into blocks of bounded size however long its lines are."""

from collections.abc import Iterator
from typing import NamedTuple

from streamvec.corpus.streams import Stream
from streamvec.errors import StreamvecError

BOM = b"\xef\xbb\xbf"
_WIDE_BOMS = (b"\xff\xfe", b"\xfe\xff")
_WHITE = (b" ", b"\n", b"\t", b"\r", b"\v", b"\f")


class TextPiece(NamedTuple):
    """What becomes a block: its documents, and where in the text the next one begins."""

    data: bytes
    next_offset: int  # in bytes of plain UTF-8 text
    continued: bool
    unfinished: bool


def read_text(stream: Stream, name: str, offset: int, block_bytes: int) -> Iterator[TextPiece]:
    """The text of *stream* from byte *offset* on, each piece cut at a place that depends on the text alone.

    A piece ends after the last newline within *block_bytes*; failing that, after the last ASCII white space; failing
    that, before the last UTF-8 character that may not be whole.
    """
    continued = False
    if offset:
        stream.skip(offset - 1)
        continued = stream.read(1) != b"\n"
    window = stream.read(block_bytes + 1)  # one byte more than a piece may have tells whether the text goes on
    if offset == 0:
        if window.startswith(_WIDE_BOMS):
            raise StreamvecError(f"{name}: this is UTF-16, not UTF-8: say --encoding utf-16")
        if window.startswith(BOM):
            window = window[len(BOM) :] + stream.read(len(BOM))
            offset = len(BOM)
    while len(window) > block_bytes:
        cut = window.rfind(b"\n", 0, block_bytes) + 1
        unfinished = cut == 0
        if unfinished:
            cut = _cut_line(window, block_bytes)
        offset += cut
        yield TextPiece(window[:cut], offset, continued, unfinished)
        continued = unfinished
        window = window[cut:] + stream.read(cut)
    if window:
        offset += len(window)
        yield TextPiece(window if window.endswith(b"\n") else window + b"\n", offset, continued, False)


def _cut_line(window: bytes, most: int) -> int:
    """Where to cut a line that is longer than *most* bytes: at least 1, at most *most*."""
    cut = max(window.rfind(white, 0, most) for white in _WHITE) + 1
    if cut:
        return cut
    cut = most
    while most - cut < 3 and cut > 1 and window[cut] & 0xC0 == 0x80:  # window[cut] continues a character
        cut -= 1
    return cut if window[cut] & 0xC0 != 0x80 else most
