"""word2vec text, fastText .vec and GloVe text: a word and its numbers a line, with or without a header.

The header is ``V dim``. GloVe has none. Words that a line cannot carry are escaped (escapes.py).
"""

import itertools
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO

import numpy as np

from streamvec.errors import StreamvecError
from streamvec.vectors.blocks import Block, Notes, decoded, noted_end, plain_bytes
from streamvec.vectors.escapes import escaped, unescaped
from streamvec.vectors.rows import line_blocks, parse_rows, text_rows
from streamvec.vectors.store import Chunk

_HEADER = re.compile(rb"(?:\xef\xbb\xbf)?[ \t]*(\d{1,30})[ \t]+(\d{1,30})[ \t\r]*(?:\n|\Z)")
_LOOKED_AT = 100  # rows that decide how many numbers a row has
_WRITTEN = 4096  # rows formatted at once


def header_of(start: bytes) -> tuple[int, int, int] | None:
    """(V, dim, its length in bytes) when the first line is a header."""
    found = _HEADER.match(start)
    return (int(found[1]), int(found[2]), found.end()) if found else None


def row_shape(lines: Iterable[bytes]) -> tuple[int, bytes]:
    """(numbers a row, separator) as most of these lines have them; (0, b" ") when they do not end in numbers."""
    seen: Counter[tuple[int, bytes]] = Counter()
    for line in lines:
        if line.strip():
            seen[max(_trailing(line, separator) for separator in (b" ", b"\t"))] += 1
    return seen.most_common(1)[0][0] if seen else (0, b" ")


def _trailing(line: bytes, separator: bytes) -> tuple[int, bytes]:
    """How many of the line's last fields are numbers; the first field is the word, whatever it looks like."""
    fields = [field for field in line.rstrip(b"\r\n").split(separator) if field]
    count = 0
    for field in reversed(fields[0 if line.startswith(separator) else 1 :]):
        try:
            float(field)
        except ValueError:
            break
        count += 1
    return count, separator


def read_text(path: Path, notes: Notes, header: bool) -> Iterator[Block]:
    """The rows of a text file of vectors, compressed or not, in blocks of about a megabyte of text.

    Raises StreamvecError, naming the line, for a header that does not fit the rows, a ragged row or what is no number.
    """
    blocks = line_blocks(noted_end(plain_bytes(path), notes, path), str(path))
    first = next(blocks, b"")
    stated = header_of(first) if header else None
    if header and not stated:
        raise StreamvecError(
            f"{path}, line 1: expected a header (how many words, how many numbers each): for rows without one, "
            "use --format glove"
        )
    start = stated[2] if stated else 0
    line = 2 if stated else 1
    rows = first[start:]
    if not rows:
        rows = next(blocks, b"")
    dim, separator = row_shape(itertools.islice(rows.split(b"\n", _LOOKED_AT), _LOOKED_AT))
    if stated and rows and dim != stated[1]:
        raise StreamvecError(
            f"{path}: the header says {stated[1]} numbers a row, the rows have {dim}: the file is damaged, or not "
            "word2vec text"
        )
    if stated:
        dim = stated[1]
    if dim < 1:
        raise StreamvecError(f"{path}: not a text file of vectors: expected a word and numbers on line {line}")
    count = 0
    for block in itertools.chain([rows] if rows else [], blocks):
        raw, vectors = parse_rows(block, dim, separator, True, str(path), line)
        line += block.count(b"\n")
        count += len(vectors)
        yield Block(unescaped(decoded(raw, notes)), vectors, np.zeros(len(vectors), np.int64))
    if stated and count != stated[0]:
        raise StreamvecError(
            f"{path}: the header says {stated[0]:,} words, the file holds {count:,}: it is cut short or damaged: "
            "fetch it again, or correct the header" + (", or, if that is none, use --format glove" if dim == 1 else "")
        )


def write_text(chunks: Iterable[Chunk], words: int, dim: int, file: IO[bytes], header: bool) -> None:
    """Writes word2vec text, or GloVe text (no *header*)."""
    if header:
        file.write(b"%d %d\n" % (words, dim))
    first = not header
    for chunk in chunks:
        for start in range(0, len(chunk.words), _WRITTEN):
            some = slice(start, start + _WRITTEN)
            text = text_rows(escaped(chunk.words[some]), chunk.vectors[some], " ")
            if first and header_of(text):  # a word and a number that look like a header: 7 5 becomes 7 5.0
                text = text.replace(b"\n", b".0\n", 1)
            first = False
            file.write(text)
