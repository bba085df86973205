"""A linear-chain conditional random field: losses and gradients of tagged sequences, chances of tags, best paths.

A path y of tags through a sequence of n steps has (Lafferty, McCallum and Pereira, 2001)

    score(y)  = first[y_0] + sum_t scores[t, y_t] + sum_t transitions[y_t-1, y_t] + last[y_n-1]
    chance(y) = exp(score(y)) / sum of exp(score) over all paths

All kernels take, with T tags: transitions float32[T, T] (from, to), first, last float32[T], scores
float32[steps, L, >= T] (what is behind T is not read), lengths int64[L], steps of each of L sequences, 0 allowed.
Sums are in float64, of logarithms:

    alpha[t, j] = scores[t, j] + log sum_i exp(alpha[t-1, i] + transitions[i, j])
    beta[t, i]  = log sum_j exp(transitions[i, j] + scores[t+1, j] + beta[t+1, j])

T * T exponentials a step would be nearly all of the work. Instead exp(transitions - peak), made once a call, is
multiplied with exp(alpha - its peak): T exponentials, and no factor above 1. Terms below 1e-308 vanish in that, which
is nothing beside a sum of ordinary size; a sum below exp(_LOWEST), which large scores lead to, is made again as the
formula has it.
"""

from typing import NamedTuple

import numpy as np
from numba import njit

_LOWEST = -300.0
_SMALLEST = np.exp(_LOWEST)


class Scratch(NamedTuple):
    """Room for one thread, for sequences of at most so many steps."""

    logs: np.ndarray  # float64[2, T, T]: transitions, and their transpose
    powers: np.ndarray  # float64[2, T, T]: exp(logs - peak)
    alpha: np.ndarray  # float64[steps, T]; of best_paths the best score of a path that ends there
    beta: np.ndarray  # float64[T], of one step
    behind: np.ndarray  # float64[T]: scores + beta of the step behind it
    shares: np.ndarray  # float64[2, T]: exp(alpha - peak), exp(behind - peak)
    pairs: np.ndarray  # float64[T, T]: how often each transition is expected, over all sequences
    ends: np.ndarray  # float64[2, T]: how often each tag is expected first, and last
    before: np.ndarray  # int32[steps, T]: the tag before, on the best path


def new_scratch(steps: int, tags: int) -> Scratch:
    """Room for sequences of at most *steps* steps and *tags* tags."""
    square, row = (tags, tags), (2, tags)
    return Scratch(
        np.empty((2, *square)),
        np.empty((2, *square)),
        np.empty((steps, tags)),
        np.empty(tags),
        np.empty(tags),
        np.empty(row),
        np.empty(square),
        np.empty(row),
        np.empty((steps, tags), np.int32),
    )


@njit(nogil=True, cache=True)
def loss_and_gradients(
    transitions, first, last, scores, tags, lengths, d_scores, d_transitions, d_first, d_last, losses, scratch
):
    """Negative log likelihoods of the paths *tags*, and the gradients of their sum.

    tags: int32[steps, L], 0 .. T - 1 within the lengths (read); d_scores: as scores (written, zero behind the lengths
    and T); d_transitions: float32[T, T], d_first, d_last: float32[T] (added to); losses: float64[L] (written).
    """
    count = len(first)
    peak = _begin(transitions, scratch)
    scratch.pairs[:] = 0.0
    scratch.ends[:] = 0.0
    d_scores[:] = np.float32(0.0)
    for lane in range(scores.shape[1]):
        length = lengths[lane]
        losses[lane] = 0.0
        if length == 0:
            continue
        total = _forward(first, last, scores, lane, length, peak, scratch)
        _backward(last, scores, lane, length, peak, total, True, d_scores, scratch)
        for tag in range(count):  # the expected paths' part of the gradient
            scratch.ends[0, tag] += d_scores[0, lane, tag]
            scratch.ends[1, tag] += d_scores[length - 1, lane, tag]
        score = np.float64(0.0)
        for step in range(length):  # and the given path's
            tag = np.intp(tags[step, lane])
            score += scores[step, lane, tag]
            d_scores[step, lane, tag] -= np.float32(1.0)
            if step > 0:
                earlier = np.intp(tags[step - 1, lane])
                score += transitions[earlier, tag]
                scratch.pairs[earlier, tag] -= 1.0
        begin, end = np.intp(tags[0, lane]), np.intp(tags[length - 1, lane])
        scratch.ends[0, begin] -= 1.0
        scratch.ends[1, end] -= 1.0
        losses[lane] = total - (score + first[begin] + last[end])
    for i in range(count):
        d_first[i] += np.float32(scratch.ends[0, i])
        d_last[i] += np.float32(scratch.ends[1, i])
        for j in range(count):
            d_transitions[i, j] += np.float32(scratch.pairs[i, j])


@njit(nogil=True, cache=True)
def marginals(transitions, first, last, scores, lengths, chances, scratch):
    """The chance of each tag at each step, over all paths.

    chances: float32[steps, L, >= T] (written: 0 behind the lengths and T).
    """
    peak = _begin(transitions, scratch)
    chances[:] = np.float32(0.0)
    for lane in range(scores.shape[1]):
        length = lengths[lane]
        if length > 0:
            total = _forward(first, last, scores, lane, length, peak, scratch)
            _backward(last, scores, lane, length, peak, total, False, chances, scratch)


