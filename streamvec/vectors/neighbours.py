"""Exact nearest neighbours by cosine: blocked float32 products find the candidates, float64 decides.

A product's last bits depend on how BLAS cut it up. So everything within a small margin of the best is computed again
in float64, one row at a time in a fixed order: answers and their order are the same for one query or a thousand, for
any threads and any tiles. Ties go to the more frequent word.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from streamvec.vectors.store import Chunk

_MARGIN = 1e-5  # more than float32 can be off in a product of two unit vectors of some thousand columns
_TILE = 1 << 19  # scores held at once: 2 MB of float32
_QUERIES = 128  # queries of a product
_FEW = 8  # so few queries do not repay scaling every row to length 1
_SLICE = 1 << 20  # numbers computed again at once


def nearest(
    chunks: Sequence[Chunk], queries: np.ndarray, topn: int, limit: int | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """The *topn* rows nearest to each query by cosine: (ranks int64[q, k], similarities float64[q, k]).

    queries: float[q, dim], of any length; a zero row, here or there, has similarity 0 to everything. *limit*: only
    rows of a rank below it. k is *topn*, or the number of rows when that is less.
    """
    rows = sum(len(chunk.words) for chunk in chunks)
    rows = rows if limit is None else min(rows, limit)
    top = min(topn, rows)
    queries = queries.astype(np.float64)
    ranks = np.full((len(queries), top), rows, np.int64)
    similarities = np.full((len(queries), top), -np.inf)
    alive = queries.any(axis=1)
    if not top or not len(queries):
        return ranks, similarities
    if not alive.all():
        ranks[~alive], similarities[~alive] = np.arange(top), 0.0
        if alive.any():
            ranks[alive], similarities[alive] = nearest(chunks, queries[alive], top, rows)
        return ranks, similarities
    narrow = unit_rows(queries).astype(np.float32)
    for start, vectors, norms in _tiles(chunks, rows, max(1, _TILE // min(len(queries), _QUERIES))):
        lengths = np.where(norms > 0, norms, np.float32(1))
        scaled = vectors / lengths[:, None] if len(queries) >= _FEW else None
        for first in range(0, len(queries), _QUERIES):
            some = slice(first, first + _QUERIES)
            scores = narrow[some] @ (vectors if scaled is None else scaled).T
            if scaled is None:
                scores /= lengths
            floor = np.maximum(similarities[some, -1], _floor(scores, top, similarities[some, -1])) - _MARGIN
            found = np.flatnonzero(scores >= floor[:, None].astype(np.float32))
            if found.size:
                query, row = np.divmod(found, scores.shape[1])
                exact = cosines(queries[some][query], vectors[row])
                _merge(ranks[some], similarities[some], query, row + start, exact)
    return ranks, similarities


def unit_rows(rows: np.ndarray) -> np.ndarray:
    """float64[n, dim] of length 1 (or 0, for a row of zeros)."""
    wide = rows.astype(np.float64)
    lengths = np.sqrt((wide * wide).sum(axis=1))
    out: np.ndarray = wide / np.where(lengths > 0, lengths, 1.0)[:, None]
    return out


def cosines(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """float64[n]: the cosine of left[i] and right[i], float[n, dim]; the same whichever comes first.

    Each row is summed on its own, in an order that depends on dim only.
    """
    out = np.empty(len(left))
    step = max(1, _SLICE // left.shape[1])
    for start in range(0, len(left), step):
        a, b = (rows[start : start + step].astype(np.float64) for rows in (left, right))
        lengths = np.sqrt((a * a).sum(axis=1)) * np.sqrt((b * b).sum(axis=1))
        out[start : start + step] = (a * b).sum(axis=1) / np.where(lengths > 0, lengths, 1.0)
    return np.clip(out, -1.0, 1.0)


def _tiles(chunks: Sequence[Chunk], rows: int, height: int) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
    """(rank of its first row, vectors, norms) of stretches of at most *height* rows."""
    base = 0
    for chunk in chunks:
        stop = min(len(chunk.words), rows - base)
        for start in range(0, stop, height):
            end = min(start + height, stop)
            yield base + start, chunk.vectors[start:end], chunk.norms[start:end]
        base += len(chunk.words)
        if base >= rows:
            return


def _floor(scores: np.ndarray, top: int, reached: np.ndarray) -> np.ndarray:
    """float32[q]: at least *top* scores of each row are as high; -inf where that is not worth knowing.

    The *top*-th largest of the maxima of disjoint groups is such a bound, and costs one pass.
    """
    number = scores.shape[1]
    if number < top or not np.isneginf(reached).any():
        return np.full(len(scores), -np.inf, np.float32)
    groups = min(max(4 * top, 256), number)
    depth = number // groups
    maxima = scores[:, : groups * depth].reshape(len(scores), depth, groups).max(axis=1)
    found: np.ndarray = np.partition(maxima, groups - top, axis=1)[:, groups - top]
    return found


def _merge(ranks: np.ndarray, similarities: np.ndarray, query: np.ndarray, rank: np.ndarray, exact: np.ndarray) -> None:
    """Updates the best of each query with candidates: by falling similarity, then by rank."""
    touched, slot = np.unique(query, return_inverse=True)
    top = ranks.shape[1]
    slots = np.concatenate([np.repeat(np.arange(len(touched)), top), slot])
    every_rank = np.concatenate([ranks[touched].ravel(), rank])
    every = np.concatenate([similarities[touched].ravel(), exact])
    order = np.lexsort((every_rank, -every, slots))
    best = order[np.searchsorted(slots[order], np.arange(len(touched)))[:, None] + np.arange(top)]
    ranks[touched] = every_rank[best]
    similarities[touched] = every[best]
