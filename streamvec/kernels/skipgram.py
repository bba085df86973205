"""Skip-gram with negative sampling in synchronous batches: the same bytes for any number of threads.

A center word's window has up to 2w context rows of ``inputs``; its targets are the center and the noise words, rows of
``outputs``, drawn once for the window (HogBatch: Ji et al. 2016, arXiv:1604.04661). A batch is up to a few hundred
centers. First all scores are computed from the rows as they stood; then, center by center, the updates are applied.

Threads divide columns, 16 floats (one cache line) at a time. The update of a column depends on no other column, so any
deal of columns to threads gives the same bytes. A score is a sum over columns: it is added up within each of a fixed
number of slices of the columns, by whichever thread has the slice, and then over the slices in their order.
"""

from typing import NamedTuple

import numpy as np
from numba import njit

from streamvec.kernels.nonlinear import error_of, loss_of
from streamvec.kernels.simd import (
    broadcast8,
    broadcast16,
    first_half,
    fma,
    has_wide_registers,
    load8,
    load16,
    load_i32,
    load_i64,
    prefetch,
    signs_of,
    splat16,
    store,
    store_f32,
    store_i64,
    sum16,
    sums_of_12,
    zero8,
    zero16,
)
from streamvec.kernels.team import wait_for_team
from streamvec.kernels.windows import BLOCK, TARGETS

VECTOR_BYTES = 64  # 16 floats
_WIDE = has_wide_registers()
_AHEAD = 6  # centers between the prefetch of a row and its use

# Where lanes are independent, the wider machine takes 16 columns at a time and the narrower 8: the bytes are the same.
_load, _broadcast, _zero = (load16, broadcast16, zero16) if _WIDE else (load8, broadcast8, zero8)
_STRIDE = VECTOR_BYTES if _WIDE else VECTOR_BYTES // 2


class Rows(NamedTuple):
    """Two matrices of *height* rows, slice after slice: each slice is float32[height, its columns], 64-byte aligned.

    A row's columns of different slices lie far apart: hardware prefetchers run past the end of what is read, and must
    not pull another thread's columns out of its cache. The last row is zero and stays so.
    """

    inputs: int  # address
    outputs: int  # address
    height: int  # rows of each matrix, the zero row included
    vectors: int  # columns / 16
    slices: int


class Scratch(NamedTuple):
    """Memory of one thread, and the partial scores that all threads share."""

    scores: np.ndarray  # float32[slices, pairs of a batch, blocks, 16] (shared)
    errors: np.ndarray  # float32[pairs of a center, blocks, 16]
    contexts: np.ndarray  # int64[2 window + 1]: addresses of the context rows of one center


class Places(NamedTuple):
    """Addresses of the arrays of Step and Scratch: numba counts references of arrays, and does so in every call."""

    tokens: int
    left: int
    right: int
    targets: int
    pairs: int
    losses: int
    scores: int
    errors: int
    contexts: int
    blocks: int
    slice_bytes: int  # of the partial scores of one slice


@njit(nogil=True, cache=True)
def places_of(step, scratch):
    """The addresses of a step and of one thread's scratch."""
    return Places(
        np.intp(step.tokens.ctypes.data),
        np.intp(step.left.ctypes.data),
        np.intp(step.right.ctypes.data),
        np.intp(step.targets.ctypes.data),
        np.intp(step.pairs.ctypes.data),
        np.intp(step.losses.ctypes.data),
        np.intp(scratch.scores.ctypes.data),
        np.intp(scratch.errors.ctypes.data),
        np.intp(scratch.contexts.ctypes.data),
        step.targets.shape[1],
        scratch.scores.shape[1] * step.targets.shape[1] * VECTOR_BYTES,
    )


@njit(nogil=True, cache=True, inline="always")
def slice_edge(rows, piece):
    """Where slice *piece* begins within a row, in bytes."""
    return (rows.vectors * piece + rows.slices - 1) // rows.slices * VECTOR_BYTES


@njit(nogil=True, cache=True, inline="always")
def _write_contexts(places, i, base, stride, nothing):
    """Writes the addresses of the context rows of center i, and of the zero row after them; returns how many."""
    here = places.contexts
    left, right = load_i32(places.left + 4 * i), load_i32(places.right + 4 * i)
    for j in range(i - left, i):
        store_i64(here, base + load_i32(places.tokens + 4 * j) * stride)
        here += 8
    for j in range(i + 1, i + 1 + right):
        store_i64(here, base + load_i32(places.tokens + 4 * j) * stride)
        here += 8
    store_i64(here, base + nothing * stride)
    return left + right


