"""Beam search against trying every sequence, against a plain search, and against always taking the likeliest token."""

import itertools
import math

import numpy as np
import pytest

from streamvec.errors import StreamvecError
from streamvec.models.beam import beam_search, length_penalty

END, BEGIN = 1, 7


class Table:
    """A decoder whose chances are a function of all tokens so far, drawn at random; its states are the tokens."""

    def __init__(self, words=4, seed=0, round_to=9):
        self.words, self.seed, self.round_to = words, seed, round_to
        self.states, self.calls = [()], 0

    def chances(self, tokens):
        scores = np.random.default_rng([self.seed, *tokens]).normal(0, 1.5, self.words)
        return np.round(scores - np.log(np.exp(scores).sum()) - 10.0**-self.round_to, self.round_to)

    def __call__(self, tokens, parents):
        assert tokens.dtype == np.int32 and parents.dtype == np.int64 and len(tokens) == len(parents)
        self.calls += 1
        self.states = [(*self.states[parent], int(token)) for token, parent in zip(tokens, parents, strict=True)]
        return np.array([self.chances(state) for state in self.states])


def every(table, most, alpha):
    """(score, tokens) of every sequence of up to *most* tokens and the end, best first, of equal ones the lowest."""
    others, found = [token for token in range(table.words) if token != END], []
    for length in range(most + 1):
        for tokens in itertools.product(others, repeat=length):
            whole, chance = (BEGIN, *tokens, END), 0.0
            for place in range(1, len(whole)):
                chance += table.chances(whole[:place])[whole[place]]
            found.append((chance / ((5 + length + 1) / 6) ** alpha, tokens))
    return sorted(found, key=lambda one: (-one[0], one[1]))


def plain_beam(table, beam, most, alpha):
    """The same search without a thought of speed: (score, tokens) of all that ended, best first."""
    live, ended = [(0.0, ())], []
    for length in range(most + 1):
        gone_on = []
        for rank, (chance, tokens) in enumerate(live):
            for token, more in enumerate(table.chances((BEGIN, *tokens))):
                if length < most or token == END:
                    gone_on.append((-(chance + more), rank, token, tokens))
        live = []
        for negative, _, token, tokens in sorted(gone_on)[:beam]:
            if token == END:
                ended.append((-negative / ((6 + length) / 6) ** alpha, tokens))
            else:
                live.append((-negative, (*tokens, token)))
    return sorted(ended, key=lambda one: (-one[0], one[1]))


def pairs(found):
    return [(one.score, tuple(one.tokens.tolist())) for one in found]


def assert_same(found, expected):
    assert [tokens for _, tokens in found] == [tokens for _, tokens in expected]
    assert [score for score, _ in found] == pytest.approx([score for score, _ in expected])


@pytest.mark.parametrize("alpha", [0.0, 0.6, 2.0])
@pytest.mark.parametrize("seed", range(4))
def test_a_wide_beam_finds_what_trying_all_finds(seed, alpha):
    found = beam_search(Table(seed=seed), BEGIN, END, beam=200, most=4, alpha=alpha, best=20)
    assert_same(pairs(found), every(Table(seed=seed), 4, alpha)[:20])


@pytest.mark.parametrize("alpha", [0.0, 1.0])
@pytest.mark.parametrize("beam", [1, 2, 3, 5])
@pytest.mark.parametrize("seed", range(5))
def test_a_narrow_beam_finds_what_the_plain_search_finds(seed, beam, alpha):
    """Also where it stops early: what may still come cannot be better."""
    table = Table(words=6, seed=seed)
    found = beam_search(table, BEGIN, END, beam, most=12, alpha=alpha, best=min(2, beam))
    assert_same(pairs(found), plain_beam(Table(words=6, seed=seed), beam, 12, alpha)[: min(2, beam)])


@pytest.mark.parametrize("seed", range(6))
def test_a_beam_of_one_takes_the_likeliest_token_each_time(seed):
    table, greedy = Table(words=6, seed=seed), [BEGIN]
    while len(greedy) < 9 and (token := int(table.chances(tuple(greedy)).argmax())) != END:
        greedy.append(token)
    (found,) = beam_search(Table(words=6, seed=seed), BEGIN, END, beam=1, most=8)
    assert found.tokens.tolist() == greedy[1:] and found.tokens.dtype == np.int32
    assert found.cut == (table.chances(tuple(greedy)).argmax() != END)


def test_greedy_misses_what_a_beam_finds():
    missed = [
        seed
        for seed in range(20)
        if pairs(beam_search(Table(seed=seed), BEGIN, END, 1, 4))
        != pairs(beam_search(Table(seed=seed), BEGIN, END, 8, 4))
    ]
    assert missed


def test_it_stops_where_nothing_better_can_come():
    table = Table()
    table.chances = lambda tokens: np.log([0.1, 0.8, 0.05, 0.05])
    (found,) = beam_search(table, BEGIN, END, beam=3, most=50)
    assert found.tokens.size == 0 and table.calls == 1


