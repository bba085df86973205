"""Luong's global attention: each state of a decoder looks at all states of an encoder, and takes what it needs of them.

Of a decoder's state h and an encoder's states m_s, with the score "general" (Luong et al. 2015, arXiv:1508.04025):

    score_s = h . (m_s W)      weights = softmax of the scores      context = sum of weights_s m_s
    what goes on = tanh([context; h] C)

Sequences are lanes of a batch: arrays are [time, lane, unit], columns rounded up to 16; what pads them is zero and
stays so. Products are BLAS's.
"""

import math
from collections.abc import Mapping

import numpy as np

from streamvec.kernels import random
from streamvec.models.shape import Shape, padded
from streamvec.models.stack import flat

SCORE, COMBINE = "attention.W", "attention.C"


class Attention:
    """One pass of some sequences, after that of the encoder and the decoder's layers."""

    def __init__(self, encoder: Shape, decoder: Shape, outputs: int) -> None:
        """encoder, decoder: the stacks whose last layers' states meet; outputs: units of what goes on, unpadded."""
        self._encoder, self._decoder, self._units = encoder, decoder, outputs

    @property
    def outputs(self) -> int:
        """Columns of what goes on, padded."""
        return padded(self._units)

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of each parameter by its name: W float32[memory, queries], C float32[memory + queries, outputs]."""
        memory, queries = self._encoder.outputs, self._decoder.outputs
        return {SCORE: (memory, queries), COMBINE: (memory + queries, self.outputs)}

    def start(self, parameters: Mapping[str, np.ndarray], key: int) -> None:
        """Uniform weights (Glorot and Bengio 2010), where it is not padding. Fills zeros."""
        memory, queries = self._encoder.units, self._decoder.units
        both = np.concatenate([memory, queries + self._encoder.outputs])
        for number, (name, rows, columns) in enumerate(
            ((SCORE, memory, queries), (COMBINE, both, np.arange(self._units)))
        ):
            reach = math.sqrt(6 / (rows.size + columns.size))
            values = np.zeros((rows.size, columns.size), np.float32)
            random.uniform_rows(values, columns.size, -reach, reach, key + number)
            parameters[name][np.ix_(rows, columns)] = values

    def forward(
        self, parameters: Mapping[str, np.ndarray], queries: np.ndarray, memory: np.ndarray, lengths: np.ndarray
    ) -> np.ndarray:
        """What goes on, float32[steps, lanes, outputs], of the decoder's states, float32[steps, lanes, queries].

        memory: the encoder's states, float32[positions, lanes, memory]; lengths: int64[lanes], how many of them each
        lane has: what is behind gets no weight. A lane without any has a context of zeros.
        """
        self.remember(parameters, memory, lengths)
        return self.attend(parameters, queries)

    def remember(self, parameters: Mapping[str, np.ndarray], memory: np.ndarray, lengths: np.ndarray) -> None:
        """Takes the encoder's states, see `forward`, for any number of calls of `attend`. They are not copied."""
        self._memory = memory
        self._behind = np.arange(len(memory)) >= lengths[:, None]  # [lanes, positions]
        self._keys = _times(memory, parameters[SCORE])

    def attend(self, parameters: Mapping[str, np.ndarray], queries: np.ndarray) -> np.ndarray:
        """As `forward`, of what was remembered: with one step at a time it gives what all steps at once would.

        Hypotheses about one source can be steps here, float32[hypotheses, 1, queries], for no step knows of another.
        """
        scores = queries.transpose(1, 0, 2) @ self._keys.transpose(1, 2, 0)  # [lanes, steps, positions]
        np.copyto(scores, np.float32(-np.inf), where=self._behind[:, None])
        peaks = scores.max(axis=2, keepdims=True)
        peaks[peaks == -np.inf] = 0  # a lane without any position
        scores -= peaks
        np.exp(scores, out=scores)
        totals = scores.sum(axis=2, keepdims=True)
        totals[totals == 0] = 1
        scores /= totals
        self._softmax = scores
        self._both = np.empty((*queries.shape[:2], self._encoder.outputs + self._decoder.outputs), np.float32)
        context, beside = self._divided(self._both)
        context[:] = (scores @ self._memory.transpose(1, 0, 2)).transpose(1, 0, 2)
        beside[:] = queries
        self._out: np.ndarray = np.tanh(_times(self._both, parameters[COMBINE]))
        return self._out

    @property
    def weights(self) -> np.ndarray:
        """How much each step of the last pass took of each position, float32[steps, lanes, positions]: a view. They add
        up to 1, and are 0 behind a lane's length."""
        return self._softmax.transpose(1, 0, 2)

    def backward(
        self, parameters: Mapping[str, np.ndarray], gradients: Mapping[str, np.ndarray], d_out: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Writes the gradients of the parameters, of the pass just made; returns those by (queries, memory), shaped as
        these. d_out: those by what it gave, float32[steps, lanes, outputs]. Behind a lane's length memory's are zero.
        """
        _, queries = self._divided(self._both)
        d_sum = d_out * (1 - self._out * self._out)
        np.matmul(flat(self._both).T, flat(d_sum), out=gradients[COMBINE])
        d_both = _times(d_sum, parameters[COMBINE].T)
        d_context, d_queries = self._divided(d_both)
        by_lane = d_context.transpose(1, 0, 2)
        # softmax: d score_s = weight_s (d weight_s - sum of weight_r d weight_r)
        d_scores = by_lane @ self._memory.transpose(1, 2, 0)
        d_scores *= self._softmax
        d_scores -= self._softmax * d_scores.sum(axis=2, keepdims=True)
        d_queries = d_queries + (d_scores @ self._keys.transpose(1, 0, 2)).transpose(1, 0, 2)
        d_keys = np.ascontiguousarray((d_scores.transpose(0, 2, 1) @ queries.transpose(1, 0, 2)).transpose(1, 0, 2))
        np.matmul(flat(self._memory).T, flat(d_keys), out=gradients[SCORE])
        d_memory = _times(d_keys, parameters[SCORE].T)
        d_memory += (self._softmax.transpose(0, 2, 1) @ by_lane).transpose(1, 0, 2)
        return d_queries, d_memory

    def _divided(self, both: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Views of the context's columns and the decoder's state's."""
        return both[:, :, : self._encoder.outputs], both[:, :, self._encoder.outputs :]


def _times(x: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """[steps, lanes, n] times [n, m], as one product."""
    return (flat(x) @ weights).reshape(*x.shape[:2], -1)
