"""CBOW's arithmetic for one center word: its contexts are averaged into one row, which then does what a context does.

The gradient of the average reaches each of the averaged rows divided by their number, as the chain rule has it
(word2vec.c forgets the division: Irsoy, Benton, Stratos 2021, arXiv:2012.15332).
"""

import numpy as np
from numba import njit

from streamvec.kernels.folds import sums_of_12
from streamvec.kernels.layout import BLOCK_BYTES, TARGETS, VECTOR_BYTES, target_row
from streamvec.kernels.simd import (
    WIDE,
    broadcast_like,
    fma,
    load16,
    load_i64,
    load_like,
    splat16,
    splat_like,
    store,
    zero16,
    zero32,
    zero64,
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


@njit(nogil=True, cache=True, inline="always")
def _update_columns(kind, outputs, width, targets, blocks, contexts, count, c, errors):
    """`update_average` of as many columns from *c* on, in bytes, as *kind*, a vector of zeros, has.

    A row's neighbouring columns are written one after the other: stores that go from row to row take twice as long.
    """
    share = splat_like(kind, np.float32(1.0) / np.float32(count))
    h = g = kind
    for k in range(count):
        h = h + load_like(kind, load_i64(contexts + 8 * k) + c)
    h = h * share
    for block in range(blocks):
        for j in range(TARGETS):
            row = outputs + target_row(targets + block * BLOCK_BYTES + 4 * j) * width + c
            error, target = broadcast_like(kind, errors + block * VECTOR_BYTES + 4 * j), load_like(kind, row)
            g = fma(error, target, g)
            store(row, fma(error, h, target))
    g = g * share
    for k in range(count):
        row = load_i64(contexts + 8 * k) + c
        store(row, load_like(kind, row) + g)


@njit(nogil=True, cache=True)
def update_average(outputs, width, targets, blocks, contexts, count, low, high, errors):
    """Applies the errors of all blocks of targets to the columns [low, high) of a slice, in bytes.

    For one target after the other, outputs[target] += error * average; then inputs[context] += (sum over targets of
    error * outputs[target], as it was when its turn came) / count.
    errors: address of float32[8] for each block, VECTOR_BYTES apart.
    """
    c = low
    if WIDE:
        while c + 256 <= high:
            _update_columns(zero64(), outputs, width, targets, blocks, contexts, count, c, errors)
            c += 256
    while c + 128 <= high:
        _update_columns(zero32(), outputs, width, targets, blocks, contexts, count, c, errors)
        c += 128
    if c < high:
        _update_columns(zero16(), outputs, width, targets, blocks, contexts, count, c, errors)
