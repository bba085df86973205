"""What lanes that trained replicas of the same rows found is combined: sums where they agree in nothing, means where
they found the same.

Of two changes a and b of a row,

    a (1 - a.b / 2|a|^2) + b (1 - a.b / 2|b|^2)

is a + b where they are orthogonal, as changes of rare words are, and a where b is a, as those of frequent words nearly
are, which every lane has moved as far as its text pulls (Adasum: Maleki et al. 2020, arXiv:2006.02924). More than two
are combined in pairs, and these in pairs, in the order of the lanes.
"""

import numpy as np
from numba import njit

from streamvec.kernels.folds import sum16
from streamvec.kernels.layout import BLOCK, VECTOR_BYTES
from streamvec.kernels.simd import fma, load16, splat16, store, zero16


@njit(nogil=True, cache=True, inline="always")
def _add_pair(a, b, width):
    """Combines two changes of *width* bytes at addresses, into the first."""
    both = left = right = zero16()
    for c in range(0, width, VECTOR_BYTES):
        x, y = load16(a + c), load16(b + c)
        both, left, right = fma(x, y, both), fma(x, x, left), fma(y, y, right)
    dot, of_a, of_b = sum16(both), sum16(left), sum16(right)
    one = np.float32(1.0)
    share_a = splat16(one - dot / (of_a + of_a) if of_a > 0 else one)
    share_b = splat16(one - dot / (of_b + of_b) if of_b > 0 else one)
    for c in range(0, width, VECTOR_BYTES):
        store(a + c, share_a * load16(a + c) + share_b * load16(b + c))


@njit(nogil=True, cache=True)
def combine(changes, first, last):
    """Combines the lanes' changes of rows first .. last-1 into those of lane 0.

    changes: float32[lanes, rows, columns], C-contiguous, columns a multiple of 16 (updated; lanes but 0 hold scratch).
    """
    lanes, rows, columns = changes.shape
    width = columns * 4
    start = np.intp(changes.ctypes.data)
    for row in range(first, last):
        here, between = start + row * width, rows * width
        apart = 1
        while apart < lanes:
            for lane in range(0, lanes - apart, 2 * apart):
                _add_pair(here + lane * between, here + (lane + apart) * between, width)
            apart *= 2


@njit(nogil=True, cache=True)
def differ(now, before, rows, changes, column):
    """Writes how *rows* int64[n] of one slice differ from what they were, to the columns of *changes* from *column* on.

    now, before: float32[height, width], 64-byte aligned (read); changes: float32[n, columns] (written).
    """
    width, columns = now.shape[1] * 4, changes.shape[1] * 4
    here, there = np.intp(now.ctypes.data), np.intp(before.ctypes.data)
    into = np.intp(changes.ctypes.data) + 4 * column
    for i in range(len(rows)):
        row = np.intp(rows[i]) * width
        for c in range(0, width, VECTOR_BYTES):
            store(into + i * columns + c, load16(here + row + c) - load16(there + row + c))


@njit(nogil=True, cache=True)
def advance(now, before, rows, changes, column):
    """Has *rows* of one slice go on from what they were and *changes*; all as in `differ`, now and before updated."""
    width, columns = now.shape[1] * 4, changes.shape[1] * 4
    here, there = np.intp(now.ctypes.data), np.intp(before.ctypes.data)
    source = np.intp(changes.ctypes.data) + 4 * column
    for i in range(len(rows)):
        row = np.intp(rows[i]) * width
        for c in range(0, width, VECTOR_BYTES):
            value = load16(there + row + c) + load16(source + i * columns + c)
            store(here + row + c, value)
            store(there + row + c, value)


@njit(nogil=True, cache=True)
def mark(step, kept, inputs, outputs):
    """Notes which rows the first *kept* centers of a drawn step change: uint8[rows], 1 where they do (updated)."""
    blocks = step.targets.shape[1]
    for i in range(kept):
        inputs[step.tokens[i]] = 1
        for block in range(min(blocks, step.used[i])):
            for place in range(BLOCK):
                outputs[step.targets[i, block, place] >> 1] = 1


@njit(nogil=True, cache=True)
def mark_parts(inputs, words, starts, lists):
    """Notes the rows that words noted in *inputs* are made of: those of ``NGrams`` (updated)."""
    for word in range(words):
        if inputs[word]:
            for place in range(starts[word], starts[word + 1]):
                inputs[lists[place]] = 1
