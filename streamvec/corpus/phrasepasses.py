"""One pass over the ids of a corpus: neighbours are counted, and those that score high are phrases."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from streamvec.corpus.batchpieces import BatchPiece, batch_pieces, tell
from streamvec.corpus.crew import ThreadCrew
from streamvec.corpus.pairpass import PairPass
from streamvec.corpus.pairruns import PairCounter, merge
from streamvec.corpus.phrases import SCORES, PhraseOptions, Phrases
from streamvec.corpus.pipeline import Progress, read_ahead
from streamvec.corpus.shards import BATCH_TOKENS, MarkedShards
from streamvec.disk.reading import checksum_of
from streamvec.disk.tensors import fill_tensors, save_tensors
from streamvec.errors import Interrupted, StreamvecError
from streamvec.kernels.phrases import count_ids, neighbours, select_pairs

_ONE = np.ones(1, np.int64)


class _Worker:
    """What one thread fills."""

    def __init__(self, phrases: Phrases, counter: PairCounter | None, ids: int) -> None:
        self.counts = np.zeros(ids, np.int64)
        self._counter = counter
        self.tokens = 0
        self._phrases = phrases
        self._flat = np.empty(2 * BATCH_TOKENS + 1, np.int32)
        self._pairs = np.empty(BATCH_TOKENS, np.uint64)

    def take(self, piece: BatchPiece) -> None:
        size = self._phrases.read(piece.batch, self._flat)
        self.tokens += count_ids(self._flat, size, self.counts)
        if self._counter is not None:
            found = neighbours(self._flat, size, self._pairs)
            self._counter.add(self._pairs[:found], _ONE)

    def spill(self) -> None:
        if self._counter is not None:
            self._counter.spill()


class Pass(PairPass[BatchPiece]):
    """Pass *number* over *ids* with the joins of *phrases*, in a folder of its own; *paired*: neighbours count, too."""

    DOING = "finding phrases"

    def __init__(self, folder: Path, number: int, ids: MarkedShards, phrases: Phrases, paired: bool) -> None:
        self.counts = np.zeros(len(phrases.words), np.int64)  # int64[ids]
        self.tokens = 0  # rare ones too
        self._ids = ids
        self._phrases = phrases
        self._paired = paired
        self._saved = {"name": "", "checksum": ""}  # of the counts
        super().__init__(folder, {"pass": number})

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

        Threads of this process do, with a cluster too: each has counts of all words, which are absorbed here.
        table_bytes: for what all threads fill; text_bytes: of the corpus, for *report*.
        """
        each = (table_bytes - self.counts.nbytes * (threads + 1)) // threads - 16 * BATCH_TOKENS
        counters = [PairCounter(each, self.runs.keep) if self._paired else None for _ in range(threads)]
        self._workers = [_Worker(self._phrases, counter, self.counts.size) for counter in counters]
        pieces = read_ahead(batch_pieces(self._ids, self.first, text_bytes))
        told = tell(stage, report, self.first, self._ids, text_bytes)
        with ThreadCrew(self._workers) as crew:
            self.count(pieces, self._ids.batches, crew, told, stop)
        self._workers = []

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
        for pairs, sums in merge(self.runs.paths):
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

    def _absorb(self) -> None:
        for worker in self._workers:
            self.counts += worker.counts
            self.tokens += worker.tokens
            worker.counts[:], worker.tokens = 0, 0

    def _save(self, first: int) -> dict[str, Any]:
        name = f"counts-{first}.safetensors"
        self._saved = {"name": name, "checksum": save_tensors(self.folder / name, {"counts": self.counts})}
        return {"tokens": self.tokens, "counts": self._saved}

    def _restore(self, content: dict[str, Any]) -> None:
        self.tokens, self._saved = content["tokens"], content["counts"]
        counts = self.folder / self._saved["name"]
        if checksum_of(counts) != self._saved["checksum"]:
            raise StreamvecError(f"{counts}: damaged: remove {self.folder}, and this pass begins again")
        fill_tensors(counts, {"counts": self.counts})

    def _files(self) -> set[str]:
        return {self._saved["name"]}
