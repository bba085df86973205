"""How good vectors are: do they find alike what people find alike, and do they solve analogies?

A pair or question with a word that the vectors lack is left out of the score, and counted: ``found`` of ``pairs`` or
``questions``. N-grams do not count as having a word. (gensim does the same unless dummy4unknown=True.)
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from streamvec.errors import StreamvecError
from streamvec.vectors.analogies import TOP, AnalogyScores, SectionScore, evaluate_analogies
from streamvec.vectors.forms import Asked
from streamvec.vectors.keyedvectors import KeyedVectors
from streamvec.vectors.neighbours import cosines
from streamvec.vectors.testsets import read_pairs

__all__ = ["TOP", "AnalogyScores", "SectionScore", "SimilarityScore", "evaluate_analogies", "evaluate_similarity"]


@dataclass(frozen=True)
class SimilarityScore:
    """How far cosines agree with people's scores of the pairs in one file.

    Both correlations are -1 to 1, and None where there is none: fewer than two pairs, or all alike.
    """

    path: str
    spearman: float | None
    pearson: float | None
    found: int  # pairs with both words
    pairs: int  # of all
    missing: tuple[str, ...]  # words that the vectors lack, as written


def evaluate_similarity(
    vectors: KeyedVectors, path: Path | str, top: int = 0, case_sensitive: bool = False
) -> SimilarityScore:
    """Spearman's and Pearson's correlation of cosines with the scores in *path* (word, word, score a line).

    *top*: only the most frequent so many words count as known; 0 is all. Raises StreamvecError, naming the line, for
    what is no pair, and when there are no pairs.
    """
    if top < 0:
        raise ValueError(f"top must be at least 0, got {top}")
    asked = Asked(case_sensitive)
    sides, scores = [], []
    for pair in read_pairs(Path(path)):
        sides.append((asked.number(pair.left), asked.number(pair.right)))
        scores.append(pair.score)
    if not scores:
        raise StreamvecError(f"{path}: there are no pairs in it: expected word, word, score a line")
    places = asked.find(vectors, top).first(len(asked.words))
    ranks = places[np.array(sides)]
    known = (ranks >= 0).all(axis=1)
    left, right = (vectors.rows(ranks[known, side]) for side in (0, 1))
    judged, found = np.array(scores)[known], cosines(left, right)
    return SimilarityScore(
        path=str(path),
        spearman=correlation(average_ranks(judged), average_ranks(found)),
        pearson=correlation(judged, found),
        found=int(known.sum()),
        pairs=len(scores),
        missing=asked.missing(places),
    )


def average_ranks(values: np.ndarray | Sequence[float]) -> np.ndarray:
    """float64[n]: the rank of each value, 1 for the least; equal values share the mean of their ranks."""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    ranks: np.ndarray = (np.cumsum(counts) - (counts - 1) / 2)[place]
    return ranks


def correlation(a: np.ndarray, b: np.ndarray) -> float | None:
    """Pearson's correlation of float[n] and float[n]; None where either does not vary."""
    if len(a) < 2 or (a == a[0]).all() or (b == b[0]).all():
        return None
    a, b = a - a.mean(), b - b.mean()
    a, b = a / np.abs(a).max(), b / np.abs(b).max()
    return float(np.clip((a * b).sum() / np.sqrt((a * a).sum() * (b * b).sum()), -1.0, 1.0))
