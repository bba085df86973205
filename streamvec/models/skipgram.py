"""Skip-gram with negative sampling (Mikolov et al. 2013, arXiv:1310.4546): words that predict their neighbours."""

import math
from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from itertools import pairwise
from typing import Any

import numpy as np

from streamvec.corpus.shards import BATCH_TOKENS, TokenBatch
from streamvec.errors import StreamvecError
from streamvec.kernels import batches, layout, random, windows
from streamvec.kernels.alias import alias_table
from streamvec.kernels.holdout import choose_held_out
from streamvec.kernels.huffman import huffman_paths
from streamvec.kernels.memory import aligned_zeros
from streamvec.kernels.team import Team
from streamvec.models.step import Position, StepResult

_LANES = 16
_LONGEST_PATH = 42  # nodes: a Huffman path of n nodes needs a corpus of Fibonacci(n + 2) tokens, here 7e8, to exist


def _option(default: Any, help_text: str, **more: Any) -> Any:
    return field(default=default, metadata={"help": help_text, **more})


@dataclass(frozen=True)
class SkipGramConfig:
    """Everything that decides the bytes of the vectors, besides the text. ValueError for what can never be right."""

    dim: int = _option(100, "Length of the vectors.")
    window: int = _option(5, "Largest distance of a context word.")
    reach: str = _option(
        "dynamic",
        "dynamic: each window's reach is drawn from 1 to --window. fixed: it is --window.",
        choices=("dynamic", "fixed"),
    )
    sides: str = _option("both", "On which side of a word its contexts lie.", choices=("both", "left", "right"))
    objective: str = _option(
        "ns", "ns: negative sampling. hs: hierarchical softmax over a Huffman tree.", choices=("ns", "hs")
    )
    negative: int = _option(5, "Noise words for each window (--objective ns).")
    sample: float = _option(1e-3, "Frequency above which words are subsampled; 0 keeps all.")
    noise_power: float = _option(0.75, "Noise words are drawn by count to this power.")
    epochs: int = _option(5, "Passes over the text.")
    learning_rate: float = _option(0.025, "Learning rate at the start; it falls linearly to --final-learning-rate.")
    final_learning_rate: float = _option(1e-4, "Learning rate at the end.")
    batch: int = _option(
        0, "Most center words scored before their updates are applied; 0 is 256, and with --objective hs 32."
    )
    holdout: float = _option(0.0, "Share of documents held out of training, to report the loss on.")
    patience: int = _option(
        0, "Stop after so many epochs without a lower held-out loss, and take the best epoch; 0 never stops early."
    )
    seed: int = _option(1, "Seed of everything random.")
    mode: str = _option(
        "exact",
        "exact: the same bytes on any number of threads. hogwild: threads race; not repeatable.",
        choices=("exact", "hogwild"),
    )

    def __post_init__(self) -> None:
        if self.batch == 0:  # every path begins at the root of the tree, whose errors go stale the sooner
            object.__setattr__(self, "batch", 32 if self.objective == "hs" else 256)
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
        if self.patience < 0:
            raise ValueError(f"patience must be at least 0, got {self.patience}")
        if self.patience and not self.holdout:
            raise ValueError("patience needs a share of documents held out (holdout above 0), got none")
        if not 0 <= self.seed < 2**40:
            raise ValueError(f"seed must be at least 0 and below 2**40, got {self.seed}")
        for chosen in fields(self):
            choices = chosen.metadata.get("choices", ())
            if choices and getattr(self, chosen.name) not in choices:
                raise ValueError(f"{chosen.name} must be {' or '.join(choices)}, got {getattr(self, chosen.name)!r}")

    @property
    def averaged(self) -> bool:
        """Whether the contexts of a word are averaged into one (CBOW)."""
        return False

    @property
    def target_blocks(self) -> int:
        """Blocks of six targets that a center may have; of a Huffman path, more than any but absurd counts need."""
        return -(-(_LONGEST_PATH if self.objective == "hs" else self.negative + 1) // layout.TARGETS)

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
        blocks = self.target_blocks
        drawn = BATCH_TOKENS * (4 * 8 + 8 + 1 + blocks * layout.BLOCK * 4)
        copies = threads if self.mode == "hogwild" else 1
        return drawn + copies * self.slices * self.batch * self.window * blocks * _LANES * 4


@dataclass(frozen=True)
class CbowConfig(SkipGramConfig):
    """The same for CBOW: the average of a window's words predicts the word in its middle."""

    learning_rate: float = _option(0.05, "Learning rate at the start; it falls linearly to --final-learning-rate.")

    @property
    def averaged(self) -> bool:
        """Whether the contexts of a word are averaged into one (CBOW)."""
        return True


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
        self._targets = _Noise(config, counts) if config.objective == "ns" else _Tree(config, counts)
        self._rows = layout.Rows(
            int(self.arrays["inputs"].ctypes.data),
            int(self.arrays["outputs"].ctypes.data),
            self.words + 1,
            config.vectors,
            config.slices,
            int(config.averaged),
        )
        self._step = _new_step(config, nothing=self.words)
        self._scratch = _new_scratch(config, threads)

    @property
    def loss_at_chance(self) -> float:
        """Loss a pair when all scores are 0: log 2 for each target."""
        return self._targets.mean_number * math.log(2)

    def step(self, batch: TokenBatch, position: Position) -> StepResult:
        """Trains on one record batch; everything drawn for it is a function of (seed, position)."""
        config = self.config
        kept = self._draw(batch, position.epoch + 1, position.batch, held_out=False)
        rate = np.float32(self.learning_rate(position))

        def work(thread: int) -> None:
            scratch, threads = self._scratch[thread], self.team.threads
            if config.mode == "hogwild":
                batches.train_racing(self._rows, self._step, scratch, kept, rate, thread, threads)
            else:
                batches.train(self._rows, self._step, scratch, kept, rate, thread, threads, self.team.barrier)

        self.team.run(work)
        return self._result(batch, kept)

    def learning_rate(self, position: Position) -> float:
        """The learning rate at a position: linear in the share of all record batches that are done."""
        done = (position.epoch * self.steps + position.batch) / (self.config.epochs * self.steps)
        high, low = self.config.learning_rate, self.config.final_learning_rate
        return high + (low - high) * done

    def held_out_loss(self, numbered: Iterable[tuple[int, TokenBatch]]) -> float | None:
        """Mean loss a pair on the held-out documents of (number, batch)es, with draws that are the same each time."""
        loss, pairs = 0.0, 0
        for number, batch in numbered:
            kept = self._draw(batch, 0, number, held_out=True)
            batches.measure(self._rows, self._step, self._scratch[0], kept)
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
        blocks, threads, size = -(-kept // config.batch), self.team.threads, config.batch
        to_left, to_right = config.sides != "right", config.sides != "left"
        shape = windows.WindowShape(config.window, int(config.reach == "dynamic"), int(to_left), int(to_right))

        def work(thread: int) -> None:
            first, last = blocks * thread // threads * size, min(blocks * (thread + 1) // threads * size, kept)
            windows.draw_windows(self._step, first, last, shape, keys[1], size)
            self._targets.draw(self._step, first, last, keys[2])
            windows.count_pairs(self._step, first, last, int(config.averaged))

        self.team.run(work)
        return kept

    def _result(self, batch: TokenBatch, kept: int) -> StepResult:
        contexts = self._step.left[:kept] + self._step.right[:kept]
        pairs = int(np.count_nonzero(contexts) if self.config.averaged else contexts.sum())
        return StepResult(float(self._step.losses[:kept].sum(dtype=np.float64)), pairs, len(batch.values))


class _Noise:
    """The targets of negative sampling: the center and noise words."""

    def __init__(self, config: SkipGramConfig, counts: np.ndarray) -> None:
        self.negative, self.nothing = config.negative, len(counts)
        self.mean_number = 1.0 + config.negative
        self.table = alias_table(counts.astype(np.float64) ** config.noise_power)

    def draw(self, step: layout.Step, first: int, last: int, key: np.uint64) -> None:
        """Writes the targets of tokens first .. last-1."""
        windows.draw_noise(step, first, last, self.negative, self.table, key, self.nothing)


class _Tree:
    """The targets of hierarchical softmax: the nodes on the center's path."""

    def __init__(self, config: SkipGramConfig, counts: np.ndarray) -> None:
        if len(counts) < 2:
            raise StreamvecError("a Huffman tree needs at least two words: use --objective ns, or lower --min-count")
        self.starts, self.nodes = huffman_paths(counts)
        lengths, self.nothing = np.diff(self.starts), len(counts)
        self.mean_number = float((counts * lengths).sum() / counts.sum())
        if lengths.max(initial=0) > config.target_blocks * layout.TARGETS:
            raise StreamvecError(
                f"the counts of this vocabulary give a Huffman path of {lengths.max()} nodes, at most {_LONGEST_PATH} "
                "are allowed: use --objective ns, or raise --min-count"
            )

    def draw(self, step: layout.Step, first: int, last: int, key: np.uint64) -> None:
        """Writes the targets of tokens first .. last-1."""
        windows.take_paths(step, first, last, self.starts, self.nodes, self.nothing)


def _keep_thresholds(counts: np.ndarray, sample: float) -> np.ndarray:
    """uint32[V]: a word is kept where 32 random bits are at most this.

    The probability is sqrt(sample / f) + sample / f, as in word2vec.c.
    """
    if sample == 0:
        return np.full(len(counts), 2**32 - 1, np.uint32)
    ratio = sample * counts.sum() / counts
    return (np.minimum(1.0, np.sqrt(ratio) + ratio) * (2**32 - 1)).astype(np.uint32)


def _new_step(config: SkipGramConfig, nothing: int) -> layout.Step:
    capacity = BATCH_TOKENS
    blocks = config.target_blocks
    targets = aligned_zeros((capacity, blocks, layout.BLOCK), np.int32)
    targets.fill(2 * nothing)
    tokens, begin, end, left, right, used, pairs = (aligned_zeros((capacity,), np.int32) for _ in range(7))
    places = aligned_zeros((capacity,), np.int64)
    starts = aligned_zeros((capacity,), np.uint8)
    losses = aligned_zeros((capacity,), np.float32)
    return layout.Step(tokens, places, begin, end, left, right, targets, used, pairs, starts, losses)


def _new_scratch(config: SkipGramConfig, threads: int) -> list[layout.Scratch]:
    blocks = config.target_blocks
    shape = (config.slices, config.batch * config.window, blocks, _LANES)
    shared = aligned_zeros(shape)
    return [
        layout.Scratch(
            aligned_zeros(shape) if config.mode == "hogwild" and thread else shared,
            aligned_zeros((config.window, blocks, _LANES)),
            aligned_zeros((2 * config.window + 2,), np.int64),
        )
        for thread in range(threads)
    ]
