"""Rows of a matrix that a batch meets: picked out, and their gradients added up row by row."""

import numpy as np
from numba import njit


@njit(nogil=True, cache=True)
def pick(matrix, ids, out):
    """out[i] = matrix[ids[i]]: float32[V, n], int32[k] (read), float32[k, n] (written)."""
    for index in range(ids.size):
        row = np.intp(ids[index])
        for column in range(matrix.shape[1]):
            out[index, column] = matrix[row, column]


@njit(nogil=True, cache=True)
def put(matrix, ids, rows):
    """matrix[ids[i]] = rows[i], different ids: the inverse of `pick`."""
    for index in range(ids.size):
        row = np.intp(ids[index])
        for column in range(matrix.shape[1]):
            matrix[row, column] = rows[index, column]


@njit(nogil=True, cache=True)
def add_rows(matrix, ids, rows):
    """matrix[ids[i]] += rows[i], in order: float32[V, n] (updated), int32[k], float32[k, n] (read)."""
    for index in range(ids.size):
        row = np.intp(ids[index])
        for column in range(matrix.shape[1]):
            matrix[row, column] += rows[index, column]
