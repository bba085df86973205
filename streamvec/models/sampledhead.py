"""An output that scores the target and a sample of words while training, and every word when it is measured.

All tokens of a step share the sample, so that scoring is a product of matrices. Two losses have it:

- sampled (Jean et al. 2015): a softmax over the target and the sample without it. A word may be drawn twice, but counts
  once; its score is less the logarithm of its chance to be in the sample, so that the target is what it would be among
  all words, given that it is one of these.
- nce (Gutmann and Hyvaerinen 2010, Mnih and Teh 2012): was a word the target, or noise? Scores are taken for logarithms
  of V times the word's probability, without a sum over all words: training makes them so.

Rows of positions, and then blocks of the sample, are what threads take; no sum crosses them, so the bytes are the same
for any number of threads.
"""

import math
from collections.abc import Mapping

import numpy as np

from streamvec.kernels import samples, softmax
from streamvec.kernels.memory import aligned_zeros
from streamvec.kernels.rows import pick
from streamvec.kernels.team import Team, wait_for_team
from streamvec.models.exactsoftmax import ExactSoftmax
from streamvec.models.head import Given
from streamvec.models.metrows import Part
from streamvec.models.sampler import Sampler
from streamvec.models.shape import padded
from streamvec.models.step import Position

_ROWS, _SAMPLES = 64, 128  # hidden vectors, and samples, that a thread takes at a time


