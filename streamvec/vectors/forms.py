"""Which rows a word of a test set stands for: the same letters, or by default the same letters in any case.

That is what word2vec's compute-accuracy and gensim's evaluators do, so a set that says Athens judges vectors of a
lower-cased text, and figures compare. The most frequent form answers for all of them. With *case_sensitive* a word is
what is written.
"""

from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from streamvec.vectors.keyedvectors import KeyedVectors


class Forms(NamedTuple):
    """Rows by rank int64[n], and which of the words asked for each is a form of, int64[n]."""

    ranks: np.ndarray
    of: np.ndarray

    def first(self, words: int) -> np.ndarray:
        """int64[words]: the rank of each word's most frequent form, -1 where it has none."""
        out = np.full(words, -1, np.int64)
        out[self.of[::-1]] = self.ranks[::-1]
        return out


class Asked:
    """The distinct words of a test set, numbered as they come; two that differ in case only are one."""

    def __init__(self, case_sensitive: bool) -> None:
        self.case_sensitive = case_sensitive
        self.words: list[str] = []  # as first written
        self._numbers: dict[str, int] = {}

    def number(self, word: str) -> int:
        """The number of *word*."""
        key = word if self.case_sensitive else word.upper()
        if key not in self._numbers:
            self._numbers[key] = len(self.words)
            self.words.append(word)
        return self._numbers[key]

    def find(self, vectors: KeyedVectors, top: int = 0) -> Forms:
        """Their forms among the *top* most frequent words (0: all), in one pass over the words."""
        keys = pa.array(self._numbers, pa.utf8())
        ranks, of = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
        base = 0
        for chunk in vectors.chunks():
            words = chunk.words[: top - base] if top else chunk.words
            found = pc.index_in(words if self.case_sensitive else _upper(words), value_set=keys)
            rows = np.flatnonzero(found.is_valid().to_numpy(zero_copy_only=False))
            ranks.append(rows + base)
            of.append(found.drop_null().to_numpy().astype(np.int64))
            base += len(chunk.words)
            if top and base >= top:
                break
        return Forms(np.concatenate(ranks), np.concatenate(of))

    def missing(self, places: np.ndarray) -> tuple[str, ...]:
        """The words without a form, as written, where *places* is ``Forms.first``."""
        return tuple(self.words[number] for number in np.flatnonzero(places < 0).tolist())


def _upper(words: pa.StringArray) -> pa.StringArray:
    """``str.upper`` of each word; only what is not ASCII goes through Python."""
    other = pc.invert(pc.string_is_ascii(words))
    upper = pc.ascii_upper(words)
    if not pc.any(other).as_py():
        return upper
    changed = [word.upper() for word in words.filter(other).to_pylist()]
    return pc.replace_with_mask(upper, other, pa.array(changed, pa.utf8()))
