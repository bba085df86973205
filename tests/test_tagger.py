"""The network of the tagger: losses against plain Python, gradients against central differences."""

import naive_crf
import naive_recurrent
import numpy as np
import pytest
from networks import check_gradients, check_padding, examples, gradients_of, random_parameters

from streamvec.models.letters import different
from streamvec.models.network import Chance
from streamvec.models.shape import padded
from streamvec.models.tagger import Tagger
from streamvec.models.taggerconfig import TaggerConfig

WORDS, TAGS, DIM, HIDDEN = 7, 3, 5, 6
TEXTS = [[1, 2, 2, 5], [3], [6, 1, 4, 0, 2]]
SPELLING = [[b"a", b"Bee", b"bee", b"\xc3\xa9t"], [b"x"], [b"a", b"a\x00", b"bee", b"long", b"x"]]
TARGETS = [[0, 1, 2, 0], [2], [1, 1, 0, 2, 0]]
OPTIONS = [
    {},
    {"output": "softmax"},
    {"char_hidden": 0},
    {"char_hidden": 0, "output": "softmax", "layers": 2, "cell": "gru"},
    {"layers": 2, "cell": "rnn"},
]


def network(known=None, **options):
    spelled = {} if options.get("char_hidden") == 0 else {"char_hidden": 4, "char_dim": 3}
    config = TaggerConfig(dim=DIM, hidden=HIDDEN, **{**spelled, **options})
    return Tagger(config, WORDS, TAGS, known)


def batch(targets=TARGETS):
    return examples(TEXTS, targets, SPELLING)


def layer(parameters, name, rows, hidden):
    """W, U, b of one direction of an lstm without what pads them, in float64."""
    columns = np.concatenate([np.arange(hidden) + padded(hidden) * gate for gate in range(4)])
    p = {part: parameters[f"{name}.{part}"].astype(np.float64) for part in "WUb"}
    return {"W": p["W"][np.ix_(rows, columns)], "U": p["U"][:hidden, columns], "b": p["b"][columns]}


def naive_scores(parameters, text, spelling):
    """The scores of one sentence's tags, float64[words, tags], of a network of one layer that reads letters."""
    both = ("forward", "reverse")
    letters = {f"0.{way}": layer(parameters, f"letters.0.{way}", np.arange(3), 4) for way in both}
    read = np.concatenate([np.arange(DIM), padded(DIM) + np.arange(4), padded(DIM) + padded(4) + np.arange(4)])
    words = {f"0.{way}": layer(parameters, f"0.{way}", read, HIDDEN) for way in both}
    inputs = []
    for word, spelt in zip(text, spelling, strict=True):
        xs = np.array([parameters["letters"][byte, :3] for byte in spelt], np.float64)
        out = naive_recurrent.run("lstm", xs, letters, 1, both, 4)
        inputs.append(np.concatenate([parameters["embedding"][word, :DIM], out[-1, :4], out[0, 4:]]))
    out = naive_recurrent.run("lstm", np.array(inputs), words, 1, both, HIDDEN)
    used = np.concatenate([np.arange(HIDDEN), padded(HIDDEN) + np.arange(HIDDEN)])
    return out @ parameters["tags"][used] + parameters["tags.b"]


def test_the_loss_with_a_random_field_is_that_of_plain_python():
    net = network()
    parameters = random_parameters(net)
    field = [parameters[f"crf.{name}"].astype(np.float64) for name in ("transitions", "first", "last")]
    expected = sum(
        naive_crf.loss(*field, naive_scores(parameters, text, spelling), tags)
        for text, spelling, tags in zip(TEXTS, SPELLING, TARGETS, strict=True)
    )
    loss, count = net.loss(parameters, batch(), None)
    assert count == 10
    assert loss == pytest.approx(expected, rel=1e-5)
    for place, (tags, chances) in enumerate(net.answers(parameters, batch())):
        scores = naive_scores(parameters, TEXTS[place], SPELLING[place])
        assert tuple(tags) == naive_crf.best_path(*field, scores)
        each = naive_crf.marginals(*field, scores)
        np.testing.assert_allclose(chances, each[np.arange(len(tags)), tags], atol=1e-5)


