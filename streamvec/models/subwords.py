"""What a model with n-grams has besides its matrices: the rows that make up each word, and room to compose them in."""

from typing import NamedTuple

import numpy as np

from streamvec.kernels.memory import aligned_zeros
from streamvec.kernels.ngrams import count_ngrams, list_rows
from streamvec.kernels.subwords import Subwords
from streamvec.models.wordconfig import LANES, NGramSizes, SkipGramConfig

WordBytes = tuple[np.ndarray, np.ndarray]  # all bytes uint8, where each word begins and the last ends int64[V + 1]
NO_SUBWORDS = Subwords(0, 0, 0, 0, 0, 0)


class NGrams(NamedTuple):
    """The rows that make up each word of a vocabulary of V, by rank: its own, and those of its n-grams."""

    starts: np.ndarray  # int64[V + 1]: where each word's list begins and the last one ends
    lists: np.ndarray  # int32[starts[V]]: the word itself, and V + the number of each n-gram's bucket
    buckets: np.ndarray  # int32[n]: the buckets that any word has, rising; bucket number i has row V + i

    @property
    def sizes(self) -> NGramSizes:
        """How many there are."""
        return NGramSizes(len(self.buckets), len(self.lists))


def list_starts(config: SkipGramConfig, words: WordBytes) -> np.ndarray:
    """``NGrams.starts`` of a vocabulary: what memory its n-grams will take is known before they are there."""
    assert config.ngrams is not None
    content, offsets = words
    return count_ngrams(content, offsets, *config.ngrams)


def ngrams_of(config: SkipGramConfig, words: WordBytes) -> NGrams | None:
    """The n-grams of a vocabulary; None where words are to have none."""
    if config.ngrams is None:
        return None
    content, offsets = words
    starts = list_starts(config, words)
    lists = np.empty(starts[-1], np.int32)
    return NGrams(starts, lists, list_rows(content, offsets, starts, *config.ngrams, config.buckets, lists))


class Hidden:
    """The hidden rows in which one thread, or with the exact mode all, compose the words of a batch."""

    def __init__(self, config: SkipGramConfig, ngrams: NGrams, table: int, height: int) -> None:
        """table: address of the rows, *height* of them."""
        self.ring = config.ring
        self.height = self.ring + 1  # the last one stays zero
        self._rows = aligned_zeros((2, self.height * config.vectors * LANES))
        self.address = int(self._rows[0].ctypes.data)
        before = int(self._rows[1].ctypes.data)
        starts, lists = int(ngrams.starts.ctypes.data), int(ngrams.lists.ctypes.data)
        self.subwords = Subwords(table, height, starts, lists, before, self.ring)

    def slice(self, low: int, high: int) -> np.ndarray:
        """float32[ring + 1, high - low]: columns low .. high-1 of the rows, which are those of a slice."""
        return self._rows[0, self.height * low : self.height * high].reshape(self.height, high - low)


def ring_places(ring: int, capacity: int) -> np.ndarray:
    """int32[capacity]: the hidden row of each token of a step."""
    places = aligned_zeros((capacity,), np.int32)
    places[:] = np.arange(capacity) & (ring - 1)
    return places
