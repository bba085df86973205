"""Sorted runs of pairs and their sums, many of them merged into one order in which each pair stands once."""

from typing import NamedTuple

import numpy as np
from numba import njit

ROWS = 1 << 14  # pairs in a batch of a run
DONE, FULL = -1, -2  # why `merge_pairs` stopped: at the end; for want of room (else: for want of a stream's next batch)


class Streams(NamedTuple):
    """A batch of each run, and which pair is the smallest."""

    pairs: np.ndarray  # uint64[streams, ROWS]
    sums: np.ndarray  # int64[streams, ROWS]
    sizes: np.ndarray  # int64[streams]: pairs in each batch
    at: np.ndarray  # int64[streams]: the current one of each
    heap: np.ndarray  # int64[streams + 1]: streams in heap[1 : heap[0] + 1], that of the smallest pair first


def new_streams(streams: int) -> Streams:
    """Room for a batch of each stream."""
    pairs, sums = np.empty((streams, ROWS), np.uint64), np.empty((streams, ROWS), np.int64)
    return Streams(
        pairs, sums, np.zeros(streams, np.int64), np.zeros(streams, np.int64), np.zeros(streams + 1, np.int64)
    )


@njit(nogil=True, cache=True)
def enter_pairs(streams, stream):
    """Puts a stream, whose new batch has just been read, into the heap."""
    pairs, at, heap = streams.pairs, streams.at, streams.heap
    at[stream] = 0
    heap[0] += 1
    place = heap[0]
    while place > 1 and pairs[stream, 0] < pairs[heap[place // 2], at[heap[place // 2]]]:
        heap[place] = heap[place // 2]
        place //= 2
    heap[place] = stream


@njit(nogil=True, cache=True)
def _sink(pairs, at, heap, stream):
    """Finds the place of *stream*, which is to stand first or below."""
    size, root = heap[0], 1
    pair = pairs[stream, at[stream]]
    while 2 * root <= size:
        child = 2 * root
        least = pairs[heap[child], at[heap[child]]]
        if child < size:
            other = pairs[heap[child + 1], at[heap[child + 1]]]
            if other < least:
                child, least = child + 1, other
        if pair <= least:
            break
        heap[root] = heap[child]
        root = child
    heap[root] = stream


@njit(nogil=True, cache=True)
def merge_pairs(streams, out_pairs, out_sums, filled):
    """Moves the smallest pairs of all streams (updated) to uint64[n] and int64[n] (written), adding up equal ones.

    filled: int64[1], updated: pairs in the output. Returns DONE at the end, FULL, or the stream that needs its next
    batch: it has been taken out of the heap and must `enter_pairs` again unless it is at its end.
    """
    pairs, sums, sizes, at, heap = streams
    count = filled[0]
    while heap[0] > 0:
        stream = heap[1]
        place = at[stream]
        pair = pairs[stream, place]
        if count > 0 and out_pairs[count - 1] == pair:
            out_sums[count - 1] += sums[stream, place]
        else:
            if count == out_pairs.size:
                filled[0] = count
                return FULL
            out_pairs[count], out_sums[count] = pair, sums[stream, place]
            count += 1
        at[stream] = place + 1
        if place + 1 == sizes[stream]:
            last = heap[heap[0]]
            heap[0] -= 1
            if heap[0] > 0:
                _sink(pairs, at, heap, last)
            filled[0] = count
            return stream
        _sink(pairs, at, heap, stream)
    filled[0] = count
    return DONE
