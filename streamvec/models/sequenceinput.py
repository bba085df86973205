"""Sequences of words on their way through recurrent layers: padded, their vectors picked, dropout drawn."""

from collections.abc import Mapping, Sequence

import numpy as np

from streamvec.corpus.examples import Ragged
from streamvec.kernels.rows import add_rows
from streamvec.models.metrows import Part
from streamvec.models.network import Chance, KnownRows, Parameters
from streamvec.models.stack import Inputs, Picked, Stack
from streamvec.models.wordinput import WordInput


class SequenceEncoder:
    """Some sequences, through vectors of words and a stack of layers; masks of dropout are numbers *first* and on."""

    def __init__(self, stack: Stack, words: int, dim: int, known: KnownRows | None = None, first: int = 0) -> None:
        self.stack = stack
        self._input, self._first = WordInput(words, dim, known), first
        self._mask: np.ndarray | None = None
        self._out_mask: np.ndarray | None = None
        self._is_word: np.ndarray | None = None  # where there is something beside the vectors: [sequence, step]
        self.d_beside = np.zeros((0, 0), np.float32)

    def forward(
        self,
        parameters: Parameters,
        words: Ragged,
        chance: Chance | None,
        state: Sequence[np.ndarray] = (),
        beside: np.ndarray | None = None,
    ) -> np.ndarray:
        """What the last layer gives of each word: float32[steps, sequences, outputs], zeros behind a sequence's end.

        state: what layers begin with, as `Stack.state` has it; zeros where there is none. beside: what goes in beside
        the vector of each word, float32[words, columns], of one sequence after another.
        """
        ids, shape = words.padded(), self.stack.shape
        rows = self._rows = self._input.rows(parameters, ids)
        steps, lanes = ids.shape
        self._is_word = None if beside is None else np.arange(steps) < words.lengths[:, None]
        mask, first = (chance.mask if chance is not None else _no_mask), self._first
        self._mask = mask(first, steps, lanes, rows.shape[1] + (0 if beside is None else beside.shape[1]))
        x: Inputs = Picked(rows, self._input.places)
        if self._mask is not None or beside is not None:
            x = rows[self._input.places] if beside is None else self._together(rows, beside)
            if self._mask is not None:
                x *= self._mask
        self.stack.fit(steps, lanes)
        for first_state, given in zip(self.stack.state(), state, strict=False):
            first_state[:] = given
        between = [mask(first + layer, steps, lanes, shape.outputs) for layer in range(1, shape.layers)]
        out = self.stack.forward(parameters, x, words.lengths, between)
        self._out_mask = mask(first + shape.layers, steps, lanes, shape.outputs)
        return out if self._out_mask is None else out * self._out_mask

    def backward(self, parameters: Parameters, gradients: Mapping[str, np.ndarray], d_out: np.ndarray) -> Part:
        """Writes the gradients of the layers; returns those of the vectors. d_out: zeros behind a sequence's end.

        After it *d_beside*, float32[words, columns], are those by what stood beside the vectors.
        """
        if self._out_mask is not None:
            d_out = d_out * self._out_mask
        d_x = self.stack.backward(parameters, gradients, d_out)
        if self._mask is None and self._is_word is None:
            return self._input.gradients(d_x)
        if self._mask is not None:
            d_x *= self._mask
        width = self._rows.shape[1]
        if self._is_word is not None:
            self.d_beside = d_x.transpose(1, 0, 2)[self._is_word][:, width:]
        d_rows = np.zeros(self._rows.shape, np.float32)
        d_words = np.ascontiguousarray(d_x[:, :, :width]).reshape(-1, width)
        add_rows(d_rows, self._input.places.reshape(-1), d_words)
        return self._input.gradients(d_rows)

    def _together(self, rows: np.ndarray, beside: np.ndarray) -> np.ndarray:
        """Vectors and what stands beside them: float32[steps, sequences, inputs], zeros there behind an end."""
        places, width = self._input.places, rows.shape[1]
        x = np.zeros((*places.shape, width + beside.shape[1]), np.float32)
        x[:, :, :width] = rows[places]
        x.transpose(1, 0, 2)[self._is_word, width:] = beside
        return x


def _no_mask(number: int, *shape: int) -> None:
    """Nothing is left out."""
