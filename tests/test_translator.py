"""The network of the translator: gradients against central differences, decoding against teacher forcing."""

import math

import numpy as np
import pytest
from networks import check_gradients, examples, gradients_of, ragged, random_parameters

from streamvec.models.beam import beam_search
from streamvec.models.network import Chance
from streamvec.models.translator import Translator
from streamvec.models.translatorconfig import TranslatorConfig
from streamvec.models.wordsoftmax import WordSoftmax

WORDS, TARGETS, END, UNKNOWN = 7, 6, 1, 0
TEXTS = [[1, 2, 2, 5], [3], [6, 1, 4, 0, 2], []]
WRITTEN = [[2, 3, END], [4, 4, 5, 2, END], [END], [3, END]]


def network(longest=0, **options):
    config = TranslatorConfig(**{"dim": 5, "hidden": 6, **options})
    return Translator(config, WORDS, TARGETS, END, UNKNOWN, longest=longest)


OPTIONS = [
    {"cell": "gru"},
    {"cell": "lstm", "layers": 2},
    {"cell": "rnn", "attention": False},
    {"cell": "lstm", "attention": False, "bidirectional": False, "layers": 2},
]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("dropout", [0.0, 0.5])
def test_gradients_are_central_differences(options, dropout):
    net = network(**options)
    chance = Chance(dropout, 1, 0, 0, 0) if dropout else None
    check_gradients(net, random_parameters(net), examples(TEXTS, WRITTEN), chance)


def test_the_loss_is_that_of_plain_python():
    net = network(cell="rnn", attention=False, bidirectional=False)
    p = {name: array.astype(np.float64) for name, array in random_parameters(net).items()}
    text, target = [3, 5], [4, 2, END]
    state = np.zeros(16)
    for word in text:
        state = np.tanh(p["embedding"][word] @ p["0.forward.W"] + state @ p["0.forward.U"] + p["0.forward.b"])
    state = np.tanh(state @ p["bridge"] + p["bridge.b"])
    expected = 0.0
    for read, wanted in zip([END, *target], target, strict=False):
        layer = {part: p[f"decoder.0.forward.{part}"] for part in "WUb"}
        state = np.tanh(p["target.embedding"][read] @ layer["W"] + state @ layer["U"] + layer["b"])
        scores = p["output"] @ state + p["output.b"]
        expected -= scores[wanted] - math.log(np.exp(scores).sum())
    loss, count = net.loss(random_parameters(net), examples([text], [target]), None)
    assert count == 3
    assert loss == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_what_stands_beside_a_text_changes_nothing(options):
    net = network(**options)
    parameters, batch = random_parameters(net), examples(TEXTS, WRITTEN)
    together, count = net.loss(parameters, batch, None)
    alone = [net.loss(parameters, batch.take(np.array([place])), None) for place in range(len(batch))]
    assert together == pytest.approx(sum(loss for loss, _ in alone), rel=1e-5)
    assert count == sum(count for _, count in alone) == sum(map(len, WRITTEN))
    answers = net.answers(parameters, batch)
    for place, answer in enumerate(answers):
        (single,) = net.answers(parameters, batch.take(np.array([place])))
        assert single.tokens.tolist() == answer.tokens.tolist()
        assert single.log_chance == pytest.approx(answer.log_chance, rel=1e-4)


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_step_by_step_is_as_likely_as_by_teacher_forcing(options):
    net = network(**options)
    parameters = random_parameters(net, scale=0.8)
    parameters["output.b"][END] = -3
    answers = net.answers(parameters, examples(TEXTS, WRITTEN))
    assert len({tuple(answer.tokens.tolist()) for answer in answers}) > 1
    for text, answer in zip(TEXTS, answers, strict=True):
        assert UNKNOWN not in answer.tokens and END not in answer.tokens
        loss, _ = net.loss(parameters, examples([text], [[*answer.tokens.tolist(), END]]), None)
        assert answer.log_chance == pytest.approx(-loss, rel=1e-4)


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_a_beam_of_1_is_greedy_and_a_wider_one_is_no_worse(options):
    net = network(**options)
    parameters = random_parameters(net, seed=4, scale=0.8)
    batch = examples(TEXTS, WRITTEN)
    likeliest = net.answers(parameters, batch)
    for one, wide, answer in zip(
        net.found(parameters, batch, 1), net.found(parameters, batch, 5, 3), likeliest, strict=True
    ):
        assert one[0].tokens.tolist() == answer.tokens.tolist() and one[0].cut == answer.cut
        assert one[0].log_chance == pytest.approx(answer.log_chance, rel=1e-4)
        assert len(wide) == 3 and wide[0].score >= wide[1].score >= wide[2].score


