"""npy and safetensors: a matrix as it lies in memory, with its words beside it.

npy: FILE.npy and FILE.words.txt, a word a line (escaped as in escapes.py). safetensors: the tensors ``vectors`` F32
[V, dim], ``words`` U8 (their UTF-8 end to end), ``offsets`` I64 [V + 1] into it, and ``counts`` I64 [V].
"""

import json
import math
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np
import pyarrow as pa

from streamvec.disk.files import named_problems
from streamvec.errors import StreamvecError
from streamvec.vectors.blocks import Block, Notes, decoded, plain_bytes
from streamvec.vectors.escapes import escaped, unescaped
from streamvec.vectors.rows import line_blocks
from streamvec.vectors.store import ROWS, Chunk, raw_words

_FLOATS = {"F16": "<f2", "F32": "<f4", "F64": "<f8"}


def words_beside(path: Path) -> Path:
    """Where the words of an .npy stand: v.npy has v.words.txt."""
    return path.with_name(path.name.removesuffix(".npy") + ".words.txt")


def read_npy(path: Path, notes: Notes, words: Path | None) -> Iterator[Block]:
    """The rows of an .npy of float[V, dim] and the words from *words*, or from the file beside it.

    Raises StreamvecError when there are no words, their number differs, or the array holds anything but numbers.
    """
    beside = words or words_beside(path)
    if not beside.exists():
        raise StreamvecError(
            f"{path}: an array without words, and there is no {beside.name} beside it: say where they are with --words"
        )
    matrix = _mapped_npy(path)
    yield from _paired(matrix, read_word_list(beside, notes), path, beside)


def read_safetensors(path: Path, notes: Notes, words: Path | None) -> Iterator[Block]:
    """The rows of a safetensors file: as we write it, or its only matrix with the words from *words*."""
    tensors = _mapped_tensors(path)
    if {"vectors", "words", "offsets"} <= tensors.keys():
        yield from _own_tensors(tensors, path, notes)
        return
    matrices = [name for name, tensor in tensors.items() if tensor.ndim == 2 and tensor.dtype.kind == "f"]
    if len(matrices) != 1 or not words:
        raise StreamvecError(
            f"{path}: holds {', '.join(sorted(tensors)) or 'nothing'}: expected the tensors vectors, words and "
            "offsets, or one matrix and --words with a word for each of its rows"
        )
    yield from _paired(tensors[matrices[0]], read_word_list(words, notes), path, words)


def read_word_list(path: Path, notes: Notes) -> Iterator[pa.StringArray]:
    """Words: a line each, or the word column of a Parquet or Arrow file."""
    with named_problems(path), path.open("rb") as file:
        start = file.read(6)
    if start.startswith((b"PAR1", b"ARROW1")):
        from streamvec.vectors.tables import read_words

        yield from read_words(path)
        return
    for block in line_blocks(plain_bytes(path), str(path)):
        lines = block.removesuffix(b"\n").split(b"\n")
        if b"\r" in block:
            lines = [line.removesuffix(b"\r") for line in lines]
        yield unescaped(decoded(pa.array(lines, pa.binary()), notes))


def write_word_list(chunks: Iterable[Chunk], file: IO[bytes]) -> None:
    """A word a line, escaped."""
    for chunk in chunks:
        file.write("".join(word + "\n" for word in escaped(chunk.words).to_pylist()).encode())


def write_npy(chunks: Iterable[Chunk], words: int, dim: int, file: IO[bytes]) -> None:
    """The matrix alone, float32[V, dim]."""
    np.lib.format.write_array_header_1_0(file, {"descr": "<f4", "fortran_order": False, "shape": (words, dim)})
    _write_matrix(chunks, file)


def write_safetensors(chunks: list[Chunk], words: int, dim: int, file: IO[bytes]) -> None:
    """Streams the tensors; the matrix is never copied whole."""
    text = sum(int(offsets[-1] - offsets[0]) for offsets, _ in (raw_words(chunk.words) for chunk in chunks))
    header: dict[str, Any] = {}
    place = 0
    for name, dtype, shape, size in (
        ("vectors", "F32", [words, dim], 4 * words * dim),
        ("offsets", "I64", [words + 1], 8 * (words + 1)),
        ("counts", "I64", [words], 8 * words),
        ("words", "U8", [text], text),
    ):
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [place, place + size]}
        place += size
    head = json.dumps(header, separators=(",", ":")).encode()
    head += b" " * (-(len(head) + 8) % 64)
    file.write(len(head).to_bytes(8, "little") + head)
    _write_matrix(chunks, file)
    base = 0
    file.write(np.zeros(1, "<i8").tobytes())
    for chunk in chunks:
        offsets, _ = raw_words(chunk.words)
        file.write((offsets[1:].astype("<i8") - offsets[0] + base).tobytes())
        base += int(offsets[-1] - offsets[0])
    for chunk in chunks:
        file.write(chunk.counts.astype("<i8").tobytes())
    for chunk in chunks:
        offsets, data = raw_words(chunk.words)
        file.write(data[offsets[0] : offsets[-1]].tobytes())


