"""npy and safetensors: a matrix as it lies in memory, with its words beside it.

npy: FILE.npy and FILE.words.txt, a word a line (escaped as in escapes.py). safetensors: the tensors ``vectors`` F32,
F16 or I8 [V, dim], of I8 ``scales`` F32 [V], ``words`` U8 (their UTF-8 end to end), ``offsets`` I64 [V + 1] into it,
and ``counts`` I64 [V]; the metadata holds ``streamvec.checksum``, the xxh3-128 of header and tensors, with these digits
as zeros.
"""

import json
import math
import re
import tokenize
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np
import pyarrow as pa
import xxhash

from streamvec.disk.arrow import CHECKSUM_KEY
from streamvec.disk.jsontext import parsed
from streamvec.disk.reading import mapped_array, opened
from streamvec.errors import StreamvecError
from streamvec.vectors.blocks import Block, Notes, decoded, noted_end, plain_bytes
from streamvec.vectors.escapes import escaped, unescaped
from streamvec.vectors.rows import line_blocks
from streamvec.vectors.storage import Encoded, Matrix, as_float32
from streamvec.vectors.store import ROWS, Chunk, raw_words

_KINDS = {"F16": "<f2", "F32": "<f4", "F64": "<f8", "I64": "<i8", "I32": "<i4", "I8": "i1", "U8": "u1"}
_VECTORS = {"float32": ("F32", 4), "float16": ("F16", 2), "int8": ("I8", 1)}
_NPY = {"float32": "<f4", "float16": "<f2"}
_HEADER = 100 << 20  # bytes; the project's own reader refuses a longer one, too
_CHECKSUM, _MARK = CHECKSUM_KEY.decode(), "xxh3-128:"
_PIECE = 1 << 20
_PROBLEMS = (  # of numpy with a header
    *(ValueError, SyntaxError, EOFError, TypeError, KeyError, OverflowError, MemoryError, RecursionError),
    tokenize.TokenError,
)


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
    matrix = mapped_npy(path)
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
    with opened(path) as file:
        start = file.read(6)
    if start.startswith((b"PAR1", b"ARROW1")):
        from streamvec.vectors.tables import read_words

        yield from read_words(path)
        return
    for block in line_blocks(noted_end(plain_bytes(path), notes, path), str(path)):
        lines = block.removesuffix(b"\n").split(b"\n")
        if b"\r" in block:
            lines = [line.removesuffix(b"\r") for line in lines]
        yield unescaped(decoded(pa.array(lines, pa.binary()), notes))


def write_word_list(chunks: Iterable[Chunk], file: IO[bytes]) -> None:
    """A word a line, escaped."""
    for chunk in chunks:
        file.write("".join(word + "\n" for word in escaped(chunk.words).to_pylist()).encode())


def write_npy(chunks: Iterable[Chunk], words: int, dim: int, dtype: str, file: IO[bytes]) -> None:
    """The matrix alone, float32 or float16[V, dim]."""
    np.lib.format.write_array_header_1_0(file, {"descr": _NPY[dtype], "fortran_order": False, "shape": (words, dim)})
    _write_matrix(chunks, file)


def write_safetensors(chunks: Iterable[Chunk], words: int, dim: int, dtype: str, file: IO[bytes]) -> None:
    """Streams the tensors into a file that can be read again; the matrix is never copied whole.

    chunks: as often as they are gone through, their vectors encoded as *dtype*.
    """
    vectors, size = _VECTORS[dtype]
    text = sum(int(offsets[-1] - offsets[0]) for offsets, _ in (raw_words(chunk.words) for chunk in chunks))
    header: dict[str, Any] = {"__metadata__": {_CHECKSUM: _MARK + "0" * 32}}
    place = 0
    for name, kind, shape, length in (
        ("offsets", "I64", [words + 1], 8 * (words + 1)),
        ("counts", "I64", [words], 8 * words),
        *([("scales", "F32", [words], 4 * words)] if dtype == "int8" else []),
        ("vectors", vectors, [words, dim], size * words * dim),
        ("words", "U8", [text], text),
    ):
        header[name] = {"dtype": kind, "shape": shape, "data_offsets": [place, place + length]}
        place += length
    head = json.dumps(header, separators=(",", ":")).encode()
    head += b" " * (-(len(head) + 8) % 64)
    file.write(len(head).to_bytes(8, "little") + head)
    digest = xxhash.xxh3_128(head)
    for piece in _pieces(chunks, dtype):
        digest.update(piece)
        file.write(piece)
    file.seek(8 + head.index(_MARK.encode()) + len(_MARK))
    file.write(digest.hexdigest().encode())


def _pieces(chunks: Iterable[Chunk], dtype: str) -> Iterator[Any]:
    """The tensors end to end."""
    base = 0
    yield np.zeros(1, "<i8").data
    for chunk in chunks:
        offsets, _ = raw_words(chunk.words)
        yield (offsets[1:].astype("<i8") - offsets[0] + base).data
        base += int(offsets[-1] - offsets[0])
    for chunk in chunks:
        yield chunk.counts.astype("<i8").data
    if dtype == "int8":
        for chunk in chunks:
            yield _scales(chunk.vectors).data
    for chunk in chunks:
        yield _stored(chunk.vectors).data
    for chunk in chunks:
        offsets, data = raw_words(chunk.words)
        yield data[offsets[0] : offsets[-1]].data


def _stored(rows: Matrix) -> np.ndarray:
    """The numbers as they are stored."""
    return np.ascontiguousarray(rows.numbers if isinstance(rows, Encoded) else rows.astype("<f4", copy=False))


def _scales(rows: Matrix) -> np.ndarray:
    assert isinstance(rows, Encoded) and rows.scales is not None
    return np.ascontiguousarray(rows.scales, "<f4")


