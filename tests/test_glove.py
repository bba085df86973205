"""The GloVe kernels against plain Python, what a step refuses, and the promise of the same bytes on any threads."""

from itertools import permutations

import naive
import naive_glove
import numpy as np
import pytest
from numba import njit
from scipy.stats import chi2

from streamvec.corpus.cooccurrences import Entries
from streamvec.errors import StreamvecError
from streamvec.kernels import random
from streamvec.kernels.cooccurrences import pair_number
from streamvec.kernels.glove import find_tasks, natural_logs, shuffle, weigh
from streamvec.kernels.memory import aligned_zeros
from streamvec.kernels.nonlinear import inverse_root
from streamvec.kernels.records import HEAD, PIECE
from streamvec.kernels.simd import load16, store
from streamvec.models.glove import Glove, InRandomOrder
from streamvec.models.gloveconfig import GloveConfig
from streamvec.models.step import Position

BANDS = np.array([0, 3, 5, 12, 20, 31])  # of 31 words
ARRAYS = ("words", "contexts", "word_biases", "context_biases")


def numbered(bands: np.ndarray, pairs: list[tuple[int, int]], directed: int) -> list[int]:
    sizes, bits = np.diff(bands), 10
    numbers = np.repeat(np.arange(sizes.size), sizes)
    of = numbers << bits | np.arange(bands[-1]) - bands[numbers]
    return [int(pair_number(of, bits, sizes.size, *pair, directed)) for pair in pairs]


def round_of(bands: np.ndarray, row: int, column: int) -> int:
    first, second = np.searchsorted(bands, [row, column], side="right") - 1
    return int(first + second) % (len(bands) - 1)


def some_entries(mirrored: bool, seed: int = 0, count: int = 600) -> list[Entries]:
    """The entries of each round, with values around x_max and words beside themselves among them."""
    rng = np.random.default_rng(seed)
    words = int(BANDS[-1])
    pairs = {tuple(pair) for pair in np.minimum(rng.zipf(1.2, (count, 2)) - 1, words - 1).tolist()}
    pairs |= {(word, word) for word in range(0, words, 4)}
    if mirrored:
        pairs = {(min(pair), max(pair)) for pair in pairs}
    ordered = [pair for _, pair in sorted(zip(numbered(BANDS, list(pairs), 1), pairs, strict=True))]
    rounds, first = [], 0
    for number in range(len(BANDS) - 1):
        chosen = np.array([pair for pair in ordered if round_of(BANDS, *pair) == number], np.int32)
        values = rng.choice([0.05, 0.5, 1, 9.99, 10, 10.01, 1000], len(chosen)) * rng.choice([1, 1.3], len(chosen))
        rows, columns = chosen.T.copy()
        arrays = rows, columns, values.astype(np.float32)
        for array in arrays:
            array.setflags(write=False)
        rounds.append(Entries(*arrays, first))
        first += len(chosen)
    return rounds


def listed(batch: Entries) -> list[tuple[int, int, float]]:
    return list(zip(batch.rows.tolist(), batch.columns.tolist(), batch.values.tolist(), strict=True))


def blocks_of(batch: Entries) -> list[int]:
    band = np.searchsorted(BANDS, [batch.rows, batch.columns], side="right") - 1
    return band.min(axis=0).tolist()


def parts(model: Glove) -> dict[str, np.ndarray]:
    """Views of what a model trains, and of the sums of squares, under the names of plain Python."""
    records, columns = model.arrays["records"].reshape(model.words, -1), model.config.vectors * 16
    vectors = [records[:, HEAD + n * columns :][:, : model.config.dim] for n in range(4)]
    names = [*ARRAYS, *(f"squares of {name}" for name in ARRAYS)]
    found = [vectors[0], vectors[1], records[:, 0], records[:, 1]]
    found += [vectors[2], vectors[3], records[:, 2], records[:, 3]]
    return dict(zip(names, found, strict=True))


