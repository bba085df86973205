"""The GloVe kernels against plain Python: logs, weights, roots, orders as a distribution, and the tasks of a round."""

from itertools import permutations

import naive
import naive_glove
import numpy as np
import pytest
from glove_models import BANDS, blocks_of, some_entries, some_model
from numba import njit
from scipy.stats import chi2

from streamvec.corpus.cooccurrences import Entries
from streamvec.errors import StreamvecError
from streamvec.kernels import random
from streamvec.kernels.glove import find_tasks, natural_logs, shuffle, weigh
from streamvec.kernels.memory import aligned_zeros
from streamvec.kernels.nonlinear import inverse_root
from streamvec.kernels.records import PIECE
from streamvec.kernels.simd import load16, store
from streamvec.models.step import Position


def test_natural_logs_over_all_positive_normal_numbers():
    rng = np.random.default_rng(0)
    exponents = np.repeat(np.arange(-126, 128), 200)
    values = np.ldexp(rng.uniform(1, 2, exponents.size), exponents).astype(np.float32)
    info = np.finfo(np.float32)
    near = [np.nextafter(np.float32(x), np.float32(side)) for x in (1, np.sqrt(2), 2) for side in (0, 9)]
    values = np.concatenate([values[np.isfinite(values)], [info.tiny, info.max, 1, np.sqrt(2), 2, *near]]).astype(
        np.float32
    )
    values.setflags(write=False)
    logs, mantissas = np.empty(values.size, np.float32), np.empty(values.size, np.int32)
    natural_logs(values, mantissas, logs)
    np.testing.assert_array_max_ulp(logs, np.log(values.astype(np.float64)).astype(np.float32), 1)
    assert logs[values == 1] == 0


@pytest.mark.parametrize("alpha", [0.0, 0.5, 0.75, 1.0, 3.0])
@pytest.mark.parametrize("x_max", [0.1, 10.0, 1e6])
def test_weights_are_those_of_the_formula(alpha, x_max):
    values = np.geomspace(1e-37, 3e38, 4096).astype(np.float32)
    logs, mantissas, weights = aligned_zeros((4096,)), aligned_zeros((4096,), np.int32), aligned_zeros((4096,))
    natural_logs(values, mantissas, logs)
    weigh(logs, alpha, np.log(x_max), weights)
    expected = np.array([naive_glove.weight_of(value, x_max, alpha) for value in values.astype(np.float64)])
    np.testing.assert_allclose(weights, np.maximum(expected, np.exp(-80)), rtol=3e-5)  # as the logs of tiny ones
    common = (values > 1e-3) & (expected > 1e-6)
    np.testing.assert_allclose(weights[common], expected[common], rtol=3e-6 * max(1, alpha))
    assert (weights[values > np.float32(x_max) * 1.0001] == 1).all()


@njit
def inverse_roots(values, found):
    for index in range(0, values.size, 16):
        store(found.ctypes.data + 4 * index, inverse_root(load16(values.ctypes.data + 4 * index)))


def test_inverse_roots_to_5e_6():
    values, found = aligned_zeros((1 << 16,)), aligned_zeros((1 << 16,))
    values[:] = np.concatenate([np.linspace(1, 4, 1 << 15), np.geomspace(1, 3e38, 1 << 15)])
    inverse_roots(values, found)
    np.testing.assert_allclose(found, 1 / np.sqrt(values.astype(np.float64)), rtol=5e-6)


@pytest.mark.parametrize("size", [1, 2, 16, 1000])
def test_shuffle_is_a_permutation_that_key_and_place_decide(size):
    order, key = np.full(PIECE, -1, np.int32), random.stream(3, 5, random.ORDER)
    shuffle(order, size, key, 12_345)
    assert order[:size].tolist() == naive_glove.shuffled(size, naive.stream(3, 5, naive_glove.ORDER), 12_345)
    assert sorted(order[:size]) == list(range(size)) and (order[size:] == -1).all()


def test_all_orders_are_as_likely():
    key, order = random.stream(1, 1, random.ORDER), np.zeros(5, np.int32)
    orders = {each: number for number, each in enumerate(permutations(range(5)))}
    observed = np.zeros(len(orders))
    for draw in range(100_000):
        shuffle(order, 5, key, 5 * draw)
        observed[orders[tuple(order.tolist())]] += 1
    expected = 100_000 / len(orders)
    assert ((observed - expected) ** 2 / expected).sum() < chi2.ppf(0.9999, len(orders) - 1)


def test_tasks_are_the_blocks_of_a_round():
    sizes = np.diff(BANDS)
    band_of = np.repeat(np.arange(5, dtype=np.int32), sizes)
    for batch in some_entries(mirrored=False):
        tasks, blocks = np.zeros(7, np.int64), blocks_of(batch)
        found = find_tasks(batch.rows, batch.columns, band_of, tasks)
        assert tasks[: found + 1].tolist() == [0, *(np.flatnonzero(np.diff(blocks)) + 1), batch.rows.size]
    assert find_tasks(batch.rows[:0], batch.columns[:0], band_of, tasks) == 0


@pytest.mark.parametrize("pairs", [
    [(20, 21), (0, 0)],  # of two rounds
    [(0, 0), (3, 4)],  # of two rounds, in bands that rise
    [(0, 0), (0, 3)],  # of two rounds, in one band
    [(5, 12), (3, 20)],  # blocks the wrong way round
    [(3, 20), (5, 12), (4, 21)],  # a block that comes again
])  # fmt: skip
def test_entries_that_are_not_in_order_are_refused(pairs):
    rows, columns = np.array(pairs, np.int32).T.copy()
    band_of, tasks = np.repeat(np.arange(5, dtype=np.int32), np.diff(BANDS)), np.zeros(7, np.int64)
    assert find_tasks(rows, columns, band_of, tasks) == -1
    model = some_model(4, mirrored=True)
    before = model.arrays["records"].copy()
    with pytest.raises(StreamvecError, match=r"number 700 and those after it are not in the order of blocks: remove"):
        model.step(Entries(rows, columns, np.ones(len(pairs), np.float32), 700), Position(0, 0))
    np.testing.assert_array_equal(model.arrays["records"], before)
