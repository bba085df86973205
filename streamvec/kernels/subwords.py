"""Words made of rows: a word's vector is the mean of its own row and its n-grams' rows, which share its gradient.

Before a batch trains, the vector of each word in it is composed into a row of its own (the hidden row); the batch
trains on these as it would on a word's rows; afterwards what each has gained is added to all the rows that it is made
of, whole, as fastText does (Bojanowski et al. 2017). A word that stands twice in a batch has two hidden rows, and both
gains count. A column needs no other column: threads divide these as they do for updates.
"""

from typing import NamedTuple

import numpy as np
from numba import njit

from streamvec.kernels.layout import VECTOR_BYTES, slice_edge
from streamvec.kernels.simd import load16, load_i32, load_i64, prefetch, splat16, store

_AHEAD = 3  # words between the prefetch of their rows and their use

# Words that share most of their rows (addresses, part numbers) take the gains of all words of a batch, which are as
# stale as its beginning. A batch therefore ends where a word's rows have been in use so often, on average. Ordinary
# text stays below 5. Rows are counted modulo _COUNTERS.
_MOST_SHARED = 8
_COUNTERS = 4096


class Subwords(NamedTuple):
    """What words are made of, and where their vectors are composed; all 0 where a word is one row of ``inputs``."""

    table: int  # address of float32[height, columns], slice after slice: rows of words, then of n-grams, then zeros
    height: int
    starts: int  # address of int64[V + 1]
    lists: int  # address of int32[starts[V]]: the rows of each word (see kernels/ngrams.py)
    before: int  # address of the hidden rows as they were composed, laid out as Rows.inputs is
    ring: int  # hidden rows, a power of two: token i of a step has row i modulo ring


@njit(nogil=True, cache=True, inline="always")
def _ask_for(subwords, token, base, width, low, high):
    """Prefetches the columns [low, high) of the rows of the word at the address *token*."""
    word = load_i32(token)
    place, end = load_i64(subwords.starts + 8 * word), load_i64(subwords.starts + 8 * word + 8)
    for k in range(place, end):
        row = base + load_i32(subwords.lists + 4 * k) * width
        for c in range(low, high, VECTOR_BYTES):
            prefetch(row + c)


@njit(nogil=True, cache=True, inline="always")
def _mean(base, width, rows, count, low, high, hidden, before):
    """Writes the mean of *count* rows, in the columns [low, high), to two places. rows: address of int32[count]."""
    share = splat16(np.float32(1.0) / np.float32(count))
    c = low
    while c + 4 * VECTOR_BYTES <= high:  # four registers: a row's number is fetched once for all
        row = base + load_i32(rows) * width + c
        a0, a1, a2, a3 = load16(row), load16(row + 64), load16(row + 128), load16(row + 192)
        for k in range(1, count):
            row = base + load_i32(rows + 4 * k) * width + c
            a0, a1, a2, a3 = a0 + load16(row), a1 + load16(row + 64), a2 + load16(row + 128), a3 + load16(row + 192)
        a0, a1, a2, a3 = a0 * share, a1 * share, a2 * share, a3 * share
        store(hidden + c, a0)
        store(hidden + c + 64, a1)
        store(hidden + c + 128, a2)
        store(hidden + c + 192, a3)
        store(before + c, a0)
        store(before + c + 64, a1)
        store(before + c + 128, a2)
        store(before + c + 192, a3)
        c += 4 * VECTOR_BYTES
    while c < high:
        a0 = load16(base + load_i32(rows) * width + c)
        for k in range(1, count):
            a0 = a0 + load16(base + load_i32(rows + 4 * k) * width + c)
        a0 = a0 * share
        store(hidden + c, a0)
        store(before + c, a0)
        c += VECTOR_BYTES