def some_model(dim: int, mirrored: bool, threads: int = 1, **options) -> Glove:
    model = Glove(GloveConfig(dim=dim, **options), int(BANDS[-1]), threads, BANDS, mirrored)
    rng = np.random.default_rng(1)
    for name in ARRAYS:
        view = parts(model)[name]
        view[:] = rng.normal(0, 0.3, view.shape)
    return model


@pytest.mark.parametrize("mirrored", [True, False])
@pytest.mark.parametrize("dim", [1, 16, 17, 100])
def test_step_does_what_plain_python_does(dim, mirrored):
    options = {"learning_rate": 0.1, "x_max": 10.0, "alpha": 0.6}
    model = some_model(dim, mirrored, **options)
    plain = naive_glove.new_model(*(parts(model)[name] for name in ARRAYS))
    for epoch in (0, 3):
        for batch in some_entries(mirrored):
            result = model.step(batch, Position(epoch, 7))
            assert len(set(blocks_of(batch))) > 1
            entries = list(naive_glove.in_order(listed(batch), blocks_of(batch), model.config.seed, epoch, batch.first))
            assert sorted(entries) == sorted(listed(batch)) and entries != listed(batch)
            if mirrored:
                entries = list(naive_glove.with_mirror_images(entries))
            loss = naive_glove.train(plain, entries, 0.1, 10.0, 0.6)
            assert result.loss == pytest.approx(loss, rel=2e-5)
            assert result.examples == result.tokens == len(entries)
    expected = dict(zip(parts(model), [*plain[:4], *plain.squares], strict=True))
    for name, found in parts(model).items():
        np.testing.assert_allclose(found, expected[name], rtol=1e-4, atol=3e-5, err_msg=name)


@pytest.mark.parametrize("mirrored", [True, False])
def test_loss_at_chance_is_that_of_zeros(mirrored):
    model = Glove(GloveConfig(dim=16), 31, 1, BANDS, mirrored)
    assert model.loss_at_chance == 1.0
    examples, chance = 0, 0.0
    for batch in some_entries(mirrored):
        model.step(batch, Position(0, 0))
        entries = list(naive_glove.with_mirror_images(listed(batch)) if mirrored else listed(batch))
        examples += len(entries)
        logs = np.maximum(1, np.abs(np.log([value for *_, value in entries])))  # no nearer to 0 than 1
        chance += sum(
            naive_glove.weight_of(value, 10.0, 0.75) * log**2 / 2
            for (*_, value), log in zip(entries, logs, strict=True)
        )
    assert model.loss_at_chance == pytest.approx(chance / examples, rel=1e-4)
    assert not model.has_even_steps  # rounds differ too much: the loop looks at whole epochs


def test_entries_that_are_all_one_are_no_divergence():
    batch, model = some_entries(mirrored=True)[0], Glove(GloveConfig(dim=16), 31, 1, BANDS)
    result = model.step(batch._replace(values=np.ones(batch.rows.size, np.float32)), Position(0, 0))
    assert 0 < result.loss / result.examples < 20 * model.loss_at_chance


@pytest.mark.parametrize("dim", [1, 16, 17])
def test_what_pads_records_is_never_touched(dim):
    model = some_model(dim, mirrored=True)
    for batch in some_entries(mirrored=True):
        model.step(batch, Position(0, 0))
    records = model.arrays["records"].reshape(model.words, -1)
    vectors = records[:, HEAD:].reshape(model.words, 4, -1)[:, :, dim:]
    assert not records[:, 4:HEAD].any() and not vectors[:, :2].any() and (vectors[:, 2:] == 1).all()


