"""Writes vectors in any format, with numbers of any dtype that it carries, whole or not at all."""

from collections.abc import Iterator
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np

from streamvec.corpus.compression import compression_by_name
from streamvec.disk.arrow import open_arrow, verify_if_stated
from streamvec.disk.writing import remove, whole_file, whole_folder
from streamvec.errors import StreamvecError
from streamvec.vectors.formats import FORMATS, STREAMED, compressing, format_of_name, may_write, may_write_beside
from streamvec.vectors.keyedvectors import KeyedVectors
from streamvec.vectors.ngramfile import CHECKSUM, beside
from streamvec.vectors.precision import Change, Sample
from streamvec.vectors.storage import DTYPES, checked_dtype, encode_named
from streamvec.vectors.store import Chunk

_NARROW = {"npy": DTYPES[:2], "safetensors": DTYPES, "parquet": DTYPES, "arrow": DTYPES, "streamvec": DTYPES}


class Exported(NamedTuple):
    """What export_vectors wrote."""

    format: str
    dtype: str
    has_ngrams: bool  # whether the n-grams of a model went along
    change: Change | None = None  # of cosines, where numbers are stored in fewer bits


class _Stored:
    """Chunks whose vectors are encoded as *dtype* when they are come to; they can be gone through again."""

    def __init__(self, chunks: list[Chunk], dtype: str, out: Path) -> None:
        self._chunks, self._dtype, self._out = chunks, dtype, out

    def __iter__(self) -> Iterator[Chunk]:
        for chunk in self._chunks:
            rows = encode_named(chunk.words, chunk.vectors, self._dtype, self._out)
            yield Chunk(chunk.words, chunk.counts, rows, np.empty(0, np.float32))


def export_vectors(
    vectors: KeyedVectors,
    out: Path,
    format: str | None = None,
    overwrite: bool = False,
    dtype: str | None = None,
    seed: int = 1,
) -> Exported:
    """Writes *vectors* in another tool's format, or as vectors.arrow again, whole or not at all.

    Without *format* the suffix decides (.bin .vec .npy .safetensors .parquet .feather .kv .arrow). Text and word2vec
    binary are compressed when the name ends in .gz, .bz2, .xz or .zst. *dtype* is float32, but of "streamvec" what it
    was; what float16 or int8 lose is measured over a sample of the words, another one with another *seed*. Raises
    StreamvecError when *out* exists (without *overwrite*), and when *vectors* are of a file that is damaged.
    """
    format = format or format_of_name(out)
    if format is None:
        raise StreamvecError(f"{out}: its suffix does not say a format: choose --format ({', '.join(FORMATS)})")
    if format not in FORMATS:
        raise ValueError(f"format must be one of {', '.join(FORMATS)}, got {format!r}")
    dtype = _dtype_for(format, dtype, vectors.dtype)
    if compression_by_name(out.name)[0] and format not in STREAMED:
        raise StreamvecError(f"{out}: {format} is not written compressed: leave out the last suffix")
    may_write(out, overwrite)
    if vectors.file is not None:
        verify_if_stated(vectors.file, open_arrow(vectors.file).schema)
    change = None
    if dtype not in ("float32", vectors.dtype):
        sample = Sample(seed)
        for chunk in vectors.chunks():
            sample.take(chunk.vectors)
        change = sample.change(dtype)
    if format == "streamvec":
        _write_ours(vectors, out, overwrite, dtype)
    else:
        _write_foreign(
            _Stored(list(vectors.chunks()), dtype, out), len(vectors), vectors.dim, dtype, out, format, overwrite
        )
    return Exported(format, dtype, format == "streamvec" and _has_file_of_ngrams(vectors), change)


def _dtype_for(format: str, dtype: str | None, own: str) -> str:
    """The dtype to write; ValueError where the format does not have it."""
    if dtype is None:
        return own if format == "streamvec" else "float32"
    checked_dtype(dtype)
    if format == "npy" and dtype == "int8":
        raise ValueError("an .npy has no place for the scale of each int8 row: choose safetensors, parquet or arrow")
    if dtype not in _NARROW.get(format, DTYPES[:1]):
        raise ValueError(f"{format} holds float32 only: {dtype} goes with {', '.join(_NARROW)}")
    return dtype


def _write_ours(vectors: KeyedVectors, out: Path, overwrite: bool, dtype: str) -> None:
    """vectors.arrow, and the n-grams of a model beside it."""
    if vectors.file is not None and out.exists() and out.samefile(vectors.file):
        raise StreamvecError(f"{out}: is the file that is read: choose another name")
    if _has_file_of_ngrams(vectors):
        may_write_beside(beside(out), out, overwrite)
    vectors.save(out, dtype)


def _has_file_of_ngrams(vectors: KeyedVectors) -> bool:
    return CHECKSUM in vectors.info and vectors.file is not None and beside(vectors.file).exists()


def _write_foreign(chunks: _Stored, words: int, dim: int, dtype: str, out: Path, format: str, overwrite: bool) -> None:
    if format == "projector":
        _write_folder(chunks, out)
    elif format == "npy":
        _write_pair(chunks, words, dim, dtype, out, overwrite)
    elif format == "gensim":
        _write_gensim(chunks, words, dim, out, overwrite)
    elif format == "arrow":
        from streamvec.vectors.tables import write_arrow

        write_arrow(chunks, dim, dtype, out)
    else:
        with whole_file(out) as stored, compressing(stored, out) as file:
            _write(chunks, words, dim, dtype, file, format)


def _write(chunks: _Stored, words: int, dim: int, dtype: str, file: IO[bytes], format: str) -> None:
    if format == "word2vec-binary":
        from streamvec.vectors.binary import write_binary

        write_binary(chunks, words, dim, file)
    elif format == "safetensors":
        from streamvec.vectors.arrays import write_safetensors

        write_safetensors(chunks, words, dim, dtype, file)
    elif format == "parquet":
        from streamvec.vectors.tables import write_parquet

        write_parquet(chunks, dim, dtype, file)
    else:
        from streamvec.vectors.texts import write_text

        write_text(chunks, words, dim, file, header=format != "glove")


def _write_pair(chunks: _Stored, words: int, dim: int, dtype: str, out: Path, overwrite: bool) -> None:
    """The words first and the array last: an array is never beside words of another one."""
    from streamvec.vectors.arrays import words_beside, write_npy, write_word_list

    beside = words_beside(out)
    may_write_beside(beside, out, overwrite)
    with whole_file(out) as file:
        write_npy(chunks, words, dim, dtype, file)
        with whole_file(beside) as text:
            write_word_list(chunks, text)
            remove(out)


def _write_gensim(chunks: _Stored, words: int, dim: int, out: Path, overwrite: bool) -> None:
    """The array first and the words last."""
    from streamvec.vectors.arrays import write_npy
    from streamvec.vectors.gensimfiles import vectors_beside, write_gensim

    beside = vectors_beside(out)
    may_write_beside(beside, out, overwrite)
    with whole_file(out) as file:
        write_gensim(chunks, words, dim, file)
        with whole_file(beside) as matrix:
            write_npy(chunks, words, dim, "float32", matrix)
            remove(out)


def _write_folder(chunks: _Stored, out: Path) -> None:
    from streamvec.vectors.projector import write_projector

    with whole_folder(out) as folder:
        write_projector(chunks, folder)
        remove(out)
