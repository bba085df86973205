"""Files of embedded lines, written a group at a time: .npy holds the vectors alone, .parquet and .arrow the text too.

Columns are ``text`` (utf8) and ``vector`` (fixed_size_list of float32). As such a table is also a file of vectors
whose words are the lines, ``streamvec nn`` finds the lines nearest to one of them.
"""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO

import numpy as np
import pyarrow as pa

from streamvec.disk.arrow import ArrowWriter
from streamvec.disk.writing import whole_file
from streamvec.vectors.formats import may_write

SUFFIXES = (".npy", ".parquet", ".arrow")
Write = Callable[[Sequence[str], np.ndarray], None]  # n texts and float32[n, dim]


@contextlib.contextmanager
def sentence_file(out: Path, dim: int, overwrite: bool = False) -> Iterator[Write]:
    """Yields a function that appends texts and their vectors to *out*, which appears whole or not at all.

    Groups become record batches and row groups as they are. Raises ValueError for a suffix that is none of these,
    StreamvecError where *out* exists (without *overwrite*) or the disk is full.
    """
    if out.suffix not in SUFFIXES:
        raise ValueError(f"out must end in {', '.join(SUFFIXES)}, got {out.name!r}")
    may_write(out, overwrite)
    if out.suffix == ".arrow":
        with ArrowWriter(out, _schema(dim)) as arrow:
            yield lambda texts, vectors: arrow.write(_batch(texts, vectors))
    elif out.suffix == ".parquet":
        import pyarrow.parquet as pq

        with (
            whole_file(out) as file,
            pq.ParquetWriter(file, _schema(dim), compression="zstd", use_dictionary=False) as parquet,
        ):
            yield lambda texts, vectors: parquet.write_batch(_batch(texts, vectors))
    else:
        with whole_file(out) as file, _npy(file, dim) as write:
            yield write


@contextlib.contextmanager
def _npy(file: IO[bytes], dim: int) -> Iterator[Write]:
    """Writes the header again when the number of rows is known: numpy leaves room for its digits."""
    rows = 0

    def write(texts: Sequence[str], vectors: np.ndarray) -> None:
        nonlocal rows
        rows += len(vectors)
        file.write(vectors.astype("<f4", copy=False).tobytes())

    _npy_header(file, 0, dim)
    begin = file.tell()
    yield write
    file.seek(0)
    _npy_header(file, rows, dim)
    assert file.tell() == begin


def _npy_header(file: IO[bytes], rows: int, dim: int) -> None:
    np.lib.format.write_array_header_1_0(file, {"descr": "<f4", "fortran_order": False, "shape": (rows, dim)})


def _batch(texts: Sequence[str], vectors: np.ndarray) -> pa.RecordBatch:
    schema = _schema(vectors.shape[1])
    lists = pa.FixedSizeListArray.from_arrays(pa.array(vectors.reshape(-1)), vectors.shape[1])
    return pa.record_batch([pa.array(texts, pa.utf8()), lists.cast(schema.field("vector").type)], schema=schema)


def _schema(dim: int) -> pa.Schema:
    vector = pa.list_(pa.field("item", pa.float32(), nullable=False), dim)
    return pa.schema([pa.field("text", pa.utf8(), nullable=False), pa.field("vector", vector, nullable=False)])
