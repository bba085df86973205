"""Runs: files of pairs and their sums by rising pair, made from full tables and merged in one sweep."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from streamvec.corpus.crew import Keep
from streamvec.corpus.runfiles import RunReaders
from streamvec.disk.arrow import ArrowWriter
from streamvec.errors import Interrupted
from streamvec.kernels.pairmerge import DONE, FULL, ROWS, Streams, enter_pairs, merge_pairs, new_streams
from streamvec.kernels.pairs import (
    PAIR,
    SLOT_BYTES,
    SUM,
    PairTable,
    add_pairs,
    clear_pairs,
    move_pairs,
    new_pairs,
    sorted_pairs,
)

SCHEMA = pa.schema([("pair", pa.uint64()), ("sum", pa.int64())])
BYTES_PER_SLOT = SLOT_BYTES * 17 // 10 + 1  # a slot, and room to sort the pairs of a full table
ALL = (0, (1 << 64) - 1)  # pairs, from the first on and below the second
_MOST_SLOTS = (1 << 32) - 1  # that the hash of pairs can tell apart
_FEWEST_SLOTS = 1 << 14
_FIRST_SLOTS = 1 << 17


class Pairs(NamedTuple):
    """Some pairs in order; valid until the next ones are asked for."""

    pairs: np.ndarray  # uint64[n]: left << 32 | right
    sums: np.ndarray  # int64[n]


def table_sizes(table_bytes: int) -> list[int]:
    """How many slots a table has at first, then, ..., and at most: by fours, so that old and new stay within bytes."""
    slots = min(max(_FEWEST_SLOTS, table_bytes // BYTES_PER_SLOT), _MOST_SLOTS)
    sizes = [slots]
    while sizes[0] > _FIRST_SLOTS:
        sizes.insert(0, -(-sizes[0] // 4))
    return sizes


class PairCounter:
    """A worker's table; it grows to *table_bytes*, and where it is full, it becomes a run that *keep* takes over."""

    def __init__(self, table_bytes: int, keep: Keep) -> None:
        sizes = table_sizes(table_bytes)
        self._most_slots = sizes[-1]
        self._keep = keep
        self._table = new_pairs(sizes[0])

    def add(self, pairs: np.ndarray, weights: np.ndarray) -> None:
        """Adds the weights (int64[n], or int64[1] for all) of pairs (uint64[n]) to their sums."""
        place = 0
        while (place := add_pairs(self._table, pairs, weights, place, pairs.size)) < pairs.size:
            larger = min(self._most_slots, self._table.slots.shape[0] * 4)
            if larger > self._table.slots.shape[0]:
                table = new_pairs(larger)
                move_pairs(self._table, table)
                self._table = table
            else:
                self.spill()

    def spill(self) -> None:
        """Makes the table's pairs, if any, a run, and empties it; StreamvecError for a full disk."""
        if self._table.used[0]:
            self._keep(SCHEMA, batches_of(self._table))
            clear_pairs(self._table)


def batches_of(table: PairTable) -> Iterator[pa.RecordBatch]:
    """The pairs of *table*, which must be cleared afterwards, as a run holds them."""
    rows = sorted_pairs(table)
    for start in range(0, rows.shape[0], ROWS):
        some = rows[start : start + ROWS]
        yield _batch(Pairs(some[:, PAIR].copy(), some[:, SUM].astype(np.int64)))


def merge_to_run(paths: Sequence[Path], path: Path, stop: Callable[[], bool] = lambda: False) -> None:
    """Merges at most MOST_FILES runs into one; Interrupted, with nothing left of it, when *stop* says so."""
    with ArrowWriter(path, SCHEMA) as writer:
        for pairs in merge(paths):
            if stop():
                raise Interrupted("stopped while runs were merged")
            writer.write(_batch(pairs))


def merge(paths: Sequence[Path], within: tuple[int, int] = ALL, is_verified: bool = False) -> Iterator[Pairs]:
    """The pairs of at most MOST_FILES runs by rising pair, each once, with the total of its sums.

    within: only pairs from the first of these numbers on, and below the second. is_verified: the checksums of the runs
    have been compared already; otherwise StreamvecError is raised when one is damaged.
    """
    first, end = within
    readers = RunReaders(paths, is_verified)
    streams, filled = new_streams(len(paths)), np.zeros(1, np.int64)
    pairs, sums = np.empty(ROWS, np.uint64), np.empty(ROWS, np.int64)

    def refill(stream: int) -> None:
        while (batch := readers.next_batch(stream)) is not None:
            if _read(batch, streams, stream, first, end):
                return enter_pairs(streams, stream)
            if batch.num_rows and batch.column(0)[0].as_py() >= end:
                return

    for stream in range(len(paths)):
        if first:
            readers.skip(stream, lambda batch: batch.column(0)[-1].as_py() < first)
        refill(stream)
    while (reason := merge_pairs(streams, pairs, sums, filled)) != DONE:
        if reason == FULL:
            yield Pairs(pairs, sums)
            filled[0] = 0
        else:
            refill(reason)
    if filled[0]:
        yield Pairs(pairs[: filled[0]], sums[: filled[0]])


def _batch(pairs: Pairs) -> pa.RecordBatch:
    return pa.record_batch([pa.array(pairs.pairs), pa.array(pairs.sums)], schema=SCHEMA)


def _read(batch: pa.RecordBatch, streams: Streams, stream: int, first: int, end: int) -> int:
    """Takes over the pairs of a batch from *first* on and below *end*; returns how many."""
    pairs = batch.column(0).to_numpy()
    low, high = 0, pairs.size
    if (first, end) != ALL:
        low, high = np.searchsorted(pairs, np.array([first, end], np.uint64))
    size = int(high - low)
    streams.pairs[stream, :size] = pairs[low:high]
    streams.sums[stream, :size] = batch.column(1).to_numpy()[low:high]
    streams.sizes[stream] = size
    return size
