"""The pairs of words that stand near each other in record batches of tokens, some thousands at a time."""

from collections.abc import Iterator, Sequence

import numpy as np

from streamvec.corpus.cooccurrences import Counted
from streamvec.corpus.shards import TokenBatch
from streamvec.kernels.cooccurrences import near_pairs
from streamvec.kernels.records import Bands

AT_ONCE = 1 << 13  # pairs that are found, and then counted: so many stay in the second cache


class Nearby:
    """Finds them, in room of its own: one a thread."""

    def __init__(self, counted: Counted, bands: Bands) -> None:
        self._bands, self._reach = bands, counted.reach()
        room = max(AT_ONCE, counted.window)
        self._pairs, self._sums = np.empty(room, np.uint64), np.empty(room, np.int64)

    def of(self, batch: TokenBatch) -> Iterator[tuple[np.ndarray, np.ndarray, int]]:
        """(pairs uint64[n], weights int64[n], how many tokens were gone through), each until the next is asked for."""
        place, before = np.zeros(2, np.int64), 0
        while place[0] < batch.values.size:
            found = near_pairs(batch.values, batch.offsets, place, self._bands, self._reach, self._pairs, self._sums)
            yield self._pairs[:found], self._sums[:found], int(place[0]) - before
            before = int(place[0])


def one_band(batches: Sequence[TokenBatch]) -> Bands:
    """All ids of *batches* in one band: for who does not mind in which order pairs are."""
    ids = max((int(batch.values.max()) + 1 for batch in batches if batch.values.size), default=1)
    return Bands(np.array([0, ids]), np.arange(ids), max(1, ids.bit_length()))
