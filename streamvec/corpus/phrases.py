"""Phrases: which pairs of words are joined, pass after pass, and what the joined ones are called.

Ids are those of the words that phrases are found in, then those of phrases in the order they were found. A phrase that
is spelt like a word, or like another phrase, has its id: they are one word, and their counts add up.
"""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from streamvec.corpus.layout import joins_name
from streamvec.corpus.shards import TokenBatch
from streamvec.disk.arrow import ArrowWriter, read_batches, verify_arrow
from streamvec.errors import StreamvecError
from streamvec.kernels.pairs import add_pairs, new_pairs
from streamvec.kernels.phrases import LEFT, NPMI, RIGHT, WORD2VEC, flatten, join
from streamvec.kernels.wordtable import LONGEST

SCORES = {"word2vec": WORD2VEC, "npmi": NPMI}
_THRESHOLDS = {"word2vec": 10.0, "npmi": 0.5}
_ROWS = 1 << 16
_SCHEMA = pa.schema(
    [
        ("left", pa.int32()),
        ("right", pa.int32()),
        ("phrase", pa.int32()),
        ("word", pa.string()),
        ("count", pa.int64()),
        ("score", pa.float64()),
    ]
)


@dataclass(frozen=True)
class PhraseOptions:
    """How phrases are found: *passes* of them, 0 for none; a threshold of None is the score's usual one.

    Raises ValueError for a score that there is not, and numbers that can never be right.
    """

    passes: int = 0
    score: str = "word2vec"
    threshold: float | None = None
    min_count: int = 5

    def __post_init__(self) -> None:
        if self.passes < 0:
            raise ValueError(f"phrases must be at least 0, got {self.passes}")
        if self.score not in SCORES:
            raise ValueError(f"phrase_score must be one of {', '.join(SCORES)}, got {self.score!r}")
        if self.min_count < 1:
            raise ValueError(f"phrase_min_count must be at least 1, got {self.min_count}")
        if self.score == "word2vec" and not 0 < self.above < np.inf:
            raise ValueError(f"phrase_threshold must be above 0 with the score word2vec, got {self.above}")
        if self.score == "npmi" and not -1 <= self.above <= 1:
            raise ValueError(f"phrase_threshold must be in -1 to 1 with the score npmi, got {self.above}")

    @property
    def above(self) -> float:
        """The score that a phrase must exceed."""
        return _THRESHOLDS[self.score] if self.threshold is None else self.threshold

    def to_json(self) -> dict[str, Any]:
        """What the phrases of a corpus depend on."""
        return {**asdict(self), "threshold": self.above}


class Joins:
    """The pairs that one pass joins."""

    def __init__(self, pairs: np.ndarray, phrases: np.ndarray, scores: np.ndarray, ids: int) -> None:
        """pairs: uint64[n], different ones, of *ids* ids; phrases: int64[n], the id of each; scores: float64[n]."""
        self.phrases, self.scores = phrases, scores
        self._table = new_pairs(max(16, 2 * pairs.size))
        add_pairs(self._table, pairs, phrases + 1, 0, pairs.size)
        self._roles = np.zeros(ids, np.uint8)
        self._roles[(pairs >> np.uint64(32)).astype(np.int64)] |= LEFT
        self._roles[(pairs & np.uint64(0xFFFFFFFF)).astype(np.int64)] |= RIGHT

    def apply(self, flat: np.ndarray, size: int) -> int:
        """Joins in flat[:size] from left to right; returns the new size."""
        return join(flat, size, self._table.slots, self._roles)


class Phrases:
    """All words and phrases known so far, and the joins of the passes that are done, in a folder of files."""

    def __init__(self, folder: Path, words: pa.LargeStringArray) -> None:
        self.words = words  # [ids]
        self.joins: list[Joins] = []
        self._folder = folder
        while (path := folder / joins_name(len(self.joins) + 1)).exists():
            self._add(_read(path))

    def read(self, batch: TokenBatch, flat: np.ndarray) -> int:
        """Writes the ids of *batch* to *flat* with all joins made; returns how many places that takes."""
        size = flatten(batch.values, batch.offsets, flat)
        for joins in self.joins:
            size = joins.apply(flat, size)
        return size

    def found(self, pairs: np.ndarray, sums: np.ndarray, scores: np.ndarray) -> None:
        """Takes the phrases of one more pass, given by rising pair, and writes them; StreamvecError for a full disk."""
        left, right = (pairs >> np.uint64(32)).astype(np.int64), (pairs & np.uint64(0xFFFFFFFF)).astype(np.int64)
        two = self.words.take(pa.array(left)), self.words.take(pa.array(right))
        words = pc.binary_join_element_wise(*two, pa.scalar("_", pa.large_string()))
        short = pc.less_equal(pc.binary_length(words), LONGEST).to_numpy(zero_copy_only=False).astype(bool)
        left, right, sums, scores = left[short], right[short], sums[short], scores[short]
        words = words.filter(pa.array(short))
        known = pc.index_in(words, value_set=self.words).fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
        new = words.filter(pa.array(known < 0)).dictionary_encode()
        known[known < 0] = len(self.words) + new.indices.to_numpy().astype(np.int64)
        with ArrowWriter(self._folder / joins_name(len(self.joins) + 1), _SCHEMA) as writer:
            for start in range(0, left.size, _ROWS):
                rows = slice(start, start + _ROWS)
                ids = (pa.array(ids[rows].astype(np.int32)) for ids in (left, right, known))
                text = words.slice(start, _ROWS).cast(pa.string())
                columns = [*ids, text, pa.array(sums[rows]), pa.array(scores[rows])]
                writer.write(pa.record_batch(columns, schema=_SCHEMA))
        names = ["left", "right", "phrase", "word", "score"]
        self._add(pa.table([left, right, known, words, scores], names=names))

    def scores(self) -> np.ndarray:
        """The highest score of what was joined to each id, float64[ids]; -inf for one that is a word only."""
        best = np.full(len(self.words), -np.inf)
        for joins in self.joins:
            np.maximum.at(best, joins.phrases, joins.scores)
        return best

    def _add(self, table: pa.Table) -> None:
        left, right, phrases = (table.column(name).to_numpy().astype(np.int64) for name in ("left", "right", "phrase"))
        if left.size and not (
            min(left.min(), right.min(), phrases.min()) >= 0 and max(left.max(), right.max()) < len(self.words)
        ):
            raise StreamvecError(
                f"{self._folder}: damaged: phrases of words that there are not: prepare the text again"
            )
        pairs = left.astype(np.uint64) << np.uint64(32) | right.astype(np.uint64)
        self.joins.append(Joins(pairs, phrases, table.column("score").to_numpy(), len(self.words)))
        # each new phrase once, where its id comes first
        ids, first = np.unique(phrases, return_index=True)
        words = table.column("word").combine_chunks().cast(pa.large_string())
        self.words = pa.concat_arrays([self.words, words.take(pa.array(first[ids >= len(self.words)]))])


def _read(path: Path) -> pa.Table:
    verify_arrow(path)
    return pa.Table.from_batches(list(read_batches(path, mapped=False)), _SCHEMA)