def test_a_wide_beam_finds_the_likeliest_of_all_short_translations():
    net = network()
    parameters = random_parameters(net, seed=2, scale=0.5)
    text = [2, 4]
    tokens = [token for token in range(TARGETS) if token not in (END, UNKNOWN)]
    every = [[], *([one] for one in tokens), *([one, two] for one in tokens for two in tokens)]
    losses = {tuple(each): net.loss(parameters, examples([text], [[*each, END]]), None)[0] for each in every}
    decoder = net.decoder(parameters, ragged([text]))
    found = beam_search(decoder.go_on, END, END, 36, 2, best=36)
    assert [tuple(one.tokens.tolist()) for one in found] == sorted(losses, key=lambda each: losses[each])


def test_an_answer_ends():
    net = network()
    parameters = random_parameters(net)
    parameters["output.b"][END] = -50
    answers = net.answers(parameters, examples(TEXTS, WRITTEN))
    assert [len(answer.tokens) for answer in answers] == [28, 22, 30, 20]
    assert all(answer.cut for answer in answers)
    long = network(longest=29).answers(parameters, examples(TEXTS, WRITTEN))  # what it was trained on was longer
    assert [len(answer.tokens) for answer in long] == [29, 29, 30, 29]


def test_gradients_do_not_depend_on_how_many_vectors_are_scored_at_once():
    rng = np.random.default_rng(1)
    hidden, targets = rng.normal(size=(7, 16)).astype(np.float32), rng.integers(0, 5, 7)
    found = []
    for room in (1000, 15, 1):
        softmax = WordSoftmax(5, 16, np.arange(12), room)
        parameters = {name: np.zeros(shape, np.float32) for name, shape in softmax.shapes().items()}
        softmax.start(parameters, 3)
        assert not parameters["output"][:, 12:].any() and parameters["output"].any()
        gradients = {name: np.full_like(array, 9) for name, array in parameters.items()}
        loss = softmax.loss(parameters, hidden, targets)
        found.append([np.array(loss), softmax.backward(parameters, gradients, 0.5), *gradients.values()])
    for other in found[1:]:
        for one, another in zip(found[0], other, strict=True):
            np.testing.assert_allclose(one, another, rtol=1e-4, atol=1e-6)


def test_known_vectors_are_read_and_not_trained():
    vectors = np.arange(10, dtype=np.float32).reshape(2, 5) / 10
    config = TranslatorConfig(dim=5, hidden=6)
    net = Translator(config, WORDS, TARGETS, END, UNKNOWN, lambda rows: vectors[rows])
    gradients = gradients_of(net, random_parameters(net), examples([[WORDS + 1, 1]], [[2, END]]))
    assert set(np.flatnonzero(gradients["embedding"].any(axis=1))) == {1}
    assert set(np.flatnonzero(gradients["target.embedding"].any(axis=1))) == {END, 2}


@pytest.mark.parametrize("options", [{"level": "line"}, {"cell": "gur"}, {"hidden": 0}, {"layers": 0}, {"dim": 0}])
def test_what_can_never_be_right_is_refused(options):
    with pytest.raises(ValueError, match=next(iter(options))):
        TranslatorConfig(**options)
