"""Vectors of sentences: the mean of their words' vectors, in which frequent words count little.

A word's weight is a / (a + p(word)), p being its share of the corpus and a the *smoothing*: smooth inverse frequency
(SIF) of Arora, Liang and Ma, A Simple but Tough-to-Beat Baseline for Sentence Embeddings (2017). The first principal
component, which they then take away, would need all sentences at once; here every line stands by itself, however
many there are.
"""

import functools
import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from streamvec.vectors.keyedvectors import KeyedVectors
from streamvec.vectors.linetokens import LineTokenizer
from streamvec.vectors.neighbours import unit_rows
from streamvec.vectors.words import UnknownWord

WEIGHTINGS = ("sif", "mean")
_NUMBERS = 1 << 17  # numbers added up at once: 1 MB of float64
_REMEMBERED = 1 << 16  # words whose rank and weight are remembered
_UNKNOWN, _COMPOSED = -1, -2  # instead of a rank
_EULER = 0.5772156649015329


class Embedded(NamedTuple):
    """The vectors float32[n, dim] of n lines; of how many words each is made, and how many were left out (int64[n])."""

    vectors: np.ndarray
    known: np.ndarray
    unknown: np.ndarray
    composed: np.ndarray  # those among the known that n-grams stand for


class SentenceVectors:
    """Turns lines of text into vectors of the space that the words of *vectors* are in.

    weighting: "sif", or "mean" in which all words count the same. smoothing: the a of SIF, above 0; the smaller it is,
    the less frequent words count. normalize: vectors of length 1. Lines are divided as the text was that the vectors
    were trained with; where they do not say, at what is no letter, digit, mark or underscore, and a word is looked for
    as it is, then in lower case. Where they have no counts, a word's share is taken from its rank by Zipf's law, as if
    words went by falling frequency. ``notes`` says what was supposed. ValueError for what can never be right.
    """

    def __init__(
        self, vectors: KeyedVectors, weighting: str = "sif", smoothing: float = 1e-3, normalize: bool = False
    ) -> None:
        if weighting not in WEIGHTINGS:
            raise ValueError(f"weighting must be {' or '.join(WEIGHTINGS)}, got {weighting!r}")
        if not 0 < smoothing < math.inf:
            raise ValueError(f"smoothing must be above 0 and finite, got {smoothing}")
        self.vectors = vectors
        self.weighting, self.smoothing, self.normalize = weighting, smoothing, normalize
        self.notes: list[str] = []
        stated = LineTokenizer.of(vectors.info)
        self._tokenizer = stated or LineTokenizer(keep_case=True)
        self._try_lower_case = stated is None
        self._counts = [chunk.counts for chunk in vectors.chunks()]
        self._starts = np.cumsum([0, *map(len, self._counts)])
        self._total = sum(int(counts.sum()) for counts in self._counts)
        if weighting == "sif" and not self._total:
            self.notes.append(
                f"{vectors.name} has no counts of its words: their frequencies are taken from their ranks (Zipf's "
                "law), as if the file went by falling frequency; --weighting mean does without"
            )
        # caches of this object, not of the class: each dies with it
        self._found = functools.lru_cache(_REMEMBERED)(self._find)
        self._made = functools.lru_cache(_REMEMBERED >> 4)(self._compose)

    def embed(self, lines: Sequence[str]) -> Embedded:
        """The vectors of *lines*, a row a line; a line without a known word has zeros.

        Each is the sum of weight x vector over the line's known words, divided by how many these are; words come as
        often as they stand there. Sums are made in float64, and depend on nothing but the line.
        """
        words = [self._joined(tokens) for tokens in self._tokenizer.tokens(lines)]
        known = [[word for word in line if self._found(word)[0] != _UNKNOWN] for line in words]
        sizes = np.fromiter(map(len, known), np.int64, len(lines))
        composed = [sum(self._found(word)[0] == _COMPOSED for word in line) for line in known]
        sums = np.zeros((len(lines), self.vectors.dim))
        for start, stop in self._groups(sizes):
            sums[start:stop] = self._sums(known[start:stop])
        means = sums / np.maximum(sizes, 1)[:, None]
        vectors = (unit_rows(means) if self.normalize else means).astype(np.float32)
        unknown = np.fromiter(map(len, words), np.int64, len(lines)) - sizes
        return Embedded(vectors, sizes, unknown, np.array(composed, np.int64))

    def weight(self, word: str) -> float:
        """How much *word* counts, above 0 and at most 1; 0 for a word that is not known."""
        return self._found(word)[1]

    def _joined(self, tokens: list[str]) -> list[str]:
        """The tokens with phrases of the vocabulary joined, from left to right in each pass, as in training."""
        for _ in range(self._tokenizer.phrases):
            joined: list[str] = []
            place = 0
            while place < len(tokens):
                phrase = "_".join(tokens[place : place + 2])
                whole = place + 1 < len(tokens) and self._found(phrase)[0] >= 0
                joined.append(phrase if whole else tokens[place])
                place += 2 if whole else 1
            if len(joined) == len(tokens):
                break
            tokens = joined
        return tokens

    def _find(self, word: str) -> tuple[int, float]:
        """(rank, weight) of a word; instead of a rank, whether n-grams stand for it or nothing does."""
        rank = self.vectors.words.rank(word)
        if rank < 0 and self._try_lower_case:
            rank = self.vectors.words.rank(word.lower())
        if rank < 0:
            return (_UNKNOWN, 0.0) if self._made(word) is None else (_COMPOSED, 1.0)
        return rank, 1.0 if self.weighting == "mean" else self.smoothing / (self.smoothing + self._share(rank))

    def _compose(self, word: str) -> np.ndarray | None:
        try:
            return self.vectors.composed(word)
        except UnknownWord:  # the file of the n-grams is not beside that of the words
            return None

    def _share(self, rank: int) -> float:
        """p(word): of all words of the corpus, or by Zipf's law 1 / (place x the sum of 1 / place over all)."""
        if not self._total:
            size = len(self.vectors)
            return 1.0 / ((rank + 1) * (math.log(size) + _EULER + 0.5 / size))
        number = int(np.searchsorted(self._starts, rank, "right")) - 1
        return float(self._counts[number][rank - self._starts[number]]) / self._total

    @property
    def _step(self) -> int:
        return max(1, _NUMBERS // self.vectors.dim)

    def _groups(self, sizes: np.ndarray) -> Iterator[tuple[int, int]]:
        """Stretches of lines that have few enough words together; a longer line is one by itself."""
        start, held = 0, 0
        for place, size in enumerate(sizes.tolist()):
            if place > start and held + size > self._step:
                yield start, place
                start, held = place, 0
            held += size
        if start < len(sizes):
            yield start, len(sizes)

    def _sums(self, lines: list[list[str]]) -> np.ndarray:
        """float64[n, dim]: the weighted sums of lines of known words."""
        sums = np.zeros((len(lines), self.vectors.dim))
        if len(lines) == 1:  # perhaps a very long one: the pieces depend on this line alone
            pieces = [lines[0][start : start + self._step] for start in range(0, len(lines[0]), self._step)]
            for piece in pieces:
                rows = self._weighted(piece)
                sums[0] += np.add.reduceat(rows, [0], axis=0)[0]
            return sums
        sizes = np.fromiter(map(len, lines), np.int64, len(lines))
        full = np.flatnonzero(sizes)
        if len(full):
            starts = (np.cumsum(sizes) - sizes)[full]
            sums[full] = np.add.reduceat(self._weighted([word for line in lines for word in line]), starts, axis=0)
        return sums

    def _weighted(self, words: list[str]) -> np.ndarray:
        """float64[n, dim]: weight x vector of each known word; each different one is looked up once."""
        places: dict[str, int] = {}
        order = [places.setdefault(word, len(places)) for word in words]
        ranks, weights = (np.array(column) for column in zip(*map(self._found, places), strict=True))
        rows = np.empty((len(places), self.vectors.dim))
        for word, place in places.items():
            if ranks[place] == _COMPOSED:
                rows[place] = self._made(word)
        rows[ranks >= 0] = self.vectors.rows(ranks[ranks >= 0])
        weighted: np.ndarray = (rows * weights[:, None])[order]
        return weighted
