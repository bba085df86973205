"""Which numbers the words of another vocabulary have in this one: one table, asked a block of words at a time."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from streamvec.corpus.encoding import word_table
from streamvec.corpus.vocabulary import Vocabulary, word_bytes
from streamvec.kernels.wordtable import SLOT_BYTES, find_words


class Lookup:
    """The hash table of a vocabulary; it takes `lookup_bytes` of memory for as long as it lives."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._table = word_table(vocabulary)

    def numbers(self, words: pa.Array | Sequence[str]) -> np.ndarray:
        """int64[n]: the rank of each word, -1 for one that is not in the vocabulary."""
        strings = (
            pa.array(words, pa.large_string()) if not isinstance(words, pa.Array) else words.cast(pa.large_string())
        )
        data, offsets = word_bytes(strings)
        numbers = np.empty(len(strings), np.int64)
        find_words(self._table, data, offsets, numbers)
        return numbers


def lookup_bytes(words: int, word_bytes: float) -> int:
    """Memory of a Lookup of so many words, of *word_bytes* bytes on average; longer ones stand in it whole."""
    return round((16 + words * 3 // 2) * SLOT_BYTES + words * word_bytes)
