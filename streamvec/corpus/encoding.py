"""Turns the corpus into shards of ids, several blocks at a time, and goes on behind the last finished shard.

After each shard a record says which block the next one begins in, and how many ids have been written altogether; that
block is encoded again and its first ids are passed over.
"""

import queue
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from streamvec.corpus.counts import Counts
from streamvec.corpus.pipeline import Pipeline, Progress
from streamvec.corpus.shards import INDEX, SHARD_BATCHES, VERSION, Shards
from streamvec.corpus.shardwriter import Ids, ShardWriter
from streamvec.corpus.stitch import Piece, Start
from streamvec.corpus.tokens import Tokenizer
from streamvec.corpus.vocabulary import Vocabulary, word_bytes
from streamvec.disk.files import read_json, write_json
from streamvec.errors import Interrupted, StreamvecError
from streamvec.kernels.scan import Spans, new_spans
from streamvec.kernels.wordtable import WordTable, encode_tokens, fill_table, new_table

RECORD = "record.json"


class _Before(NamedTuple):
    """How things stood before a piece: what is needed to begin with it again."""

    start: Start
    tokens: int  # ids in all pieces before
    bytes_read: int
    documents: int
    without_words: int  # documents of which no word is in the vocabulary, empty ones too
    open_has_words: bool  # the document that goes on has ids already

    def to_json(self) -> dict[str, Any]:
        return {**self._asdict(), "start": self.start.to_json()}

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> "_Before":
        return cls(**{**content, "start": Start.from_json(content["start"])})


class Encoding:
    """The making of one folder of shards."""

    def __init__(
        self, folder: Path, tokenizer: Tokenizer, vocabulary: Vocabulary, counts: Counts, threads: int
    ) -> None:
        self.folder = folder
        self._tokenizer = tokenizer
        self._vocabulary = vocabulary
        self._counts = replace(counts)
        self._threads = threads
        self._now = _Before(Start(), 0, 0, 0, 0, False)
        self._befores: deque[_Before] = deque()
        folder.mkdir(parents=True, exist_ok=True)
        state = None
        if (folder / RECORD).exists():
            state = self._load()
        self._writer = ShardWriter(folder, self._record, state, SHARD_BATCHES)
        known = {shard["name"] for shard in self._writer.shards} | {RECORD}
        for path in folder.iterdir():
            if path.name not in known:
                path.unlink()

    @property
    def start(self) -> Start:
        """Where the pieces for `run` must begin."""
        return self._now.start

    def run(self, pieces: Iterator[Piece], report: Callable[[Progress], None], stop: Callable[[], bool]) -> Shards:
        """Encodes *pieces* to their end and writes the index; Interrupted when *stop* says so."""
        self._table = word_table(self._vocabulary)
        self._rooms: queue.SimpleQueue[Spans] = queue.SimpleQueue()
        for _ in range(self._threads):
            self._rooms.put(new_spans())
        try:
            with Pipeline(self._encode, self._threads) as pipeline:
                for piece in pieces:
                    if stop():
                        raise Interrupted("stopped while writing shards")
                    for done, ids in pipeline.submit(piece):
                        self._take(done, ids, report)
                for done, ids in pipeline.drain():
                    self._take(done, ids, report)
            self._check()
            self._writer.close()
        except BaseException:
            self._writer.abandon()
            raise
        self._write_index()
        return Shards.open(self.folder)

    def _encode(self, piece: Piece) -> Ids:
        data, _ = self._tokenizer.ready(piece.data)
        single = self._tokenizer.alphabet.single or self._tokenizer.kind == "regex"
        ids = np.empty(data.size if single else data.size // 2 + 1, np.int32)
        lengths = np.empty(piece.data.count(b"\n") + 1, np.int32)
        room = self._rooms.get()
        try:
            count, documents = encode_tokens(self._table, self._tokenizer.alphabet, data, room, ids, lengths)
        finally:
            self._rooms.put(room)
        return Ids(ids[:count], lengths[:documents])

    def _take(self, piece: Piece, ids: Ids, report: Callable[[Progress], None]) -> None:
        before = self._now._replace(start=piece.start)
        self._befores.append(before)
        has_words, without = before.open_has_words, 0
        rest = ids.values.size - int(ids.lengths.sum())
        if ids.lengths.size:
            without = int(np.count_nonzero(ids.lengths == 0)) - bool(ids.lengths[0] == 0 and has_words)
            has_words = False
        self._now = before._replace(
            tokens=before.tokens + ids.values.size,
            bytes_read=before.bytes_read + piece.size,
            documents=before.documents + ids.lengths.size,
            without_words=before.without_words + without,
            open_has_words=has_words or rest > 0,
        )
        skipped = max(0, self._writer.tokens - before.tokens)  # more than 0 only behind a resumed start
        self._writer.add(ids.after(skipped) if skipped else ids)
        while len(self._befores) > 1 and self._befores[1].tokens <= self._writer.tokens:
            self._befores.popleft()
        report(Progress("encoding", self._now.bytes_read, self._now.documents, self._now.tokens))

    def _record(self) -> None:
        """A shard is finished: the next begins in the last piece that begins with or before its first id."""
        while len(self._befores) > 1 and self._befores[1].tokens <= self._writer.tokens:
            self._befores.popleft()
        write_json(self.folder / RECORD, {"before": self._befores[0].to_json(), **self._writer.state()})

    def _load(self) -> dict[str, Any]:
        path = self.folder / RECORD
        content = read_json(path)
        try:
            self._now = _Before.from_json(content["before"])
            return {"shards": content["shards"], "split": content["split"], "within": content["within"]}
        except (KeyError, TypeError, ValueError) as problem:
            raise StreamvecError(f"{path}: written by another version of streamvec: remove {self.folder}") from problem

    def _check(self) -> None:
        """What was encoded must be what was counted."""
        found, expected = (self._now.documents, self._now.tokens), (self._counts.documents, self._vocabulary.in_text)
        if found != expected:
            raise StreamvecError(
                f"{self.folder}: the input changed while it was read: {expected[0]} documents with {expected[1]} known "
                f"words were counted, {found[0]} with {found[1]} were found: start again with --overwrite"
            )

    def _write_index(self) -> None:
        shards = self._writer.shards
        self._counts.dropped_rare = self._counts.tokens - self._vocabulary.in_text
        self._counts.documents_dropped = self._now.without_words - self._counts.empty_documents
        self._counts.documents_split = self._writer.split
        content = {
            "kind": "tokens",
            "version": VERSION,
            "vocabulary_checksum": self._vocabulary.checksum,
            "vocabulary_size": len(self._vocabulary),
            "documents": sum(shard["documents"] for shard in shards),
            "tokens": sum(shard["tokens"] for shard in shards),
            "batches": sum(shard["batches"] for shard in shards),
            "counts": self._counts.to_json(),
            "shards": shards,
        }
        write_json(self.folder / INDEX, content)
        (self.folder / RECORD).unlink(missing_ok=True)


def word_table(vocabulary: Vocabulary) -> WordTable:
    """The hash table from words to their indices, for the kernels."""
    data, offsets = word_bytes(vocabulary.words)
    sizes = np.diff(offsets)
    table = new_table(16 + len(vocabulary) * 3 // 2, int(sizes[sizes > 8].sum()))
    if fill_table(table, data, offsets) != len(vocabulary):
        raise StreamvecError("the vocabulary is damaged: a word is in it twice; prepare the text again")
    return table
