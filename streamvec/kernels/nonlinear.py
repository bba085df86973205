"""The logistic function and its loss over 16 scores at once, by arithmetic alone: no tables, no branches."""

import numpy as np
from numba import njit

from streamvec.kernels.simd import (
    absolute,
    fma,
    inverse_root_guess,
    keep_below,
    minimum,
    nearest,
    sign_of,
    splat16,
    times_two_to,
)

_LOG2_E = np.float32(1.4426950408889634)
_LN2_HIGH, _LN2_LOW = np.float32(0.693359375), np.float32(-2.12194440e-4)
_MOST_CERTAIN = np.float32(8.0)
_LARGEST = np.float32(80.0)  # exp(-80) is still a normal float32


@njit(nogil=True, cache=True, inline="always")
def exp_minus(a):
    """exp(-a) for a >= 0, to 2 units in the last place; a is held at 80."""
    a = minimum(a, splat16(_LARGEST))
    n = nearest(a * splat16(-_LOG2_E))
    r = fma(n, splat16(-_LN2_HIGH), splat16(np.float32(0.0)) - a)
    r = fma(n, splat16(-_LN2_LOW), r)  # -a = n ln 2 + r, |r| <= ln 2 / 2
    p = fma(r, splat16(np.float32(1 / 720)), splat16(np.float32(1 / 120)))
    p = fma(p, r, splat16(np.float32(1 / 24)))
    p = fma(p, r, splat16(np.float32(1 / 6)))
    p = fma(p, r, splat16(np.float32(0.5)))
    p = fma(p, r, splat16(np.float32(1.0)))
    p = fma(p, r, splat16(np.float32(1.0)))
    return times_two_to(p, n)


@njit(nogil=True, cache=True, inline="always")
def log_of_one_plus(z):
    """log(1 + z) for 0 <= z <= 1, as 2 artanh(z / (2 + z)); error below 2e-7."""
    s = z / (splat16(np.float32(2.0)) + z)
    q = s * s
    p = fma(q, splat16(np.float32(2 / 11)), splat16(np.float32(2 / 9)))
    p = fma(p, q, splat16(np.float32(2 / 7)))
    p = fma(p, q, splat16(np.float32(2 / 5)))
    p = fma(p, q, splat16(np.float32(2 / 3)))
    p = fma(p, q, splat16(np.float32(2.0)))
    return p * s


@njit(nogil=True, cache=True, inline="always")
def error_of(score, sign):
    """label - sigmoid(score), with label 1 where sign is +1, 0 where it is -1; 0 where sign is 0.

    Also 0 where the score is beyond +-8: on the right side the error is next to nothing there, and on the wrong side
    following it is how errors feed on each other until they overflow (gensim draws the same line at 6).
    """
    y = score * sign
    distance = absolute(y)
    z = exp_minus(distance)
    half, one = splat16(np.float32(0.5)), splat16(np.float32(1.0))
    # sigmoid(-y) is z / (1 + z) for y >= 0 and 1 / (1 + z) for y < 0: pick the numerator without a branch.
    numerator = fma(half * (z - one), sign_of(y), half * (z + one))
    return keep_below(sign * numerator / (one + z), distance, splat16(_MOST_CERTAIN))


@njit(nogil=True, cache=True, inline="always")
def loss_of(score, sign):
    """-log sigmoid(sign * score), 0 where sign is 0."""
    y = score * sign
    z = exp_minus(absolute(y))
    above = splat16(np.float32(0.5)) * (absolute(y) - y)  # max(-y, 0)
    return absolute(sign) * (above + log_of_one_plus(z))


@njit(nogil=True, cache=True, inline="always")
def inverse_root(a):
    """1 / sqrt(a) for normal a > 0, to 5e-6 of it: two of Newton's steps cost a fifth of a root and a division."""
    half, three_halves = splat16(np.float32(-0.5)) * a, splat16(np.float32(1.5))
    y = inverse_root_guess(a)
    y = y * fma(half * y, y, three_halves)
    return y * fma(half * y, y, three_halves)


@njit(nogil=True, cache=True, inline="always")
def sigmoid(a):
    """1 / (1 + exp(-a))."""
    half, one = splat16(np.float32(0.5)), splat16(np.float32(1.0))
    z = exp_minus(absolute(a))
    return fma(half * (one - z), sign_of(a), half * (one + z)) / (one + z)


@njit(nogil=True, cache=True, inline="always")
def tanh(a):
    """The hyperbolic tangent, to 1.5e-7."""
    one = splat16(np.float32(1.0))
    z = exp_minus(splat16(np.float32(2.0)) * absolute(a))
    return sign_of(a) * (one - z) / (one + z)
