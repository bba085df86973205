"""vectors.arrow: word, count, vector and norm, a record batch every 16,384 rows, each written once and then mapped.

The schema's metadata holds ``streamvec.info``, JSON that says how the vectors were made. No row is held twice: a
trainer's padded matrix is written block by block, and a reader's arrays are views of the mapped file.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

import numpy as np
import pyarrow as pa

from streamvec.disk.arrow import ArrowWriter, open_arrow, read_batch
from streamvec.errors import StreamvecError

INFO_KEY = b"streamvec.info"
ROWS = 16_384  # rows of a record batch; part of the format, so that the same vectors are the same bytes
_NORM_ROWS = 4096
_INFO_LIMIT = 32_768  # the schema, checksum included, must fit within the first bytes of the file


class Chunk(NamedTuple):
    """Neighbouring rows: words[n], counts int64[n] (0 where unknown), vectors float32[n, dim], norms float32[n]."""

    words: pa.StringArray
    counts: np.ndarray
    vectors: np.ndarray
    norms: np.ndarray


class Vectors(NamedTuple):
    """What a file of vectors holds: its chunks in the order of rank, and how it was made."""

    chunks: list[Chunk]
    dim: int
    info: dict[str, Any]


def norms_of(vectors: np.ndarray) -> np.ndarray:
    """Euclidean norms float32[n] of float32[n, dim], summed in float64: neither 1e30 nor 1e-30 is lost."""
    norms = np.empty(len(vectors), np.float32)
    for start in range(0, len(vectors), _NORM_ROWS):
        wide = vectors[start : start + _NORM_ROWS].astype(np.float64)
        wide *= wide
        norms[start : start + _NORM_ROWS] = np.sqrt(wide.sum(axis=1))
    return norms


def word_array(words: pa.StringArray | pa.ChunkedArray | Sequence[str]) -> pa.StringArray:
    """*words* as one Arrow array of strings."""
    if isinstance(words, pa.ChunkedArray):
        words = words.combine_chunks()
    return words if isinstance(words, pa.StringArray) else pa.array(words, pa.utf8())


class VectorsWriter:
    """Writes vectors.arrow from blocks of any size; the file appears whole when the ``with`` block ends well.

    *info* is JSON, at most 32 KB. Raises StreamvecError for a NaN or an infinity, naming the word.
    """

    def __init__(self, path: Path, dim: int, info: Mapping[str, Any]) -> None:
        if dim < 1:
            raise ValueError(f"dim must be at least 1, got {dim}")
        text = json.dumps(dict(info), ensure_ascii=False, sort_keys=True).encode(errors="backslashreplace")
        if len(text) > _INFO_LIMIT:
            raise ValueError(f"info must take at most {_INFO_LIMIT} bytes of JSON, got {len(text)}")
        self.dim = dim
        self._arrow = ArrowWriter(Path(path), _schema(dim).with_metadata({INFO_KEY: text}))
        self._waiting: list[pa.RecordBatch] = []
        self._waiting_rows = 0

    @property
    def rows(self) -> int:
        """How many rows were given so far."""
        return self._arrow.rows + self._waiting_rows

    @property
    def checksum(self) -> str:
        """The xxh3-128 of the file, once it is written."""
        return self._arrow.checksum

    def __enter__(self) -> Self:
        self._arrow.__enter__()
        return self

    def write(
        self, words: pa.StringArray | Sequence[str], vectors: np.ndarray, counts: np.ndarray | None = None
    ) -> None:
        """Appends words[n] with vectors float32[n, dim] (any strides) and counts int64[n]; no counts are zeros."""
        words = word_array(words)
        if vectors.shape != (len(words), self.dim):
            raise ValueError(f"vectors must be of shape {(len(words), self.dim)}, got {vectors.shape}")
        for start in range(0, len(words), ROWS):
            stop = min(start + ROWS, len(words))
            rows = np.ascontiguousarray(vectors[start:stop], dtype=np.float32)
            some = np.zeros(stop - start, np.int64) if counts is None else np.asarray(counts[start:stop], np.int64)
            self._take(words.slice(start, stop - start), some, rows)

    def _take(self, words: pa.StringArray, counts: np.ndarray, vectors: np.ndarray) -> None:
        norms = norms_of(vectors)
        if not np.isfinite(norms).all():
            row = int(np.flatnonzero(~np.isfinite(norms))[0])
            raise StreamvecError(
                f"{self._arrow.path}: the vector of {words[row].as_py()!r} holds NaN or infinity: not written"
            )
        numbers = pa.FloatArray.from_buffers(pa.float32(), vectors.size, [None, pa.py_buffer(vectors)])  # no copy
        lists = pa.FixedSizeListArray.from_arrays(numbers, self.dim)
        batch = pa.record_batch(
            [words, pa.array(counts), lists.cast(self._arrow.schema.field("vector").type), pa.array(norms)],
            schema=self._arrow.schema,
        )
        while self._waiting_rows + batch.num_rows >= ROWS:
            missing = ROWS - self._waiting_rows
            self._waiting.append(batch.slice(0, missing))
            batch = batch.slice(missing)
            self._write_waiting()
        if batch.num_rows:
            self._waiting.append(batch)
            self._waiting_rows += batch.num_rows

    def _write_waiting(self) -> None:
        if self._waiting:
            words = pa.concat_arrays([batch.column(0) for batch in self._waiting])
            whole = self._waiting[0] if len(self._waiting) == 1 else pa.concat_batches(self._waiting)
            self._arrow.write(pa.record_batch([_exact(words), *whole.columns[1:]], schema=self._arrow.schema))
        self._waiting, self._waiting_rows = [], 0

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            try:
                self._write_waiting()
            except BaseException as problem:
                self._arrow.__exit__(type(problem), problem, problem.__traceback__)
                raise
        self._arrow.__exit__(kind, value, trace)


def write_vectors(
    path: Path,
    words: pa.StringArray | pa.ChunkedArray | Sequence[str],
    counts: np.ndarray | None,
    vectors: np.ndarray | Callable[[int, int], np.ndarray],
    info: Mapping[str, Any],
) -> str:
    """Writes vectors.arrow in one pass and returns its checksum (xxh3-128, 32 hexadecimal digits).

    *words* and *counts* (int64[V]) go by falling count. *vectors* is float32[V, dim], a strided view such as
    ``matrix[:, :dim]`` included, or a function of (start, stop) that gives those rows; it is asked for 16,384 rows
    at a time, in order. Raises StreamvecError for a NaN or an infinity (naming the word) and for a full disk.
    """
    number = len(words)
    rows = vectors if callable(vectors) else lambda start, stop: vectors[start:stop]
    first = rows(0, min(ROWS, number))
    if isinstance(words, pa.ChunkedArray):
        words = words.combine_chunks()
    with VectorsWriter(path, first.shape[1], info) as writer:
        for start in range(0, number, ROWS):
            stop = min(start + ROWS, number)
            block = first if start == 0 else rows(start, stop)
            writer.write(words[start:stop], block, None if counts is None else counts[start:stop])
            first = block = np.empty((0, 0), np.float32)
    return writer.checksum


def is_ours(schema: pa.Schema) -> bool:
    """Whether an Arrow schema is that of vectors.arrow."""
    return (
        schema.names == ["word", "count", "vector", "norm"]
        and pa.types.is_fixed_size_list(schema.field("vector").type)
        and [field.type for field in schema] == [field.type for field in _schema(schema.field("vector").type.list_size)]
    )


def open_vectors(path: Path) -> Vectors:
    """Maps vectors.arrow; its structure and lengths are checked, its checksum is not (``streamvec verify`` does).

    Raises StreamvecError when the file is damaged, cut short, or another kind of Arrow file.
    """
    reader = open_arrow(path)
    schema = reader.schema
    if not is_ours(schema):
        raise StreamvecError(f"{path}: an Arrow file, but not of word, count, vector and norm as streamvec writes it")
    dim = schema.field("vector").type.list_size
    chunks = [_chunk(read_batch(reader, number, path), dim, path) for number in range(reader.num_record_batches)]
    try:
        info = json.loads((schema.metadata or {}).get(INFO_KEY, b"{}"))
    except ValueError as problem:
        raise StreamvecError(f"{path}: damaged: its streamvec.info is not JSON: run streamvec verify") from problem
    return Vectors(chunks, dim, info if isinstance(info, dict) else {})


def read_chunks(path: Path) -> Iterator[Chunk]:
    """The chunks of vectors.arrow one after another, read and not mapped: none stays in memory. As `open_vectors`."""
    reader = open_arrow(path, mapped=False)
    if not is_ours(reader.schema):
        raise StreamvecError(f"{path}: an Arrow file, but not of word, count, vector and norm as streamvec writes it")
    dim = reader.schema.field("vector").type.list_size
    for number in range(reader.num_record_batches):
        yield _chunk(read_batch(reader, number, path), dim, path)


def _chunk(batch: pa.RecordBatch, dim: int, path: Path) -> Chunk:
    lists = batch.column(2)
    numbers = lists.values[lists.offset * dim : (lists.offset + len(lists)) * dim]  # flatten() loads pyarrow.compute
    if any(column.null_count for column in batch.columns) or numbers.null_count:
        raise StreamvecError(f"{path}: damaged: values are missing: run streamvec verify")
    vectors = numbers.to_numpy(zero_copy_only=True).reshape(-1, dim)
    return Chunk(batch.column(0), batch.column(1).to_numpy(), vectors, batch.column(3).to_numpy())


def _exact(words: pa.StringArray) -> pa.StringArray:
    """The same words in buffers of just their size: slices would otherwise leave their surroundings in the file."""
    offsets, data = raw_words(words)
    places = (offsets - offsets[0]).astype(np.int32)
    return pa.StringArray.from_buffers(
        len(words), pa.py_buffer(places), pa.py_buffer(data[offsets[0] : offsets[-1]].tobytes())
    )


def raw_words(words: pa.StringArray) -> tuple[np.ndarray, np.ndarray]:
    """(offsets int32[n + 1], bytes uint8): views of an Arrow array of strings, its UTF-8 end to end."""
    _, offsets, data = words.buffers()
    if not len(words):
        return np.zeros(1, np.int32), np.empty(0, np.uint8)
    places = np.frombuffer(offsets, np.int32)[words.offset : words.offset + len(words) + 1]
    return places, np.empty(0, np.uint8) if data is None else np.frombuffer(data, np.uint8)


def _schema(dim: int) -> pa.Schema:
    return pa.schema(
        [
            pa.field("word", pa.utf8(), nullable=False),
            pa.field("count", pa.int64(), nullable=False),
            pa.field("vector", pa.list_(pa.field("item", pa.float32(), nullable=False), dim), nullable=False),
            pa.field("norm", pa.float32(), nullable=False),
        ]
    )
