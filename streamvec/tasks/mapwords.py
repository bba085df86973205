"""Which words a map shows: the most frequent ones, those of a list, or what is near to some words."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from streamvec.disk.files import named_problems
from streamvec.errors import StreamvecError
from streamvec.vectors.keyedvectors import KeyedVectors


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
    """The words of a file, one a line; StreamvecError where none of them has a vector.

    Empty lines are passed over; words without a vector and those that come again are left out, counted and noted.
    """
    with named_problems(path):
        raw = Path(path).read_bytes()
    asked: list[str] = []
    places: dict[str, int] = {}
    for number, line in enumerate(raw.split(b"\n"), 1):
        try:
            word = line.decode("utf-8-sig" if number == 1 else "utf-8").strip()
        except UnicodeDecodeError:
            raise StreamvecError(f"{path}, line {number}: is not UTF-8: expected one word a line") from None
        if word:
            asked.append(word)
            places.setdefault(word, number)
    if not asked:
        raise StreamvecError(f"{path}: there is no word in it: expected one word a line")
    words = list(dict.fromkeys(asked))
    ranks = vectors.words.ranks(words)
    made = {word: row for word, rank in zip(words, ranks, strict=True) if rank < 0 for row in [vectors.composed(word)]}
    unknown = [word for word, row in made.items() if row is None]
    if len(unknown) == len(words):
        raise StreamvecError(f"{path}: none of its {len(words):,} words is among the words of {vectors.name}")
    notes = []
    if unknown:
        shown = ", ".join(f"{word!r} (line {places[word]})" for word in unknown[:3]) + (", ..." if unknown[3:] else "")
        notes.append(f"{path}: {len(unknown):,} of {len(words):,} words have no vector and are left out: {shown}")
    if len(words) < len(asked):
        notes.append(f"{path}: {len(asked) - len(words):,} lines repeat a word: each is drawn once")
    known = [int(rank) for rank in ranks if rank >= 0]
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
