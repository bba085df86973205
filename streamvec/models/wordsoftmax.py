"""A softmax over the words that a decoder may write, of one group of examples: one thread's matrix products.

Hidden vectors meet all words, some vectors at a time, so that memory stays bounded; where there are more than fit, the
backward pass makes their scores again.
"""

import math
from collections.abc import Mapping

import numpy as np

from streamvec.kernels import random
from streamvec.models.network import Parameters

WEIGHTS, BIASES = "output", "output.b"
_ROOM = 16 << 20  # scores that are held at once


class WordSoftmax:
    """Scores of *words* words for hidden vectors of *columns* numbers."""

    def __init__(self, words: int, columns: int, used: np.ndarray, room: int = _ROOM) -> None:
        """used: int64[n], which of the columns are no padding: weights of the others are zero and stay so."""
        self._words, self._columns, self._used = words, columns, used
        self._some = max(1, room // words)  # vectors at once

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Weights float32[words, columns], biases float32[words]."""
        return {WEIGHTS: (self._words, self._columns), BIASES: (self._words,)}

    @property
    def loss_at_chance(self) -> float:
        """Loss of a word when all are as likely."""
        return math.log(self._words)

    def start(self, parameters: Parameters, key: int) -> None:
        """Small uniform weights."""
        weights = np.empty((self._words, self._used.size), np.float32)
        random.uniform_rows(weights, self._used.size, -0.1, 0.1, key)
        parameters[WEIGHTS][:, self._used] = weights

    def scores(self, parameters: Parameters, hidden: np.ndarray) -> np.ndarray:
        """The logarithm of the probability of each word, float32[n, words], from float32[n, columns]."""
        scores = self._shifted(parameters, hidden)
        scores -= np.log(np.exp(scores).sum(axis=1, keepdims=True))
        return scores

    def loss(self, parameters: Parameters, hidden: np.ndarray, targets: np.ndarray) -> float:
        """The sum of the cross-entropies of the words int[n] that came behind float32[n, columns]."""
        self._hidden, self._targets, loss = hidden, targets, 0.0
        for first in range(0, len(targets), self._some):
            loss += self._measure(parameters, first)
        return loss

    def backward(self, parameters: Parameters, gradients: Mapping[str, np.ndarray], scale: float) -> np.ndarray:
        """Writes the gradients, times *scale*, of the loss just made; returns that by the hidden vectors."""
        d_hidden = np.empty_like(self._hidden)
        for first in range(0, len(self._targets), self._some):
            if first != self._first:
                self._measure(parameters, first)
            part = slice(first, first + self._some)
            d_scores, some = self._exponentials, self._targets[part]
            d_scores *= np.float32(scale) / self._totals
            d_scores[np.arange(some.size), some] -= np.float32(scale)
            if first == 0:
                np.matmul(d_scores.T, self._hidden[part], out=gradients[WEIGHTS])
                np.sum(d_scores, axis=0, out=gradients[BIASES])
            else:
                gradients[WEIGHTS][:] += d_scores.T @ self._hidden[part]
                gradients[BIASES][:] += d_scores.sum(axis=0)
            np.matmul(d_scores, parameters[WEIGHTS], out=d_hidden[part])
        return d_hidden

    def _measure(self, parameters: Parameters, first: int) -> float:
        """The loss of the vectors from *first* on that are held at once; their exponentials and sums are kept."""
        some = self._targets[first : first + self._some]
        scores = self._shifted(parameters, self._hidden[first : first + self._some])
        reached = scores[np.arange(some.size), some]
        np.exp(scores, out=scores)
        self._first, self._exponentials, self._totals = first, scores, scores.sum(axis=1, keepdims=True)
        return float((np.log(self._totals[:, 0]) - reached).sum(dtype=np.float64))

    def _shifted(self, parameters: Parameters, hidden: np.ndarray) -> np.ndarray:
        """Scores, of which the highest of each vector is 0."""
        scores: np.ndarray = hidden @ parameters[WEIGHTS].T
        scores += parameters[BIASES]
        scores -= scores.max(axis=1, keepdims=True)
        return scores
