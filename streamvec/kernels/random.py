"""Random numbers as a pure function of (seed, epoch, place): nothing to save, nothing to share, nothing to race for.

A draw is a 64-bit counter through splitmix64's finaliser (Steele, Lea, Flood 2014; constants: Stafford's mix 13).
"""

import numpy as np
from numba import njit

_GAMMA = np.uint64(0x9E3779B97F4A7C15)
_M1 = np.uint64(0xBF58476D1CE4E5B9)
_M2 = np.uint64(0x94D049BB133111EB)
_S30, _S27, _S31, _S32 = np.uint64(30), np.uint64(27), np.uint64(31), np.uint64(32)
_LOW = np.uint64(0xFFFFFFFF)
_TO_UNIT = np.float64(2.0**-53)
_S11 = np.uint64(11)

# What a draw is for: streams that never meet.
KEEP, WINDOW, NOISE, START, HOLDOUT, ORDER, BATCHES, SAMPLE, CANDIDATES = 1, 2, 3, 4, 5, 6, 7, 8, 9
DROPOUT = 1000  # and those after it, one a layer


@njit(nogil=True, cache=True, inline="always")
def mixed(counter):
    """64 bits from a 64-bit counter: a bijection in which every output bit depends on every input bit."""
    z = counter * _GAMMA
    z = (z ^ (z >> _S30)) * _M1
    z = (z ^ (z >> _S27)) * _M2
    return z ^ (z >> _S31)


@njit(nogil=True, cache=True)
def stream(seed, epoch, purpose):
    """The key of one stream of draws."""
    key = mixed(np.uint64(seed) + np.uint64(1))
    key = mixed(key ^ np.uint64(epoch))
    return mixed(key ^ np.uint64(purpose))


@njit(nogil=True, cache=True, inline="always")
def bits(key, place):
    """64 random bits of stream *key* at *place*."""
    return mixed(np.uint64(key) + np.uint64(place))  # Python ints arrive signed when they are small


@njit(nogil=True, cache=True, inline="always")
def below(word, n):
    """A number in 0 .. n-1 from the high 32 of 64 random bits, for n < 2**31 (bias at most n / 2**32)."""
    return np.int64(((word >> _S32) * np.uint64(n)) >> _S32)


@njit(nogil=True, cache=True)
def uniform_rows(rows, columns, low, high, key):
    """Fills rows[:, :columns] with uniform draws from [low, high), as a function of (key, row, column).

    rows: float32[n, >= columns] (written).
    """
    key = stream(key, 0, START)
    for i in range(rows.shape[0]):
        for j in range(columns):
            unit = np.float64(bits(key, i * columns + j) >> _S11) * _TO_UNIT
            rows[i, j] = low + (high - low) * unit


@njit(nogil=True, cache=True)
def words(key, count):
    """Draws 0 .. count - 1 of stream *key*: uint64[count]."""
    out = np.empty(count, np.uint64)
    for place in range(count):
        out[place] = bits(np.uint64(key), np.uint64(place))
    return out
