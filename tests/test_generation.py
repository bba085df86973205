"""Drawing tokens: as a distribution, within top_k and top_p, and until the end; a plain reference beside it."""

from itertools import islice

import numpy as np
import pytest
from recurrent_models import naive_losses, plain, scattered, small

from streamvec.tasks.generation import Sampling, draw, generate

DRAWS = 100_000
SCORES = np.log(np.array([0.05, 0.4, 0.02, 0.25, 0.18, 0.1]))


def naive_chances(scores, temperature=1.0, top_k=0, top_p=1.0):
    """Those that tokens are drawn with, in plain Python."""
    weights = {token: float(np.exp(score / temperature)) for token, score in enumerate(scores)}
    best = sorted(weights, key=lambda token: -weights[token])
    best = best[:top_k] if top_k else best
    kept, reached, total = [], 0.0, sum(weights[token] for token in best)
    for token in best:
        kept.append(token)
        reached += weights[token] / total
        if reached >= top_p:
            break
    whole = sum(weights[token] for token in kept)
    return np.array([weights[token] / whole if token in kept else 0.0 for token in range(len(scores))])


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"temperature": 0.5},
        {"temperature": 2.0},
        {"top_k": 3},
        {"top_p": 0.7},
        {"top_p": 0.9, "top_k": 4, "temperature": 1.3},
    ],
)
def test_draws_are_distributed_as_they_should_be(options):
    sampling = Sampling(**options, seed=5)
    counts = np.bincount([draw(SCORES, sampling, number) for number in range(DRAWS // 4)], minlength=6)
    expected = naive_chances(SCORES, **options) * DRAWS / 4
    assert not counts[expected == 0].any()
    some = expected > 0
    square = ((counts[some] - expected[some]) ** 2 / expected[some]).sum()
    assert square < 25, (counts, expected)  # chi-square of up to 5 degrees of freedom: once in 7,000 by chance
    assert some.sum() == (expected > 0).sum() >= 2


def test_the_most_draws_agree_with_the_chances():
    sampling = Sampling(seed=9)
    counts = np.bincount([draw(SCORES, sampling, number) for number in range(DRAWS)], minlength=6)
    expected = np.exp(SCORES) * DRAWS
    assert ((counts - expected) ** 2 / expected).sum() < 25
    following = np.array([draw(SCORES, sampling, number) for number in range(2001)])
    pairs = np.bincount(following[:-1] * 6 + following[1:], minlength=36).reshape(6, 6)
    expected = np.outer(np.exp(SCORES), np.exp(SCORES)) * 2000
    assert ((pairs - expected) ** 2 / expected).sum() < 80  # 35 degrees: a draw knows nothing of the one before


def test_a_draw_is_a_function_of_seed_and_number():
    drawn = [[draw(SCORES, Sampling(seed=seed), number) for number in range(200)] for seed in (1, 1, 2)]
    assert drawn[0] == drawn[1] != drawn[2]


def test_temperature_0_takes_the_likeliest_and_the_first_of_equals():
    assert draw(SCORES, Sampling(temperature=0), 3) == 1
    assert draw(np.array([0.0, 2.0, 2.0]), Sampling(temperature=0, seed=8), 3) == 1


@pytest.mark.parametrize("temperature", [1e-8, 1e-300, 1e6])
def test_temperatures_of_any_size(temperature):
    drawn = {draw(SCORES, Sampling(temperature=temperature), number) for number in range(400)}
    assert drawn == ({1} if temperature < 1 else set(range(6)))


def test_what_is_never_drawn_is_not_drawn():
    scores = SCORES.copy()
    scores[1] = -np.inf
    for options in ({}, {"temperature": 0.0}, {"top_k": 5}, {"top_p": 0.99}, {"temperature": 1e5}):
        assert 1 not in {draw(scores, Sampling(**options), number) for number in range(2000)}


def test_top_k_of_more_than_there_are_is_all_and_top_p_keeps_at_least_one():
    assert {draw(SCORES, Sampling(top_k=100), number) for number in range(5000)} == set(range(6))
    assert {draw(SCORES, Sampling(top_p=1e-9), number) for number in range(500)} == {1}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"temperature": -1.0}, "temperature must be at least 0 and finite, got -1.0"),
        ({"temperature": float("nan")}, "temperature must be"),
        ({"top_k": -1}, "top_k must be at least 0, got -1"),
        ({"top_p": 0.0}, "top_p must be above 0 and at most 1, got 0.0"),
        ({"top_p": 1.5}, "top_p must be"),
        ({"seed": -1}, "seed must be"),
    ],
)
def test_what_can_never_be_right(options, message):
    with pytest.raises(ValueError, match=message):
        Sampling(**options)


def model_of(words=11):
    return scattered(small(layers=2, hidden=5, dim=3), words).reader(1)


def test_text_is_what_the_reference_finds_likeliest():
    model, greedy = model_of(), Sampling(temperature=0)
    found = list(generate(model, [4, 5], greedy, 12, begin=2, end=-1))
    assert len(found) == 12
    read, p = [2, 4, 5], plain(model)
    for token in found:
        text = np.array([*read, 0])
        losses = [naive_losses(model.config, p, text[:-1], np.array([*read[1:], word]))[0][-1] for word in range(11)]
        assert token == int(np.argmin(losses))
        read.append(token)


def test_one_token_to_many_and_the_same_seed_the_same_text():
    model = model_of()
    texts = [list(generate(model, [3], Sampling(seed=seed), 30, begin=2, end=-1)) for seed in (1, 1, 2)]
    assert texts[0] == texts[1] != texts[2] and len(texts[0]) == 30
    assert list(generate(model, [], Sampling(seed=1), 30, begin=2, end=-1)) != texts[0]
    some = list(islice(generate(model, [3], Sampling(seed=1), 10**9, begin=2, end=-1), 30))
    assert some == texts[0]  # it comes token by token


def test_it_ends_with_the_end_token_which_is_not_given_and_never_draws_what_it_must_not():
    model = model_of()
    free = list(generate(model, [3], Sampling(seed=4), 200, begin=2, end=-1))
    end = free[7]
    ended = list(generate(model, [3], Sampling(seed=4), 200, begin=2, end=end))
    assert ended == free[: free.index(end)]
    without = list(generate(model, [3], Sampling(seed=4), 200, begin=2, end=-1, never=[0, 5, 6]))
    assert not set(without) & {0, 5, 6} and {0, 5, 6} & set(free)
    assert list(generate(model, [3], Sampling(temperature=0), 5, begin=2, end=-1, never=list(range(10)))) == [10] * 5
