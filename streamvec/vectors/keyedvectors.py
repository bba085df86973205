"""KeyedVectors: a vocabulary and its matrix, opened in place and asked for neighbours, similarities and analogies."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np

from streamvec.errors import StreamvecError
from streamvec.vectors.annindex import MOST, AnnIndex, index_beside, read_about
from streamvec.vectors.cosmul import nearest_by_products
from streamvec.vectors.neighbours import cosines, distances, nearest, nearest_euclidean, unit_rows
from streamvec.vectors.ngramfile import CHECKSUM, StoredNGrams
from streamvec.vectors.queries import Query, check_measure
from streamvec.vectors.store import open_vectors
from streamvec.vectors.wordmatrix import WordMatrix

Asked = str | np.ndarray  # a word, or a vector float[dim]


class KeyedVectors(WordMatrix):
    """Words and their vectors, made by ``KeyedVectors.load(path)`` or ``KeyedVectors.from_arrays(words, vectors)``.

    Similarities are cosines, computed in float64; a vector of zeros has similarity 0 to everything.
    """

    def __init__(self, *held: Any, **more: Any) -> None:
        super().__init__(*held, **more)
        self.index: AnnIndex | None = None  # what neighbours by cosine are looked for in

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
                opened._use_index(index_beside(place), found.checksum)
            return opened
        from streamvec.vectors.formats import detect, open_subwords, read_vectors

        format = detect(place)
        if format == "fasttext-bin":
            return cls(*open_subwords(place))
        vectors, notes = read_vectors(place, format)
        return cls(vectors, str(path), notes)

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
        rows[of_words], ranks = self.vectors_of([one for one in asked if isinstance(one, str)])
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
            if is_same := read_about(path)["vectors"] == vectors:
                self.index = AnnIndex(path)
        except StreamvecError as problem:
            self.notes.append(f"{problem}; all words are looked at")
            return
        if not is_same:
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
