"""3CosMul: the words that are near to some words and far from others, by products of cosines instead of their sum.

The score of x is the product of cos'(x, p) over the positive words, divided by that of cos'(x, n) over the negative
ones and 1e-6 more, with cos' = (1 + cos) / 2, so that one large term cannot make up for all others (Levy and
Goldberg, Linguistic Regularities in Sparse and Explicit Word Representations, 2014; they add 0.001, gensim 1e-6).

Products in float32 bound each score from both sides; what may be among the best is computed again in float64, a row
at a time, so the answer does not depend on tiles or threads.
"""

from collections.abc import Sequence

import numpy as np

from streamvec.vectors.neighbours import cosines, row_number, tiles
from streamvec.vectors.store import Chunk

EPSILON = 1e-6
_MARGIN = 1e-5  # more than float32 can be off in a cosine
_TILE = 1 << 16  # rows at once


def nearest_by_products(
    chunks: Sequence[Chunk], positive: np.ndarray, negative: np.ndarray, topn: int, limit: int | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """(ranks int64[k], scores float64[k]) of the *topn* best rows, of those below *limit*; ties go to the lower rank.

    positive, negative: float64[n, dim] of length 1 (or of zeros, whose cosine is 0).
    """
    rows = row_number(chunks, limit)
    top = min(topn, rows)
    ranks, scores = np.empty(0, np.int64), np.empty(0)
    asked = np.concatenate([positive, negative])
    narrow = asked.astype(np.float32)
    for start, vectors, norms in tiles(chunks, rows, _TILE):
        products = narrow @ vectors.T  # float32[words, n]
        products /= np.where(norms > 0, norms, np.float32(1))
        found = products.astype(np.float64)
        most = combined(np.minimum(found + _MARGIN, 1), np.maximum(found - _MARGIN, -1), len(positive))
        least = combined(np.maximum(found - _MARGIN, -1), np.minimum(found + _MARGIN, 1), len(positive))
        reached = scores[-1] if len(scores) == top else -np.inf
        if len(least) >= top:
            reached = max(reached, np.partition(least, len(least) - top)[len(least) - top])
        some = np.flatnonzero(most >= reached)
        each = np.stack([cosines(np.broadcast_to(one, (len(some), len(one))), vectors[some]) for one in asked])
        ranks = np.concatenate([ranks, some + start])
        scores = np.concatenate([scores, combined(each, each, len(positive))])
        best = np.lexsort((ranks, -scores))[:top]
        ranks, scores = ranks[best], scores[best]
    return ranks, scores


def combined(near: np.ndarray, far: np.ndarray, positive: int) -> np.ndarray:
    """float64[n]: scores from cosines float64[words, n], of *near* the first *positive* words, of *far* the others."""
    above: np.ndarray = ((1 + near[:positive]) / 2).prod(axis=0)
    below: np.ndarray = ((1 + far[positive:]) / 2).prod(axis=0) + EPSILON
    return above / below
