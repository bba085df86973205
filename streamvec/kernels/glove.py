"""GloVe (Pennington, Socher, Manning 2014): one pass of AdaGrad over the entries of blocks that share no word.

    J = sum f(x) (w . c + b + b' - log x)^2 / 2,   f(x) = min(1, (x / x_max)^alpha)

A word's record (`streamvec.kernels.records`) holds all that its entries read and write: both its biases and their sums
of squares, then its word vector w, its context vector c, and the sums of squares of either. An entry without direction
stands for both (row, column) and (column, row): two updates that touch different numbers, made side by side.
"""

import numpy as np
from numba import njit

from streamvec.kernels.folds import sum16
from streamvec.kernels.memory import aligned_zeros
from streamvec.kernels.nonlinear import exp_minus, inverse_root
from streamvec.kernels.random import below, bits
from streamvec.kernels.records import HEAD, PIECE, Piece
from streamvec.kernels.simd import fma, load16, load_f32, prefetch, splat16, store, store_f32, zero16
from streamvec.kernels.team import atomic_add

AHEAD = 2  # entries whose records are asked for before they are needed
_VECTOR = 64  # bytes
HEAD_BYTES = 4 * HEAD
_LN2 = 0.6931471805599453


def new_piece() -> Piece:
    """Room for one thread."""
    order, mantissas = aligned_zeros((PIECE,), np.int32), aligned_zeros((PIECE,), np.int32)
    return Piece(order, aligned_zeros((PIECE,)), aligned_zeros((PIECE,)), mantissas)


@njit(nogil=True, cache=True)
def find_tasks(rows, columns, band_of, tasks):
    """Writes where blocks begin among the entries of one round (sorted): int64[bands + 2]; returns how many there are.

    rows, columns: int32[n], band_of: int32[V] (read). Returns -1 where these are no entries of one round, in order.
    """
    count, before, turn, bands = 0, -1, -1, tasks.size - 2
    for index in range(rows.size):
        first, second = band_of[rows[index]], band_of[columns[index]]
        band, here = min(first, second), (first + second) % bands
        if band != before:
            if band < before or (count and here != turn):
                return -1
            tasks[count] = index
            count, before, turn = count + 1, band, here
        elif here != turn:
            return -1
    tasks[count] = rows.size
    return count


@njit(nogil=True, cache=True)
def natural_logs(values, mantissas, logs):
    """log of positive normal float32[n] (read) into float32[n], in float64 arithmetic alone: the same on any machine.

    mantissas: int32[n], scratch.
    """
    raw = values.view(np.int32)
    for index in range(values.size):
        mantissas[index] = raw[index] & 0x007FFFFF | 0x3F800000
    scaled = mantissas.view(np.float32)
    for index in range(values.size):
        mantissa = np.float64(scaled[index])  # 1 <= m < 2
        large = mantissa > 1.4142135623730951
        mantissa = mantissa * 0.5 if large else mantissa
        exponent = (raw[index] >> 23) - 127 + (1 if large else 0)
        s = (mantissa - 1.0) / (mantissa + 1.0)  # log m = 2 artanh s, |s| < 0.172
        q = s * s
        series = 1.0 + q * (1 / 3 + q * (1 / 5 + q * (1 / 7 + q * (1 / 9 + q * (1 / 11)))))
        logs[index] = exponent * _LN2 + 2.0 * s * series


@njit(nogil=True, cache=True)
def weigh(logs, alpha, log_max, weights):
    """f(x) = min(1, (x / x_max)^alpha) of logs: float32[n] (read) into float32[n], n a multiple of 16."""
    there = weights.ctypes.data
    for index in range(0, logs.size, 16):
        for lane in range(index, index + 16):
            weights[lane] = np.float32(alpha) * max(np.float32(0.0), np.float32(log_max) - logs[lane])
        store(there + index * 4, exp_minus(load16(there + index * 4)))


@njit(nogil=True, cache=True)
def shuffle(order, size, key, place):
    """Fills order[:size] (int32, written) with 0 .. size-1 in an order that is a function of (key, place)."""
    for index in range(size):
        order[index] = index
    for index in range(size - 1, 0, -1):
        other = below(bits(key, place + index), index + 1)
        order[index], order[other] = order[other], order[index]


@njit(nogil=True, cache=True, inline="always")
def _descend(word, context, squares, context_squares, error):
    """One step of 16 columns of a word and of a context, and of their sums of squares, at addresses."""
    old, other = load16(word), load16(context)
    gradient, other_gradient = error * other, error * old
    total = fma(gradient, gradient, load16(squares))
    other_total = fma(other_gradient, other_gradient, load16(context_squares))
    store(squares, total)
    store(context_squares, other_total)
    store(word, old - gradient * inverse_root(total))
    store(context, other - other_gradient * inverse_root(other_total))


