"""Parquet and Arrow files of vectors, ours and other people's: a column of words and columns of numbers.

The word column is the one called word, token, key, ... or else the only column of text. The vector is a column of lists
of numbers, or else all columns of floating-point numbers, in their order. Lists of int8 beside a column ``scale`` are
multiplied by it (storage.py). What we write carries checksums: Arrow as streamvec's other Arrow files do, Parquet one a
page, as its format has it.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from streamvec.disk.arrow import ArrowWriter, open_arrow, read_batch, verify_if_stated
from streamvec.disk.reading import arrow_file, opened
from streamvec.errors import StreamvecError
from streamvec.vectors.blocks import Block
from streamvec.vectors.parquetpages import check_pages
from streamvec.vectors.storage import as_float32, columns_of, list_type
from streamvec.vectors.store import ROWS, Chunk

_BUFFER = 1 << 20
_DTYPE = b"streamvec.dtype"  # so that int8 that lost its scales is not taken for numbers
_WORDS = ("word", "token", "key", "term", "text", "index", "__index_level_0__")
_COUNTS = ("count", "freq", "frequency")


class Columns(NamedTuple):
    """Which columns of a table are what; *vector* holds one column of lists, or many of numbers, or none."""

    word: str
    vector: list[str]
    counts: str | None
    scale: str | None  # of rows of int8


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
        if columns.scale:
            vectors = vectors * _numbers(batch.column(columns.scale), pa.float32(), path, row)[:, None]
        counts = np.zeros(len(words), np.int64)
        if columns.counts:
            counts = _numbers(batch.column(columns.counts).fill_null(0), pa.int64(), path, row)
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


def write_parquet(chunks: Iterable[Chunk], dim: int, dtype: str, file: IO[bytes]) -> None:
    """Writes word (string), count (int64), vector (fixed-size list of *dtype*), of int8 scale: a row group a chunk."""
    options: dict[str, Any] = {"compression": "zstd", "use_dictionary": False, "write_page_checksum": True}
    with pq.ParquetWriter(file, _schema(dim, dtype), **options) as writer:
        for chunk in chunks:
            writer.write_batch(_batch(chunk, writer.schema))


def write_arrow(chunks: Iterable[Chunk], dim: int, dtype: str, path: Path) -> None:
    """Writes an Arrow IPC file of the same columns, a record batch a chunk; whole or not at all."""
    with ArrowWriter(path, _schema(dim, dtype)) as writer:
        for chunk in chunks:
            writer.write(_batch(chunk, writer.schema))


def _schema(dim: int, dtype: str) -> pa.Schema:
    columns = [("word", pa.utf8()), ("count", pa.int64()), ("vector", list_type(dim, dtype))]
    scale = [("scale", pa.float32())] if dtype == "int8" else []
    return pa.schema(columns + scale, {_DTYPE: dtype})


def _batch(chunk: Chunk, schema: pa.Schema) -> pa.RecordBatch:
    """A chunk whose vectors are encoded as the schema has it."""
    lists, scales = columns_of(chunk.vectors)
    columns = [chunk.words, pa.array(chunk.counts), lists, *([] if scales is None else [scales])]
    return pa.record_batch(columns, schema=schema)


def _opened(path: Path) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
    with opened(path) as file:
        start = file.read(4)
    if start != b"PAR1":
        reader = open_arrow(path)
        verify_if_stated(path, reader.schema)
        return reader.schema, (read_batch(reader, number, path) for number in range(reader.num_record_batches))
    check_pages(path)
    try:
        parquet = pq.ParquetFile(  # not a whole row group at once
            arrow_file(path), pre_buffer=False, buffer_size=_BUFFER, page_checksum_verification=True
        )
        schema = parquet.schema_arrow
        _ = schema.names  # a damaged name shows only when it is read
    except (pa.ArrowException, OSError, UnicodeDecodeError) as problem:
        raise StreamvecError(f"{path}: not a whole Parquet file ({_line(problem)}): fetch it again") from problem
    return schema, _parquet_batches(parquet, path)


def _parquet_batches(parquet: pq.ParquetFile, path: Path) -> Iterator[pa.RecordBatch]:
    try:
        for batch in parquet.iter_batches(batch_size=ROWS):
            batch.validate(full=True)
            yield batch
    except (pa.ArrowException, OSError) as problem:
        raise StreamvecError(f"{path}: damaged Parquet data ({_line(problem)}): fetch it again") from problem


def _line(problem: Exception) -> str:
    """What pyarrow says, on one line."""
    return " ".join(str(problem).split())


def _is_text(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    return pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)


def _is_list(kind: pa.DataType) -> bool:
    listed = pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)
    return listed and (pa.types.is_floating(kind.value_type) or pa.types.is_integer(kind.value_type))


def _columns(schema: pa.Schema, path: Path) -> Columns:
    name, number = Counter(schema.names).most_common(1)[0] if schema.names else ("", 0)
    if number > 1:
        raise StreamvecError(f"{path}: {number} columns are called {name!r}: rename all but one")
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
    small = len(lists) == 1 and schema.field(lists[0]).type.value_type == pa.int8()
    scaled = small and "scale" in schema.names and pa.types.is_floating(schema.field("scale").type)
    if not scaled and (schema.metadata or {}).get(_DTYPE) == b"int8":
        raise StreamvecError(f"{path}: damaged: the scales of its int8 rows are missing: fetch it again")
    return Columns((called or texts)[0], lists or numbers, counts[0] if counts else None, "scale" if scaled else None)


def _text(column: pa.Array, path: Path, row: int) -> pa.StringArray:
    if column.null_count:
        missing = row + int(np.flatnonzero(column.is_null().to_numpy(zero_copy_only=False))[0])
        raise StreamvecError(f"{path}: the word of row {missing + 1:,} is missing: fill it in, or take the row out")
    try:
        return column.cast(pa.utf8())
    except pa.ArrowException as problem:
        raise StreamvecError(f"{path}: the words after row {row + 1:,} cannot be read ({problem})") from problem


def _numbers(column: pa.Array, kind: pa.DataType, path: Path, row: int) -> np.ndarray:
    """A column beside the words, as numbers of another type."""
    try:
        found: np.ndarray = column.cast(kind).to_numpy(zero_copy_only=not column.null_count)
    except pa.ArrowException as problem:
        raise StreamvecError(f"{path}: a count or a scale after row {row + 1:,} is no number ({problem})") from problem
    return found


def _matrix(batch: pa.RecordBatch, names: list[str], path: Path, row: int, dim: int) -> np.ndarray:
    """float32[n, dim] of one column of lists or of many columns of numbers."""
    columns = [batch.column(name) for name in names]
    if any(column.null_count for column in columns):
        raise StreamvecError(f"{path}: numbers are missing after row {row + 1:,}: fill them in, or take the rows out")
    if not _is_list(columns[0].type):
        return np.stack([as_float32(column.to_numpy()) for column in columns], axis=1)
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
    return as_float32(flat.to_numpy(zero_copy_only=False)).reshape(-1, wide)
