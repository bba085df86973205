"""Which rows of a table of n-grams a word has: its letters, marked < and >, a few at a time, hashed into buckets.

Bojanowski et al., Enriching Word Vectors with Subword Information (2017), with fastText's choices: n-grams of minn to
maxn characters of <word>, by their start and then by their length; the marks alone are none; the hash is 32-bit
FNV-1a over UTF-8, whose bytes from 128 on are taken as negative (fastText reads them as signed char).
"""

from typing import NamedTuple

import numpy as np

_BASIS, _PRIME = np.uint32(2166136261), np.uint32(16777619)


class NGrams(NamedTuple):
    """Buckets of several words end to end int64[total], and how many each word has int64[n]."""

    buckets: np.ndarray
    counts: np.ndarray


def ngrams_of(offsets: np.ndarray, data: np.ndarray, minn: int, maxn: int, bucket: int) -> NGrams:
    """The n-grams of the words data[offsets[i]:offsets[i + 1]], uint8, in fastText's order."""
    words = len(offsets) - 1
    if maxn < max(minn, 1) or bucket < 1 or not words:
        return NGrams(np.empty(0, np.int64), np.zeros(words, np.int64))
    text, ends = _marked(offsets, data)
    begins = np.concatenate([[0], ends[:-1]])
    heads = (text & 0xC0) != 0x80  # where a character starts
    starts = np.flatnonzero(heads)
    of = np.searchsorted(ends, starts, "right")  # the word of each start
    letters = np.bincount(of, minlength=words)
    least = max(minn, 1)
    width = min(maxn, int(letters.max())) - least + 1
    if width < 1:
        return NGrams(np.empty(0, np.int64), np.zeros(words, np.int64))
    hashes = np.zeros((len(starts), width), np.uint32)
    there = np.zeros((len(starts), width), bool)
    signed = text.view(np.int8).astype(np.int32).view(np.uint32)
    heads = np.append(heads, True)
    rows, at, last = np.arange(len(starts)), starts, ends[of]
    length = np.zeros(len(starts), np.int64)
    state = np.full(len(starts), _BASIS)
    while len(rows):
        state = (state ^ signed[at]) * _PRIME
        at = at + 1
        whole = heads[at]
        length = length + whole
        is_mark = (length == 1) & ((starts[rows] == begins[of[rows]]) | (at == last))
        emit = whole & (length >= least) & ~is_mark
        hashes[rows[emit], length[emit] - least] = state[emit]
        there[rows[emit], length[emit] - least] = True
        on = (at < last) & ~(whole & (length == maxn))
        rows, at, last, length, state = rows[on], at[on], last[on], length[on], state[on]
    counts = np.bincount(of, weights=there.sum(axis=1), minlength=words).astype(np.int64)
    return NGrams((hashes[there] % np.uint32(bucket)).astype(np.int64), counts)


def _marked(offsets: np.ndarray, data: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(the words with < and > around them end to end, where each ends)."""
    lengths = np.diff(offsets).astype(np.int64)
    ends = np.cumsum(lengths + 2)
    text = np.empty(int(ends[-1]), np.uint8)
    inside = np.ones(len(text), bool)
    inside[ends - 1] = inside[ends - lengths - 2] = False
    text[ends - lengths - 2], text[ends - 1] = ord("<"), ord(">")
    text[inside] = data[int(offsets[0]) : int(offsets[-1])]
    return text, ends