@pytest.mark.parametrize("mirrored", [True, False])
@pytest.mark.parametrize("entry", [(0, 4, 3.0), (4, 0, 50.0), (2, 2, 0.7)])
def test_a_first_step_is_down_the_gradient_of_the_loss(mirrored, entry):
    """The change of every number is -rate times the loss's slope, by central differences; plain Python's, too."""
    if mirrored and entry[0] > entry[1]:
        entry = (entry[1], entry[0], entry[2])
    rate, x_max, alpha = 1e-3, 10.0, 0.75
    model = some_model(5, mirrored, learning_rate=rate, x_max=x_max, alpha=alpha)
    before = [parts(model)[name].astype(np.float64) for name in ARRAYS]
    entries = list(naive_glove.with_mirror_images([entry])) if mirrored else [entry]
    slopes = naive.gradients(lambda *moved: naive_glove.loss(*moved, entries, x_max, alpha), before)
    plain = naive_glove.new_model(*before)
    naive_glove.train(plain, entries, 1e-6, x_max, alpha)
    row, column, value = entry
    arrays = np.array([row], np.int32), np.array([column], np.int32), np.array([value], np.float32)
    model.step(Entries(*arrays, 0), Position(0, 0))
    touched = 0
    for name, start, after, slope in zip(ARRAYS, before, plain, slopes, strict=False):
        np.testing.assert_allclose((start - after) / 1e-6, slope, atol=1e-6)
        np.testing.assert_allclose((start - parts(model)[name]) / rate, slope, rtol=1e-3, atol=2e-4)
        touched += np.count_nonzero(slope)
    assert touched == (2 * 12 if mirrored and row != column else 12)


def test_a_long_block_is_shuffled_a_piece_at_a_time():
    rng = np.random.default_rng(0)
    size, bands = PIECE + 1000, np.array([0, 40])
    pairs = np.sort(rng.integers(0, 40, (size, 2)), axis=1).astype(np.int32)
    values = rng.uniform(0.5, 20, size).astype(np.float32)
    batch = Entries(*pairs.T.copy(), values, 5)
    model = Glove(GloveConfig(dim=1, learning_rate=0.01), 40, 1, bands, mirrored=False)
    plain = naive_glove.new_model(*(parts(model)[name] for name in ARRAYS))
    entries = list(naive_glove.in_order(listed(batch), [0] * size, 1, 2, 5))
    result = model.step(batch, Position(2, 0))
    loss = naive_glove.train(plain, entries, 0.01, 10.0, 0.75)
    assert result.loss == pytest.approx(loss, rel=1e-5)
    np.testing.assert_allclose(parts(model)["words"], plain.words, rtol=1e-3, atol=1e-4)
    assert sorted(entries[:PIECE]) == sorted(listed(batch)[:PIECE])


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


def test_the_order_is_another_in_each_epoch_and_with_each_seed():
    class Cooccurrences:
        batches = 50

        def batch(self, number: int) -> int:
            return number

    def steps(seed: int, epoch: int) -> list[int]:
        order = InRandomOrder(Cooccurrences(), seed)
        return [order.at(epoch, batch) for batch in range(50)]

    def trained(seed: int, epoch: int, first: int = 0) -> bytes:
        model = some_model(16, mirrored=True, seed=seed)
        model.step(some_entries(mirrored=True)[0]._replace(first=first), Position(epoch, 0))
        return model.arrays["records"].tobytes()

    ways = [*((1, epoch) for epoch in range(30)), (2, 0)]  # keys below and above 2**63 in turn
    orders = [steps(*way) for way in ways]
    assert all(sorted(order) == list(range(50)) for order in orders)
    assert len(set(map(tuple, orders))) == 31 and steps(1, 1) == orders[1]
    draws = [naive.bits(naive.stream(1, 2, naive_glove.BATCHES), number) for number in range(50)]
    assert orders[1] == sorted(range(50), key=draws.__getitem__)
    ways = [(1, 0), (1, 1), (2, 0), (1, 0, 1000)]
    assert len({trained(*way) for way in ways}) == 4 and trained(1, 1) == trained(1, 1)
    order = InRandomOrder(Cooccurrences(), 1)  # gone on with in the middle of an epoch, as after a stop
    assert order.at(1, 30) == orders[1][30] and order.at(0, 3) == orders[0][3]


