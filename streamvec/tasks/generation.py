"""Text from a model that expects what comes next, token after token: each is drawn from that."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from streamvec.kernels import random

_TO_UNIT = 2.0**-53


class Reader(Protocol):
    """What expects a token: a language model of one lane, or the decoder of a translator."""

    def forget(self) -> None:
        """Begins anew."""

    def read(self, token: int) -> np.ndarray:
        """Reads a token; the logarithm of the chance of each to be the next, float[V]."""


@dataclass(frozen=True)
class Sampling:
    """How a token is drawn from the model's scores. ValueError for what can never be right."""

    temperature: float = 1.0  # scores are divided by this; 0 takes the likeliest token
    top_k: int = 0  # only so many of the likeliest; 0 for all
    top_p: float = 1.0  # only the likeliest that hold this much of the probability together
    seed: int = 1

    def __post_init__(self) -> None:
        if not 0 <= self.temperature < float("inf"):
            raise ValueError(f"temperature must be at least 0 and finite, got {self.temperature}")
        if self.top_k < 0:
            raise ValueError(f"top_k must be at least 0, got {self.top_k}")
        if not 0 < self.top_p <= 1:
            raise ValueError(f"top_p must be above 0 and at most 1, got {self.top_p}")
        if not 0 <= self.seed < 2**40:
            raise ValueError(f"seed must be at least 0 and below 2**40, got {self.seed}")


def draw(scores: np.ndarray, sampling: Sampling, number: int) -> int:
    """The id of a token drawn by float64[V] logarithms of chances: a function of these, the seed and *number*."""
    if sampling.temperature == 0:
        return int(np.argmax(scores))
    order = np.argsort(-scores, kind="stable")
    below = scores[order].astype(np.float64) - scores[order[0]]
    with np.errstate(over="ignore"):  # far below, at a low temperature, is never
        chances = np.exp(below / sampling.temperature)
    if sampling.top_k:
        chances[sampling.top_k :] = 0
    chances /= chances.sum()
    if sampling.top_p < 1:
        reached = np.cumsum(chances)
        chances[int(np.searchsorted(reached, sampling.top_p)) + 1 :] = 0
        chances /= chances.sum()
    key = np.uint64(random.stream(sampling.seed, 0, random.SAMPLE))
    unit = float(int(random.bits(key, np.uint64(number))) >> 11) * _TO_UNIT
    place = int(np.searchsorted(np.cumsum(chances), unit, side="right"))
    return int(order[min(place, int(np.flatnonzero(chances)[-1]))])


def generate(
    model: Reader,
    prompt: Sequence[int],
    sampling: Sampling,
    length: int,
    begin: int,
    end: int,
    never: Sequence[int] = (),
) -> Iterator[int]:
    """Up to *length* ids after those of *prompt*, or until *end* (below 0 for none), which is not given.

    *begin* is read before the prompt: what stands before a document. Ids in *never* are
    never drawn, such as that of unknown words.
    """
    model.forget()
    scores = np.zeros(0, np.float32)
    for token in [begin, *prompt]:
        scores = model.read(token)
    for number in range(length):
        wanted = scores.copy()
        wanted[list(never)] = -np.inf
        token = draw(wanted, sampling, number)
        if token == end:
            return
        yield token
        scores = model.read(token)
