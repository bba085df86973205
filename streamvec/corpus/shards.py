"""Shards: the corpus as ids of words, in Arrow files of record batches that kernels take as they are.

A record batch, of at most 65,536 tokens in whole documents, is a column ``tokens`` of ``list<int32>``: (values,
offsets) without a copy. The folder is one of `streamvec.corpus.shardfiles`.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from streamvec.corpus.shardfiles import ShardFiles
from streamvec.errors import StreamvecError

SCHEMA = pa.schema([pa.field("tokens", pa.list_(pa.field("item", pa.int32(), nullable=False)), nullable=False)])
BATCH_TOKENS = 1 << 16
SHARD_BATCHES = 256


class TokenBatch(NamedTuple):
    """Some whole documents, or one piece of a document of more than 65,536 tokens; read-only."""

    values: np.ndarray  # int32[n]: ids of words, documents one after another
    offsets: np.ndarray  # int32[documents + 1]: where they begin; the first is 0, the last n


class Shards(ShardFiles):
    """Tokenised documents on disk, read a record batch at a time."""

    KIND = "tokens"
    SCHEMA = SCHEMA
    LOWEST = 0  # the lowest id

    def __init__(self, folder: Path, index: dict[str, Any]) -> None:
        super().__init__(folder, index)
        self.documents: int = index["documents"]
        self.tokens: int = index["tokens"]
        self.counts: dict[str, int] = index["counts"]
        self.cuts: frozenset[int] = frozenset()  # batches whose last document goes on in the next one, where it matters

    def batch(self, number: int) -> TokenBatch:
        """Record batch *number*, read and validated; see `record_batch` for what may be wrong."""
        found, path = self.record_batch(number)
        batch = token_batch(found)
        values = batch.values
        if values.size and not (values.min() >= self.LOWEST and values.max() < self.vocabulary_size):
            raise StreamvecError(f"{path}: damaged: batch {number} holds ids beyond the {self.vocabulary_size} words")
        return batch

    def sizes(self) -> np.ndarray:
        """(documents, tokens) of each record batch, int64[batches, 2]: told by the files, whose content is not read."""
        found = np.zeros((self.batches, 2), np.int64)
        for number, batch in enumerate(self._mapped()):
            found[number] = batch.num_rows, len(batch.column(0).values)
        return found

    def offsets(self) -> Iterator[np.ndarray]:
        """Where the documents of each record batch begin, as in `TokenBatch`: of the content nothing else is read."""
        for batch in self._mapped():
            yield token_batch(batch).offsets

    def at(self, epoch: int, batch: int) -> TokenBatch:
        """What an epoch's step number *batch* trains on: the batch of that number, in every epoch."""
        return self.batch(batch)

    def _mapped(self) -> Iterator[pa.RecordBatch]:
        """All record batches, mapped: what is not looked at is not read."""
        for reader, path in self.readers():
            for number in range(reader.num_record_batches):
                try:
                    batch = reader.get_batch(number)
                    batch.validate()
                except (pa.ArrowException, OSError) as problem:
                    raise StreamvecError(f"{path}: damaged ({problem}): {self.again(self.folder)}") from problem
                yield batch


class Numbers:
    """The record batches of shards by number alone, where whoever trains on them reads them for itself."""

    def __init__(self, batches: int) -> None:
        self.batches = batches

    def batch(self, number: int) -> int:
        """What stands for record batch *number*."""
        return number

    def at(self, epoch: int, batch: int) -> int:
        """What an epoch's step number *batch* trains on."""
        return batch


class MarkedShards(Shards):
    """Shards in which rare words are there, too, as numbers below -1: what phrases are found in."""

    KIND = "marked tokens"
    LOWEST = -(1 << 31)

    def __init__(self, folder: Path, index: dict[str, Any]) -> None:
        super().__init__(folder, index)
        self.cuts = frozenset(index["cuts"])

    @property
    def whole_documents(self) -> int:
        """Documents with a token, those that were divided counted once."""
        return self.documents - len(self.cuts)


def token_batch(batch: pa.RecordBatch) -> TokenBatch:
    """The arrays of a record batch, without a copy."""
    column = batch.column(0)
    offsets = np.frombuffer(column.buffers()[1], np.int32, batch.num_rows + 1)
    return TokenBatch(column.values.to_numpy(), offsets)
