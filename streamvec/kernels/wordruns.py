"""Sorted runs of words and counts: out of a full hash table, and many of them merged into one."""

from typing import NamedTuple

import numpy as np
from numba import njit

from streamvec.kernels.wordtable import HASH, NUMBER, PLACE, PREFIX, WordTable

WORDS_AT_ONCE = 8192  # in a batch of a run
BYTES_AT_ONCE = 1 << 17
DONE, FULL = -1, -2  # why `merge_words` stopped: at the end; for want of room (else: for want of a stream's next batch)


class Words(NamedTuple):
    """Batches of words, one a row (or a single one)."""

    data: np.ndarray  # uint8[streams, BYTES_AT_ONCE]
    offsets: np.ndarray  # int64[streams, WORDS_AT_ONCE + 1]
    counts: np.ndarray  # int64[streams, WORDS_AT_ONCE]


def new_words(streams: int) -> Words:
    """Room for a batch of each stream."""
    return Words(
        np.empty((streams, BYTES_AT_ONCE), np.uint8),
        np.zeros((streams, WORDS_AT_ONCE + 1), np.int64),
        np.empty((streams, WORDS_AT_ONCE), np.int64),
    )


def sorted_slots(table: WordTable) -> np.ndarray:
    """Moves the words of a table to its first slots and returns their order by bytes, int64[words].

    The table's hashes give way to sort keys; it must be cleared before it is used again.
    """
    words = _compact(table.slots)
    keys = table.slots[:words, HASH]
    order = np.argsort(keys)
    _sort_ties(table.slots, table.arena, order)
    return order


@njit(nogil=True, cache=True)
def clear(table):
    """Empties a table."""
    table.slots[:] = np.uint64(0)
    table.state[:] = 0


@njit(nogil=True, cache=True)
def _big_endian(value):
    """The first bytes of a word as a number that sorts as they do."""
    one, two, four = np.uint64(0x00FF00FF00FF00FF), np.uint64(0x0000FFFF0000FFFF), np.uint64(32)
    value = ((value >> np.uint64(8)) & one) | ((value & one) << np.uint64(8))
    value = ((value >> np.uint64(16)) & two) | ((value & two) << np.uint64(16))
    return (value >> four) | (value << four)


@njit(nogil=True, cache=True)
def _compact(slots):
    words = 0
    for index in range(slots.shape[0]):
        if slots[index, PLACE] != 0:
            slots[words] = slots[index]
            slots[words, HASH] = _big_endian(slots[words, PREFIX])
            words += 1
    return words


@njit(nogil=True, cache=True)
def _before(slots, arena, left, right):
    """Whether the word of slot *left* sorts before that of *right*, whose first 8 bytes are the same."""
    a, b = np.int64(slots[left, PLACE]), np.int64(slots[right, PLACE])
    a_size, b_size = a & 1023, b & 1023
    for step in range(8, min(a_size, b_size)):
        x, y = arena[(a >> 10) + step], arena[(b >> 10) + step]
        if x != y:
            return x < y
    return a_size < b_size