@pytest.mark.parametrize("mirrored", [True, False])
def test_the_same_bytes_on_any_threads(mirrored):
    results = set()
    for threads in (1, 2, 4, 1):
        model = some_model(40, mirrored, threads)
        losses = [model.step(batch, Position(epoch, 0)) for epoch in range(20) for batch in some_entries(mirrored)]
        results.add((model.arrays["records"].tobytes(), tuple(losses), model.loss_at_chance))
        model.close()
    assert len(results) == 1


def test_training_comes_near_the_logarithms():
    model = Glove(GloveConfig(dim=20, learning_rate=0.05, seed=2), 31, 2, BANDS)
    losses = []
    for epoch in range(200):
        results = [model.step(batch, Position(epoch, 0)) for batch in some_entries(mirrored=True)]
        losses.append(sum(result.loss for result in results) / sum(result.examples for result in results))
    assert losses[0] == pytest.approx(model.loss_at_chance, rel=0.5) and losses[-1] < 0.02 * losses[0]


@pytest.mark.parametrize("answer", ["sum", "word", "context", "both"])
def test_answers_and_rows_that_are_set(answer):
    dim = 20
    model = some_model(dim, mirrored=True, answer=answer)
    before, found = model.arrays["records"].copy(), parts(model)
    words, contexts = found["words"].copy(), found["contexts"].copy()
    expected = {"sum": words + contexts, "word": words, "context": contexts, "both": np.hstack([words, contexts])}
    np.testing.assert_array_equal(model.vectors(3, 9), expected[answer][3:9])
    assert model.vectors(3, 9).dtype == np.float32 and model.vectors(0, 1).shape == (1, model.config.answer_dim)
    model.vectors(0, 31)[:] = 7
    np.testing.assert_array_equal(model.arrays["records"], before)
    rows = np.random.default_rng(2).normal(0, 1, (2, dim)).astype(np.float32)
    model.set_rows("inputs", np.array([30, 4]), rows)
    beside = rows + contexts[[30, 4]]  # what the context vectors were stays as a difference
    wanted = np.hstack([rows, beside]) if answer == "both" else rows
    np.testing.assert_allclose(model.vectors(0, 31)[[30, 4]], wanted, atol=1e-6)
    others = np.setdiff1d(np.arange(31), [30, 4])
    np.testing.assert_array_equal(model.vectors(0, 31)[others], expected[answer][others])
    assert np.count_nonzero(model.arrays["records"] != before) <= 4 * dim


def test_vectors_begin_small_and_differ():
    model = Glove(GloveConfig(dim=50), 31, 1, BANDS)
    found = parts(model)
    for name in ("words", "contexts"):
        assert 0.4 / 50 < np.abs(found[name]).max() <= 0.5 / 50 and np.unique(found[name]).size > 31 * 49
    assert not found["word_biases"].any() and not found["context_biases"].any()
    assert (found["words"] != found["contexts"]).all()
    again = Glove(GloveConfig(dim=50, seed=2), 31, 1, BANDS)
    assert (parts(again)["words"] != found["words"]).all()


def test_not_finite_names_the_array():
    model = some_model(8, mirrored=True)
    assert model.not_finite() is None
    for value in (np.nan, np.inf, -np.inf):
        model.arrays["records"][100] = value
        assert model.not_finite() == "records"


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("dim", 0, "dim must be at least 1, got 0"),
        ("window", 1001, "window must be at most 1000"),
        ("x_max", 0.0, "x_max must be above 0 and at most 1e"),
        ("learning_rate", float("inf"), "learning_rate must be above 0 and at most 1e"),
        ("alpha", -0.1, "alpha must be at least 0 and at most 100"),
        ("seed", -1, "seed must be at least 0"),
        ("sides", "up", "sides must be both or left or right, got 'up'"),
        ("weighting", "none", "weighting must be distance or flat"),
        ("answer", "all", "answer must be sum or word or context or both"),
    ],
)
def test_config_refuses_what_can_never_be_right(option, value, message):
    with pytest.raises(ValueError, match=message):
        GloveConfig(**{option: value})
