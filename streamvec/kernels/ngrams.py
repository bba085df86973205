"""The n-grams of a whole vocabulary: which rows of one table make up each word, its own and those of its n-grams.

Bojanowski et al., Enriching Word Vectors with Subword Information (2017), with fastText's choices: n-grams of minn to
maxn characters of <word>, by their start and then by their length; the marks alone are none; the hash is 32-bit
FNV-1a over UTF-8, whose bytes from 128 on are taken as negative (fastText reads them as signed char). A bucket that no
word of the vocabulary has is never trained, so it gets no row.
"""

import numpy as np
from numba import njit

_BASIS, _PRIME, _LOW = np.uint64(2166136261), np.uint64(16777619), np.uint64(0xFFFFFFFF)
_NEGATIVE = np.uint64(0xFFFFFF00)  # what a signed byte from 128 on has above its own bits
_OPEN, _CLOSE = np.uint8(60), np.uint8(62)  # < >


@njit(nogil=True, cache=True)
def _byte(data, begin, end, place):
    """Byte *place* of the word data[begin:end] between its marks."""
    if place == 0:
        return _OPEN
    return data[begin + place - 1] if place <= end - begin else _CLOSE


@njit(nogil=True, cache=True)
def ngrams_of_word(data, begin, end, minn, maxn, buckets, out, at):
    """Writes the buckets of the n-grams of data[begin:end] to out[at:], where out is not empty; returns how many.

    data: uint8[bytes] (read); out: int32[...] (written).
    """
    size = end - begin + 2
    found = 0
    for first in range(size):
        if _byte(data, begin, end, first) & 0xC0 == 0x80:  # within a character
            continue
        state, place = _BASIS, first
        for length in range(1, maxn + 1):
            if place == size:
                break
            while True:  # a character, of as many bytes as it has
                byte = np.uint64(_byte(data, begin, end, place))
                signed = byte | _NEGATIVE if byte >= 128 else byte
                state = ((state ^ signed) * _PRIME) & _LOW
                place += 1
                if place == size or _byte(data, begin, end, place) & 0xC0 != 0x80:
                    break
            is_mark = length == 1 and (first == 0 or place == size)
            if length >= minn and not is_mark:
                if len(out):
                    out[at + found] = np.int32(state % np.uint64(buckets))
                found += 1
    return found


@njit(nogil=True, cache=True)
def count_ngrams(data, offsets, minn, maxn):
    """int64[V + 1]: where the list of each word begins and the last one ends: its own row, and one for each n-gram.

    data: uint8[bytes], offsets: int64[V + 1]: the words end to end (read).
    """
    nothing = np.empty(0, np.int32)
    starts = np.zeros(len(offsets), np.int64)
    for word in range(len(offsets) - 1):
        ngrams = ngrams_of_word(data, offsets[word], offsets[word + 1], minn, maxn, 1, nothing, 0)
        starts[word + 1] = starts[word] + 1 + ngrams
    return starts


@njit(nogil=True, cache=True)
def list_rows(data, offsets, starts, minn, maxn, buckets, rows):
    """Writes rows[starts[w]:starts[w + 1]] for each word w of V: w, then V + the number of each n-gram's bucket.

    Numbers go by rising bucket, among those that any word has; returns these buckets, int32[n].
    rows: int32[starts[V]] (written); the others as in count_ngrams (read).
    """
    words = len(offsets) - 1
    numbers = np.zeros(buckets, np.int32)
    for word in range(words):
        rows[starts[word]] = word
        ngrams_of_word(data, offsets[word], offsets[word + 1], minn, maxn, buckets, rows, starts[word] + 1)
        for place in range(starts[word] + 1, starts[word + 1]):
            numbers[rows[place]] = 1
    used = np.flatnonzero(numbers).astype(np.int32)
    for number in range(len(used)):
        numbers[used[number]] = words + number
    for word in range(words):
        for place in range(starts[word] + 1, starts[word + 1]):
            rows[place] = numbers[rows[place]]
    return used
