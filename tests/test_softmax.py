"""The full softmax against plain Python, its gradient against central differences, the same bytes on all threads."""

from itertools import pairwise

import naive
import numpy as np
import pytest
from test_skipgram import KINDS, counts_of, matrix, some_batch

from streamvec.errors import StreamvecError
from streamvec.models import softmax
from streamvec.models.skipgram import SkipGram
from streamvec.models.step import Position
from streamvec.models.wordconfig import SkipGramConfig


def filled(model: SkipGram, spread: float = 0.3) -> tuple[np.ndarray, np.ndarray]:
    """Gives a model normal numbers; returns its matrices in float64, without the zero row."""
    rng = np.random.default_rng(3)
    for name in ("inputs", "outputs"):
        for column, part in model.slices(name):
            wanted = max(0, min(part.shape[1], model.config.dim - column))
            part[:-1, :wanted] = rng.normal(0, spread, (model.words, wanted))
    return matrix(model, "inputs").astype(np.float64)[:-1], matrix(model, "outputs").astype(np.float64)[:-1]


def windows(model: SkipGram, kept: int) -> list[tuple[int, int, list[int]]]:
    """(place, word, places of the contexts) of each center of the step that the model has drawn."""
    step = model._step
    return [
        (i, int(step.tokens[i]), [j for j in range(i - step.left[i], i + step.right[i] + 1) if j != i])
        for i in range(kept)
    ]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("words", "dim", "window", "batch", "sides"),
    [(50, 10, 2, 8, "both"), (700, 100, 5, 64, "both"), (1100, 33, 4, 32, "left"), (2, 16, 1, 1, "right")],
)
def test_step_does_what_plain_python_does(kind, words, dim, window, batch, sides):
    rates = {"learning_rate": 0.02, "final_learning_rate": 0.02}
    config = kind(dim=dim, window=window, batch=batch, sample=1e-2, objective="softmax", sides=sides, **rates)
    model = SkipGram(config, counts_of(words), steps=1, threads=2)
    inputs, outputs = filled(model)
    tokens = some_batch(words, 400)
    result = model.step(tokens, Position(2, 7))
    kept = model._draw(tokens, 3, 7, held_out=False)
    rows = naive.softmax_rows(windows(model, kept), config.averaged)
    loss = 0.0
    edges = [*np.flatnonzero(model._step.starts[:kept]), kept]
    assert np.diff(edges).max() <= batch and len(edges) > 2
    for first, last in pairwise(edges):
        taken = [rows[place] for place in range(first, last) if place in rows]
        taken = [([int(model._step.tokens[i]) for i in places], predicted) for places, predicted in taken]
        loss += sum(naive.softmax_loss(inputs, outputs, row) for row in taken)
        naive.softmax_batch(inputs, outputs, taken, 0.02)
    assert result.examples == sum(len(predicted) for _, predicted in rows.values())
    assert result.loss == pytest.approx(loss, rel=1e-5)
    np.testing.assert_allclose(matrix(model, "inputs")[:-1], inputs, atol=3e-5)
    np.testing.assert_allclose(matrix(model, "outputs")[:-1], outputs, atol=3e-5)
    assert not matrix(model, "inputs")[-1].any() and not matrix(model, "outputs")[-1].any()
    model.close()


def test_update_is_the_gradient_of_the_loss():
    rng = np.random.default_rng(0)
    inputs, outputs = rng.normal(0, 0.5, (6, 4)), rng.normal(0, 0.5, (6, 4))
    batch, rate = [([1, 3, 4], [2, 2, 5]), ([4], [4, 0])], 1e-6
    slopes = naive.gradients(lambda *moved: sum(naive.softmax_loss(*moved, one) for one in batch), [inputs, outputs])
    changed = [inputs.copy(), outputs.copy()]
    naive.softmax_batch(*changed, batch, rate)
    for after, before, slope in zip(changed, [inputs, outputs], slopes, strict=True):
        np.testing.assert_allclose((before - after) / rate, slope, atol=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_same_bytes_for_any_number_of_threads(kind):
    found = set()
    for threads in (1, 2, 3, 4):
        model = SkipGram(kind(dim=33, objective="softmax", sample=0), counts_of(1300), steps=2, threads=threads)
        losses = [model.step(some_batch(1300, 1500, seed), Position(0, seed)).loss for seed in (0, 1)]
        found.add((model.arrays["inputs"].tobytes(), model.arrays["outputs"].tobytes(), *losses))
        model.close()
    assert len(found) == 1


@pytest.mark.parametrize("kind", KINDS)
def test_held_out_loss_is_the_cross_entropy_and_changes_nothing(kind):
    model = SkipGram(kind(dim=12, objective="softmax", holdout=0.5, sample=0), counts_of(60), steps=1)
    inputs, outputs = filled(model, 1.5)
    before = {name: array.copy() for name, array in model.arrays.items()}
    batch = some_batch(60, 600)
    loss = model.held_out_loss([(0, batch)])
    kept = model._draw(batch, 0, 0, held_out=True)
    assert 100 < kept < 500
    rows = naive.softmax_rows(windows(model, kept), model.config.averaged)
    rows = [([int(model._step.tokens[i]) for i in places], predicted) for places, predicted in rows.values()]
    total = sum(naive.softmax_loss(inputs, outputs, row) for row in rows)
    assert loss == pytest.approx(total / sum(len(predicted) for _, predicted in rows), rel=1e-5)
    assert all((model.arrays[name] == array).all() for name, array in before.items())


def test_a_number_that_is_none_is_not_lost():
    model = SkipGram(SkipGramConfig(dim=8, objective="softmax", sample=0), counts_of(1000), steps=1)
    matrix(model, "outputs")
    model.arrays["outputs"][16 * 700] = np.nan
    assert np.isnan(model.step(some_batch(50, 300), Position(0, 0)).loss)


def test_a_softmax_that_would_take_weeks_is_refused_with_its_cost():
    config = SkipGramConfig(objective="softmax", dim=100, epochs=5)
    softmax.refuse_infeasible(config, 10_000, 17_000_000, threads=2)
    with pytest.raises(
        StreamvecError, match=r"1,000,000 words costs 600 million.*days for 5 epochs.*max-vocab"
    ) as told:
        softmax.refuse_infeasible(config, 1_000_000, 10_000_000_000, threads=2)
    assert "--objective hs" in str(told.value)


def test_softmax_does_not_race():
    with pytest.raises(ValueError, match="mode must be exact with objective softmax"):
        SkipGramConfig(objective="softmax", mode="hogwild")