@njit(nogil=True, cache=True)
def _score_center(outputs, width, targets, contexts, count, scores, between):
    """Scores of one block of targets with each pair of contexts, over one slice of the columns.

    outputs: address of the slice, *width* bytes a row; targets: address of int32[BLOCK]; contexts: address of
    int64[count + 1], addresses; scores: address of float32[16], written every *between* bytes: 6 targets with one
    context, two unused, 6 with the next, two unused.
    """
    t0, t1 = outputs + load_i32(targets) * width, outputs + load_i32(targets + 4) * width
    t2, t3 = outputs + load_i32(targets + 8) * width, outputs + load_i32(targets + 12) * width
    t4, t5 = outputs + load_i32(targets + 16) * width, outputs + load_i32(targets + 20) * width
    for k in range(0, count, 2):
        a, b = load_i64(contexts + 8 * k), load_i64(contexts + 8 * k + 8)
        a0 = a1 = a2 = a3 = a4 = a5 = zero16()
        b0 = b1 = b2 = b3 = b4 = b5 = zero16()
        if _WIDE:
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
def _update_center(outputs, width, targets, contexts, count, low, high, errors, between):
    """Applies the errors of one block of targets to the columns [low, high) of a slice, in bytes.

    inputs[context] += sum over targets of error * outputs[target]; outputs[target] += sum over contexts of error *
    inputs[context], with the context rows as they were. A row that is there twice loses no update.
    errors: address of float32[8] for each context, 32 bytes apart within a pair, *between* bytes from pair to pair.
    """
    t0, t1 = outputs + load_i32(targets) * width, outputs + load_i32(targets + 4) * width
    t2, t3 = outputs + load_i32(targets + 8) * width, outputs + load_i32(targets + 12) * width
    t4, t5 = outputs + load_i32(targets + 16) * width, outputs + load_i32(targets + 20) * width
    for c in range(low, high, _STRIDE):
        w0, w1, w2 = _load(t0 + c), _load(t1 + c), _load(t2 + c)
        w3, w4, w5 = _load(t3 + c), _load(t4 + c), _load(t5 + c)
        g0 = g1 = g2 = g3 = g4 = g5 = _zero()
        for k in range(count):
            place = load_i64(contexts + 8 * k) + c
            error = errors + (k >> 1) * between + (k & 1) * 32
            x = _load(place)
            e0, e1, e2 = _broadcast(error), _broadcast(error + 4), _broadcast(error + 8)
            e3, e4, e5 = _broadcast(error + 12), _broadcast(error + 16), _broadcast(error + 20)
            g0, g1, g2 = fma(e0, x, g0), fma(e1, x, g1), fma(e2, x, g2)
            g3, g4, g5 = fma(e3, x, g3), fma(e4, x, g4), fma(e5, x, g5)
            one = fma(e2, w2, fma(e1, w1, fma(e0, w0, x)))
            other = fma(e5, w5, fma(e4, w4, e3 * w3))
            store(place, one + other)
        store(t0 + c, _load(t0 + c) + g0)
        store(t1 + c, _load(t1 + c) + g1)
        store(t2 + c, _load(t2 + c) + g2)
        store(t3 + c, _load(t3 + c) + g3)
        store(t4 + c, _load(t4 + c) + g4)
        store(t5 + c, _load(t5 + c) + g5)


@njit(nogil=True, cache=True)
def score(rows, places, first, last, piece, end):
    """Partial scores of centers first .. last-1 over slice *piece*; asks early for rows of centers before *end*."""
    pair_bytes, target_bytes = places.blocks * VECTOR_BYTES, places.blocks * BLOCK * 4
    edge = slice_edge(rows, piece)
    width = slice_edge(rows, piece + 1) - edge
    inputs, outputs = rows.inputs + rows.height * edge, rows.outputs + rows.height * edge
    for i in range(first, last):
        if i + _AHEAD < end:
            targets = places.targets + (i + _AHEAD) * target_bytes
            for j in range(TARGETS):
                row = outputs + load_i32(targets + 4 * j) * width
                for c in range(0, width, VECTOR_BYTES):
                    prefetch(row + c)
        count = _write_contexts(places, i, inputs, width, rows.height - 1)
        scores = places.scores + piece * places.slice_bytes + load_i32(places.pairs + 4 * i) * pair_bytes
        for block in range(places.blocks):
            targets = places.targets + i * target_bytes + block * BLOCK * 4
            _score_center(outputs, width, targets, places.contexts, count, scores + block * VECTOR_BYTES, pair_bytes)


@njit(nogil=True, cache=True)
def _errors_of_center(rows, places, i, count, learning_rate, with_loss):
    """Adds up the partial scores of center i and writes learning rate * (label - sigmoid(score)) to places.errors.

    Where *with_loss*, writes the center's loss too: -log sigmoid of each score with its sign, over all its pairs.
    """
    pair_bytes = places.blocks * VECTOR_BYTES
    scores = places.scores + load_i32(places.pairs + 4 * i) * pair_bytes
    targets = places.targets + i * places.blocks * BLOCK * 4
    total = zero16()
    for block in range(places.blocks):
        sign = signs_of(targets + block * BLOCK * 4, rows.height - 1)
        if block > 0:  # the center is the first target of the first block only
            sign = splat16(np.float32(-1.0)) * sign * sign
        for k in range(0, count, 2):
            here = (k >> 1) * pair_bytes + block * VECTOR_BYTES
            s = load16(scores + here)
            for piece in range(1, rows.slices):
                s = s + load16(scores + piece * places.slice_bytes + here)
            store(places.errors + here, learning_rate * error_of(s, sign))
            if with_loss:
                total = total + loss_of(s, first_half(sign) if k + 1 == count else sign)
    if with_loss:
        store_f32(places.losses + 4 * i, sum16(total))


