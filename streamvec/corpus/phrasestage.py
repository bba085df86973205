"""From words to phrases: the text becomes ids once, passes find phrases in them, and the vocabulary is chosen anew.

In phrases/ of a RUN, while it is prepared: words.arrow (words that can be in a phrase or in the vocabulary), ids/ (the
text as their numbers), pairs/ (the pass that is on), joins-N.arrow (what pass N found).
"""

import queue
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from streamvec.corpus.batchpieces import BatchPiece
from streamvec.corpus.counts import Counts
from streamvec.corpus.encoding import Encoding, Expected, words_counted
from streamvec.corpus.layout import IDS, PAIRS
from streamvec.corpus.phrasepasses import Pass
from streamvec.corpus.phrases import PhraseOptions, Phrases
from streamvec.corpus.pipeline import Progress
from streamvec.corpus.shardfiles import INDEX
from streamvec.corpus.shards import BATCH_TOKENS, MarkedShards
from streamvec.corpus.shardwriter import Ids
from streamvec.corpus.vocabulary import Vocabulary
from streamvec.errors import StreamvecError
from streamvec.kernels.phrases import renumber

NUMBERING = "numbering"
_FREQUENT, _EXAMPLES = 100, 3  # of so many most frequent phrases, so many that score highest are examples


def marked_encoding(folder: Path, words: Vocabulary) -> Encoding:
    """The making of ids/ of *folder*, in which rare words are marked."""
    counts = Counts.from_json(words.about["counts"])
    expected = Expected(counts.documents, counts.tokens + counts.dropped_long, words_counted(words))
    return Encoding(folder / IDS, words, counts, expected, MarkedShards)


def marked_ids(folder: Path) -> MarkedShards | None:
    """The finished ids/ of *folder*, if it is."""
    return MarkedShards.open(folder / IDS) if (folder / IDS / INDEX).exists() else None


def refuse_too_many(words: int, word_bytes: int, threads: int, room: int) -> None:
    """StreamvecError where what is held of each word, while phrases are found, is more than *room* bytes."""
    counts, text = 8 * words * (threads + 2), 3 * word_bytes  # of each thread, and all; words, and what looks them up
    held = counts + text
    if held > room:
        raise StreamvecError(
            f"finding phrases among {words:,} words holds {held / 1e6:,.0f} MB, and --memory leaves {room / 1e6:,.0f} "
            "MB: raise it, or both --phrase-min-count and --min-count, as words rarer than these are left out"
        )


class Finding:
    """Phrases of one corpus: found in *ids*, the ids of *words*, by passes as *options* say."""

    def __init__(self, folder: Path, words: Vocabulary, ids: MarkedShards, options: PhraseOptions) -> None:
        self.phrases = Phrases(folder, words.words)
        self._folder = folder
        self._words = words
        self._ids = ids
        self._options = options

    def run(
        self, room: Callable[[], int], threads: int, report: Callable[[Progress], None], stop: Callable[[], bool]
    ) -> None:
        """Makes the passes that are not made yet; Interrupted when *stop* says so.

        room: how many bytes there are for tables of pairs, asked before each pass.
        """
        in_text = int(np.count_nonzero(self._words.counts))  # an earlier training's words may not be in this text
        rare_words = self._words.about["distinct_words"] - in_text
        while len(self.phrases.joins) < self._options.passes and not self._is_exhausted():
            number = len(self.phrases.joins) + 1
            counting = Pass(self._folder / PAIRS, number, self._ids, self.phrases, paired=True)
            counting.run(f"phrases {number}", self._text_bytes(), room(), threads, report, stop)
            self.phrases.found(*counting.select(self._options, rare_words, stop))

    def _is_exhausted(self) -> bool:
        """Whether a pass found nothing: the next one would read the same."""
        return bool(self.phrases.joins) and not self.phrases.joins[-1].phrases.size

    def _text_bytes(self) -> int:
        return int(self._words.about["counts"]["bytes_read"])

    def vocabulary(
        self,
        min_count: int,
        max_vocab: int | None,
        threads: int,
        report: Callable[[Progress], None],
        stop: Callable[[], bool],
    ) -> tuple[Vocabulary, int]:
        """(words and phrases as they are after joining, chosen as `select` does; how often the most frequent one
        occurs); after `run`."""
        number = self._options.passes + 1
        counting = Pass(self._folder / PAIRS, number, self._ids, self.phrases, paired=False)
        counting.run("phrases counted", self._text_bytes(), 0, threads, report, stop)
        counts, words = counting.counts, self.phrases.words
        kept = np.flatnonzero(counts >= min_count)
        by_bytes = kept[pc.sort_indices(words.take(pa.array(kept))).to_numpy()]
        order = by_bytes[np.argsort(-counts[by_bytes], kind="stable")][:max_vocab]
        about = {**self._words.about, "min_count": min_count, "max_vocab": max_vocab}
        about["counts"] = {**about["counts"], "joined_tokens": self._ids.tokens - counting.tokens}
        vocabulary = Vocabulary(words.take(pa.array(order)), counts[order], about)
        about["phrases"] = self.found_in(vocabulary)
        return vocabulary, int(counts.max())

    def found_in(self, vocabulary: Vocabulary) -> dict[str, Any]:
        """What *vocabulary* says of its phrases: the options, how many they are, and some that tell."""
        scores = self.phrases.scores()
        made = np.flatnonzero(scores > -np.inf)
        ranks = vocabulary.index_of(self.phrases.words.take(pa.array(made)))
        order = np.argsort(ranks, kind="stable")[np.count_nonzero(ranks < 0) :]
        frequent = order[:_FREQUENT]
        telling = frequent[np.argsort(-scores[made[frequent]], kind="stable")][:_EXAMPLES]
        examples = vocabulary.words.take(pa.array(ranks[telling])).to_pylist()
        return {**self._options.to_json(), "found": int(order.size), "examples": examples}


class JoinedEncoder:
    """Gives the ids of a batch their numbers in the final vocabulary, phrases joined and rare words left out."""

    def __init__(self, phrases: Phrases, vocabulary: Vocabulary, threads: int) -> None:
        self._phrases = phrases
        self._numbers = vocabulary.index_of(phrases.words).astype(np.int32)
        self._rooms: queue.SimpleQueue[np.ndarray] = queue.SimpleQueue()
        for _ in range(threads):
            self._rooms.put(np.empty(2 * BATCH_TOKENS + 1, np.int32))

    def __call__(self, piece: BatchPiece) -> Ids:
        """The ids of *piece*; several threads may call at once."""
        flat = self._rooms.get()
        try:
            size = self._phrases.read(piece.batch, flat)
            ids = np.empty(size, np.int32)
            lengths = np.empty(piece.batch.offsets.size - 1, np.int32)
            count, documents = renumber(flat, size, self._numbers, ids, lengths)
        finally:
            self._rooms.put(flat)
        return Ids(ids[:count], lengths[: documents - piece.goes_on])


def joined_encoding(folder: Path, vocabulary: Vocabulary, ids: MarkedShards, place: str | None) -> Encoding:
    """The making of the final shards in *folder* out of marked ones."""
    counts = Counts.from_json(vocabulary.about["counts"])
    expected = Expected(ids.whole_documents, vocabulary.in_text)
    return Encoding(folder, vocabulary, counts, expected, place=place)
