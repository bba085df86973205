"""Arrow IPC files that carry their own checksum, so that one file can be moved about and still be verified.

The schema's metadata holds ``streamvec.checksum``: ``xxh3-128:`` and 32 hexadecimal digits, the xxh3-128 of all
bytes of the file with those digits read as zeros. The schema stands twice in an Arrow file (at its head and in its
footer), and so do the digits. Everything else is ordinary Arrow: any tool reads it.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

import pyarrow as pa
import xxhash

from streamvec.disk.problems import named_problems
from streamvec.disk.reading import arrow_file, opened
from streamvec.disk.writing import whole_file
from streamvec.errors import StreamvecError

CHECKSUM_KEY = b"streamvec.checksum"
VERSION_KEY = b"streamvec.version"  # of a file that this streamvec cannot read; those of version 1 do not state it
_DIGITS = 32
_MARK = b"xxh3-128:"
_MARKED = re.compile(re.escape(_MARK) + b"[0-9a-f]{32}")
_BLOCK = 1 << 20
_HEAD = 1 << 16  # the schema at the head lies within its first bytes; a longer one is refused on writing


class ArrowWriter:
    """Writes record batches to *path*, which appears whole when the ``with`` block ends well.

    Raises StreamvecError for a full disk, a folder without permission, or a schema (with what is written in its
    metadata) of more than 64 KB.
    """

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self.path = Path(path)
        metadata = {**(schema.metadata or {}), CHECKSUM_KEY: _MARK + b"0" * _DIGITS}
        self.schema = schema.with_metadata(metadata)
        size = self.schema.serialize().size + 8
        if size > _HEAD:
            raise StreamvecError(
                f"{path}: its columns and what is said about them take {size} bytes, at most {_HEAD} can be written: "
                "shorten what is said, such as a pattern for tokens"
            )
        self.rows = 0
        self.checksum = ""
        self._whole: Any = None
        self._file: IO[bytes] | None = None
        self._writer: Any = None

    def __enter__(self) -> Self:
        self._whole = whole_file(self.path)
        self._file = self._whole.__enter__()
        try:
            self._writer = pa.ipc.new_file(self._file, self.schema)
        except BaseException as problem:
            self._whole.__exit__(type(problem), problem, problem.__traceback__)
            raise
        return self

    def write(self, batch: pa.RecordBatch) -> None:
        """Appends one record batch, as it is: batches are what readers will get."""
        with named_problems(self.path):
            self._writer.write_batch(batch.replace_schema_metadata(self.schema.metadata))
        self.rows += batch.num_rows

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                with named_problems(self.path):
                    self._writer.close()
                    assert self._file is not None
                    self._file.flush()
                    self.checksum = _seal(self._file)
        except BaseException as problem:
            if not self._whole.__exit__(type(problem), problem, problem.__traceback__):
                raise
            return
        self._whole.__exit__(kind, value, trace)


def _seal(file: IO[bytes]) -> str:
    places = _mark_places(file)
    digest = _digest(file, places).encode()
    for place in places:
        file.seek(place)
        file.write(digest)
    return digest.decode()


def _mark_places(file: IO[bytes]) -> list[int]:
    """Where the digits stand: once in the head, once in the footer."""
    size = file.seek(0, 2)
    if size < 20:
        return []
    file.seek(size - 10)
    footer = int.from_bytes(file.read(4), "little", signed=True)
    if not 0 < footer <= size - 10:
        return []
    places = []
    for start, length in ((0, min(_HEAD, size - 10 - footer)), (size - 10 - footer, footer)):
        file.seek(start)
        found = _MARKED.search(file.read(length))
        if found:
            places.append(start + found.start() + len(_MARK))
    return places


def _digest(file: IO[bytes], places: list[int]) -> str:
    """The xxh3-128 of the file with the digits at *places* read as zeros."""
    digest = xxhash.xxh3_128()
    file.seek(0)
    position = 0
    while block := file.read(_BLOCK):
        for place in places:
            first, last = max(place, position), min(place + _DIGITS, position + len(block))
            if first < last:
                block = block[: first - position] + b"0" * (last - first) + block[last - position :]
        digest.update(block)
        position += len(block)
    return digest.hexdigest()


def stated_checksum(schema: pa.Schema) -> str:
    """The checksum that an Arrow file of streamvec states of itself, 32 hexadecimal digits; empty where it has none."""
    metadata = schema.metadata or {}
    stated: str = metadata.get(CHECKSUM_KEY, b"").decode("ascii", "replace").rpartition(":")[2]
    return stated


def verify_arrow(path: Path) -> str:
    """Reads every byte of an Arrow file of streamvec and returns its checksum; StreamvecError when it is damaged."""
    with opened(path) as file:
        return verify_open_arrow(file, path)


def verify_open_arrow(file: IO[bytes], path: Path | str) -> str:
    """The same of an open file, which *path* is the name of."""
    places = _mark_places(file)
    if len(places) != 2:
        raise StreamvecError(f"{path}: damaged or cut short: not a whole Arrow file with streamvec's checksum")
    stated = []
    for place in places:
        file.seek(place)
        stated.append(file.read(_DIGITS).decode())
    found = _digest(file, places)
    if stated != [found, found]:
        raise StreamvecError(f"{path}: damaged: its content has checksum {found}, it was written with {stated[0]}")
    return found


def verify_if_stated(path: Path, schema: pa.Schema) -> None:
    """`verify_arrow` of a file whose schema states a checksum; other tools' files do not."""
    if CHECKSUM_KEY in (schema.metadata or {}):
        verify_arrow(path)


def open_arrow(path: Path, mapped: bool = True) -> pa.ipc.RecordBatchFileReader:
    """Opens an Arrow IPC file for reading: mapped into memory, or (``mapped=False``) read batch by batch.

    A mapped file's pages count as the process's memory while they are in use; a trainer reads instead.
    Raises StreamvecError when the file is missing or is not a whole Arrow file.
    """
    with named_problems(path):
        return arrow_reader(arrow_file(path, mapped), path)


def arrow_reader(source: Any, path: Path | str) -> pa.ipc.RecordBatchFileReader:
    """The same of a file that is open, which *path* is the name of."""
    with named_problems(path):
        try:
            reader = pa.ipc.open_file(source)
            _ = reader.schema.names  # a damaged name shows only when it is read
        except (pa.ArrowException, OSError, UnicodeDecodeError) as problem:
            raise StreamvecError(f"{path}: damaged, or not a whole Arrow file ({problem})") from problem
    version = (reader.schema.metadata or {}).get(VERSION_KEY, b"1").decode("ascii", "replace")
    if version != "1":
        raise StreamvecError(
            f"{path}: its format is of version {version}, this streamvec reads version 1: use a newer streamvec"
        )
    return reader


def read_batches(path: Path, mapped: bool = True) -> Iterator[pa.RecordBatch]:
    """The record batches of an Arrow IPC file, each validated in full before anything believes it."""
    reader = open_arrow(path, mapped)
    for number in range(reader.num_record_batches):
        yield read_batch(reader, number, path)


def read_batch(reader: pa.ipc.RecordBatchFileReader, number: int, path: Path | str) -> pa.RecordBatch:
    """Record batch *number* of an open file, validated in full."""
    try:
        batch = reader.get_batch(number)
        batch.validate(full=True)
    except (pa.ArrowException, OSError) as problem:
        raise StreamvecError(f"{path}: damaged: record batch {number} is not valid Arrow ({problem})") from problem
    return batch
