"""Which words a map shows: the most frequent ones, those of a list, or what is near to some words."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from streamvec.errors import StreamvecError
from streamvec.tasks.pictures import visible
from streamvec.vectors.keyedvectors import KeyedVectors
from streamvec.vectors.wordlists import find_words, read_as, read_words

_NAMED = 3  # words named in a note


class Chosen(NamedTuple):
    """n distinct words, the most frequent first; notes are what must be told of the choice, a sentence each."""

    words: list[str]
    ranks: np.ndarray  # int64[n] among all words, from 0; -1 for a word that its n-grams stand for
    counts: np.ndarray  # int64[n], 0 where it is not known
    rows: np.ndarray  # float32[n, dim]
    notes: list[str]


def most_frequent(vectors: KeyedVectors, top: int) -> Chosen:
    """The *top* most frequent words, or all where there are fewer."""
    if top < 1:
        raise ValueError(f"top must be at least 1, got {top}")
    return _chosen(vectors, range(min(top, len(vectors))))


def listed(vectors: KeyedVectors, path: Path | str) -> Chosen:
    """The words of a file (`read_words`); StreamvecError where none of them has a vector.

    A word that is not there stands for another form of it that is, or its n-grams do; both are noted. Words without a
    vector are left out, counted and noted.
    """
    words = read_words(path)
    found = find_words(vectors, words)
    made = {word: vectors.composed(word) for word in words if word not in found}
    unknown = [word for word, row in made.items() if row is None]
    if len(unknown) == len(words):
        raise StreamvecError(f"{path}: none of its {len(words):,} words is among the words of {vectors.name}")
    notes = []
    for what, names in (
        ("have no vector and are left out", unknown),
        ("are taken in another form", [f"{word} ({form})" for word, form in read_as(found).items()]),
    ):
        if names:
            told = ", ".join(map(visible, names[:_NAMED])) + (", ..." if names[_NAMED:] else "")
            notes.append(f"{path}: {len(names):,} of {len(words):,} words {what}: {told}")
    known = [place.rank for place in found.values()]
    return _chosen(vectors, known, {word: row for word, row in made.items() if row is not None}, notes)


def around(vectors: KeyedVectors, words: Sequence[str], number: int) -> Chosen:
    """Each of *words* and its *number* nearest neighbours; UnknownWord where one has no vector."""
    if number < 1:
        raise ValueError(f"number of neighbours must be at least 1, got {number}")
    ranks = vectors.words.ranks(words)
    made = {word: vectors.get_vector(word) for word, rank in zip(words, ranks, strict=True) if rank < 0}
    found = vectors.most_similar_batch(list(dict.fromkeys(words)), number)
    near = vectors.words.ranks([word for neighbours in found for word, _ in neighbours])
    return _chosen(vectors, [int(rank) for rank in (*ranks, *near) if rank >= 0], made)


def _chosen(
    vectors: KeyedVectors,
    ranks: Iterable[int],
    made: dict[str, np.ndarray] | None = None,
    notes: Sequence[str] = (),
) -> Chosen:
    made, order = made or {}, np.array(sorted(set(ranks)), np.int64)
    words = [vectors.words[rank] for rank in order.tolist()] + list(made)
    rows = np.concatenate([vectors.rows(order), *(row[None, :] for row in made.values())])
    nothing = np.zeros(len(made), np.int64)
    counts = np.concatenate([_counts(vectors, order), nothing])
    composed = [f"{len(made):,} words are not in the vocabulary: their n-grams stand for them"] if made else []
    return Chosen(words, np.concatenate([order, nothing - 1]), counts, rows, [*notes, *composed])


def _counts(vectors: KeyedVectors, ranks: np.ndarray) -> np.ndarray:
    """int64[n]: counts of rising *ranks*; a vocabulary's whole column of them is never held."""
    found, start = [np.empty(0, np.int64)], 0
    for chunk in vectors.chunks():
        end = start + len(chunk.words)
        low, high = np.searchsorted(ranks, [start, end])
        found.append(chunk.counts[ranks[low:high] - start])
        start = end
        if high == len(ranks):
            break
    return np.concatenate(found)
