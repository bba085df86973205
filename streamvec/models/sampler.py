"""Words drawn to stand for all others: by count to a power, the same ones for all tokens of a step.

What is drawn is a function of (seed, position), so a training that goes on draws what it would have drawn.
"""

import numpy as np

from streamvec.kernels import random
from streamvec.kernels.alias import alias_table
from streamvec.kernels.samples import draw_words
from streamvec.models.step import Position


class Sampler:
    """Draws *number* words a step. Memory: 8 bytes a word."""

    def __init__(self, counts: np.ndarray, power: float, number: int, seed: int) -> None:
        """counts: int64[V]; a word that never occurs is drawn like one that occurs once: its score must fall."""
        self.number = number
        self._seed = seed
        self._counts, self._power = counts, power
        self._table = alias_table(self._weights())

    def chances(self) -> np.ndarray:
        """How likely each word is in a draw: float64[V]."""
        weights = self._weights()
        return weights / weights.sum()

    def draw(self, position: Position) -> np.ndarray:
        """The words of a step, int32[number]; the same one may come twice."""
        key = np.uint64(random.stream(self._seed, position.epoch + 1, random.CANDIDATES))
        found = np.empty(self.number, np.int32)
        draw_words(self._table, key, position.batch * self.number, found)
        return found

    def _weights(self) -> np.ndarray:
        return np.maximum(self._counts, 1).astype(np.float64) ** self._power
