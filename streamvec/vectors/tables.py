"""Parquet and Arrow files of vectors, ours and other people's: a column of words and columns of numbers.

The word column is the one called word, token, key, ... or else the only column of text. The vector is a column of lists
of numbers, or else all columns of floating-point numbers, in their order.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from streamvec.disk.arrow import open_arrow, read_batch
from streamvec.disk.files import named_problems
from streamvec.errors import StreamvecError
from streamvec.vectors.blocks import Block
from streamvec.vectors.store import ROWS, Chunk

_BUFFER = 1 << 20
_WORDS = ("word", "token", "key", "term", "text", "index", "__index_level_0__")
_COUNTS = ("count", "freq", "frequency")


class Columns(NamedTuple):
    """Which columns of a table are what; *vector* holds one column of lists, or many of numbers, or none."""

    word: str
    vector: list[str]
    counts: str | None


def read_table(path: Path) -> Iterator[Block]:
    """The rows of a Parquet or Arrow file, a record batch at a time.

    Raises StreamvecError, naming the file and row, when there is no word or vector column, a value is missing, or
    rows differ in length.
    """
    schema, batches = _opened(path)
    columns = _columns(schema, path)
    if not columns.vector:
        raise StreamvecError(
            f"{path}: holds words ({columns.word}) but no vectors: if those are in an .npy beside it, import that: "
            f"streamvec import VECTORS.npy --words {path.name} -o OUT"
        )
    row, dim = 0, 0
    for batch in batches:
        words = _text(batch.column(columns.word), path, row)
        vectors = _matrix(batch, columns.vector, path, row, dim)
        dim = vectors.shape[1]
        counts = np.zeros(len(words), np.int64)
        if columns.counts:
            counts = batch.column(columns.counts).fill_null(0).cast(pa.int64()).to_numpy(zero_copy_only=False)
        yield Block(words, vectors, counts)
        row += len(words)


def read_words(path: Path) -> Iterator[pa.StringArray]:
    """The word column of a Parquet or Arrow file."""
    schema, batches = _opened(path)
    name = _columns(schema, path).word
    row = 0
    for batch in batches:
        yield _text(batch.column(name), path, row)
        row += batch.num_rows


def write_parquet(chunks: Iterable[Chunk], dim: int, file: IO[bytes]) -> None:
    """Writes word (string), count (int64) and vector (fixed-size list of float32), a row group a chunk."""
    schema = pa.schema([("word", pa.utf8()), ("count", pa.int64()), ("vector", pa.list_(pa.float32(), dim))])
    with pq.ParquetWriter(file, schema, compression="zstd", use_dictionary=False) as writer:
        for chunk in chunks:
            lists = pa.FixedSizeListArray.from_arrays(pa.array(np.ascontiguousarray(chunk.vectors).reshape(-1)), dim)
            writer.write_batch(pa.record_batch([chunk.words, pa.array(chunk.counts), lists], schema=schema))


def _opened(path: Path) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
    with named_problems(path), path.open("rb") as file:
        start = file.read(4)
    if start != b"PAR1":
        reader = open_arrow(path)
        return reader.schema, (read_batch(reader, number, path) for number in range(reader.num_record_batches))
    try:
        parquet = pq.ParquetFile(path, pre_buffer=False, buffer_size=_BUFFER)  # not a whole row group at once
    except (pa.ArrowException, OSError) as problem:
        raise StreamvecError(f"{path}: not a whole Parquet file ({problem}): fetch it again") from problem
    return parquet.schema_arrow, _parquet_batches(parquet, path)


def _parquet_batches(parquet: pq.ParquetFile, path: Path) -> Iterator[pa.RecordBatch]:
    try:
        yield from parquet.iter_batches(batch_size=ROWS)
    except (pa.ArrowException, OSError) as problem:
        raise StreamvecError(f"{path}: damaged Parquet data ({problem}): fetch it again") from problem


def _is_text(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    return pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)


def _is_list(kind: pa.DataType) -> bool:
    listed = pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)
    return listed and (pa.types.is_floating(kind.value_type) or pa.types.is_integer(kind.value_type))


def _columns(schema: pa.Schema, path: Path) -> Columns:
    texts = [field.name for field in schema if _is_text(field.type)]
    called = [name for known in _WORDS for name in texts if name.lower() == known]
    if not called and len(texts) != 1:
        raise StreamvecError(
            f"{path}: expected one column of words, found {len(texts)} columns of text among "
            f"{', '.join(schema.names)}: rename the column of the words to word"
        )
    lists = [field.name for field in schema if _is_list(field.type)]
    if len(lists) > 1:
        lists = [name for name in lists if name.lower() in ("vector", "embedding")]
        if len(lists) != 1:
            raise StreamvecError(f"{path}: several columns of lists: rename the column of the vectors to vector")
    numbers = [field.name for field in schema if pa.types.is_floating(field.type)]
    counts = [field.name for field in schema if pa.types.is_integer(field.type) and field.name.lower() in _COUNTS]
    return Columns((called or texts)[0], lists or numbers, counts[0] if counts else None)


def _text(column: pa.Array, path: Path, row: int) -> pa.StringArray:
    if column.null_count:
        missing = row + int(np.flatnonzero(column.is_null().to_numpy(zero_copy_only=False))[0])
        raise StreamvecError(f"{path}: the word of row {missing + 1:,} is missing: fill it in, or take the row out")
    return column.cast(pa.utf8())


def _matrix(batch: pa.RecordBatch, names: list[str], path: Path, row: int, dim: int) -> np.ndarray:
    """float32[n, dim] of one column of lists or of many columns of numbers."""
    columns = [batch.column(name) for name in names]
    if any(column.null_count for column in columns):
        raise StreamvecError(f"{path}: numbers are missing after row {row + 1:,}: fill them in, or take the rows out")
    if not _is_list(columns[0].type):
        return np.stack([column.to_numpy().astype(np.float32) for column in columns], axis=1)
    lengths = np.asarray(columns[0].value_lengths())
    wide = dim or (int(lengths[0]) if len(lengths) else getattr(columns[0].type, "list_size", 1))
    if wide < 1 or (lengths != wide).any():
        bad = int(np.flatnonzero(lengths != wide)[0]) if wide else 0
        raise StreamvecError(
            f"{path}: the vector of row {row + bad + 1:,} has {lengths[bad]} numbers, the first has {wide}: "
            "take the row out"
        )
    flat = columns[0].flatten()
    if flat.null_count:
        raise StreamvecError(f"{path}: a number is missing after row {row + 1:,}: fill it in, or take the row out")
    return flat.to_numpy(zero_copy_only=False).astype(np.float32, copy=False).reshape(-1, wide)
