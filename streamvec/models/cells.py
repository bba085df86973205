"""The cells of recurrent networks by name: how many gates and states each has, and its way through time."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from streamvec.kernels import recurrence


class Cell(NamedTuple):
    """One kind of cell; *forward* and *backward* are kernels of `streamvec.kernels.recurrence`."""

    gates: int
    forward: Callable[..., None]
    backward: Callable[..., None]
    has_memory: bool = False  # a second state c beside h (lstm)
    has_recurrent_bias: bool = False  # d, added to h U: where a gate multiplies that (gru)
    by_memory: Callable[..., np.ndarray] | None = None  # the whole gradient by c, see below


def _lstm_by_memory(gates: np.ndarray, new_c: np.ndarray, d_h: np.ndarray, d_c: np.ndarray) -> np.ndarray:
    """The whole gradient by c after a step: float32[L, H], of those by h after it and, where c is held, by c.

    gates: float32[L, 4 H], their values at that step.
    """
    hidden, squashed = new_c.shape[1], np.tanh(new_c)
    return d_c + d_h * gates[:, 2 * hidden : 3 * hidden] * (1 - squashed * squashed)


CELLS: dict[str, Cell] = {
    "rnn": Cell(1, recurrence.forward_tanh, recurrence.backward_tanh),
    "rnn-relu": Cell(1, recurrence.forward_relu, recurrence.backward_relu),
    "gru-simple": Cell(2, recurrence.forward_update, recurrence.backward_update),
    "gru": Cell(3, recurrence.forward_relevance, recurrence.backward_relevance, has_recurrent_bias=True),
    "lstm": Cell(4, recurrence.forward_lstm, recurrence.backward_lstm, has_memory=True, by_memory=_lstm_by_memory),
}
