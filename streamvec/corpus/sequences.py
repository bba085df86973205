"""The corpus as separate sequences: each document by itself, from a state of zeros to its end.

A sequence predicts the tokens of a document and its end token (or its line break, where that is a token like any
other), and reads before each what stands before it in the document: before the first one the token that ended the
document before. Documents that are longer than a sequence may be are cut into pieces, which begin with a state of zeros
like the others, but read the last token of the piece before. A step takes the next few sequences in the order of the
corpus, which is one stretch of the stream of all documents end to end, padded to the longest of them.
"""

from typing import NamedTuple

import numpy as np

from streamvec.corpus.lanes import LaneBatch, Lanes, flat
from streamvec.corpus.shards import MarkedShards
from streamvec.corpus.stretches import division, stream_lengths
from streamvec.corpus.symbols import Symbols


class _Held(NamedTuple):
    """A record batch as it was read."""

    number: int
    stream: np.ndarray  # int32[n]
    starts: np.ndarray  # int64[sequences that begin in it]: where in the whole stream
    before: int  # the token that is read before its first one


class Sequences:
    """The sequences of some shards, as many as there are lanes at a time.

    Memory: the record batches of one step, and 20 bytes for each record batch there is.
    """

    def __init__(self, shards: MarkedShards, symbols: Symbols, lanes: int, steps: int) -> None:
        """lanes: sequences of a batch; steps: the most time steps of a sequence."""
        self._shards, self._symbols, self._lanes, self._steps = shards, symbols, lanes, steps
        self._division = division(shards, symbols.end >= 0, steps)
        self.documents, self.longer = self._division.documents, self._division.longer
        self.sequences = int(self._division.firsts[-1])
        self.batches = -(-self.sequences // lanes)
        self.whole = self.sequences // lanes  # batches that have all their sequences
        self._held = _Held(-1, np.zeros(0, np.int32), np.zeros(0, np.int64), symbols.begin)

    def at(self, epoch: int, batch: int) -> LaneBatch:
        """Step number *batch* of any epoch; lanes that no sequence is left for have the length 0."""
        first = batch * self._lanes
        count = min(self._lanes, self.sequences - first)
        stream, edges = self._stretch(first, count)
        begins, lengths = np.zeros(self._lanes, np.int64), np.zeros(self._lanes, np.int64)
        begins[:count], lengths[:count] = edges[:-1], np.diff(edges)
        # A sequence's last token, again and again, pads it: no word is met that is not met in any case.
        places = begins + np.minimum(np.arange(lengths.max())[:, None], np.maximum(lengths - 1, 0))
        return LaneBatch(stream[places], stream[places + 1], True, lengths)

    def _stretch(self, first: int, count: int) -> tuple[np.ndarray, np.ndarray]:
        """The stream of *count* sequences from number *first* on, with the token before it, int32[n + 1]; and where in
        it (without that) each begins, and the last one ends, int64[count + 1]."""
        begins, firsts = self._division.begins, self._division.firsts
        number = int(np.searchsorted(firsts, first, side="right")) - 1
        held = self._read(number)
        starts = [held.starts[first - int(firsts[number]) :][: count + 1]]
        low = int(starts[0][0])
        place = low - int(begins[number])
        before = held.stream[place - 1 : place] if place else np.array([held.before], np.int32)
        parts = [before, held.stream[place:]]
        while int(firsts[number + 1]) <= first + count and number + 1 < self._shards.batches:
            number += 1
            held = self._read(number)
            starts.append(held.starts[: count + 1])
            parts.append(held.stream)
        edges = np.concatenate([*starts, begins[-1:]])[: count + 1] - low
        left, taken = int(edges[-1]) + 1, []
        for part in parts:
            taken.append(part[:left])
            left -= taken[-1].size
        return np.concatenate(taken), edges

    def _read(self, number: int) -> _Held:
        if self._held.number != number:
            batch, goes_on = self._shards.batch(number), number in self._shards.cuts
            before = self._symbols.begin
            if number - 1 in self._shards.cuts:
                held = self._held if self._held.number == number - 1 else None
                before = int((held.stream if held else flat(self._shards.batch(number - 1), True, self._symbols))[-1])
            lengths = stream_lengths(batch.offsets, goes_on, self._symbols.end >= 0)
            starts = self._division.starts(number, lengths, self._steps)
            self._held = _Held(number, flat(batch, goes_on, self._symbols), starts, before)
        return self._held


def batches_of(shards: MarkedShards, symbols: Symbols, lanes: int, steps: int, separate: bool) -> Lanes | Sequences:
    """What a language model reads from shards: separate sequences, or one stream in lanes."""
    return (Sequences if separate else Lanes)(shards, symbols, lanes, steps)
