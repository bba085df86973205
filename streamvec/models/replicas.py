"""A word model trained in lanes: who leads them deals record batches to them and combines what they found.

Lanes are in this process, or wherever their workers are; the bytes depend on the text, the seed and how many lanes
there are, and on nothing else.
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple, Protocol

import numpy as np

from streamvec.corpus.shards import Numbers, Shards, TokenBatch
from streamvec.models.replica import PARTS, Changes, Replica, Source, combined_of, rounds_of
from streamvec.models.skipgram import SkipGram, rate_at
from streamvec.models.step import Position, StepResult
from streamvec.models.subwords import NGrams
from streamvec.models.wordconfig import COMBINED_ROWS, LANES, SkipGramConfig
from streamvec.models.workers import Dealt, LocalWorker, Worker


class StepBatches(NamedTuple):
    """The record batches of one step, each read when its turn has come: there may be hundreds."""

    source: Source | Numbers
    first: int  # number of the first in its epoch
    last: int  # and of the one behind the last
    lanes: int

    @property
    def rounds(self) -> int:
        """In each of which every lane, but for the last round of an epoch, has a record batch."""
        return -(-(self.last - self.first) // self.lanes)

    def of(self, lane: int, round_: int) -> tuple[TokenBatch | int | None, int]:
        """What a lane trains on in a round (or a number that stands for it), if there is something, and its number in
        the epoch."""
        number = self.first + round_ * self.lanes + lane
        return (self.source.batch(number) if number < self.last else None), number


class InSteps:
    """Record batches by steps, in which lanes take turns."""

    def __init__(self, source: Source | Numbers, lanes: int) -> None:
        self._source, self._lanes, self._size = source, lanes, lanes * rounds_of(source.batches, lanes)
        self.steps = -(-source.batches // self._size)  # of one epoch

    def at(self, epoch: int, batch: int) -> StepBatches:
        """What step number *batch* of an epoch trains on."""
        first = batch * self._size
        last = min(first + self._size, self._source.batches)
        return StepBatches(self._source, first, last, self._lanes)


class Hands(Protocol):
    """What has a worker for each lane."""

    @property
    def are_elsewhere(self) -> bool:
        """Whether workers are on other machines."""

    @property
    def workers(self) -> Sequence[Worker]:
        """As they are now."""

    def begin(self) -> list[float]:
        """Makes all lanes anew, as training begins; what `Replica.ready` of each says."""

    def share(self, value: Any) -> Any:
        """What stands for *value* as an argument of calls of all workers, so that it is sent to each machine once."""

    def end(self) -> None:
        """Ends them; none is asked for anything."""


class HandsHere:
    """All lanes in this process, one after another, each on all *threads*."""

    are_elsewhere = False

    def __init__(
        self, config: SkipGramConfig, counts: np.ndarray, record_batches: int, threads: int, ngrams: NGrams | None
    ) -> None:
        self._arguments = config, counts, record_batches, threads, ngrams
        self._lanes: list[Replica] = []
        self.workers: Sequence[Worker] = []

    def begin(self) -> list[float]:
        """As `Hands.begin`."""
        config, counts, *_ = self._arguments
        self._lanes = [Replica(SkipGram(*self._arguments), counts) for _ in range(config.lanes)]
        self.workers = [LocalWorker(lane) for lane in self._lanes]
        return [lane.ready() for lane in self._lanes]

    def share(self, value: Any) -> Any:
        """As `Hands.share`."""
        return value

    def end(self) -> None:
        """As `Hands.end`."""
        for lane in self._lanes:
            lane.close()


class Replicas:
    """Lanes as training sees a model: `streamvec.training.loop.Model`, and what beginning, watching, writing need."""

    unit = SkipGram.unit
    has_even_steps = SkipGram.has_even_steps

    def __init__(
        self,
        config: SkipGramConfig,
        counts: np.ndarray,
        record_batches: int,
        ngrams: NGrams | None,
        hands: Hands,
    ) -> None:
        """As `SkipGram`, with *record_batches* of an epoch; *hands* has a `Replica` for each lane."""
        self.config = config
        self.words = len(counts)
        self.steps = record_batches
        self.ngrams = ngrams
        self._source: Any = None  # what lanes read for themselves, if they do
        self.exchanged = 0  # bytes of rows that lanes sent and got
        self._hands = hands
        heights = {"inputs": self.words + (len(ngrams.buckets) if ngrams else 0) + 1, "outputs": self.words + 1}
        self._rows, columns = max(heights.values()), config.vectors * LANES
        self.arrays: Mapping[str, Dealt] = {
            name: Dealt(name, rows * columns, partial(self._parts, rows * columns)) for name, rows in heights.items()
        }
        self.renew()

    @classmethod
    def here(
        cls, config: SkipGramConfig, counts: np.ndarray, record_batches: int, threads: int, ngrams: NGrams | None = None
    ) -> "Replicas":
        """With all lanes in this process, one after another, each on all *threads*."""

        hands = HandsHere(config, counts, record_batches, threads, ngrams)
        return cls(config, counts, record_batches, ngrams, hands)

    @property
    def loss_at_chance(self) -> float:
        """Loss a pair when all scores are 0."""
        return self._chance

    def shared(self, shards: Shards) -> InSteps:
        """What `step` takes, of the record batches of *shards*: lanes read for themselves what they can."""
        if not (shards.is_elsewhere and self._hands.are_elsewhere):
            return InSteps(shards, self.config.lanes)
        self._source = self._hands.share(shards)
        self._all("read", self._source)
        return InSteps(Numbers(shards.batches), self.config.lanes)

    def step(self, batch: StepBatches, position: Position) -> StepResult:
        """Trains all lanes on a step's record batches, and combines them."""
        loss, examples, tokens = 0.0, 0, 0
        for round_ in range(batch.rounds):
            begun = []
            for lane, worker in enumerate(self._workers):
                some, number = batch.of(lane, round_)
                begun.append(worker.call("begin", some, Position(position.epoch, number)))
            for part in range(PARTS):
                ends = round_ + 1 == batch.rounds and part + 1 == PARTS
                trained = [worker.call("train", round_, part) for worker in self._workers]
                self._combine(ends)
                for result in (answer.result() for answer in trained):
                    if result is not None:
                        loss, examples, tokens = loss + result[0], examples + result[1], tokens + result[2]
            for answer in begun:
                answer.result()
        return StepResult(loss, examples, tokens)

    def learning_rate(self, position: Position) -> float:
        """The learning rate of the first record batch of a step."""
        size = self.config.lanes * rounds_of(self.steps, self.config.lanes)
        done = min(position.batch * size, self.steps)
        return rate_at(self.config, self.steps, Position(position.epoch, done))

    def held_out_loss(self, numbered: Iterable[tuple[int, TokenBatch]]) -> float | None:
        """As `SkipGram.held_out_loss`."""
        found: float | None = self._workers[0].call("held_out_loss", list(numbered)).result()
        return found

    def vectors(self, start: int, stop: int) -> np.ndarray:
        """As `SkipGram.vectors`."""
        found: np.ndarray = self._workers[0].call("vectors", start, stop).result()
        return found

    def ngram_vectors(self, start: int, stop: int) -> np.ndarray:
        """As `SkipGram.ngram_vectors`."""
        found: np.ndarray = self._workers[0].call("ngram_vectors", start, stop).result()
        return found

    def set_rows(self, name: str, words: np.ndarray, rows: np.ndarray) -> None:
        """As `SkipGram.set_rows`."""
        self._all("set_rows", name, words, rows)

    def set_ngrams(self, buckets: np.ndarray, rows: np.ndarray) -> None:
        """As `SkipGram.set_ngrams`."""
        self._all("set_ngrams", buckets, rows)

    def not_finite(self) -> str | None:
        """As `SkipGram.not_finite`."""
        found: str | None = self._workers[0].call("not_finite").result()
        return found

    def renew(self) -> None:
        """Begins anew, as training begins."""
        self._chance = self._hands.begin()[0]
        if self._source is not None:
            self._all("read", self._source)

    def close(self) -> None:
        """Ends the lanes."""
        self._hands.end()

    @property
    def _workers(self) -> Sequence[Worker]:
        return self._hands.workers

    def _combine(self, ends: bool) -> None:
        """Combines the rows that are due."""
        for first in range(0, self._rows, COMBINED_ROWS) if ends else [0]:
            last = first + COMBINED_ROWS if ends else self._rows
            answers = [worker.call("changes", ends, first, last) for worker in self._workers]
            found: list[Changes] = [answer.result() for answer in answers]
            combined = combined_of(found)
            self._all("take", self._hands.share(combined), ends)
            sent = sum(rows.nbytes + values.nbytes for lane in found for rows, values in lane.values())
            got = sum(rows.nbytes + values.nbytes for rows, values in combined.values())
            self.exchanged += sent + got * len(self._workers)

    def _parts(self, size: int) -> list[tuple[Sequence[Worker], int]]:
        return [(self._workers, size)]

    def _all(self, method: str, *arguments: object) -> None:
        for answer in [worker.call(method, *arguments) for worker in self._workers]:
            answer.result()
