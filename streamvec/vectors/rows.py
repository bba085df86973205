"""Rows of text that end in numbers: blocks of bytes to arrays, and arrays to bytes, without a loop over words.

A row is read from the right: its last *dim* fields are the vector, what stands before them is the word, spaces
within it included. Numbers are parsed and written by Arrow: correctly rounded, and the shortest text that reads back
as the same float32.
"""

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from streamvec.errors import StreamvecError
from streamvec.vectors.store import word_array

BLOCK = 1 << 20  # bytes of text parsed at once: what the caches hold
_LONGEST = 1 << 26  # bytes of a row; a longer one is no row of numbers
NEWLINE = b"\n"
_NEWLINE, _RETURN = 10, 13
_FRACTION = re.compile(rb"[+-]?(\d+\.\d*|\.\d+|\d+(?=[eE]))([eE][+-]?\d+)?")


class Rows(NamedTuple):
    """Parsed rows: words[n] as raw bytes, vectors float32[n, dim]."""

    words: pa.BinaryArray
    vectors: np.ndarray


def line_blocks(pieces: Iterable[bytes], name: str) -> Iterator[bytes]:
    """Cuts a stream of bytes into blocks of whole lines, each ending with a line feed."""
    rest: list[bytes] = []
    held = 0
    for piece in pieces:
        for start in range(0, len(piece), BLOCK):
            part = piece[start : start + BLOCK]
            cut = part.rfind(b"\n") + 1
            if cut:
                yield b"".join([*rest, part[:cut]])
                rest, held = [], 0
            rest.append(part[cut:])
            held += len(part) - cut
            if held > _LONGEST:
                raise StreamvecError(f"{name}: a line of more than {_LONGEST >> 20} MB: not a text file of vectors")
    last = b"".join(rest)
    if last:
        yield last + b"\n"


def parse_rows(block: bytes, dim: int, separator: bytes, worded: bool, name: str, line: int) -> Rows:
    """Parses whole lines, the first of which is line *line* of *name*; empty lines are passed over.

    Raises StreamvecError, naming the line, for a row with too few or too many numbers or what is no number.
    """
    data = np.frombuffer(block, np.uint8)
    ends = np.flatnonzero(data == _NEWLINE)
    between = (data == separator[0]) | (data == _NEWLINE)
    if b"\r" in block:
        between[:-1] |= (data[:-1] == _RETURN) & (data[1:] == _NEWLINE)
    edges = np.flatnonzero(between[1:] != between[:-1]) + 1
    if not between[0]:
        edges = np.concatenate([[0], edges])
    starts, stops = edges[0::2], edges[1::2]  # of the fields
    last = np.searchsorted(starts, ends)  # fields up to the end of each line
    fields = np.diff(last, prepend=0)
    expected = dim + worded
    full = fields > 0
    if not full.all():
        ends, last, fields = ends[full], last[full], fields[full]
    begins = np.concatenate([[0], ends[:-1] + 1]) if full.all() else _line_starts(data, ends)
    number = np.ones(len(starts), bool)  # whether a field is part of a vector
    first = last - fields  # the first field of each line
    odd = np.flatnonzero(fields != expected)
    if worded:
        number[first[fields >= expected]] = False
    for row in odd.tolist():
        _check_odd(block, int(fields[row]), dim, worded, int(begins[row]), int(ends[row]), separator, name, line)
        number[first[row] : last[row] - dim] = False
    if not worded:
        words = pa.array([b""] * len(ends), pa.binary())
    else:
        after = np.where(fields > dim, last - dim - 1, 0)  # the last field of each word
        words = _gather(data, starts[first], np.where(fields > dim, stops[after], starts[first]))
    return Rows(words, _numbers(block, between, starts, stops, number, name, line).reshape(-1, dim))


def _line_starts(data: np.ndarray, ends: np.ndarray) -> np.ndarray:
    every = np.flatnonzero(data == _NEWLINE)
    return np.concatenate([[0], every + 1])[np.searchsorted(every, ends)]


