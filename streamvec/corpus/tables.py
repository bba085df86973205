"""One column of a Parquet or Arrow file, a row a document, read batch by batch and nothing of the other columns."""

import contextlib
import mmap
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from streamvec.corpus.records import Records
from streamvec.corpus.remote import is_remote, open_remote
from streamvec.disk.problems import named_problems
from streamvec.disk.reading import arrow_file, mapped, opened
from streamvec.errors import StreamvecError

_END_OF_STREAM = b"\xff\xff\xff\xff\x00\x00\x00\x00"
_MOST_ROWS = 1 << 16  # at a time
_REPEATED = 512  # rows at a time where one value, told once, may be in many of them
_LIKELY, _LITTLE = 64, 16  # and where it must be, as the column takes fewer bytes a row
_BUFFER = 1 << 20  # bytes of a Parquet column chunk read at once
_NEWLINE = pa.scalar(b"\n", pa.large_binary())
_SPACE = pa.scalar(b" ", pa.large_binary())


def read_parquet(path: str, column: str | None, row: int, batch_bytes: int) -> Iterator[Records]:
    """The documents of a Parquet file from *row* on, in batches of roughly *batch_bytes*.

    Raises StreamvecError when the file is damaged, has no such column, or the column holds no text.
    """
    with _problems(path), _opened(path) as file:
        parquet = _parquet_file(file)
        name = text_column(parquet.schema_arrow, column, path)
        before = 0
        for group in range(parquet.num_row_groups):
            rows = parquet.metadata.row_group(group).num_rows
            if before + rows > row:
                stored = max(1, _column_bytes(parquet.metadata.row_group(group), name))
                most = _MOST_ROWS
                if _may_repeat(parquet, group, name):
                    most = _REPEATED if stored >= _LITTLE * rows else _LIKELY
                step = max(1, min(rows * batch_bytes // stored, most))
                place = before
                for batch in parquet.iter_batches(step, row_groups=[group], columns=[name], use_threads=False):
                    skip = max(0, row - place)
                    for start, part in _parts(batch.column(0), skip, batch_bytes):
                        yield _records(part, place + start)
                    place += batch.num_rows
                if place != before + rows:
                    raise StreamvecError(f"{path}: damaged: row group {group} has {place - before} of {rows} rows")
            before += rows


def read_arrow(path: str, column: str | None, row: int, batch_bytes: int) -> Iterator[Records]:
    """The documents of an Arrow IPC file, stream or Feather file from *row* on; as read_parquet.

    A local file is mapped: one batch may hold all of it, and only the part at hand needs memory.
    """
    with _problems(path), _opened_arrow(path) as (file, pages):
        place = 0
        for array in _arrow_column(file, column, path, pages is not None):
            rows = len(array)
            if place + rows > row:
                array = _checked(array, path)
                for start, part in _parts(array, max(0, row - place), batch_bytes):
                    yield _records(part, place + start)
                    if pages is not None:
                        pages.madvise(mmap.MADV_DONTNEED)  # or what was read would count as ours to its end
            place += rows


def _parts(array: pa.Array, first: int, batch_bytes: int) -> Iterator[tuple[int, pa.Array]]:
    """(where it begins, some rows) of an array from row *first* on, of roughly *batch_bytes* each."""
    rows, start = len(array), first
    if pa.types.is_dictionary(array.type):  # a value takes its room for each row that has it, once it is text
        sizes = pc.binary_length(array.dictionary.cast(pa.large_binary())).take(array.indices).fill_null(0)
        ends = np.concatenate([[0], np.cumsum(sizes.to_numpy(zero_copy_only=False), dtype=np.int64)])
    else:
        ends = np.arange(rows + 1) * max(1, array.nbytes // max(1, rows))
    while start < rows:
        fitting = int(np.searchsorted(ends, ends[start] + batch_bytes, side="right")) - 1
        stop = min(rows, start + _MOST_ROWS, max(start + 1, fitting))
        yield start, array.slice(start, stop - start)
        start = stop


def parquet_text_bytes(path: str, column: str | None) -> int:
    """How many bytes the text column of a Parquet file has before compression, by the file's own metadata."""
    with _problems(path), _opened(path) as file:
        parquet = _parquet_file(file)
        name = text_column(parquet.schema_arrow, column, path)
        groups = [parquet.metadata.row_group(group) for group in range(parquet.num_row_groups)]
        return sum(_column_bytes(group, name) for group in groups)


def arrow_text_bytes(path: str, column: str | None, size: int) -> int:
    """Roughly how many bytes the text column of an Arrow file of *size* bytes has, if all is like its first batch."""
    with _problems(path), _opened_arrow(path) as (file, pages):
        first = next(_arrow_column(file, column, path, pages is not None), None)
        if first is None:
            return 0
        text = _checked(first, path).nbytes
        _to_stream(file)
        stored = 0
        for message in pa.ipc.MessageReader.open_stream(file):
            stored += message.body.size if message.body is not None else 0
            if message.type == "record batch":
                break
        return text * size // max(1, stored)


def _arrow_column(file: Any, column: str | None, path: str, mapped: bool) -> Iterator[pa.Array]:
    """The column of each batch of an open Arrow file or stream.

    Asked for one column only, pyarrow copies all of a batch that it could have left where it is mapped: so it is asked
    for that only where it must read anyway, from afar or because the batches are compressed.
    """
    schema = _arrow_reader(file, None).schema
    index = schema.get_field_index(text_column(schema, column, path))
    if not isinstance(_arrow_reader(file, None), pa.ipc.RecordBatchFileReader):
        _check_end(path)
    if mapped:
        first = next(_batches(_arrow_reader(file, None)), None)
        if first is None:
            return
        if _lies_in(file, first.column(index)):
            for batch in _batches(_arrow_reader(file, None)):
                yield batch.column(index)
            return
        del first
    for batch in _batches(_arrow_reader(file, index)):
        yield batch.column(0)


def _arrow_reader(file: Any, only: int | None) -> Any:
    """A reader of the whole of *file*, or of one column."""
    file.seek(0)
    is_file = bytes(file.read(6)) == b"ARROW1"
    file.seek(0)
    options = pa.ipc.IpcReadOptions() if only is None else pa.ipc.IpcReadOptions(included_fields=[only])
    return pa.ipc.open_file(file, options=options) if is_file else pa.ipc.open_stream(file, options=options)


def _batches(reader: Any) -> Iterator[pa.RecordBatch]:
    if isinstance(reader, pa.ipc.RecordBatchFileReader):
        return (reader.get_batch(number) for number in range(reader.num_record_batches))
    return iter(reader)


def _lies_in(file: Any, array: pa.Array) -> bool:
    """Whether an array's buffers are the mapped file itself, not copies."""
    file.seek(0)
    base = file.read_buffer(1).address
    return all(
        base <= buffer.address < base + file.size() for buffer in array.buffers() if buffer is not None and buffer.size
    )


def _to_stream(file: Any) -> None:
    """Goes to where the messages begin: after its mark, an Arrow file is a stream."""
    file.seek(0)
    is_file = bytes(file.read(6)) == b"ARROW1"
    file.seek(8 if is_file else 0)


def text_column(schema: pa.Schema, column: str | None, path: str) -> str:
    """The name of the column to read: *column*, or without one "text", or the only column of strings.

    Raises StreamvecError, listing the columns, when there is none such or it does not hold text.
    """
    listed = ", ".join(f"{field.name} ({field.type})" for field in schema)
    if column is None:
        strings = [field.name for field in schema if _is_text(_value_type(field.type), strings_only=True)]
        if "text" in strings:
            return "text"
        if len(strings) == 1:
            return str(strings[0])
        raise StreamvecError(f"{path}: which column holds the text? say --column; there are {listed}")
    if schema.get_field_index(column) < 0:
        raise StreamvecError(f"{path}: no column {column!r}, or more than one; there are {listed}")
    kind = schema.field(column).type
    if not _is_text(_value_type(kind)) and not (_is_list(kind) and _is_text(_value_type(kind.value_type))):
        raise StreamvecError(f"{path}: column {column!r} is {kind}, not text; there are {listed}")
    return column


def _is_list(kind: pa.DataType) -> bool:
    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind))


def _value_type(kind: pa.DataType) -> pa.DataType:
    return kind.value_type if pa.types.is_dictionary(kind) else kind


def _is_text(kind: pa.DataType, strings_only: bool = False) -> bool:
    if kind in (pa.string(), pa.large_string(), pa.string_view()):
        return True
    return not strings_only and kind in (pa.binary(), pa.large_binary(), pa.binary_view())


def _checked(array: pa.Array, path: str) -> pa.Array:
    """The array, once its offsets are known to lie within its data; strings as the bytes they are."""
    if array.type == pa.string():
        array = array.view(pa.binary())
    elif array.type == pa.large_string():
        array = array.view(pa.large_binary())
    try:
        array.validate(full=True)
    except pa.ArrowException as problem:
        raise StreamvecError(f"{path}: damaged: a batch is not valid Arrow ({problem})") from problem
    return array


def _records(array: pa.Array, row: int) -> Records:
    """The rows of *array*, which begin at *row*, as documents; nulls are empty ones, newlines in them spaces."""
    if _is_list(array.type):
        array = _joined_lists(array)
    values = array.cast(pa.large_binary())
    if values.null_count:
        values = values.fill_null(b"")
    rows = len(values)
    _, offsets_buffer, data_buffer = values.buffers()
    offsets = np.frombuffer(offsets_buffer, np.int64, rows + 1, values.offset * 8)
    first, last = int(offsets[0]), int(offsets[-1])
    data = data_buffer.slice(first, last - first).to_pybytes() if data_buffer is not None else b""
    ends = offsets[1:] - first
    clean = pa.py_buffer(data.replace(b"\n", b" "))
    starts = pa.py_buffer((offsets - first).tobytes())
    array = pa.Array.from_buffers(pa.large_binary(), rows, [None, starts, clean])
    joined = pc.binary_join(pa.LargeListArray.from_arrays(pa.array([0, rows], pa.int64()), array), _NEWLINE)[0].as_py()
    return Records(joined + b"\n", ends + np.arange(1, rows + 1), np.arange(row + 1, row + rows + 1))


def _joined_lists(array: pa.Array) -> pa.Array:
    """A list of strings a row becomes one string, joined by spaces; nulls within are empty, null lists null."""
    lists = array.cast(pa.large_list(pa.large_binary()))
    full = pa.LargeListArray.from_arrays(lists.offsets, lists.values.fill_null(b""))
    return pc.if_else(lists.is_valid(), pc.binary_join(full, _SPACE), pa.scalar(None, pa.large_binary()))


def _parquet_file(file: Any) -> Any:
    import pyarrow.parquet as pq

    return pq.ParquetFile(file, buffer_size=_BUFFER, pre_buffer=False)


def _column_bytes(group: Any, name: str) -> int:
    """The uncompressed size of one column (its leaves, where it is a list) in a row group."""
    columns = [group.column(index) for index in range(group.num_columns)]
    return sum(
        column.total_uncompressed_size
        for column in columns
        if column.path_in_schema == name or column.path_in_schema.startswith(f"{name}.")
    )


def _may_repeat(parquet: Any, group: int, name: str) -> bool:
    """Whether a column has a dictionary that is no longer one when read: a long value may take a few bits a row."""
    if pa.types.is_dictionary(parquet.schema_arrow.field(name).type):
        return False
    about = parquet.metadata.row_group(group)
    columns = [about.column(index) for index in range(about.num_columns)]
    return any(one.has_dictionary_page for one in columns if f"{one.path_in_schema}.".startswith(f"{name}."))


@contextlib.contextmanager
def _opened(path: str) -> Iterator[Any]:
    if is_remote(path):
        with open_remote(path) as remote:
            yield pa.PythonFile(remote, mode="r")
    else:
        with arrow_file(path) as file:
            yield file


@contextlib.contextmanager
def _opened_arrow(path: str) -> Iterator[tuple[Any, mmap.mmap | None]]:
    """The file, and the memory it is mapped to where it is a local one; the mapping ends with the last use of it."""
    if is_remote(path):
        with _opened(path) as file:
            yield file, None
    else:
        try:
            pages = mapped(path)
        except ValueError:
            raise StreamvecError(f"{path}: cut short: the file is empty: fetch or write it again") from None
        yield pa.BufferReader(pa.py_buffer(pages)), pages


def _check_end(path: str) -> None:
    """A stream that was cut between two batches would read as a shorter one: its end mark must be there."""
    if is_remote(path):
        return
    with opened(path) as file:
        file.seek(max(0, file.seek(0, 2) - len(_END_OF_STREAM)))
        if file.read() != _END_OF_STREAM:
            raise StreamvecError(f"{path}: cut short: the Arrow stream has no end mark; fetch or write it again")


@contextlib.contextmanager
def _problems(path: str) -> Iterator[None]:
    try:
        yield
    except (pa.ArrowException, OSError) as problem:
        if isinstance(problem, OSError) and problem.errno:
            with named_problems(path):
                raise
        detail = " ".join(str(problem).split())[:300]
        raise StreamvecError(f"{path}: damaged or cut short ({detail}): fetch or write it again") from problem
