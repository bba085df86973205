"""Reads a fastText model (.bin) in place: its words, and the mapped rows of words and n-grams.

The file (versions 11 and 12, little-endian): magic and version; 12 numbers and a double of settings; the dictionary's
sizes, then each word or label, a zero byte, its count and its kind; whether the rows are quantised; the input matrix
(a row a word, then a row a bucket of n-grams); the output matrix, which a look-up does not need.
"""

import mmap
import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa

from streamvec.disk.reading import mapped
from streamvec.errors import StreamvecError
from streamvec.vectors.blocks import Block, Notes
from streamvec.vectors.subwords import HELD, ROWS, NGramSettings, SubwordVectors

MAGIC = b"\xba\x16\x4f\x2f"
_VERSIONS = (11, 12)
_SETTINGS = struct.Struct("<12id")
_SIZES = struct.Struct("<iiiqq")  # entries, words, labels, tokens, pruned n-grams (-1: none)
_SHAPE = struct.Struct("<qq")
_SUPERVISED = 3
_LONGEST = 1 << 16  # bytes of a word; a longer one means that the place in the file was lost


def read_fasttext(path: Path, notes: Notes) -> Iterator[Block]:
    """The words of a model and their vectors, some thousands at a time; the n-grams stay behind."""
    return open_model(path)[0].blocks(notes)


def open_model(path: Path) -> tuple[SubwordVectors, list[str]]:
    """Maps a .bin of fastText and reads its words: (the model, a sentence for each kind of thing left out).

    Raises StreamvecError when it is cut short, damaged, quantised, or of another version.
    """
    try:
        data = mapped(path)
    except ValueError:
        raise StreamvecError(f"{path}: the file is empty: there are no vectors in it") from None
    size = len(data)
    head = 8 + _SETTINGS.size + _SIZES.size
    if size < head or data[:4] != MAGIC:
        raise StreamvecError(f"{path}: not a whole fastText model (.bin): fetch it again")
    version = int.from_bytes(data[4:8], "little")
    if version not in _VERSIONS:
        raise StreamvecError(
            f"{path}: a fastText model of version {version}; versions 11 and 12 are read: give the .vec that fastText "
            "wrote beside it"
        )
    dim, _, _, _, _, _, _, kind, bucket, minn, maxn, _, _ = _SETTINGS.unpack_from(data, 8)
    entries, words, labels, _, pruned = _SIZES.unpack_from(data, 8 + _SETTINGS.size)
    if kind == _SUPERVISED and version == 11:
        maxn = 0  # these were trained without n-grams, whatever they say
    settings = NGramSettings(dim, minn, maxn, bucket)
    if min(dim, words) < 1 or min(*settings, labels) < 0 or entries != words + labels or (maxn and not bucket):
        raise StreamvecError(
            f"{path}: damaged: its head says dim {dim}, {words} words and {labels} labels of {entries}, n-grams of "
            f"{minn} to {maxn} in {bucket} buckets: fetch it again"
        )
    raw, counts, at = _dictionary(data, head, words, labels, path)
    if pruned >= 0 or data[at : at + 1] == b"\x01":
        raise StreamvecError(
            f"{path}: a quantised model (.ftz): its rows are codes that only approximate the vectors: give the .bin "
            "that it was made from, or its .vec"
        )
    matrix = _matrix(data, at, settings, words, path)
    notes = [f"{path}: {labels:,} labels of its classifier are no words, and were left out"] if labels else []
    if words * dim * 4 > HELD:
        notes.append(
            f"{path}: each look-up adds up the n-grams of {words:,} words: streamvec import makes a file of the words "
            "that answers at once"
        )
    return SubwordVectors(path, settings, raw, counts, matrix), notes


def _dictionary(
    data: mmap.mmap, at: int, words: int, labels: int, path: Path
) -> tuple[list[pa.BinaryArray], list[np.ndarray], int]:
    """(the words' bytes and their counts, a chunk at a time, where the dictionary ends); the labels are passed over."""
    raw, counts = [], []
    for start in [*range(0, words, ROWS), *range(words, words + labels, ROWS)]:
        stop = min(start + ROWS, words if start < words else words + labels)
        begin = at
        ends = np.empty(stop - start, np.int64)
        for row in range(stop - start):
            end = data.find(b"\0", at, at + _LONGEST)
            if end < 0 or end + 10 > len(data):
                raise StreamvecError(
                    f"{path}: damaged or cut short at byte {at:,}: word {start + row + 1:,} of "
                    f"{words + labels:,} in its dictionary does not end: fetch it again"
                )
            ends[row] = end - begin
            at = end + 10
        block = np.frombuffer(data[begin:at], np.uint8)
        if (block[ends + 9] != (start >= words)).any():
            raise StreamvecError(f"{path}: damaged: its dictionary mixes words and labels: fetch it again")
        if start < words:
            column, seen = _entries(block, ends)
            raw.append(column)
            counts.append(seen)
    return raw, counts, at


def _entries(block: np.ndarray, ends: np.ndarray) -> tuple[pa.BinaryArray, np.ndarray]:
    """(words, counts int64[n]) of entries whose words end at *ends*, each before a zero, a count and a kind."""
    inside = np.ones(len(block), bool)
    tail = ends[:, None] + np.arange(10)
    inside[tail] = False
    offsets = np.append(0, ends - 10 * np.arange(len(ends))).astype(np.int32)
    words = pa.BinaryArray.from_buffers(
        pa.binary(), len(ends), [None, pa.py_buffer(offsets), pa.py_buffer(block[inside])]
    )
    return words, block[tail[:, 1:9]].copy().view("<i8").reshape(-1).astype(np.int64)


def _matrix(data: mmap.mmap, at: int, settings: NGramSettings, words: int, path: Path) -> np.ndarray:
    """uint8[words + bucket, 4 * dim]: the input matrix; both matrices must end where the file does."""
    expected = words + settings.bucket
    left = len(data) - at - 1 - _SHAPE.size
    rows, columns = _SHAPE.unpack_from(data, at + 1) if left >= 0 else (expected, settings.dim)
    if data[at : at + 1] not in (b"\0", b"") or (rows, columns) != (expected, settings.dim):
        raise StreamvecError(
            f"{path}: damaged at byte {at:,}: expected a matrix of {expected:,} rows of {settings.dim} numbers, found "
            f"{rows:,} of {columns:,}: fetch it again"
        )
    start = at + 1 + _SHAPE.size
    end = start + 4 * rows * columns
    whole = end + 1 + _SHAPE.size
    if whole <= len(data):
        outputs, width = _SHAPE.unpack_from(data, end + 1)
        whole += 4 * outputs * width
    if whole != len(data):
        raise StreamvecError(
            f"{path}: {'cut short' if whole > len(data) else 'damaged'}: expected {whole:,} bytes, found "
            f"{len(data):,}: fetch it again"
        )
    return np.frombuffer(data, np.uint8, end - start, start).reshape(rows, 4 * columns)
