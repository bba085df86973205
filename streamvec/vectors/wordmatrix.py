"""A vocabulary and its matrix, read-only: words by rank, and their rows, held as chunks that may be mapped."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, Self, overload

import numpy as np
import pyarrow as pa

from streamvec.errors import StreamvecError
from streamvec.vectors.ngramfile import StoredNGrams
from streamvec.vectors.store import ROWS, Chunk, Vectors, VectorsWriter, norms_of, word_array
from streamvec.vectors.words import UnknownWord, Words


class Subwords(Protocol):
    """What makes vectors of words never seen from those of their n-grams."""

    def unseen(self, word: str) -> np.ndarray | None:
        """float32[dim] of a word that has no rank; None when it has no n-grams."""


class WordMatrix:
    """A vocabulary of V words by rank and a matrix float32[V, dim], held as chunks of neighbouring rows.

    An unknown word raises UnknownWord, which is a KeyError and a StreamvecError and carries suggestions; where a model
    has n-grams it is answered by them, though it is not ``in`` the vocabulary and has no rank.
    """

    def __init__(
        self,
        vectors: Vectors,
        name: str = "these vectors",
        notes: Sequence[str] = (),
        subwords: Subwords | None = None,
        rows: Callable[[np.ndarray], np.ndarray] | None = None,
    ) -> None:
        """rows: float32[n, dim] of ranks int64[n], where making single rows is less work than looking at chunks."""
        self.dim = vectors.dim
        self.info = vectors.info  # how they were made
        self.dtype = vectors.dtype  # how numbers are stored: float32, float16 or int8; all answers are of float32
        self.file = vectors.file  # the vectors.arrow that is mapped, if one is
        self.checksum = vectors.checksum  # that this file states of itself
        self.name = name
        self.notes = list(notes)  # what a reader of a foreign file left out or changed, a sentence each
        self._subwords = subwords
        self._rows = rows
        self._chunks = vectors.chunks
        self._starts = np.cumsum([0, *(len(chunk.words) for chunk in self._chunks)])
        self.words = Words([chunk.words for chunk in self._chunks])

    @classmethod
    def from_arrays(
        cls,
        words: pa.StringArray | pa.ChunkedArray | Sequence[str],
        vectors: np.ndarray,
        counts: np.ndarray | None = None,
        info: Mapping[str, Any] | None = None,
    ) -> Self:
        """In memory: distinct words[V], float[V, dim] (held as it is when float32 in C order), counts int64[V]."""
        array = word_array(words)
        matrix = np.ascontiguousarray(vectors, np.float32)
        if matrix.ndim != 2 or len(matrix) != len(array):
            raise ValueError(f"vectors must be of shape ({len(array)}, dim), got {vectors.shape}")
        many = np.zeros(len(array), np.int64) if counts is None else np.asarray(counts, np.int64)
        chunks = []
        for start in range(0, len(array), ROWS):
            some = slice(start, start + ROWS)
            chunks.append(Chunk(array[some], many[some], matrix[some], norms_of(matrix[some])))
        return cls(Vectors(chunks, matrix.shape[1], dict(info or {})))

    def save(self, path: Path | str, dtype: str | None = None) -> str:
        """Writes vectors.arrow, whole or not at all, replacing what is there; returns its checksum.

        dtype: float32, float16 or int8; without it they stay as they are stored. The n-grams of a model of streamvec's
        are copied beside it, those of a fastText model are left behind.
        """
        with VectorsWriter(Path(path), self.dim, self.info, dtype or self.dtype) as writer:
            for chunk in self._chunks:
                writer.write(chunk.words, chunk.vectors, chunk.counts)
            if isinstance(self._subwords, StoredNGrams):
                self._subwords.save(Path(path))
        return writer.checksum

    def __len__(self) -> int:
        return len(self.words)

    def __contains__(self, word: object) -> bool:
        return word in self.words

    def __repr__(self) -> str:
        return f"{type(self).__name__}({len(self)} words, dim {self.dim}, from {self.name})"

    @overload
    def __getitem__(self, words: str) -> np.ndarray: ...
    @overload
    def __getitem__(self, words: Sequence[str]) -> np.ndarray: ...
    def __getitem__(self, words: str | Sequence[str]) -> np.ndarray:
        """float32[dim] of a word, or float32[n, dim] of a list of words."""
        return self.get_vector(words) if isinstance(words, str) else self.vectors_of(words)[0]

    @property
    def has_ngrams(self) -> bool:
        """Whether words that are not in the vocabulary are answered by their n-grams."""
        return self._subwords is not None

    def get_vector(self, word: str) -> np.ndarray:
        """float32[dim] of *word*, by its n-grams where it has no rank; UnknownWord when there is neither."""
        rank = self.words.rank(word)
        return self.row(rank) if rank >= 0 else self._unseen(word)

    def composed(self, word: str) -> np.ndarray | None:
        """float32[dim] of a word that has no rank, made of its n-grams; None where there is nothing to make it of."""
        return self._subwords.unseen(word) if self._subwords else None

    def _unseen(self, word: str) -> np.ndarray:
        vector = self.composed(word)
        if vector is None:
            raise UnknownWord(word, self.name, self.words.suggest(word))
        return vector

    def vectors_of(self, words: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """(``get_vector`` of each float32[n, dim], ranks int64[n], -1 for what has none)."""
        ranks = self.words.ranks(words)
        out = np.empty((len(ranks), self.dim), np.float32)
        for place in np.flatnonzero(ranks < 0).tolist():
            out[place] = self._unseen(words[place])
        out[ranks >= 0] = self.rows(ranks[ranks >= 0])
        return out, ranks

    def get_index(self, word: str) -> int:
        """The rank of *word*; UnknownWord when there is none: n-grams give a vector, but no rank."""
        rank = self.words.rank(word)
        if rank < 0:
            raise UnknownWord(word, self.name, self.words.suggest(word))
        return rank

    def row(self, rank: int) -> np.ndarray:
        """float32[dim]: the vector of that rank, a read-only view where the file is mapped."""
        if self._rows:
            made: np.ndarray = self._rows(np.array([rank]))[0]
            return made
        number = int(np.searchsorted(self._starts, rank, "right")) - 1
        found: np.ndarray = self._chunks[number].vectors[rank - int(self._starts[number])]
        self._check(found[None, :], [rank])
        return found

    def rows(self, ranks: np.ndarray) -> np.ndarray:
        """float32[n, dim]: a copy of the vectors of those ranks."""
        if self._rows:
            return self._rows(ranks)
        out = np.empty((len(ranks), self.dim), np.float32)
        numbers = np.searchsorted(self._starts, ranks, "right") - 1
        for number in np.unique(numbers):
            here = numbers == number
            out[here] = self._chunks[number].vectors[np.asarray(ranks)[here] - self._starts[number]]
        self._check(out, ranks)
        return out

    def _check(self, rows: np.ndarray, ranks: Sequence[int] | np.ndarray) -> None:
        """Nothing that streamvec writes or reads in full holds a NaN: a mapped row that does was damaged since."""
        fine = np.isfinite(rows).all(axis=1)
        if not fine.all():
            word = self.words[int(ranks[int(np.flatnonzero(~fine)[0])])]
            raise StreamvecError(f"{self.name}: the vector of {word!r} holds NaN or infinity: run streamvec verify")

    def chunks(self) -> Iterator[Chunk]:
        """The rows in the order of rank, as (words, counts, vectors, norms) of at most some ten thousands at a time."""
        yield from self._chunks

    @property
    def counts(self) -> np.ndarray:
        """int64[V]: how often each word was seen; 0 where the file did not say."""
        return _joined([chunk.counts for chunk in self._chunks], np.int64)

    @property
    def norms(self) -> np.ndarray:
        """float32[V]: Euclidean norms."""
        return _joined([chunk.norms for chunk in self._chunks], np.float32)

    @property
    def vectors(self) -> np.ndarray:
        """float32[V, dim]: all vectors, copied when there is more than one chunk; ``chunks()`` copies nothing."""
        return _joined([np.asarray(chunk.vectors) for chunk in self._chunks], np.float32).reshape(-1, self.dim)


def _joined(parts: list[np.ndarray], dtype: type) -> np.ndarray:
    if len(parts) == 1:
        return parts[0]
    return np.concatenate(parts) if parts else np.empty(0, dtype)
