"""Words and their vectors, read-only: opened in place, and asked for neighbours, similarities and analogies."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, Self, overload

import numpy as np
import pyarrow as pa

from streamvec.errors import StreamvecError
from streamvec.vectors.annindex import MOST, AnnIndex, checksum_of_vectors, index_beside
from streamvec.vectors.cosmul import nearest_by_products
from streamvec.vectors.neighbours import cosines, distances, nearest, nearest_euclidean, unit_rows
from streamvec.vectors.ngramfile import CHECKSUM, StoredNGrams
from streamvec.vectors.queries import Query, check_measure
from streamvec.vectors.store import ROWS, Chunk, Vectors, VectorsWriter, norms_of, open_vectors, word_array
from streamvec.vectors.words import UnknownWord, Words

Asked = str | np.ndarray  # a word, or a vector float[dim]


class Subwords(Protocol):
    """What makes vectors of words never seen from those of their n-grams."""

    def unseen(self, word: str) -> np.ndarray | None:
        """float32[dim] of a word that has no rank; None when it has no n-grams."""


class KeyedVectors:
    """A vocabulary of V words by rank and a matrix float32[V, dim], held as chunks of neighbouring rows.

    Made by ``KeyedVectors.load(path)`` or ``KeyedVectors.from_arrays(words, vectors)``. Similarities are cosines,
    computed in float64; a vector of zeros has similarity 0 to everything. An unknown word raises UnknownWord, which
    is a KeyError and a StreamvecError and carries suggestions; where a model has n-grams it is answered by them, though
    it is not ``in`` the vocabulary and has no rank.
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
        self.name = name
        self.notes = list(notes)  # what a reader of a foreign file left out or changed, a sentence each
        self.index: AnnIndex | None = None  # what neighbours by cosine are looked for in
        self._subwords = subwords
        self._rows = rows
        self._chunks = vectors.chunks
        self._starts = np.cumsum([0, *(len(chunk.words) for chunk in self._chunks)])
        self.words = Words([chunk.words for chunk in self._chunks])

    @classmethod
    def load(cls, path: Path | str, index: bool = False) -> Self:
        """Opens a RUN, a vectors.arrow (mapped, nothing is copied) or another tool's file (read into memory).

        Other tools' files: word2vec text and binary, GloVe text, fastText .vec (each also .gz .bz2 .xz .zst), parquet,
        arrow, safetensors, npy with its words beside it, a projector folder, and what gensim saved, of which nothing is
        run. A fastText model (.bin) is mapped, and answers for unseen words too, as does a RUN with subwords. *index*:
        neighbours by cosine are looked for in the index that ``streamvec index`` made, where there is one of these
        vectors: some may be missing. Raises StreamvecError when it is damaged, is not vectors, or the training of the
        RUN has not finished.
        """
        from streamvec.vectors.finding import find_vectors

        path = Path(path)
        place, ours = find_vectors(path)
        if ours:
            found = open_vectors(place)
            ngrams = StoredNGrams(place, found.info, found.dim) if isinstance(found.info.get(CHECKSUM), str) else None
            opened = cls(found, str(path), subwords=ngrams)
            if index and index_beside(place).exists():
                opened._use_index(index_beside(place), checksum_of_vectors(place))
            return opened
        from streamvec.vectors.formats import detect, open_subwords, read_vectors

        format = detect(place)
        if format == "fasttext-bin":
            return cls(*open_subwords(place))
        vectors, notes = read_vectors(place, format)
        return cls(vectors, str(path), notes)

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
        if isinstance(self._subwords, StoredNGrams):
            self._subwords.save(Path(path))
        with VectorsWriter(Path(path), self.dim, self.info, dtype or self.dtype) as writer:
            for chunk in self._chunks:
                writer.write(chunk.words, chunk.vectors, chunk.counts)
        return writer.checksum

    def __len__(self) -> int:
        return len(self.words)

    def __contains__(self, word: object) -> bool:
        return word in self.words

    def __repr__(self) -> str:
        return f"KeyedVectors({len(self)} words, dim {self.dim}, from {self.name})"

    @overload
    def __getitem__(self, words: str) -> np.ndarray: ...
    @overload
    def __getitem__(self, words: Sequence[str]) -> np.ndarray: ...
    def __getitem__(self, words: str | Sequence[str]) -> np.ndarray:
        """float32[dim] of a word, or float32[n, dim] of a list of words."""
        return self.get_vector(words) if isinstance(words, str) else self._vectors_of(words)[0]

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

    def _vectors_of(self, words: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
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

    def nearest(
        self, queries: np.ndarray, topn: int = 10, restrict: int | None = None, measure: str = "cosine"
    ) -> tuple[np.ndarray, np.ndarray]:
        """(ranks int64[q, k], values float64[q, k]) of the rows nearest to float[q, dim]; nothing is left out.

        Values are cosines, or with *measure* "euclidean" distances. k is *topn*, or the number of rows when that is
        less. *restrict*: only the most frequent so many words.
        """
        check_measure(measure, ("cosine", "euclidean"))
        self._check_sizes(topn, restrict)
        queries = np.atleast_2d(queries)
        if queries.ndim != 2 or queries.shape[1] != self.dim:
            raise ValueError(f"queries must be of shape (q, {self.dim}), got {queries.shape}")
        if not np.isfinite(queries).all():
            raise ValueError("queries must be finite, got NaN or infinity")
        if measure == "euclidean":
            return nearest_euclidean(self._chunks, queries, topn, restrict)
        if self.uses_index(topn, restrict):
            return self.nearest_by_index(queries, topn)
        return nearest(self._chunks, queries, topn, restrict)

    def uses_index(self, topn: int = 10, restrict: int | None = None, measure: str = "cosine") -> bool:
        """Whether an answer comes from the index: it knows cosines among all words, and does not pay for many."""
        is_whole = restrict is None or restrict >= len(self)
        return self.index is not None and is_whole and measure == "cosine" and topn <= min(MOST, len(self) // 4)

    def most_similar(
        self,
        positive: Asked | Sequence[Asked] = (),
        negative: Asked | Sequence[Asked] = (),
        topn: int = 10,
        restrict: int | None = None,
        measure: str = "cosine",
    ) -> list[tuple[str, float]]:
        """The words nearest to the sum of *positive* less *negative*, best first, the given words left out.

        Each is a word, a vector float[dim] or a list of them; words count with length 1, vectors as they are.
        *restrict*: only among the most frequent so many words. *measure*: "cosine"; "euclidean", which gives distances
        to the sum of vectors as they are, divided by the number of words in it less that of words taken away; or
        "cosmul", products of cosines (3CosMul).
        """
        return self._answers([self._query(_listed(positive), _listed(negative))], topn, restrict, measure)[0]

    def most_similar_batch(
        self, queries: Sequence[str] | np.ndarray, topn: int = 10, restrict: int | None = None, measure: str = "cosine"
    ) -> list[list[tuple[str, float]]]:
        """``most_similar`` of each word (itself left out) or of each row of float[q, dim] (nothing left out)."""
        asked: list[Asked] = list(np.atleast_2d(queries) if isinstance(queries, np.ndarray) else queries)
        return self.most_similar_groups([([one], []) for one in asked], topn, restrict, measure)

    def most_similar_groups(
        self,
        groups: Sequence[tuple[Sequence[Asked], Sequence[Asked]]],
        topn: int = 10,
        restrict: int | None = None,
        measure: str = "cosine",
    ) -> list[list[tuple[str, float]]]:
        """``most_similar`` of each (positive, negative), in one search."""
        return self._answers([self._query(*map(list, group)) for group in groups], topn, restrict, measure)

    def similarity(self, a: Asked, b: Asked, measure: str = "cosine") -> float:
        """The cosine of two words or vectors, -1 to 1, or with *measure* "euclidean" their distance."""
        return float(self.similarities([(a, b)], measure)[0])

    def similarities(self, pairs: Sequence[tuple[Asked, Asked]], measure: str = "cosine") -> np.ndarray:
        """float64[n]: ``similarity`` of each pair."""
        check_measure(measure, ("cosine", "euclidean"))
        if not pairs:
            return np.empty(0)
        left, right = (self._query([pair[side] for pair in pairs], []).rows for side in (0, 1))
        return cosines(left, right) if measure == "cosine" else distances(left, right)

    def rank_by_centrality(self, words: Sequence[str]) -> list[tuple[str, float]]:
        """Each of *words* and its cosine to the mean of all of them (of length 1), the nearest first."""
        rows = unit_rows(self._query(list(words), []).rows)
        values = cosines(rows, np.broadcast_to(rows.mean(axis=0), rows.shape))
        order = np.argsort(-values, kind="stable").tolist()
        return [(words[place], float(values[place])) for place in order]

    def doesnt_match(self, words: Sequence[str]) -> str:
        """The word that is farthest from the mean of all; of equals the last one."""
        return self.rank_by_centrality(words)[-1][0]

    def analogy(
        self, a: Asked, b: Asked, c: Asked, topn: int = 10, restrict: int | None = None, measure: str = "cosine"
    ) -> list[tuple[str, float]]:
        """*a* is to *b* as *c* is to these: the words nearest to b - a + c over vectors of length 1 (3CosAdd).

        The three words are left out. Levy and Goldberg, Linguistic Regularities (2014), equation 1; their 3CosMul by
        *measure* "cosmul".
        """
        return self.most_similar([b, c], [a], topn, restrict, measure)

    def _query(self, positive: list[Asked], negative: list[Asked]) -> Query:
        asked = [*positive, *negative]
        if not asked:
            raise ValueError("positive or negative must hold at least one word or vector, got none")
        of_words = np.array([isinstance(one, str) for one in asked])
        rows = np.empty((len(asked), self.dim))
        rows[of_words], ranks = self._vectors_of([one for one in asked if isinstance(one, str)])
        for place in np.flatnonzero(~of_words).tolist():
            if np.shape(asked[place]) != (self.dim,):
                raise ValueError(f"a vector must be of shape ({self.dim},), got {np.shape(asked[place])}")
            rows[place] = asked[place]
        signs = np.repeat([1.0, -1.0], [len(positive), len(negative)])
        return Query(rows, signs, of_words, tuple(ranks.tolist()))

    def _answers(
        self, queries: Sequence[Query], topn: int, restrict: int | None, measure: str
    ) -> list[list[tuple[str, float]]]:
        check_measure(measure)
        self._check_sizes(topn, restrict)
        more = topn + max((len(set(query.given)) for query in queries), default=0)
        if measure == "cosmul":
            found = [nearest_by_products(self._chunks, *query.by_products(), more, restrict) for query in queries]
        else:
            sums = [query.by_cosine() if measure == "cosine" else query.by_distance() for query in queries]
            rows = np.array(sums).reshape(-1, self.dim)
            if measure == "cosine" and self.uses_index(topn, restrict):
                ranks, values = self.nearest_by_index(rows, more)
            else:
                ranks, values = self.nearest(rows, more, restrict, measure)
            found = list(zip(ranks, values, strict=True))
        return [
            [
                (self.words[rank], value)
                for rank, value in zip(ranks.tolist(), values.tolist(), strict=True)
                if rank not in query.given
            ][:topn]
            for (ranks, values), query in zip(found, queries, strict=True)
        ]

    @staticmethod
    def _check_sizes(topn: int, restrict: int | None) -> None:
        for name, value in (("topn", topn), ("restrict", restrict)):
            if value is not None and value < 1:
                raise ValueError(f"{name} must be at least 1, got {value}")

    def _use_index(self, path: Path, vectors: str) -> None:
        """Takes the index at *path* where it is one of *vectors*, by their checksum; says why where it is not used."""
        try:
            index = AnnIndex(path)
        except StreamvecError as problem:
            self.notes.append(f"{problem}; all words are looked at")
            return
        if index.vectors == vectors:
            self.index = index
        else:
            self.notes.append(
                f"{path} is of other vectors, so all words are looked at: streamvec index --overwrite makes one"
            )

    def nearest_by_index(self, queries: np.ndarray, topn: int) -> tuple[np.ndarray, np.ndarray]:
        """As ``nearest``, of candidates out of the index; for zeros, or where these are too few, of all rows."""
        assert self.index is not None
        ranks = self.index.candidates(queries, 2 * topn + 10)
        there = ranks >= 0
        values = np.full(ranks.shape, -np.inf)
        query = np.repeat(np.arange(len(queries)), ranks.shape[1])[there.ravel()]
        values[there] = cosines(queries[query], self.rows(ranks[there]))
        order = np.lexsort((ranks, -values), axis=1)[:, :topn]
        ranks, values = np.take_along_axis(ranks, order, axis=1), np.take_along_axis(values, order, axis=1)
        others = (there.sum(axis=1) < topn) | ~queries.any(axis=1)
        if others.any():
            ranks[others], values[others] = nearest(self._chunks, queries[others], topn)
        return ranks, values


def _listed(asked: Asked | Sequence[Asked]) -> list[Asked]:
    if isinstance(asked, str) or (isinstance(asked, np.ndarray) and asked.ndim == 1):
        return [asked]
    return list(asked)


def _joined(parts: list[np.ndarray], dtype: type) -> np.ndarray:
    if len(parts) == 1:
        return parts[0]
    return np.concatenate(parts) if parts else np.empty(0, dtype)
