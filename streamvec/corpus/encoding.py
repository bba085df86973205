"""Turns the corpus into shards of ids, several pieces at a time, and goes on behind the last finished shard.

Pieces are blocks of text, or of ids that get other numbers once phrases are found. After each shard a record says which
piece the next one begins in, and how many ids have been written altogether; that piece is encoded again and its first
ids are passed over.
"""

import threading
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np

from streamvec.corpus.counts import Counts
from streamvec.corpus.crew import Crew
from streamvec.corpus.pipeline import Pipeline, Progress
from streamvec.corpus.shardfiles import INDEX, VERSION
from streamvec.corpus.shards import SHARD_BATCHES, MarkedShards, Shards
from streamvec.corpus.shardwriter import Ids, ShardWriter
from streamvec.corpus.stitch import Piece, Start
from streamvec.corpus.tokens import Tokenizer
from streamvec.corpus.vocabulary import Vocabulary, word_bytes
from streamvec.disk.sealed import read_json, write_json
from streamvec.disk.writing import make_folder, remove
from streamvec.errors import Interrupted, StreamvecError
from streamvec.kernels.scan import new_spans
from streamvec.kernels.wordtable import WordTable, encode_tokens, fill_table, new_table

RECORD = "record.json"
_FEW = 8  # where ids take less than this part of their room, as in empty lines, they do not keep it
_SUMMED = 1 << 14  # ids at a time: they stay in the cache


class _Before(NamedTuple):
    """How things stood before a piece: what is needed to begin with it again."""

    start: Start
    tokens: int  # ids in all pieces before
    bytes_read: int
    documents: int
    without_words: int  # documents of which no word is in the vocabulary, empty ones too
    open_has_words: bool  # the document that goes on has ids already
    words: int  # the sum, modulo 2^64, of a number for each known word

    def to_json(self) -> dict[str, Any]:
        return {**self._asdict(), "start": self.start.to_json()}

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> "_Before":
        return cls(**{**content, "start": Start.from_json(content["start"])})


class Item(Protocol):
    """A piece of the corpus."""

    @property
    def start(self) -> Start:
        """Where to begin again with it."""
        ...

    @property
    def size(self) -> int:
        """How many bytes of text it stands for."""
        ...


class Expected(NamedTuple):
    """What the pieces must hold, by what was counted before."""

    documents: int
    tokens: int
    words: int | None = None  # as `sum_of_words`; None where counts are not of this text alone


def sum_of_words(ids: np.ndarray, times: np.ndarray | None = None) -> int:
    """The sum of a number for each of *ids* int[n] that is not below 0, *times* so often, modulo 2^64.

    The order does not matter, so the counts of a text and its ids give the same; other words give another sum.
    """
    total = 0
    for start in range(0, ids.size, _SUMMED):
        some = ids[start : start + _SUMMED]
        known = (some + 1).clip(0).astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)  # of one that is not known: 0
        known ^= known >> np.uint64(32)
        known *= known
        if times is not None:
            known *= times[start : start + _SUMMED].astype(np.uint64)
        total += int(known.sum(dtype=np.uint64))
    return total % (1 << 64)


def words_counted(vocabulary: Vocabulary) -> int | None:
    """`sum_of_words` of the text that *vocabulary* was counted in; None where counts are also of an earlier text."""
    if "earlier_tokens" in vocabulary.about:
        return None
    return sum_of_words(np.arange(len(vocabulary)), vocabulary.counts)


