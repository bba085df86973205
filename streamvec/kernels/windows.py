"""What skip-gram draws before it trains: tokens that stay, reach of windows, noise words, ends of batches.

Every draw is a function of (seed, epoch, the token's place in the corpus), so it matters to nobody how the work was
divided, and a run that goes on after a checkpoint draws what it would have drawn.
"""

from typing import NamedTuple

import numpy as np
from numba import njit

from streamvec.kernels.layout import BLOCK, BLOCK_BYTES, TARGETS
from streamvec.kernels.random import below, bits
from streamvec.kernels.simd import load8, store, store_i32

_LOW, _S32 = np.uint64(0xFFFFFFFF), np.uint64(32)


class WindowShape(NamedTuple):
    """Which words around a center are its contexts."""

    window: int  # the largest distance
    dynamic: int  # 1: the reach of each window is drawn from 1 .. window; 0: it is always window
    to_left: int  # 1: words before the center are contexts
    to_right: int  # 1: words after it are


# A row's errors within a batch are as stale as the batch's beginning, and add up. These bounds keep text in which one
# word is everywhere from diverging (letters as words did with 16 and 4; so did words without subsampling, at a
# learning rate of 0.05), and cost nothing on ordinary text. Rows are counted modulo _COUNTERS.
_MOST_AS_NOISE, _MOST_AS_CENTER = 8, 2
_COUNTERS = 4096
_USUAL = 3  # blocks of a path that are copied whether it has them or not: a random end costs more


@njit(nogil=True, cache=True)
def subsample(values, offsets, place, keep, key, held_out, wanted, step):
    """Copies the tokens that subsampling keeps; returns how many.

    values: int32[n], offsets: int32[documents + 1] (read); place: the first token's place in the corpus;
    keep: uint32[V], a token is kept when 32 random bits are at most keep[token]; held_out: uint8[documents], 1 for
    documents to leave out, or with *wanted* = 1 the only ones to take.
    """
    kept = 0
    for document in range(len(offsets) - 1):
        if held_out[document] != wanted:
            continue
        first = kept
        for i in range(offsets[document], offsets[document + 1]):
            token = values[i]
            step.tokens[kept], step.places[kept] = (
                token,
                place + i,
            )  # overwritten unless it stays: cheaper than a branch
            kept += (bits(key, place + i) & _LOW) <= keep[token]
        for i in range(first, kept):
            step.begin[i] = first
            step.end[i] = kept
    return kept


@njit(nogil=True, cache=True)
def draw_windows(step, first, last, shape, key, batch):
    """Draws the windows of tokens first .. last-1 (first a multiple of *batch*), and begins a batch every *batch*."""
    for i in range(first, last):
        reach = shape.window
        if shape.dynamic:
            reach = 1 + below(bits(key, step.places[i]), shape.window)
        step.left[i] = min(reach, i - step.begin[i]) if shape.to_left else 0
        step.right[i] = min(reach, step.end[i] - 1 - i) if shape.to_right else 0
        step.starts[i] = (i - first) % batch == 0


@njit(nogil=True, cache=True)
def draw_noise(step, first, last, negative, noise, key, nothing):
    """Writes the targets of kept tokens first .. last-1: each token itself, and *negative* noise words.

    noise: uint64[V], Walker's alias table: a threshold of 2**32 in the high half, the other word in the low one.
    step.targets must hold *nothing* * 2 in the places that no draw fills. Begins a batch anew (step.starts) where one
    row would occur so often that its stale errors add up to a leap.
    """
    as_noise = np.zeros(_COUNTERS, np.int16)
    as_center = np.zeros(_COUNTERS, np.int16)
    words = np.uint64(len(noise))
    row_places = step.targets.shape[1] * BLOCK
    for i in range(first, last):
        token, place = np.int64(step.tokens[i]), step.places[i]
        targets = np.intp(step.targets.ctypes.data) + i * row_places * 4
        store_i32(targets, 2 * token + 1)
        step.used[i] = step.targets.shape[1]
        most, j, free = 0, 1, TARGETS - 1
        for number in range(negative):
            random = bits(key, place * negative + number)
            drawn = np.intp(below(random, words))
            entry = noise[np.uint64(drawn)]
            row = drawn if (random & _LOW) < (entry >> _S32) else np.intp(entry & _LOW)
            row = nothing if row == token else row  # a noise word equal to the center is skipped
            store_i32(targets + 4 * j, 2 * row)
            slot = np.uint64(row & (_COUNTERS - 1))
            as_noise[slot] += 1
            most = max(most, as_noise[slot])
            j, free = j + 1, free - 1
            if free == 0:
                j, free = j + BLOCK - TARGETS, TARGETS
        slot = np.uint64(token & (_COUNTERS - 1))
        as_center[slot] += 1
        if step.starts[i] or most > _MOST_AS_NOISE or as_center[slot] > _MOST_AS_CENTER:
            as_noise[:] = 0
            as_center[:] = 0
            step.starts[i] = 1


@njit(nogil=True, cache=True)
def take_paths(step, first, last, starts, blocks):
    """Writes the targets of kept tokens first .. last-1: the nodes on each token's path through a Huffman tree.

    starts: int64[V + 1], blocks: int32[..., BLOCK] (read, see `huffman.paths_in_blocks`). Begins a batch anew where one
    center, and so its whole path, would occur too often.
    """
    as_center = np.zeros(_COUNTERS, np.int16)
    targets, row_bytes = np.intp(step.targets.ctypes.data), step.targets.shape[1] * BLOCK_BYTES
    paths = np.intp(blocks.ctypes.data)
    for i in range(first, last):
        token = np.int64(step.tokens[i])
        used = starts[token + 1] - starts[token]
        step.used[i] = used
        here, path = targets + i * row_bytes, paths + starts[token] * BLOCK_BYTES
        for block in range(max(_USUAL, used)):
            store(here + block * BLOCK_BYTES, load8(path + block * BLOCK_BYTES))
        slot = np.uint64(token & (_COUNTERS - 1))
        as_center[slot] += 1
        if step.starts[i] or as_center[slot] > _MOST_AS_CENTER:
            as_center[:] = 0
            step.starts[i] = 1


@njit(nogil=True, cache=True)
def begin_batches(step, first, last):
    """Begins a batch anew (step.starts) where one of the kept tokens first .. last-1 would occur too often."""
    as_center = np.zeros(_COUNTERS, np.int16)
    for i in range(first, last):
        slot = np.uint64(step.tokens[i] & (_COUNTERS - 1))
        as_center[slot] += 1
        if step.starts[i] or as_center[slot] > _MOST_AS_CENTER:
            as_center[:] = 0
            step.starts[i] = 1


@njit(nogil=True, cache=True)
def count_pairs(step, first, last, averaged):
    """Writes how many pairs of contexts a batch holds before each of its centers.

    averaged: 1 where the contexts of a center are scored as one.
    """
    pairs = 0
    for i in range(first, last):
        if step.starts[i]:
            pairs = 0
        step.pairs[i] = pairs
        pairs += 1 if averaged else (step.left[i] + step.right[i] + 1) // 2