def _write_matrix(chunks: Iterable[Chunk], file: IO[bytes]) -> None:
    for chunk in chunks:
        file.write(np.ascontiguousarray(chunk.vectors.astype("<f4", copy=False)).data)


def _paired(matrix: np.ndarray, words: Iterator[pa.StringArray], path: Path, beside: Path) -> Iterator[Block]:
    row = 0
    for some in words:
        for start in range(0, len(some), ROWS):
            names = some[start : start + ROWS]
            rows = np.asarray(matrix[row : row + len(names)], np.float32)
            row += len(names)
            if len(rows) == len(names):
                yield Block(names, rows, np.zeros(len(names), np.int64))
    if row != len(matrix):
        raise StreamvecError(f"{path}: {len(matrix):,} rows, but {row:,} words in {beside}: not made together")


def _own_tensors(tensors: dict[str, np.ndarray], path: Path, notes: Notes) -> Iterator[Block]:
    vectors, offsets, data = tensors["vectors"], tensors["offsets"], tensors["words"]
    number = len(vectors)
    counts = tensors.get("counts", np.zeros(number, np.int64))
    edges = offsets.astype(np.int64)
    fits = vectors.ndim == 2 and edges.shape == (number + 1,) and counts.shape == (number,) and data.dtype == np.uint8
    if not fits or edges[0] != 0 or edges[-1] != data.size or (np.diff(edges) < 0).any():
        raise StreamvecError(f"{path}: damaged: its vectors, words and offsets do not belong together: fetch it again")
    for start in range(0, number, ROWS):
        stop = min(start + ROWS, number)
        some = edges[start : stop + 1]
        raw = pa.BinaryArray.from_buffers(
            pa.binary(),
            stop - start,
            [
                None,
                pa.py_buffer((some - some[0]).astype(np.int32)),
                pa.py_buffer(data[some[0] : some[-1]].tobytes()),
            ],
        )
        rows = vectors[start:stop].astype(np.float32, copy=False)
        yield Block(decoded(raw, notes), rows, counts[start:stop].astype(np.int64))


def _mapped_npy(path: Path) -> np.ndarray:
    try:
        with named_problems(path):
            matrix = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, SyntaxError, EOFError) as problem:
        raise StreamvecError(f"{path}: not an .npy of plain numbers, or cut short ({problem})") from problem
    if matrix.ndim != 2 or matrix.dtype.kind not in "fiu" or not matrix.shape[1]:
        raise StreamvecError(f"{path}: expected numbers of shape (V, dim), got {matrix.dtype}{list(matrix.shape)}")
    found: np.ndarray = matrix
    return found


def _mapped_tensors(path: Path) -> dict[str, np.ndarray]:
    """Views of the floats and integers in a safetensors file; every place in it is checked against its length."""
    kinds = {**_FLOATS, "I64": "<i8", "I32": "<i4", "U8": "u1"}
    with named_problems(path), path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        size = path.stat().st_size - 8 - length
        try:
            header: Any = json.loads(file.read(length)) if size >= 0 else None
            header.pop("__metadata__", None)
            plan = {name: (one["dtype"], tuple(one["shape"]), *one["data_offsets"]) for name, one in header.items()}
            tensors = {}
            for name, (kind, shape, start, stop) in plan.items():
                if not 0 <= start <= stop <= size or any(side < 0 for side in shape):
                    raise ValueError(f"{name} lies outside the file")
                if kind in kinds:
                    if stop - start != np.dtype(kinds[kind]).itemsize * math.prod(shape):
                        raise ValueError(f"{name} has another size than its shape")
                    place = 8 + length + start
                    empty = start == stop
                    tensors[name] = (
                        np.empty(shape, kinds[kind])
                        if empty
                        else np.memmap(path, kinds[kind], "r", place, shape).view(np.ndarray)
                    )
        except (ValueError, KeyError, TypeError, AttributeError) as problem:
            raise StreamvecError(f"{path}: damaged or cut short: not a whole safetensors file ({problem})") from problem
    return tensors
