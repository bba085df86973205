"""Language models against a naive reference in float64: losses, gradients, states, dropout, bytes on all threads."""

import math
from itertools import pairwise

import numpy as np
import pytest
from naive_recurrent import central_differences
from recurrent_models import (
    naive_losses,
    places,
    plain,
    scattered,
    small,
    some_batch,
    states,
    states_of_lane,
    zeros,
)

from streamvec.corpus.lanes import LaneBatch
from streamvec.kernels.dropout import fill_mask
from streamvec.kernels.random import DROPOUT, stream
from streamvec.models.cells import CELLS
from streamvec.models.languagemodel import LanguageModel
from streamvec.models.learning import OPTIMIZERS
from streamvec.models.step import Position

HERE = Position(0, 1)
OUTPUTS = {"softmax": {}, "tied": {"tied": True}, "adaptive": {"output": "adaptive", "cutoffs": "4,7"}}


def changes(model, batch, position=HERE):
    """What a step takes away from each parameter, in float64 and unpadded; and the step's result."""
    before = plain(model)
    result = model.step(batch, position)
    after = plain(model)
    return {name: before[name] - after[name] for name in before}, result


@pytest.mark.parametrize("output", OUTPUTS)
@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("cell", CELLS)
def test_loss_and_gradients_are_those_of_the_reference(cell, layers, output):
    more = OUTPUTS[output] if output == "tied" else {"dim": 3, **OUTPUTS[output]}
    config = small(cell, layers=layers, **more)
    model, batch = scattered(config), some_batch(config, 11)
    p, carried = plain(model), [states_of_lane(model, lane) for lane in range(config.batch)]

    def loss():
        found = (
            naive_losses(config, p, batch.inputs[:, lane], batch.targets[:, lane], carried[lane])[0].sum()
            for lane in range(config.batch)
        )
        return sum(found) / config.batch

    found, result = changes(model, batch)
    assert result.examples == result.tokens == batch.targets.size
    assert result.loss == pytest.approx(loss() * config.batch, rel=1e-5)
    for name, array in p.items():
        expected = central_differences(loss, array)
        np.testing.assert_allclose(found[name], expected, atol=2e-5, err_msg=name)
        assert np.abs(expected).max() > 1e-3, name  # so that nothing is compared with zeros


@pytest.mark.parametrize("output", OUTPUTS)
@pytest.mark.parametrize("cell", CELLS)
def test_sizes_that_are_no_multiple_of_16(cell, output):
    for hidden, dim in ((17, 5), (33, 20), (16, 32)):
        more = {"dim": hidden if output == "tied" else dim, "hidden": hidden, **OUTPUTS[output]}
        config = small(cell, layers=2, learning_rate=0.01, **more)
        model, batch = scattered(config, words=600, spread=0.2), some_batch(config, 600)
        p = plain(model)
        lanes = [
            naive_losses(config, p, batch.inputs[:, n], batch.targets[:, n], states_of_lane(model, n))
            for n in range(config.batch)
        ]
        assert model.step(batch, HERE).loss == pytest.approx(sum(loss.sum() for loss, _ in lanes), rel=1e-5)
        for lane, (_, after) in enumerate(lanes):
            np.testing.assert_allclose(states_of_lane(model, lane), after, atol=1e-5)
        assert not (padding(model) != 0).any()


def padding(model):
    """All numbers that pad parameters, sums and states, end to end."""
    found = [np.zeros(0, np.float32)]
    for name, array in model.arrays.items():
        is_padding = np.ones(array.shape, bool)
        if name.startswith("state"):
            is_padding[:, : model.config.hidden] = False
        else:
            of = name
            while of not in model.parameters:  # a sum of the optimizer
                of = of.rpartition(".")[0]
            is_padding[places(model.config, of, array.shape)] = False
        found.append(array[is_padding])
    return np.concatenate(found)


@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm"])
def test_steps_are_one_long_pass_and_an_epoch_forgets(cell):
    config = small(cell, layers=2, hidden=5, dim=3, batch=3, learning_rate=1e-30)
    whole = some_batch(config, 11, steps=10)  # three steps of 3, and one of 1
    cuts = [*range(0, 10, 3), 10]
    batches = [LaneBatch(whole.inputs[a:b], whole.targets[a:b], a == 0) for a, b in pairwise(cuts)]
    model = scattered(config)
    p, expected, after = plain(model), 0.0, []
    for lane in range(3):
        loss, state = naive_losses(config, p, whole.inputs[:, lane], whole.targets[:, lane], zeros(config))
        expected, after = expected + loss.sum(), [*after, state]
    for _ in range(2):  # whatever state there was before
        trained = sum(model.step(batch, Position(0, number)).loss for number, batch in enumerate(batches))
        assert trained == pytest.approx(expected, rel=1e-5)
        np.testing.assert_allclose([states_of_lane(model, lane) for lane in range(3)], after, atol=1e-5)
    for _ in range(2):
        measured, count = model.loss(batches)
        assert measured == pytest.approx(expected, rel=1e-5) and count == whole.targets.size
    reader = model.reader(3, 10)
    assert reader.loss([whole._replace(begins=True)])[0] == pytest.approx(expected, rel=1e-5)


