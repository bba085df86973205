"""vectors.arrow: word, count, vector and norm, a record batch every 16,384 rows, each written once and then mapped.

Vectors are of float32, float16, or int8 with one more column, ``scale`` (storage.py); the schema tells which. Norms are
those of the rows as they are read. The schema's metadata holds ``streamvec.info``, JSON that says how the vectors were
made. No row is held twice: a trainer's padded matrix is written block by block, and a reader's arrays are views of the
mapped file.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

import numpy as np
import pyarrow as pa

from streamvec.disk.arrow import ArrowWriter, open_arrow, read_batch, stated_checksum
from streamvec.disk.jsontext import parsed
from streamvec.errors import StreamvecError
from streamvec.vectors.storage import (
    Encoded,
    Matrix,
    checked_dtype,
    columns_of,
    dtype_of_list,
    encode,
    encode_named,
    list_type,
    rows_of,
)

INFO_KEY = b"streamvec.info"
ROWS = 16_384  # rows of a record batch; part of the format, so that the same vectors are the same bytes
_NORM_ROWS = 4096
_INFO_LIMIT = 32_768  # the schema, checksum included, must fit within the first bytes of the file


class Chunk(NamedTuple):
    """Neighbouring rows: words[n], counts int64[n] (0 where unknown), vectors float32[n, dim], norms float32[n].

    Vectors that are stored as float16 or int8 are decoded where they are indexed: take a slice before reckoning.
    """

    words: pa.StringArray
    counts: np.ndarray
    vectors: Matrix
    norms: np.ndarray


class Vectors(NamedTuple):
    """What a file of vectors holds: its chunks in the order of rank, how it was made, and how numbers are stored."""

    chunks: list[Chunk]
    dim: int
    info: dict[str, Any]
    dtype: str = "float32"
    file: Path | None = None  # vectors.arrow, where these are mapped
    checksum: str = ""  # that this file states of itself


def norms_of(vectors: Matrix) -> np.ndarray:
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

    *info* is JSON, at most 32 KB. Raises StreamvecError for a NaN or an infinity, and for what *dtype* cannot hold,
    naming the word.
    """

    def __init__(self, path: Path, dim: int, info: Mapping[str, Any], dtype: str = "float32") -> None:
        if dim < 1:
            raise ValueError(f"dim must be at least 1, got {dim}")
        text = json.dumps(dict(info), ensure_ascii=False, sort_keys=True).encode(errors="backslashreplace")
        if len(text) > _INFO_LIMIT:
            raise ValueError(f"info must take at most {_INFO_LIMIT} bytes of JSON, got {len(text)}")
        self.dim = dim
        self.dtype = checked_dtype(dtype)
        self._arrow = ArrowWriter(Path(path), _schema(dim, dtype).with_metadata({INFO_KEY: text}))
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

    def write(self, words: pa.StringArray | Sequence[str], vectors: Matrix, counts: np.ndarray | None = None) -> None:
        """Appends words[n] with vectors float32[n, dim] (any strides) and counts int64[n]; no counts are zeros."""
        words = word_array(words)
        if vectors.shape != (len(words), self.dim):
            raise ValueError(f"vectors must be of shape {(len(words), self.dim)}, got {vectors.shape}")
        for start in range(0, len(words), ROWS):
            stop = min(start + ROWS, len(words))
            rows = rows_between(vectors, start, stop)
            some = np.zeros(stop - start, np.int64) if counts is None else np.asarray(counts[start:stop], np.int64)
            self._take(words.slice(start, stop - start), some, rows)

    def _take(self, words: pa.StringArray, counts: np.ndarray, vectors: Matrix) -> None:
        narrow = self.dtype != "float32"
        rows = encode_named(words, vectors, self.dtype, self._arrow.path) if narrow else encode(vectors, self.dtype)
        norms = norms_of(rows)
        if not np.isfinite(norms).all():
            row = int(np.flatnonzero(~np.isfinite(norms))[0])
            raise StreamvecError(
                f"{self._arrow.path}: the vector of {words[row].as_py()!r} holds NaN or infinity: not written"
            )
        lists, scales = columns_of(rows)
        columns = [words, pa.array(counts), lists, pa.array(norms), *([] if scales is None else [scales])]
        batch = pa.record_batch(columns, schema=self._arrow.schema)
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
    return stored_dtype(schema) is not None


