"""GloVe models against plain Python: steps and gradients, the same bytes on any threads, answers, and options."""

import naive
import naive_glove
import numpy as np
import pytest
from glove_models import ARRAYS, BANDS, blocks_of, listed, parts, some_entries, some_model

from streamvec.corpus.cooccurrences import Entries
from streamvec.kernels.records import HEAD, PIECE
from streamvec.models.glove import Glove, InRandomOrder
from streamvec.models.gloveconfig import GloveConfig
from streamvec.models.step import Position


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
