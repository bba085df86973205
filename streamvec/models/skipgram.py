"""Skip-gram with negative sampling (Mikolov et al. 2013, arXiv:1310.4546): words that predict their neighbours."""

from collections.abc import Iterable, Mapping

import numpy as np

from streamvec.corpus.shards import BATCH_TOKENS, TokenBatch
from streamvec.errors import StreamvecError
from streamvec.kernels import batches, layout, random, windows
from streamvec.kernels.exchange import has_failed
from streamvec.kernels.holdout import choose_held_out
from streamvec.kernels.memory import aligned_zeros
from streamvec.kernels.replicas import mark, mark_parts
from streamvec.kernels.subwords import Subwords, bound_sharing, compose
from streamvec.kernels.team import Team
from streamvec.models.columns import Columns
from streamvec.models.softmax import EveryWord, FullSoftmax
from streamvec.models.step import Position, StepResult, first_not_finite
from streamvec.models.subwords import NO_SUBWORDS, Hidden, NGrams, ring_places
from streamvec.models.targets import Noise, Tree
from streamvec.models.wordconfig import LANES, SkipGramConfig

# Of so many centers one has its loss measured, where there are more than a few: logarithms are a tenth of the training.
_LOSS_EVERY, _FEW = 8, 4096
_TARGETS: dict[str, type[Noise] | type[Tree] | type[EveryWord]] = {"ns": Noise, "hs": Tree, "softmax": EveryWord}


class PeerGone(Exception):
    """Another process that holds a part of the model is gone: this part is not to be trained on."""


