"""Skip-gram's arithmetic for one center word: scores of its targets with its contexts, and the updates of rows."""

from numba import njit

from streamvec.kernels.folds import sums_of_12
from streamvec.kernels.layout import VECTOR_BYTES, target_row
from streamvec.kernels.simd import (
    WIDE,
    broadcast_like,
    fma,
    load16,
    load_i64,
    load_like,
    store,
    zero8,
    zero16,
    zero32,
)


@njit(nogil=True, cache=True)
def score_center(outputs, width, targets, contexts, count, scores, between):
    """Scores of one block of targets with each pair of contexts, over one slice of the columns.

    outputs: address of the slice, *width* bytes a row; targets: address of int32[BLOCK]; contexts: address of
    int64[count + 1], addresses; scores: address of float32[16], written every *between* bytes: 6 targets with one
    context, two unused, 6 with the next, two unused.
    """
    t0, t1 = outputs + target_row(targets) * width, outputs + target_row(targets + 4) * width
    t2, t3 = outputs + target_row(targets + 8) * width, outputs + target_row(targets + 12) * width
    t4, t5 = outputs + target_row(targets + 16) * width, outputs + target_row(targets + 20) * width
    for k in range(0, count, 2):
        a, b = load_i64(contexts + 8 * k), load_i64(contexts + 8 * k + 8)
        a0 = a1 = a2 = a3 = a4 = a5 = zero16()
        b0 = b1 = b2 = b3 = b4 = b5 = zero16()
        if WIDE:
            for c in range(0, width, VECTOR_BYTES):
                x, y = load16(a + c), load16(b + c)
                w = load16(t0 + c)
                a0, b0 = fma(w, x, a0), fma(w, y, b0)
                w = load16(t1 + c)
                a1, b1 = fma(w, x, a1), fma(w, y, b1)
                w = load16(t2 + c)
                a2, b2 = fma(w, x, a2), fma(w, y, b2)
                w = load16(t3 + c)
                a3, b3 = fma(w, x, a3), fma(w, y, b3)
                w = load16(t4 + c)
                a4, b4 = fma(w, x, a4), fma(w, y, b4)
                w = load16(t5 + c)
                a5, b5 = fma(w, x, a5), fma(w, y, b5)
        else:  # 16 registers of 8 floats hold half of the accumulators: two passes, the same sums
            for c in range(0, width, VECTOR_BYTES):
                x, y = load16(a + c), load16(b + c)
                w = load16(t0 + c)
                a0, b0 = fma(w, x, a0), fma(w, y, b0)
                w = load16(t1 + c)
                a1, b1 = fma(w, x, a1), fma(w, y, b1)
                w = load16(t2 + c)
                a2, b2 = fma(w, x, a2), fma(w, y, b2)
            for c in range(0, width, VECTOR_BYTES):
                x, y = load16(a + c), load16(b + c)
                w = load16(t3 + c)
                a3, b3 = fma(w, x, a3), fma(w, y, b3)
                w = load16(t4 + c)
                a4, b4 = fma(w, x, a4), fma(w, y, b4)
                w = load16(t5 + c)
                a5, b5 = fma(w, x, a5), fma(w, y, b5)
        store(scores, sums_of_12(a0, a1, a2, a3, a4, a5, b0, b1, b2, b3, b4, b5))
        scores += between


@njit(nogil=True, cache=True, inline="always")
def _update_columns(kind, outputs, width, targets, contexts, count, c, errors, between):
    """`update_center` of as many columns from *c* on, in bytes, as *kind*, a vector of zeros, has."""
    t0, t1 = outputs + target_row(targets) * width + c, outputs + target_row(targets + 4) * width + c
    t2, t3 = outputs + target_row(targets + 8) * width + c, outputs + target_row(targets + 12) * width + c
    t4, t5 = outputs + target_row(targets + 16) * width + c, outputs + target_row(targets + 20) * width + c
    w0, w1, w2 = load_like(kind, t0), load_like(kind, t1), load_like(kind, t2)
    w3, w4, w5 = load_like(kind, t3), load_like(kind, t4), load_like(kind, t5)
    g0 = g1 = g2 = g3 = g4 = g5 = kind
    for k in range(count):
        row = load_i64(contexts + 8 * k) + c
        error = errors + (k >> 1) * between + (k & 1) * 32
        x = load_like(kind, row)
        e = broadcast_like(kind, error)
        g0, one = fma(e, x, g0), fma(e, w0, x)
        e = broadcast_like(kind, error + 4)
        g1, one = fma(e, x, g1), fma(e, w1, one)
        e = broadcast_like(kind, error + 8)
        g2, one = fma(e, x, g2), fma(e, w2, one)
        e = broadcast_like(kind, error + 12)
        g3, other = fma(e, x, g3), e * w3
        e = broadcast_like(kind, error + 16)
        g4, other = fma(e, x, g4), fma(e, w4, other)
        e = broadcast_like(kind, error + 20)
        g5, other = fma(e, x, g5), fma(e, w5, other)
        store(row, one + other)
    store(t0, load_like(kind, t0) + g0)
    store(t1, load_like(kind, t1) + g1)
    store(t2, load_like(kind, t2) + g2)
    store(t3, load_like(kind, t3) + g3)
    store(t4, load_like(kind, t4) + g4)
    store(t5, load_like(kind, t5) + g5)


@njit(nogil=True, cache=True)
def update_center(outputs, width, targets, contexts, count, low, high, errors, between):
    """Applies the errors of one block of targets to the columns [low, high) of a slice, in bytes.

    inputs[context] += sum over targets of error * outputs[target]; outputs[target] += sum over contexts of error *
    inputs[context], with the context rows as they were. A row that is there twice loses no update.
    errors: address of float32[8] for each context, 32 bytes apart within a pair, *between* bytes from pair to pair.
    """
    c = low
    if WIDE:  # two lines of a row at a time: 24 of 32 registers hold targets and their sums
        while c + 2 * VECTOR_BYTES <= high:
            _update_columns(zero32(), outputs, width, targets, contexts, count, c, errors, between)
            c += 2 * VECTOR_BYTES
        if c < high:
            _update_columns(zero16(), outputs, width, targets, contexts, count, c, errors, between)
    else:
        while c < high:
            _update_columns(zero8(), outputs, width, targets, contexts, count, c, errors, between)
            c += VECTOR_BYTES // 2
