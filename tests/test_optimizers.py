"""Optimizers against their plain formulas in float64, several steps long."""

import numpy as np
import pytest

from streamvec.kernels import optimizers

SIZES = [1, 16, 1000]
STEPS, SCALE, RATE = 6, 0.37, 0.05
NEAR = {"rtol": 2e-5, "atol": 2e-6}


def gradients(size):
    """Those of some steps, of all sizes, zeros among them."""
    draw = np.random.default_rng(size)
    found = draw.normal(0, 1, (STEPS, size)) * 10.0 ** draw.integers(-6, 3, size)
    found[:, ::7] = 0
    return found.astype(np.float32)


def start(size):
    return np.random.default_rng(3).normal(0, 1, size).astype(np.float32)


@pytest.mark.parametrize("size", SIZES)
def test_sgd(size):
    found, expected = start(size), start(size).astype(np.float64)
    for gradient in gradients(size):
        kept = gradient.copy()
        optimizers.sgd(found, gradient, SCALE, RATE)
        expected -= RATE * SCALE * gradient
        assert (gradient == kept).all()
    np.testing.assert_allclose(found, expected, **NEAR)


@pytest.mark.parametrize("size", SIZES)
def test_momentum(size):
    found, velocity = start(size), np.zeros(size, np.float32)
    expected, speed = start(size).astype(np.float64), np.zeros(size)
    for gradient in gradients(size):
        optimizers.momentum(found, gradient, velocity, SCALE, RATE, 0.8)
        speed = 0.8 * speed + SCALE * gradient
        expected -= RATE * speed
    np.testing.assert_allclose(found, expected, **NEAR)
    np.testing.assert_allclose(velocity, speed, **NEAR)


@pytest.mark.parametrize("size", SIZES)
def test_adagrad(size):
    found, squares = start(size), np.zeros(size, np.float32)
    expected, sums = start(size).astype(np.float64), np.zeros(size)
    for gradient in gradients(size):
        optimizers.adagrad(found, gradient, squares, SCALE, RATE)
        wide = SCALE * gradient.astype(np.float64)
        sums += wide**2
        expected -= RATE * wide / (np.sqrt(sums) + 1e-8)
    np.testing.assert_allclose(found, expected, **NEAR)
    np.testing.assert_allclose(squares, sums, **NEAR)


@pytest.mark.parametrize("size", SIZES)
def test_adam(size):
    found, means, squares = start(size), np.zeros(size, np.float32), np.zeros(size, np.float32)
    expected, first, second = start(size).astype(np.float64), np.zeros(size), np.zeros(size)
    for number, gradient in enumerate(gradients(size), 1):
        optimizers.adam(found, gradient, means, squares, SCALE, RATE, number)
        wide = SCALE * gradient.astype(np.float64)
        first = 0.9 * first + 0.1 * wide
        second = 0.999 * second + 0.001 * wide**2
        expected -= RATE * (first / (1 - 0.9**number)) / (np.sqrt(second / (1 - 0.999**number)) + 1e-8)
    np.testing.assert_allclose(found, expected, **NEAR)
    np.testing.assert_allclose(means, first, **NEAR)
    np.testing.assert_allclose(squares, second, **NEAR)


def test_adam_long_after_its_beginning():
    found, means, squares = (np.zeros(16, np.float32) for _ in range(3))
    means[:], squares[:] = 0.5, 4.0
    optimizers.adam(found, np.zeros(16, np.float32), means, squares, 1.0, 0.1, 10_000_000)
    np.testing.assert_allclose(found, np.full(16, -0.1 * 0.45 / (np.sqrt(3.996) + 1e-8)), **NEAR)


def test_where_nothing_slopes_nothing_moves():
    for name, sums in {"sgd": 0, "momentum": 1, "adagrad": 1, "adam": 2}.items():
        found, more = start(32), [np.zeros(32, np.float32) for _ in range(sums)]
        last = {"momentum": [0.9], "adam": [1]}.get(name, [])
        getattr(optimizers, name)(found, np.zeros(32, np.float32), *more, 1.0, 0.1, *last)
        assert (found == start(32)).all(), name


@pytest.mark.parametrize("size", [0, 1, 15, 16, 17, 4095, 4096, 4097, 100_003])
def test_sum_of_squares(size):
    numbers = np.random.default_rng(1).normal(0, 3, size).astype(np.float32)
    assert optimizers.sum_of_squares(numbers) == pytest.approx((numbers.astype(np.float64) ** 2).sum(), rel=1e-6)


def test_sum_of_squares_loses_no_small_number_beside_large_ones_and_no_nan():
    many = np.full(2_000_000, 1e-2, np.float32)
    many[0] = 100.0
    assert optimizers.sum_of_squares(many) == pytest.approx(1e4 + 200.0, rel=1e-5)
    many[77] = np.nan
    assert np.isnan(optimizers.sum_of_squares(many))
