"""Where a word stands: the first look-ups scan the mapped words, many look-ups build a sorted index of hashes.

A dict of 100 million words takes 10 GB and half a minute before it answers once; a scan of 400,000 words takes a
millisecond and no memory, and the index 16 bytes a word.
"""

import difflib
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import overload

import numpy as np
import pyarrow as pa
import xxhash

from streamvec.errors import StreamvecError
from streamvec.vectors.store import raw_words

_SCANS = 64  # look-ups by scan before the index is built: about what building it costs
_FREQUENT = 30_000  # close spellings are looked for among this many of the most frequent words


class UnknownWord(StreamvecError, KeyError):
    """A word that is not in the vocabulary; ``suggestions`` are close spellings that are."""

    def __init__(self, word: str, where: str, suggestions: Sequence[str]) -> None:
        hint = ": did you mean " + " or ".join(suggestions) + "?" if suggestions else ": check the spelling"
        super().__init__(f"{word!r} is not among the words of {where}{hint}")
        self.word = word
        self.suggestions = list(suggestions)

    def __str__(self) -> str:
        return str(self.args[0])


class Words(Sequence[str]):
    """The words by rank, as a read-only sequence over Arrow arrays; ``rank`` is its inverse."""

    def __init__(self, columns: Sequence[pa.StringArray]) -> None:
        self._columns = list(columns)
        self._starts = np.cumsum([0, *(len(column) for column in self._columns)])
        self._raw = [raw_words(column) for column in self._columns]
        self._scans = 0
        self._scanned: dict[bytes, int] = {}  # what the few scans have found: a query asks for its words more than once
        self._hashes: np.ndarray | None = None
        self._ranks: np.ndarray | None = None

    def __len__(self) -> int:
        return int(self._starts[-1])

    @overload
    def __getitem__(self, place: int) -> str: ...
    @overload
    def __getitem__(self, place: slice) -> list[str]: ...
    def __getitem__(self, place: int | slice) -> str | list[str]:
        if isinstance(place, slice):
            return [self[rank] for rank in range(*place.indices(len(self)))]
        rank = place + len(self) if place < 0 else place
        if not 0 <= rank < len(self):
            raise IndexError(f"there are {len(self)} words, got {place}")
        number = int(np.searchsorted(self._starts, rank, "right")) - 1
        word: str = self._columns[number][int(rank - self._starts[number])].as_py()
        return word

    def __iter__(self) -> Iterator[str]:
        for column in self._columns:
            yield from column.to_pylist()

    def __contains__(self, word: object) -> bool:
        return isinstance(word, str) and self.rank(word) >= 0

    def rank(self, word: str) -> int:
        """The rank of *word*, or -1."""
        raw = word.encode("utf-8", "surrogatepass")
        if self._hashes is None:
            if raw not in self._scanned:
                self._scans += 1
                if self._scans <= _SCANS:
                    self._scanned[raw] = self._scan(raw)
            if self._scans <= _SCANS:
                return self._scanned[raw]
            self._build()
        return int(self._find(word, xxhash.xxh3_64_intdigest(raw)))

    def ranks(self, words: Sequence[str]) -> np.ndarray:
        """int64[n]: the ranks of *words*, -1 for those that are not there."""
        return np.fromiter(map(self.rank, words), np.int64, len(words))

    def variants(self, word: str) -> list[str]:
        """At most three words that are *word* in another case or form of Unicode, or without spaces around it."""
        return [form for form in forms_of(word)[1:] if form in self][:3]

    def suggest(self, word: str) -> list[str]:
        """At most three words that *word* may have meant: another case or form first, then close spellings."""
        return self.variants(word) or _close(word.lower(), islice(self, _FREQUENT))

    def _scan(self, word: bytes) -> int:
        """The first place of *word*, found by its length, then narrowed byte by byte."""
        for (offsets, data), start in zip(self._raw, self._starts, strict=False):
            rows = np.flatnonzero(offsets[1:] - offsets[:-1] == len(word))
            for place, byte in enumerate(word):
                if not rows.size:
                    break
                rows = rows[data[offsets[rows] + place] == byte]
            if rows.size:
                return int(start + rows[0])
        return -1

    def _build(self) -> None:
        hashes = np.empty(len(self), np.uint64)
        for column, start in zip(self._columns, self._starts, strict=False):
            hashes[start : start + len(column)] = word_hashes(column)
        order = np.argsort(hashes, kind="stable")
        self._hashes, self._ranks = hashes[order], order

    def _find(self, word: str, digest: int) -> int:
        assert self._hashes is not None and self._ranks is not None
        place = int(np.searchsorted(self._hashes, np.uint64(digest)))
        while place < len(self) and int(self._hashes[place]) == digest:
            rank = int(self._ranks[place])
            if self[rank] == word:
                return rank
            place += 1
        return -1


def forms_of(word: str) -> list[str]:
    """*word*, then what may be written for it: other cases, without spaces around it, other forms of Unicode."""
    cases = [word, word.lower(), word.capitalize(), word[:1].upper() + word[1:], word.upper(), word.strip()]
    normal = [unicodedata.normalize("NFC", word), unicodedata.normalize("NFKC", word).lower()]
    return list(dict.fromkeys([*cases, *normal]))


def word_hashes(words: pa.StringArray) -> np.ndarray:
    """uint64[n]: xxh3-64 of each word's UTF-8."""
    return np.fromiter(map(xxhash.xxh3_64_intdigest, words.view(pa.binary()).to_pylist()), np.uint64, len(words))


def _close(word: str, frequent: Iterable[str]) -> list[str]:
    """Close spellings: those that share most letters and about the length, then by difflib's ratio."""
    letters = set(word)
    alike = [
        other
        for other in frequent
        if abs(len(other) - len(word)) <= 2 and len(letters.symmetric_difference(other.lower())) <= 3
    ]
    return difflib.get_close_matches(word, alike, n=3, cutoff=0.75)
