"""What recurrent cells do at one time step, for some sequences at once: forward, and backward through it.

All arrays are float32 and contiguous; their columns are a multiple of 16, gate after gate of H columns each. ``pre`` is
x W + b, ``recurrent`` is h U (+ d), made by matrix products: float32[L, gates H] each. Forward turns ``pre`` into the
gates' values in place, and backward turns those into the loss's gradients by ``pre`` (and, where these differ, by
``recurrent``). h, c: float32[L, H], the state before the step; new_h, new_c: after it; d_h, d_c: gradients by these.

    rnn         h' = tanh(pre) or relu(pre)                                        (Elman 1990)
    gru-simple  u = s(pre_u), n = tanh(pre_n), h' = u n + (1 - u) h
    gru         the same with r = s(pre_r), n = tanh(x W_n + b_n + r (h U_n + d_n))   (Cho et al. 2014, with
                the reset behind the product, as in cuDNN; its z is 1 - u)
    lstm        c' = f c + i n, h' = o tanh(c'); i, f, o = s(...), n = tanh(...)
                (Hochreiter, Schmidhuber 1997; forget gates: Gers et al. 2000)
"""

import numpy as np
from numba import njit

from streamvec.kernels.nonlinear import sigmoid, tanh
from streamvec.kernels.simd import fma, keep_above, load16, maximum, splat16, store, zero16

_LANE = 64  # bytes of 16 floats


@njit(nogil=True, cache=True)
def forward_tanh(pre, recurrent, new_h):
    """One gate: *pre* (updated), *recurrent* (read), new_h (written)."""
    here, other, there = pre.ctypes.data, recurrent.ctypes.data, new_h.ctypes.data
    for at in range(0, pre.size * 4, _LANE):
        value = tanh(load16(here + at) + load16(other + at))
        store(here + at, value)
        store(there + at, value)


@njit(nogil=True, cache=True)
def backward_tanh(pre, d_h):
    """*pre* becomes the gradient by itself; d_h: by the state after the step (read)."""
    here, there, one = pre.ctypes.data, d_h.ctypes.data, splat16(np.float32(1.0))
    for at in range(0, pre.size * 4, _LANE):
        value = load16(here + at)
        store(here + at, load16(there + at) * (one - value * value))


@njit(nogil=True, cache=True)
def forward_relu(pre, recurrent, new_h):
    """As `forward_tanh`."""
    here, other, there = pre.ctypes.data, recurrent.ctypes.data, new_h.ctypes.data
    for at in range(0, pre.size * 4, _LANE):
        value = maximum(load16(here + at) + load16(other + at), zero16())
        store(here + at, value)
        store(there + at, value)


@njit(nogil=True, cache=True)
def backward_relu(pre, d_h):
    """As `backward_tanh`."""
    here, there = pre.ctypes.data, d_h.ctypes.data
    for at in range(0, pre.size * 4, _LANE):
        store(here + at, keep_above(load16(there + at), load16(here + at)))


@njit(nogil=True, cache=True)
def forward_update(pre, recurrent, h, new_h):
    """The simplified gru: gates u, n."""
    lanes, size = h.shape[0], h.shape[1] * 4
    one = splat16(np.float32(1.0))
    for lane in range(lanes):
        gates, other = pre[lane].ctypes.data, recurrent[lane].ctypes.data
        old, new = h[lane].ctypes.data, new_h[lane].ctypes.data
        for at in range(0, size, _LANE):
            u = sigmoid(load16(gates + at) + load16(other + at))
            n = tanh(load16(gates + size + at) + load16(other + size + at))
            store(gates + at, u)
            store(gates + size + at, n)
            store(new + at, fma(u, n, (one - u) * load16(old + at)))


@njit(nogil=True, cache=True)
def backward_update(pre, h, d_h):
    """*pre* becomes the gradient by itself; d_h: by the state after the step, becomes what passes by (updated)."""
    lanes, size = h.shape[0], h.shape[1] * 4
    one = splat16(np.float32(1.0))
    for lane in range(lanes):
        gates, old, passed = pre[lane].ctypes.data, h[lane].ctypes.data, d_h[lane].ctypes.data
        for at in range(0, size, _LANE):
            u, n, d = load16(gates + at), load16(gates + size + at), load16(passed + at)
            store(gates + at, d * (n - load16(old + at)) * u * (one - u))
            store(gates + size + at, d * u * (one - n * n))
            store(passed + at, d * (one - u))


