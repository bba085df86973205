"""Sequences of words on their way into recurrent layers: padded, their vectors picked, dropout drawn."""

from collections.abc import Mapping, Sequence

import numpy as np

from streamvec.corpus.examples import Ragged
from streamvec.kernels.rows import add_rows
from streamvec.models.metrows import Part
from streamvec.models.network import Chance, Parameters, Rows
from streamvec.models.stack import Inputs, Picked, Stack
from streamvec.models.wordinput import WordInput


class SequenceEncoder:
    """Some sequences, through vectors of words and a stack of layers; masks of dropout are numbers *first* and on."""

    def __init__(self, stack: Stack, words: int, dim: int, known: Rows | None = None, first: int = 0) -> None:
        self.stack = stack
        self._input, self._first = WordInput(words, dim, known), first
        self._mask: np.ndarray | None = None
        self._out_mask: np.ndarray | None = None

    def forward(
        self, parameters: Parameters, words: Ragged, chance: Chance | None, state: Sequence[np.ndarray] = ()
    ) -> np.ndarray:
        """What the last layer gives of each word: float32[steps, sequences, outputs], zeros behind a sequence's end.

        state: what layers begin with, as `Stack.state` has it; zeros where there is none.
        """
        ids, shape = words.padded(), self.stack.shape
        rows = self._input.rows(parameters, ids)
        steps, lanes = ids.shape
        mask, first = (chance.mask if chance is not None else _no_mask), self._first
        self._mask = mask(first, steps, lanes, rows.shape[1])
        x: Inputs = Picked(rows, self._input.places)
        if self._mask is not None:
            x = rows[self._input.places] * self._mask
        self._rows = rows
        self.stack.fit(steps, lanes)
        for first_state, given in zip(self.stack.state(), state, strict=False):
            first_state[:] = given
        between = [mask(first + layer, steps, lanes, shape.outputs) for layer in range(1, shape.layers)]
        out = self.stack.forward(parameters, x, words.lengths, between)
        self._out_mask = mask(first + shape.layers, steps, lanes, shape.outputs)
        return out if self._out_mask is None else out * self._out_mask

    def backward(self, parameters: Parameters, gradients: Mapping[str, np.ndarray], d_out: np.ndarray) -> Part:
        """Writes the gradients of the layers; returns those of the vectors. d_out: zeros behind a sequence's end."""
        if self._out_mask is not None:
            d_out = d_out * self._out_mask
        d_x = self.stack.backward(parameters, gradients, d_out)
        if self._mask is None:
            return self._input.gradients(d_x)
        d_x *= self._mask
        d_rows = np.zeros(self._rows.shape, np.float32)
        add_rows(d_rows, self._input.places.reshape(-1), d_x.reshape(-1, d_x.shape[2]))
        return self._input.gradients(d_rows)


def _no_mask(number: int, *shape: int) -> None:
    """Nothing is left out."""
