"""How co-occurrences and what GloVe trains lie in memory: what kernels take, and nothing that needs the compiler."""

from typing import NamedTuple

import numpy as np

HEAD = 16  # floats before a word's vectors: its bias as a word and as a context, their sums of squares, and 12 zeros
PIECE = 1 << 16  # entries of a block that are put in a random order at a time


class Bands(NamedTuple):
    """How ids are cut into bands, see `streamvec.kernels.cooccurrences`."""

    starts: np.ndarray  # int64[B + 1]: the first id of each band, and the number of words
    of: np.ndarray  # int64[V]: band << bits | place in the band
    bits: int  # that hold a place in a band


class Reach(NamedTuple):
    """Which neighbours count, and how much."""

    weights: np.ndarray  # int64[window + 1]: of neighbours at each distance, in units
    directed: int  # 0: a pair has no direction; 1: its row is the left word; 2: its row is the right one


class Records(NamedTuple):
    """The records of all words, see `streamvec.kernels.glove`."""

    address: int  # of float32[V, HEAD + 4 * 16 * vectors]
    vectors: int  # groups of 16 floats in a vector


class Batch(NamedTuple):
    """A record batch of co-occurrences, and the tasks it is divided into: blocks that share no word."""

    rows: np.ndarray  # int32[n]
    columns: np.ndarray  # int32[n]
    values: np.ndarray  # float32[n]
    tasks: np.ndarray  # int64[tasks + 1]: where each begins, and the last ends
    places: np.ndarray  # int64[tasks]: the number of each one's first entry among all, which decides its order
    mirrored: int  # 1: an entry stands for (column, row), too


class Cost(NamedTuple):
    """The weighting function, and the step."""

    x_max: float
    alpha: float
    rate: float


class Piece(NamedTuple):
    """One thread's room for entries in a random order."""

    order: np.ndarray  # int32[PIECE]
    logs: np.ndarray  # float32[PIECE]: log x
    weights: np.ndarray  # float32[PIECE]: f(x)
    mantissas: np.ndarray  # int32[PIECE]
