"""Rows of a matrix that a batch meets: picked out, and their gradients added up row by row; and its transpose."""

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


_TILE = 32  # rows and columns whose cache lines are all used while they are near


@njit(nogil=True, cache=True)
def transpose(matrix):
    """The transpose of float32[n, m] as an array of its own, tile by tile."""
    rows, columns = matrix.shape
    out = np.empty((columns, rows), np.float32)
    for top in range(0, rows, _TILE):
        for left in range(0, columns, _TILE):
            for column in range(left, min(left + _TILE, columns)):
                for row in range(top, min(top + _TILE, rows)):
                    out[column, row] = matrix[row, column]
    return out
