"""How many words a whole corpus has, told from a sample of it.

A word occurs min_count times in N tokens when its rate is about min_count / N; so a sample of n tokens, in which rates
down to 1 / n show, tells how many words a corpus of up to min_count times its size has. Beyond that the growth that the
sample itself shows is prolonged, and bends as it did there (Heaps' law with a falling exponent).
"""

import math
from bisect import bisect_right
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from streamvec.corpus.tokens import Tokenizer
from streamvec.corpus.vocabulary import word_bytes
from streamvec.kernels.scan import new_spans
from streamvec.kernels.wordtable import NUMBER, PLACE, PREFIX, WordTable, encode_tokens, find_words


class Known(NamedTuple):
    """What is told of the vocabulary of a whole corpus."""

    words: int
    tokens: int  # of these words in the corpus
    word_bytes: float  # mean length of a word


@dataclass
class Sample:
    """A corpus seen in part, or whole."""

    tokenizer: Tokenizer
    text_bytes: int  # of the whole corpus: an estimate, unless the sample is the whole
    stored_bytes: int | None = None
    sampled_bytes: int = 0
    is_whole: bool = False
    tokens: int = 0  # in the sample, as the next ones
    documents: int = 0
    read_seconds: float = 0.0
    count_seconds: float = 0.0  # of one thread
    growth: list[tuple[int, int]] = field(default_factory=list)  # (tokens, different words) on the way
    counts: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))  # int64[words], falling
    sizes: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))  # int64[words]: bytes of each
    texts: list[np.ndarray] = field(default_factory=list)  # uint8[n]: some of it, as the kernels take it
    table: WordTable | None = None  # words to ranks

    @property
    def is_python(self) -> bool:
        """Whether tokens are found by code that only one thread runs at a time."""
        return self.tokenizer.kind == "regex"

    @property
    def scale(self) -> float:
        """How many times the sample the whole corpus is."""
        return 1.0 if self.is_whole else max(1.0, self.text_bytes / max(1, self.sampled_bytes))

    def all_tokens(self) -> int:
        """Tokens of the whole corpus."""
        return round(self.tokens * self.scale)

    def all_documents(self) -> int:
        """Documents of the whole corpus."""
        return round(self.documents * self.scale)

    def words(self, tokens: float, min_count: float = 1) -> float:
        """How many different words occur *min_count* times in *tokens* tokens of this corpus."""
        times, words = self._equal(tokens, min_count)
        if times < 1:
            return min(tokens, words)
        low = int(times)
        few, more = max(1, self._at_least(low + 1)), max(1, self._at_least(low))
        return float(more * (few / more) ** (times - low))

    def vocabulary(self, min_count: int, max_vocab: int | None) -> Known:
        """The vocabulary that the whole corpus will have; no word at all is possible."""
        total = self.all_tokens()
        if self.is_whole:
            number: float = self._at_least(min_count)
        else:
            number = self.words(total, min_count) if self.tokens else 0
        times = float(min_count) if self.is_whole else max(1.0, self._equal(total, min_count)[0])
        rare = self._rare_tokens(times) / max(1, self.tokens)
        shown = self._at_least(round(times))
        if max_vocab is not None and number > max_vocab:
            number, shown = max_vocab, min(shown, max_vocab)
            rare = max(rare, 1 - float(self.counts[:max_vocab].sum()) / max(1, self.tokens))
        mean = float(self.sizes[:shown].mean()) if shown else 0.0
        return Known(round(number), round(total * (1 - rare)), mean)

    def ids(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """(ids by rank in the sample int32[n], lengths of documents int32[documents]) of the texts kept."""
        found, spans = [], new_spans()
        for data in self.texts:
            ids, lengths = np.empty(data.size + 1, np.int32), np.empty(data.size + 1, np.int32)
            number, documents = encode_tokens(self.table, self.tokenizer.alphabet, data, False, spans, ids, lengths)
            found.append((ids[:number].copy(), lengths[:documents].copy()))
        return found

    def among(self, words: pa.LargeStringArray) -> np.ndarray:
        """bool[words of the sample]: which of them, by rank, are among *words*."""
        marks = np.zeros(self.counts.size, bool)
        if self.table is not None and len(words):
            numbers = np.empty(len(words), np.int64)
            find_words(self.table, *word_bytes(words), numbers)
            marks[numbers[numbers >= 0]] = True
        return marks

    def word_bytes(self, most: int) -> tuple[np.ndarray, np.ndarray]:
        """The *most* most frequent words of the sample end to end, uint8, and where each begins and the last ends."""
        if self.table is None:
            return np.zeros(0, np.uint8), np.zeros(1, np.int64)
        used = self.table.slots[self.table.slots[:, PLACE] > 0]
        chosen = used[np.argsort(used[:, NUMBER])[:most]]
        sizes = (chosen[:, PLACE] & np.uint64(1023)).astype(np.int64)
        offsets = np.concatenate([[0], np.cumsum(sizes)])
        begins = (chosen[:, PLACE] >> np.uint64(10)).astype(np.int64)
        short = np.ascontiguousarray(chosen[:, PREFIX]).view(np.uint8)  # words of up to 8 bytes are in their slot
        inside = np.arange(offsets[-1]) - np.repeat(offsets[:-1], sizes)
        is_short = np.repeat(sizes <= 8, sizes)
        content = np.empty(offsets[-1], np.uint8)
        content[is_short] = short[(8 * np.repeat(np.arange(len(chosen)), sizes) + inside)[is_short]]
        content[~is_short] = self.table.arena[(np.repeat(begins, sizes) + inside)[~is_short]]
        content.flags.writeable = False  # as those of a vocabulary are
        return content, offsets

    def _equal(self, tokens: float, min_count: float) -> tuple[float, float]:
        """How often a word occurs in the sample that occurs *min_count* times in *tokens*; where that is below once, 0
        and how many words there are."""
        times, words = 0.0, 0.0
        slope = self._slope(1)
        for _ in range(4):  # the place depends on the slope there
            wanted = _place(min_count, slope) * self.tokens / max(1.0, tokens)
            first = _place(1, slope)
            if wanted < first:
                grown, slope = self._grown(first / wanted)
                times, words = 0.0, self._at_least(1) * grown
            else:
                times = _times(wanted, slope)
                slope = self._slope(round(times))
        return times, words

    def _slope(self, times: int) -> float:
        """The slope of the logarithm of how many words occur *times* times over that of the tokens, at the sample."""
        words = self._at_least(times)
        return min(0.97, max(0.02, times * (words - self._at_least(times + 1)) / max(1, words)))

    def _at_least(self, times: int) -> int:
        return int(np.searchsorted(-self.counts, -times, side="right"))

    def _rare_tokens(self, times: float) -> float:
        low = int(times)
        below = [float(self.counts[self._at_least(step) :].sum()) for step in (low, low + 1)]
        return below[0] + (below[1] - below[0]) * (times - low)

    def _grown(self, factor: float) -> tuple[float, float]:
        """How many times more words a text *factor* times as long as the sample has, and the slope there."""
        points = self.growth[-5:]
        slopes = [
            math.log(later[1] / earlier[1]) / math.log(later[0] / earlier[0]) for earlier, later in pairwise(points)
        ] or [self._slope(1)]
        half = max(1, len(slopes) // 2)
        late, early = float(np.mean(slopes[-half:])), float(np.mean(slopes[:half]))
        bend = min(1.0, max(0.9, (late / max(early, 1e-9)) ** (1 / half)))  # a doubling's slope to the one before
        grown, left, slope = 0.0, math.log2(factor), min(1.0, late)
        while left > 0:
            slope *= bend
            grown += slope * min(1.0, left)
            left -= 1
        return 2**grown, max(0.02, min(0.97, slope))


def _place(times: float, slope: float) -> float:
    """The rate r, in words a sample, with as many words of rate r and more as occur *times* times in the sample.

    Of words by a power law with exponent b (Zipf), sum P(Poisson(rate) >= k) = r^-b, r^-b = gamma(k - b) / gamma(k).
    """
    return math.exp((math.lgamma(times) - math.lgamma(times - slope)) / slope)


def _times(place: float, slope: float) -> float:
    """The inverse of _place, logarithmic between whole numbers; at least 1."""
    above = 2
    while _place(above, slope) <= place:
        above *= 2
    times = bisect_right(range(1, above), place, key=lambda times: _place(times, slope))
    times = max(1, times)  # the last whole number whose place is not above
    low, high = math.log(_place(times, slope)), math.log(_place(times + 1, slope))
    return max(1.0, times + (math.log(place) - low) / (high - low))
