"""The networks of the classifier: losses against plain Python, gradients against central differences."""

import math

import numpy as np
import pytest
from networks import check_gradients, check_padding, examples, gradients_of, random_parameters

from streamvec.models.bagclassifier import BagClassifier
from streamvec.models.cells import CELLS
from streamvec.models.classifierconfig import ClassifierConfig
from streamvec.models.network import Chance
from streamvec.models.sequenceclassifier import SequenceClassifier

WORDS = 7
TEXTS = [[1, 2, 2, 5], [3], [6, 1, 4, 0, 2], [4, 4]]


def network(labels, known=None, **options):
    suited = {"hidden": 6} if options.get("encoder") in CELLS else {"buckets": 11} if "ngrams" in options else {}
    config = ClassifierConfig(dim=5, **suited, **options)
    kind = SequenceClassifier if config.is_recurrent else BagClassifier
    return kind(config, WORDS, labels, known)


@pytest.mark.parametrize("labels", [2, 3])
@pytest.mark.parametrize("encoder", ["mean", "sum"])
def test_the_loss_of_averaged_vectors_is_that_of_plain_python(encoder, labels):
    net = network(labels, encoder=encoder)
    parameters = random_parameters(net)
    targets = [1, 0, labels - 1, 0]
    expected = 0.0
    for text, target in zip(TEXTS, targets, strict=True):
        hidden = [sum(float(parameters["embedding"][word, j]) for word in text) for j in range(16)]
        if encoder == "mean":
            hidden = [value / len(text) for value in hidden]
        scores = [
            sum(value * float(weight) for value, weight in zip(hidden, column, strict=True)) + float(bias)
            for column, bias in zip(parameters["classes"].T, parameters["classes.b"], strict=True)
        ]
        if labels == 2:  # a sigmoid: how much likelier the second is
            chance = 1 / (1 + math.exp(-scores[0]))
            expected -= math.log(chance if target == 1 else 1 - chance)
        else:
            expected -= scores[target] - math.log(sum(math.exp(score) for score in scores))
    loss, count = net.loss(parameters, examples(TEXTS, [[target] for target in targets]), None)
    assert count == 4
    assert loss == pytest.approx(expected, rel=1e-5)


OPTIONS = [
    {"encoder": "mean"},
    {"encoder": "sum", "ngrams": 3},
    {"encoder": "lstm", "bidirectional": True, "pool": "last"},
    {"encoder": "gru", "pool": "mean", "layers": 2},
    {"encoder": "rnn", "pool": "max", "bidirectional": True, "layers": 2},
]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("dropout", [0.0, 0.5])
def test_gradients_are_central_differences(options, dropout):
    net = network(3, **options)
    parameters = random_parameters(net)
    chance = Chance(dropout, 1, 0, 0, 0) if dropout else None
    step = 1e-3 if options.get("pool") == "max" else 1e-2  # another word may have the largest number a step away
    check_gradients(net, parameters, examples(TEXTS, [[0], [2], [1], [2]]), chance, step=step)


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_an_answer_does_not_depend_on_what_stands_beside_it(options):
    net = network(2, **options)
    check_padding(net, random_parameters(net), examples(TEXTS, [[0]] * 4))


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_a_text_without_words_is_told_by_the_biases(options):
    net = network(3, **options)
    parameters = random_parameters(net)
    answers = net.answers(parameters, examples([[], [1, 2]], [[0], [0]]))
    assert np.isfinite(answers[0]).all()
    assert answers[0].sum() == pytest.approx(1, abs=1e-5)


def test_known_vectors_are_read_and_not_trained():
    vectors = np.arange(10, dtype=np.float32).reshape(2, 5)
    net = network(2, known=lambda rows: vectors[rows], encoder="mean")
    parameters = random_parameters(net)
    with_known = examples([[WORDS + 1, 1]], [[1]])
    gradients = gradients_of(net, parameters, with_known)
    assert set(np.flatnonzero(gradients["embedding"].any(axis=1))) == {1}
    parameters["embedding"][2] = 0
    parameters["embedding"][2, :5] = vectors[1]
    np.testing.assert_allclose(
        net.answers(parameters, with_known)[0], net.answers(parameters, examples([[2, 1]], [[1]]))[0], rtol=1e-6
    )


def test_a_label_that_is_not_known_has_no_part_in_the_loss():
    for options in OPTIONS:
        net = network(3, **options)
        parameters = random_parameters(net)
        loss, count = net.loss(parameters, examples(TEXTS, [[0], [-1], [1], [-1]]), None)
        alone, _ = net.loss(parameters, examples([TEXTS[0], TEXTS[2]], [[0], [1]]), None)
        assert count == 2
        assert loss == pytest.approx(alone, rel=1e-5)
        assert net.loss(parameters, examples(TEXTS, [[-1]] * 4), None) == (0.0, 0)


def test_means_are_standardised_by_the_texts_that_are_given():
    net = network(2, encoder="mean")
    parameters = random_parameters(net)
    parameters["embedding"][:, :5] += 30  # what all have in common
    batch = examples(TEXTS, [[1], [0], [0], [1]])
    net.standardise(parameters, [batch.take(np.array([0, 1])), batch.take(np.array([2, 3]))])
    hidden = np.stack([parameters["embedding"][text].mean(axis=0) for text in TEXTS])
    np.testing.assert_allclose(parameters["means.center"], hidden.mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(parameters["means.scale"][:5], 1 / hidden.std(axis=0)[:5], rtol=1e-3)
    assert not parameters["means.scale"][5:].any()  # padding
    scores = ((hidden - hidden.mean(axis=0))[:, :5] / hidden.std(axis=0)[:5]) @ parameters["classes"][:5, 0]
    chances = 1 / (1 + np.exp(-(scores + parameters["classes.b"][0])))
    np.testing.assert_allclose([answer[1] for answer in net.answers(parameters, batch)], chances, rtol=2e-3)
    check_gradients(net, parameters, batch, step=1e-3)
