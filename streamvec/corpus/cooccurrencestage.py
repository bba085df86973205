"""From shards of tokens to co-occurrences: pairs are counted in bounded memory, and merged into files for GloVe.

In cooccurrences/ of a RUN: runs/ while pairs are counted, then 00000.arrow, ... each of some whole rounds, which
threads write at once, then index.json. Work that was stopped goes on from the runs, and the files, that are finished.
"""

from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from threading import Event
from typing import Any, Protocol

import numpy as np
import pyarrow as pa

from streamvec.corpus.batchpieces import BatchPiece, batch_pieces
from streamvec.corpus.compiling import compile_cooccurrences, resident_bytes
from streamvec.corpus.cooccurrences import BATCH_ENTRIES, KIND, SCHEMA, Cooccurrences, Counted, bands_of, own
from streamvec.corpus.crew import Crew, Crews, Keep
from streamvec.corpus.layout import RECORD, RUNS
from streamvec.corpus.nearby import Nearby
from streamvec.corpus.pairpass import PairPass, Piece
from streamvec.corpus.pairroom import FILES, files_at_once, most_runs, room_of, table_bytes
from streamvec.corpus.pairruns import PairCounter, merge
from streamvec.corpus.pipeline import read_ahead
from streamvec.corpus.release import give_memory_back
from streamvec.corpus.runfiles import RunFiles
from streamvec.corpus.shardfiles import INDEX, VERSION, advised, shard_name
from streamvec.corpus.shards import Shards
from streamvec.corpus.vocabulary import Vocabulary
from streamvec.disk.arrow import ArrowWriter, verify_arrow
from streamvec.disk.sealed import read_json, write_json
from streamvec.disk.writing import make_folder, remove
from streamvec.errors import Interrupted, StreamvecError
from streamvec.kernels.cooccurrences import read_pairs
from streamvec.kernels.records import Bands


class Report(Protocol):
    """Who watches."""

    def __call__(self, stage: str, done: float, /) -> None:
        """*done*: the share of the stage."""


class Source(Protocol):
    """Where pairs come from."""

    @property
    def identity(self) -> dict[str, Any]:
        """What the pairs depend on besides the vocabulary, as JSON."""

    @property
    def end(self) -> int:
        """Pieces."""

    @property
    def unit(self) -> float:
        """Sums are whole numbers of such parts of 1."""

    @property
    def symmetric(self) -> bool:
        """Whether a pair stands for its mirror image, too."""

    @property
    def doubled(self) -> bool:
        """Whether a word beside itself was counted for one direction where both are meant."""

    def pieces(self, first: int) -> Generator[Any, None, None]:
        """Those from number *first* on."""

    def hire(self, crews: Crews, bands: Bands, table_bytes: int, runs: RunFiles) -> Crew:
        """Workers that count the pairs of pieces in tables of *table_bytes* bytes."""


class TokenSource:
    """Pairs within the windows of tokenised documents."""

    doubled = True

    def __init__(self, shards: Shards, counted: Counted) -> None:
        self._shards = shards
        self._counted = counted
        self.identity = counted.to_json()
        self.end = shards.batches
        self.unit = float(counted.unit)
        self.symmetric = counted.symmetric

    def pieces(self, first: int) -> Generator[BatchPiece, None, None]:
        """Record batches of tokens."""
        return read_ahead(batch_pieces(self._shards, first, 0))

    def hire(self, crews: Crews, bands: Bands, table_bytes: int, runs: RunFiles) -> Crew:
        """As `Source.hire`."""
        return crews.hire(_WindowCounter, self._counted, bands, table_bytes, runs=runs)


class _WindowCounter(PairCounter):
    def __init__(self, counted: Counted, bands: Bands, table_bytes: int, keep: Keep) -> None:
        super().__init__(table_bytes, keep)
        self._nearby = Nearby(counted, own(bands))

    def take(self, piece: BatchPiece) -> None:
        for pairs, sums, _ in self._nearby.of(piece.batch):
            self.add(pairs, sums)


