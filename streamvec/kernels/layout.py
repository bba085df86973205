"""Where the word models' kernels find things: matrices in slices of columns, drawn steps, scratch, addresses.

Numba counts references of arrays in every call, with atomic instructions; the inner functions therefore get addresses.
"""

from typing import NamedTuple

import numpy as np
from numba import njit

from streamvec.kernels.addresses import ROWS_AT_ONCE, store_rows
from streamvec.kernels.simd import load_i32, store_i64

VECTOR_BYTES = 64  # 16 floats
TARGETS = 6  # targets of one block: what a register block takes; a longer list takes several blocks
BLOCK = 8  # int32 places of one block of targets, the last two never used
BLOCK_BYTES = 4 * BLOCK
GROUP = 8  # centers whose errors are made before the first of them is applied
MORE_ROWS = ROWS_AT_ONCE + 2  # places beside a window's own that its addresses need


class Rows(NamedTuple):
    """Two matrices, slice after slice: each slice is float32[height, its columns], 64-byte aligned.

    A row's columns of different slices lie far apart: hardware prefetchers run past the end of what is read, and must
    not pull another thread's columns out of its cache. The last row is zero and stays so.
    """

    inputs: int  # address; with subwords, of the hidden rows (see kernels/subwords.py)
    outputs: int  # address
    input_height: int  # rows of inputs, the zero row included
    height: int  # rows of outputs, the zero row included
    vectors: int  # columns / 16
    slices: int
    first: int  # the slices that are here: columns of others are nowhere, and their partial scores come from elsewhere
    last: int  # one past the last of them
    averaged: int  # 1: contexts are averaged into one (CBOW); 0: each predicts for itself (skip-gram)


class Step(NamedTuple):
    """What is drawn for one record batch of m kept tokens, m <= capacity (see kernels/windows.py)."""

    tokens: np.ndarray  # int32[capacity]: the kept tokens, which as centers are rows of outputs
    inputs: np.ndarray  # int32[capacity]: rows of inputs that they are as contexts: tokens, or with subwords places
    places: np.ndarray  # int64[capacity]: where each stood in the corpus
    begin: np.ndarray  # int32[capacity]: first kept token of its document
    end: np.ndarray  # int32[capacity]: one past the last
    left: np.ndarray  # int32[capacity]: contexts to the left
    right: np.ndarray  # int32[capacity]: contexts to the right
    targets: np.ndarray  # int32[capacity, blocks, BLOCK]: row * 2 + label, and `nothing` * 2 in the places left
    used: np.ndarray  # int32[capacity]: blocks that hold targets
    pairs: np.ndarray  # int32[capacity]: pairs of contexts in the batch before this center
    starts: np.ndarray  # uint8[capacity]: 1 where a batch begins
    losses: np.ndarray  # float32[capacity]: loss of each center, a sum over its contexts (written by training)


class Scratch(NamedTuple):
    """Memory of one thread, and the partial scores that all threads share."""

    scores: np.ndarray  # float32[2, slices, pairs of a batch, blocks, 16] (shared): of one batch and of the next
    errors: np.ndarray  # float32[GROUP, pairs of a center, blocks, 16]: of a few centers in a row
    contexts: np.ndarray  # int64[2 window + MORE_ROWS]: addresses of the context rows of one center


class Places(NamedTuple):
    """Addresses of the arrays of Step and Scratch."""

    tokens: int
    inputs: int
    left: int
    right: int
    targets: int
    used: int
    pairs: int
    losses: int
    scores: int
    errors: int
    contexts: int
    window: int
    blocks: int
    pair_bytes: int  # of the scores of a pair of contexts
    center_bytes: int  # of the errors of a center
    slice_bytes: int  # of the partial scores of one slice


@njit(nogil=True, cache=True)
def places_of(step, scratch, turn):
    """The addresses of a step and of one thread's scratch, with the scores of *turn*, 0 or 1."""
    blocks = step.targets.shape[1]
    slice_bytes = scratch.scores.shape[2] * blocks * VECTOR_BYTES
    return Places(
        np.intp(step.tokens.ctypes.data),
        np.intp(step.inputs.ctypes.data),
        np.intp(step.left.ctypes.data),
        np.intp(step.right.ctypes.data),
        np.intp(step.targets.ctypes.data),
        np.intp(step.used.ctypes.data),
        np.intp(step.pairs.ctypes.data),
        np.intp(step.losses.ctypes.data),
        np.intp(scratch.scores.ctypes.data) + turn * scratch.scores.shape[1] * slice_bytes,
        np.intp(scratch.errors.ctypes.data),
        np.intp(scratch.contexts.ctypes.data),
        (scratch.contexts.shape[0] - MORE_ROWS) // 2,
        blocks,
        blocks * VECTOR_BYTES,
        scratch.errors.shape[1] * blocks * VECTOR_BYTES,
        slice_bytes,
    )


@njit(nogil=True, cache=True, inline="always")
def slice_edge(rows, piece):
    """Where slice *piece* begins within a row, in bytes."""
    return (rows.vectors * piece + rows.slices - 1) // rows.slices * VECTOR_BYTES


@njit(nogil=True, cache=True, inline="always")
def targets_of(places, i):
    """Address of the first block of targets of center i."""
    return places.targets + i * places.blocks * BLOCK_BYTES


@njit(nogil=True, cache=True, inline="always")
def target_row(target):
    """The row of the target at an address."""
    return load_i32(target) >> 1


@njit(nogil=True, cache=True, inline="always")
def count_contexts(places, i):
    """How many context words center i has."""
    return load_i32(places.left + 4 * i) + load_i32(places.right + 4 * i)


@njit(nogil=True, cache=True, inline="always")
def write_contexts(places, i, base, width, nothing):
    """Writes the addresses of the context rows of center i, and of the zero row after them; returns how many.

    Eight at a time, whatever their number: a loop that ends at a random place costs more than what it computes. What is
    written beyond the left ones, the right ones overwrite; tokens are read, and addresses written, up to ROWS_AT_ONCE
    beyond a window.
    """
    left, right = load_i32(places.left + 4 * i), load_i32(places.right + 4 * i)
    center, here = places.inputs + 4 * i, places.contexts
    for k in range(0, places.window, ROWS_AT_ONCE):
        store_rows(here + 8 * k, center - 4 * left + 4 * k, width, base)
    here += 8 * left
    for k in range(0, places.window, ROWS_AT_ONCE):
        store_rows(here + 8 * k, center + 4 + 4 * k, width, base)
    store_i64(here + 8 * right, base + nothing * width)
    return left + right
