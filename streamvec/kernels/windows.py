"""What skip-gram draws before it trains: tokens that stay, reach of windows, noise words, ends of batches.

Every draw is a function of (seed, epoch, the token's place in the corpus), so it matters to nobody how the work was
divided, and a run that goes on after a checkpoint draws what it would have drawn.
"""

from typing import NamedTuple

import numpy as np
from numba import njit

from streamvec.kernels.random import below, bits
from streamvec.kernels.simd import store_i32

TARGETS = 6  # targets of one block: what a register block takes; a longer list takes several blocks
BLOCK = 8  # int32 places of one block of targets, the last two never used
_LOW, _S32 = np.uint64(0xFFFFFFFF), np.uint64(32)

# A row's errors within a batch are as stale as the batch's beginning, and add up. These bounds keep text in which one
# word is everywhere from diverging (letters as words did with 16 and 4; so did words without subsampling, at a
# learning rate of 0.05), and cost nothing on ordinary text. Rows are counted modulo _COUNTERS.
_MOST_AS_TARGET, _MOST_AS_CENTER = 8, 2
_COUNTERS = 4096


class Step(NamedTuple):
    """What is drawn for one record batch of m kept tokens, m <= capacity; written by `subsample` and `draw`."""

    tokens: np.ndarray  # int32[capacity]: rows of the kept tokens
    places: np.ndarray  # int64[capacity]: where each stood in the corpus
    begin: np.ndarray  # int32[capacity]: first kept token of its document
    end: np.ndarray  # int32[capacity]: one past the last
    left: np.ndarray  # int32[capacity]: contexts to the left
    right: np.ndarray  # int32[capacity]: contexts to the right
    targets: np.ndarray  # int32[capacity, blocks, BLOCK]: the center, the noise, and `nothing` in the places left
    pairs: np.ndarray  # int32[capacity + 1]: pairs of contexts in the batch before this center
    starts: np.ndarray  # uint8[capacity]: 1 where a batch begins
    losses: np.ndarray  # float32[capacity]: loss of each center, a sum over its contexts (written by train)


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
            if (bits(key, place + i) & _LOW) <= keep[token]:
                step.tokens[kept] = token
                step.places[kept] = place + i
                kept += 1
        for i in range(first, kept):
            step.begin[i] = first
            step.end[i] = kept
    return kept


@njit(nogil=True, cache=True)
def draw(step, first, last, negative, window, noise, window_key, noise_key, nothing, batch):
    """Draws windows and noise words of kept tokens first .. last-1 (first a multiple of *batch*), and cuts batches.

    noise: uint64[V], Walker's alias table: a threshold of 2**32 in the high half, the other word in the low one.
    step.targets must hold *nothing* in the places that no draw fills. A batch is cut short where one row would occur
    so often in it that its stale errors add up to a leap.
    """
    as_target = np.zeros(_COUNTERS, np.int16)
    as_center = np.zeros(_COUNTERS, np.int16)
    words = np.uint64(len(noise))
    row_places = step.targets.shape[1] * BLOCK
    pairs = 0
    for i in range(first, last):
        token, place = np.int64(step.tokens[i]), step.places[i]
        reach = 1 + below(bits(window_key, place), window)
        left, right = min(reach, i - step.begin[i]), min(reach, step.end[i] - 1 - i)
        step.left[i], step.right[i] = left, right
        targets = np.intp(step.targets.ctypes.data) + i * row_places * 4
        store_i32(targets, token)
        most, j, free = 0, 1, TARGETS - 1
        for draw_number in range(negative):
            random = bits(noise_key, place * negative + draw_number)
            drawn = np.intp(below(random, words))
            entry = noise[np.uint64(drawn)]
            row = drawn if (random & _LOW) < (entry >> _S32) else np.intp(entry & _LOW)
            row = nothing if row == token else row  # a noise word equal to the center is skipped
            store_i32(targets + 4 * j, row)
            slot = np.uint64(row & (_COUNTERS - 1))
            as_target[slot] += 1
            most = max(most, as_target[slot])
            j, free = j + 1, free - 1
            if free == 0:
                j, free = j + BLOCK - TARGETS, TARGETS
        slot = np.uint64(token & (_COUNTERS - 1))
        as_center[slot] += 1
        if (i - first) % batch == 0 or most > _MOST_AS_TARGET or as_center[slot] > _MOST_AS_CENTER:
            as_target[:] = 0
            as_center[:] = 0
            pairs = 0
            step.starts[i] = 1
        else:
            step.starts[i] = 0
        step.pairs[i] = pairs
        pairs += (left + right + 1) // 2
