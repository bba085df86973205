"""Bags of rows: the sum of some rows of a matrix for each text, its gradient, and the buckets of neighbouring words."""

import numpy as np
from numba import njit

from streamvec.kernels.random import mixed


@njit(nogil=True, cache=True)
def add_bags(out, matrix, ids, lengths):
    """out[i] += the sum of matrix[ids] of bag i: float32[bags, n] (updated), float32[V, n], int32[k], int64[bags]."""
    at = 0
    for bag in range(lengths.size):
        for _ in range(lengths[bag]):
            row = np.intp(ids[at])
            for column in range(matrix.shape[1]):
                out[bag, column] += matrix[row, column]
            at += 1


@njit(nogil=True, cache=True)
def spread_bags(matrix, ids, lengths, rows):
    """matrix[ids] += rows[i], for each id of bag i in turn: the gradient of `add_bags`."""
    at = 0
    for bag in range(lengths.size):
        for _ in range(lengths[bag]):
            row = np.intp(ids[at])
            for column in range(matrix.shape[1]):
                matrix[row, column] += rows[bag, column]
            at += 1


@njit(nogil=True, cache=True)
def hash_ngrams(ids, lengths, most, buckets, out):
    """Writes the bucket, below *buckets*, of each run of 2 .. *most* ids of each bag: int32[k], int64[bags], int32[n].

    A bag's runs begin with those at its first id, shorter ones first.
    """
    start, at = 0, 0
    for bag in range(lengths.size):
        stop = start + lengths[bag]
        for first in range(start, stop):
            key = mixed(np.uint64(ids[first]))
            for place in range(first + 1, min(first + most, stop)):
                key = mixed(key ^ np.uint64(ids[place]))
                out[at] = np.int32(key % np.uint64(buckets))
                at += 1
        start = stop