def _check_odd(
    block: bytes, fields: int, dim: int, worded: bool, begin: int, end: int, separator: bytes, name: str, line: int
) -> None:
    """Passes a row whose word is empty or holds separators; raises for one that lacks numbers or has too many."""
    row = block[begin:end]
    place = _place(name, line, block, begin)
    cure = "the file is damaged: fetch it again, or take the row out"
    if worded and fields == dim and row.startswith(separator):
        return
    if fields < dim + worded or not worded:
        raise StreamvecError(f"{place}: expected {dim} numbers, got {max(fields - worded, 0)}: {cure}")
    extra = [field for field in row.split(separator) if field][1 : fields - dim]
    if all(_FRACTION.fullmatch(one) for one in extra):
        raise StreamvecError(f"{place}: expected {dim} numbers, got {fields - 1}: {cure}")


def _place(name: str, line: int, block: bytes, offset: int) -> str:
    return f"{name}, line {line + block.count(NEWLINE, 0, offset)}"


def _gather(data: np.ndarray, starts: np.ndarray, stops: np.ndarray) -> pa.BinaryArray:
    """The bytes data[starts[i]:stops[i]] of each i."""
    lengths = stops - starts
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    places = np.arange(offsets[-1]) + np.repeat(starts - offsets[:-1], lengths)
    return pa.BinaryArray.from_buffers(
        pa.binary(), len(starts), [None, pa.py_buffer(offsets.astype(np.int32)), pa.py_buffer(data[places])]
    )


def _numbers(
    block: bytes,
    between: np.ndarray,
    starts: np.ndarray,
    stops: np.ndarray,
    number: np.ndarray,
    name: str,
    line: int,
) -> np.ndarray:
    """float32 of every field that is a *number*: all fields go to Arrow in one piece, words as missing values."""
    offsets = np.zeros(len(starts) + 1, np.int32)
    np.cumsum(stops - starts, out=offsets[1:])
    packed = np.frombuffer(block, np.uint8)[~between]
    present = pa.py_buffer(np.packbits(number, bitorder="little"))
    fields = pa.StringArray.from_buffers(len(starts), pa.py_buffer(offsets), pa.py_buffer(packed), present)
    try:
        parsed = np.frombuffer(fields.cast(pa.float32()).buffers()[1], np.float32)[: len(starts)]
    except pa.ArrowInvalid:
        return _slowly(block, starts[number], stops[number], name, line)
    return parsed[number]


def _slowly(block: bytes, starts: np.ndarray, stops: np.ndarray, name: str, line: int) -> np.ndarray:
    """The same a field at a time, for what Python reads as a number and Arrow does not (+1.5); names what is none."""
    out = np.empty(len(starts))
    for place, (start, stop) in enumerate(zip(starts.tolist(), stops.tolist(), strict=True)):
        try:
            out[place] = float(block[start:stop].replace(b"_", b"?"))  # Python takes 1_0 for 10
        except ValueError:
            raise StreamvecError(
                f"{_place(name, line, block, start)}: expected a number, got "
                f"{block[start:stop].decode('utf-8', 'replace')[:40]!r}: the file is damaged or not of this format"
            ) from None
    with np.errstate(over="ignore"):  # infinity is refused by row and word
        return out.astype(np.float32)


def text_rows(words: pa.StringArray | None, vectors: np.ndarray, separator: str, tail: str = "") -> bytes:
    """Lines of the words (escaped already) and float32[n, dim], each number as short as reads back exactly."""
    count, dim = vectors.shape
    if not count:
        return b""
    numbers = pa.array(np.ascontiguousarray(vectors).reshape(-1)).cast(pa.utf8())
    lists = pa.ListArray.from_arrays(pa.array(np.arange(0, count * dim + 1, dim, dtype=np.int32)), numbers)
    lines = pc.binary_join(lists, separator)
    if words is not None:
        lines = pc.binary_join_element_wise(word_array(words), lines, separator)
    whole = pc.binary_join(pa.ListArray.from_arrays(pa.array([0, count], pa.int32()), lines), tail + "\n")
    return bytes(whole[0].as_buffer()) + (tail + "\n").encode()