def test_it_goes_on_where_a_longer_sequence_may_still_be_better():
    def step(tokens, parents):
        return np.array([[-1.2, -1.0], [-0.01, -2.0]])[[0 if token == BEGIN else 1 for token in tokens]]

    (found,) = beam_search(step, BEGIN, END, beam=2, most=10, alpha=2.0)
    assert found.tokens.tolist() == [0] * 10  # -3.29 / (16 / 6)^2 is above the -1 / 1 of the end at once
    assert found.score == pytest.approx(-3.29 / (16 / 6) ** 2) and found.log_chance == pytest.approx(-3.29)


def of_always(chances):
    def step(tokens, parents):
        return np.tile(np.log(np.array(chances)), (len(tokens), 1))

    return step


def test_a_sequence_that_reaches_the_most_tokens_is_made_to_end():
    (found,) = beam_search(of_always([0.6, 0.1, 0.3]), BEGIN, END, beam=1, most=3)
    assert found.tokens.tolist() == [0, 0, 0] and found.cut
    assert found.log_chance == pytest.approx(3 * math.log(0.6) + math.log(0.1))
    (empty,) = beam_search(of_always([0.6, 0.1, 0.3]), BEGIN, END, beam=2, most=0)
    assert empty.tokens.size == 0 and empty.cut


def test_the_end_may_come_by_itself_behind_the_most_tokens():
    def step(tokens, parents):
        return np.log([[0.9, 0.1]] if tokens[0] == BEGIN else [[0.1, 0.9]])

    (found,) = beam_search(step, BEGIN, END, beam=1, most=1)
    assert found.tokens.tolist() == [0] and not found.cut


def test_of_equal_scores_the_lower_token_comes_first():
    found = beam_search(of_always([0.25, 0.25, 0.25, 0.25]), BEGIN, END, beam=64, most=2, best=13)
    assert [one.tokens.tolist() for one in found[:6]] == [[], [0], [2], [3], [0, 0], [0, 2]]
    kept = beam_search(of_always([0.2, 0.2, 0.3, 0.3]), BEGIN, END, beam=1, most=2)
    assert kept[0].tokens.tolist() == [2, 2]
    chances = {BEGIN: [-1, -np.inf, -1], 0: [-0.5, -0.5, -np.inf], 2: [-np.inf, -1, -np.inf]}
    found = beam_search(lambda tokens, parents: np.array([chances[int(t)] for t in tokens]), BEGIN, END, 4, 4, best=3)
    assert pairs(found) == [(-1.5, (0,)), (-2.0, (0, 0)), (-2.0, (2,))]  # which ended earlier
    coarse = [pairs(beam_search(Table(8, seed, round_to=0), BEGIN, END, 4, 6, best=4)) for seed in range(10)]
    plain = [plain_beam(Table(8, seed, round_to=0), 4, 6, 0)[:4] for seed in range(10)]
    for found, expected in zip(coarse, plain, strict=True):
        assert_same(found, expected)


def test_the_length_penalty_is_that_of_wu_et_al():
    assert length_penalty(1, 0.7) == 1 and length_penalty(9, 0) == 1
    assert length_penalty(7, 0.6) == pytest.approx(2**0.6)
    table = of_always([0.55, 0.45])
    assert beam_search(table, BEGIN, END, beam=8, most=5)[0].tokens.size == 0  # a plain sum favours the shortest
    assert beam_search(table, BEGIN, END, beam=8, most=5, alpha=5.0)[0].tokens.size == 5


def test_what_never_comes_is_in_no_sequence():
    with np.errstate(divide="ignore"):
        found = beam_search(of_always([0.0, 0.5, 0.5]), BEGIN, END, beam=20, most=3, best=20)
        assert [one.tokens.tolist() for one in found] == [[], [2], [2, 2], [2, 2, 2]]
        assert beam_search(of_always([0.5, 0.0, 0.5]), BEGIN, END, beam=3, most=3) == []  # no end


def test_wrong_arguments_and_scores_are_refused():
    step = of_always([0.5, 0.5])
    with pytest.raises(ValueError, match="best must be at least 1 and at most beam, got 3 of 2"):
        beam_search(step, BEGIN, END, 2, 3, best=3)
    with pytest.raises(ValueError, match="best must be at least 1 and at most beam, got 1 of 0"):
        beam_search(step, BEGIN, END, 0, 3)
    with pytest.raises(ValueError, match="most must be at least 0, got -1"):
        beam_search(step, BEGIN, END, 2, -1)
    with pytest.raises(ValueError, match=r"alpha must be at least 0 and finite, got -0\.5"):
        beam_search(step, BEGIN, END, 2, 3, alpha=-0.5)
    with pytest.raises(StreamvecError, match=r"not a number \(NaN\)"):
        beam_search(of_always([0.5, np.nan]), BEGIN, END, 2, 3)
