"""Language models of separate sequences in a padded batch: as the naive reference, and as each sequence alone."""

import warnings

import numpy as np
import pytest
from naive_recurrent import central_differences
from recurrent_models import naive_losses, plain, scattered, small, states

from streamvec.corpus.lanes import LaneBatch
from streamvec.models.cells import CELLS
from streamvec.models.languagemodel import LanguageModel
from streamvec.models.learning import OPTIMIZERS
from streamvec.models.step import Position

HERE = Position(0, 1)
LENGTHS = (2, 5, 0, 1, 4)
OUTPUTS = {
    "softmax": {},
    "tied": {"tied": True, "dim": 4},
    "adaptive": {"output": "adaptive", "cutoffs": "4,7"},
}


def padded_batch(words, lengths=LENGTHS, seed=7, fill=None):
    """Random sequences; what stands behind them is random too, or *fill*."""
    draw, lengths = np.random.default_rng(seed), np.array(lengths)
    inputs, targets = draw.integers(0, words, (2, lengths.max(), lengths.size)).astype(np.int32)
    if fill is not None:
        behind = np.arange(lengths.max())[:, None] >= lengths
        inputs[behind], targets[behind] = fill
    return LaneBatch(inputs, targets, True, lengths)


def lane_of(batch, lane):
    """One sequence by itself."""
    here = np.s_[: batch.lengths[lane], lane]
    return batch.inputs[here], batch.targets[here]


def options_of(**more):
    """Those of a model with room for the batch."""
    return small(**{"separate": True, "batch": len(LENGTHS), "bptt": max(LENGTHS), "dim": 3, **more})


def changes(model, batch, position=HERE):
    """What a step takes away from each parameter, and the step's result."""
    before = plain(model)
    result = model.step(batch, position)
    return {name: array - plain(model)[name] for name, array in before.items()}, result


@pytest.mark.parametrize("output", OUTPUTS)
@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("cell", CELLS)
def test_loss_and_gradients_are_those_of_the_reference(cell, layers, output):
    config = options_of(cell=cell, layers=layers, **OUTPUTS[output])
    model, batch = scattered(config), padded_batch(11)
    p, there = plain(model), np.flatnonzero(LENGTHS)

    def loss():
        return sum(naive_losses(config, p, *lane_of(batch, lane))[0].sum() for lane in there) / there.size

    found, result = changes(model, batch)
    assert result.examples == result.tokens == sum(LENGTHS)
    assert result.loss == pytest.approx(loss() * there.size, rel=1e-5)
    for name, array in p.items():
        expected = central_differences(loss, array)
        np.testing.assert_allclose(found[name], expected, atol=2e-5, err_msg=name)
        assert np.abs(expected).max() > 1e-3, name
    measured, count = model.loss([batch])
    after = plain(model)
    expected = sum(naive_losses(config, after, *lane_of(batch, lane))[0].sum() for lane in there)
    assert count == sum(LENGTHS) and measured == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("dropout", [0.0, 0.4])
def test_what_stands_behind_a_sequence_changes_no_byte(optimizer, dropout):
    """Of tokens that are met in any case: others would have a gradient of zero, which is still one for the sums."""
    config = options_of(optimizer=optimizer, dropout=dropout, layers=2, learning_rate=0.1)
    batch = padded_batch(11)
    met = batch.inputs[0, 0], batch.inputs[1, 1]
    found = []
    for fill in ((met[0], 3), (met[1], 9)):
        model = scattered(config)
        for state in states(model):
            state[:] = 0.5  # of whatever was read before
        results = [model.step(padded_batch(11, fill=fill), Position(0, number)) for number in range(2)]
        found.append((results, *(array.tobytes() for name, array in model.arrays.items() if name[:5] != "state")))
        assert all(not state.any() for state in states(model))  # nothing is carried on
    assert found[0] == found[1]


