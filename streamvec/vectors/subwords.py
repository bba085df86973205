"""Vectors made of n-grams: a word is the mean of its own row and the rows of its n-grams, added up when asked.

Nothing is added up that nobody looks at, and no more than a gigabyte of the sums is kept: a model is as large as its
mapped file, whatever the memory.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from streamvec.errors import StreamvecError
from streamvec.vectors.blocks import Block, Notes, decoded
from streamvec.vectors.ngrams import ngrams_of
from streamvec.vectors.store import Chunk, Vectors, norms_of, raw_words

ROWS = 4096  # words of a chunk
HELD = 1 << 30  # bytes of sums that are kept for the next look-up; the others are added up again
_END_OF_LINE = b"</s>"  # has no n-grams


class NGramSettings(NamedTuple):
    """What a look-up needs to know: numbers a row, lengths of n-grams, buckets they are hashed into."""

    dim: int
    minn: int
    maxn: int
    bucket: int


class SubwordVectors:
    """The words of a model, and the means that stand for them and for words it has not seen."""

    def __init__(
        self,
        path: Path,
        settings: NGramSettings,
        raw: list[pa.BinaryArray],
        counts: list[np.ndarray],
        matrix: np.ndarray,
    ) -> None:
        self.path = path
        self.settings = settings
        self.raw = raw  # the words as bytes, a chunk at a time
        self.counts = counts
        self.words = sum(len(column) for column in raw)
        self._matrix = matrix  # uint8[words + bucket, 4 * dim]: float32 that may not be aligned
        self._held: dict[int, tuple[np.ndarray, np.ndarray]] = {}
        self._last: tuple[int, tuple[np.ndarray, np.ndarray]] | None = None

    def vectors(self, notes: Notes) -> Vectors:
        """The words by rank as chunks that are summed when they are looked at."""
        chunks: list[Chunk] = [
            SummedChunk(self, number, decoded(raw, notes), counts)
            for number, (raw, counts) in enumerate(zip(self.raw, self.counts, strict=True))
        ]
        about = {"imported_from": self.path.name, "format": "fasttext-bin", **self.settings._asdict()}
        return Vectors(chunks, self.settings.dim, about)

    def blocks(self, notes: Notes) -> Iterator[Block]:
        """The words and their vectors, some thousands at a time; nothing is kept."""
        for number, raw in enumerate(self.raw):
            ranks = np.arange(number * ROWS, number * ROWS + len(raw))
            yield Block(decoded(raw, notes), self.means(raw, ranks), self.counts[number])

    def chunk(self, number: int) -> tuple[np.ndarray, np.ndarray]:
        """(vectors float32[n, dim], norms float32[n]) of chunk *number*; the first gigabyte of them is kept."""
        if number in self._held:
            return self._held[number]
        if self._last is None or self._last[0] != number:
            raw = self.raw[number]
            vectors = self.means(raw, np.arange(number * ROWS, number * ROWS + len(raw)))
            self._last = number, (vectors, norms_of(vectors))
            size = vectors.nbytes
            if (len(self._held) + 1) * size <= HELD:
                self._held[number] = self._last[1]
        return self._last[1]

    def rows(self, ranks: np.ndarray) -> np.ndarray:
        """float32[n, dim]: the vectors of the words of those ranks."""
        out = np.empty((len(ranks), self.settings.dim), np.float32)
        for start in range(0, len(ranks), ROWS):
            some = np.asarray(ranks[start : start + ROWS], np.int64)
            raw = [self.raw[rank // ROWS][rank % ROWS].as_py() for rank in some.tolist()]
            out[start : start + ROWS] = self.means(pa.array(raw, pa.binary()), some)
        return out

    def unseen(self, word: str) -> np.ndarray | None:
        """float32[dim]: the mean of the rows of the n-grams of a word without a row; None when it has no n-grams."""
        raw = pa.array([word.encode("utf-8", "surrogatepass")], pa.binary())
        buckets = ngrams_of(*raw_words(raw), *self.settings[1:]).buckets
        if not len(buckets):
            return None
        mean = self._mean(buckets + self.words, np.array([len(buckets)]))[0]
        self._check(mean[None, :], raw)
        return mean

    def means(self, raw: pa.BinaryArray, ranks: np.ndarray) -> np.ndarray:
        """float32[n, dim] of the words of those ranks."""
        buckets, counts = ngrams_of(*raw_words(raw), *self.settings[1:])
        bare = np.flatnonzero([word == _END_OF_LINE for word in raw.to_pylist()])
        if len(bare):
            buckets = buckets[~np.isin(np.repeat(np.arange(len(raw)), counts), bare)]
            counts[bare] = 0
        counts += 1
        starts = np.cumsum(counts) - counts
        own = np.zeros(int(counts.sum()), bool)
        own[starts] = True  # the word's own row comes first
        places = np.empty(len(own), np.int64)
        places[own], places[~own] = ranks, buckets + self.words
        means = self._mean(places, counts)
        self._check(means, raw)
        return means

    def _mean(self, places: np.ndarray, counts: np.ndarray) -> np.ndarray:
        """float32[n, dim]: the mean of each next counts[i] rows.

        They are added one after another in float32, as fastText's getWordVector does: the same bits.
        """
        order = np.argsort(-counts, kind="stable")
        starts = (np.cumsum(counts) - counts)[order]
        falling = counts[order]
        sums = np.zeros((len(counts), self.settings.dim), np.float32)
        for place in range(int(falling[0]) if len(falling) else 0):
            some = int(np.searchsorted(-falling, -place, "left"))  # words with more rows than that
            with np.errstate(over="ignore", invalid="ignore"):  # damage, which _check tells
                sums[:some] += np.take(self._matrix, places[starts[:some] + place], axis=0).view("<f4")
        sums *= (1.0 / falling).astype(np.float32)[:, None]
        means = np.empty_like(sums)
        means[order] = sums
        return means

    def _check(self, vectors: np.ndarray, raw: pa.BinaryArray) -> None:
        if not np.isfinite(vectors).all():
            row = int(np.flatnonzero(~np.isfinite(vectors).all(axis=1))[0])
            word = raw[row].as_py().decode("utf-8", "replace")
            raise StreamvecError(
                f"{self.path}: the vector of {word!r} holds NaN or infinity: fetch it or train it again"
            )


class SummedChunk(Chunk):
    """A chunk of such a model: its vectors and norms are computed when they are asked for."""

    _model: SubwordVectors
    _number: int

    def __new__(cls, model: SubwordVectors, number: int, words: pa.StringArray, counts: np.ndarray) -> "SummedChunk":
        nothing = np.empty(0, np.float32)
        made = super().__new__(cls, words, counts, nothing, nothing)
        made._model, made._number = model, number
        return made

    @property
    def vectors(self) -> np.ndarray:
        """float32[n, dim]."""
        return self._model.chunk(self._number)[0]

    @property
    def norms(self) -> np.ndarray:
        """float32[n]."""
        return self._model.chunk(self._number)[1]

    def __iter__(self) -> Iterator[object]:
        return iter((self.words, self.counts, self.vectors, self.norms))