def stored_dtype(schema: pa.Schema) -> str | None:
    """The dtype of the vectors in vectors.arrow, by its schema; None for another schema."""
    if "vector" not in schema.names:
        return None
    kind = schema.field("vector").type
    dtype = dtype_of_list(kind)
    if dtype is None:
        return None
    expected = _schema(kind.list_size, dtype)
    same = schema.names == expected.names and [field.type for field in schema] == [field.type for field in expected]
    return dtype if same else None


def open_vectors(path: Path) -> Vectors:
    """Maps vectors.arrow; its structure and lengths are checked, its checksum is not (``streamvec verify`` does).

    Raises StreamvecError when the file is damaged, cut short, or another kind of Arrow file.
    """
    reader, dim, dtype = _opened(path, mapped=True)
    chunks = [_chunk(read_batch(reader, number, path), path) for number in range(reader.num_record_batches)]
    try:
        info = parsed((reader.schema.metadata or {}).get(INFO_KEY, b"{}"))
    except ValueError as problem:
        raise StreamvecError(f"{path}: damaged: its streamvec.info is not JSON: run streamvec verify") from problem
    return Vectors(chunks, dim, info if isinstance(info, dict) else {}, dtype, path, stated_checksum(reader.schema))


def read_chunks(path: Path) -> Iterator[Chunk]:
    """The chunks of vectors.arrow one after another, read and not mapped: none stays in memory. As `open_vectors`."""
    reader, _, _ = _opened(path, mapped=False)
    for number in range(reader.num_record_batches):
        yield _chunk(read_batch(reader, number, path), path)


def _opened(path: Path, mapped: bool) -> tuple[pa.ipc.RecordBatchFileReader, int, str]:
    """(the open file, dim, dtype)."""
    reader = open_arrow(path, mapped)
    dtype = stored_dtype(reader.schema)
    if dtype is None:
        raise StreamvecError(f"{path}: an Arrow file, but not of word, count, vector and norm as streamvec writes it")
    return reader, reader.schema.field("vector").type.list_size, dtype


def _chunk(batch: pa.RecordBatch, path: Path) -> Chunk:
    words, counts, lists, norms, *scales = batch.columns
    if any(column.null_count for column in batch.columns):
        raise StreamvecError(f"{path}: damaged: values are missing: run streamvec verify")
    try:
        vectors = rows_of(lists, scales[0] if scales else None)
    except ValueError as problem:
        raise StreamvecError(f"{path}: damaged: {problem}: run streamvec verify") from problem
    lengths = norms.to_numpy()
    wrong = ~(np.isfinite(lengths) & (lengths >= 0))
    if wrong.any():
        word = words[int(np.flatnonzero(wrong)[0])].as_py()
        raise StreamvecError(f"{path}: damaged: the norm of {word!r} is NaN or infinity: run streamvec verify")
    return Chunk(words, counts.to_numpy(), vectors, lengths)


def rows_between(vectors: Matrix, start: int, stop: int) -> Matrix:
    """Rows start to stop in C order, as they are stored."""
    if isinstance(vectors, Encoded):
        return vectors.part(start, stop)
    return np.ascontiguousarray(vectors[start:stop], dtype=np.float32)


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
    places = np.frombuffer(offsets, np.int32, len(words) + 1, 4 * words.offset)
    return places, np.empty(0, np.uint8) if data is None else np.frombuffer(data, np.uint8)


def _schema(dim: int, dtype: str) -> pa.Schema:
    fields = [
        pa.field("word", pa.utf8(), nullable=False),
        pa.field("count", pa.int64(), nullable=False),
        pa.field("vector", list_type(dim, dtype), nullable=False),
        pa.field("norm", pa.float32(), nullable=False),
    ]
    return pa.schema(fields + ([pa.field("scale", pa.float32(), nullable=False)] if dtype == "int8" else []))
