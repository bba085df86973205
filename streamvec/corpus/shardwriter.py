"""Cuts the ids of a corpus into record batches and shards, at places that depend on nothing but the ids.

A document goes into the current batch when it fits whole, otherwise it begins a new one; one of more than 65,536
tokens is divided into pieces of that size, each a batch of its own, and its rest begins the next batch.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from streamvec.corpus.elsewhere import put
from streamvec.corpus.shardfiles import shard_name
from streamvec.corpus.shards import BATCH_TOKENS, SCHEMA, SHARD_BATCHES
from streamvec.disk.arrow import ArrowWriter
from streamvec.disk.writing import remove


class Ids(NamedTuple):
    """The ids of a piece of the corpus."""

    values: np.ndarray  # int32[ids]
    lengths: np.ndarray  # int32[documents that end here]; the values beyond their sum belong to one that goes on

    def after(self, skipped: int) -> "Ids":
        """What is left without the first *skipped* ids, and without the documents that lie in them whole."""
        ends = np.cumsum(self.lengths, dtype=np.int64)
        ends = ends[ends > skipped]
        return Ids(self.values[skipped:], np.diff(ends, prepend=skipped).astype(np.int32))


class ShardWriter:
    """Takes ids in order and writes shards; after each, *finished* is called, when `state` says how to go on.

    *state* is what an earlier writer's `state` was: then the ids that follow must begin at number ``tokens``.
    """

    def __init__(
        self,
        folder: Path,
        finished: Callable[[], None],
        state: dict[str, Any] | None = None,
        batches: int = SHARD_BATCHES,
        place: str | None = None,
    ) -> None:
        """batches: of a shard; place: where finished shards go, see `elsewhere.place_of_shards`, not into *folder*."""
        state = state or {"shards": [], "split": 0, "within": False, "cuts": []}
        self.folder = folder
        self.shards: list[dict[str, Any]] = list(state["shards"])  # finished ones
        self.split: int = state["split"]  # documents that were divided
        self.tokens: int = sum(shard["tokens"] for shard in self.shards)  # in record batches written so far
        self.cuts: list[int] = list(state["cuts"])  # record batches whose document goes on in the next one
        self._batches: int = sum(shard["batches"] for shard in self.shards)
        self._within: bool = state["within"]  # the next ids go on a document of which a piece is written
        self._finished, self._place = finished, place
        self._most_batches = batches
        self._parts: list[np.ndarray] = []  # of the batch that is being filled
        self._lengths: list[np.ndarray] = []
        self._size = 0
        self._document: list[np.ndarray] = []  # of the document that goes on
        self._document_size = 0
        self._writer: ArrowWriter | None = None
        self._shard = {"batches": 0, "documents": 0, "tokens": 0}

    def state(self) -> dict[str, Any]:
        """What a writer needs to go on behind the last finished shard; valid when one has just been finished."""
        return {"shards": self.shards, "split": self.split, "within": self._within, "cuts": self.cuts}

    def add(self, ids: Ids) -> None:
        """Takes the next ids; StreamvecError for a full disk."""
        values, lengths = ids
        if lengths.size:
            first = int(lengths[0])
            self._go_on(values[:first])
            self._end_document()
            values, lengths = values[first:], lengths[1:]
            lengths = lengths[lengths > 0]
            whole = self._add_documents(values, lengths)
            values = values[whole:]
        self._go_on(values)

    def close(self) -> None:
        """Writes what is left."""
        self._end_document()
        if self._size:
            self._write_batch()
        if self._writer is not None:
            self._finish_shard()

    def abandon(self) -> None:
        """Leaves nothing of an unfinished shard."""
        if self._writer is not None:
            self._writer.__exit__(KeyboardInterrupt, KeyboardInterrupt(), None)
            self._writer = None

    def _add_documents(self, values: np.ndarray, lengths: np.ndarray) -> int:
        ends = np.cumsum(lengths, dtype=np.int64)
        document, start = 0, 0
        while document < ends.size:
            fitting = int(np.searchsorted(ends, start + BATCH_TOKENS - self._size, side="right"))
            if fitting > document:
                end = int(ends[fitting - 1])
                self._put(values[start:end], lengths[document:fitting])
                document, start = fitting, end
            elif self._size:
                self._write_batch()
            else:  # longer than a batch
                end = int(ends[document])
                self._go_on(values[start:end])
                self._end_document()
                document, start = document + 1, end
        return start

    def _go_on(self, values: np.ndarray) -> None:
        """Adds ids to the document that goes on, and writes pieces of it when it is longer than a batch."""
        if values.size:
            self._document.append(values)
            self._document_size += values.size
        if self._document_size <= BATCH_TOKENS:
            return
        if self._size:
            self._write_batch()
        joined = np.concatenate(self._document)
        while joined.size > BATCH_TOKENS:
            self.split += not self._within
            self._within = True
            self._put(joined[:BATCH_TOKENS], np.array([BATCH_TOKENS], np.int32))
            self.cuts.append(self._batches)
            self._write_batch()
            joined = joined[BATCH_TOKENS:]
        self._document, self._document_size = [joined], joined.size

    def _end_document(self) -> None:
        if self._document_size:
            if self._size + self._document_size > BATCH_TOKENS:
                self._write_batch()
            for part in self._document:
                self._parts.append(part)
            self._size += self._document_size
            self._lengths.append(np.array([self._document_size], np.int32))
        self._document, self._document_size, self._within = [], 0, False

    def _put(self, values: np.ndarray, lengths: np.ndarray) -> None:
        self._parts.append(values)
        self._lengths.append(lengths)
        self._size += values.size

    def _write_batch(self) -> None:
        if self._writer is None:
            self._writer = ArrowWriter(self.folder / shard_name(len(self.shards)), SCHEMA)
            self._writer.__enter__()
        values = np.concatenate(self._parts)
        lengths = np.concatenate(self._lengths)
        offsets = np.zeros(lengths.size + 1, np.int32)
        np.cumsum(lengths, out=offsets[1:])
        items = pa.Array.from_buffers(pa.int32(), values.size, [None, pa.py_buffer(values)])
        kind = SCHEMA.field(0).type
        column = pa.Array.from_buffers(kind, lengths.size, [None, pa.py_buffer(offsets)], children=[items])
        self._writer.write(pa.record_batch([column], schema=SCHEMA))
        self._parts, self._lengths, self._size = [], [], 0
        self._batches += 1
        self._shard["batches"] += 1
        self._shard["documents"] += lengths.size
        self._shard["tokens"] += values.size
        self.tokens += values.size
        if self._shard["batches"] == self._most_batches:
            self._finish_shard()

    def _finish_shard(self) -> None:
        assert self._writer is not None
        writer, self._writer = self._writer, None
        writer.__exit__(None, None, None)
        size = writer.path.stat().st_size
        shard = {"name": writer.path.name, **self._shard, "bytes": size, "checksum": writer.checksum}
        if self._place is not None:
            shard["at"] = put(writer.path, writer.checksum, self._place)
            remove(writer.path)
        self.shards.append(shard)
        self._shard = {"batches": 0, "documents": 0, "tokens": 0}
        self._finished()
