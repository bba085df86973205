"""Pairs of words that stand near each other, as numbers whose order is the order in which GloVe trains on them.

The vocabulary is cut into *bands*, ranges of ids, an odd number B of them. The block (I, J), I <= J, holds the pairs of
a word of band I and one of band J; round (I + J) mod B, a diagonal, holds (B + 1) / 2 blocks, no two of which share a
band: they can be trained on at once. A pair's number is, from its highest bit: round, I, the lower word's place in its
band, the other's in its own, and one bit for the direction. Sorted numbers are rounds of blocks, and nothing more need
be moved.
"""

import numpy as np
from numba import njit

_ONE = np.uint64(1)


@njit(nogil=True, cache=True)
def pair_number(of, bits, bands, row, column, directed):
    """The number of (row, column), uint64; without direction, that of (column, row) is the same.

    of: int64[V], see `streamvec.kernels.records.Bands` (read).
    """
    low, high = min(row, column), max(row, column)
    low_place, high_place = of[low], of[high]
    low_band, high_band = low_place >> bits, high_place >> bits
    mask = (1 << bits) - 1
    turn = low_band + high_band
    turn -= bands if turn >= bands else 0
    block = turn * bands + low_band
    local = (low_place & mask) << bits | high_place & mask
    return np.uint64(block << (2 * bits + 1) | local << 1 | (1 if directed and row > column else 0))


@njit(nogil=True, cache=True)
def near_pairs(values, offsets, place, bands, reach, pairs, sums):
    """Writes the pairs of tokens with the words before them, and the weights of these.

    values: int32[n], offsets: int32[documents + 1] (read): pairs lie within documents. place: int64[2], the token to
    go on with and its document (updated). bands, reach: see `streamvec.kernels.records` (read). pairs: uint64[m], sums:
    int64[m] (written). Returns how many; all are done where place[0] is n.
    """
    of, bits, number = bands.of, bands.bits, bands.starts.size - 1
    weights, directed = reach
    window, room, found = weights.size - 1, pairs.size, 0
    token, document = place[0], place[1]
    while token < values.size:
        while offsets[document + 1] <= token:
            document += 1
        first, last = offsets[document], offsets[document + 1]
        while token < last:
            farthest = min(window, token - first)
            if found + farthest > room:
                place[0], place[1] = token, document
                return found
            here = np.int64(values[token])
            for distance in range(1, farthest + 1):
                other = np.int64(values[token - distance])
                row, column = (here, other) if directed == 2 else (other, here)
                pairs[found] = pair_number(of, bits, number, row, column, directed)
                sums[found] = weights[distance]
                found += 1
            token += 1
    place[0], place[1] = token, document
    return found


@njit(nogil=True, cache=True)
def read_pairs(pairs, sums, bands, unit, doubled, rows, columns, values):
    """The (row, column, value) of pairs by their numbers: the inverse of `pair_number`, with sums in units.

    pairs: uint64[n], sums: int64[n] (read); bands: see `streamvec.kernels.records` (read); doubled: 1 where a word
    beside itself counts for both directions. rows, columns: int32[n], values: float32[n] (written).
    """
    starts, bits, number_of_bands = bands.starts, bands.bits, bands.starts.size - 1
    mask = (1 << bits) - 1
    for index in range(pairs.size):
        number = np.int64(pairs[index] >> _ONE)
        block = number >> (2 * bits)
        turn, low = block // number_of_bands, block % number_of_bands
        high = turn - low
        high += number_of_bands if high < 0 else 0
        row, column = starts[low] + (number >> bits & mask), starts[high] + (number & mask)
        value = sums[index] / unit
        if doubled and row == column:
            value *= 2
        if pairs[index] & _ONE:
            row, column = column, row
        rows[index], columns[index], values[index] = row, column, value
