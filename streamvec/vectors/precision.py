"""What a smaller dtype costs: how much the cosines of pairs of words change, over a seeded sample of the words.

The sample is uniform and does not depend on how rows come in blocks: each row draws a number from its rank and the
seed, and those with the lowest stay.
"""

from typing import NamedTuple

import numpy as np

from streamvec.vectors.neighbours import unit_rows
from streamvec.vectors.storage import Matrix, encode

SAMPLE = 1000  # words; all pairs of them are compared
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


class Change(NamedTuple):
    """How cosines changed: over so many pairs, on average and at most."""

    pairs: int
    mean: float
    largest: float

    def __str__(self) -> str:
        return f"cosines of {self.pairs:,} pairs change by {self.mean:.2g} on average, by {self.largest:.2g} at most"


class Sample:
    """A uniform sample of the rows that go by."""

    def __init__(self, seed: int = 1) -> None:
        self._seed = np.uint64(seed % (1 << 64))
        self._seen = 0
        self._draws = np.empty(0, np.uint64)
        self._rows = np.empty((0, 0), np.float32)

    def take(self, rows: Matrix) -> None:
        """float32[n, dim]: the next rows, of which only those are looked at that may stay."""
        ranks = np.arange(self._seen, self._seen + len(rows), dtype=np.uint64)
        draws = _mixed(_mixed(np.full(1, self._seed)) + ranks)
        self._seen += len(rows)
        low = np.flatnonzero(draws < self._draws.max()) if len(self._draws) == SAMPLE else np.argsort(draws)[:SAMPLE]
        if not len(low):
            return
        draws, rows = draws[low], rows[low]
        every = np.concatenate([self._draws, draws])
        kept = np.argsort(every, kind="stable")[:SAMPLE]
        known = self._rows.reshape(-1, rows.shape[1])
        self._draws, self._rows = every[kept], np.concatenate([known, rows])[kept]

    def change(self, dtype: str) -> Change:
        """What the sample loses when it is stored as *dtype*."""
        if len(self._rows) < 2:
            return Change(0, 0.0, 0.0)
        with np.errstate(invalid="ignore"):  # rows that cannot be stored, which who writes them tells
            before, after = unit_rows(self._rows), unit_rows(encode(self._rows, dtype)[:])
            differences = np.abs(before @ before.T - after @ after.T)[np.triu_indices(len(before), 1)]
        return Change(len(differences), float(differences.mean()), float(differences.max()))


def _mixed(draws: np.ndarray) -> np.ndarray:
    """uint64[n]: SplitMix64's output for states that are draws times its constant."""
    with np.errstate(over="ignore"):
        draws = (draws + np.uint64(1)) * _GOLDEN
        draws = (draws ^ (draws >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        draws = (draws ^ (draws >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return draws ^ (draws >> np.uint64(31))