@njit(nogil=True, cache=True, inline="always")
def _descend_bias(bias, squares, error):
    """The same for a bias, whose gradient is the error itself."""
    total = load_f32(squares) + error * error
    store_f32(squares, total)
    store_f32(bias, load_f32(bias) - error / np.sqrt(total))


@njit(nogil=True, cache=True)
def _train_entry(word, context, size, log, weight, rate):
    """Trains on one entry, of the records at two addresses; returns f(x) difference^2."""
    w, c = word + HEAD_BYTES, context + HEAD_BYTES + size
    total = zero16()
    for column in range(0, size, _VECTOR):
        total = fma(load16(w + column), load16(c + column), total)
    difference = sum16(total) + load_f32(word) + load_f32(context + 4) - log
    error = rate * weight * difference
    errors = splat16(error)
    for column in range(0, size, _VECTOR):
        _descend(w + column, c + column, w + 2 * size + column, c + 2 * size + column, errors)
    _descend_bias(word, word + 8, error)
    _descend_bias(context + 4, context + 12, error)
    return weight * difference * difference


@njit(nogil=True, cache=True)
def _train_both(left, right, size, log, weight, rate):
    """Trains on an entry and its mirror image: neither reads what the other writes, so which comes first is nothing."""
    w, c = left + HEAD_BYTES, right + HEAD_BYTES + size
    w2, c2 = right + HEAD_BYTES, left + HEAD_BYTES + size
    total, total2 = zero16(), zero16()
    for column in range(0, size, _VECTOR):
        total = fma(load16(w + column), load16(c + column), total)
        total2 = fma(load16(w2 + column), load16(c2 + column), total2)
    difference = sum16(total) + load_f32(left) + load_f32(right + 4) - log
    difference2 = sum16(total2) + load_f32(right) + load_f32(left + 4) - log
    error, error2 = rate * weight * difference, rate * weight * difference2
    errors, errors2 = splat16(error), splat16(error2)
    for column in range(0, size, _VECTOR):
        _descend(w + column, c + column, w + 2 * size + column, c + 2 * size + column, errors)
        _descend(w2 + column, c2 + column, w2 + 2 * size + column, c2 + 2 * size + column, errors2)
    _descend_bias(left, left + 8, error)
    _descend_bias(right + 4, right + 12, error)
    _descend_bias(right, right + 8, error2)
    _descend_bias(left + 4, left + 12, error2)
    return weight * (difference * difference + difference2 * difference2)


@njit(nogil=True, cache=True)
def train_task(records, batch, task, cost, piece, key):
    """Trains on the entries of a task; returns the sum of f(x) difference^2 / 2, and what it would be at chance.

    The latter is that of f(x) (log x)^2 / 2, where no logarithm is nearer to 0 than 1: of entries of 1 nothing is left.
    The order of entries is decided by their place among all, and *key*.
    """
    first, last = batch.tasks[task], batch.tasks[task + 1]
    start = batch.places[task] - first
    address, vectors = records
    size = vectors * _VECTOR
    record = HEAD_BYTES + 4 * size
    rows, columns, mirrored = batch.rows, batch.columns, batch.mirrored
    rate = np.float32(cost.rate)
    loss, chance = 0.0, 0.0
    for begin in range(first, last, PIECE):
        count = min(PIECE, last - begin)
        padded = (count + 15) & ~15
        natural_logs(batch.values[begin : begin + count], piece.mantissas, piece.logs)
        weigh(piece.logs[:padded], cost.alpha, np.log(cost.x_max), piece.weights)
        shuffle(piece.order, count, key, start + begin)
        for turn in range(count):
            if AHEAD and turn + AHEAD < count:
                soon = begin + piece.order[turn + AHEAD]
                left, right = address + rows[soon] * record, address + columns[soon] * record
                for line in range(0, record, 64):
                    prefetch(left + line)
                    prefetch(right + line)
            place = np.int64(piece.order[turn])
            row, column = np.int64(rows[begin + place]), np.int64(columns[begin + place])
            left, right = address + row * record, address + column * record
            log, weight = piece.logs[place], piece.weights[place]
            nothing = np.float64(weight * max(np.float32(1.0), log * log))
            if mirrored and row != column:
                loss += _train_both(left, right, size, log, weight, rate)
                chance += 2 * nothing
            else:
                loss += _train_entry(left, right, size, log, weight, rate)
                chance += nothing
    return loss / 2, chance / 2


@njit(nogil=True, cache=True)
def train_batch(records, batch, cost, piece, key, losses, turn):
    """Trains on whole tasks, each taken by whoever is free: they share no word, so it matters to none who takes which.

    losses: float64[tasks, 2], see `train_task` (written); turn: address of an int64, 0 at first (updated).
    """
    while True:
        task = atomic_add(turn, 1)
        if task >= batch.places.size:
            return
        losses[task, 0], losses[task, 1] = train_task(records, batch, task, cost, piece, key)
