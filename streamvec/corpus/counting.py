"""Counts all words of a corpus exactly, in bounded memory, and goes on where it was stopped.

Every worker fills a table of its own; a full one is sorted and becomes a run. Now and then all tables are written
and a record says up to which block everything is in runs: whatever is younger is counted again after a crash. In
the end the runs are merged. Sums do not depend on how the work was dealt out, so neither does the result.
"""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from streamvec.corpus import runfiles
from streamvec.corpus.counts import Counts
from streamvec.corpus.crew import Crew, Crews, Keep
from streamvec.corpus.pipeline import Pipeline, Progress
from streamvec.corpus.repeats import SHORTEST, Repeats
from streamvec.corpus.runs import SCHEMA, WordCounts, batches_of, merge, merge_to_run
from streamvec.corpus.stitch import Piece, Start
from streamvec.corpus.tokens import Tokenizer
from streamvec.disk.reading import checksum_of
from streamvec.disk.sealed import read_json, write_json
from streamvec.disk.writing import make_folder, remove
from streamvec.errors import Interrupted, StreamvecError
from streamvec.kernels.scan import new_spans
from streamvec.kernels.wordruns import clear
from streamvec.kernels.wordtable import (
    DOCUMENT_BASE,
    DOCUMENTS,
    OPEN_HASH,
    OPEN_TOKENS,
    SLOT_BYTES,
    TOKENS,
    TOO_LONG,
    WORDS,
    WordTable,
    count_tokens,
    mix_hashes,
    move_words,
    new_table,
)

RECORD = "record.json"
INTERVAL = 180.0  # seconds between records
# A table's bytes for each slot: the slot, 16 bytes of longer words, and while it is sorted keys and order of the words.
_ARENA_PER_SLOT = 16
BYTES_PER_SLOT = SLOT_BYTES + _ARENA_PER_SLOT + 20
_FEWEST_SLOTS = 1 << 12
_DOCUMENTS = 1 << 16  # at a time: a line feed is a document, so a block may hold as many of them as bytes
_MASK = (1 << 64) - 1


class Counted(NamedTuple):
    """What a worker found in a piece; the first document may continue an earlier piece's, the last may go on."""

    documents: int  # that end here
    empty: int  # of them, without the first
    first_hash: int  # of the first, before it is mixed
    first_tokens: int
    hashes: np.ndarray  # uint64[those of SHORTEST tokens or more, without the first]
    open_hash: int
    open_tokens: int
    tokens: int
    dropped_long: int
    replaced: int


