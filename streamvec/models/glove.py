"""GloVe (Pennington, Socher, Manning 2014): vectors whose products are the logarithms of co-occurrences."""

from collections.abc import Mapping

import numpy as np

from streamvec.corpus.cooccurrences import Cooccurrences, Entries
from streamvec.errors import StreamvecError
from streamvec.kernels import glove, random
from streamvec.kernels.memory import aligned_zeros
from streamvec.kernels.records import HEAD, Batch, Cost
from streamvec.models.gloveconfig import GloveConfig
from streamvec.models.glovetasks import TaskTeam, Trainer
from streamvec.models.skipgram import new_team
from streamvec.models.step import Position, StepResult, first_not_finite
from streamvec.models.wordconfig import LANES

_BIASES, _SQUARES_OF_BIASES = slice(0, 2), slice(2, 4)  # in the head of a record
_ROWS = 1 << 14  # that are looked at at once


class Glove:
    """A record of floats for each word, and what is needed to train them on record batches of co-occurrences.

    ``arrays`` holds "records", float32[V * (16 + 4 columns)], columns being dim rounded up to 16: of each word its two
    biases (as a word, as a context), their sums of squares, 12 zeros; the word vector, the context vector, and the sums
    of squares of either.

    ``trainer`` is who takes the tasks of a step: the model's threads, unless it is set to somebody else, who may hold
    records in between.
    """

    unit = "entries"  # what the rate of training counts
    has_even_steps = False  # one round has the most frequent words, another only such as met once

    def __init__(self, config: GloveConfig, words: int, threads: int, bands: np.ndarray, mirrored: bool = True) -> None:
        """bands: int64[B + 1], where the bands of the words begin; mirrored: an entry stands for its mirror image."""
        self.config = config
        self.words = words
        self.team = new_team(threads)
        self.records = aligned_zeros((self.words * config.record,)).reshape(self.words, config.record)
        self.trainer: Trainer = TaskTeam(self.records, self.team)
        self.begin()
        self._mirrored = int(mirrored)
        sizes = np.diff(bands)
        self._band_of = np.repeat(np.arange(len(sizes), dtype=np.int32), sizes)
        self._tasks = np.zeros(len(sizes) + 2, np.int64)
        self._chance, self._seen = 0.0, 0  # loss of knowing nothing, over all examples seen by this process

    def begin(self) -> None:
        """Fills all records, which are here, with what they begin with."""
        config = self.config
        self.records[:] = 0
        for name in ("word", "context"):
            key = config.seed * 1_000_003 + (name == "context")
            random.uniform_rows(self._vectors(name), config.dim, -0.5 / config.dim, 0.5 / config.dim, key)
        self.records[:, _SQUARES_OF_BIASES] = 1
        self.records[:, HEAD + 2 * config.vectors * LANES :] = 1

    @property
    def arrays(self) -> Mapping[str, np.ndarray]:
        """Everything that a checkpoint must hold: the records, as they are now."""
        self.trainer.give_back()
        return {"records": self.records.reshape(-1)}

    @property
    def loss_at_chance(self) -> float:
        """Mean loss of the entries seen by this process if all vectors and biases were 0, and no logarithm nearer to 0
        than 1."""
        return self._chance / self._seen if self._seen else 1.0

    def step(self, batch: Entries, position: Position) -> StepResult:
        """Trains on one record batch; the order within it is a function of (seed, position)."""
        config, rows, columns = self.config, batch.rows, batch.columns
        number = glove.find_tasks(rows, columns, self._band_of, self._tasks)
        if number < 0:
            raise StreamvecError(
                f"co-occurrence number {batch.first} and those after it are not in the order of blocks: remove the "
                "folder cooccurrences, and streamvec resume counts the pairs again"
            )
        tasks = self._tasks[: number + 1]
        taken = Batch(rows, columns, batch.values, tasks, batch.first + tasks[:-1], self._mirrored)
        cost = Cost(config.x_max, config.alpha, self.learning_rate(position))
        key = np.uint64(random.stream(config.seed, position.epoch + 1, random.ORDER))
        losses = self.trainer.train(taken, cost, key)
        examples = rows.size + (int(np.count_nonzero(rows != columns)) if self._mirrored else 0)
        loss, chance = losses.sum(axis=0).tolist()
        self._chance, self._seen = self._chance + chance, self._seen + examples
        return StepResult(loss, examples, examples)

    def learning_rate(self, position: Position) -> float:
        """The learning rate at a position: always the same, as AdaGrad divides it by what has been."""
        return self.config.learning_rate

    def vectors(self, start: int, stop: int) -> np.ndarray:
        """The vectors of words start .. stop-1: float32[stop - start, answer_dim], a copy."""
        self.trainer.give_back()
        dim = self.config.dim
        word, context = (self._vectors(name)[start:stop, :dim] for name in ("word", "context"))
        if self.config.answer == "sum":
            return word + context
        if self.config.answer == "both":
            return np.concatenate([word, context], axis=1)
        return (word if self.config.answer == "word" else context).copy()

    def set_rows(self, name: str, words: np.ndarray, rows: np.ndarray) -> None:
        """Has the words int64[n] begin with *rows* float32[n, dim] as their vectors ("inputs", whatever the answer).

        Word and context vectors differ by what they began with at random: were they alike, they would stay so, as
        both directions of an entry are trained on.
        """
        self.trainer.give_back()
        dim = self.config.dim
        word, context = (self._vectors(part)[words, :dim] for part in ("word", "context"))
        if self.config.answer == "sum":
            word, context = rows / 2 + word, rows / 2 - word
        else:
            word = rows + word if self.config.answer == "context" else rows
            context = rows if self.config.answer == "context" else rows + context
        self._vectors("word")[words, :dim], self._vectors("context")[words, :dim] = word, context

    def set_ngrams(self, buckets: np.ndarray, rows: np.ndarray) -> None:
        """There are none."""

    def not_finite(self) -> str | None:
        """The name of an array with a NaN or an infinity in it, if there is one."""
        return first_not_finite(self.arrays)

    def close(self) -> None:
        """Ends the threads."""
        self.team.close()

    def _vectors(self, name: str) -> np.ndarray:
        """float32[V, columns] of word or context vectors, padded."""
        columns = self.config.vectors * LANES
        first = HEAD + (columns if name == "context" else 0)
        return self.records[:, first : first + columns]


class InRandomOrder:
    """Record batches of co-occurrences in another order in each epoch."""

    def __init__(self, cooccurrences: Cooccurrences, seed: int) -> None:
        self._cooccurrences = cooccurrences
        self._seed = seed
        self._epoch, self._order = -1, np.zeros(0, np.int64)

    def at(self, epoch: int, batch: int) -> Entries:
        """What an epoch's step number *batch* trains on."""
        if epoch != self._epoch:
            key = np.uint64(random.stream(self._seed, epoch + 1, random.BATCHES))  # a Python int may come too large
            draws = np.array([random.bits(key, number) for number in range(self._cooccurrences.batches)], np.uint64)
            self._epoch, self._order = epoch, np.argsort(draws, kind="stable")
        return self._cooccurrences.batch(int(self._order[batch]))