@pytest.mark.parametrize("output", [*OUTPUTS, "sampled", "nce"])
def test_a_padded_batch_is_its_sequences_alone(output):
    more = OUTPUTS.get(output, {"output": output, "samples": 5})
    config, counts = options_of(layers=2, **more), np.arange(1, 12)
    batch, there = padded_batch(11), np.flatnonzero(LENGTHS)
    together, result = changes(scattered(config, threads=2, counts=counts), batch)
    mean, loss = {name: np.zeros_like(array) for name, array in together.items()}, 0.0
    for lane in there:
        one = scattered(options_of(layers=2, **{**more, "batch": 1}), counts=counts)
        inputs, targets = lane_of(batch, lane)
        found, alone = changes(one, LaneBatch(inputs[:, None], targets[:, None], True))
        loss += alone.loss
        for name, change in found.items():
            mean[name] += change / there.size
    assert result.loss == pytest.approx(loss, rel=1e-5)
    for name, change in together.items():
        np.testing.assert_allclose(change, mean[name], atol=3e-6, err_msg=name)


def test_states_that_would_grow_without_bounds_end_with_their_sequence():
    config = options_of(cell="rnn-relu", bptt=400, batch=2, clip=1.0)
    model, batch = LanguageModel(config, 11, 5), padded_batch(11, (3, 400))
    for name, array in model.parameters.items():
        array[:] = 0.0 if name.endswith(".b") else 0.1
    model.parameters["0.forward.U"][:4, :4] = np.eye(4) * 1e-3  # the long one stays small
    model.parameters["0.forward.U"][0, 0] = 3.0  # 3 ** 397 would be beyond all numbers
    model.parameters["embedding"][:] = 0
    model.parameters["embedding"][1, :3] = 1.0
    batch.inputs[:] = 0
    batch.inputs[0, 0] = 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = model.step(batch, HERE)
    assert np.isfinite(result.loss) and model.not_finite() is None


@pytest.mark.parametrize("output", [*OUTPUTS, "nce"])
def test_same_bytes_for_any_number_of_threads(output):
    more = {"dropout": 0.3, "optimizer": "adam", "clip": 0.5, **OUTPUTS.get(output, {"output": output, "samples": 9})}
    lengths = np.random.default_rng(1).integers(1, 9, 67)
    lengths[60:] = 0
    options = {"hidden": 20, "dim": 20, "layers": 2, "batch": 67, "bptt": 9}
    config, found = options_of(**{**more, **options}), set()
    for threads in (1, 2, 3):
        model = LanguageModel(config, 1100, 5, threads, counts=np.arange(1, 1101))
        batches = [padded_batch(1100, lengths, seed=seed) for seed in range(3)]
        losses = [model.step(batch, Position(0, number)).loss for number, batch in enumerate(batches)]
        found.add((*losses, *model.loss(batches), *(array.tobytes() for array in model.arrays.values())))
        model.close()
    assert len(found) == 1


def test_gradients_with_dropout_are_those_of_what_was_kept():
    config = options_of(layers=2, hidden=6, dropout=0.4)
    model, batch, there = scattered(config), padded_batch(11), np.flatnonzero(LENGTHS)
    p = plain(model)
    found, result = changes(model, batch)
    parts = zip(*(group._masks for group in model._groups.groups), strict=True)
    masks = [np.concatenate(part, axis=1)[:, :, : 3 if place == 0 else 6] for place, part in enumerate(parts)]

    def loss():
        return sum(
            naive_losses(config, p, *lane_of(batch, n), masks=[mask[: LENGTHS[n], n] for mask in masks])[0].sum()
            for n in there
        )

    assert result.loss == pytest.approx(loss(), rel=1e-5)
    for name, array in p.items():
        expected = central_differences(loss, array) / there.size
        np.testing.assert_allclose(found[name], expected, atol=2e-5, err_msg=name)


@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm"])
def test_norms_by_distance_count_back_from_each_end(cell):
    config = options_of(cell=cell, layers=2)
    model, batch, there = scattered(config, threads=2), padded_batch(11), np.flatnonzero(LENGTHS)
    found, alone = model.gradients_by_distance(batch, HERE), {}
    for lane in there:
        one = scattered(options_of(cell=cell, layers=2, batch=1))
        inputs, targets = lane_of(batch, lane)
        for place, norms in one.gradients_by_distance(LaneBatch(inputs[:, None], targets[:, None], True), HERE).items():
            alone.setdefault(place, []).append(norms)
    assert set(found) == set(alone)
    for place, norms in found.items():
        for distance in range(max(LENGTHS)):
            each = [one[distance] for one in alone[place] if len(one) > distance]
            assert norms[distance] == pytest.approx(np.mean(each), rel=1e-4)