class CooccurrenceStage:
    """The making of one folder of co-occurrences of the words of *vocabulary*."""

    def __init__(self, folder: Path, vocabulary: Vocabulary, source: Source, window: int) -> None:
        self.folder = folder
        self._words = len(vocabulary)
        self._source = source
        self._bands = bands_of(vocabulary.counts, window)
        self._identity = {"vocabulary_checksum": vocabulary.checksum, "counted": source.identity}
        make_folder(folder)
        with advised(Cooccurrences.again(folder)):
            if (folder / INDEX).exists() and _is_of(read_json(folder / INDEX), self._identity):
                return
            record = read_json(folder / RECORD) if (folder / RECORD).exists() else {}
        self._files: dict[str, Any] = record["shards"] if _is_of(record, self._identity) else {}
        known = {RUNS, RECORD, *self._files} if self._files else {RUNS}
        remove(*(path for path in folder.iterdir() if path.name not in known))

    @property
    def is_finished(self) -> bool:
        """Whether nothing is left to do."""
        return (self.folder / INDEX).exists()

    def run(self, crews: Crews, report: Report, stop: Callable[[], bool]) -> Cooccurrences:
        """Counts and writes what is not there yet; neither who counts nor how much memory there is changes a byte.

        crews: who counts; files are written by threads of this process in any case.

        Raises Interrupted when *stop* says so, StreamvecError for a full disk, and where no two words stand near each
        other.
        """
        if not self.is_finished:
            compile_cooccurrences()
            give_memory_back()
            taken = resident_bytes() or 0
            memory, threads = crews.here.memory, crews.here.threads
            room, most = room_of(memory, threads, taken, self._words), most_runs(memory, taken, self._words)
            with advised(Cooccurrences.again(self.folder)):
                passed: PairPass[Piece] = PairPass(self.folder / RUNS, self._identity)
                verified = _verified(passed.runs.paths, stop)  # a damaged one is told before more is counted
            passed.runs.at_once = min(passed.runs.at_once, most)
            self._count(passed, most, crews, taken, report, stop)
            give_memory_back()
            self._write(passed, verified, room, threads, report, stop)
            give_memory_back()
        remove(self.folder / RUNS, self.folder / RECORD)
        return Cooccurrences.open(self.folder)

    def _count(
        self, passed: PairPass[Piece], most: int, crews: Crews, taken: int, report: Report, stop: Callable[[], bool]
    ) -> None:
        source = self._source
        each = table_bytes(room_of(crews.memory, crews.threads, taken, self._words), crews.threads)
        done = passed.first

        def tell(piece: Piece) -> None:
            nonlocal done
            done += 1
            report("cooccurrences", done / source.end)

        with source.hire(crews, self._bands, each, passed.runs) as crew:
            passed.count(source.pieces(passed.first), source.end, crew, tell, stop, most)

    def _write(
        self,
        passed: PairPass[Piece],
        verified: set[Path],
        room: int,
        threads: int,
        report: Report,
        stop: Callable[[], bool],
    ) -> None:
        """Merges the runs into files, some at once, as many as open files and memory allow."""
        runs = passed.runs.paths
        with advised(Cooccurrences.again(self.folder)):
            _verified([path for path in runs if path not in verified], stop)
        files = min(FILES, self._bands.starts.size - 1)
        missing = [number for number in range(files) if shard_name(number) not in self._files]
        at_once = files_at_once(room, threads, len(runs))
        with ThreadPoolExecutor(at_once, "streamvec") as pool:
            stopped = Event()
            written = [pool.submit(self._write_file, runs, number, files, stopped) for number in missing]
            try:
                for number, future in zip(missing, written, strict=True):
                    done = False
                    while not done:
                        if stop():
                            raise Interrupted("stopped while writing co-occurrences")
                        done = bool(wait([future], timeout=0.1).done)
                    self._files[shard_name(number)] = future.result()
                    write_json(self.folder / RECORD, {**self._identity, "shards": self._files})
                    report("blocks", (number + 1) / files)
            except BaseException:
                stopped.set()
                for future in written:
                    future.cancel()
                raise
        shards = [self._files[shard_name(number)] for number in range(files)]
        total = {name: sum(shard[name] for shard in shards) for name in ("stored", "entries", "batches")}
        if not total["stored"]:
            remove(self.folder)
            raise StreamvecError(
                "no two words of the vocabulary stand near each other in a document: give documents of several words, "
                "a larger --window, or a lower --min-count"
            )
        index = {
            "kind": KIND,
            "version": VERSION,
            **self._identity,
            "vocabulary_size": self._words,
            "mirrored": self._source.symmetric,
            "bands": self._bands.starts.tolist(),
            **total,
            "shards": shards,
        }
        write_json(self.folder / INDEX, index)

    def _write_file(self, runs: list[Path], number: int, files: int, stopped: Event) -> dict[str, Any]:
        """Writes the rounds of one file."""
        starts, _, bits = self._bands
        bands = starts.size - 1
        edges = [bands * piece // files * bands << (2 * bits + 1) for piece in (number, number + 1)]
        path, sizes, entries = self.folder / shard_name(number), [], 0
        with ArrowWriter(path, SCHEMA) as writer:
            for batch, mirrored in self._batches(runs, (edges[0], edges[1])):
                if stopped.is_set():
                    raise Interrupted("stopped while writing co-occurrences")
                writer.write(batch)
                sizes.append(batch.num_rows)
                entries += batch.num_rows + mirrored
        content = {"stored": sum(sizes), "entries": entries, "batches": len(sizes), "sizes": sizes}
        return {"name": path.name, **content, "bytes": path.stat().st_size, "checksum": writer.checksum}

    def _batches(self, runs: list[Path], within: tuple[int, int]) -> Generator[tuple[pa.RecordBatch, int], None, None]:
        """(record batch of one round, how many of its entries stand for another, too)."""
        starts, _, bits = self._bands
        shift, bands = np.uint64(2 * bits + 1), np.uint64(starts.size - 1)
        columns = [np.empty(BATCH_ENTRIES, kind) for kind in (np.int32, np.int32, np.float32)]
        filled, turn, doubled = 0, -1, self._source.symmetric and self._source.doubled

        def full() -> tuple[pa.RecordBatch, int]:
            rows, others = columns[0][:filled], columns[1][:filled]
            mirrored = int(np.count_nonzero(rows != others)) if self._source.symmetric else 0
            return pa.record_batch([pa.array(column[:filled]) for column in columns], schema=SCHEMA), mirrored

        for pairs, sums in merge(runs, within, is_verified=True):
            turns = ((pairs >> shift) // bands).astype(np.int64)
            ends = [*(np.flatnonzero(np.diff(turns)) + 1).tolist(), pairs.size]
            begin = 0
            for end in ends:
                while begin < end:
                    if filled and (turns[begin] != turn or filled == BATCH_ENTRIES):
                        yield full()
                        filled = 0
                    turn = int(turns[begin])
                    some = min(end - begin, BATCH_ENTRIES - filled)
                    into = [column[filled : filled + some] for column in columns]
                    here = slice(begin, begin + some)
                    read_pairs(pairs[here], sums[here], self._bands, self._source.unit, doubled, *into)
                    begin, filled = begin + some, filled + some
        if filled:
            yield full()


def _verified(paths: list[Path], stop: Callable[[], bool]) -> set[Path]:
    """All *paths*, each read against its checksum; StreamvecError names one that is damaged."""
    for path in paths:
        if stop():
            raise Interrupted("stopped while runs were read")
        verify_arrow(path)
    return set(paths)


def _is_of(content: dict[str, Any], identity: dict[str, Any]) -> bool:
    return all(content.get(name) == value for name, value in identity.items())
