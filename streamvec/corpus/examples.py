"""Labelled examples on disk: sequences of ids with what is to be told of each, read in an order that epochs draw anew.

A record batch holds 256 examples (the last one what is left), each of ``words`` and ``targets``, lists of int32, and,
where spelling counts, ``letters``, the UTF-8 of its words end to end, and ``spelled``, how long each word is. The
folder is one of `streamvec.corpus.shardfiles`.
"""

from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

import numpy as np
import pyarrow as pa

from streamvec.corpus.shardfiles import INDEX, VERSION, ShardFiles, shard_name
from streamvec.disk.arrow import ArrowWriter
from streamvec.disk.sealed import write_json
from streamvec.errors import StreamvecError

ROWS = 256  # examples of a record batch
_SHARD_BATCHES = 256
_COLUMNS = ("words", "targets", "spelled", "letters")
_LISTS = pa.list_(pa.field("item", pa.int32(), nullable=False))
_BYTES = pa.list_(pa.field("item", pa.uint8(), nullable=False))
SCHEMA = pa.schema([pa.field(name, _BYTES if name == "letters" else _LISTS, nullable=False) for name in _COLUMNS])


class Ragged(NamedTuple):
    """Rows of different lengths, end to end."""

    values: np.ndarray  # [n]
    lengths: np.ndarray  # int64[rows]

    @classmethod
    def of(cls, rows: Sequence[np.ndarray], dtype: type = np.int32) -> "Ragged":
        """The same rows, given one by one."""
        lengths = np.fromiter(map(len, rows), np.int64, len(rows))
        return cls(np.concatenate([np.zeros(0, dtype), *rows]).astype(dtype), lengths)

    @property
    def starts(self) -> np.ndarray:
        """Where each row begins, int64[rows]."""
        return np.cumsum(self.lengths) - self.lengths

    def take(self, rows: np.ndarray) -> "Ragged":
        """Some of the rows, in the order of *rows* int64[n]."""
        lengths = self.lengths[rows]
        return Ragged(self.values[places_of(self.starts[rows], lengths)], lengths)

    def padded(self, fill: int = 0) -> np.ndarray:
        """int32[longest, rows]: a column a row, with *fill* behind its end; one line of it where all are empty."""
        steps = max(1, int(self.lengths.max(initial=0)))
        out = np.full((len(self.lengths), steps), fill, np.int32)
        out[np.arange(steps) < self.lengths[:, None]] = self.values
        return np.ascontiguousarray(out.T)