@njit(nogil=True, cache=True)
def forward_relevance(pre, recurrent, h, new_h):
    """The full gru: gates u, r, n."""
    lanes, size = h.shape[0], h.shape[1] * 4
    one = splat16(np.float32(1.0))
    for lane in range(lanes):
        gates, other = pre[lane].ctypes.data, recurrent[lane].ctypes.data
        old, new = h[lane].ctypes.data, new_h[lane].ctypes.data
        for at in range(0, size, _LANE):
            u = sigmoid(load16(gates + at) + load16(other + at))
            r = sigmoid(load16(gates + size + at) + load16(other + size + at))
            n = tanh(fma(r, load16(other + 2 * size + at), load16(gates + 2 * size + at)))
            store(gates + at, u)
            store(gates + size + at, r)
            store(gates + 2 * size + at, n)
            store(new + at, fma(u, n, (one - u) * load16(old + at)))


@njit(nogil=True, cache=True)
def backward_relevance(pre, recurrent, h, d_h):
    """*pre* becomes the gradient by x W + b, *recurrent* that by h U + d; d_h as in `backward_update`."""
    lanes, size = h.shape[0], h.shape[1] * 4
    one = splat16(np.float32(1.0))
    for lane in range(lanes):
        gates, other = pre[lane].ctypes.data, recurrent[lane].ctypes.data
        old, passed = h[lane].ctypes.data, d_h[lane].ctypes.data
        for at in range(0, size, _LANE):
            u, r, n = load16(gates + at), load16(gates + size + at), load16(gates + 2 * size + at)
            d = load16(passed + at)
            d_u = d * (n - load16(old + at)) * u * (one - u)
            d_n = d * u * (one - n * n)
            d_r = d_n * load16(other + 2 * size + at) * r * (one - r)
            store(gates + at, d_u)
            store(gates + size + at, d_r)
            store(gates + 2 * size + at, d_n)
            store(other + at, d_u)
            store(other + size + at, d_r)
            store(other + 2 * size + at, d_n * r)
            store(passed + at, d * (one - u))


@njit(nogil=True, cache=True)
def forward_lstm(pre, recurrent, c, new_c, new_h):
    """Gates i, f, o, n."""
    lanes, size = c.shape[0], c.shape[1] * 4
    for lane in range(lanes):
        gates, other = pre[lane].ctypes.data, recurrent[lane].ctypes.data
        old, cell, new = c[lane].ctypes.data, new_c[lane].ctypes.data, new_h[lane].ctypes.data
        for at in range(0, size, _LANE):
            i = sigmoid(load16(gates + at) + load16(other + at))
            f = sigmoid(load16(gates + size + at) + load16(other + size + at))
            o = sigmoid(load16(gates + 2 * size + at) + load16(other + 2 * size + at))
            n = tanh(load16(gates + 3 * size + at) + load16(other + 3 * size + at))
            total = fma(f, load16(old + at), i * n)
            store(gates + at, i)
            store(gates + size + at, f)
            store(gates + 2 * size + at, o)
            store(gates + 3 * size + at, n)
            store(cell + at, total)
            store(new + at, o * tanh(total))


@njit(nogil=True, cache=True)
def backward_lstm(pre, c, new_c, d_h, d_c):
    """*pre* becomes the gradient by itself; d_h: by h' (read); d_c: by c', becomes that by c (updated)."""
    lanes, size = c.shape[0], c.shape[1] * 4
    one = splat16(np.float32(1.0))
    for lane in range(lanes):
        gates, old, cell = pre[lane].ctypes.data, c[lane].ctypes.data, new_c[lane].ctypes.data
        passed, carried = d_h[lane].ctypes.data, d_c[lane].ctypes.data
        for at in range(0, size, _LANE):
            i, f = load16(gates + at), load16(gates + size + at)
            o, n = load16(gates + 2 * size + at), load16(gates + 3 * size + at)
            squashed, d = tanh(load16(cell + at)), load16(passed + at)
            total = fma(d * o, one - squashed * squashed, load16(carried + at))
            store(gates + at, total * n * i * (one - i))
            store(gates + size + at, total * load16(old + at) * f * (one - f))
            store(gates + 2 * size + at, d * squashed * o * (one - o))
            store(gates + 3 * size + at, total * i * (one - n * n))
            store(carried + at, total * f)
