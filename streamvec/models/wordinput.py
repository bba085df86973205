"""Vectors of words as a network's input, each different word of a pass multiplied once where words come again.

Ids below V are rows of the parameter "embedding"; those from V on are words that no training has met, whose vectors
are known from elsewhere and stay.
"""

import numpy as np

from streamvec.models.metrows import Part
from streamvec.models.network import KnownRows, Parameters

EMBEDDING = "embedding"


class WordInput:
    """The different words of one pass, and their vectors."""

    def __init__(self, words: int, dim: int, known: KnownRows | None = None) -> None:
        """words: V; known: the vectors of ids from V on."""
        self._words, self._dim, self._known = words, dim, known
        self._met = np.zeros(0, np.int64)
        self.places: np.ndarray = np.zeros(0, np.int32)

    def rows(self, parameters: Parameters, ids: np.ndarray) -> np.ndarray:
        """The vectors of the different ids among int32[...]: float32[n, dim rounded up]; *places*, of the shape of
        *ids*, says which each is."""
        self._met, places = np.unique(ids, return_inverse=True)
        self.places = places.astype(np.int32).reshape(ids.shape)
        embedding = parameters[EMBEDDING]
        first = int(np.searchsorted(self._met, self._words))
        if first == self._met.size:
            return embedding[self._met]
        out = np.zeros((self._met.size, embedding.shape[1]), np.float32)
        out[:first] = embedding[self._met[:first]]
        assert self._known is not None
        out[first:, : self._dim] = self._known(self._met[first:].astype(np.int64) - self._words)
        return out

    def gradients(self, d_rows: np.ndarray) -> Part:
        """(ids, gradients) of what is trained, from gradients float32[n, columns] of what `rows` gave."""
        first = int(np.searchsorted(self._met, self._words))
        return self._met[:first].astype(np.int32), d_rows[:first]
