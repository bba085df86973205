"""Recurrent layers through time: at each step the product of the state with U, and what the cell does, in one kernel.

Arrays are those of `streamvec.kernels.cells`, at all time steps: pre float32[steps, L, gates H], recurrent
float32[steps or 1, L, gates H] (of all steps where the backward pass needs them), h, c float32[steps + 1, L, H], from
the state before the first step on. All forward passes are called alike, with what their cell has no use for left
unread, and so are all backward passes:

    forward   u: U as `streamvec.kernels.products.multiply` takes it (is_packed); d: float32[gates H], added to h U;
              lengths: int64[L], steps of each sequence: states behind are zero, else some would grow without bounds
    backward  back: the transpose of U, packed; d_out: float32[steps, L, H], gradients by each step's state; d_h, d_c:
              float32[L, H], in: by the state after step *stop* - 1, out: by that before step *start*; room:
              float32[L, H]. Steps stop - 1 .. start.
"""

import numpy as np
from numba import njit

from streamvec.kernels import cells
from streamvec.kernels.products import multiply


@njit(nogil=True, cache=True)
def _add(matrix, other):
    """matrix += other, of one shape."""
    for row in range(matrix.shape[0]):
        for column in range(matrix.shape[1]):
            matrix[row, column] += other[row, column]


@njit(nogil=True, cache=True)
def _add_to_all(matrix, row):
    """matrix[i] += row."""
    for at in range(matrix.shape[0]):
        for column in range(matrix.shape[1]):
            matrix[at, column] += row[column]


@njit(nogil=True, cache=True)
def _end(state, lengths, step):
    """Zeros the rows of sequences that *step* lies behind."""
    for lane in range(state.shape[0]):
        if lengths[lane] <= step:
            for column in range(state.shape[1]):
                state[lane, column] = np.float32(0.0)


@njit(nogil=True, cache=True)
def forward_tanh(pre, recurrent, h, c, u, is_packed, d, lengths):
    """Of rnn."""
    for step in range(pre.shape[0]):
        multiply(h[step], u, pre.shape[2], is_packed, recurrent[0])
        cells.forward_tanh(pre[step], recurrent[0], h[step + 1])
        _end(h[step + 1], lengths, step)


@njit(nogil=True, cache=True)
def backward_tanh(pre, recurrent, h, c, back, d_out, d_h, d_c, room, start, stop):
    """Of rnn."""
    for step in range(stop - 1, start - 1, -1):
        _add(d_h, d_out[step])
        cells.backward_tanh(pre[step], d_h)
        multiply(pre[step], back, h.shape[2], True, d_h)


@njit(nogil=True, cache=True)
def forward_relu(pre, recurrent, h, c, u, is_packed, d, lengths):
    """Of rnn-relu."""
    for step in range(pre.shape[0]):
        multiply(h[step], u, pre.shape[2], is_packed, recurrent[0])
        cells.forward_relu(pre[step], recurrent[0], h[step + 1])
        _end(h[step + 1], lengths, step)


@njit(nogil=True, cache=True)
def backward_relu(pre, recurrent, h, c, back, d_out, d_h, d_c, room, start, stop):
    """Of rnn-relu."""
    for step in range(stop - 1, start - 1, -1):
        _add(d_h, d_out[step])
        cells.backward_relu(pre[step], d_h)
        multiply(pre[step], back, h.shape[2], True, d_h)


@njit(nogil=True, cache=True)
def forward_update(pre, recurrent, h, c, u, is_packed, d, lengths):
    """Of gru-simple."""
    for step in range(pre.shape[0]):
        multiply(h[step], u, pre.shape[2], is_packed, recurrent[0])
        cells.forward_update(pre[step], recurrent[0], h[step], h[step + 1])
        _end(h[step + 1], lengths, step)


@njit(nogil=True, cache=True)
def backward_update(pre, recurrent, h, c, back, d_out, d_h, d_c, room, start, stop):
    """Of gru-simple."""
    for step in range(stop - 1, start - 1, -1):
        _add(d_h, d_out[step])
        cells.backward_update(pre[step], h[step], d_h)
        multiply(pre[step], back, h.shape[2], True, room)
        _add(d_h, room)


@njit(nogil=True, cache=True)
def forward_relevance(pre, recurrent, h, c, u, is_packed, d, lengths):
    """Of gru."""
    for step in range(pre.shape[0]):
        multiply(h[step], u, pre.shape[2], is_packed, recurrent[step])
        _add_to_all(recurrent[step], d)
        cells.forward_relevance(pre[step], recurrent[step], h[step], h[step + 1])
        _end(h[step + 1], lengths, step)


@njit(nogil=True, cache=True)
def backward_relevance(pre, recurrent, h, c, back, d_out, d_h, d_c, room, start, stop):
    """Of gru."""
    for step in range(stop - 1, start - 1, -1):
        _add(d_h, d_out[step])
        cells.backward_relevance(pre[step], recurrent[step], h[step], d_h)
        multiply(recurrent[step], back, h.shape[2], True, room)
        _add(d_h, room)


@njit(nogil=True, cache=True)
def forward_lstm(pre, recurrent, h, c, u, is_packed, d, lengths):
    """Of lstm."""
    for step in range(pre.shape[0]):
        multiply(h[step], u, pre.shape[2], is_packed, recurrent[0])
        cells.forward_lstm(pre[step], recurrent[0], c[step], c[step + 1], h[step + 1])
        _end(h[step + 1], lengths, step)
        _end(c[step + 1], lengths, step)


@njit(nogil=True, cache=True)
def backward_lstm(pre, recurrent, h, c, back, d_out, d_h, d_c, room, start, stop):
    """Of lstm."""
    for step in range(stop - 1, start - 1, -1):
        _add(d_h, d_out[step])
        cells.backward_lstm(pre[step], c[step], c[step + 1], d_h, d_c)
        multiply(pre[step], back, h.shape[2], True, d_h)