@njit(nogil=True, cache=True, inline="always")
def _add_to_rows(base, width, rows, count, low, high, hidden, before):
    """Adds hidden - before, in the columns [low, high), to each of *count* rows. rows: address of int32[count]."""
    c = low
    while c + 4 * VECTOR_BYTES <= high:
        d0, d1 = load16(hidden + c) - load16(before + c), load16(hidden + c + 64) - load16(before + c + 64)
        d2, d3 = (
            load16(hidden + c + 128) - load16(before + c + 128),
            load16(hidden + c + 192) - load16(before + c + 192),
        )
        for k in range(count):
            row = base + load_i32(rows + 4 * k) * width + c
            store(row, load16(row) + d0)
            store(row + 64, load16(row + 64) + d1)
            store(row + 128, load16(row + 128) + d2)
            store(row + 192, load16(row + 192) + d3)
        c += 4 * VECTOR_BYTES
    while c < high:
        d0 = load16(hidden + c) - load16(before + c)
        for k in range(count):
            row = base + load_i32(rows + 4 * k) * width + c
            store(row, load16(row) + d0)
        c += VECTOR_BYTES


@njit(nogil=True, cache=True, inline="always")
def _each_word(rows, subwords, tokens, first, last, low, high, composing):
    """Composes the hidden rows of tokens first .. last-1 where *composing*, a literal; otherwise adds what they gained.

    The order is that of the tokens, and for one token that of its list; columns [low, high) in bytes of a whole row.
    """
    for piece in range(rows.slices):
        edge, next_edge = slice_edge(rows, piece), slice_edge(rows, piece + 1)
        if low < next_edge and high > edge:
            width, base = next_edge - edge, subwords.table + subwords.height * edge
            from_byte, to_byte = max(low, edge) - edge, min(high, next_edge) - edge
            hidden, before = rows.inputs + rows.input_height * edge, subwords.before + rows.input_height * edge
            for i in range(first, last):
                if i + _AHEAD < last:
                    _ask_for(subwords, tokens + 4 * (i + _AHEAD), base, width, from_byte, to_byte)
                word, place = load_i32(tokens + 4 * i), (i & (subwords.ring - 1)) * width
                start = load_i64(subwords.starts + 8 * word)
                count, parts = load_i64(subwords.starts + 8 * word + 8) - start, subwords.lists + 4 * start
                if composing:
                    _mean(base, width, parts, count, from_byte, to_byte, hidden + place, before + place)
                else:
                    _add_to_rows(base, width, parts, count, from_byte, to_byte, hidden + place, before + place)


@njit(nogil=True, cache=True)
def compose(rows, subwords, tokens, first, last, low, high):
    """Composes the hidden rows of tokens first .. last-1 in the columns [low, high), in bytes of a whole row.

    tokens: address of int32[...], words (read); rows.inputs and subwords.before: the hidden rows (written).
    """
    _each_word(rows, subwords, tokens, first, last, low, high, True)


@njit(nogil=True, cache=True)
def distribute(rows, subwords, tokens, first, last, low, high):
    """Adds what the hidden rows of tokens first .. last-1 have gained to the rows that each is made of (updated).

    The arguments are those of `compose`.
    """
    _each_word(rows, subwords, tokens, first, last, low, high, False)


@njit(nogil=True, cache=True)
def tokens_near(step, first, last):
    """(first, one past the last) of the tokens that centers first .. last-1 have as contexts, or that are these."""
    low, high = first, last
    for i in range(first, last):
        low, high = min(low, i - step.left[i]), max(high, i + step.right[i] + 1)
    return low, high


@njit(nogil=True, cache=True)
def bound_sharing(step, first, last, starts, lists):
    """Begins a batch anew (step.starts) at tokens whose rows words before them in the batch have used too often.

    starts: int64[V + 1], lists: int32[...]: the rows of each word (read).
    """
    used = np.zeros(_COUNTERS, np.int32)
    for i in range(first, last):
        token = step.tokens[i]
        begin, end = starts[token], starts[token + 1]
        total = 0
        for k in range(begin, end):
            total += used[lists[k] & (_COUNTERS - 1)]
        if step.starts[i] or total > _MOST_SHARED * (end - begin):
            used[:] = 0
            step.starts[i] = 1
        for k in range(begin, end):
            used[lists[k] & (_COUNTERS - 1)] += 1