class TextEncoder:
    """Gives the words of a piece of text their ids; *marked*: and rare words numbers below -1."""

    def __init__(self, tokenizer: Tokenizer, vocabulary: Vocabulary, marked: bool = False) -> None:
        self._tokenizer = tokenizer
        self._marked = marked
        self._table = word_table(vocabulary)
        self._room = threading.local()

    def __call__(self, piece: Piece) -> Ids:
        """The ids of *piece*; several threads may call at once."""
        data, _ = self._tokenizer.ready(piece.data)
        single = self._tokenizer.alphabet.single or self._tokenizer.kind == "regex"
        ids = np.empty(data.size if single else data.size // 2 + 1, np.int32)
        lengths = np.empty(piece.data.count(b"\n") + 1, np.int32)
        if not hasattr(self._room, "spans"):
            self._room.spans = new_spans()
        count, documents = encode_tokens(
            self._table, self._tokenizer.alphabet, data, self._marked, self._room.spans, ids, lengths
        )
        found = ids[:count]
        return Ids(found.copy() if count < ids.size // _FEW else found, lengths[:documents])


class Summed:
    """An encoder, with the sum that tells what it found; several threads may call at once."""

    def __init__(self, encode: Callable[[Any], Ids]) -> None:
        self._encode = encode

    def encode(self, piece: Any) -> tuple[Ids, int]:
        """The ids of *piece* (an Item), and their `sum_of_words`."""
        ids = self._encode(piece)
        return ids, sum_of_words(ids.values)


def text_encoder(tokenizer: Tokenizer, vocabulary: Vocabulary, marked: bool = False) -> Summed:
    """What workers hold to encode text."""
    return Summed(TextEncoder(tokenizer, vocabulary, marked))


class Encoding:
    """The making of one folder of shards, of the class *kind*."""

    def __init__(
        self,
        folder: Path,
        vocabulary: Vocabulary,
        counts: Counts,
        expected: Expected,
        kind: type[Shards] = Shards,
        place: str | None = None,
    ) -> None:
        """place: where shards go, of which the folder then has the index alone."""
        self.folder = folder
        self._vocabulary = vocabulary
        self._counts = replace(counts)
        self._expected = expected
        self._kind = kind
        self._now = _Before(Start(), 0, 0, 0, 0, False, 0)
        self._befores: deque[_Before] = deque()
        make_folder(folder)
        state = None
        if (folder / RECORD).exists():
            state = self._load()
        self._writer = ShardWriter(folder, self._record, state, SHARD_BATCHES, place)
        known = {shard["name"] for shard in self._writer.shards} | {RECORD}
        remove(*(path for path in folder.iterdir() if path.name not in known))

    @property
    def start(self) -> Start:
        """Where the pieces for `run` must begin."""
        return self._now.start

    def run(
        self,
        pieces: Iterator[Any],
        crew: Crew,
        report: Callable[[Progress], None],
        stop: Callable[[], bool],
        stage: str = "encoding",
    ) -> Shards:
        """Encodes *pieces* (each an Item) to their end and writes the index; Interrupted when *stop* says so.

        crew: of workers that hold a `Summed`.
        """
        pipeline: Pipeline[Any] = Pipeline(crew, "encode")
        try:
            for piece in pieces:
                if stop():
                    raise Interrupted("stopped while writing shards")
                for done, (ids, words) in pipeline.submit(piece):
                    self._take(done, ids, words)
                    report(Progress(stage, self._now.bytes_read, self._now.documents, self._now.tokens))
            for done, (ids, words) in pipeline.drain():
                self._take(done, ids, words)
                report(Progress(stage, self._now.bytes_read, self._now.documents, self._now.tokens))
            self._check()
            self._writer.close()
        except BaseException:
            self._writer.abandon()
            raise
        self._write_index()
        return self._kind.open(self.folder)

    def _take(self, piece: Item, ids: Ids, words: int) -> None:
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
            words=(before.words + words) % (1 << 64),
        )
        skipped = max(0, self._writer.tokens - before.tokens)  # more than 0 only behind a resumed start
        self._writer.add(ids.after(skipped) if skipped else ids)
        while len(self._befores) > 1 and self._befores[1].tokens <= self._writer.tokens:
            self._befores.popleft()

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
            state = {name: content[name] for name in ("shards", "split", "within")}
            return {**state, "cuts": content.get("cuts", [])}
        except (KeyError, TypeError, ValueError) as problem:
            raise StreamvecError(f"{path}: written by another version of streamvec: remove {self.folder}") from problem

    def _check(self) -> None:
        """What was encoded must be what was counted."""
        found, expected = Expected(self._now.documents, self._now.tokens, self._now.words), self._expected
        if found[:2] == expected[:2] and expected.words not in (None, found.words):
            raise StreamvecError(
                f"{self.folder}: the input changed while it was read: there are as many words as were counted, but "
                "other ones: start again with --overwrite"
            )
        if found[:2] != expected[:2]:
            raise StreamvecError(
                f"{self.folder}: the input changed while it was read: {expected.documents} documents with "
                f"{expected.tokens} known words were counted, {found.documents} with {found.tokens} were found: "
                "start again with --overwrite"
            )

    def _write_index(self) -> None:
        shards = self._writer.shards
        passed_over = self._counts.documents - self._expected.documents  # empty ones that no piece holds
        self._counts.dropped_rare = self._counts.tokens - self._counts.joined_tokens - self._vocabulary.in_text
        self._counts.documents_dropped = self._now.without_words + passed_over - self._counts.empty_documents
        self._counts.documents_split = self._writer.split
        content = {
            "kind": self._kind.KIND,
            "version": VERSION,
            "vocabulary_checksum": self._vocabulary.checksum,
            "vocabulary_size": len(self._vocabulary),
            "documents": sum(shard["documents"] for shard in shards),
            "tokens": sum(shard["tokens"] for shard in shards),
            "batches": sum(shard["batches"] for shard in shards),
            "counts": self._counts.to_json(),
            "shards": shards,
        }
        if self._kind is MarkedShards:
            content["cuts"] = self._writer.cuts
        write_json(self.folder / INDEX, content)
        remove(self.folder / RECORD)


def word_table(vocabulary: Vocabulary) -> WordTable:
    """The hash table from words to their indices, for the kernels."""
    data, offsets = word_bytes(vocabulary.words)
    sizes = np.diff(offsets)
    table = new_table(16 + len(vocabulary) * 3 // 2, int(sizes[sizes > 8].sum()))
    if fill_table(table, data, offsets) != len(vocabulary):
        raise StreamvecError("the vocabulary is damaged: a word is in it twice; prepare the text again")
    return table