class SkipGram:
    """Two float32 matrices and what is needed to train them on record batches of tokens.

    ``arrays`` holds "inputs" (the vectors wanted) and "outputs", each flat: slice after slice of the columns, each
    float32[V + 1, columns of the slice]; the last row is zero. With subwords, inputs has rows of n-grams between those
    of words and the zero row, and a word's vector is the mean of several.

    Where slices are divided among processes, each holds its own of both, draws all that the others draw, and raises
    PeerGone in a step that not all of them made.
    """

    unit = "words"  # what the rate of training counts
    has_even_steps = True  # each has the loss of text

    def __init__(
        self,
        config: SkipGramConfig,
        counts: np.ndarray,
        steps: int,
        threads: int = 1,
        ngrams: NGrams | None = None,
        columns: Columns | None = None,
    ) -> None:
        """counts: int64[V], by rank; steps: record batches of one epoch; ngrams: of the same words, for subwords;
        columns: the slices that are here, all by default."""
        if (ngrams is None) != (config.ngrams is None):
            raise ValueError(f"ngrams must be those of subwords={config.subwords}, got {ngrams}")
        self.config = config
        self.words = len(counts)
        self.steps = steps
        self.ngrams = ngrams
        self.team = new_team(threads)
        self.columns = columns or Columns.all_of(config)
        low, high = self.columns.edges(config)
        self._heights = {"inputs": self.words + (len(ngrams.buckets) if ngrams else 0) + 1, "outputs": self.words + 1}
        self.arrays = {name: aligned_zeros((rows * (high - low),)) for name, rows in self._heights.items()}
        for first_column, part in self.slices("inputs"):
            wanted = min(part.shape[1], max(0, config.dim - first_column))
            key = config.seed * 1_000_003 + first_column
            random.uniform_rows(part[:-1], wanted, -0.5 / config.dim, 0.5 / config.dim, key)
        self._keep = _keep_thresholds(counts, config.sample)
        self._targets: Noise | Tree | EveryWord = _TARGETS[config.objective](config, counts)
        self._step = _new_step(config, nothing=self.words)
        self._softmax: FullSoftmax | None = None
        if config.objective == "softmax":
            (_, inputs), (_, outputs) = *self.slices("inputs"), *self.slices("outputs")
            self._softmax = FullSoftmax(config, inputs, outputs, self.team)
        else:
            self._scratch = _new_scratch(config, threads)
            self._hidden = self._new_hidden(threads)

    @property
    def loss_at_chance(self) -> float:
        """Loss a pair when all scores are 0."""
        return self._targets.loss_at_chance

    def step(self, batch: TokenBatch, position: Position) -> StepResult:
        """Trains on one record batch; everything drawn for it is a function of (seed, position)."""
        kept = self.draw(batch, position)
        rate = np.float32(self.learning_rate(position))
        if self._softmax is not None:
            self._softmax.train(self._step, kept, rate)
            return self._result(batch, kept, 1)
        self.train(kept, 0, kept, rate)
        return self.result(batch, kept)

    def draw(self, batch: TokenBatch, position: Position) -> int:
        """Draws what a step trains on, for `train`; returns how many centers there are."""
        return self._draw(batch, position.epoch + 1, position.batch, held_out=False)

    def train(self, kept: int, first: int, last: int, rate: np.float32) -> None:
        """Trains on centers first .. last-1 of the *kept* ones that are drawn; of no full softmax."""
        every = _LOSS_EVERY if kept > _FEW else 1

        def work(thread: int) -> None:
            scratch, threads, (rows, subwords) = self._scratch[thread], self.team.threads, self._rows(thread)
            if self.config.mode == "hogwild":
                batches.train_racing(rows, subwords, self._step, scratch, kept, rate, every, thread, threads)
            else:
                drawn = self._step, scratch, first, last, rate, every
                batches.train(rows, subwords, *drawn, thread, threads, self.team.barrier, self.columns.peers)

        self.team.run(work)
        self._refuse_half_a_step()

    def result(self, batch: TokenBatch, kept: int) -> StepResult:
        """What training on all of the *kept* centers came to."""
        return self._result(batch, kept, _LOSS_EVERY if kept > _FEW else 1)

    def note_rows(self, kept: int, changed: Mapping[str, np.ndarray]) -> None:
        """Notes the rows that training on the centers drawn changes: uint8[rows] of each array, 1 where it does."""
        mark(self._step, kept, changed["inputs"], changed["outputs"])
        if self.ngrams is not None:
            mark_parts(changed["inputs"], self.words, self.ngrams.starts, self.ngrams.lists)

    def met(self, counts: np.ndarray) -> dict[str, np.ndarray]:
        """How often the rows of each array occur among the tokens of *counts*, on average: float64[rows]."""
        assert not isinstance(self._targets, EveryWord)
        centers = counts * ((self._keep.astype(np.float64) + 1) / 2**32)
        return _met(counts, centers, self._targets, self._heights["inputs"], self.ngrams)

    def learning_rate(self, position: Position) -> float:
        """The learning rate at a position."""
        return rate_at(self.config, self.steps, position)

    def held_out_loss(self, numbered: Iterable[tuple[int, TokenBatch]]) -> float | None:
        """Mean loss a pair on the held-out documents of (number, batch)es, with draws that are the same each time."""
        loss, pairs = 0.0, 0
        for number, batch in numbered:
            kept = self._draw(batch, 0, number, held_out=True)
            if self._softmax is not None:
                self._softmax.measure(self._step, kept)
            else:
                batches.measure(*self._rows(0), self._step, self._scratch[0], kept, self.columns.peers)
                self._refuse_half_a_step()
            result = self._result(batch, kept, 1)
            loss, pairs = loss + result.loss, pairs + result.examples
        return loss / pairs if pairs else None

    def vectors(self, start: int, stop: int) -> np.ndarray:
        """The vectors of words start .. stop-1: float32[stop - start, dim], or the numbers that are here; a copy."""
        if self.ngrams is None:
            return self._copied("inputs", start, stop)
        rows = np.empty((stop - start, self.config.dim), np.float32)
        (low, high), numbers = self.columns.edges(self.config), self.columns.wanted(self.config)
        matrices, subwords = self._rows(0)
        for first in range(start, stop, subwords.ring):  # as many at once as there are hidden rows
            words = np.arange(first, min(first + subwords.ring, stop), dtype=np.int32)
            compose(matrices, subwords, words.ctypes.data, 0, len(words), 4 * low, 4 * high)
            some = rows[first - start : first - start + len(words)]
            for begin, end in self._own_columns():
                wanted = some[:, begin:end]
                wanted[:] = self._hidden[0].slice(begin, end)[: len(words), : wanted.shape[1]]
        return rows[:, numbers]

    def ngram_vectors(self, start: int, stop: int) -> np.ndarray:
        """The rows of the n-grams in buckets number start .. stop-1 of ``ngrams.buckets``: float32, a copy."""
        return self._copied("inputs", self.words + start, self.words + stop)

    def _copied(self, name: str, start: int, stop: int) -> np.ndarray:
        rows = np.empty((stop - start, self.config.dim), np.float32)
        for column, part in self.slices(name):
            wanted = rows[:, column : column + part.shape[1]]
            wanted[:] = part[start:stop, : wanted.shape[1]]
        return rows[:, self.columns.wanted(self.config)]

    def set_rows(self, name: str, words: np.ndarray, rows: np.ndarray) -> None:
        """Gives the words int64[n] the rows float32[n, dim] in the array *name*; what pads them stays zero."""
        for column, part in self.slices(name):
            wanted = rows[:, column : column + part.shape[1]]
            part[words, : wanted.shape[1]] = wanted

    def set_ngrams(self, buckets: np.ndarray, rows: np.ndarray) -> None:
        """Gives the n-grams in buckets int32[n] the rows float32[n, dim]; buckets that no word has are passed over."""
        assert self.ngrams is not None
        places = np.searchsorted(self.ngrams.buckets, buckets)
        known = places < len(self.ngrams.buckets)
        known[known] = self.ngrams.buckets[places[known]] == buckets[known]
        self.set_rows("inputs", self.words + places[known], rows[known])

    def not_finite(self) -> str | None:
        """The name of an array with a NaN or an infinity in it, if there is one."""
        return first_not_finite(self.arrays)

    def close(self) -> None:
        """Ends the threads."""
        self.team.close()

    def slices(self, name: str, arrays: Mapping[str, np.ndarray] | None = None) -> Iterable[tuple[int, np.ndarray]]:
        """(first column, float32[rows, columns]) of each slice of an array, of this model or of *arrays* like it."""
        rows, (before, _) = self._heights[name], self.columns.edges(self.config)
        flat = (self.arrays if arrays is None else arrays)[name]
        for low, high in self._own_columns():
            yield low, flat[rows * (low - before) : rows * (high - before)].reshape(rows, high - low)

    def _own_columns(self) -> list[tuple[int, int]]:
        return self.config.columns[self.columns.first : self.columns.last]

    def _address(self, name: str) -> int:
        """Where slice 0 of an array is, or would be."""
        return int(self.arrays[name].ctypes.data) - 4 * self._heights[name] * self.columns.edges(self.config)[0]

    def _refuse_half_a_step(self) -> None:
        if has_failed(self.columns.peers):
            raise PeerGone("another process that holds slices of the model is gone")

    def _new_hidden(self, threads: int) -> list[Hidden]:
        """Where words are composed: with hogwild each thread has its own, otherwise all share one."""
        if self.ngrams is None:
            return []
        table, height = self._address("inputs"), self._heights["inputs"]
        copies = threads if self.config.mode == "hogwild" else 1
        self._step = self._step._replace(inputs=ring_places(self.config.ring, len(self._step.tokens)))
        return [Hidden(self.config, self.ngrams, table, height) for _ in range(copies)]

    def _rows(self, thread: int) -> tuple[layout.Rows, Subwords]:
        """What one thread trains on: rows of words, or hidden rows and what these are composed from."""
        config = self.config
        inputs, outputs = self._address("inputs"), self._address("outputs")
        input_height, subwords = self._heights["inputs"], NO_SUBWORDS
        if self._hidden:
            hidden = self._hidden[thread % len(self._hidden)]
            inputs, input_height, subwords = hidden.address, hidden.height, hidden.subwords
        shape = config.vectors, config.slices, self.columns.first, self.columns.last, int(config.averaged)
        return layout.Rows(inputs, outputs, input_height, self._heights["outputs"], *shape), subwords

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
            if self.ngrams is not None:
                bound_sharing(self._step, first, last, self.ngrams.starts, self.ngrams.lists)
            windows.count_pairs(self._step, first, last, int(config.averaged))

        self.team.run(work)
        return kept

    def _result(self, batch: TokenBatch, kept: int, every: int) -> StepResult:
        """The losses of every *every*-th center."""
        contexts = self._step.left[:kept:every] + self._step.right[:kept:every]
        pairs = int(np.count_nonzero(contexts) if self.config.averaged else contexts.sum())
        return StepResult(float(self._step.losses[:kept:every].sum(dtype=np.float64)), pairs, len(batch.values))


