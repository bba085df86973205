"""One pass over the ids of a corpus: neighbours are counted in bounded memory, and those that score high are phrases.

Every thread takes batches and fills a table of its own; a full one is written as a run, as words are
(`streamvec.corpus.counting`). Now and then all is written, and a record says up to which batch everything is in runs.
"""

import queue
import shutil
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np

from streamvec.corpus import runfiles
from streamvec.corpus.layout import RECORD
from streamvec.corpus.pairruns import PairCounter, merge, merge_to_run
from streamvec.corpus.phrases import SCORES, PhraseOptions, Phrases
from streamvec.corpus.pipeline import Pipeline, Progress, read_ahead
from streamvec.corpus.shards import BATCH_TOKENS, MarkedShards, TokenBatch
from streamvec.corpus.stitch import Start
from streamvec.disk.files import checksum_of, read_json, write_json
from streamvec.disk.tensors import load_tensors, save_tensors
from streamvec.errors import Interrupted, StreamvecError
from streamvec.kernels.phrases import count_ids, neighbours, select_pairs

INTERVAL = 180.0  # seconds between records
_ONE = np.ones(1, np.int64)


class BatchPiece(NamedTuple):
    """A record batch of ids, as a piece of the corpus."""

    start: Start  # its number
    batch: TokenBatch
    size: int  # bytes of text that it stands for: all batches share alike
    goes_on: bool  # its last document goes on in the next one


def batch_pieces(ids: MarkedShards, first: int, text_bytes: int) -> Iterator[BatchPiece]:
    """The record batches of *ids* from number *first* on, which stand for *text_bytes* bytes of text altogether."""
    for number in range(first, ids.batches):
        size = text_bytes * (number + 1) // ids.batches - text_bytes * number // ids.batches
        yield BatchPiece(Start(number), ids.batch(number), size, number in ids.cuts)


class _Worker:
    """What one thread fills."""

    def __init__(self, ids: int, counter: PairCounter | None) -> None:
        self.counts = np.zeros(ids, np.int64)
        self.counter = counter
        self.tokens = 0
        self._flat = np.empty(2 * BATCH_TOKENS + 1, np.int32)
        self._pairs = np.empty(BATCH_TOKENS, np.uint64)

    def take(self, phrases: Phrases, batch: TokenBatch) -> None:
        size = phrases.read(batch, self._flat)
        self.tokens += count_ids(self._flat, size, self.counts)
        if self.counter is not None:
            found = neighbours(self._flat, size, self._pairs)
            self.counter.add(self._pairs[:found], _ONE)

    def spill(self) -> None:
        if self.counter is not None:
            self.counter.spill()


