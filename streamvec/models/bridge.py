"""What a decoder begins with: of each of its layers tanh of a linear map of what the encoder ended with.

An lstm's c begins at zero. The encoder's ends are those of `streamvec.models.ends`.
"""

import math
from collections.abc import Mapping

import numpy as np

from streamvec.kernels import random
from streamvec.models.cells import CELLS
from streamvec.models.ends import ends_of, spread_ends
from streamvec.models.network import Parameters
from streamvec.models.shape import Shape, padded

WEIGHTS, BIASES = "bridge", "bridge.b"


class Bridge:
    """Between the last layer of an encoder and all layers of a decoder, of one group of sequences."""

    def __init__(self, encoder: Shape, decoder: Shape) -> None:
        self._encoder, self._decoder = encoder, decoder
        self._parts = 2 if CELLS[decoder.cell].has_memory else 1  # of the state of a layer

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Weights float32[encoder's outputs, decoder's layers x hidden], biases of as many columns."""
        columns = self._decoder.layers * padded(self._decoder.hidden)
        return {WEIGHTS: (self._encoder.outputs, columns), BIASES: (columns,)}

    def start(self, parameters: Parameters, key: int) -> None:
        """Uniform weights (Glorot and Bengio 2010), where it is not padding. Fills zeros."""
        units, rows = self._decoder.hidden, self._encoder.units
        reach = math.sqrt(6 / (rows.size + units))
        for layer in range(self._decoder.layers):
            values = np.empty((rows.size, units), np.float32)
            random.uniform_rows(values, units, -reach, reach, key + layer)
            columns = layer * padded(units) + np.arange(units)
            parameters[WEIGHTS][np.ix_(rows, columns)] = values

    def forward(self, parameters: Parameters, out: np.ndarray, lengths: np.ndarray) -> list[np.ndarray]:
        """The first state of the decoder, as `Stack.state` has it, of all that the encoder gave, float32[steps, lanes,
        outputs], which is zero behind *lengths* int64[lanes]."""
        self._lengths, self._steps = lengths, len(out)
        self._ends = ends_of(self._encoder, out, lengths)
        self._states: np.ndarray = np.tanh(self._ends @ parameters[WEIGHTS] + parameters[BIASES])
        states = np.split(self._states, self._decoder.layers, axis=1)
        return [part for h in states for part in (h, np.zeros_like(h))[: self._parts]]

    def backward(
        self, parameters: Parameters, gradients: Mapping[str, np.ndarray], d_states: list[np.ndarray]
    ) -> np.ndarray:
        """Writes the gradients; returns that by what the encoder gave, zeros behind a sequence's end.

        d_states: those by the decoder's first state, as `Stack.d_state` has them.
        """
        d_sum = np.concatenate(d_states[:: self._parts], axis=1) * (1 - self._states * self._states)
        np.matmul(self._ends.T, d_sum, out=gradients[WEIGHTS])
        np.sum(d_sum, axis=0, out=gradients[BIASES])
        return spread_ends(self._encoder, d_sum @ parameters[WEIGHTS].T, self._steps, self._lengths)