def places_of(starts: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """The numbers start .. start + length - 1 of each row, end to end: int64[sum of lengths]."""
    ends = np.cumsum(lengths)
    return np.arange(ends[-1] if ends.size else 0) + np.repeat(starts - (ends - lengths), lengths)


class ExampleBatch(NamedTuple):
    """Some examples. Of what has no *letters* they are empty."""

    words: Ragged  # ids of the words of each
    targets: Ragged  # what is to be told of each: a label, a tag for each word, or the ids of other words
    spelled: Ragged  # how long each word is, in bytes
    letters: Ragged  # the bytes of all words of each, uint8

    def __len__(self) -> int:
        return len(self.words.lengths)

    def take(self, rows: np.ndarray) -> "ExampleBatch":
        """Some of the examples, in the order of *rows* int64[n]."""
        return ExampleBatch(*(column.take(rows) for column in self))


def joined(batches: Sequence[ExampleBatch]) -> ExampleBatch:
    """All examples of several batches, in order."""
    columns = zip(*batches, strict=True)
    return ExampleBatch(*(Ragged(*map(np.concatenate, zip(*column, strict=True))) for column in columns))


class Examples(ShardFiles):
    """Examples on disk, read a record batch at a time."""

    KIND = "examples"
    SCHEMA = SCHEMA

    def __init__(self, folder: Path, index: dict[str, Any]) -> None:
        super().__init__(folder, index)
        self.examples: int = index["examples"]
        self.tokens: int = index["tokens"]
        self.longest: int = index["longest"]  # tokens of the longest example
        self.longest_target: int = index["longest_target"]
        self.nbytes: int = index["nbytes"]  # of all, as they are held in memory
        self.counts: dict[str, int] = index["counts"]

    def at(self, number: int) -> ExampleBatch:
        """Record batch *number*; StreamvecError where it is damaged."""
        batch, path = self.record_batch(number)
        if any(column.null_count for column in batch.columns):
            raise StreamvecError(f"{path}: damaged: values are missing: {self.again(self.folder)}")
        return ExampleBatch(*(_ragged(column) for column in batch.columns))


class ExampleWriter:
    """Writes examples into *folder*, in order; the index comes last, when the ``with`` block ends well."""

    def __init__(self, folder: Path, vocabulary_checksum: str, vocabulary_size: int, counts: dict[str, int]) -> None:
        """counts: what was cut, left out or unknown, by name; written as it is in the end."""
        self._folder = folder
        self._about = {"vocabulary_checksum": vocabulary_checksum, "vocabulary_size": vocabulary_size}
        self._counts = counts
        self._waiting: list[ExampleBatch] = []
        self._writer: ArrowWriter | None = None
        self._shards: list[dict[str, Any]] = []
        self._shard = {"batches": 0, "examples": 0, "tokens": 0}
        self._longest = self._longest_target = self._nbytes = 0

    def __enter__(self) -> Self:
        return self

    def add(self, batch: ExampleBatch) -> None:
        """Takes the next examples; StreamvecError for a full disk."""
        self._waiting.append(batch)
        while sum(map(len, self._waiting)) >= ROWS:
            whole = joined(self._waiting)
            self._write(whole.take(np.arange(ROWS)))
            self._waiting = [whole.take(np.arange(ROWS, len(whole)))]

    def _write(self, batch: ExampleBatch) -> None:
        if self._writer is None:
            self._writer = ArrowWriter(self._folder / shard_name(len(self._shards)), SCHEMA)
            self._writer.__enter__()
        columns = [_column(ragged, field.type) for ragged, field in zip(batch, SCHEMA, strict=True)]
        self._writer.write(pa.record_batch(columns, schema=SCHEMA))
        self._shard["batches"] += 1
        self._shard["examples"] += len(batch)
        self._shard["tokens"] += batch.words.values.size
        self._longest = max(self._longest, int(batch.words.lengths.max(initial=0)))
        self._longest_target = max(self._longest_target, int(batch.targets.lengths.max(initial=0)))
        self._nbytes += sum(column.values.nbytes + column.lengths.nbytes for column in batch)
        if self._shard["batches"] == _SHARD_BATCHES:
            self._finish_shard()

    def _finish_shard(self) -> None:
        if self._writer is None:
            return
        writer, self._writer = self._writer, None
        writer.__exit__(None, None, None)
        size = writer.path.stat().st_size
        self._shards.append({"name": writer.path.name, **self._shard, "bytes": size, "checksum": writer.checksum})
        self._shard = dict.fromkeys(self._shard, 0)

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            if self._writer is not None:
                self._writer.__exit__(kind, value, trace)
            return
        if sum(map(len, self._waiting)):
            self._write(joined(self._waiting))
        self._finish_shard()
        sums = {name: sum(shard[name] for shard in self._shards) for name in self._shard}
        content = {"kind": Examples.KIND, "version": VERSION, **self._about, **sums, "longest": self._longest}
        content |= {"longest_target": self._longest_target, "nbytes": self._nbytes}
        write_json(self._folder / INDEX, {**content, "counts": self._counts, "shards": self._shards})


def _column(ragged: Ragged, kind: pa.ListType) -> pa.Array:
    offsets = np.zeros(ragged.lengths.size + 1, np.int32)
    np.cumsum(ragged.lengths, out=offsets[1:])
    values = np.ascontiguousarray(ragged.values, kind.value_type.to_pandas_dtype())
    items = pa.Array.from_buffers(kind.value_type, values.size, [None, pa.py_buffer(values)])
    return pa.Array.from_buffers(kind, ragged.lengths.size, [None, pa.py_buffer(offsets)], children=[items])


def _ragged(column: pa.ListArray) -> Ragged:
    offsets = column.offsets.to_numpy()
    values = column.values.to_numpy(zero_copy_only=False)[offsets[0] : offsets[-1]]
    return Ragged(values, np.diff(offsets).astype(np.int64))
