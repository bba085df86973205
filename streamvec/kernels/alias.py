"""Walker's alias method: one draw from any distribution over V words for two table look-ups, whatever V is."""

import numpy as np
from numba import njit


@njit(nogil=True, cache=True)
def alias_table(weights):
    """The table for drawing word i with probability weights[i] / sum(weights).

    weights: float64[V], not negative, V < 2**31 (read). Returns uint64[V]: a threshold of 2**32 in the high half, and
    in the low half the word to take where 32 random bits are not below it. (Vose 1991, with two stacks in one array.)
    """
    size = len(weights)
    scale = size / weights.sum()
    left = weights * scale
    stack = np.empty(size, np.int32)  # words short of their share from below, words over it from above
    short, over = 0, size
    for i in range(size):
        if left[i] < 1.0:
            stack[short] = i
            short += 1
        else:
            over -= 1
            stack[over] = i
    table = np.empty(size, np.uint64)
    for i in range(size):
        table[i] = (np.uint64(0xFFFFFFFF) << np.uint64(32)) | np.uint64(i)
    while short > 0 and over < size:
        short -= 1
        small, large = stack[short], stack[over]
        threshold = min(left[small] * 4294967296.0, 4294967295.0)
        table[small] = (np.uint64(threshold) << np.uint64(32)) | np.uint64(large)
        left[large] -= 1.0 - left[small]
        if left[large] < 1.0:
            over += 1
            stack[short] = large
            short += 1
    return table
