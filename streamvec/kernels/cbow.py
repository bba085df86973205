"""CBOW's arithmetic for one center word: its contexts are averaged into one row, which then does what a context does.

The gradient of the average reaches each of the averaged rows divided by their number, as the chain rule has it
(word2vec.c forgets the division: Irsoy, Benton, Stratos 2021, arXiv:2012.15332).
"""

import numpy as np
from numba import njit

from streamvec.kernels.folds import sums_of_12
from streamvec.kernels.layout import BLOCK_BYTES, VECTOR_BYTES, target_row
from streamvec.kernels.simd import (
    LANES_BYTES,
    broadcast_lanes,
    fma,
    load16,
    load_i64,
    load_lanes,
    splat16,
    splat_lanes,
    store,
    zero16,
    zero_lanes,
)


@njit(nogil=True, cache=True)
def score_average(outputs, width, targets, contexts, count, scores):
    """Scores of one block of targets with the average of the contexts, over one slice of the columns.

    outputs: address of the slice, *width* bytes a row; targets: address of int32[BLOCK]; contexts: address of
    int64[count], addresses; scores: address of float32[16] (written): 6 scores, and ten zeros.
    """
    t0, t1 = outputs + target_row(targets) * width, outputs + target_row(targets + 4) * width
    t2, t3 = outputs + target_row(targets + 8) * width, outputs + target_row(targets + 12) * width
    t4, t5 = outputs + target_row(targets + 16) * width, outputs + target_row(targets + 20) * width
    share = splat16(np.float32(1.0) / np.float32(count))
    nothing = zero16()
    a0 = a1 = a2 = a3 = a4 = a5 = zero16()
    for c in range(0, width, VECTOR_BYTES):
        h = zero16()
        for k in range(count):
            h = h + load16(load_i64(contexts + 8 * k) + c)
        h = h * share
        a0, a1, a2 = fma(load16(t0 + c), h, a0), fma(load16(t1 + c), h, a1), fma(load16(t2 + c), h, a2)
        a3, a4, a5 = fma(load16(t3 + c), h, a3), fma(load16(t4 + c), h, a4), fma(load16(t5 + c), h, a5)
    store(scores, sums_of_12(a0, a1, a2, a3, a4, a5, nothing, nothing, nothing, nothing, nothing, nothing))


@njit(nogil=True, cache=True)
def update_average(outputs, width, targets, blocks, contexts, count, low, high, errors):
    """Applies the errors of all blocks of targets to the columns [low, high) of a slice, in bytes.

    outputs[target] += error * average; inputs[context] += (sum over targets of error * outputs[target]) / count, with
    the rows as they were. errors: address of float32[8] for each block, VECTOR_BYTES apart.
    """
    share = splat_lanes(np.float32(1.0) / np.float32(count))
    for c in range(low, high, LANES_BYTES):
        h, g = zero_lanes(), zero_lanes()
        for k in range(count):
            h = h + load_lanes(load_i64(contexts + 8 * k) + c)
        h = h * share
        for block in range(blocks):
            here, error = targets + block * BLOCK_BYTES, errors + block * VECTOR_BYTES
            t0, t1 = outputs + target_row(here) * width + c, outputs + target_row(here + 4) * width + c
            t2, t3 = outputs + target_row(here + 8) * width + c, outputs + target_row(here + 12) * width + c
            t4, t5 = outputs + target_row(here + 16) * width + c, outputs + target_row(here + 20) * width + c
            e0, e1, e2 = broadcast_lanes(error), broadcast_lanes(error + 4), broadcast_lanes(error + 8)
            e3, e4, e5 = broadcast_lanes(error + 12), broadcast_lanes(error + 16), broadcast_lanes(error + 20)
            one = fma(e2, load_lanes(t2), fma(e1, load_lanes(t1), fma(e0, load_lanes(t0), g)))
            g = one + fma(e5, load_lanes(t5), fma(e4, load_lanes(t4), e3 * load_lanes(t3)))
            store(t0, fma(e0, h, load_lanes(t0)))
            store(t1, fma(e1, h, load_lanes(t1)))
            store(t2, fma(e2, h, load_lanes(t2)))
            store(t3, fma(e3, h, load_lanes(t3)))
            store(t4, fma(e4, h, load_lanes(t4)))
            store(t5, fma(e5, h, load_lanes(t5)))
        g = g * share
        for k in range(count):
            place = load_i64(contexts + 8 * k) + c
            store(place, load_lanes(place) + g)