class SampledHead:
    """A `streamvec.models.head.Head`; parameters as of `SoftmaxHead`."""

    def __init__(
        self, words: int, columns: int, most: int, team: Team, sampler: Sampler, loss: str, weights: str = "output"
    ) -> None:
        """loss: "sampled" or "nce"."""
        self._team, self._sampler, self._loss, self._weights = team, sampler, loss, weights
        self._bias = "output.b"
        self._exact = ExactSoftmax(words, columns, most, team, weights, self._bias)
        self.losses = self._exact.losses
        chances, number = sampler.chances(), sampler.number
        expected = _is_drawn(chances, number) if loss == "sampled" else number * chances
        shifts = np.log(expected) + (math.log(words) if loss == "nce" else 0.0)
        self._shifts = (-shifts).astype(np.float32)
        self._chance = self._loss_at_chance(chances)
        room = padded(number)
        self._drawn = aligned_zeros((room, columns))  # rows of the samples, and then gradients by them
        self._scores = aligned_zeros((most, room))
        self._wanted = aligned_zeros((most, columns))  # rows of the targets, and then gradients by them
        self._by_targets, self._by_hidden = np.zeros(most, np.float32), aligned_zeros((most, columns))
        self._peaks, self._totals = np.zeros(most, np.float32), np.zeros(most, np.float32)
        self._added, self._times = aligned_zeros((room,)), aligned_zeros((room,))
        self._by_bias = np.zeros(number, np.float32)
        self._targets = self._samples = self._hits = np.zeros(0, np.int32)

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of each parameter by its name."""
        return self._exact.shapes()

    @property
    def loss_at_chance(self) -> float:
        """The mean of the loss that training follows when all words are as likely."""
        return self._chance

    def begin(self, targets: np.ndarray, position: Position | None = None) -> None:
        """Draws the samples of *position*."""
        self._targets = targets
        self._samples, times = np.unique(self._sampler.draw(position or Position(0, 0)), return_counts=True)
        self._times[:] = 0
        self._times[: times.size] = times
        places = np.searchsorted(self._samples, targets)
        found = self._samples[np.minimum(places, self._samples.size - 1)] == targets
        self._hits = np.where(found, places, -1).astype(np.int32)

    def work(self, given: Given, thread: int) -> None:
        """As `Head.work`: with gradients an estimate over the samples, without them exact."""
        if given.gradients is None:
            return self._exact.work(given, thread)
        parameters, _, hidden, targets, scale = given
        threads, barrier, drawn = self._team.threads, self._team.barrier, self._samples.size
        weights, bias = parameters[self._weights], parameters[self._bias]
        if thread == 0:
            self._added[:] = -np.inf if self._loss == "sampled" else 0
            self._added[:drawn] = bias[self._samples] + self._shifts[self._samples]
        for first in range(thread * _SAMPLES, drawn, threads * _SAMPLES):
            pick(weights, self._samples[first : first + _SAMPLES], self._drawn[first : min(first + _SAMPLES, drawn)])
        wait_for_team(barrier, threads)
        for first in range(thread * _ROWS, len(targets), threads * _ROWS):
            self._score(weights, bias, hidden, first, min(first + _ROWS, len(targets)), scale)
        wait_for_team(barrier, threads)
        for first in range(thread * _SAMPLES, drawn, threads * _SAMPLES):
            last = min(first + _SAMPLES, drawn)
            by_scores = self._scores[: len(targets), first:last]
            np.matmul(by_scores.T, hidden, out=self._drawn[first:last])
            np.sum(by_scores, axis=0, out=self._by_bias[first:last])

    def d_hidden(self, first: int, last: int) -> np.ndarray:
        """The gradients by hidden vectors first .. last-1: float32[last - first, columns]."""
        return self._by_hidden[first:last]

    def log_chances(self, parameters: Mapping[str, np.ndarray], hidden: np.ndarray) -> np.ndarray:
        """The logarithm of each word's probability behind one hidden vector: float64[V]."""
        return self._exact.log_chances(parameters, hidden)

    def met(self) -> dict[str, list[Part]]:
        """The gradients by rows of targets and samples."""
        count, drawn = self._targets.size, self._samples.size
        by_rows = [(self._targets, self._wanted[:count]), (self._samples, self._drawn[:drawn])]
        by_biases = [(self._targets, self._by_targets[:count, None]), (self._samples, self._by_bias[:drawn, None])]
        return {self._weights: by_rows, self._bias: by_biases}

    def _score(
        self, weights: np.ndarray, bias: np.ndarray, hidden: np.ndarray, first: int, last: int, scale: float
    ) -> None:
        """All that is said of hidden vectors first .. last-1 alone."""
        here, drawn = slice(first, last), self._samples.size
        some, targets, hits, losses = hidden[here], self._targets[here], self._hits[here], self.losses[here]
        scores, rows, by_targets = self._scores[here], self._wanted[here], self._by_targets[here]
        np.matmul(some, self._drawn[:drawn].T, out=scores[:, :drawn])
        pick(weights, targets, rows)
        samples.score_targets(some, rows, bias[targets] + self._shifts[targets], by_targets)
        scores[:, drawn:] = 0
        if self._loss == "sampled":
            peaks, totals = self._peaks[here], self._totals[here]
            samples.shift_scores(scores, self._added, hits)
            np.maximum(scores.max(axis=1), by_targets, out=peaks)
            softmax.exponentials(scores, len(some), peaks, totals)
            samples.softmax_gradients(scores, totals, by_targets, peaks, hits, scale, losses)
        else:
            samples.noise_gradients(scores, self._times, self._added, by_targets, scale, losses)
        np.matmul(scores[:, :drawn], self._drawn[:drawn], out=self._by_hidden[here])
        samples.end_rows(some, rows, by_targets, self._by_hidden[here])

    def _loss_at_chance(self, chances: np.ndarray) -> float:
        """Of targets that are drawn as the samples are, with all scores 0."""
        shifts = self._shifts.astype(np.float64)
        if self._loss == "sampled":
            return float(chances @ np.log1p((chances.size - 1) * np.exp(-shifts)))
        return float(chances @ (np.logaddexp(0, -shifts) + self._sampler.number * np.logaddexp(0, shifts)))


def _is_drawn(chances: np.ndarray, number: int) -> np.ndarray:
    """How likely each word is to be among so many draws: float64[V]."""
    return -np.expm1(number * np.log1p(-np.minimum(chances, 1 - 1e-9)))