@njit(nogil=True, cache=True)
def best_paths(transitions, first, last, scores, lengths, paths, scratch):
    """The path with the highest score of each sequence (Viterbi); of equal ones that with the lower tags, from the end.

    paths: int32[steps, L] (written: 0 behind the lengths).
    """
    count = len(first)
    paths[:] = 0
    for lane in range(scores.shape[1]):
        length = lengths[lane]
        if length == 0:
            continue
        for tag in range(count):
            scratch.alpha[0, tag] = np.float64(first[tag]) + scores[0, lane, tag]
        for step in range(1, length):
            best, before = scratch.alpha[step], scratch.before[step]
            best[:] = -np.inf
            before[:] = 0
            for i in range(count):
                _take_better(best, before, i, scratch.alpha[step - 1, i], transitions[i])
            for tag in range(count):
                best[tag] += scores[step, lane, tag]
        end, highest = 0, -np.inf
        for tag in range(count):
            score = scratch.alpha[length - 1, tag] + last[tag]
            if score > highest:
                end, highest = tag, score
        for step in range(length - 1, -1, -1):
            paths[step, lane] = end
            if step > 0:
                end = np.intp(scratch.before[step, end])


@njit(nogil=True, cache=True)
def _take_better(best, before, tag, score, onward):
    """best[j] = max(best[j], score + onward[j]), and *tag* in before[j] where that is new."""
    for j in range(len(best)):
        other = score + onward[j]
        is_better = other > best[j]  # without a branch, for vector registers
        best[j] = other if is_better else best[j]
        before[j] = tag if is_better else before[j]


@njit(nogil=True, cache=True)
def _begin(transitions, scratch):
    """Writes logs and powers; returns the peak of all transitions."""
    count = transitions.shape[0]
    peak = -np.inf
    for i in range(count):
        for j in range(count):
            scratch.logs[0, i, j] = transitions[i, j]
            scratch.logs[1, j, i] = transitions[i, j]
            peak = max(peak, scratch.logs[0, i, j])
    for i in range(count):
        for j in range(count):
            scratch.powers[0, i, j] = np.exp(scratch.logs[0, i, j] - peak)
            scratch.powers[1, j, i] = scratch.powers[0, i, j]
    return peak


@njit(nogil=True, cache=True)
def _forward(first, last, scores, lane, length, peak, scratch):
    """Writes alpha of one sequence; returns the logarithm of the sum over all paths."""
    count = len(first)
    for tag in range(count):
        scratch.alpha[0, tag] = np.float64(first[tag]) + scores[0, lane, tag]
    for step in range(1, length):
        alpha = scratch.alpha[step]
        _pass_on(scratch.alpha[step - 1], scratch.logs[0], scratch.powers[0], peak, scratch.shares[0], alpha)
        for tag in range(count):
            alpha[tag] += scores[step, lane, tag]
    for tag in range(count):
        scratch.behind[tag] = scratch.alpha[length - 1, tag] + last[tag]
    return _log_sum(scratch.behind)


@njit(nogil=True, cache=True)
def _backward(last, scores, lane, length, peak, total, adds_pairs, chances, scratch):
    """Writes one sequence's chances of tags, and adds (*adds_pairs*) those of transitions to scratch.pairs."""
    count = len(last)
    beta, behind = scratch.beta, scratch.behind
    for tag in range(count):
        beta[tag] = last[tag]
    for step in range(length - 1, -1, -1):
        alpha = scratch.alpha[step]
        if step < length - 1:
            for tag in range(count):
                behind[tag] = scores[step + 1, lane, tag] + beta[tag]
            highest = _pass_on(behind, scratch.logs[1], scratch.powers[1], peak, scratch.shares[1], beta)
            if adds_pairs:
                _add_pairs(alpha, behind, highest, peak, total, scratch)
        for tag in range(count):
            chances[step, lane, tag] = np.float32(np.exp(alpha[tag] + beta[tag] - total))


@njit(nogil=True, cache=True)
def _pass_on(given, logs, powers, peak, shares, onward):
    """onward[j] = log sum_i exp(given[i] + logs[i, j]); shares = exp(given - its peak), which is returned."""
    count = len(given)
    highest = _exponentials(given, shares)
    onward[:] = 0.0
    for i in range(count):
        _add_scaled(onward, shares[i], powers[i])
    for j in range(count):
        if onward[j] >= _SMALLEST:
            onward[j] = np.log(onward[j]) + highest + peak
        else:
            onward[j] = _log_sum(given + logs[:, j])
    return highest


@njit(nogil=True, cache=True)
def _add_pairs(alpha, behind, highest, peak, total, scratch):
    """pairs[i, j] += exp(alpha[i] + transitions[i, j] + behind[j] - total); shares[1] = exp(behind - highest)."""
    count = len(alpha)
    shares = scratch.shares
    log_sum = total - highest - peak - _exponentials(alpha, shares[0])  # of shares[0, i] * powers[i, j] * shares[1, j]
    if log_sum >= _LOWEST:
        for i in range(count):
            _add_products(scratch.pairs[i], shares[0, i] * np.exp(-log_sum), scratch.powers[0, i], shares[1])
    else:
        for i in range(count):
            for j in range(count):
                scratch.pairs[i, j] += np.exp(alpha[i] + scratch.logs[0, i, j] + behind[j] - total)


@njit(nogil=True, cache=True)
def _exponentials(given, shares):
    """shares = exp(given - peak); returns the peak."""
    peak = given[0]
    for i in range(1, len(given)):
        peak = max(peak, given[i])
    for i in range(len(given)):
        shares[i] = np.exp(given[i] - peak)
    return peak


@njit(nogil=True, cache=True)
def _log_sum(given):
    """log sum exp(given)."""
    peak = given.max()
    return peak + np.log(np.exp(given - peak).sum())


@njit(nogil=True, cache=True)
def _add_scaled(out, factor, row):
    """out += factor * row."""
    for j in range(len(out)):
        out[j] += factor * row[j]


@njit(nogil=True, cache=True)
def _add_products(out, factor, row, other):
    """out += factor * row * other."""
    for j in range(len(out)):
        out[j] += factor * row[j] * other[j]