class Pass:
    """Pass *number* over *ids* with the joins of *phrases*, in a folder of its own; *paired*: neighbours count, too."""

    def __init__(self, folder: Path, number: int, ids: MarkedShards, phrases: Phrases, paired: bool) -> None:
        self.folder = folder
        self.counts = np.zeros(len(phrases.words), np.int64)  # int64[ids]
        self.tokens = 0  # rare ones too
        self._number = number
        self._ids = ids
        self._phrases = phrases
        self._paired = paired
        self._first = 0  # batches before it are in counts and runs
        self._runs = runfiles.RunFiles(folder, merge_to_run)
        self._saved = {"name": "", "checksum": ""}  # of the counts
        folder.mkdir(parents=True, exist_ok=True)
        if (folder / RECORD).exists():
            self._load()
        self._tidy()

    def run(
        self,
        stage: str,
        text_bytes: int,
        table_bytes: int,
        threads: int,
        report: Callable[[Progress], None],
        stop: Callable[[], bool],
    ) -> None:
        """Counts to the end; Interrupted when *stop* says so, after a record.

        table_bytes: for what all threads fill; text_bytes: of the corpus, for *report*.
        """
        each = (table_bytes - self.counts.nbytes * (threads + 1)) // threads - 16 * BATCH_TOKENS
        counters = [PairCounter(each, self._runs.next_path) if self._paired else None for _ in range(threads)]
        self._workers = [_Worker(self.counts.size, counter) for counter in counters]
        self._free: queue.SimpleQueue[_Worker] = queue.SimpleQueue()
        for worker in self._workers:
            self._free.put(worker)
        recorded = time.monotonic()
        documents, read = 0, text_bytes * self._first // max(1, self._ids.batches)

        def take(results: Iterator[tuple[BatchPiece, None]]) -> None:
            nonlocal documents, read
            for piece, _ in results:
                documents, read = documents + piece.batch.offsets.size - 1, read + piece.size
                report(Progress(stage, read, documents, 0))

        pieces = read_ahead(batch_pieces(self._ids, self._first, text_bytes))
        try:
            with Pipeline(self._count, threads) as pipeline:
                for piece in pieces:
                    stopped = stop()
                    runs = sum(len(counter.runs) for counter in counters if counter)
                    if stopped or runs >= runfiles.AT_ONCE or time.monotonic() - recorded >= INTERVAL:
                        take(pipeline.drain())
                        self._record(piece.start.number)
                        recorded = time.monotonic()
                    if stopped:
                        raise Interrupted("stopped while finding phrases")
                    take(pipeline.submit(piece))
                take(pipeline.drain())
        finally:
            pieces.close()
        self._record(self._ids.batches)
        self._workers, self._free = [], queue.SimpleQueue()

    def select(
        self, options: PhraseOptions, rare_words: int, stop: Callable[[], bool]
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(pairs uint64[n], sums int64[n], scores float64[n]) of the phrases found, by rising pair; after `run`.

        rare_words: different words of the corpus that have no id. Holds no more pairs than would be phrases if all
        pairs were different: how many are, and so the score, is known in the end. Interrupted when *stop* says so.
        """
        kind, least, above = SCORES[options.score], options.min_count, options.above
        words = int(np.count_nonzero(self.counts)) + rare_words
        kept: list[list[np.ndarray]] = []
        different = 0
        for pairs, sums in merge(self._runs.paths):
            if stop():
                raise Interrupted("stopped while finding phrases")
            different += pairs.size
            scores = np.empty(pairs.size)
            most = words + self.tokens
            count = select_pairs(pairs, sums, pairs.size, self.counts, kind, least, most, self.tokens, above, scores)
            kept.append([pairs[:count].copy(), sums[:count].copy()])
        pairs = np.concatenate([np.zeros(0, np.uint64), *(some[0] for some in kept)])
        sums = np.concatenate([np.zeros(0, np.int64), *(some[1] for some in kept)])
        scores = np.empty(pairs.size)
        types = words + different
        count = select_pairs(pairs, sums, pairs.size, self.counts, kind, least, types, self.tokens, above, scores)
        return pairs[:count], sums[:count], scores[:count]

    def _count(self, piece: BatchPiece) -> None:
        worker = self._free.get()
        try:
            worker.take(self._phrases, piece.batch)
        finally:
            self._free.put(worker)

    def _record(self, first: int) -> None:
        """Spills all tables and writes down that all batches before *first* are in runs and counts."""
        with ThreadPoolExecutor(len(self._workers)) as pool:
            list(pool.map(_Worker.spill, self._workers))
        for worker in self._workers:
            if worker.counter is not None:
                self._runs.add(worker.counter.runs)
                worker.counter.runs = []
            self.counts += worker.counts
            self.tokens += worker.tokens
            worker.counts[:], worker.tokens = 0, 0
        self._runs.merge_some(runfiles.MOST_FILES if first == self._ids.batches else None)
        self._first = first
        name = f"counts-{first}.safetensors"
        self._saved = {"name": name, "checksum": save_tensors(self.folder / name, {"counts": self.counts})}
        content = {
            "pass": self._number,
            "batch": first,
            "tokens": self.tokens,
            "counts": self._saved,
            **self._runs.to_json(),
        }
        write_json(self.folder / RECORD, content)
        self._tidy()

    def _load(self) -> None:
        path = self.folder / RECORD
        content = read_json(path)
        try:
            if content["pass"] != self._number:  # of the pass before, which has ended
                shutil.rmtree(self.folder)
                self.folder.mkdir()
                return
            self._first, self.tokens, self._saved = content["batch"], content["tokens"], content["counts"]
            self._runs.restore(content)
        except (KeyError, TypeError) as problem:
            raise StreamvecError(f"{path}: written by another version of streamvec: remove {self.folder}") from problem
        counts = self.folder / self._saved["name"]
        if checksum_of(counts) != self._saved["checksum"]:
            raise StreamvecError(f"{counts}: damaged: remove {self.folder}, and this pass begins again")
        load_tensors(counts, {"counts": self.counts})

    def _tidy(self) -> None:
        """Removes what no record knows of."""
        known = self._runs.names | {RECORD, self._saved["name"]}
        for path in self.folder.iterdir():
            if path.name not in known:
                path.unlink()
