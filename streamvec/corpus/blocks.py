"""Any sources become one sequence of numbered blocks of documents, which can be entered again at any block."""

import functools
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from streamvec.corpus.jsonlines import read_json_lines
from streamvec.corpus.mediawiki import read_mediawiki
from streamvec.corpus.records import pack
from streamvec.corpus.sources import Source
from streamvec.corpus.streams import is_utf8, open_plain
from streamvec.corpus.tables import read_arrow, read_parquet
from streamvec.corpus.text import TextPiece, read_text

_REPLACEMENT = "\ufffd".encode()


class Place(NamedTuple):
    """Where a block starts."""

    source: int  # index in the sources
    offset: int  # to skip in it: bytes of plain text (UTF-8, decompressed), rows of a table, or articles of a dump


BEGINNING = Place(0, 0)


class Block(NamedTuple):
    """Some documents, in order; a function of the input alone."""

    number: int  # 0, 1, 2, ... in input order
    place: Place  # read_blocks(..., start=place, number=number) begins exactly here
    data: bytes  # documents, each ended by a newline; the last one is not when `unfinished`
    continued: bool  # the first document continues the last one of the block before
    unfinished: bool  # the last document goes on in the next block
    replaced: int = 0  # U+FFFD in data, where a decoder put them: text in another encoding than UTF-8, and JSON


def read_blocks(
    sources: Sequence[Source],
    column: str | None = None,
    encoding: str = "utf-8",
    start: Place = BEGINNING,
    number: int = 0,
    block_bytes: int = 1 << 22,
) -> Iterator[Block]:
    """The documents of *sources*, from *start* on, in blocks of about *block_bytes* bytes.

    A block never spans two sources. UTF-8 is passed on as it is, undecodable bytes and all; text in another
    *encoding* is decoded, and `replaced` says how many characters could not be. *column* is the column of Parquet and
    Arrow files and the key of JSON Lines that holds the text; None takes the only one there can be.
    Raises StreamvecError when a source cannot be read to its end, ValueError for an encoding that does not exist.
    """
    if block_bytes < 1:
        raise ValueError(f"block_bytes must be at least 1, got {block_bytes}")
    is_utf8(encoding)
    for index in range(start.source, len(sources)):
        source = sources[index]
        decoded = source.kind == "jsonl" or (source.kind == "text" and not is_utf8(encoding))
        offset = start.offset if index == start.source else 0
        for piece in _pieces(source, column, encoding, offset, block_bytes):
            replaced = piece.data.count(_REPLACEMENT) if decoded else 0
            place = Place(index, offset)
            yield Block(number, place, piece.data, piece.continued, piece.unfinished, replaced)
            offset = piece.next_offset
            number += 1


def _pieces(source: Source, column: str | None, encoding: str, offset: int, block_bytes: int) -> Iterator[TextPiece]:
    path = source.path
    if path == "-":
        raise ValueError("standard input must be spooled before it is read in blocks")
    opened = functools.partial(open_plain, path, source.compression, encoding)
    if source.kind == "text":
        with opened() as stream:
            yield from read_text(stream, path, offset, block_bytes)
    elif source.kind == "jsonl":
        yield from pack(read_json_lines(opened, path, column, offset), block_bytes)
    elif source.kind == "parquet":
        yield from pack(read_parquet(path, column, offset, block_bytes), block_bytes)
    elif source.kind == "arrow":
        yield from pack(read_arrow(path, column, offset, block_bytes), block_bytes)
    elif source.kind == "mediawiki":
        with open_plain(path, source.compression) as stream:
            yield from pack(read_mediawiki(stream, path, offset), block_bytes)
    else:
        raise ValueError(f"kind must be text, jsonl, parquet, arrow or mediawiki, got {source.kind!r}")
