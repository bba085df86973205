"""Skip-gram with negative sampling (Mikolov et al. 2013, arXiv:1310.4546): words that predict their neighbours."""

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np

from streamvec.corpus.shards import BATCH_TOKENS, TokenBatch
from streamvec.kernels import random, skipgram, windows
from streamvec.kernels.alias import alias_table
from streamvec.kernels.holdout import choose_held_out
from streamvec.kernels.memory import aligned_zeros
from streamvec.kernels.team import Team
from streamvec.models.step import Position, StepResult

_LANES = 16


def _option(default: Any, help_text: str, **more: Any) -> Any:
    return field(default=default, metadata={"help": help_text, **more})


@dataclass(frozen=True)
class SkipGramConfig:
    """Everything that decides the bytes of the vectors, besides the text. ValueError for what can never be right."""

    dim: int = _option(100, "Length of the vectors.")
    window: int = _option(5, "Largest distance of a context word; each window's reach is drawn from 1 to this.")
    negative: int = _option(5, "Noise words for each window.")
    sample: float = _option(1e-3, "Frequency above which words are subsampled; 0 keeps all.")
    noise_power: float = _option(0.75, "Noise words are drawn by count to this power.")
    epochs: int = _option(5, "Passes over the text.")
    learning_rate: float = _option(0.025, "Learning rate at the start; it falls linearly to --final-learning-rate.")
    final_learning_rate: float = _option(1e-4, "Learning rate at the end.")
    batch: int = _option(256, "Most center words whose scores are computed before their updates are applied.")
    holdout: float = _option(0.0, "Share of documents held out of training, to report the loss on.")
    seed: int = _option(1, "Seed of everything random.")
    mode: str = _option(
        "exact",
        "exact: the same bytes on any number of threads. hogwild: threads race; not repeatable.",
        choices=("exact", "hogwild"),
    )

    def __post_init__(self) -> None:
        for name in ("dim", "window", "negative", "epochs", "batch"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        for name in ("sample", "noise_power", "final_learning_rate"):
            if not 0 <= getattr(self, name) < float("inf"):
                raise ValueError(f"{name} must be at least 0 and finite, got {getattr(self, name)}")
        if not 0 < self.learning_rate < float("inf"):
            raise ValueError(f"learning_rate must be above 0 and finite, got {self.learning_rate}")
        if self.final_learning_rate > self.learning_rate:
            low, high = self.final_learning_rate, self.learning_rate
            raise ValueError(f"final_learning_rate must be at most learning_rate, got {low} above {high}")
        if not 0 <= self.holdout < 1:
            raise ValueError(f"holdout must be at least 0 and below 1, got {self.holdout}")
        if self.seed < 0:
            raise ValueError(f"seed must be at least 0, got {self.seed}")
        if self.mode not in ("exact", "hogwild"):
            raise ValueError(f"mode must be exact or hogwild, got {self.mode!r}")

    @property
    def vectors(self) -> int:
        """Groups of 16 floats in a row."""
        return -(-self.dim // _LANES)

    @property
    def slices(self) -> int:
        """Slices of the columns in which scores are added up: fixed by dim, so that threads change nothing.

        Two cost little on few threads; longer rows can feed four.
        """
        return 1 if self.vectors == 1 else 2 if self.vectors < _LANES else 4

    def model_bytes(self, words: int) -> int:
        """Memory that grows with the vocabulary, in bytes."""
        return 2 * (words + 1) * self.vectors * _LANES * 4 + words * (8 + 8 + 4)

    def scratch_bytes(self, threads: int) -> int:
        """Memory that does not grow with the vocabulary, in bytes."""
        blocks = -(-(self.negative + 1) // windows.TARGETS)
        drawn = BATCH_TOKENS * (4 * 7 + 8 + 1 + blocks * windows.BLOCK * 4)
        copies = threads if self.mode == "hogwild" else 1
        return drawn + copies * self.slices * self.batch * self.window * blocks * _LANES * 4


class SkipGram:
    """Two float32 matrices and what is needed to train them on record batches of tokens.

    ``arrays`` holds "inputs" (the vectors wanted) and "outputs", each flat: slice after slice of the columns, each
    float32[V + 1, columns of the slice]; the last row is zero.
    """

    def __init__(self, config: SkipGramConfig, counts: np.ndarray, steps: int, threads: int = 1) -> None:
        """counts: int64[V], by rank; steps: record batches of one epoch."""
        self.config = config
        self.words = len(counts)
        self.steps = steps
        self.team = Team(threads)
        columns = config.vectors * _LANES
        self.arrays = {name: aligned_zeros(((self.words + 1) * columns,)) for name in ("inputs", "outputs")}
        for first_column, part in self._slices("inputs"):
            wanted = min(part.shape[1], max(0, config.dim - first_column))
            key = config.seed * 1_000_003 + first_column
            random.uniform_rows(part[:-1], wanted, -0.5 / config.dim, 0.5 / config.dim, key)
        self._keep = _keep_thresholds(counts, config.sample)
        self._noise = alias_table(counts.astype(np.float64) ** config.noise_power)
        self._rows = skipgram.Rows(
            int(self.arrays["inputs"].ctypes.data),
            int(self.arrays["outputs"].ctypes.data),
            self.words + 1,
            config.vectors,
            config.slices,
        )
        self._step = _new_step(config, nothing=self.words)
        self._scratch = _new_scratch(config, threads)

    @property
    def loss_at_chance(self) -> float:
        """Loss a pair when all scores are 0: log 2 for the center and for each noise word."""
        return (1 + self.config.negative) * math.log(2)

    def step(self, batch: TokenBatch, position: Position) -> StepResult:
        """Trains on one record batch; everything drawn for it is a function of (seed, position)."""
        config = self.config
        kept = self._draw(batch, position.epoch + 1, position.batch, held_out=False)
        rate = np.float32(self.learning_rate(position))

        def work(thread: int) -> None:
            scratch, threads = self._scratch[thread], self.team.threads
            if config.mode == "hogwild":
                skipgram.train_racing(self._rows, self._step, scratch, kept, rate, thread, threads)
            else:
                skipgram.train(self._rows, self._step, scratch, kept, rate, thread, threads, self.team.barrier)

        self.team.run(work)
        return self._result(batch, kept)

    def learning_rate(self, position: Position) -> float:
        """The learning rate at a position: linear in the share of all record batches that are done."""
        done = (position.epoch * self.steps + position.batch) / (self.config.epochs * self.steps)
        high, low = self.config.learning_rate, self.config.final_learning_rate
        return high + (low - high) * done

    def held_out_loss(self, batches: Iterable[tuple[int, TokenBatch]]) -> float | None:
        """Mean loss a pair on the held-out documents of (number, batch)es, with draws that are the same each time."""
        loss, pairs = 0.0, 0
        for number, batch in batches:
            kept = self._draw(batch, 0, number, held_out=True)
            skipgram.measure(self._rows, self._step, self._scratch[0], kept)
            result = self._result(batch, kept)
            loss, pairs = loss + result.loss, pairs + result.examples
        return loss / pairs if pairs else None

    def vectors(self, start: int, stop: int) -> np.ndarray:
        """The vectors of words start .. stop-1: float32[stop - start, dim], a copy."""
        rows = np.empty((stop - start, self.config.dim), np.float32)
        for column, part in self._slices("inputs"):
            wanted = rows[:, column : column + part.shape[1]]
            wanted[:] = part[start:stop, : wanted.shape[1]]
        return rows

    def not_finite(self) -> str | None:
        """The name of an array with a NaN or an infinity in it, if there is one."""
        for name, array in self.arrays.items():
            for start in range(0, array.size, 1 << 20):
                if not np.isfinite(array[start : start + (1 << 20)].sum(dtype=np.float64)):
                    return name
        return None

    def close(self) -> None:
        """Ends the threads."""
        self.team.close()

    def _slices(self, name: str) -> Iterable[tuple[int, np.ndarray]]:
        """(first column, float32[V + 1, columns]) of each slice of an array."""
        rows, slices, vectors = self.words + 1, self.config.slices, self.config.vectors
        edges = [(vectors * piece + slices - 1) // slices * _LANES for piece in range(slices + 1)]
        for low, high in pairwise(edges):
            yield low, self.arrays[name][rows * low : rows * high].reshape(rows, high - low)

    def _draw(self, batch: TokenBatch, epoch: int, number: int, held_out: bool) -> int:
        config, place = self.config, number * BATCH_TOKENS
        keys = [
            np.uint64(random.stream(config.seed, epoch, purpose))
            for purpose in (random.KEEP, random.WINDOW, random.NOISE)
        ]
        key = np.uint64(random.stream(config.seed, 0, random.HOLDOUT))
        chosen = choose_held_out(batch.offsets, place, key, config.holdout)
        kept = windows.subsample(
            batch.values, batch.offsets, place, self._keep, keys[0], chosen, int(held_out), self._step
        )
        blocks, threads = -(-kept // config.batch), self.team.threads
        negative, window, size = config.negative, config.window, config.batch

        def work(thread: int) -> None:
            first, last = blocks * thread // threads * size, min(blocks * (thread + 1) // threads * size, kept)
            noise, nothing = self._noise, self.words
            windows.draw(self._step, first, last, negative, window, noise, keys[1], keys[2], nothing, size)

        self.team.run(work)
        return kept

    def _result(self, batch: TokenBatch, kept: int) -> StepResult:
        pairs = int(self._step.left[:kept].sum()) + int(self._step.right[:kept].sum())
        return StepResult(float(self._step.losses[:kept].sum(dtype=np.float64)), pairs, len(batch.values))


def _keep_thresholds(counts: np.ndarray, sample: float) -> np.ndarray:
    """uint32[V]: a word is kept where 32 random bits are at most this.

    The probability is sqrt(sample / f) + sample / f, as in word2vec.c.
    """
    if sample == 0:
        return np.full(len(counts), 2**32 - 1, np.uint32)
    ratio = sample * counts.sum() / counts
    return (np.minimum(1.0, np.sqrt(ratio) + ratio) * (2**32 - 1)).astype(np.uint32)


def _new_step(config: SkipGramConfig, nothing: int) -> windows.Step:
    capacity = BATCH_TOKENS
    blocks = -(-(config.negative + 1) // windows.TARGETS)
    targets = aligned_zeros((capacity, blocks, windows.BLOCK), np.int32)
    targets.fill(nothing)
    tokens, begin, end, left, right = (aligned_zeros((capacity,), np.int32) for _ in range(5))
    places = aligned_zeros((capacity,), np.int64)
    pairs = aligned_zeros((capacity + 1,), np.int32)
    starts = aligned_zeros((capacity,), np.uint8)
    losses = aligned_zeros((capacity,), np.float32)
    return windows.Step(tokens, places, begin, end, left, right, targets, pairs, starts, losses)


def _new_scratch(config: SkipGramConfig, threads: int) -> list[skipgram.Scratch]:
    blocks = -(-(config.negative + 1) // windows.TARGETS)
    shape = (config.slices, config.batch * config.window, blocks, _LANES)
    shared = aligned_zeros(shape)
    return [
        skipgram.Scratch(
            aligned_zeros(shape) if config.mode == "hogwild" and thread else shared,
            aligned_zeros((config.window, blocks, _LANES)),
            aligned_zeros((2 * config.window + 2,), np.int64),
        )
        for thread in range(threads)
    ]
