"""Named arrays in a safetensors file, written and read a block at a time: a checkpoint never doubles the memory.

The format: 8 bytes little-endian length, a JSON header of that length, then the arrays' bytes one after another.
(https://github.com/huggingface/safetensors#format; its own Python writer copies all arrays first.)
"""

import contextlib
import io
import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol, Self, cast

import numpy as np
import xxhash

from streamvec.disk.jsontext import parsed
from streamvec.disk.problems import named_problems
from streamvec.disk.reading import opened
from streamvec.disk.writing import whole_file
from streamvec.errors import StreamvecError

_DTYPES = {
    "F32": np.dtype("<f4"),
    "F64": np.dtype("<f8"),
    "I32": np.dtype("<i4"),
    "I64": np.dtype("<i8"),
    "U8": np.dtype("u1"),
}
_NAMES = {dtype: name for name, dtype in _DTYPES.items()}
_BLOCK = 1 << 20
_AXES, _MOST = 8, 1 << 48  # more axes, and numbers along those that are not 0, than any array of ours has


class Elsewhere(Protocol):
    """A flat array that is not in this process's memory, and goes to a file and comes from it a block at a time."""

    @property
    def shape(self) -> tuple[int, ...]:
        """How many numbers it has."""

    @property
    def dtype(self) -> np.dtype:
        """Of what type they are."""

    def blocks(self) -> Iterator[np.ndarray]:
        """All of it, in order."""

    def fill(self, blocks: Iterator[np.ndarray]) -> None:
        """Takes all of it, in order, in blocks of any size."""


Stored = np.ndarray | Elsewhere


def save_tensors(path: Path, arrays: Mapping[str, Stored]) -> str:
    """Writes C-contiguous *arrays* to *path*, whole or not at all; returns the xxh3-128 of the file's bytes."""
    header: dict[str, Any] = {}
    place = 0
    for name, array in arrays.items():
        if isinstance(array, np.ndarray) and not array.flags.c_contiguous:
            raise ValueError(f"array {name!r} must be C-contiguous to be saved")
        header[name] = {
            "dtype": _NAMES[array.dtype],
            "shape": list(array.shape),
            "data_offsets": [place, place + _bytes(array)],
        }
        place += _bytes(array)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-(len(text) + 8) % 64)  # the data then starts on a cache line
    digest = xxhash.xxh3_128()
    with whole_file(path) as file:
        for piece in (len(text).to_bytes(8, "little"), text):
            digest.update(piece)
            file.write(piece)
        for array in arrays.values():
            for part in [array] if isinstance(array, np.ndarray) else array.blocks():
                flat = part.reshape(-1).view(np.uint8)
                for start in range(0, flat.size, _BLOCK):
                    block = flat.data[start : start + _BLOCK]
                    digest.update(block)
                    file.write(block)
    return digest.hexdigest()


def _bytes(array: Stored) -> int:
    return math.prod(array.shape) * array.dtype.itemsize


class Tensors:
    """The arrays of a safetensors file by name, read from the disk in parts as they are asked for.

    Raises StreamvecError when the file is cut short or its header is not valid. To be used in a ``with`` block.
    """

    def __init__(self, path: Path) -> None:
        self.path = Path(path)
        self._places: dict[str, tuple[np.dtype, tuple[int, ...], int]] = {}  # type, shape, where in the file
        self._stack = contextlib.ExitStack()
        self._file = cast(io.BufferedReader, self._stack.enter_context(opened(path)))
        try:
            self._read_header()
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def names(self) -> list[str]:
        """The names of the arrays, in the order of the file."""
        return list(self._places)

    def shape(self, name: str) -> tuple[int, ...]:
        """The shape of an array."""
        return self._places[name][1]

    def part(self, name: str, first: int, numbers: int) -> np.ndarray:
        """So many numbers of the flat array *name*, from number *first* on; a copy."""
        dtype, _, _ = self._places[name]
        found = np.empty(numbers, dtype)
        self._read(name, first * dtype.itemsize, found)
        return found

    def load(self, name: str) -> np.ndarray:
        """A whole array."""
        dtype, shape, _ = self._places[name]
        array = np.empty(shape, dtype)
        self._read(name, 0, array)
        return array

    def fill(self, name: str, array: Stored) -> None:
        """Reads a whole array into one of the same type and shape."""
        dtype, shape, _ = self._places[name]
        if array.shape != shape or array.dtype != dtype:
            raise StreamvecError(
                f"{self.path}: array {name!r} is {dtype}{list(shape)}, expected {array.dtype}{list(array.shape)}"
            )
        if isinstance(array, np.ndarray):
            self._read(name, 0, array)
        else:
            array.fill(self.blocks(name))

    def blocks(self, name: str) -> Iterator[np.ndarray]:
        """A flat array, some numbers at a time."""
        dtype, shape, _ = self._places[name]
        numbers, size = math.prod(shape), _BLOCK // dtype.itemsize
        for first in range(0, numbers, size):
            yield self.part(name, first, min(size, numbers - first))

    def _read(self, name: str, skipped: int, into: np.ndarray) -> None:
        flat = into.reshape(-1).view(np.uint8)
        with named_problems(self.path):
            self._file.seek(self._places[name][2] + skipped)
            if self._file.readinto(flat.data) != flat.size:
                raise StreamvecError(f"{self.path}: cut short within array {name!r}")

    def _read_header(self) -> None:
        with named_problems(self.path):
            size = self._file.seek(0, 2)
            self._file.seek(0)
            length = int.from_bytes(self._file.read(8), "little")
            if size < 8 or length > size - 8:
                raise StreamvecError(f"{self.path}: damaged or cut short: no safetensors header")
            text = self._file.read(length)
        try:
            header = parsed(text)
            header.pop("__metadata__", None)
            plan = [
                (name, _DTYPES[entry["dtype"]], tuple(entry["shape"]), *entry["data_offsets"])
                for name, entry in header.items()
            ]
            if not all(len(ends) == 2 and len(shape) <= _AXES for _, _, shape, *ends in plan):
                raise ValueError("a place is no beginning and an end, or there are too many axes")
            if not all(
                type(number) is int and 0 <= number < 1 << 63
                for _, _, shape, *ends in plan
                for number in (*shape, *ends)
            ):
                raise ValueError("a place or a size is no whole number")
        except (ValueError, KeyError, TypeError, AttributeError) as problem:
            raise StreamvecError(f"{self.path}: damaged: its safetensors header cannot be read") from problem
        for name, dtype, shape, start, end in plan:
            within = 8 + length + end <= size and math.prod(axis or 1 for axis in shape) < _MOST
            if end - start != math.prod(shape) * dtype.itemsize or not within:
                raise StreamvecError(f"{self.path}: damaged or cut short: array {name!r} does not lie within the file")
            self._places[name] = dtype, shape, 8 + length + start


def load_tensors(path: Path) -> dict[str, np.ndarray]:
    """Reads the arrays of a safetensors file; StreamvecError when it is cut short, or its header is not valid."""
    with Tensors(path) as tensors:
        return {name: tensors.load(name) for name in tensors.names()}


def fill_tensors(path: Path, into: Mapping[str, Stored]) -> None:
    """Reads the arrays of a safetensors file into the given ones; StreamvecError also where one does not fit."""
    with Tensors(path) as tensors:
        for name in tensors.names():
            tensors.fill(name, into[name])
