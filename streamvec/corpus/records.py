"""Documents that come whole, from tables and dumps, packed into blocks: as many as fit, at least one."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np

from streamvec.corpus.text import TextPiece


class Records(NamedTuple):
    """Some documents of one source, in order."""

    data: bytes  # each ended by a newline, and without another one
    ends: np.ndarray  # int64[n], where each ends in data
    offsets: np.ndarray  # int64[n], where the next one begins in the source: rows, articles, or bytes of text


def records_of(documents: list[bytes], offsets: list[int]) -> Records:
    """Records of documents that have no newline yet, with the offset after each."""
    data = b"\n".join(documents) + b"\n"
    ends = np.cumsum(np.fromiter(map(len, documents), np.int64, len(documents)) + 1)
    return Records(data, ends, np.asarray(offsets, np.int64))


def pack(parts: Iterable[Records], block_bytes: int) -> Iterator[TextPiece]:
    """Pieces of at most *block_bytes*, or of one longer document; how *parts* were divided makes no difference."""
    pending: list[bytes] = []
    size = 0
    after = 0
    for data, ends, offsets in parts:
        first = start = 0
        while first < len(ends):
            last = int(np.searchsorted(ends, start + block_bytes - size, side="right"))
            if last == first and not pending:
                last = first + 1
            if last > first:
                end = int(ends[last - 1])
                pending.append(data[start:end])
                size += end - start
                after = int(offsets[last - 1])
                first, start = last, end
            if first < len(ends):
                yield TextPiece(b"".join(pending), after, False, False)
                pending, size = [], 0
    if pending:
        yield TextPiece(b"".join(pending), after, False, False)