def test_a_token_at_a_time_is_the_same_pass():
    for more in ({"tied": True, "dim": 5}, {"output": "adaptive", "cutoffs": "4,7"}):
        config = small(layers=2, hidden=5, dim=more.pop("dim", 3), **more)
        model = scattered(config)
        reader, p = model.reader(1), plain(model)
        reader.forget()
        text = np.random.default_rng(2).integers(0, 11, 9)
        found = [-reader.read(int(token))[following] for token, following in pairwise(text)]
        expected, _ = naive_losses(config, p, text[:-1], text[1:])
        np.testing.assert_allclose(found, expected, rtol=1e-5)
        assert np.exp(reader.read(3)).sum() == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize(("lanes", "groups"), [(5, 2), (16, 2), (64, 2), (65, 4)])
def test_groups_of_lanes_change_nothing_but_rounding(lanes, groups):
    config = small(hidden=6, dim=3, layers=2, batch=lanes)
    batch = some_batch(config, 11)
    together, result = changes(scattered(config, threads=2), batch)
    assert len(config.groups(lanes)) == groups
    mean, loss = {name: np.zeros_like(array) for name, array in together.items()}, 0.0
    start = scattered(config)
    for lane in range(lanes):
        one = scattered(small(hidden=6, dim=3, layers=2, batch=1))
        for state, whole in zip(states(one), states(start), strict=True):
            state[:] = whole[lane : lane + 1]
        found, alone = changes(one, LaneBatch(*(part[:, lane : lane + 1] for part in batch[:2]), False))
        loss += alone.loss
        for name, change in found.items():
            mean[name] += change / lanes
    assert result.loss == pytest.approx(loss, rel=1e-6)
    for name, change in together.items():
        np.testing.assert_allclose(change, mean[name], atol=2e-6, err_msg=name)


@pytest.mark.parametrize("output", OUTPUTS)
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_same_bytes_for_any_number_of_threads(optimizer, output):
    more = {"dropout": 0.3, "optimizer": optimizer, "learning_rate": 0.05, "clip": 0.5, **OUTPUTS[output]}
    config, found = small(hidden=20, dim=20, layers=2, batch=37, **more), set()
    for threads in (1, 2, 3):
        model = LanguageModel(config, 1100, 5, threads)
        batches = [some_batch(config, 1100, seed=seed, begins=seed == 0) for seed in range(3)]
        losses = [model.step(batch, Position(0, number)).loss for number, batch in enumerate(batches)]
        measured = model.loss(batches)
        found.add((*losses, *measured, *(array.tobytes() for array in model.arrays.values())))
        assert not padding(model).any()
        model.close()
    assert len(found) == 1


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("cell", CELLS)
def test_training_learns_what_comes_next_and_padding_stays_zero(cell, optimizer):
    rates = {"sgd": 0.5, "momentum": 0.05, "adagrad": 0.1, "adam": 0.01}
    config = small(cell, optimizer=optimizer, hidden=20, dim=7, bptt=6, clip=5.0, learning_rate=rates[optimizer])
    model = LanguageModel(config, 11, 100)
    text = np.tile(np.arange(11), 60)[: 6 * 100 + 1].astype(np.int32)
    losses = []
    for number in range(100):
        part = np.repeat(text[6 * number : 6 * number + 7, None], 2, axis=1)
        result = model.step(LaneBatch(part[:-1], part[1:], number == 0), Position(0, number))
        losses.append(result.loss / result.examples)
    assert losses[0] == pytest.approx(math.log(11), abs=0.2) and min(losses) < 0.75 * losses[0]
    assert not padding(model).any()
    assert model.not_finite() is None


def test_a_shorter_last_step_takes_nothing_of_a_longer_one():
    config = small(layers=2, learning_rate=0.1)
    batch = some_batch(config, 11, steps=1, begins=True)
    fresh, used = scattered(config), scattered(config)
    used.loss([some_batch(config, 11, seed=seed) for seed in (1, 2)])
    expected, result = changes(fresh, batch)
    found, again = changes(used, batch)
    assert result == again and result.examples == config.batch
    for name, change in expected.items():
        np.testing.assert_array_equal(found[name], change, err_msg=name)


