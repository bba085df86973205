"""Exact nearest neighbours, by cosine or distance: blocked float32 products find the candidates, float64 decides.

A product's last bits depend on how BLAS cut it up. So everything within a small margin of the best is computed again
in float64, one row at a time in a fixed order: answers and their order are the same for one query or a thousand, for
any threads and any tiles. Ties go to the more frequent word.
"""

from collections.abc import Iterator, Sequence
from typing import Protocol

import numpy as np

from streamvec.vectors.store import Chunk

_MARGIN = 1e-5  # more than float32 can be off in a product of two unit vectors of some thousand columns
_TILE = 1 << 19  # scores held at once: 2 MB of float32
_QUERIES = 128  # queries of a product
_FEW = 8  # so few queries do not repay scaling every row to length 1
_LARGE = 1e15  # the square of a longer vector is near the end of float32
_SLICE = 1 << 20  # numbers computed again at once


class Measure(Protocol):
    """What is near: estimates in float32, how far they can be off, and the exact value in float64; more is nearer."""

    def tile(self, vectors: np.ndarray, norms: np.ndarray) -> np.ndarray:
        """Rows float32[n, dim] of a tile as ``scores`` takes them."""

    def scores(self, some: slice, tile: np.ndarray, norms: np.ndarray) -> np.ndarray:
        """float32[q, n]: estimates for the queries *some*."""

    def margin(self, some: slice, norms: np.ndarray) -> np.ndarray | float:
        """Twice as far as these can be off, or more: one number, or float64[q]."""

    def exact(self, query: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """float64[m]: what counts, of queries by number int64[m] and rows float32[m, dim]."""


class Cosine:
    """Queries float[q, dim], none of them of zeros; a row of zeros has similarity 0 to everything."""

    def __init__(self, queries: np.ndarray) -> None:
        self._queries = queries.astype(np.float64)
        self._narrow = unit_rows(queries).astype(np.float32)
        self._scales = len(queries) >= _FEW

    def tile(self, vectors: np.ndarray, norms: np.ndarray) -> np.ndarray:
        return vectors / _lengths(norms)[:, None] if self._scales else vectors

    def scores(self, some: slice, tile: np.ndarray, norms: np.ndarray) -> np.ndarray:
        scores: np.ndarray = self._narrow[some] @ tile.T
        if not self._scales:
            scores /= _lengths(norms)
        return scores

    def margin(self, some: slice, norms: np.ndarray) -> float:
        return _MARGIN

    def exact(self, query: np.ndarray, rows: np.ndarray) -> np.ndarray:
        return cosines(self._queries[query], rows)


class Euclidean:
    """Less the Euclidean distance to queries float[q, dim]; estimates are of -|q - x|^2 = 2 q x - |x|^2 - |q|^2."""

    def __init__(self, queries: np.ndarray) -> None:
        self._queries = queries.astype(np.float64)
        self._lengths = np.sqrt((self._queries * self._queries).sum(axis=1))
        self._is_large = self._lengths.max(initial=0) > _LARGE

    def tile(self, vectors: np.ndarray, norms: np.ndarray) -> np.ndarray:
        return vectors.astype(np.float64) if self._is_large or norms.max(initial=0) > _LARGE else vectors

    def scores(self, some: slice, tile: np.ndarray, norms: np.ndarray) -> np.ndarray:
        scores: np.ndarray = (2 * self._queries[some]).astype(tile.dtype) @ tile.T
        scores -= norms.astype(tile.dtype) ** 2
        scores -= (self._lengths[some] ** 2).astype(tile.dtype)[:, None]
        return scores

    def margin(self, some: slice, norms: np.ndarray) -> np.ndarray:
        reach: np.ndarray = self._lengths[some] + float(norms.max(initial=0))
        return _MARGIN * reach * reach

    def exact(self, query: np.ndarray, rows: np.ndarray) -> np.ndarray:
        return -(distances(self._queries[query], rows) ** 2)


def nearest(
    chunks: Sequence[Chunk], queries: np.ndarray, topn: int, limit: int | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """The *topn* rows nearest to each query by cosine: (ranks int64[q, k], similarities float64[q, k]).

    queries: float[q, dim], of any length; a zero row, here or there, has similarity 0 to everything. *limit*: only
    rows of a rank below it. k is *topn*, or the number of rows when that is less.
    """
    queries, alive = queries.astype(np.float64), queries.any(axis=1)
    if alive.all():
        return search(chunks, Cosine(queries), len(queries), topn, limit)
    top = min(topn, row_number(chunks, limit))
    ranks, similarities = np.tile(np.arange(top), (len(queries), 1)), np.zeros((len(queries), top))
    ranks[alive], similarities[alive] = search(chunks, Cosine(queries[alive]), int(alive.sum()), topn, limit)
    return ranks, similarities


def nearest_euclidean(
    chunks: Sequence[Chunk], queries: np.ndarray, topn: int, limit: int | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """As `nearest`, by Euclidean distance: (ranks int64[q, k], distances float64[q, k], the least first)."""
    ranks, scores = search(chunks, Euclidean(queries), len(queries), topn, limit)
    return ranks, np.sqrt(-scores)


def search(
    chunks: Sequence[Chunk], measure: Measure, number: int, topn: int, limit: int | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """(ranks int64[q, k], values float64[q, k]) of the best rows for each of *number* queries by *measure*."""
    rows = row_number(chunks, limit)
    top = min(topn, rows)
    ranks = np.full((number, top), rows, np.int64)
    values = np.full((number, top), -np.inf)
    if not top or not number:
        return ranks, values
    for start, vectors, norms in tiles(chunks, rows, max(1, _TILE // min(number, _QUERIES))):
        tile = measure.tile(vectors, norms)
        for first in range(0, number, _QUERIES):
            some = slice(first, min(first + _QUERIES, number))
            scores, reached = measure.scores(some, tile, norms), values[some, -1]
            floor = np.maximum(reached, _floor(scores, top, reached)) - measure.margin(some, norms)
            found = np.flatnonzero(scores >= floor[:, None].astype(scores.dtype))
            if found.size:
                query, row = np.divmod(found, scores.shape[1])
                exact = measure.exact(query + first, vectors[row])
                _merge(ranks[some], values[some], query, row + start, exact)
    return ranks, values


def row_number(chunks: Sequence[Chunk], limit: int | None) -> int:
    """How many rows there are, of those of a rank below *limit*."""
    rows = sum(len(chunk.words) for chunk in chunks)
    return rows if limit is None else min(rows, limit)


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


def distances(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """float64[n]: the Euclidean distance of left[i] and right[i], float[n, dim]; summed as `cosines` are."""
    out = np.empty(len(left))
    step = max(1, _SLICE // left.shape[1])
    for start in range(0, len(left), step):
        a, b = (rows[start : start + step].astype(np.float64) for rows in (left, right))
        a -= b
        out[start : start + step] = np.sqrt((a * a).sum(axis=1))
    return out


def tiles(chunks: Sequence[Chunk], rows: int, height: int) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
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


def _lengths(norms: np.ndarray) -> np.ndarray:
    """*norms*, 1 for rows of zeros."""
    return np.where(norms > 0, norms, np.float32(1))


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
