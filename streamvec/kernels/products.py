"""Products of some rows with a matrix that many such products need: packed once, then multiplied in registers.

A library of matrix products copies the matrix into an order of its own in every call, which costs more than the product
where there are few rows, as at one time step of a recurrent network. Each number is one chain of fused multiply-adds in
the order of the inner dimension: the same bytes for any number of rows and on any machine.
"""

import numpy as np
from numba import njit

from streamvec.kernels.simd import WIDE, broadcast_like, fma, load_like, store, zero16, zero32, zero64

_FLOAT = 4
# Rows of one register block: with 64 columns 20 accumulators, 4 numbers of the matrix, and one broadcast at a time.
_ROWS = 5


@njit(nogil=True, cache=True)
def width_at(column, columns):
    """Columns of the panel that begins at *column*: 64, and what is left in 32 and 16."""
    left = columns - column
    return 64 if left >= 64 else 32 if left >= 32 else 16


@njit(nogil=True, cache=True)
def pack(matrix, out):
    """float32[n, m] (read) in panels of columns for `multiply`, float32[n m] (written); m a multiple of 16."""
    inner, columns = matrix.shape
    column = 0
    while column < columns:
        width, at = width_at(column, columns), column * inner
        for row in range(inner):
            for each in range(width):
                out[at + each] = matrix[row, column + each]
            at += width
        column += width


@njit(nogil=True, cache=True)
def pack_transposed(matrix, out):
    """The same of the transpose of float32[m, n]."""
    columns, inner = matrix.shape
    column = 0
    while column < columns:
        width, panel = width_at(column, columns), column * inner
        for top in range(0, inner, 16):  # a cache line of each row
            for each in range(width):
                for row in range(top, min(top + 16, inner)):
                    out[panel + row * width + each] = matrix[column + each, row]
        column += width


@njit(nogil=True, cache=True, inline="always")
def _five_rows(zero, a, a_next, b, b_next, inner, out, out_next):
    """Columns of one panel of five rows; *zero* tells how many: 16, 32 or 64. Steps from row to row in bytes."""
    s0, s1, s2, s3, s4 = zero, zero, zero, zero, zero
    for _ in range(inner):
        numbers = load_like(zero, b)
        s0 = fma(broadcast_like(zero, a), numbers, s0)
        s1 = fma(broadcast_like(zero, a + a_next), numbers, s1)
        s2 = fma(broadcast_like(zero, a + 2 * a_next), numbers, s2)
        s3 = fma(broadcast_like(zero, a + 3 * a_next), numbers, s3)
        s4 = fma(broadcast_like(zero, a + 4 * a_next), numbers, s4)
        a, b = a + _FLOAT, b + b_next
    store(out, s0)
    store(out + out_next, s1)
    store(out + 2 * out_next, s2)
    store(out + 3 * out_next, s3)
    store(out + 4 * out_next, s4)


@njit(nogil=True, cache=True, inline="always")
def _one_row(zero, a, b, b_next, inner, out):
    """The same of one row."""
    s = zero
    for _ in range(inner):
        s = fma(broadcast_like(zero, a), load_like(zero, b), s)
        a, b = a + _FLOAT, b + b_next
    store(out, s)


@njit(nogil=True, cache=True)
def _panel(zero, a, rows, a_next, b, b_next, inner, out, out_next):
    """All rows; the last block of five begins early enough to be full: what is made twice is the same."""
    if rows < _ROWS:
        for row in range(rows):
            _one_row(zero, a + row * a_next, b, b_next, inner, out + row * out_next)
        return
    for row in range(0, rows, _ROWS):
        first = min(row, rows - _ROWS)
        _five_rows(zero, a + first * a_next, a_next, b, b_next, inner, out + first * out_next, out_next)


@njit(nogil=True, cache=True)
def multiply(a, b, columns, is_packed, out):
    """out = a b: float32[rows, n] and [n, columns] (read), float32[rows, columns] (written).

    b: of `pack` where *is_packed*, otherwise the matrix's numbers row by row. All contiguous.
    """
    rows, inner = a.shape
    here, there, into = np.intp(a.ctypes.data), np.intp(b.ctypes.data), np.intp(out.ctypes.data)
    a_next, out_next = _FLOAT * inner, _FLOAT * columns
    column = 0
    while column < columns:
        width = width_at(column, columns)
        panel = there + _FLOAT * column * (inner if is_packed else 1)
        b_next, target = _FLOAT * (width if is_packed else columns), into + _FLOAT * column
        if not WIDE:
            for part in range(0, 4 * width, 64):
                _panel(zero16(), here, rows, a_next, panel + part, b_next, inner, target + part, out_next)
        elif width == 64:
            _panel(zero64(), here, rows, a_next, panel, b_next, inner, target, out_next)
        elif width == 32:
            _panel(zero32(), here, rows, a_next, panel, b_next, inner, target, out_next)
        else:
            _panel(zero16(), here, rows, a_next, panel, b_next, inner, target, out_next)
        column += width
