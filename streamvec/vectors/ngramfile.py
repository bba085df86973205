"""NAME.ngrams.arrow: the rows of the n-grams of a model, beside the NAME.arrow of its words, for words never seen.

Columns ``bucket`` (int32, rising) and ``vector`` (fixed_size_list of float32), a record batch every 16,384 rows. Only
buckets that a word of the vocabulary has are there: others were never trained. The schema's metadata holds
``streamvec.ngrams``, JSON with minn, maxn and buckets; ``ngrams`` in the info of NAME.arrow is the checksum of this
file, so that another model's is not taken for it. It is opened when a word is asked for that has no row.
"""

import json
import shutil
from bisect import bisect_right
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from streamvec.disk.arrow import ArrowWriter, open_arrow, read_batch, stated_checksum, verify_arrow
from streamvec.disk.jsontext import parsed
from streamvec.disk.reading import opened
from streamvec.disk.writing import whole_file
from streamvec.errors import StreamvecError
from streamvec.vectors.ngrams import ngrams_of
from streamvec.vectors.store import ROWS, raw_words
from streamvec.vectors.words import UnknownWord

NGRAMS_KEY = b"streamvec.ngrams"
CHECKSUM = "ngrams"  # what the checksum is called in the info of the words' file
SUFFIX = ".ngrams.arrow"


class Table(NamedTuple):
    """An open file of n-grams."""

    minn: int
    maxn: int
    buckets: int  # that n-grams are hashed into
    firsts: list[int]  # the first bucket of each chunk
    chunks: list[tuple[np.ndarray, np.ndarray]]  # (buckets int32[n], vectors float32[n, dim])


def beside(vectors: Path) -> Path:
    """Where the n-grams of a file of words are."""
    return vectors.with_name(vectors.name.removesuffix(".arrow") + SUFFIX)


def write_ngrams(
    path: Path,
    buckets: np.ndarray,
    vectors: Callable[[int, int], np.ndarray],
    dim: int,
    lengths: tuple[int, int],
    number: int,
) -> str:
    """Writes the file in one pass and returns its checksum (xxh3-128, 32 hexadecimal digits).

    buckets: int32[n], rising, of *number*; vectors(start, stop): float32[stop - start, dim], asked for in order.
    Raises StreamvecError for a NaN or an infinity and for a full disk.
    """
    about = {"minn": lengths[0], "maxn": lengths[1], "buckets": number}
    with ArrowWriter(path, _schema(dim).with_metadata({NGRAMS_KEY: json.dumps(about, sort_keys=True)})) as writer:
        for start in range(0, len(buckets), ROWS):
            some = buckets[start : start + ROWS]
            rows = np.ascontiguousarray(vectors(start, start + len(some)), np.float32)
            if not np.isfinite(rows).all():
                raise StreamvecError(f"{path}: the vector of an n-gram holds NaN or infinity: not written")
            numbers = pa.FloatArray.from_buffers(pa.float32(), rows.size, [None, pa.py_buffer(rows)])  # no copy
            lists = pa.FixedSizeListArray.from_arrays(numbers, dim).cast(writer.schema.field("vector").type)
            writer.write(pa.record_batch([pa.array(some), lists], schema=writer.schema))
    return writer.checksum


def is_ngrams(schema: pa.Schema) -> bool:
    """Whether an Arrow schema is that of a file of n-grams."""
    return schema.names == ["bucket", "vector"] and NGRAMS_KEY in (schema.metadata or {})


def about_ngrams(schema: pa.Schema, path: Path) -> dict[str, int]:
    """minn, maxn, buckets and dim as the file states them; StreamvecError where it does not."""
    try:
        about = parsed(schema.metadata[NGRAMS_KEY])
        found = {name: int(about[name]) for name in ("minn", "maxn", "buckets")}
        found["dim"] = schema.field("vector").type.list_size
        if not schema.equals(_schema(found["dim"]), check_metadata=False):
            raise ValueError("other columns")
    except (ValueError, KeyError, TypeError, AttributeError) as problem:
        raise StreamvecError(
            f"{path}: damaged: not n-grams as streamvec writes them: run streamvec verify"
        ) from problem
    return found


