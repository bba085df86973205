"""What is asked of vectors: words and vectors that count for or against an answer, and how their sum is made."""

from typing import NamedTuple

import numpy as np

from streamvec.vectors.neighbours import unit_rows

MEASURES = ("cosine", "euclidean", "cosmul")


class Query(NamedTuple):
    """rows float64[n, dim] of what was asked, signs float64[n] (1 or -1), whether each is of a word bool[n], and the
    ranks of these words (-1 for one without)."""

    rows: np.ndarray
    signs: np.ndarray
    of_words: np.ndarray
    given: tuple[int, ...]

    def by_cosine(self) -> np.ndarray:
        """float64[dim]: the signed sum; words count with length 1, vectors as they are."""
        if len(self.rows) == 1 and self.signs[0] > 0:
            return self.rows[0]  # its length does not matter: exactly as similarity()
        return np.asarray((self.signs[:, None] * self.scaled()).sum(axis=0))

    def by_distance(self) -> np.ndarray:
        """float64[dim]: the signed sum of all as they are, divided by what the signs add up to where that is above 0.

        So of words alone it is their mean, and of b - a + c the sum.
        """
        return np.asarray((self.signs[:, None] * self.rows).sum(axis=0) / max(1.0, self.signs.sum()))

    def by_products(self) -> tuple[np.ndarray, np.ndarray]:
        """(float64[p, dim] of what counts for, float64[m, dim] of what counts against), of length 1."""
        units = unit_rows(self.rows)
        return units[self.signs > 0], units[self.signs < 0]

    def scaled(self) -> np.ndarray:
        """float64[n, dim]: rows, those of words of length 1."""
        return np.where(self.of_words[:, None], unit_rows(self.rows), self.rows)


def check_measure(measure: str, allowed: tuple[str, ...] = MEASURES) -> None:
    """ValueError for another measure."""
    if measure not in allowed:
        raise ValueError(f"measure must be {' or '.join(allowed)}, got {measure!r}")
