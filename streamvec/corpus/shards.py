"""Shards: the corpus as ids of words, in Arrow files of record batches that kernels take as they are.

A folder of files 00000.arrow, 00001.arrow, ... and an index.json, written last. A record batch, of at most 65,536
tokens in whole documents, is a column ``tokens`` of ``list<int32>``: (values, offsets) without a copy.
"""

from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np
import pyarrow as pa

from streamvec.disk.arrow import open_arrow, read_batch, verify_arrow
from streamvec.disk.files import named_problems, read_json
from streamvec.errors import StreamvecError

SCHEMA = pa.schema([pa.field("tokens", pa.list_(pa.field("item", pa.int32(), nullable=False)), nullable=False)])
BATCH_TOKENS = 1 << 16
SHARD_BATCHES = 256
INDEX = "index.json"
VERSION = 1


def shard_name(number: int) -> str:
    """The file name of shard *number*."""
    return f"{number:05d}.arrow"


class TokenBatch(NamedTuple):
    """Some whole documents, or one piece of a document of more than 65,536 tokens; read-only."""

    values: np.ndarray  # int32[n]: ids of words, documents one after another
    offsets: np.ndarray  # int32[documents + 1]: where they begin; the first is 0, the last n


class Shards:
    """Tokenised documents on disk, read a record batch at a time."""

    KIND = "tokens"
    LOWEST = 0  # the lowest id

    def __init__(self, folder: Path, index: dict[str, Any]) -> None:
        self.folder = folder
        self._index = index
        self.documents: int = index["documents"]
        self.tokens: int = index["tokens"]
        self.batches: int = index["batches"]
        self.vocabulary_checksum: str = index["vocabulary_checksum"]
        self.vocabulary_size: int = index["vocabulary_size"]
        self.counts: dict[str, int] = index["counts"]
        self._files: list[dict[str, Any]] = index["shards"]
        self._first = np.cumsum([0] + [file["batches"] for file in self._files])  # batch each file begins with
        self._verified: set[int] = set()
        self._open: tuple[int, Any] | None = None

    @classmethod
    def open(cls, folder: Path) -> Self:
        """The shards in *folder*; StreamvecError when they are missing, damaged, cut short or of another version."""
        folder = Path(folder)
        path = folder / INDEX
        index = read_json(path)
        if index.get("kind") != cls.KIND or index.get("version") != VERSION:
            raise StreamvecError(
                f"{path}: expected shards of kind {cls.KIND!r}, version {VERSION}, found "
                f"{index.get('kind')!r}, version {index.get('version')}: prepare the text again with this streamvec"
            )
        try:
            shards = cls(folder, index)
            sizes = [(folder / file["name"], file["bytes"]) for file in shards._files]
        except (KeyError, TypeError) as problem:
            raise StreamvecError(f"{path}: damaged: the entry {problem} is missing or wrong") from problem
        for file, size in sizes:
            with named_problems(file):
                found = file.stat().st_size
            if found != size:
                raise StreamvecError(
                    f"{file}: damaged or cut short: {found} bytes, expected {size}; prepare the text again"
                )
        return shards

    def twin(self) -> "Shards":
        """Another reader of the same shards, for another thread: neither checks again what the other has checked."""
        twin = Shards(self.folder, self._index)
        twin._verified = self._verified
        return twin

    def batch(self, number: int) -> TokenBatch:
        """Record batch *number*, read and validated; IndexError for one beyond the last.

        A shard's checksum is checked the first time one of its batches is read. Raises StreamvecError when it is
        damaged.
        """
        if not 0 <= number < self.batches:
            raise IndexError(f"batch must be in 0 to {self.batches - 1}, got {number}")
        shard = int(np.searchsorted(self._first, number, side="right")) - 1
        path = self.folder / self._files[shard]["name"]
        if self._open is None or self._open[0] != shard:
            self._verify(shard)
            reader = open_arrow(path, mapped=False)
            if reader.num_record_batches != self._files[shard]["batches"] or not reader.schema.equals(SCHEMA):
                raise StreamvecError(f"{path}: not the shard that {INDEX} describes: prepare the text again")
            self._open = shard, reader
        batch = token_batch(read_batch(self._open[1], number - int(self._first[shard]), path))
        values = batch.values
        if values.size and not (values.min() >= self.LOWEST and values.max() < self.vocabulary_size):
            raise StreamvecError(f"{path}: damaged: batch {number} holds ids beyond the {self.vocabulary_size} words")
        return batch

    def verify(self) -> None:
        """Reads every byte of every shard; StreamvecError names the first that is damaged."""
        for shard in range(len(self._files)):
            self._verified.discard(shard)
            self._verify(shard)

    def _verify(self, shard: int) -> None:
        if shard in self._verified:
            return
        path, stated = self.folder / self._files[shard]["name"], self._files[shard]["checksum"]
        found = verify_arrow(path)
        if found != stated:
            raise StreamvecError(f"{path}: its checksum is {found}, {INDEX} says {stated}: prepare the text again")
        self._verified.add(shard)


class MarkedShards(Shards):
    """Shards in which rare words are there, too, as numbers below -1: what phrases are found in."""

    KIND = "marked tokens"
    LOWEST = -(1 << 31)

    def __init__(self, folder: Path, index: dict[str, Any]) -> None:
        super().__init__(folder, index)
        self.cuts: frozenset[int] = frozenset(index["cuts"])  # batches whose last document goes on in the next one

    @property
    def whole_documents(self) -> int:
        """Documents with a token, those that were divided counted once."""
        return self.documents - len(self.cuts)


def token_batch(batch: pa.RecordBatch) -> TokenBatch:
    """The arrays of a record batch, without a copy."""
    column = batch.column(0)
    offsets = np.frombuffer(column.buffers()[1], np.int32, batch.num_rows + 1)
    return TokenBatch(column.values.to_numpy(), offsets)
