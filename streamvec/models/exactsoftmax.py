"""The exact loss of a softmax over every word, where nothing is trained: in blocks, in memory that stays small.

A few hidden vectors meet the vocabulary a block at a time, and of each block only its largest score and the sum of its
exponentials are kept: 8 bytes for a hidden vector and 512 words.
"""

import math
from collections.abc import Mapping

import numpy as np

from streamvec.kernels import softmax
from streamvec.kernels.memory import aligned_zeros
from streamvec.kernels.team import Team, wait_for_team
from streamvec.models.head import Given
from streamvec.models.metrows import Part
from streamvec.models.step import Position
from streamvec.models.vocabularyblocks import Scores, Targets, blocks_of, score_block
from streamvec.models.wordconfig import SOFTMAX_BLOCK

_ROOM = 32 << 20  # bytes for what is kept of blocks: so many vectors are scored at once


class ExactSoftmax:
    """A `streamvec.models.head.Head` that measures."""

    def __init__(
        self, words: int, columns: int, most: int, team: Team, weights: str = "output", bias: str = "output.b"
    ) -> None:
        """As of `SoftmaxHead`."""
        self._words, self._columns, self._team, self._weights, self._bias = words, columns, team, weights, bias
        self._edges = blocks_of(words)
        blocks = len(self._edges)
        self._some = some = rows_at_once(words, most)
        self._scores = [aligned_zeros((some, SOFTMAX_BLOCK)) for _ in range(team.threads)]
        self._peaks, self._totals = aligned_zeros((blocks, some)), aligned_zeros((blocks, some))
        self._logits, self._peak, self._total = np.zeros(some, np.float32), np.zeros(some, np.float32), np.zeros(some)
        self._rows, self._starts = np.arange(some, dtype=np.int32), np.arange(some + 1, dtype=np.int32)
        self.losses = np.zeros(most, np.float32)

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of each parameter by its name."""
        return {self._weights: (self._words, self._columns), self._bias: (self._words,)}

    def begin(self, targets: np.ndarray, position: Position | None = None) -> None:
        """Nothing to do here."""

    def work(self, given: Given, thread: int) -> None:
        """One thread's part of writing `losses`. ValueError where gradients are asked for."""
        if given.gradients is not None:
            raise ValueError("gradients must be None of a softmax that only measures")
        threads, barrier = self._team.threads, self._team.barrier
        weights, bias = given.parameters[self._weights], given.parameters[self._bias]
        for first in range(0, len(given.targets), self._some):
            hidden, words = (array[first : first + self._some] for array in (given.hidden, given.targets))
            targets = Targets(self._starts, words, self._logits)
            for number in range(thread, len(self._edges), threads):
                scores = Scores(self._scores[thread], self._peaks[number], self._totals[number])
                score_block(hidden, weights, bias, self._edges[number], targets, scores)
            wait_for_team(barrier, threads)
            if thread == 0:
                count, losses = len(words), self.losses[first : first + self._some]
                softmax.normalisers(self._peaks, self._totals, count, self._peak, self._total)
                softmax.write_losses(self._rows, count, self._starts, self._logits, self._peak, self._total, losses)
            wait_for_team(barrier, threads)

    def d_hidden(self, first: int, last: int) -> np.ndarray:
        """There are none: ValueError."""
        raise ValueError("a softmax that only measures has no gradients")

    def log_chances(self, parameters: Mapping[str, np.ndarray], hidden: np.ndarray) -> np.ndarray:
        """The logarithm of each word's probability behind one hidden vector: float64[V]."""
        return log_chances(parameters[self._weights], parameters[self._bias], hidden)

    def met(self) -> dict[str, list[Part]]:
        """None."""
        return {}

    @property
    def loss_at_chance(self) -> float:
        """The mean loss when all words are as likely."""
        return math.log(self._words)


def rows_at_once(words: int, most: int) -> int:
    """How many of up to *most* hidden vectors are scored at once against *words* words."""
    return min(most, max(16, _ROOM // (8 * -(-words // SOFTMAX_BLOCK))))


def log_chances(weights: np.ndarray, bias: np.ndarray, hidden: np.ndarray) -> np.ndarray:
    """The logarithm of each word's probability behind one hidden vector: float64[V]."""
    scores = (weights @ hidden + bias).astype(np.float64)
    scores -= scores.max()
    return scores - np.log(np.exp(scores).sum())
