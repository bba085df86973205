"""How fast this machine trains a language model: a few steps of the real training on sampled text, a second or so.

A model that is too large to be made for that is made smaller, and its rate told by how much it multiplies.
"""

import time
from collections.abc import Callable, Sequence

import numpy as np

from streamvec.corpus.lanes import LaneBatch
from streamvec.corpus.shards import TokenBatch
from streamvec.kernels.streams import streamed
from streamvec.models.languagemodel import LanguageModel
from streamvec.models.lmconfig import LmConfig
from streamvec.models.lmsizes import LmSizes
from streamvec.models.step import Position
from streamvec.training import timing
from streamvec.training.lmneeds import resized
from streamvec.training.needs import largest_that

MOST_MODEL = 1 << 30  # bytes
_FEWEST_WORDS = 1000  # that are left of a vocabulary before anything else is made smaller
_FIRST = 2  # time steps of the step that compiles and warms


class Stream:
    """Sampled text as a language model reads it, over and over: <unk> is token 0, the end of a document 1."""

    def __init__(self, batches: Sequence[TokenBatch], beside: int, has_ends: bool) -> None:
        """batches: of ids by rank, those of unknown words below 0; beside: what is added to them."""
        end = min(1, beside) if has_ends else -1
        self._flat = np.concatenate([streamed(*batch, False, end, 0, beside) for batch in batches])

    def batch(self, words: int, steps: int, lanes: int, number: int) -> LaneBatch:
        """So many time steps of all lanes, another place for each number; tokens from *words* on are unknown ones."""
        length = max(1, self._flat.size // lanes)
        places = length * np.arange(lanes) + number * steps + np.arange(steps + 1)[:, None]
        taken = self._flat[places % self._flat.size]
        taken = np.where(taken < words, taken, 0).astype(np.int32)
        return LaneBatch(taken[:-1], taken[1:], number == 0)


def tokens_a_second(
    config: LmConfig, words: int, counts: np.ndarray, stream: Stream, threads: int, most: int = MOST_MODEL
) -> float:
    """The rate of training a model of *words* tokens.

    counts: int64[n], falling, of the most frequent ones; most: bytes that the model for this may take.
    """
    small, some = _smaller(config, words, threads, most)
    known = np.ones(some, np.int64)
    known[: counts.size] = counts[:some]
    model = LanguageModel(small, some, 1 << 40, threads, counts=known)
    number = 0

    def seconds_of(steps: int) -> float:
        nonlocal number
        batch, began = stream.batch(some, steps, small.batch, number), time.perf_counter()
        model.step(batch, Position(0, number))
        number += 1
        return time.perf_counter() - began

    try:
        first = min(_FIRST, small.bptt)
        seconds_of(first)
        short = seconds_of(first)
        steps = max(first, min(small.bptt, int(timing.SECONDS * first / short)))
        done: list[float] = []
        until = time.perf_counter() + timing.SECONDS
        while not done or time.perf_counter() < until:
            done.append(seconds_of(steps))
        one = float(np.quantile(done, 0.3))  # what else the machine does can only slow
        if steps < small.bptt:  # what a step takes however long it is, is there once
            each = max(one - short, 0.0) / (steps - first) if steps > first else one / steps
            one += (small.bptt - steps) * each
        rate = small.batch * small.bptt / one
        return rate * _products(small, some) / _products(config, words)
    finally:
        model.close()


def _smaller(config: LmConfig, words: int, threads: int, most: int) -> tuple[LmConfig, int]:
    """The options and the number of tokens of a model that takes *most* bytes at most: these, or fewer."""

    def takes(tried: LmConfig, many: int) -> bool:
        return LmSizes(tried, many).training_bytes(threads) <= most

    if takes(config, words):
        return config, words
    some = max(min(words, _FEWEST_WORDS), largest_that(lambda many: takes(config, many), words))
    for name in ("bptt", "hidden", "batch", "samples", "dim"):
        if not takes(config, some):
            config = _with_less(config, name, lambda tried: takes(tried, some))
    return config, some


def _with_less(config: LmConfig, name: str, fits: Callable[[LmConfig], bool]) -> LmConfig:
    """With the largest number that *fits*, or the smallest."""
    if name == "dim" and config.tied:  # it is --hidden
        return config
    number = largest_that(lambda to: fits(resized(config, name, to)), getattr(config, name))
    return resized(config, name, max(1, number))


def _products(config: LmConfig, words: int) -> int:
    """Multiplications for one token on its way forward, but for those that do not grow with the model."""
    matrices = sum(shape[0] * shape[1] for shape in config.shape.parameters().values() if len(shape) > 1)
    scored = config.samples if config.output in ("sampled", "nce") else min([words, *config.cuts[:1]])
    return matrices + scored * config.shape.outputs