class StoredNGrams:
    """The n-grams of one file of words, opened when they are first needed."""

    def __init__(self, vectors: Path, info: Mapping[str, Any], dim: int) -> None:
        self.vectors = vectors
        self.path = beside(vectors)
        self.dim = dim
        self._checksum = info[CHECKSUM]
        self._table: Table | None = None

    @property
    def is_there(self) -> bool:
        """Whether the file is beside that of the words."""
        return self.path.exists()

    def unseen(self, word: str) -> np.ndarray | None:
        """float32[dim]: the mean of the rows of a word's n-grams; None where none of them is in any known word.

        Raises UnknownWord when the file is not there, StreamvecError when it is damaged or another model's.
        """
        if not self.is_there:
            raise UnknownWord(word, f"{self.vectors} (and {self.path.name}, which would tell, is not beside it)", [])
        table = self._opened()
        raw = raw_words(pa.array([word.encode("utf-8", "surrogatepass")], pa.binary()))
        rows = [self._row(table, bucket) for bucket in ngrams_of(*raw, *table[:3]).buckets.tolist()]
        total, found = np.zeros(self.dim, np.float32), 0
        for row in rows:
            if row is not None:
                with np.errstate(over="ignore", invalid="ignore"):  # damage, which is told below
                    total += row
                found += 1
        if not np.isfinite(total).all():
            raise StreamvecError(f"{self.path}: the n-grams of {word!r} hold NaN or infinity: run streamvec verify")
        return total * np.float32(1.0 / found) if found else None

    def save(self, vectors: Path) -> None:
        """Copies the file beside another file of the same words, whole or not at all, where it is there.

        Raises StreamvecError when it is damaged.
        """
        if self.is_there and beside(vectors) != self.path:
            verify_arrow(self.path)
            with opened(self.path) as source, whole_file(beside(vectors)) as out:
                shutil.copyfileobj(source, out, 1 << 20)

    def _opened(self) -> Table:
        if self._table is None:
            reader = open_arrow(self.path)
            about = about_ngrams(reader.schema, self.path)
            if stated_checksum(reader.schema) != self._checksum or about["dim"] != self.dim:
                raise StreamvecError(
                    f"{self.path}: holds the n-grams of other words than {self.vectors.name}: fetch both again, or "
                    f"move it away"
                )
            chunks = [self._chunk(read_batch(reader, number, self.path)) for number in range(reader.num_record_batches)]
            firsts = [int(buckets[0]) for buckets, _ in chunks]
            self._table = Table(about["minn"], about["maxn"], about["buckets"], firsts, chunks)
        return self._table

    def _chunk(self, batch: pa.RecordBatch) -> tuple[np.ndarray, np.ndarray]:
        lists = batch.column(1)
        numbers = lists.values[lists.offset * self.dim : (lists.offset + len(lists)) * self.dim]
        if any(column.null_count for column in batch.columns) or numbers.null_count or not batch.num_rows:
            raise StreamvecError(f"{self.path}: damaged: values are missing: run streamvec verify")
        return batch.column(0).to_numpy(), numbers.to_numpy(zero_copy_only=True).reshape(-1, self.dim)

    @staticmethod
    def _row(table: Table, bucket: int) -> np.ndarray | None:
        number = bisect_right(table.firsts, bucket) - 1
        if number < 0:
            return None
        buckets, vectors = table.chunks[number]
        place = int(np.searchsorted(buckets, bucket))
        found: np.ndarray | None = vectors[place] if place < len(buckets) and buckets[place] == bucket else None
        return found


def _schema(dim: int) -> pa.Schema:
    return pa.schema(
        [
            pa.field("bucket", pa.int32(), nullable=False),
            pa.field("vector", pa.list_(pa.field("item", pa.float32(), nullable=False), dim), nullable=False),
        ]
    )
