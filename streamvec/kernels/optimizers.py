"""What optimizers do to flat arrays of parameters, given gradients: each number by itself, the same on any machine.

All arrays are float32[n]: *parameters* and sums are updated, *gradients* are read and multiplied by *scale* first
(clipping by the global norm).
"""

import numpy as np
from numba import njit

_BLOCK = 4096  # squares that are added up before their sum goes into a wider number


@njit(nogil=True, cache=True)
def sum_of_squares(gradients):
    """The sum of float32[n] squared, as float64: in 16 lanes and blocks of 4,096, always in the same order."""
    total, lanes = 0.0, np.zeros(16, np.float32)
    for start in range(0, gradients.size, _BLOCK):
        lanes[:] = np.float32(0.0)
        stop = min(start + _BLOCK, gradients.size)
        whole = start + (stop - start) // 16 * 16
        for at in range(start, whole, 16):
            for lane in range(16):
                value = gradients[at + lane]
                lanes[lane] += value * value
        for at in range(whole, stop):
            value = np.float64(gradients[at])
            total += value * value
        for lane in range(16):
            total += np.float64(lanes[lane])
    return total


@njit(nogil=True, cache=True)
def sgd(parameters, gradients, scale, rate):
    """p -= rate g."""
    step = np.float32(rate * scale)
    for at in range(parameters.size):
        parameters[at] -= step * gradients[at]


@njit(nogil=True, cache=True)
def momentum(parameters, gradients, velocity, scale, rate, kept):
    """v = kept v + g, p -= rate v (Polyak 1964)."""
    share, step, keep = np.float32(scale), np.float32(rate), np.float32(kept)
    for at in range(parameters.size):
        velocity[at] = keep * velocity[at] + share * gradients[at]
        parameters[at] -= step * velocity[at]


@njit(nogil=True, cache=True)
def adagrad(parameters, gradients, squares, scale, rate):
    """s += g^2, p -= rate g / (sqrt(s) + 1e-8) (Duchi et al. 2011)."""
    share, step, least = np.float32(scale), np.float32(rate), np.float32(1e-8)
    for at in range(parameters.size):
        gradient = share * gradients[at]
        squares[at] += gradient * gradient
        parameters[at] -= step * gradient / (np.sqrt(squares[at]) + least)


@njit(nogil=True, cache=True)
def adam(parameters, gradients, means, squares, scale, rate, step_number):
    """m = .9 m + .1 g, s = .999 s + .001 g^2, p -= rate m' / (sqrt(s') + 1e-8), ' as if from no start (Kingma 2014)."""
    share, least = np.float32(scale), np.float32(1e-8)
    keep, keep_squares = np.float32(0.9), np.float32(0.999)
    take, take_squares = np.float32(0.1), np.float32(0.001)
    step = np.float32(rate / (1.0 - 0.9**step_number))
    unbiased = np.float32(1.0 / (1.0 - 0.999**step_number))
    for at in range(parameters.size):
        gradient = share * gradients[at]
        means[at] = keep * means[at] + take * gradient
        squares[at] = keep_squares * squares[at] + take_squares * gradient * gradient
        parameters[at] -= step * means[at] / (np.sqrt(squares[at] * unbiased) + least)