def rate_at(config: SkipGramConfig, steps: int, position: Position) -> float:
    """The learning rate at a position: linear in the share of all record batches that are done, *steps* an epoch."""
    done = (position.epoch * steps + position.batch) / (config.epochs * steps)
    return config.learning_rate + (config.final_learning_rate - config.learning_rate) * done


def new_team(threads: int) -> Team:
    """The threads of a model; StreamvecError where the system does not give so many."""
    try:
        return Team(threads)
    except RuntimeError as problem:
        raise StreamvecError(f"{threads} threads cannot be had here ({problem}): use fewer --threads") from None


def expected_met(
    config: SkipGramConfig, counts: np.ndarray, ngrams: NGrams | None, tokens: int
) -> dict[str, np.ndarray]:
    """As `SkipGram.met`, of a model that there is not, whose objective is no full softmax: the rows of the words that
    *counts* are of, and of their n-grams, in a corpus of *tokens* tokens."""
    targets = _TARGETS[config.objective](config, counts)
    assert not isinstance(targets, EveryWord)
    rows = len(counts) + (len(ngrams.buckets) if ngrams else 0) + 1
    return _met(counts, counts * kept_of(counts, config.sample, tokens), targets, rows, ngrams)


def _met(
    counts: np.ndarray, centers: np.ndarray, targets: Noise | Tree, rows: int, ngrams: NGrams | None
) -> dict[str, np.ndarray]:
    """centers: float64[V], how often each word is one."""
    contexts: np.ndarray = np.zeros(rows)
    contexts[: len(counts)] = centers
    if ngrams is not None:
        each = np.repeat(centers, np.diff(ngrams.starts))
        contexts = np.bincount(ngrams.lists, each, rows)
    return {"inputs": contexts, "outputs": targets.met(centers, counts)}


