"""A table of the hashes of documents and how often each was seen."""

import numpy as np
from numba import njit


@njit(nogil=True, cache=True)
def add_hashes(keys, times, hashes, numbers, first, level, room):
    """Adds hashes[first:] that begin with *level* zero bits; returns (new keys, where it stopped for lack of room).

    keys: uint64[slots, a power of two], times: int64[slots], updated; 0 is an empty key. hashes: uint64[n], none 0;
    numbers: int64[n], how often each; room: how many new keys are allowed.
    """
    mask = np.uint64(keys.size - 1)
    new = 0
    for index in range(first, hashes.size):
        value = hashes[index]
        if level > 0 and value >> np.uint64(64 - level) != 0:
            continue
        slot = value & mask
        while keys[slot] != 0 and keys[slot] != value:
            slot = (slot + np.uint64(1)) & mask
        if keys[slot] == 0:
            if new == room:
                return new, index
            keys[slot] = value
            new += 1
        times[slot] += numbers[index]
    return new, hashes.size
