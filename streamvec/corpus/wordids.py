"""Texts as the ids of their words, by a vocabulary and, for words that are not in it, by vectors known from elsewhere.

Ids are those of `streamvec.corpus.symbols`; from ``size`` on they are rows of the known vectors.
"""

from collections.abc import Callable, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from streamvec.corpus.encoding import TextEncoder
from streamvec.corpus.examples import Ragged, places_of
from streamvec.corpus.lookup import Lookup
from streamvec.corpus.stitch import Piece, Start
from streamvec.corpus.symbols import Symbols
from streamvec.corpus.tokens import Tokenizer
from streamvec.corpus.vocabulary import Vocabulary

Ranks = Callable[[Sequence[str]], np.ndarray]  # int64[n]: the row of each word among known vectors, or -1


class WordIds:
    """The ids of words; *counts* adds up, by name, what was met: tokens, unknown ones, sequences that were cut."""

    def __init__(self, vocabulary: Vocabulary, tokenizer: Tokenizer, most: int, known: Ranks | None = None) -> None:
        """most: words of a sequence, of which what is more is cut off; known: of words that have vectors."""
        self.symbols = Symbols.of(vocabulary)
        self.size = len(self.symbols.names)
        self.tokenizer = tokenizer
        self.counts = {"tokens": 0, "unknown": 0, "cut": 0}
        self._most, self._known = most, known
        self._encode = TextEncoder(tokenizer, vocabulary, marked=True)
        self._lookup = Lookup(vocabulary)

    def of_texts(self, texts: Sequence[str]) -> Ragged:
        """The ids of the words of each text, which holds no line break: int32."""
        data = "".join(f"{text}\n" for text in texts).encode("utf-8", "replace")
        found = self._encode(Piece(Start(), data, len(data), False, False, 0))
        ids, lengths = self.symbols.ids(found.values).astype(np.int32), found.lengths.astype(np.int64)
        if self._known is not None and (found.values < 0).any():
            unknown = np.flatnonzero(np.add.reduceat(np.append(found.values < 0, False), _starts(lengths)) > 0)
            for text, start in zip(unknown, _starts(lengths)[unknown], strict=True):
                self._replace(ids[start : start + lengths[text]], self.tokenizer.tokens(f"{texts[int(text)]}\n"))
        return self._cut(Ragged(ids, lengths))

    def of_words(self, sequences: Sequence[Sequence[str]]) -> Ragged:
        """The ids of words that are given one by one, int32."""
        words = pa.array([word for sequence in sequences for word in sequence], pa.large_string())
        if not self.tokenizer.keep_case:
            words = pc.utf8_lower(words)
        ids = self.symbols.ids(self._lookup.numbers(words)).astype(np.int32)
        if self._known is not None and (ids == self.symbols.unknown).any():
            self._replace(ids, words.to_pylist())
        return self._cut(Ragged(ids, np.fromiter(map(len, sequences), np.int64, len(sequences))))

    def _replace(self, ids: np.ndarray, words: list[str]) -> None:
        """Gives unknown ones among the *ids* of *words* those of their known vectors, where they have some."""
        assert self._known is not None
        places = np.flatnonzero(ids == self.symbols.unknown)[: len(words)]
        different = sorted({words[place] for place in places})
        rows = dict(zip(different, self._known(different).tolist(), strict=True))
        for place in places:
            row = rows[words[place]]
            if row >= 0:
                ids[place] = self.size + row

    def _cut(self, ids: Ragged) -> Ragged:
        self.counts["tokens"] += ids.values.size
        self.counts["unknown"] += int(np.count_nonzero(ids.values == self.symbols.unknown))
        longer = ids.lengths > self._most
        if not longer.any():
            return ids
        self.counts["cut"] += int(np.count_nonzero(longer))
        lengths = np.minimum(ids.lengths, self._most)
        return Ragged(ids.values[places_of(ids.starts, lengths)], lengths)


def _starts(lengths: np.ndarray) -> np.ndarray:
    return np.cumsum(lengths) - lengths
