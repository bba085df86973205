"""Learning from labelled examples: the same bytes on any number of threads, and gradients as of one group."""

import random

import numpy as np
import pytest
from networks import examples, gradients_of

from streamvec.models.bagclassifier import BagClassifier
from streamvec.models.cells import CELLS
from streamvec.models.classifierconfig import ClassifierConfig
from streamvec.models.learner import Learner, groups_of
from streamvec.models.sequenceclassifier import SequenceClassifier
from streamvec.models.step import Position

WORDS = 40
KINDS = [
    {"encoder": "mean", "ngrams": 2, "dropout": 0.5},
    {"encoder": "lstm", "bidirectional": True, "dropout": 0.3, "optimizer": "adagrad"},
    {"encoder": "gru", "pool": "mean", "layers": 2, "optimizer": "momentum", "dropout": 0.0},
]


def drawn(count, seed=1):
    draw = random.Random(seed)
    texts = [[draw.randrange(WORDS) for _ in range(draw.choice([0, 1, 3, 9]))] for _ in range(count)]
    return examples(texts, [[draw.randrange(3)] for _ in range(count)])


def learner(options, threads=1, known=None, **more):
    suited = {"hidden": 5} if options["encoder"] in CELLS else {"buckets": 13}
    config = ClassifierConfig(**{"dim": 6, "batch": 70, **suited, **options})
    kind = SequenceClassifier if config.is_recurrent else BagClassifier
    return Learner(config, lambda: kind(config, WORDS, 3, known), 10, threads, dim=6, **more)


def trained(options, threads, sizes=(70, 1, 65, 33)):
    model = learner(options, threads)
    try:
        results = [model.step(drawn(size, size), Position(0, step)) for step, size in enumerate(sizes)]
        answers = model.answers(drawn(200, 9))
        return {name: array.copy() for name, array in model.arrays.items()}, results, np.stack(answers)
    finally:
        model.close()


@pytest.mark.parametrize("options", KINDS, ids=str)
def test_the_same_bytes_on_any_number_of_threads(options):
    (arrays, results, answers), *others = [trained(options, threads) for threads in (1, 2, 3)]
    assert all(np.isfinite(array).all() for array in arrays.values())
    for found, said, answered in others:
        assert said == results
        assert answered.tobytes() == answers.tobytes()
        for name, array in arrays.items():
            assert found[name].tobytes() == array.tobytes(), name


@pytest.mark.parametrize(("size", "groups"), [(1, 1), (2, 2), (64, 2), (65, 4), (128, 4), (129, 6), (1000, 32)])
def test_a_batch_has_an_even_number_of_groups_of_at_most_32(size, groups):
    assert groups_of(size) == groups
    assert -(-size // groups) <= 32


@pytest.mark.parametrize("options", [{**kind, "dropout": 0.0} for kind in KINDS], ids=str)
@pytest.mark.parametrize("size", [1, 65])
def test_a_step_goes_along_the_gradient_of_one_group(options, size):
    """Plain gradient descent, the whole batch in one pass of one network."""
    model = learner({**options, "optimizer": "sgd", "clip": 0.0, "learning_rate": 0.5})
    batch = drawn(size, 3)
    before = {name: array.copy() for name, array in model.parameters.items()}
    config = model.config
    net = (SequenceClassifier if config.is_recurrent else BagClassifier)(config, WORDS, 3)
    gradients = gradients_of(net, before, batch)
    loss, count = net.loss(before, batch, None)
    result = model.step(batch, Position(0, 0))
    assert (result.loss, result.examples, result.tokens) == (
        pytest.approx(loss, rel=1e-4),
        size,
        batch.words.values.size,
    )
    for name, array in model.parameters.items():
        gradient = gradients.get(name, np.zeros(array.shape))  # none for what is fixed
        np.testing.assert_allclose(array, before[name] - 0.5 * gradient / count, rtol=1e-4, atol=1e-6, err_msg=name)
    model.close()


def test_losses_and_answers_are_those_of_each_example():
    model = learner(KINDS[1], threads=2)
    batch = drawn(150, 4)
    alone = [batch.take(np.array([place])) for place in range(150)]
    loss, count = model.loss(batch)
    assert (loss, count) == (pytest.approx(sum(model.loss(one)[0] for one in alone), rel=1e-4), 150)
    for one, answer in zip(alone, model.answers(batch), strict=True):
        np.testing.assert_allclose(answer, model.answers(one)[0], rtol=1e-4)
    model.close()


@pytest.mark.parametrize("options", [KINDS[0], KINDS[1]], ids=str)
def test_frozen_rows_stay_and_others_do_not(options):
    model = learner({**options, "learning_rate": 0.1}, freezes=True, shift=2)
    rows = np.random.default_rng(1).normal(size=(3, 6)).astype(np.float32)
    model.set_rows("", np.array([0, 5, 7]), rows)
    start = model.parameters["embedding"].copy()
    for step in range(4):
        model.step(drawn(70, step), Position(0, step))
    end = model.parameters["embedding"]
    frozen = [2, 7, 9]
    assert (end[frozen] == start[frozen]).all() and (model.vectors(2, 3) == rows[0]).all()
    others = [word for word in range(WORDS) if word not in frozen]
    assert (end[others, :6] != start[others, :6]).any(axis=1).all()
    assert (end[:, 6:] == 0).all()
    model.close()


def test_words_without_vectors_of_the_model_are_read_from_the_known():
    vectors = np.random.default_rng(2).normal(size=(4, 6)).astype(np.float32)
    model = learner(KINDS[0], known=lambda rows: vectors[rows])
    batch = examples([[WORDS + 3, 1], [WORDS + 1]], [[0], [1]])
    before = model.parameters["embedding"].copy()
    model.step(batch, Position(0, 0))
    changed = np.flatnonzero((model.parameters["embedding"] != before).any(axis=1))
    assert changed.tolist() == [1]
    model.close()


def test_a_model_that_only_answers_keeps_no_sums():
    model = learner(KINDS[0], trains=False)
    assert set(model.arrays) == set(model.parameters)
    assert len(model.answers(drawn(3))) == 3 and model.not_finite() is None
    model.parameters["classes"][0, 0] = np.nan
    assert model.not_finite() == "classes"
    model.close()
