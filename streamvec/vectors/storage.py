"""Rows as float32, float16 or int8: stored in fewer bits, and decoded to float32 only where they are looked at.

float16 is the nearest half-precision number. int8 divides a row by its scale, the largest of its absolute values
divided by 127, and rounds: number = stored * scale. Rows that are encoded already are taken as they are.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from streamvec.errors import StreamvecError

DTYPES = ("float32", "float16", "int8")
_ARROW = {"float32": pa.float32(), "float16": pa.float16(), "int8": pa.int8()}
_STEPS = 127  # int8 goes from -127 to 127: a row and its negative are encoded alike


class Encoded:
    """float16[n, dim], or int8[n, dim] with scales float32[n], that is float32[n, dim] wherever it is indexed.

    ``rows[key]`` decodes just those rows; numpy's functions get all of them.
    """

    dtype = np.dtype(np.float32)
    ndim = 2

    def __init__(self, numbers: np.ndarray, scales: np.ndarray | None = None) -> None:
        self.numbers = numbers
        self.scales = scales
        self.shape: tuple[int, int] = numbers.shape

    @property
    def stored(self) -> str:
        """float16 or int8."""
        return "float16" if self.scales is None else "int8"

    def part(self, start: int, stop: int) -> "Encoded":
        """Rows start to stop, still encoded."""
        return Encoded(self.numbers[start:stop], None if self.scales is None else self.scales[start:stop])

    def __len__(self) -> int:
        return len(self.numbers)

    def __getitem__(self, key: Any) -> np.ndarray:
        if isinstance(key, tuple):
            whole: np.ndarray = self[:][key]
            return whole
        rows: np.ndarray = self.numbers[key].astype(np.float32)
        if self.scales is not None:
            rows *= self.scales[key][..., None]
        return rows

    def __iter__(self) -> Iterator[np.ndarray]:
        return iter(self[:])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return self[:].astype(dtype or np.float32, copy=False)

    def astype(self, dtype: Any, copy: bool = True) -> np.ndarray:
        """All rows as numbers of *dtype*."""
        return self[:].astype(dtype, copy=False)


Matrix = np.ndarray | Encoded  # float32[n, dim]


def as_float32(rows: np.ndarray) -> np.ndarray:
    """Numbers of any type as float32; what it cannot hold becomes infinite, which readers refuse with the word."""
    with np.errstate(over="ignore", invalid="ignore"):
        return rows.astype(np.float32, copy=False)


def checked_dtype(dtype: str) -> str:
    """*dtype*, if there is such a one; else ValueError."""
    if dtype not in DTYPES:
        raise ValueError(f"dtype must be one of {', '.join(DTYPES)}, got {dtype!r}")
    return dtype


def dtype_of(rows: Matrix) -> str:
    """How rows are stored: float32, float16 or int8."""
    return rows.stored if isinstance(rows, Encoded) else "float32"


def encode(rows: Matrix, dtype: str) -> Matrix:
    """The rows as *dtype*, left alone where they are; what float16 cannot hold becomes infinite. Rows are finite."""
    if dtype_of(rows) == dtype:
        return rows
    plain = np.asarray(rows, np.float32)
    if dtype == "float32":
        return plain
    if dtype == "float16":
        with np.errstate(over="ignore"):
            return Encoded(plain.astype(np.float16))
    largest = np.abs(plain).max(axis=1, initial=0.0)
    scales = (largest.astype(np.float64) / _STEPS).astype(np.float32)
    steps = np.rint(plain / np.where(scales > 0, scales, np.float32(1))[:, None])
    steps[scales == 0] = 0  # zeros, and numbers too small to be divided
    return Encoded(np.clip(steps, -_STEPS, _STEPS).astype(np.int8), scales)


def encode_named(words: pa.StringArray, rows: Matrix, dtype: str, path: Path) -> Matrix:
    """As `encode`; StreamvecError, naming the word, for NaN, an infinity, and what float16 cannot hold."""
    plain = rows if isinstance(rows, np.ndarray) else rows[:]
    _refuse(np.isfinite(plain).all(axis=1), words, path, "holds NaN or infinity: not written")
    found = encode(rows, dtype)
    if dtype == "float16":
        _refuse(
            np.isfinite(found[:]).all(axis=1), words, path, "holds a number beyond 65,504: choose int8, not float16"
        )
    return found


def _refuse(fine: Any, words: pa.StringArray, path: Path, why: str) -> None:
    if not fine.all():
        raise StreamvecError(f"{path}: the vector of {words[int(np.flatnonzero(~fine)[0])].as_py()!r} {why}")


def list_type(dim: int, dtype: str) -> pa.DataType:
    """The Arrow type of a column of vectors."""
    return pa.list_(pa.field("item", _ARROW[dtype], nullable=False), dim)


def dtype_of_list(kind: pa.DataType) -> str | None:
    """The dtype of a column of vectors; None when it is none of ours."""
    if not pa.types.is_fixed_size_list(kind) or kind.list_size < 1:
        return None
    return next((dtype for dtype in DTYPES if kind == list_type(kind.list_size, dtype)), None)


def columns_of(rows: Matrix) -> tuple[pa.FixedSizeListArray, pa.FloatArray | None]:
    """(vectors, scales of int8) as Arrow arrays; nothing is copied where the numbers lie in C order."""
    numbers = np.ascontiguousarray(rows.numbers if isinstance(rows, Encoded) else rows)
    dtype = dtype_of(rows)
    flat = pa.Array.from_buffers(_ARROW[dtype], numbers.size, [None, pa.py_buffer(numbers)])
    lists = pa.FixedSizeListArray.from_arrays(flat, type=list_type(rows.shape[1], dtype))
    scales = rows.scales if isinstance(rows, Encoded) else None
    return lists, None if scales is None else pa.array(scales)


def rows_of(lists: pa.FixedSizeListArray, scales: pa.FloatArray | None) -> Matrix:
    """The rows of such arrays, mapped where these are; ValueError where a number or a scale is missing or wrong."""
    dim = lists.type.list_size
    flat = lists.values[lists.offset * dim : (lists.offset + len(lists)) * dim]  # flatten() loads pyarrow.compute
    if lists.null_count or flat.null_count or (scales is not None and scales.null_count):
        raise ValueError("values are missing")
    numbers = flat.to_numpy(zero_copy_only=True).reshape(-1, dim)
    if flat.type == pa.float32():
        return numbers
    if scales is None:
        return Encoded(numbers)
    factors = scales.to_numpy()
    if not (np.isfinite(factors) & (factors >= 0)).all():
        raise ValueError("a scale is no number")
    return Encoded(numbers, factors)