@njit(nogil=True, cache=True)
def _sort_ties(slots, arena, order):
    """Puts the words that share their first 8 bytes in order, group by group, by heap sort in place."""
    first = 0
    while first < order.size:
        key = slots[order[first], HASH]
        last = first + 1
        while last < order.size and slots[order[last], HASH] == key:
            last += 1
        group = order[first:last]
        for root in range(group.size // 2 - 1, -1, -1):
            _sink(slots, arena, group, root, group.size)
        for end in range(group.size - 1, 0, -1):
            group[0], group[end] = group[end], group[0]
            _sink(slots, arena, group, 0, end)
        first = last


@njit(nogil=True, cache=True)
def _sink(slots, arena, group, root, end):
    """Restores the heap, greatest word first, below *root* in group[:end]."""
    while 2 * root + 1 < end:
        child = 2 * root + 1
        if child + 1 < end and _before(slots, arena, group[child], group[child + 1]):
            child += 1
        if not _before(slots, arena, group[root], group[child]):
            return
        group[root], group[child] = group[child], group[root]
        root = child


@njit(nogil=True, cache=True)
def gather(slots, arena, order, first, out):
    """Writes the words order[first:] to the single batch *out* until it is full; returns how many fitted."""
    data, offsets, counts = out.data[0], out.offsets[0], out.counts[0]
    words, size = 0, 0
    while first + words < order.size and words < counts.size:
        slot = order[first + words]
        place = np.int64(slots[slot, PLACE])
        length = place & 1023
        if size + length > data.size:
            break
        if length > 8:
            for step in range(length):
                data[size + step] = arena[(place >> 10) + step]
        else:
            for step in range(length):
                data[size + step] = np.uint8((slots[slot, PREFIX] >> np.uint64(8 * step)) & np.uint64(255))
        size += length
        counts[words] = np.int64(slots[slot, NUMBER])
        words += 1
        offsets[words] = size
    return words


@njit(nogil=True, cache=True)
def _key(words, stream, word):
    """The first 8 bytes of a word, zeros behind a shorter one, as a number that sorts as they do."""
    begin, end = words.offsets[stream, word], words.offsets[stream, word + 1]
    key = np.uint64(0)
    for step in range(8):
        key <<= np.uint64(8)
        if begin + step < end:
            key |= np.uint64(words.data[stream, begin + step])
    return key


@njit(nogil=True, cache=True)
def _less(words, at, keys, left, right):
    """Whether the current word of stream *left* sorts before that of *right*; equal words by the stream's number."""
    if keys[left] != keys[right]:
        return keys[left] < keys[right]
    a, b = words.offsets[left, at[left]], words.offsets[right, at[right]]
    a_size, b_size = words.offsets[left, at[left] + 1] - a, words.offsets[right, at[right] + 1] - b
    for step in range(8, min(a_size, b_size)):
        x, y = words.data[left, a + step], words.data[right, b + step]
        if x != y:
            return x < y
    if a_size != b_size:
        return a_size < b_size
    return left < right


@njit(nogil=True, cache=True)
def _sift(words, at, keys, heap, root):
    size = heap[0]  # the heap is heap[1 : size + 1], the smallest word's stream first
    while 2 * root <= size:
        child = 2 * root
        if child < size and _less(words, at, keys, heap[child + 1], heap[child]):
            child += 1
        if not _less(words, at, keys, heap[child], heap[root]):
            return
        heap[root], heap[child] = heap[child], heap[root]
        root = child


@njit(nogil=True, cache=True)
def enter(words, at, keys, heap, stream):
    """Puts a stream, whose new batch has just been read, into the heap (int64[streams + 1], heap[0] its size)."""
    at[stream] = 0
    keys[stream] = _key(words, stream, 0)
    heap[0] += 1
    place = heap[0]
    heap[place] = stream
    while place > 1 and _less(words, at, keys, heap[place], heap[place // 2]):
        heap[place], heap[place // 2] = heap[place // 2], heap[place]
        place //= 2


@njit(nogil=True, cache=True)
def merge_words(words, sizes, at, keys, heap, out, filled):
    """Moves the smallest words of all streams to the single batch *out*, adding up the counts of equal ones.

    words: read; sizes: int64[streams], words in each batch; at, keys, heap: int64[streams], uint64[streams],
    int64[streams + 1], updated; filled: int64[1], words in *out*. Returns DONE at the end, FULL, or the stream that
    needs its next batch: it has been taken out of the heap and must `enter` again unless it is at its end.
    """
    data, offsets, counts = out.data[0], out.offsets[0], out.counts[0]
    count = filled[0]
    while heap[0] > 0:
        stream = heap[1]
        word = at[stream]
        begin, end = words.offsets[stream, word], words.offsets[stream, word + 1]
        same = False
        if count > 0:
            last = offsets[count - 1]
            if offsets[count] - last == end - begin:
                same = True
                for step in range(end - begin):
                    if data[last + step] != words.data[stream, begin + step]:
                        same = False
                        break
        if same:
            counts[count - 1] += words.counts[stream, word]
        else:
            size = offsets[count]
            if count == counts.size or size + end - begin > data.size:
                filled[0] = count
                return FULL
            for step in range(end - begin):
                data[size + step] = words.data[stream, begin + step]
            counts[count] = words.counts[stream, word]
            count += 1
            offsets[count] = size + end - begin
        at[stream] += 1
        if at[stream] == sizes[stream]:
            heap[1] = heap[heap[0]]
            heap[0] -= 1
            _sift(words, at, keys, heap, 1)
            filled[0] = count
            return stream
        keys[stream] = _key(words, stream, at[stream])
        _sift(words, at, keys, heap, 1)
    filled[0] = count
    return DONE