@njit(nogil=True, cache=True)
def update(rows, places, first, last, low, high, rate, loss_from, loss_to):
    """Turns the scores of a batch into errors, and applies them to the columns [low, high) in bytes.

    Losses are written for centers loss_from .. loss_to-1: two threads must not share a line of them.
    """
    pair_bytes = places.blocks * VECTOR_BYTES
    learning_rate = splat16(rate)
    for i in range(first, last):
        count = load_i32(places.left + 4 * i) + load_i32(places.right + 4 * i)
        _errors_of_center(rows, places, i, count, learning_rate, loss_from <= i < loss_to)
        for piece in range(rows.slices):
            edge, next_edge = slice_edge(rows, piece), slice_edge(rows, piece + 1)
            if low < next_edge and high > edge:
                width = next_edge - edge
                from_byte, to_byte = max(low, edge) - edge, min(high, next_edge) - edge
                _write_contexts(places, i, rows.inputs + rows.height * edge, width, rows.height - 1)
                for block in range(places.blocks):
                    targets = places.targets + (i * places.blocks + block) * BLOCK * 4
                    errors, outputs = places.errors + block * VECTOR_BYTES, rows.outputs + rows.height * edge
                    _update_center(
                        outputs, width, targets, places.contexts, count, from_byte, to_byte, errors, pair_bytes
                    )


@njit(nogil=True, cache=True, inline="always")
def batch_end(step, first, last):
    """One past the last center of the batch that begins at *first*."""
    end = first + 1
    while end < last and step.starts[end] == 0:
        end += 1
    return end


@njit(nogil=True, cache=True)
def train(rows, step, scratch, kept, rate, thread, threads, barrier):
    """Trains on a drawn step as one of *threads*; all must call it. Rows and step.losses are updated.

    scratch: this thread's, its scores shared by all; rate: learning rate, float32; barrier: see kernels/team.py.
    """
    first_piece, last_piece = rows.slices * thread // threads, rows.slices * (thread + 1) // threads
    low, high = slice_edge(rows, first_piece), slice_edge(rows, last_piece)
    share, shares = 0, 1
    if threads > rows.slices:  # threads of one slice divide its centers for scores, and columns anew for updates
        last_piece = first_piece + 1
        for other in range(threads):
            if other != thread and rows.slices * other // threads == first_piece:
                share += other < thread
                shares += 1
        low = rows.vectors * thread // threads * VECTOR_BYTES
        high = rows.vectors * (thread + 1) // threads * VECTOR_BYTES
    places = places_of(step, scratch)
    first = 0
    while first < kept:
        last = batch_end(step, first, kept)
        size = last - first
        for piece in range(first_piece, last_piece):
            from_center, to_center = first + size * share // shares, first + size * (share + 1) // shares
            score(rows, places, from_center, to_center, piece, kept)
        wait_for_team(barrier, threads)
        loss_from, loss_to = first + size * thread // threads, first + size * (thread + 1) // threads
        update(rows, places, first, last, low, high, rate, loss_from, loss_to)
        wait_for_team(barrier, threads)
        first = last


@njit(nogil=True, cache=True)
def train_racing(rows, step, scratch, kept, rate, thread, threads):
    """The same without barriers (Hogwild): each thread takes whole batches, and rows are whoever's writes them last.

    scratch: this thread's alone, scores too.
    """
    places = places_of(step, scratch)
    first, batch = 0, 0
    while first < kept:
        last = batch_end(step, first, kept)
        if batch % threads == thread:
            for piece in range(rows.slices):
                score(rows, places, first, last, piece, last)
            update(rows, places, first, last, 0, rows.vectors * VECTOR_BYTES, rate, first, last)
        first, batch = last, batch + 1


@njit(nogil=True, cache=True)
def measure(rows, step, scratch, kept):
    """Writes step.losses of a drawn step and leaves the rows as they are."""
    places = places_of(step, scratch)
    first = 0
    while first < kept:
        last = batch_end(step, first, kept)
        for piece in range(rows.slices):
            score(rows, places, first, last, piece, last)
        for i in range(first, last):
            count = load_i32(places.left + 4 * i) + load_i32(places.right + 4 * i)
            _errors_of_center(rows, places, i, count, zero16(), True)
        first = last
