"""A hash table from words to numbers that never forgets a byte: counts while the corpus is read, ids afterwards.

Open addressing with linear probing. Words of up to 8 bytes live in their slot; longer ones also in an arena, and are
compared there byte by byte, so counts are exact. The table has the size it was made with: when a word finds no room
the kernel stops in front of it, and the caller makes room.
"""

from typing import NamedTuple

import numpy as np
from numba import njit

from streamvec.kernels.scan import fetch, load1, load8, split

LONGEST = 1000  # bytes; a longer token is no word
PREFIX, HASH, PLACE, NUMBER = 0, 1, 2, 3  # columns of a slot; PLACE is where in the arena << 10 | bytes of the word
WORDS, ARENA, TOKENS, TOO_LONG, DOCUMENTS, OPEN_TOKENS, OPEN_HASH = 0, 1, 2, 3, 4, 5, 6  # places in the state
SLOT_BYTES = 32
DOCUMENT_BASE = (
    0x9E6C63D0876A9A47  # the hash of a document: a polynomial over its tokens' hashes, so pieces can be joined
)

_K0, _K1, _K2 = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xD6E8FEB86659FD93), np.uint64(0xA0761D6478BD642F)
_BASE = np.uint64(DOCUMENT_BASE)
_MARKS = np.uint64(0x7FFFFFFE)  # numbers of words that are in no table: -2 to -2**31 + 1


class WordTable(NamedTuple):
    """The table's arrays."""

    slots: np.ndarray  # uint64[slots, 4]; a slot is empty where PLACE is 0
    arena: np.ndarray  # uint8[bytes]; words of more than 8 bytes, one after another
    state: (
        np.ndarray
    )  # int64[8]: words and arena bytes used; of the current block: tokens, documents, the open document


def new_table(slots: int, arena: int) -> WordTable:
    """An empty table for at most 0.7 x *slots* words, with *arena* bytes for those of more than 8 bytes."""
    return WordTable(np.zeros((slots, 4), np.uint64), np.empty(arena + 8, np.uint8), np.zeros(8, np.int64))


@njit(nogil=True, cache=True)
def _mix(value):
    value = (value ^ (value >> np.uint64(32))) * _K1
    value = (value ^ (value >> np.uint64(29))) * _K2
    return value ^ (value >> np.uint64(32))


@njit(nogil=True, cache=True)
def _step(value, word):
    value = (value ^ word) * _K1
    return value ^ (value >> np.uint64(32))


@njit(nogil=True, cache=True)
def word_key(data, begin, end):
    """(first 8 bytes, zeros behind a shorter word; 64-bit hash) of the word data[begin:end]."""
    return _key(data.ctypes.data, begin, end, data.size)


@njit(nogil=True, cache=True)
def _key(data, begin, end, limit):
    """`word_key` of the word from *begin* to *end* of *limit* bytes at the address *data*."""
    size = end - begin
    if begin + 8 <= limit:
        mask = ~np.uint64(0) >> np.uint64(64 - 8 * min(size, 8))
        prefix = load8(data + begin) & mask
        last = load8(data + max(begin, end - 8)) & mask
    else:
        prefix = np.uint64(0)
        for step in range(size):
            prefix |= np.uint64(load1(data + begin + step)) << np.uint64(8 * step)
        last = prefix
    value = _step(np.uint64(size) * _K0, prefix)
    if size > 16:
        for place in range(begin + 8, end - 8, 8):
            value = _step(value, load8(data + place))
    return prefix, _mix(value ^ last)


@njit(nogil=True, cache=True)
def _home(value, slots):
    """Where the search for a hash begins: its upper half, scaled to the number of slots (fewer than 2**32)."""
    return np.int64(((value >> np.uint64(32)) * np.uint64(slots)) >> np.uint64(32))


@njit(nogil=True, cache=True)
def _same(one, two, size):
    """Whether the words of *size* > 8 bytes at two addresses, of which the first 8 bytes are equal, are equal."""
    for step in range(8, size - 8, 8):
        if load8(one + step) != load8(two + step):
            return False
    return load8(one + size - 8) == load8(two + size - 8)


