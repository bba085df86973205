"""The cells of recurrent networks by name: how many gates and states each has, and what it does at a time step."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from streamvec.kernels import cells


class Step(NamedTuple):
    """One time step of one layer for some sequences: views of float32 arrays, see `streamvec.kernels.cells`."""

    pre: np.ndarray  # [L, gates * H]
    recurrent: np.ndarray  # [L, gates * H]
    h: np.ndarray  # [L, H]
    new_h: np.ndarray  # [L, H]
    c: np.ndarray  # [L, H], of cells with two states
    new_c: np.ndarray  # [L, H]


class Cell(NamedTuple):
    """One kind of cell."""

    gates: int
    has_memory: bool  # a second state c beside h (lstm)
    has_recurrent_bias: bool  # d, added to h U: where a gate multiplies that (gru)
    forward: Callable[[Step], None]
    backward: Callable[[Step, np.ndarray, np.ndarray], None]  # also takes d_h and d_c (updated)
    passes: bool  # whether *backward* leaves in d_h what passes by the gates
    by_memory: Callable[[Step, np.ndarray, np.ndarray], np.ndarray] | None = None  # before *backward*: see below


def _lstm_by_memory(s: Step, d_h: np.ndarray, d_c: np.ndarray) -> np.ndarray:
    """The whole gradient by new_c, of those by new_h and, where this is held, by new_c: float32[L, H]."""
    hidden, squashed = s.new_c.shape[1], np.tanh(s.new_c)
    return d_c + d_h * s.pre[:, 2 * hidden : 3 * hidden] * (1 - squashed * squashed)


CELLS: dict[str, Cell] = {
    "rnn": Cell(
        1,
        False,
        False,
        lambda s: cells.forward_tanh(s.pre, s.recurrent, s.new_h),
        lambda s, d_h, d_c: cells.backward_tanh(s.pre, d_h),
        False,
    ),
    "rnn-relu": Cell(
        1,
        False,
        False,
        lambda s: cells.forward_relu(s.pre, s.recurrent, s.new_h),
        lambda s, d_h, d_c: cells.backward_relu(s.pre, d_h),
        False,
    ),
    "gru-simple": Cell(
        2,
        False,
        False,
        lambda s: cells.forward_update(s.pre, s.recurrent, s.h, s.new_h),
        lambda s, d_h, d_c: cells.backward_update(s.pre, s.h, d_h),
        True,
    ),
    "gru": Cell(
        3,
        False,
        True,
        lambda s: cells.forward_relevance(s.pre, s.recurrent, s.h, s.new_h),
        lambda s, d_h, d_c: cells.backward_relevance(s.pre, s.recurrent, s.h, d_h),
        True,
    ),
    "lstm": Cell(
        4,
        True,
        False,
        lambda s: cells.forward_lstm(s.pre, s.recurrent, s.c, s.new_c, s.new_h),
        lambda s, d_h, d_c: cells.backward_lstm(s.pre, s.c, s.new_c, d_h, d_c),
        False,
        _lstm_by_memory,
    ),
}