@pytest.mark.parametrize("output", OUTPUTS)
def test_clipping_is_by_the_norm_of_all_gradients_together(output):
    config = small(layers=2, **OUTPUTS[output])
    batch = some_batch(config, 11)
    free, _ = changes(scattered(config), batch)
    norm = math.sqrt(sum((change**2).sum() for change in free.values()))
    assert norm > 0.5
    for clip in (0.01, 0.5 * norm, 1.01 * norm):
        clipped = small(layers=2, **OUTPUTS[output], clip=clip)
        found, _ = changes(scattered(clipped), batch)
        for name, change in found.items():
            np.testing.assert_allclose(change, free[name] * min(1, clip / norm), atol=3e-7, err_msg=name)


def test_learning_rate_falls_from_an_epoch_on():
    model = LanguageModel(small(learning_rate=2.0, decay=0.5, decay_after=2), 5, 3)
    rates = [model.learning_rate(Position(epoch, batch)) for epoch in range(5) for batch in (0, 2)]
    assert rates == [2, 2, 2, 2, 1, 1, 0.5, 0.5, 0.25, 0.25]
    first = LanguageModel(small(learning_rate=2.0, decay=0.5, decay_after=0), 5, 3)
    assert first.learning_rate(Position(0, 0)) == 1
    config = small(decay=0.5, decay_after=1)
    batch = some_batch(config, 11)
    whole, _ = changes(scattered(config), batch, Position(0, 1))
    part, _ = changes(scattered(config), batch, Position(2, 1))
    for name, change in whole.items():
        np.testing.assert_allclose(part[name], change / 4, atol=3e-7)


def test_usual_learning_rates_are_those_of_the_optimizer():
    for optimizer, rate in {"sgd": 1.0, "momentum": 0.1, "adagrad": 0.1, "adam": 0.002}.items():
        assert small(optimizer=optimizer, learning_rate=0).learning_rate == rate
    for optimizer, rate in {"sgd": 0.1, "momentum": 0.03, "adagrad": 0.005, "adam": 0.001}.items():
        assert small("rnn-relu", optimizer=optimizer, learning_rate=0).learning_rate == rate


@pytest.mark.parametrize("drop", [0.1, 0.5, 0.65])
def test_a_mask_keeps_its_share_and_the_mean(drop):
    mask = np.empty(200_000, np.float32)
    fill_mask(mask, np.uint64(stream(1, 1, DROPOUT)), 0, drop)
    kept = mask > 0
    assert set(np.unique(mask)) == {np.float32(0), np.float32(1 / (1 - drop))}
    spread = math.sqrt(drop * (1 - drop) / mask.size)
    assert abs(kept.mean() - (1 - drop)) < 4 * spread
    for apart in (
        1,
        2,
        3,
        4,
        16,
        64,
        6400,
    ):  # neighbours, of one word of bits and of others, know nothing of each other
        both = (kept[:-apart] & kept[apart:]).mean()
        assert abs(both - (1 - drop) ** 2) < 4 * math.sqrt(1 / mask.size)
    part = np.empty(1000, np.float32)
    fill_mask(part, np.uint64(stream(1, 1, DROPOUT)), 4000, drop)
    np.testing.assert_array_equal(part, mask[4000:5000])  # a function of the place


def masks_of(model, batch, position):
    """Dropout's masks of a step: of each place, [steps, lanes, columns], all groups side by side."""
    model.step(batch, position)
    return drawn(model)


def drawn(model):
    """The masks of the last step."""
    each = [group._masks for group in model._groups.groups]
    return [np.concatenate(parts, axis=1) for parts in zip(*each, strict=True)]


def test_dropout_is_another_one_for_each_lane_step_layer_and_epoch():
    config = small(hidden=48, dim=48, layers=2, batch=20, bptt=5, dropout=0.5, learning_rate=1e-30)
    model = LanguageModel(config, 11, 9)
    seen = {}
    for position in (Position(0, 0), Position(0, 1), Position(1, 0), Position(1, 8)):
        for place, mask in enumerate(masks_of(model, some_batch(config, 11), position)):
            for index in np.ndindex(5, 20):
                seen[(*position, place, *index)] = (mask[index] > 0).tobytes()
    assert len(seen) == len(set(seen.values())) == 4 * 3 * 5 * 20
    again = masks_of(model, some_batch(config, 11), Position(0, 1))
    assert (again[2][3, 19] > 0).tobytes() == seen[0, 1, 2, 3, 19]


