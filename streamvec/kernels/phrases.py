"""Phrases over a stream of ids: found pairs joined from left to right, what is left counted, and pairs scored.

The stream of a batch is flat: ids of words from 0 on, END behind each document, and rare words, which are in no
vocabulary, as numbers from -2 downwards that are made of their hash. A rare word stands between its neighbours, so
these are never joined.
"""

import math

import numpy as np
from numba import njit

from streamvec.kernels.pairs import find_pair, pair_key

END = -1
WORD2VEC, NPMI = 0, 1
LEFT, RIGHT = 1, 2  # what an id may be in a phrase


@njit(nogil=True, cache=True)
def flatten(values, offsets, flat):
    """Writes the documents of a record batch (int32[n], int32[documents + 1], read) to *flat* (int32[n + documents]),
    each with END behind it; returns their number of places."""
    size = 0
    for document in range(offsets.size - 1):
        for place in range(offsets[document], offsets[document + 1]):
            flat[size] = values[place]
            size += 1
        flat[size] = END
        size += 1
    return size


@njit(nogil=True, cache=True)
def join(flat, size, slots, roles):
    """Joins the pairs of flat[:size] (int32, updated) that are phrases, from left to right; returns the new size.

    slots: uint64[slots, 2], read: a table of pairs (`streamvec.kernels.pairs`) whose sums are ids of phrases + 1.
    roles: uint8[ids], read: LEFT where an id begins a phrase, RIGHT where it ends one.
    """
    place, written = 0, 0
    while place < size:
        left = flat[place]
        place += 1
        if left >= 0 and roles[left] & LEFT and place < size:
            right = flat[place]
            if right >= 0 and roles[right] & RIGHT:
                found = find_pair(slots, pair_key(left, right))
                if found != 0:
                    left = np.int32(found - 1)
                    place += 1
        flat[written] = left
        written += 1
    return written


@njit(nogil=True, cache=True)
def neighbours(flat, size, pairs):
    """Writes all pairs of neighbours within documents of flat[:size] (int32, read) to *pairs* (uint64[size]).

    Rare words are in them, too: how many different pairs there are is part of a score. Returns how many.
    """
    count = 0
    left = np.int32(END)
    for place in range(size):
        right = flat[place]
        if left != END and right != END:
            pairs[count] = pair_key(left, right)
            count += 1
        left = right
    return count


@njit(nogil=True, cache=True)
def count_ids(flat, size, counts):
    """Counts the ids of flat[:size] (int32, read) in *counts* (int64[ids], updated); returns how many tokens there
    are, rare ones too."""
    tokens = 0
    for place in range(size):
        number = flat[place]
        if number >= 0:
            counts[number] += 1
        if number != END:
            tokens += 1
    return tokens


@njit(nogil=True, cache=True)
def renumber(flat, size, numbers, ids, lengths):
    """Writes flat[:size] (int32, read) with other ids: numbers (int32[ids], read) says which, -1 is to leave one out.

    ids: int32[tokens], lengths: int32[documents], written. Returns (ids, documents).
    """
    written, documents, first = 0, 0, 0
    for place in range(size):
        number = flat[place]
        if number >= 0:
            if numbers[number] >= 0:
                ids[written] = numbers[number]
                written += 1
        elif number == END:
            lengths[documents] = written - first
            documents, first = documents + 1, written
    return written, documents


@njit(nogil=True, cache=True)
def score_pair(kind, left, right, both, least, types, tokens):
    """How much more often two words stand together than by chance, float64.

    left, right, both: occurrences of the words and of the pair; least: min_count, the discount of WORD2VEC.
    WORD2VEC: (both - least) / (left x right) x types, types: different words and different pairs (Mikolov et al. 2013,
    "Distributed Representations of Words and Phrases", equation 6, scaled as gensim does).
    NPMI: ln(p(both) / (p(left) p(right))) / -ln p(both), from -1 to 1 (Bouma 2009); -inf below *least*.
    """
    if left == 0 or right == 0:
        return -np.inf
    if kind == WORD2VEC:
        return np.float64(both - least) / (np.float64(left) * np.float64(right)) * np.float64(types)
    if both < least:
        return -np.inf
    one, other, together = left / tokens, right / tokens, both / tokens
    return math.log(together / (one * other)) / -math.log(together)


@njit(nogil=True, cache=True)
def select_pairs(pairs, sums, size, counts, kind, least, types, tokens, threshold, scores):
    """Moves those of pairs[:size] (uint64, with sums int64; updated) that score above *threshold* to their beginning.

    counts: int64[ids], read. scores: float64[size], written. Pairs with a rare word are left out. Returns how many.
    """
    kept = 0
    for index in range(size):
        left = np.int64(pairs[index] >> np.uint64(32))
        right = np.int64(pairs[index] & np.uint64(0xFFFFFFFF))
        if left < counts.size and right < counts.size and sums[index] >= least:
            score = score_pair(kind, counts[left], counts[right], sums[index], least, types, tokens)
            if score > threshold:
                pairs[kept], sums[kept], scores[kept] = pairs[index], sums[index], score
                kept += 1
    return kept