def test_the_loss_with_a_softmax_is_that_of_plain_python():
    net = network(output="softmax")
    parameters = random_parameters(net)
    expected = 0.0
    for place, (text, spelling, tags) in enumerate(zip(TEXTS, SPELLING, TARGETS, strict=True)):
        scores = naive_scores(parameters, text, spelling)
        chances = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
        expected -= np.log(chances[np.arange(len(tags)), tags]).sum()
        found, sure = net.answers(parameters, batch())[place]
        assert found.tolist() == chances.argmax(axis=1).tolist()
        np.testing.assert_allclose(sure, chances.max(axis=1), atol=1e-5)
    assert net.loss(parameters, batch(), None) == (pytest.approx(expected, rel=1e-5), 10)


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("dropout", [0.0, 0.5])
def test_gradients_are_central_differences(options, dropout):
    net = network(**options)
    check_gradients(net, random_parameters(net), batch(), Chance(dropout, 1, 0, 0, 0) if dropout else None)


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_an_answer_does_not_depend_on_what_stands_beside_it(options):
    net = network(**options)
    check_padding(net, random_parameters(net), batch())


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_padding_is_zero_and_stays_so(options):
    net = network(**options)
    parameters = {name: np.zeros(shape, np.float32) for name, shape in net.shapes().items()}
    net.start(parameters, 1)
    for name, gradient in gradients_of(net, parameters, batch()).items():
        if name.split(".")[-1] in ("W", "U", "embedding", "letters", "tags"):
            assert not gradient[parameters[name] == 0].any(), name


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_a_tag_that_is_not_known_has_no_part_in_the_loss(options):
    net = network(**options)
    parameters = random_parameters(net)

    def loss(*targets):
        return net.loss(parameters, batch(targets), None)

    nothing = [[-1] * len(row) for row in TARGETS]
    assert loss(*nothing) == (0.0, 0)
    assert not any(gradient.any() for gradient in gradients_of(net, parameters, batch(nothing)).values())
    some, count = loss(TARGETS[0], [-1], [1, -1, 0, 2, 0])
    first, _ = loss(TARGETS[0], *nothing[1:])
    if options.get("output") == "softmax":
        all_of_them, one = loss(*TARGETS)[0], loss(nothing[0], TARGETS[1], [-1, TARGETS[2][1], -1, -1, -1])[0]
        assert (some, count) == (pytest.approx(all_of_them - one, rel=1e-5), 8)
    else:  # nor has the rest of its sentence
        assert (some, count) == (pytest.approx(first, rel=1e-5), 4)


def test_known_vectors_are_read_and_not_trained():
    vectors = np.arange(10, dtype=np.float32).reshape(2, 5)
    net = network(known=lambda rows: vectors[rows], char_hidden=0)
    parameters = random_parameters(net)
    found = gradients_of(net, parameters, examples([[WORDS + 1, 1]], [[1, 2]]))
    assert set(np.flatnonzero(found["embedding"].any(axis=1))) == {1}


def test_each_different_spelling_is_read_once():
    words = [b"to", b"be", b"to", b"", b"be\x00", b"x" * 65, b"x" * 32 + b"y" + b"x" * 32, b"z" + b"x" * 64]
    spelled = np.array([len(word) for word in words], np.int32)
    spellings, which = different(spelled, np.frombuffer(b"".join(words), np.uint8))
    ends = [bytes(row) for row in np.split(spellings.values, np.cumsum(spellings.lengths)[:-1])]
    assert len(ends) == len(set(ends)) == 6
    assert [ends[place] for place in which] == [word if len(word) < 65 else word[:32] + word[-32:] for word in words]


def test_what_can_never_be_right_is_refused():
    with pytest.raises(ValueError, match=r"^char_hidden must be at least 0, got -1$"):
        TaggerConfig(char_hidden=-1)
    with pytest.raises(ValueError, match=r"^output must be crf or softmax, got 'hmm'$"):
        TaggerConfig(output="hmm")
    with pytest.raises(ValueError, match=r"^layers must be at least 1, got 0$"):
        TaggerConfig(layers=0)
