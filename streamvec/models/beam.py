"""Beam search: the likeliest sequences of tokens that a decoder gives, kept a few at a time.

Each step every hypothesis is gone on with by every token, and the best *beam* of all these are kept; those that end are
set aside. With a beam of 1 that takes the likeliest token each time. A sum of log probabilities favours short
sequences: it is divided by Wu et al.'s length penalty (2016, arXiv:1609.08144, equation 14).
"""

from typing import NamedTuple, Protocol

import numpy as np

from streamvec.errors import StreamvecError


class Step(Protocol):
    """One time step of a decoder that works on some hypotheses at once."""

    def __call__(self, tokens: np.ndarray, parents: np.ndarray) -> np.ndarray:
        """The logarithms of the chances of the next token, float[n, V], behind hypothesis *i* of this step: that which
        was number parents[i] in the step before, int64[n], with tokens[i], int32[n], behind it. The decoder takes its
        states by *parents*; before the first step it has one. -inf is for what never comes."""


class Hypothesis(NamedTuple):
    """A sequence that was found."""

    tokens: np.ndarray  # int32[n], without the begin and the end
    score: float  # log_chance / length penalty: by this they are ordered
    log_chance: float  # of all tokens and the end, natural logarithm
    cut: bool  # it was made to end, having reached the most tokens, where the end was not the likeliest to come


def length_penalty(tokens: int, alpha: float) -> float:
    """((5 + tokens) / 6) ** alpha, the end being one of the tokens; 1 where alpha is 0."""
    return float(((5 + tokens) / 6) ** alpha)


def beam_search(
    step: Step, begin: int, end: int, beam: int, most: int, alpha: float = 0.0, best: int = 1
) -> list[Hypothesis]:
    """The best sequences found, up to *best* <= *beam* of them, best first.

    begin: the token that comes before all; end: that which ends a sequence; most: tokens before the end, which is made
    to come behind as many. alpha: of `length_penalty`. Of equal scores that of the better hypothesis so far comes
    first, then that of the lower token; of equal ended sequences the one with the lower tokens. Fewer are given, or
    none, where *step* lets no more end. Raises StreamvecError where *step* gives NaN.
    """
    if not 1 <= best <= beam:
        raise ValueError(f"best must be at least 1 and at most beam, got {best} of {beam}")
    if most < 0:
        raise ValueError(f"most must be at least 0, got {most}")
    if not 0 <= alpha < float("inf"):
        raise ValueError(f"alpha must be at least 0 and finite, got {alpha}")
    ended: list[Hypothesis] = []
    tokens = np.zeros((1, 0), np.int32)  # of each live hypothesis
    chances = np.zeros(1)  # logarithms, of each
    last, parents = np.array([begin], np.int32), np.zeros(1, np.int64)
    for length in range(most + 1):
        found = np.asarray(step(last, parents), np.float64)
        if np.isnan(found).any():
            raise StreamvecError(
                "what the model expects next is not a number (NaN): train it again with a lower --learning-rate"
            )
        sums = chances[:, None] + found
        if length == most:
            sums[:, :end] = sums[:, end + 1 :] = -np.inf
        parents, last = _best_of(sums, beam)
        chances = sums[parents, last]
        is_end = last == end
        for parent, chance in zip(parents[is_end], chances[is_end].tolist(), strict=True):
            cut = length == most and int(found[parent].argmax()) != end
            score = chance / length_penalty(length + 1, alpha)
            ended.append(Hypothesis(tokens[parent], score, chance, cut))
        ended = sorted(ended, key=lambda one: (-one.score, one.tokens.tolist()))[:best]
        parents, last, chances = parents[~is_end], last[~is_end], chances[~is_end]
        tokens = np.concatenate([tokens[parents], last[:, None]], axis=1)
        # a sum only falls, and no penalty divides by more than the longest sequence's
        if not last.size or (len(ended) == best and chances[0] / length_penalty(most + 1, alpha) < ended[-1].score):
            break
    return ended


def _best_of(sums: np.ndarray, beam: int) -> tuple[np.ndarray, np.ndarray]:
    """(int64 rows, int32 columns) of the up to *beam* largest of float64[n, V], largest first, of equal ones that which
    comes first; -inf is none."""
    flat = sums.reshape(-1)
    least = np.partition(flat, -beam)[-beam] if flat.size > beam else -np.inf
    places = np.flatnonzero((flat >= least) & (flat > -np.inf))
    places = places[np.argsort(-flat[places], kind="stable")][:beam]
    rows, columns = np.divmod(places, sums.shape[1])
    return rows, columns.astype(np.int32)
