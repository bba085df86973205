"""A softmax over every word on top of hidden vectors, in blocks of the vocabulary that threads share.

Each block is three matrix products of one thread; what blocks say of a hidden vector is added up in their order, so
the bytes are the same for any number of threads. The cross-entropy is exact.
"""

import math
from collections.abc import Mapping

import numpy as np

from streamvec.kernels import softmax
from streamvec.kernels.memory import aligned_zeros
from streamvec.kernels.team import Team, wait_for_team
from streamvec.models.exactsoftmax import log_chances
from streamvec.models.head import Given
from streamvec.models.metrows import Part
from streamvec.models.step import Position
from streamvec.models.vocabularyblocks import Scores, Targets, blocks_of, score_block
from streamvec.models.wordconfig import LANES


class SoftmaxHead:
    """Scores of V words for up to *most* hidden vectors at once, of *columns* numbers each.

    Parameters: *weights* float32[V, columns] (which may be shared with something else), *bias* float32[V].
    """

    def __init__(
        self, words: int, columns: int, most: int, team: Team, weights: str = "output", bias: str = "output.b"
    ) -> None:
        self.most = most
        self._team, self._weights, self._bias = team, weights, bias
        self._edges = blocks_of(words)
        blocks = len(self._edges)
        self._scores = [aligned_zeros((most, -(-(high - low) // LANES) * LANES)) for low, high in self._edges]
        self._changes = aligned_zeros((blocks, most, columns))
        self._peaks, self._totals = aligned_zeros((blocks, most)), aligned_zeros((blocks, most))
        self._logits = np.zeros(most, np.float32)
        self._rows, self._starts = np.arange(most, dtype=np.int32), np.arange(most + 1, dtype=np.int32)
        self.losses = np.zeros(most, np.float32)
        self._own = [(np.zeros(most, np.float32), np.zeros(most)) for _ in range(team.threads)]

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of each parameter by its name."""
        return {self._weights: (self._edges[-1][1], self._changes.shape[2]), self._bias: (self._edges[-1][1],)}

    def begin(self, targets: np.ndarray, position: Position | None = None) -> None:
        """Nothing to do here."""

    def work(self, given: Given, thread: int, adds: bool = False) -> None:
        """As `Head.work`; *adds*: gradients are added to those that are there."""
        threads, barrier, count = self._team.threads, self._team.barrier, len(given.targets)
        weights, bias = given.parameters[self._weights], given.parameters[self._bias]
        targets = Targets(self._starts, given.targets, self._logits)
        for number in range(thread, len(self._edges), threads):
            scores = Scores(self._scores[number], self._peaks[number], self._totals[number])
            score_block(given.hidden, weights, bias, self._edges[number], targets, scores)
        wait_for_team(barrier, threads)
        peak, total = self._own[thread]
        softmax.normalisers(self._peaks, self._totals, count, peak, total)
        if thread == 0:
            softmax.write_losses(self._rows, count, self._starts, self._logits, peak, total, self.losses)
        if given.gradients is not None:
            for number in range(thread, len(self._edges), threads):
                self._backward(number, given, given.gradients, thread, adds)
        wait_for_team(barrier, threads)

    def d_hidden(self, first: int, last: int) -> np.ndarray:
        """The gradients by hidden vectors first .. last-1: float32[last - first, columns]."""
        return self._changes[:, first:last].sum(axis=0)

    def log_chances(self, parameters: Mapping[str, np.ndarray], hidden: np.ndarray) -> np.ndarray:
        """The logarithm of each word's probability behind one hidden vector: float64[V]."""
        return log_chances(parameters[self._weights], parameters[self._bias], hidden)

    def met(self) -> dict[str, list[Part]]:
        """None: a step meets every word."""
        return {}

    @property
    def loss_at_chance(self) -> float:
        """The mean loss when all words are as likely."""
        return math.log(self._edges[-1][1])

    def _backward(
        self, number: int, given: Given, gradients: Mapping[str, np.ndarray], thread: int, adds: bool
    ) -> None:
        (low, high), scores, count = self._edges[number], self._scores[number], len(given.targets)
        rate, (peak, total) = np.float32(-given.scale), self._own[thread]
        words = self._starts, given.targets, low, high
        softmax.gradients(scores, count, *words, self._peaks[number], peak, total, rate)
        wanted, by_weights = scores[:count, : high - low], gradients[self._weights][low:high]
        np.matmul(wanted, given.parameters[self._weights][low:high], out=self._changes[number, :count])
        if adds:
            by_weights += wanted.T @ given.hidden
            gradients[self._bias][low:high] += wanted.sum(axis=0)
        else:
            np.matmul(wanted.T, given.hidden, out=by_weights)
            np.sum(wanted, axis=0, out=gradients[self._bias][low:high])
