"""A hash table from pairs of numbers to sums, in memory of a fixed size, and its content in order.

Open addressing with linear probing. A pair is one 64-bit number, left << 32 | right; what the sums are of is the
caller's: occurrences, or weights in units small enough to be whole. Whole numbers add up to the same in any order.
"""

from typing import NamedTuple

import numpy as np
from numba import njit

from streamvec.kernels.memory import aligned_zeros
from streamvec.kernels.scan import fetch

PAIR, SUM = 0, 1  # columns of a slot
SLOT_BYTES = 16
_AHEAD = 24  # pairs whose slots are asked for before they are looked up
_K1, _K2 = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xD6E8FEB86659FD93)


class PairTable(NamedTuple):
    """The table's arrays."""

    slots: np.ndarray  # uint64[slots, 2]: pair and sum; a slot is empty where the sum is 0
    used: np.ndarray  # int64[1]: pairs in it


def new_pairs(slots: int) -> PairTable:
    """An empty table for at most 0.7 x *slots* pairs."""
    return PairTable(aligned_zeros((slots, 2), np.uint64), np.zeros(1, np.int64))


@njit(nogil=True, cache=True)
def pair_key(left, right):
    """The pair of two int32 as a uint64."""
    return np.uint64(left) << np.uint64(32) | np.uint64(right) & np.uint64(0xFFFFFFFF)


@njit(nogil=True, cache=True)
def _home(pair, slots):
    """Where the search for a pair begins: the upper half of its hash, scaled to the number of slots (below 2**32)."""
    value = pair * _K1
    value = (value ^ (value >> np.uint64(32))) * _K2
    return np.int64(((value >> np.uint64(32)) * np.uint64(slots)) >> np.uint64(32))


@njit(nogil=True, cache=True)
def add_pairs(table, pairs, weights, first, size):
    """Adds the weights of pairs[first:size] to their sums in *table* (updated); returns size, or where it is full.

    pairs: uint64[n], read. weights: int64[n], above 0, or int64[1] that stands for all, read.
    """
    slots, used = table.slots, table.used
    base, number = slots.ctypes.data, slots.shape[0]
    most = number * 7 // 10
    step = 0 if weights.size == 1 else 1
    for index in range(first, min(size, first + _AHEAD)):
        fetch(base + (_home(pairs[index], number) << 4))
    for index in range(first, size):
        if index + _AHEAD < size:
            fetch(base + (_home(pairs[index + _AHEAD], number) << 4))
        pair = pairs[index]
        slot = _home(pair, number)
        while slots[slot, SUM] != 0 and slots[slot, PAIR] != pair:
            slot += 1
            if slot == number:
                slot = 0
        if slots[slot, SUM] == 0:
            if used[0] >= most:
                return index
            used[0] += 1
            slots[slot, PAIR] = pair
        slots[slot, SUM] += np.uint64(weights[index * step])
    return size


@njit(nogil=True, cache=True)
def find_pair(slots, pair):
    """The sum of a pair, 0 where it is not in the table (uint64[slots, 2], read)."""
    slot = _home(pair, slots.shape[0])
    while slots[slot, SUM] != 0:
        if slots[slot, PAIR] == pair:
            return np.int64(slots[slot, SUM])
        slot += 1
        if slot == slots.shape[0]:
            slot = 0
    return np.int64(0)


@njit(nogil=True, cache=True)
def move_pairs(old, new):
    """Moves all pairs of the table *old* (read) to the larger, empty table *new* (written)."""
    number = new.slots.shape[0]
    for index in range(old.slots.shape[0]):
        if old.slots[index, SUM] != 0:
            slot = _home(old.slots[index, PAIR], number)
            while new.slots[slot, SUM] != 0:
                slot += 1
                if slot == number:
                    slot = 0
            new.slots[slot, PAIR], new.slots[slot, SUM] = old.slots[index, PAIR], old.slots[index, SUM]
    new.used[0] = old.used[0]


def sorted_pairs(table: PairTable) -> np.ndarray:
    """The pairs of a table by rising number, uint64[pairs, 2]; the table, out of order now, must be cleared."""
    used = _compact(table.slots)
    return _radix_sort(table.slots[:used], np.empty((used, 2), np.uint64))


@njit(nogil=True, cache=True)
def clear_pairs(table):
    """Empties a table."""
    table.slots[:] = np.uint64(0)
    table.used[0] = 0


@njit(nogil=True, cache=True)
def _compact(slots):
    """Moves the pairs of a table to its first slots; returns how many there are."""
    used = 0
    for index in range(slots.shape[0]):
        if slots[index, SUM] != 0:
            slots[used, PAIR], slots[used, SUM] = slots[index, PAIR], slots[index, SUM]
            used += 1
    return used


@njit(nogil=True, cache=True)
def _radix_sort(rows, room):
    """Sorts uint64[n, 2] by its first column, a byte at a time from the lowest; returns *rows* or *room*, both updated.

    A byte that is the same in all rows takes no pass.
    """
    size = rows.shape[0]
    places = np.zeros((8, 256), np.int64)
    for index in range(size):
        pair = rows[index, PAIR]
        for digit in range(8):
            places[digit, np.int64(pair >> np.uint64(8 * digit) & np.uint64(255))] += 1
    for digit in range(8):
        total, same = 0, False
        for value in range(256):
            number = places[digit, value]
            same = same or number == size
            places[digit, value] = total
            total += number
        if same:
            continue
        for index in range(size):
            pair = rows[index, PAIR]
            value = np.int64(pair >> np.uint64(8 * digit) & np.uint64(255))
            place = places[digit, value]
            places[digit, value] = place + 1
            room[place, PAIR], room[place, SUM] = pair, rows[index, SUM]
        rows, room = room, rows
    return rows
