"""Lanes: replicas of a word model, each trained on its own part of the text, and combined at fixed places.

A step is so many record batches for each lane. Within it, rows are combined the more often the more often they occur:
a row is due, whoever trains it, about every so many of its occurrences in a lane, and at the end of the step all rows
that changed are. What is combined, and in which order, depends on the lanes and the text alone, never on where a lane
runs or how many threads it has.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple, Protocol

import numpy as np

from streamvec.corpus.elsewhere import look_here
from streamvec.corpus.shards import BATCH_TOKENS, TokenBatch
from streamvec.kernels.memory import aligned_zeros
from streamvec.kernels.replicas import advance, combine, differ
from streamvec.models.skipgram import SkipGram
from streamvec.models.step import Position, StepResult
from streamvec.models.wordconfig import LANES

ROUNDS = 64  # record batches of a lane in one step, at most: a stop waits for its end; and
STEPS = 64  # steps of an epoch that there are at least, where there is text enough: so often are rare rows combined
PARTS = 4  # of a record batch, after each of which the most frequent rows are combined
OCCURRENCES = 16  # of a row in a lane, about, between two times that it is combined

Rows = Mapping[str, np.ndarray]  # int64[n] of each array, rising
Changes = Mapping[str, tuple[np.ndarray, np.ndarray]]  # of each array: rows int64[n], float32[n, columns]


class Source(Protocol):
    """Record batches of tokens by number."""

    @property
    def batches(self) -> int:
        """How many there are."""

    def batch(self, number: int) -> TokenBatch:
        """One of them."""


class Timetable(NamedTuple):
    """Which rows are due after which part of a step."""

    due: list[dict[str, np.ndarray]]  # by how many times 2 divides the number of the part, from 1

    @classmethod
    def of(cls, met: Mapping[str, np.ndarray], tokens: int, rounds: int) -> "Timetable":
        """met: how often the rows of each array occur in the *tokens* of the corpus, on average; rounds: of a step."""
        levels = (rounds * PARTS).bit_length() - 1
        due = []
        for level in range(levels):
            least = OCCURRENCES / 2**level * tokens / (BATCH_TOKENS / PARTS)
            due.append({name: np.flatnonzero(each >= least) for name, each in met.items()})
        return cls(due)

    def after(self, part: int) -> dict[str, np.ndarray] | None:
        """The rows that are due after part number *part*, from 1, of a step; None for all that changed."""
        level = (part & -part).bit_length() - 1
        return self.due[level] if level < len(self.due) else None


def rounds_of(batches: int, lanes: int) -> int:
    """Record batches of each lane in one step, where an epoch has so many: a power of two."""
    wanted = max(1, min(ROUNDS, batches // (lanes * STEPS)))
    return 1 << (wanted.bit_length() - 1)


class Replica:
    """One replica, and how it was when it was last combined with the others."""

    def __init__(self, model: SkipGram, counts: np.ndarray) -> None:
        """counts: int64[V], of the words of *model*."""
        self.model = model
        rounds = rounds_of(model.steps, model.config.lanes)
        self._timetable = Timetable.of(model.met(counts), int(counts.sum()), rounds)
        self._before = {name: aligned_zeros(array.shape) for name, array in model.arrays.items()}
        for name, array in model.arrays.items():
            self._before[name][:] = array
        heights = {name: part.shape[0] for name in model.arrays for _, part in model.slices(name)}
        self._changed = {name: np.zeros(rows, np.uint8) for name, rows in heights.items()}
        self._batch: TokenBatch | None = None
        self._source: Source
        self._kept, self._rate, self._passed = 0, np.float32(0), 0

    def ready(self) -> float:
        """Answers, with ``loss_at_chance``, once the lane is there."""
        return self.model.loss_at_chance

    def read(self, source: Source) -> None:
        """Has numbers of record batches stand for those of *source*; StreamvecError where this node cannot see them."""
        self._source = source
        look_here(source)

    def begin(self, batch: TokenBatch | int | None, position: Position) -> None:
        """Draws what a record batch, if there is one for this lane, is trained on."""
        if isinstance(batch, int):
            batch = self._source.batch(batch)
        self._batch, self._kept = batch, 0
        if batch is not None:
            self._kept = self.model.draw(batch, position)
            self._rate = np.float32(self.model.learning_rate(position))
            self.model.note_rows(self._kept, self._changed)

    def train(self, round_: int, part: int) -> StepResult | None:
        """Trains on part number *part* of the record batch of *round_*, both from 0; after its last part, what it came
        to."""
        self._passed = round_ * PARTS + part + 1
        if self._batch is None:
            return None
        first, last = self._kept * part // PARTS, self._kept * (part + 1) // PARTS
        self.model.train(self._kept, first, last, self._rate)
        return self.model.result(self._batch, self._kept) if part + 1 == PARTS else None

    def changes(self, ends: bool, first: int, last: int) -> Changes:
        """How those of rows first .. last-1 that are due have changed since they were last combined.

        ends: whether the step does, and all that changed are.
        """
        due, found = None if ends else self._timetable.after(self._passed), {}
        for name, changed in self._changed.items():
            rows = np.flatnonzero(changed[first:last]) + first if due is None else within(due[name], first, last)
            changes = np.empty((rows.size, self.model.config.vectors * LANES), np.float32)
            for column, now, before in self._slices(name):
                differ(now, before, rows, changes, column)
            found[name] = rows, changes
        return found

    def take(self, combined: Changes, ends: bool) -> None:
        """Goes on from what all lanes' changes came to; *ends*: of a whole step."""
        for name, (rows, changes) in combined.items():
            for column, now, before in self._slices(name):
                advance(now, before, rows, changes, column)
            if ends:
                self._changed[name][rows] = 0

    def block(self, name: str, first: int, last: int) -> np.ndarray:
        """Numbers first .. last-1 of an array."""
        return self.model.arrays[name][first:last]

    def put(self, name: str, first: int, block: np.ndarray) -> None:
        """Writes them, as what the next step begins with."""
        for arrays in (self.model.arrays, self._before):
            arrays[name][first : first + block.size] = block
        self._changed[name][:] = 0

    def set_rows(self, name: str, words: np.ndarray, rows: np.ndarray) -> None:
        """As `SkipGram.set_rows`."""
        self.model.set_rows(name, words, rows)
        for _, now, before in self._slices(name):
            before[words] = now[words]

    def set_ngrams(self, buckets: np.ndarray, rows: np.ndarray) -> None:
        """As `SkipGram.set_ngrams`."""
        self.model.set_ngrams(buckets, rows)
        for _, now, before in self._slices("inputs"):
            before[self.model.words :] = now[self.model.words :]

    def held_out_loss(self, numbered: Sequence[tuple[int, TokenBatch]]) -> float | None:
        """As `SkipGram.held_out_loss`."""
        return self.model.held_out_loss(numbered)

    def vectors(self, start: int, stop: int) -> np.ndarray:
        """As `SkipGram.vectors`."""
        return self.model.vectors(start, stop)

    def ngram_vectors(self, start: int, stop: int) -> np.ndarray:
        """As `SkipGram.ngram_vectors`."""
        return self.model.ngram_vectors(start, stop)

    def not_finite(self) -> str | None:
        """As `SkipGram.not_finite`."""
        return self.model.not_finite()

    def close(self) -> None:
        """Ends the threads."""
        self.model.close()

    def _slices(self, name: str) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
        """(first column, the rows, the rows as they were) of each slice of an array."""
        then = self.model.slices(name, self._before)
        for (column, now), (_, before) in zip(self.model.slices(name), then, strict=True):
            yield column, now, before


def within(rows: np.ndarray, first: int, last: int) -> np.ndarray:
    """Those of *rows*, rising, that are among first .. last-1."""
    return rows[slice(*np.searchsorted(rows, [first, last]))]


def combined_of(found: Sequence[Changes]) -> Changes:
    """What the lanes' *found* changes come to, in the order of the lanes."""
    result = {}
    for name in found[0]:
        rows = found[0][name][0]
        if any(not np.array_equal(rows, lane[name][0]) for lane in found[1:]):
            rows = np.unique(np.concatenate([lane[name][0] for lane in found]))
        together = np.zeros((len(found), rows.size, found[0][name][1].shape[1]), np.float32)
        for changes, lane in zip(together, found, strict=True):
            own, values = lane[name]
            changes[np.searchsorted(rows, own)] = values
        combine(together, 0, rows.size)
        result[name] = rows, together[0].copy()  # not all lanes' scratch with it
    return result