@njit(nogil=True, cache=True)
def _find(slots, arena, word, size, prefix, value):
    """The slot of the word at the address *word*, or the empty slot where it belongs; *arena* is an address, too."""
    slot = _home(value, slots.shape[0])
    while True:
        place = slots[slot, PLACE]
        if place == 0:
            return slot
        if (
            slots[slot, HASH] == value
            and slots[slot, PREFIX] == prefix
            and np.int64(place & np.uint64(1023)) == size
            and (size <= 8 or _same(arena + np.int64(place >> np.uint64(10)), word, size))
        ):
            return slot
        slot += 1
        if slot == slots.shape[0]:
            slot = 0


@njit(nogil=True, cache=True)
def _add(slots, arena, state, slot, data, begin, size, prefix, value):
    """Puts a new word into an empty slot; False when there is no room for it."""
    if (state[WORDS] + 1) * 10 > slots.shape[0] * 7:
        return False
    place = state[ARENA]
    if size > 8:
        if place + size > arena.size - 8:
            return False
        for step in range(size):
            arena[place + step] = data[begin + step]
        state[ARENA] = place + size
    state[WORDS] += 1
    slots[slot, PREFIX], slots[slot, HASH], slots[slot, NUMBER] = prefix, value, 0
    slots[slot, PLACE] = np.uint64(place << 10 | size)
    return True


@njit(nogil=True, cache=True)
def _find_keys(slots, data, limit, found, count):
    """Finds the keys of the first *count* tokens found, and asks for their slots."""
    begins, ends, prefixes, hashes = found.begins, found.ends, found.prefixes, found.hashes
    first, size = slots.ctypes.data, slots.shape[0]
    for index in range(count):
        prefix, value = _key(data, begins[index], ends[index], limit)
        prefixes[index], hashes[index] = prefix, value
        fetch(first + (_home(value, size) << 5))


@njit(nogil=True, cache=True)
def count_tokens(table, alphabet, data, place, found, hashes, tokens):
    """Counts the tokens of data[place:] in *table* (updated); returns data.size, or where it ran out of room.

    data: uint8[n], read. found: scratch. hashes: uint64[documents], tokens: int64[documents], written: a hash and the
    number of tokens of each document that ends in *data*. What is left open behind the last end stays in the state
    (OPEN_TOKENS, OPEN_HASH), which also adds up TOKENS, TOO_LONG and DOCUMENTS. Before a new block the caller clears
    state[TOKENS:]. Room is wanted in the table, or for documents: less than found.stops.size is left then, and the
    caller sets state[DOCUMENTS] to 0.
    """
    slots, arena, state = table.slots, table.arena, table.state
    text, words = data.ctypes.data, arena.ctypes.data
    begins, ends, stopped = found.begins, found.ends, found.stops
    prefixes, values = found.prefixes, found.hashes
    document, length = np.uint64(state[OPEN_HASH]), state[OPEN_TOKENS]
    room = True
    while place < data.size and room:
        before = place
        count, stops, place = split(alphabet, data, place, found)
        if state[DOCUMENTS] + stops > hashes.size:
            place = before
            break
        _find_keys(slots, text, data.size, found, count)
        stop = 0
        for index in range(count):
            begin, end = begins[index], ends[index]
            while stop < stops and stopped[stop] < begin:
                hashes[state[DOCUMENTS]], tokens[state[DOCUMENTS]] = document, length
                state[DOCUMENTS] += 1
                document, length = np.uint64(0), np.int64(0)
                stop += 1
            size = end - begin
            if size > LONGEST:
                state[TOO_LONG] += 1
                continue
            prefix, value = prefixes[index], values[index]
            slot = _find(slots, words, text + begin, size, prefix, value)
            if slots[slot, PLACE] == 0 and not _add(slots, arena, state, slot, data, begin, size, prefix, value):
                place, stops, room = begin, stop, False
                break
            slots[slot, NUMBER] += np.uint64(1)
            state[TOKENS] += 1
            document = document * _BASE + value
            length += 1
        for _ in range(stop, stops):
            hashes[state[DOCUMENTS]], tokens[state[DOCUMENTS]] = document, length
            state[DOCUMENTS] += 1
            document, length = np.uint64(0), np.int64(0)
    state[OPEN_HASH], state[OPEN_TOKENS] = np.int64(document), length
    return place


