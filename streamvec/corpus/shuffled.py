"""The order that examples are trained on in: drawn anew for each epoch, within bounded memory, batches of like length.

Record batches are taken in an order that is drawn; 64 of them are a window, whose examples are put into an order that
is drawn, too. Of these, those of 32 batches at a time are sorted by length, so that the sequences of a batch need
little padding; then the window's batches are put into an order that is drawn. All is a function of (seed, epoch).
"""

import numpy as np

from streamvec.corpus.examples import ROWS, ExampleBatch, Examples, joined
from streamvec.kernels import random

WINDOW = 64  # record batches whose examples are mixed
_POOL = 32  # batches that are sorted by length together


class Shuffled:
    """Batches of *batch* examples, in another order in each epoch; the last of a window has what is left."""

    def __init__(self, examples: Examples, batch: int, seed: int) -> None:
        self._examples, self._batch, self._seed = examples, batch, seed
        self._per_window = -(-WINDOW * ROWS // batch)
        whole, rest = divmod(examples.examples, WINDOW * ROWS)
        self.batches = whole * self._per_window + -(-rest // batch)
        self._held: tuple[int, int] | None = None
        self._window: ExampleBatch
        self._cuts: list[np.ndarray]

    def at(self, epoch: int, batch: int) -> ExampleBatch:
        """The examples of an epoch's step number *batch*."""
        window, within = divmod(batch, self._per_window)
        if self._held != (epoch, window):
            self._load(epoch, window)
            self._held = epoch, window
        return self._window.take(self._cuts[within])

    def _load(self, epoch: int, window: int) -> None:
        total = self._examples.batches
        order = np.append(drawn(total - 1, self._seed, epoch, 0), total - 1)  # the last one may have fewer
        chosen = order[window * WINDOW : (window + 1) * WINDOW]
        self._window = joined([self._examples.at(int(number)) for number in chosen])
        mixed = drawn(len(self._window), self._seed, epoch, 2 * window + 1)
        sizes = self._window.words.lengths[mixed] + self._window.targets.lengths[mixed]
        pools = range(0, mixed.size, _POOL * self._batch)
        by_length = [
            mixed[first : first + _POOL * self._batch][
                np.argsort(sizes[first : first + _POOL * self._batch], kind="stable")
            ]
            for first in pools
        ]
        cuts = [pool[first : first + self._batch] for pool in by_length for first in range(0, pool.size, self._batch)]
        self._cuts = [cuts[number] for number in drawn(len(cuts), self._seed, epoch, 2 * window + 2)]


class InOrder:
    """Batches of at most *batch* examples as they are on disk, none over the end of a record batch: to measure on."""

    def __init__(self, examples: Examples, batch: int) -> None:
        self._examples, self._size = examples, batch
        self._per = -(-ROWS // batch)
        self.batches = examples.batches * self._per

    def at(self, epoch: int, batch: int) -> ExampleBatch:
        """Examples number *batch*; perhaps none."""
        number, within = divmod(batch, self._per)
        held = self._examples.at(number)
        return held.take(np.arange(within * self._size, min((within + 1) * self._size, len(held))))


def drawn(count: int, seed: int, epoch: int, number: int) -> np.ndarray:
    """The numbers 0 .. count - 1 in an order that is drawn: int64[count]."""
    key = random.stream(np.uint64(random.stream(seed, epoch, random.ORDER)), number, random.ORDER)
    return np.argsort(random.words(np.uint64(key), count), kind="stable")