def test_gradients_with_dropout_are_those_of_what_was_kept():
    config = small(layers=2, hidden=6, dim=3, dropout=0.4, batch=2)
    model, batch = scattered(config), some_batch(config, 11)
    p, carried = plain(model), [states_of_lane(model, lane) for lane in range(2)]
    found, result = changes(model, batch)
    each = [mask[:, :, : 3 if place == 0 else 6] for place, mask in enumerate(drawn(model))]

    def loss():
        return sum(
            naive_losses(config, p, batch.inputs[:, n], batch.targets[:, n], carried[n], [m[:, n] for m in each])[
                0
            ].sum()
            for n in range(2)
        )

    assert result.loss == pytest.approx(loss(), rel=1e-5)
    for name, array in p.items():
        np.testing.assert_allclose(found[name], central_differences(loss, array) / 2, atol=2e-5, err_msg=name)


def test_nothing_is_left_out_where_it_is_measured():
    batches = [some_batch(small(), 11, seed=seed, begins=seed == 0) for seed in range(3)]
    without, having = (scattered(small(layers=2, dropout=drop)) for drop in (0.0, 0.7))
    assert without.loss(batches) == having.loss(batches)
    having.step(batches[0], Position(0, 0))  # draws masks, which must not stay
    for name, array in without.parameters.items():
        having.parameters[name][:] = array
    assert without.loss(batches) == having.loss(batches)
    assert (without.reader(1).read(3) == having.reader(1).read(3)).all()


def test_a_reader_has_the_same_parameters_and_a_state_of_its_own():
    config = small(layers=2, learning_rate=0.5)
    model = scattered(config)
    reader = model.reader(1, 8)
    text = some_batch(config, 11, steps=8, lanes=1, begins=True)
    before = reader.loss([text])[0]
    held = [state.copy() for state in states(model)]
    assert reader.loss([text])[0] == before
    model.step(some_batch(config, 11), HERE)
    after, expected = reader.loss([text])[0], naive_losses(config, plain(model), text.inputs[:, 0], text.targets[:, 0])
    assert after != before and after == pytest.approx(expected[0].sum(), rel=1e-5)
    model.step(some_batch(config, 11), HERE)
    for mine, old in zip(states(model), held, strict=True):
        assert not (mine == old).all()  # the model went on with its own
    assert all(reader.parameters[name] is array for name, array in model.parameters.items())
    assert not set(model.parameters) & set(reader.arrays)  # it holds no second set


@pytest.mark.parametrize("output", OUTPUTS)
@pytest.mark.parametrize("cell", CELLS)
def test_initial_values(cell, output):
    config = small(cell, hidden=40, dim=40, layers=2, **OUTPUTS[output])
    model = LanguageModel(config, 200, 5)
    for name, array in plain(model).items():
        if name.endswith((".b", ".d")):
            expected = np.zeros(array.size)
            if cell == "lstm" and name.endswith("forward.b"):
                expected[40:80] = 1  # forget gates are open
            np.testing.assert_array_equal(array, expected)
        else:
            reach = 1 / math.sqrt(40) if name.endswith(("W", "U")) else 0.1
            reach *= 0.5 if cell == "rnn-relu" and name.endswith("U") else 1
            assert np.abs(array).max() <= reach and np.abs(array).max() > 0.95 * reach
            assert abs(array.mean()) < 4 * reach / math.sqrt(3 * array.size)
            assert np.unique(array).size > 0.9 * array.size, name  # gates and layers do not share their numbers
    assert not padding(model).any()
    assert sum(array.size for array in model.arrays.values()) > padding(model).size
    other = LanguageModel(small(cell, hidden=40, dim=40, layers=2, seed=2, **OUTPUTS[output]), 200, 5)
    assert all((other.parameters[n] != a).any() for n, a in model.parameters.items() if n.endswith(("W", "U", "g")))


def test_sums_of_an_optimizer_are_part_of_what_is_kept_and_readers_have_none():
    for optimizer, sums in {"sgd": 0, "momentum": 1, "adagrad": 1, "adam": 2}.items():
        model = LanguageModel(small(optimizer=optimizer), 11, 5)
        parameters, kept = len(model.parameters), 2  # h and c of one layer
        assert len(model.arrays) == parameters * (1 + sums) + kept
        assert set(model.reader(1).arrays) == {"state.0", "state.1"}


def test_not_finite_names_the_array():
    model = LanguageModel(small(layers=2), 11, 5)
    assert model.not_finite() is None
    model.parameters["1.forward.U"][3, 7] = np.inf
    assert model.not_finite() == "1.forward.U"
    with np.errstate(invalid="ignore"):
        assert math.isnan(model.step(some_batch(model.config, 11), HERE).loss)