@njit(nogil=True, cache=True)
def mix_hashes(hashes, tokens):
    """The final hash of each document, uint64[n], of its polynomial (uint64[n]) and its number of tokens (int64[n])."""
    mixed = np.empty(hashes.size, np.uint64)
    for index in range(hashes.size):
        mixed[index] = _mix(hashes[index] ^ np.uint64(tokens[index]) * _K0)
    return mixed


@njit(nogil=True, cache=True)
def fill_table(table, data, offsets):
    """Gives word i, data[offsets[i]:offsets[i + 1]], the number i; returns how many went in (all, with room enough)."""
    slots, arena, state = table.slots, table.arena, table.state
    for word in range(offsets.size - 1):
        begin, end = np.int64(offsets[word]), np.int64(offsets[word + 1])
        prefix, value = word_key(data, begin, end)
        slot = _find(slots, arena.ctypes.data, data.ctypes.data + begin, end - begin, prefix, value)
        if slots[slot, PLACE] != 0 or not _add(slots, arena, state, slot, data, begin, end - begin, prefix, value):
            return word
        slots[slot, NUMBER] = np.uint64(word)
    return offsets.size - 1


@njit(nogil=True, cache=True)
def find_words(table, data, offsets, numbers):
    """Writes the numbers that words have in *table* (read), -1 for one that is not in it.

    data: uint8[n], offsets: int64[words + 1], read: word i is data[offsets[i]:offsets[i + 1]]; numbers: int64[words],
    written.
    """
    slots, arena = table.slots, table.arena
    for word in range(offsets.size - 1):
        begin, end = np.int64(offsets[word]), np.int64(offsets[word + 1])
        numbers[word] = -1
        if 0 < end - begin <= LONGEST:
            prefix, value = word_key(data, begin, end)
            slot = _find(slots, arena.ctypes.data, data.ctypes.data + begin, end - begin, prefix, value)
            if slots[slot, PLACE] != 0:
                numbers[word] = np.int64(slots[slot, NUMBER])


@njit(nogil=True, cache=True)
def encode_tokens(table, alphabet, data, marked, found, ids, lengths):
    """Writes the ids of the words of *data* (uint8[n], read) that are in *table* (read) to *ids* (int32[tokens]).

    marked: whether each token that is not in the table gets a number, too, from -2 downwards, made of its hash; those
    that are too long share one. found: scratch. lengths: int32[documents], written: ids of each document that ends in
    *data*. Returns (ids, documents); ids beyond the sum of the lengths belong to a document that goes on.
    """
    slots, arena = table.slots, table.arena
    text, words = data.ctypes.data, arena.ctypes.data
    begins, ends, stopped = found.begins, found.ends, found.stops
    prefixes, values = found.prefixes, found.hashes
    place, written, documents, first = 0, 0, 0, 0
    while place < data.size:
        count, stops, place = split(alphabet, data, place, found)
        _find_keys(slots, text, data.size, found, count)
        stop = 0
        for index in range(count):
            begin, end = begins[index], ends[index]
            while stop < stops and stopped[stop] < begin:
                lengths[documents] = written - first
                documents, first, stop = documents + 1, written, stop + 1
            size, value, slot = end - begin, values[index], -1
            if size <= LONGEST:
                slot = _find(slots, words, text + begin, size, prefixes[index], value)
            else:
                value = np.uint64(0)  # of what is left of it where blocks cut it, which depends on these
            if slot >= 0 and slots[slot, PLACE] != 0:
                ids[written] = np.int32(slots[slot, NUMBER])
                written += 1
            elif marked:
                ids[written] = np.int32(-2 - np.int64(value % _MARKS))
                written += 1
        while stop < stops:
            lengths[documents] = written - first
            documents, first, stop = documents + 1, written, stop + 1
    return written, documents


@njit(nogil=True, cache=True)
def move_words(old, new):
    """Moves all words from the slots *old* to the larger, empty slots *new* (uint64[slots, 4])."""
    for index in range(old.shape[0]):
        if old[index, PLACE] != 0:
            slot = _home(old[index, HASH], new.shape[0])
            while new[slot, PLACE] != 0:
                slot += 1
                if slot == new.shape[0]:
                    slot = 0
            new[slot] = old[index]
