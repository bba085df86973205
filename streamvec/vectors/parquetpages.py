"""Refuses a Parquet file whose pages claim to be far larger than the file could make them, before any room is made.

pyarrow makes room for a page as its header says, up to 2 GB, before it looks whether the page is there. So the footer
and the headers of pages are read here first, as they are written, in Thrift's compact protocol. pyarrow's own view of
the footer is of no use: it ends the process (``ColumnChunkMetaData``, pyarrow 26) where a column's statistics are
damaged.
"""

from pathlib import Path
from typing import IO, Any

from streamvec.disk.reading import opened
from streamvec.errors import StreamvecError

_FREE = 64 << 20  # bytes that any page may take
_RATIO = 100  # vectors do not compress that well; larger pages must not claim so
_HEADER = 1 << 16
_DEPTH = 16
_ROW_GROUPS, _COLUMNS, _ABOUT = 4, 1, 3  # fields of the footer, of a row group, of a column
_LENGTH, _DATA, _DICTIONARY = 7, 9, 11  # fields about a column: bytes of all its pages, and where they begin
_PLAIN, _STORED = 2, 3  # fields of a page's header: its bytes once decompressed, and in the file


class _Compact:
    """Bytes read as Thrift's compact protocol; IndexError where they end, ValueError for what is none."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def byte(self) -> int:
        """The next one."""
        self.at += 1
        return self.data[self.at - 1]

    def varint(self) -> int:
        """An unsigned number of 7 bits a byte."""
        number = 0
        for shift in range(0, 70, 7):
            byte = self.byte()
            number |= (byte & 0x7F) << shift
            if byte < 0x80:
                return number
        raise ValueError("a number of too many bytes")

    def zigzag(self) -> int:
        """A signed number."""
        number = self.varint()
        return (number >> 1) ^ -(number & 1)

    def struct(self, depth: int = 0) -> dict[int, Any]:
        """The fields of a struct by their ids."""
        found: dict[int, Any] = {}
        field = 0
        while byte := self.byte():
            field = field + (byte >> 4) if byte >> 4 else self.zigzag()
            found[field] = None if byte & 15 in (1, 2) else self.value(byte & 15, depth + 1)  # truth is in the type
        return found

    def value(self, kind: int, depth: int) -> Any:
        """Numbers, lists and structs; None for what is passed over."""
        if depth > _DEPTH:
            raise ValueError("structs too deep")
        if kind in (4, 5, 6):
            return self.zigzag()
        if kind in (9, 10):
            head = self.byte()
            size = self.varint() if head >> 4 == 15 else head >> 4
            if size > len(self.data):
                raise ValueError("a list that does not fit")
            return [self.value(head & 15, depth + 1) for _ in range(size)]
        if kind == 12:
            return self.struct(depth)
        if kind not in (1, 2, 3, 7, 8):
            raise ValueError("no such type")
        length = self.varint() if kind == 8 else 8 if kind == 7 else 1
        self.at += length
        self.data[self.at - 1]
        return None


def check_pages(path: Path) -> None:
    """StreamvecError, naming the byte, where the footer is damaged or a page claims more than the file could hold."""
    with opened(path) as file:
        size = file.seek(0, 2)
        try:
            file.seek(size - 8)
            length = int.from_bytes(file.read(4), "little")
            file.seek(size - 8 - length)
            footer = _Compact(file.read(length)).struct()
            columns = [column[_ABOUT] for group in footer[_ROW_GROUPS] for column in group[_COLUMNS]]
            places = [
                (min(int(one.get(_DICTIONARY) or one[_DATA]), int(one[_DATA])), int(one[_LENGTH])) for one in columns
            ]
        except (OSError, ValueError, IndexError, KeyError, TypeError, AttributeError) as problem:
            raise StreamvecError(f"{path}: not a whole Parquet file (its footer): fetch it again") from problem
        for at, length in places:
            _check_column(file, at, length, size, path)


def _check_column(file: IO[bytes], at: int, length: int, size: int, path: Path) -> None:
    """The pages of one column, one after another."""
    end = at + length
    if not 0 <= at <= end <= size:
        raise StreamvecError(f"{path}: damaged: a column at bytes {at:,} to {end:,} of {size:,}: fetch it again")
    while at < end:
        file.seek(at)
        header = _Compact(file.read(_HEADER))
        try:
            fields = header.struct()
            plain, stored = int(fields[_PLAIN]), int(fields[_STORED])
        except (IndexError, ValueError, KeyError, TypeError) as problem:
            raise StreamvecError(f"{path}: damaged at byte {at:,}: not the head of a page: fetch it again") from problem
        if stored < 0 or plain < 0 or at + header.at + stored > size or plain > max(_FREE, _RATIO * stored):
            raise StreamvecError(
                f"{path}: damaged at byte {at:,}: a page of {stored:,} bytes is to hold {plain:,}: fetch it again"
            )
        at += header.at + stored
