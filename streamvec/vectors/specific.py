"""Which words may keep what they have of a bias direction: those of a list, or what a classifier learns from one.

he, queen or beard are about men and women by definition; nurse and brilliant are not. The paper's authors looked 218
such words up in a dictionary and had a linear support vector machine tell the others (section 6.1).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from streamvec.disk.writing import whole_file
from streamvec.errors import StreamvecError
from streamvec.vectors.keyedvectors import KeyedVectors
from streamvec.vectors.neighbours import unit_rows
from streamvec.vectors.onethread import one_blas_thread
from streamvec.vectors.wordlists import Place, find_words, read_as

if TYPE_CHECKING:
    from streamvec.vectors.store import Chunk

TRAINING_WORDS = 50_000  # the classifier learns from so many of the most frequent, as the paper's authors had it
_FEWEST = 5  # seed words that the vectors must know
_ROWS = 4096  # rows that are worked on at once


@dataclass(frozen=True)
class Specific:
    """A rule for every word of a vocabulary: is it specific?"""

    ranks: np.ndarray  # int64[n], rising: words that a list names
    invert: bool = False  # the list names the others instead
    weights: np.ndarray | None = None  # float64[dim]: with these, also what lies on the positive side of
    intercept: float = 0.0

    def mask(self, ranks: np.ndarray, units: np.ndarray) -> np.ndarray:
        """bool[n]: whether words are specific, by their ranks int64[n] and vectors of length 1 float64[n, dim]."""
        listed = np.isin(ranks, self.ranks, assume_unique=True)
        if self.invert:
            return ~listed
        if self.weights is None:
            return listed
        return listed | ((units * self.weights).sum(axis=1) + self.intercept > 0)


class Ruled(NamedTuple):
    """A rule, and what became of the words of its list."""

    rule: Specific
    missing: tuple[str, ...]  # words that the vectors lack, as written
    read_as: dict[str, str]  # words that stand there in another form, and the form


def listed(vectors: KeyedVectors, words: Sequence[str], invert: bool = False) -> Ruled:
    """The rule that *words* are specific, or with *invert* all others."""
    found = find_words(vectors, words)
    if invert and not found:
        raise StreamvecError(f"none of the {len(words):,} neutral words is among the words of {vectors.name}")
    return Ruled(Specific(_ranks(found), invert), _missing(words, found), read_as(found))


def learnt(vectors: KeyedVectors, seeds: Sequence[str]) -> Ruled:
    """The rule that a linear SVM learns from *seeds*, which are specific themselves.

    It tells the seeds from all other words among the 50,000 most frequent, with C = 1. Raises StreamvecError where
    scikit-learn is missing (the extra ``bias``), or fewer than 5 seeds are left.
    """
    try:
        from sklearn.svm import LinearSVC
    except ImportError:
        raise StreamvecError(
            "learning which words are specific needs scikit-learn: pip install 'streamvec[bias]'"
        ) from None
    found = find_words(vectors, seeds)
    ranks = _ranks(found)
    if len(ranks) < _FEWEST:
        raise StreamvecError(
            f"{len(ranks)} of the {len(seeds)} seed words are among the words of {vectors.name}, {_FEWEST} are needed: "
            "give more"
        )
    known = np.union1d(np.arange(min(len(vectors), TRAINING_WORDS)), ranks)
    positive = np.isin(known, ranks, assume_unique=True)
    if positive.all():
        raise StreamvecError(
            f"all {len(known):,} words of {vectors.name} are seeds: there is nothing to tell them from"
        )
    with one_blas_thread():
        machine = LinearSVC(C=1.0, dual=False, max_iter=10_000).fit(unit_rows(vectors.rows(known)), positive)
    weights, intercept = machine.coef_[0].astype(np.float64), float(machine.intercept_[0])
    rule = Specific(ranks, weights=weights, intercept=intercept)
    return Ruled(rule, _missing(seeds, found), read_as(found))


def save_specific(vectors: KeyedVectors, specific: Specific, path: Path) -> int:
    """Writes the words for which the rule holds to *path*, a word a line by rank; returns how many there are.

    A word that holds a line feed is left out. *path* appears whole, replacing what is there.
    """
    number = 0
    with whole_file(path) as file:
        for base, chunk, units in unit_blocks(vectors):
            mask = specific.mask(np.arange(base, base + len(units)), units)
            words = [chunk.words[int(row)].as_py() for row in np.flatnonzero(mask)]
            lines = [f"{word}\n".encode() for word in words if "\n" not in word]
            file.write(b"".join(lines))
            number += len(lines)
    return number


def unit_blocks(vectors: KeyedVectors) -> Iterator[tuple[int, "Chunk", np.ndarray]]:
    """(rank of its first row, rows, their vectors of length 1 float64[n, dim]) of at most 4096 rows at a time."""
    base = 0
    for chunk in vectors.chunks():
        for start in range(0, len(chunk.words), _ROWS):
            some = slice(start, start + _ROWS)
            part = type(chunk)(chunk.words[some], chunk.counts[some], chunk.vectors[some], chunk.norms[some])
            yield base + start, part, unit_rows(part.vectors[:])
        base += len(chunk.words)


def _ranks(found: dict[str, Place]) -> np.ndarray:
    return np.unique(np.fromiter((place.rank for place in found.values()), np.int64, len(found)))


def _missing(words: Sequence[str], found: dict[str, Place]) -> tuple[str, ...]:
    return tuple(word for word in dict.fromkeys(words) if word not in found)
