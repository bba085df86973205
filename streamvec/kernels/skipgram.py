"""Skip-gram's arithmetic for one center word: scores of its targets with its contexts, and the updates of rows."""

from numba import njit

from streamvec.kernels.folds import sums_of_12
from streamvec.kernels.layout import VECTOR_BYTES, target_row
from streamvec.kernels.simd import (
    LANES_BYTES,
    WIDE,
    broadcast_lanes,
    fma,
    load16,
    load_i64,
    load_lanes,
    store,
    zero16,
    zero_lanes,
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


@njit(nogil=True, cache=True)
def update_center(outputs, width, targets, contexts, count, low, high, errors, between):
    """Applies the errors of one block of targets to the columns [low, high) of a slice, in bytes.

    inputs[context] += sum over targets of error * outputs[target]; outputs[target] += sum over contexts of error *
    inputs[context], with the context rows as they were. A row that is there twice loses no update.
    errors: address of float32[8] for each context, 32 bytes apart within a pair, *between* bytes from pair to pair.
    """
    t0, t1 = outputs + target_row(targets) * width, outputs + target_row(targets + 4) * width
    t2, t3 = outputs + target_row(targets + 8) * width, outputs + target_row(targets + 12) * width
    t4, t5 = outputs + target_row(targets + 16) * width, outputs + target_row(targets + 20) * width
    for c in range(low, high, LANES_BYTES):
        w0, w1, w2 = load_lanes(t0 + c), load_lanes(t1 + c), load_lanes(t2 + c)
        w3, w4, w5 = load_lanes(t3 + c), load_lanes(t4 + c), load_lanes(t5 + c)
        g0 = g1 = g2 = g3 = g4 = g5 = zero_lanes()
        for k in range(count):
            place = load_i64(contexts + 8 * k) + c
            error = errors + (k >> 1) * between + (k & 1) * 32
            x = load_lanes(place)
            e0, e1, e2 = broadcast_lanes(error), broadcast_lanes(error + 4), broadcast_lanes(error + 8)
            e3, e4, e5 = broadcast_lanes(error + 12), broadcast_lanes(error + 16), broadcast_lanes(error + 20)
            g0, g1, g2 = fma(e0, x, g0), fma(e1, x, g1), fma(e2, x, g2)
            g3, g4, g5 = fma(e3, x, g3), fma(e4, x, g4), fma(e5, x, g5)
            one = fma(e2, w2, fma(e1, w1, fma(e0, w0, x)))
            other = fma(e5, w5, fma(e4, w4, e3 * w3))
            store(place, one + other)
        store(t0 + c, load_lanes(t0 + c) + g0)
        store(t1 + c, load_lanes(t1 + c) + g1)
        store(t2 + c, load_lanes(t2 + c) + g2)
        store(t3 + c, load_lanes(t3 + c) + g3)
        store(t4 + c, load_lanes(t4 + c) + g4)
        store(t5 + c, load_lanes(t5 + c) + g5)