def _write_matrix(chunks: Iterable[Chunk], file: IO[bytes]) -> None:
    for chunk in chunks:
        file.write(_stored(chunk.vectors).data)


def _paired(matrix: np.ndarray, words: Iterator[pa.StringArray], path: Path, beside: Path) -> Iterator[Block]:
    row = 0
    for some in words:
        for start in range(0, len(some), ROWS):
            names = some[start : start + ROWS]
            rows = as_float32(np.asarray(matrix[row : row + len(names)]))
            row += len(names)
            if len(rows) == len(names):
                yield Block(names, rows, np.zeros(len(names), np.int64))
    if row != len(matrix):
        raise StreamvecError(f"{path}: {len(matrix):,} rows, but {row:,} words in {beside}: not made together")


def _own_tensors(tensors: dict[str, np.ndarray], path: Path, notes: Notes) -> Iterator[Block]:
    vectors, offsets, data = tensors["vectors"], tensors["offsets"], tensors["words"]
    number = len(vectors) if vectors.ndim else 0
    counts = tensors.get("counts", np.zeros(number, np.int64))
    scales = tensors.get("scales")
    scaled = scales is not None and scales.shape == (number,)
    fits = (
        vectors.ndim == 2
        and vectors.shape[1] > 0
        and offsets.dtype.kind == "i"
        and offsets.shape == (number + 1,)
        and counts.dtype.kind == "i"
        and counts.shape == (number,)
        and data.dtype == np.uint8
        and data.ndim == 1
        and (scaled if vectors.dtype == np.int8 else vectors.dtype.kind == "f")
    )
    if not fits or offsets[0] != 0 or offsets[-1] != data.size or (np.diff(offsets) < 0).any():
        raise StreamvecError(f"{path}: damaged: its vectors, words and offsets do not belong together: fetch it again")
    for start in range(0, number, ROWS):
        stop = min(start + ROWS, number)
        some = offsets[start : stop + 1].astype(np.int64)
        raw = pa.BinaryArray.from_buffers(
            pa.binary(),
            stop - start,
            [
                None,
                pa.py_buffer((some - some[0]).astype(np.int32)),
                pa.py_buffer(data[some[0] : some[-1]].tobytes()),
            ],
        )
        rows = vectors[start:stop]
        if vectors.dtype == np.int8 and scales is not None:
            rows = Encoded(rows, scales[start:stop].astype(np.float32))[:]
        yield Block(decoded(raw, notes), as_float32(rows), counts[start:stop].astype(np.int64))


def _digest(head: bytes, stated: str, file: IO[bytes]) -> str:
    """The xxh3-128 of the header, with the digits it states as zeros, and of what is left of the file."""
    digest = xxhash.xxh3_128(head.replace(stated.encode(), _MARK.encode() + b"0" * 32, 1))
    while piece := file.read(_PIECE):
        digest.update(piece)
    return digest.hexdigest()


def mapped_npy(path: Path) -> np.ndarray:
    """The matrix in an .npy, mapped; StreamvecError when it is damaged, or anything but numbers of shape (V, dim)."""
    try:
        matrix = mapped_array(path)
    except _PROBLEMS as problem:
        said = " ".join(str(problem).split())
        raise StreamvecError(f"{path}: not an .npy of plain numbers, or cut short ({said})") from problem
    if matrix.ndim != 2 or matrix.dtype.kind not in "fiu" or not matrix.shape[1]:
        raise StreamvecError(f"{path}: expected numbers of shape (V, dim), got {matrix.dtype}{list(matrix.shape)}")
    found: np.ndarray = matrix
    return found


def verify_safetensors(path: Path) -> str:
    """Reads every byte of a safetensors file that we wrote, and returns its checksum; StreamvecError when damaged."""
    with opened(path) as file:
        head = file.read(min(int.from_bytes(file.read(8), "little"), _HEADER))
        found = re.search(re.escape(_MARK).encode() + b"[0-9a-f]{32}", head)
        stated = found[0].decode() if found else ""
        digest = _digest(head, stated, file)
    if stated != _MARK + digest:
        raise StreamvecError(f"{path}: damaged: its content has checksum {digest}, it was written with {stated[-32:]}")
    return digest


def _mapped_tensors(path: Path) -> dict[str, np.ndarray]:
    """Views of the floats and integers in a safetensors file; every place in it is checked against its length."""
    with opened(path) as file:
        length = int.from_bytes(file.read(8), "little")
        size = path.stat().st_size - 8 - length
        try:
            head = file.read(length) if size >= 0 and length <= _HEADER else b""
            header: Any = parsed(head)
            stated = (header.pop("__metadata__", None) or {}).get(_CHECKSUM)
            if stated is not None and stated != _MARK + _digest(head, stated, file):
                raise ValueError("its content is not what its checksum says")
            plan = {name: (one["dtype"], tuple(one["shape"]), *one["data_offsets"]) for name, one in header.items()}
            tensors = {}
            for name, (kind, shape, start, stop) in plan.items():
                if not 0 <= start <= stop <= size or any(side < 0 for side in shape):
                    raise ValueError(f"{name} lies outside the file")
                if kind in _KINDS:
                    if stop - start != np.dtype(_KINDS[kind]).itemsize * math.prod(shape):
                        raise ValueError(f"{name} has another size than its shape")
                    place = 8 + length + start
                    empty = start == stop
                    tensors[name] = (
                        np.empty(shape, _KINDS[kind])
                        if empty
                        else np.memmap(path, _KINDS[kind], "r", place, shape).view(np.ndarray)
                    )
        except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError) as problem:
            raise StreamvecError(f"{path}: damaged or cut short: not a whole safetensors file ({problem})") from problem
    return tensors
