"""The last layer of a classifier: a sigmoid for two classes, a softmax for more, and what their losses are."""

import math
from collections.abc import Mapping

import numpy as np

from streamvec.kernels import random
from streamvec.models.network import Parameters

WEIGHTS, BIASES = "classes", "classes.b"


class Classes:
    """Scores of *labels* classes from *inputs* numbers; of two, one score says how much likelier the second is."""

    def __init__(self, inputs: int, labels: int, used: np.ndarray) -> None:
        """used: int64[n], which of the inputs are no padding: weights of the others are zero and stay so."""
        self._inputs, self._labels, self._used = inputs, labels, used
        self._scores = 1 if labels == 2 else labels

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Weights float32[inputs, scores], biases float32[scores]."""
        return {WEIGHTS: (self._inputs, self._scores), BIASES: (self._scores,)}

    @property
    def loss_at_chance(self) -> float:
        """Loss of an example when all classes are as likely."""
        return math.log(max(2, self._labels))

    def start(self, parameters: Parameters, key: int) -> None:
        """Small uniform weights."""
        reach = math.sqrt(6 / (self._used.size + self._scores))  # Glorot and Bengio 2010
        weights = np.empty((self._used.size, self._scores), np.float32)
        random.uniform_rows(weights, self._scores, -reach, reach, key)
        parameters[WEIGHTS][self._used] = weights

    def chances(self, parameters: Parameters, hidden: np.ndarray) -> np.ndarray:
        """The probability of each class, float32[n, labels], from float32[n, inputs]."""
        scores = hidden @ parameters[WEIGHTS] + parameters[BIASES]
        if self._scores == 1:
            second = 1 / (1 + np.exp(-np.clip(scores, -80, 80)))
            return np.concatenate([1 - second, second], axis=1)
        scores -= scores.max(axis=1, keepdims=True)
        chances = np.exp(scores)
        return chances / chances.sum(axis=1, keepdims=True)

    def loss(self, parameters: Parameters, hidden: np.ndarray, targets: np.ndarray) -> tuple[float, np.ndarray]:
        """(sum of the cross-entropies of targets int[n], gradients by the scores float32[n, scores])."""
        scores = hidden @ parameters[WEIGHTS] + parameters[BIASES]
        if self._scores == 1:
            sign = np.where(targets == 1, 1, -1).astype(np.float32)
            margin = scores[:, 0] * sign
            losses = np.maximum(-margin, 0) + np.log1p(np.exp(-np.abs(margin)))
            d_scores = -sign / (1 + np.exp(np.clip(margin, -80, 80)))
            return float(losses.sum(dtype=np.float64)), d_scores[:, None]
        scores -= scores.max(axis=1, keepdims=True)
        chances = np.exp(scores)
        total = chances.sum(axis=1, keepdims=True)
        rows = np.arange(len(targets))
        losses = np.log(total[:, 0]) - scores[rows, targets]
        d_scores = chances / total
        d_scores[rows, targets] -= 1
        return float(losses.sum(dtype=np.float64)), d_scores

    def backward(
        self, parameters: Parameters, gradients: Mapping[str, np.ndarray], hidden: np.ndarray, d_scores: np.ndarray
    ) -> np.ndarray:
        """Writes the gradients of weights and biases; returns that by *hidden*."""
        np.matmul(hidden.T, d_scores, out=gradients[WEIGHTS])
        np.sum(d_scores, axis=0, out=gradients[BIASES])
        return d_scores @ parameters[WEIGHTS].T