def kept_of(counts: np.ndarray, sample: float, tokens: int) -> np.ndarray:
    """How likely words that occur so often among *tokens* tokens are kept by subsampling: float64[n].

    The probability is sqrt(sample / f) + sample / f, as in word2vec.c; 0 keeps all.
    """
    if sample == 0:
        return np.ones(len(counts))
    ratio = sample * tokens / counts
    return np.minimum(1.0, np.sqrt(ratio) + ratio)


def _keep_thresholds(counts: np.ndarray, sample: float) -> np.ndarray:
    """uint32[V]: a word is kept where 32 random bits are at most this."""
    return (kept_of(counts, sample, counts.sum()) * (2**32 - 1)).astype(np.uint32)


def _new_step(config: SkipGramConfig, nothing: int) -> layout.Step:
    capacity = BATCH_TOKENS
    blocks = config.target_blocks
    targets = aligned_zeros((capacity, blocks, layout.BLOCK), np.int32)
    targets.fill(2 * nothing)
    tokens = aligned_zeros((capacity + config.window + layout.MORE_ROWS,), np.int32)
    begin, end, left, right, used, pairs = (aligned_zeros((capacity,), np.int32) for _ in range(6))
    places = aligned_zeros((capacity,), np.int64)
    starts = aligned_zeros((capacity,), np.uint8)
    losses = aligned_zeros((capacity,), np.float32)
    return layout.Step(tokens, tokens, places, begin, end, left, right, targets, used, pairs, starts, losses)


def _new_scratch(config: SkipGramConfig, threads: int) -> list[layout.Scratch]:
    blocks = config.target_blocks
    shape = (2, config.slices, config.batch * config.window, blocks, LANES)
    shared = aligned_zeros(shape)
    return [
        layout.Scratch(
            aligned_zeros(shape) if config.mode == "hogwild" and thread else shared,
            aligned_zeros((layout.GROUP, config.window, blocks, LANES)),
            aligned_zeros((2 * config.window + layout.MORE_ROWS,), np.int64),
        )
        for thread in range(threads)
    ]
