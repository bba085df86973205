"""Rows of labelled examples on their way to ids: kept as text while their words are counted, then numbered.

``rows.arrow`` has the columns ``text`` and ``target`` (strings), of the rows that are trained on; it is removed when
they are numbered.
"""

import heapq
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Protocol

import numpy as np
import pyarrow as pa

from streamvec.corpus.labels import Labels
from streamvec.corpus.tsv import Row
from streamvec.disk.arrow import ArrowWriter, read_batches
from streamvec.errors import Interrupted
from streamvec.kernels import random

_BATCH = 256
_CHARACTERS = 1 << 22  # of a batch's rows
_SCHEMA = pa.schema([pa.field(name, pa.large_string(), nullable=False) for name in ("text", "target")])


class Rows(Protocol):
    """Rows that can be read again and again; *counts* says what was passed over, by name, when they were read last."""

    counts: dict[str, int]

    def __iter__(self) -> Iterator[Row]: ...

    def labels(self, rows: Iterable[Row]) -> Labels:
        """The labels or tags of *rows*, some of those that were read last."""


class Followed:
    """The same rows, *look* being called before the first one and every 256."""

    def __init__(self, rows: Iterable[Row], look: Callable[[], None]) -> None:
        self._rows, self._look = rows, look

    def __iter__(self) -> Iterator[Row]:
        for number, row in enumerate(self._rows):
            if number % _BATCH == 0:
                self._look()
            yield row


def some_of(rows: Iterable[Row], number: int | None, seed: int) -> Iterator[Row]:
    """*number* of the rows, drawn by *seed*, in their order: those whose draws are lowest; all where that is None.

    The rows are read twice; *number* draws are held.
    """
    if number is None:
        yield from rows
        return
    key = np.uint64(random.stream(seed, 0, random.SAMPLE))

    def draw(place: int) -> tuple[int, int]:
        return int(random.bits(key, np.uint64(place))), place

    kept = heapq.nsmallest(number, (draw(place) for place, _ in enumerate(rows)))
    chosen = {place for _, place in kept}
    for place, row in enumerate(rows):
        if place in chosen:
            yield row


def in_batches(rows: Iterable[Row], stop: Callable[[], bool], what: str) -> Iterator[list[Row]]:
    """256 rows at a time, fewer of long ones; Interrupted, naming *what* is read, when *stop* says so."""
    waiting: list[Row] = []
    size = 0
    for row in rows:
        waiting.append(row)
        size += len(row.text) + len(row.target)
        if len(waiting) == _BATCH or size >= _CHARACTERS:
            if stop():
                raise Interrupted(f"stopped while {what} was read")
            yield waiting
            waiting, size = [], 0
    if waiting:
        yield waiting


def write_rows(path: Path, batches: Iterable[list[Row]]) -> int:
    """Writes rows.arrow, whole or not at all; returns how many rows it has."""
    with ArrowWriter(path, _SCHEMA) as writer:
        for rows in batches:
            columns = [pa.array(column, pa.large_string()) for column in zip(*rows, strict=True)]
            writer.write(pa.record_batch(columns, schema=_SCHEMA))
    return writer.rows


def read_rows(path: Path) -> Iterator[list[Row]]:
    """What `write_rows` wrote, a batch at a time."""
    for batch in read_batches(path, mapped=False):
        yield [Row(*row) for row in zip(*(column.to_pylist() for column in batch.columns), strict=True)]
