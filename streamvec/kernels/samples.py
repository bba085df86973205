"""Arithmetic of outputs that score a target and a sample of words, beside its matrix products.

A row is one hidden vector: it has a target, and meets the samples that all rows share. ``shifts`` are what is added to
a word's product with the hidden vector: its bias, less the logarithm of how often it is expected among the samples.

    sampled softmax   loss = -log(exp(t) / (exp(t) + sum over samples that are not the target of exp(s)))
                      (Jean et al. 2015; posterior of the target given target and samples)
    noise contrast    loss = -log sigmoid(t) - sum over samples of times * log sigmoid(-s)
                      (Gutmann, Hyvaerinen 2010; Mnih, Teh 2012)
"""

import numpy as np
from numba import njit

from streamvec.kernels.folds import sum16
from streamvec.kernels.nonlinear import loss_of, sigmoid
from streamvec.kernels.random import below, bits
from streamvec.kernels.simd import fma, load16, splat16, store, zero16

_LOW, _S32 = np.uint64(0xFFFFFFFF), np.uint64(32)


@njit(nogil=True, cache=True)
def draw_words(table, key, place, out):
    """Draws words by Walker's alias table: out[i] is draw number place + i of stream *key*, int32[n] (written).

    table: uint64[V], see `streamvec.kernels.alias` (read).
    """
    words = np.uint64(len(table))
    for index in range(out.size):
        random = bits(key, place + index)
        drawn = below(random, words)
        entry = table[drawn]
        out[index] = drawn if (random & _LOW) < (entry >> _S32) else np.int64(entry & _LOW)


@njit(nogil=True, cache=True)
def score_targets(hidden, rows, shifts, scores):
    """scores[i] = hidden[i] . rows[i] + shifts[i]: float32[n, a multiple of 16] (read), float32[n] (read, written)."""
    width = 4 * hidden.shape[1]
    for index in range(len(hidden)):
        here, there, total = np.intp(hidden[index].ctypes.data), np.intp(rows[index].ctypes.data), zero16()
        for at in range(0, width, 64):
            total = fma(load16(here + at), load16(there + at), total)
        scores[index] = sum16(total) + shifts[index]


@njit(nogil=True, cache=True)
def shift_scores(scores, shifts, hits):
    """scores += shifts; a row's sample number hits[row] (below 0: none) is its target, and gets -infinity.

    scores: float32[n, m] (updated); shifts: float32[m], -infinity in what only fills up; hits: int32[n] (read).
    """
    for row in range(len(scores)):
        for column in range(scores.shape[1]):
            scores[row, column] += shifts[column]
        if hits[row] >= 0:
            scores[row, hits[row]] = -np.inf


@njit(nogil=True, cache=True)
def softmax_gradients(scores, totals, targets, peaks, hits, scale, losses):
    """The end of a sampled softmax: writes losses, and turns what it is given into gradients by the scores.

    scores: float32[n, m], exp(score - peak) (updated); totals: float32[n], each row's sum of these; peaks: float32[n];
    hits: int32[n] (read); targets: float32[n], their scores (updated); losses: float32[n] (written).
    """
    for row in range(len(scores)):
        own = np.exp(np.float64(targets[row] - peaks[row]))
        total = np.float64(totals[row]) + own
        losses[row] = np.log(total) + np.float64(peaks[row]) - np.float64(targets[row])
        share = np.float32(scale / total)
        for column in range(scores.shape[1]):
            scores[row, column] *= share
        if hits[row] >= 0:
            scores[row, hits[row]] = np.float32(0.0)
        targets[row] = scale * (own / total - 1.0)


@njit(nogil=True, cache=True)
def noise_gradients(scores, times, shifts, targets, scale, losses):
    """Noise contrast: writes losses, and turns scores into gradients by themselves.

    scores: float32[n, m], m a multiple of 16, without shifts (updated); times: float32[m], how often each was drawn, 0
    in what only fills up; shifts: float32[m] (read); targets: float32[n] (updated); losses: float32[n] (written).
    """
    width, rate, noise = 4 * scores.shape[1], splat16(np.float32(scale)), splat16(np.float32(-1.0))
    drawn, added = np.intp(times.ctypes.data), np.intp(shifts.ctypes.data)
    for row in range(len(scores)):
        here, total = np.intp(scores[row].ctypes.data), zero16()
        for at in range(0, width, 64):
            score, weight = load16(here + at) + load16(added + at), load16(drawn + at)
            total = fma(weight, loss_of(score, noise), total)
            store(here + at, rate * weight * sigmoid(score))
        target = np.float64(targets[row])
        wrong = 1.0 / (1.0 + np.exp(target))  # 1 - sigmoid
        losses[row] = np.float64(sum16(total)) + np.log1p(np.exp(-abs(target))) + max(-target, 0.0)
        targets[row] = -scale * wrong


@njit(nogil=True, cache=True)
def end_rows(hidden, rows, by_targets, by_hidden):
    """Adds what the targets say: by_hidden += by_targets rows, and then rows = by_targets hidden.

    hidden: float32[n, k], by_targets: float32[n] (read); rows: float32[n, k], those of the targets, which become the
    gradients by them; by_hidden: float32[n, k] (updated).
    """
    for row in range(len(hidden)):
        for column in range(hidden.shape[1]):
            by_hidden[row, column] += by_targets[row] * rows[row, column]
            rows[row, column] = by_targets[row] * hidden[row, column]
