"""Entries of a matrix as records of 16 bytes: looked over, and made pairs with sums that are whole numbers.

A record is row and column, int32 from 1, and a float64 value. The 16 bytes are looked at as int32[n, 4] and as
float64[n, 2], without a copy.
"""

import numpy as np
from numba import njit

from streamvec.kernels.cooccurrences import pair_number

TOTAL, SMALLEST = 0, 1  # places in sums


@njit(nogil=True, cache=True)
def is_entry(row, column, value, words):
    """Whether ids are among the words, and the value is above 0 and finite."""
    return 1 <= row <= words and 1 <= column <= words and 0.0 < value < np.inf


@njit(nogil=True, cache=True)
def weigh_entries(ids, values, words, sums):
    """Adds the values to sums[TOTAL], and lowers sums[SMALLEST] to the smallest; one after the other, in their order.

    ids: int32[n, 4], values: float64[n, 2] (read). sums: float64[2] (updated). Returns n, or the place of the first
    record that is no entry, before which it ends.
    """
    for index in range(ids.shape[0]):
        value = values[index, 1]
        if not is_entry(ids[index, 0], ids[index, 1], value, words):
            return index
        sums[TOTAL] += value
        sums[SMALLEST] = min(sums[SMALLEST], value)
    return ids.shape[0]


@njit(nogil=True, cache=True)
def number_entries(ids, values, bands, unit, most, pairs, sums):
    """Writes the pairs of records and their values in units, each rounded and at least 1.

    ids: int32[n, 4], values: float64[n, 2] (read). bands: see `streamvec.kernels.records` (read). unit: of
    these make 1. most: the largest value. pairs: uint64[n], sums: int64[n] (written). Returns n, or the place of the
    first record that is no entry or has a larger value.
    """
    of, bits, number = bands.of, bands.bits, bands.starts.size - 1
    for index in range(ids.shape[0]):
        row, column, value = np.int64(ids[index, 0]), np.int64(ids[index, 1]), values[index, 1]
        if not is_entry(row, column, value, of.size) or value > most:
            return index
        pairs[index] = pair_number(of, bits, number, row - 1, column - 1, 1)
        sums[index] = max(1, np.int64(np.rint(value * unit)))
    return ids.shape[0]