class Counter:
    """A worker's table; where it is full, it becomes a run that *keep* takes over."""

    def __init__(self, tokenizer: Tokenizer, table_bytes: int, keep: Keep) -> None:
        self._tokenizer = tokenizer
        self._most_slots = max(_FEWEST_SLOTS, table_bytes // BYTES_PER_SLOT)
        self._keep = keep
        self._arena = np.empty(self._most_slots * _ARENA_PER_SLOT + 1008, np.uint8)
        slots = self._most_slots
        while slots > 1 << 18:  # grows by fours again, so that old and new slots together stay within what is allowed
            slots = -(-slots // 4)
        self._table = self._sized(slots)
        self._found = new_spans()
        self._hashes, self._lengths = np.empty(_DOCUMENTS, np.uint64), np.empty(_DOCUMENTS, np.int64)

    def _sized(self, slots: int) -> WordTable:
        return WordTable(new_table(slots, 0).slots, self._arena, np.zeros(8, np.int64))

    def count(self, piece: Piece) -> Counted:
        """Counts the tokens of a piece, spilling where the table is full."""
        data, replaced = self._tokenizer.ready(piece.data)
        state = self._table.state
        state[TOKENS:] = 0
        place, documents, empty = 0, 0, 0
        first_hash, first_tokens = 0, 0
        long_ones: list[np.ndarray] = []
        while True:
            place = count_tokens(
                self._table, self._tokenizer.alphabet, data, place, self._found, self._hashes, self._lengths
            )
            state = self._table.state
            is_full = state[DOCUMENTS] + self._found.stops.size > _DOCUMENTS
            if is_full or place == data.size:
                ended = int(state[DOCUMENTS])
                hashes, lengths = self._hashes[:ended], self._lengths[:ended]
                if ended and not documents:
                    first_hash, first_tokens = int(hashes[0]), int(lengths[0])
                    hashes, lengths = hashes[1:], lengths[1:]
                documents += ended
                empty += int(np.count_nonzero(lengths == 0))
                long_enough = lengths >= SHORTEST
                long_ones.append(mix_hashes(hashes[long_enough], lengths[long_enough]))
                state[DOCUMENTS] = 0
            if place == data.size:
                break
            if not is_full:
                self._make_room()
        return Counted(
            documents,
            empty,
            first_hash,
            first_tokens,
            np.concatenate(long_ones),
            int(state[OPEN_HASH]) & _MASK,
            int(state[OPEN_TOKENS]),
            int(state[TOKENS]),
            int(state[TOO_LONG]),
            replaced + piece.replaced,
        )

    def _make_room(self) -> None:
        slots = self._table.slots.shape[0]
        larger = min(self._most_slots, slots * 4)
        if larger > slots and self._table.state[WORDS] * 10 >= slots * 6:
            new = self._sized(larger)
            new.state[:] = self._table.state
            move_words(self._table.slots, new.slots)
            self._table = new
        else:
            self.spill()

    def spill(self) -> None:
        """Makes the table's words, if any, a run, and empties it; StreamvecError for a full disk."""
        state = self._table.state.copy()
        if state[WORDS]:
            self._keep(SCHEMA, batches_of(self._table))
            clear(self._table)
            self._table.state[TOKENS:] = state[TOKENS:]


class Counting:
    """The count of one corpus in a folder of its own, which holds runs and the record."""

    def __init__(self, folder: Path, tokenizer: Tokenizer, table_bytes: int, crews: Crews) -> None:
        """table_bytes: for the table of each worker."""
        self.folder = folder
        self.counts = Counts()
        self.start = Start()
        self.finished = False
        self._runs = runfiles.RunFiles(folder, merge_to_run)
        self._open_hash, self._open_tokens = 0, 0  # the document that goes on
        self._repeats = Repeats()
        self._repeats_name = ""
        self._crews = crews
        self._counter = tokenizer, table_bytes
        make_folder(folder)
        if (folder / RECORD).exists():
            self._load()
        self._tidy()

    def run(
        self,
        pieces: Iterator[Piece],
        report: Callable[[Progress], None],
        stop: Callable[[], bool],
        interval: float | None = None,
    ) -> None:
        """Counts *pieces*, which begin at ``start``, to their end; Interrupted when *stop* says so, after a record.

        interval: seconds between records, INTERVAL where None is given.
        """
        if self.finished:
            return
        interval = INTERVAL if interval is None else interval
        recorded = time.monotonic()
        with self._crews.hire(Counter, *self._counter, runs=self._runs) as crew:
            pipeline: Pipeline[Piece] = Pipeline(crew, "count")
            for piece in pieces:
                stopped = stop()
                too_many = self._runs.kept >= runfiles.AT_ONCE
                if stopped or too_many or time.monotonic() - recorded >= interval:
                    self._take(pipeline.drain(), report)
                    self._record(piece.start, crew)
                    recorded = time.monotonic()
                if stopped:
                    raise Interrupted("stopped while counting words")
                self._take(pipeline.submit(piece), report)
            self._take(pipeline.drain(), report)
            self._record(None, crew)

    def merged(self, *more: Path) -> Iterator[WordCounts]:
        """All words in order with their counts, those of *more* runs (one at most) added; to be used once `run` has
        ended."""
        return merge([*self._runs.paths, *more])

    def _take(self, results: Iterator[tuple[Piece, Counted]], report: Callable[[Progress], None]) -> None:
        for piece, found in results:
            if found.documents:
                # h(ab) = h(a) base^|b| + h(b): the hash of a document that spans pieces
                joined = self._open_hash * pow(DOCUMENT_BASE, found.first_tokens, 1 << 64) + found.first_hash
                tokens = np.array([self._open_tokens + found.first_tokens])
                self._open_hash, self._open_tokens = found.open_hash, found.open_tokens
                self.counts.empty_documents += found.empty + int(tokens[0] == 0)
                if tokens[0] >= SHORTEST:
                    self._repeats.add(mix_hashes(np.array([joined & _MASK], np.uint64), tokens))
            else:
                joined = self._open_hash * pow(DOCUMENT_BASE, found.open_tokens, 1 << 64) + found.open_hash
                self._open_hash, self._open_tokens = joined & _MASK, self._open_tokens + found.open_tokens
            self._repeats.add(found.hashes)
            self.counts.bytes_read += piece.size
            self.counts.documents += found.documents
            self.counts.tokens += found.tokens
            self.counts.dropped_long += found.dropped_long
            self.counts.replaced_bytes += found.replaced
            report(Progress("counting", self.counts.bytes_read, self.counts.documents, self.counts.tokens))

    def _record(self, start: Start | None, crew: Crew) -> None:
        """Spills all tables and writes down that everything before *start* (None: everything) is in the runs."""
        crew.each("spill")
        self._runs.add_kept()
        self.finished = start is None
        self._runs.merge_some(runfiles.MOST_FILES - 1 if self.finished else None)  # one more may join them in `merged`
        self.start = start or self.start
        self.counts.repeated_documents = self._repeats.repeated
        self.counts.repeats_sampled = 1 << self._repeats.level
        self._repeats_name = checksum = ""
        if not self.finished:
            self._repeats_name = f"repeats-{self._runs.made:06d}-{self.start.number}.safetensors"
            checksum = self._repeats.save(self.folder / self._repeats_name)
        content = {
            "finished": self.finished,
            "start": self.start.to_json(),
            "open_hash": self._open_hash,
            "open_tokens": self._open_tokens,
            **self._runs.to_json(),
            "repeats": self._repeats_name,
            "repeats_checksum": checksum,
            "counts": self.counts.to_json(),
        }
        write_json(self.folder / RECORD, content)
        self._tidy()

    def _load(self) -> None:
        path = self.folder / RECORD
        content = read_json(path)
        try:
            self.finished = bool(content["finished"])
            self.start = Start.from_json(content["start"])
            self._open_hash, self._open_tokens = content["open_hash"], content["open_tokens"]
            self._runs.restore(content)
            self._repeats_name = content["repeats"]
            self.counts = Counts.from_json(content["counts"])
        except (KeyError, TypeError, ValueError) as problem:
            raise StreamvecError(f"{path}: written by another version of streamvec: remove {self.folder}") from problem
        if self._repeats_name:
            stated = content.get("repeats_checksum")
            if stated is not None and checksum_of(self.folder / self._repeats_name) != stated:
                raise StreamvecError(
                    f"{self.folder / self._repeats_name}: damaged: its checksum does not match {RECORD}: train again "
                    "with --overwrite"
                )
            self._repeats = Repeats.load(self.folder / self._repeats_name)

    def _tidy(self) -> None:
        """Removes what no record knows of."""
        known = self._runs.names | {RECORD, self._repeats_name}
        remove(*(path for path in self.folder.iterdir() if path.name not in known))
