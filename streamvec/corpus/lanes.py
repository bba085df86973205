"""The corpus as some streams side by side, from which a recurrent network learns: each goes on where it was left.

All documents end to end, each with its end token behind it, are divided into as many stretches of one length as there
are lanes; a step takes the next few tokens of all of them. What is left at the end, fewer tokens than lanes and the
last one's target, is in no lane.
"""

from typing import NamedTuple

import numpy as np

from streamvec.corpus.shards import Shards, TokenBatch
from streamvec.corpus.stretches import lane_length, steps_of, too_few
from streamvec.corpus.symbols import Symbols
from streamvec.errors import StreamvecError
from streamvec.kernels.streams import streamed


class LaneBatch(NamedTuple):
    """Some time steps of all lanes."""

    inputs: np.ndarray  # int32[steps, lanes]
    targets: np.ndarray  # int32[steps, lanes]: what comes next
    begins: bool  # whether these are the first steps of an epoch, or of sequences: no state is carried on
    lengths: np.ndarray | None = None  # int64[lanes], of separate sequences: what stands behind means nothing

    @property
    def tokens(self) -> int:
        """How many it predicts."""
        return self.targets.size if self.lengths is None else int(self.lengths.sum())


class Lanes:
    """The lanes of some shards (or of what gives record batches as they do).

    Memory: one record batch a lane, and 8 bytes for each record batch there is.
    """

    def __init__(self, shards: Shards, symbols: Symbols, lanes: int, steps: int) -> None:
        """steps: time steps of a batch. StreamvecError where there are fewer tokens than lanes need."""
        self._shards = shards
        self._symbols, self._steps = symbols, steps
        documents, tokens = shards.sizes().T
        ends = documents if symbols.end >= 0 else np.zeros_like(documents)
        ends[[number for number in shards.cuts if symbols.end >= 0]] -= 1  # that document ends in another batch
        self._begins = np.concatenate([[0], np.cumsum(tokens + ends)])
        self.tokens = int(self._begins[-1])
        self.length = lane_length(self.tokens, lanes)
        if self.length < 1:
            raise StreamvecError(f"{shards.folder}: {too_few(self.tokens, lanes)}")
        self.batches = steps_of(self.tokens, lanes, steps)
        self.whole = self.length // steps  # batches that have all their time steps
        self._held: list[tuple[int, np.ndarray]] = [(-1, np.zeros(0, np.int32))] * lanes  # record batch of each lane

    def at(self, epoch: int, batch: int) -> LaneBatch:
        """Step number *batch* of any epoch."""
        first = batch * self._steps
        steps = min(self._steps, self.length - first)
        taken = np.empty((steps + 1, len(self._held)), np.int32)
        for lane in range(len(self._held)):
            self._read(lane, lane * self.length + first, taken[:, lane])
        return LaneBatch(taken[:-1], taken[1:], batch == 0)

    def _read(self, lane: int, place: int, into: np.ndarray) -> None:
        done = 0
        while done < into.size:
            number = int(np.searchsorted(self._begins, place + done, side="right")) - 1
            if self._held[lane][0] != number:
                self._held[lane] = number, self._flat(number)
            flat, first = self._held[lane][1], place + done - int(self._begins[number])
            some = min(into.size - done, flat.size - first)
            into[done : done + some] = flat[first : first + some]
            done += some

    def _flat(self, number: int) -> np.ndarray:
        return flat(self._shards.batch(number), number in self._shards.cuts, self._symbols)


def flat(batch: TokenBatch, goes_on: bool, symbols: Symbols) -> np.ndarray:
    """A record batch as it stands in the stream, int32[n]; goes_on: whether its last document does."""
    return streamed(batch.values, batch.offsets, goes_on, symbols.end, symbols.unknown, symbols.shift)
