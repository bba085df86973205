"""How much text a source holds, told from its size and a sample of its beginning, for plans."""

import functools
import itertools

from streamvec.corpus.compression import Readable, plain_pieces
from streamvec.corpus.jsonlines import read_json_lines
from streamvec.corpus.mediawiki import read_mediawiki
from streamvec.corpus.sources import Source
from streamvec.corpus.streams import PlainStream, open_plain, open_stored
from streamvec.corpus.tables import arrow_text_bytes, parquet_text_bytes

_SAMPLE = 1 << 22  # plain bytes; bzip2 alone works in blocks of nearly 1 MB
_STEP = 1 << 10  # stored bytes read at once: what is read in vain would spoil the ratio


def estimate_text_bytes(source: Source, column: str | None = None) -> int | None:
    """Roughly how many bytes of text `read_blocks` will yield of *source*; None where a server does not tell its size.

    Plain text: its size. Compressed: its size times the ratio of the first megabytes. JSON Lines and MediaWiki: that
    times the share of text in them. Parquet: its own metadata. Arrow: what its first batch suggests.
    Raises StreamvecError when the source cannot be read.
    """
    if source.kind == "parquet":
        return parquet_text_bytes(source.path, column)
    if source.size is None:
        return None
    if source.kind == "arrow":
        return arrow_text_bytes(source.path, column, source.size)
    plain = source.size
    if source.compression:
        with open_stored(source.path) as stored:
            counted = _Counted(stored)
            pieces = plain_pieces(counted, source.compression, source.path)
            sampled = 0
            while sampled < _SAMPLE and (piece := next(pieces, b"")):
                sampled += len(piece)
        plain = sampled * source.size // max(1, counted.count)
    if source.kind == "jsonl":
        opened = functools.partial(open_plain, source.path, source.compression)
        parts = itertools.islice(read_json_lines(opened, source.path, column, 0), 2)
        text, of = 0, 0
        for part in parts:
            text += len(part.data)
            of = int(part.offsets[-1])
        return plain * text // max(1, of)
    if source.kind == "mediawiki":
        with open_stored(source.path) as stored:
            sample = _Counted(PlainStream(stored, source.compression, source.path))
            text = 0
            for part in read_mediawiki(sample, source.path, 0):
                text += len(part.data)
                if sample.count >= _SAMPLE:
                    break
        return plain * text // max(1, sample.count)
    return plain


class _Counted:
    """Counts the bytes that are read through it, in small steps so that few are read in vain."""

    def __init__(self, stored: Readable) -> None:
        self._stored = stored
        self.count = 0

    def read(self, size: int) -> bytes:
        data = self._stored.read(min(size, _STEP))
        self.count += len(data)
        return data
