"""Named arrays in a safetensors file, written and read a block at a time: a checkpoint never doubles the memory.

The format: 8 bytes little-endian length, a JSON header of that length, then the arrays' bytes one after another.
(https://github.com/huggingface/safetensors#format; its own Python writer copies all arrays first.)
"""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import xxhash

from streamvec.disk.files import named_problems, whole_file
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


def save_tensors(path: Path, arrays: Mapping[str, np.ndarray]) -> str:
    """Writes C-contiguous *arrays* to *path*, whole or not at all; returns the xxh3-128 of the file's bytes."""
    header: dict[str, Any] = {}
    place = 0
    for name, array in arrays.items():
        if not array.flags.c_contiguous:
            raise ValueError(f"array {name!r} must be C-contiguous to be saved")
        header[name] = {
            "dtype": _NAMES[array.dtype],
            "shape": list(array.shape),
            "data_offsets": [place, place + array.nbytes],
        }
        place += array.nbytes
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-(len(text) + 8) % 64)  # the data then starts on a cache line
    digest = xxhash.xxh3_128()
    with whole_file(path) as file:
        for piece in (len(text).to_bytes(8, "little"), text):
            digest.update(piece)
            file.write(piece)
        for array in arrays.values():
            flat = array.reshape(-1).view(np.uint8)
            for start in range(0, flat.size, _BLOCK):
                block = flat.data[start : start + _BLOCK]
                digest.update(block)
                file.write(block)
    return digest.hexdigest()


def load_tensors(path: Path, into: Mapping[str, np.ndarray] | None = None) -> dict[str, np.ndarray]:
    """Reads the arrays of a safetensors file, into the given arrays where there are some (same names, types, shapes).

    Raises StreamvecError when the file is cut short, its header is not valid, or an array does not fit its place.
    """
    with named_problems(path), Path(path).open("rb") as file:
        size = file.seek(0, 2)
        file.seek(0)
        length = int.from_bytes(file.read(8), "little")
        if size < 8 or length > size - 8:
            raise StreamvecError(f"{path}: damaged or cut short: no safetensors header")
        try:
            header = json.loads(file.read(length))
            header.pop("__metadata__", None)
            plan = [
                (name, _DTYPES[entry["dtype"]], tuple(entry["shape"]), *entry["data_offsets"])
                for name, entry in header.items()
            ]
        except (ValueError, KeyError, TypeError, AttributeError) as problem:
            raise StreamvecError(f"{path}: damaged: its safetensors header cannot be read") from problem
        arrays = {}
        for name, dtype, shape, start, end in plan:
            if end - start != math.prod(shape) * dtype.itemsize or start < 0 or 8 + length + end > size:
                raise StreamvecError(f"{path}: damaged or cut short: array {name!r} does not lie within the file")
            array = np.empty(shape, dtype) if into is None else into[name]
            if array.shape != shape or array.dtype != dtype:
                raise StreamvecError(
                    f"{path}: array {name!r} is {dtype}{list(shape)}, expected {array.dtype}{list(array.shape)}"
                )
            file.seek(8 + length + start)
            flat = array.reshape(-1).view(np.uint8)
            if file.readinto(flat.data) != flat.size:
                raise StreamvecError(f"{path}: cut short within array {name!r}")
            arrays[name] = array
    return arrays
