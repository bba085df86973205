"""Runs: files of words and counts in the order of the words' bytes, made from full tables and merged in one sweep."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from streamvec.corpus.runfiles import RunReaders
from streamvec.corpus.vocabulary import word_bytes
from streamvec.disk.arrow import ArrowWriter
from streamvec.kernels.wordruns import (
    BYTES_AT_ONCE,
    DONE,
    FULL,
    WORDS_AT_ONCE,
    Words,
    enter,
    gather,
    merge_words,
    new_words,
    sorted_slots,
)
from streamvec.kernels.wordtable import WordTable

SCHEMA = pa.schema([("word", pa.binary()), ("count", pa.int64())])


class WordCounts(NamedTuple):
    """Some words in order; valid until the next ones are asked for."""

    data: np.ndarray  # uint8[bytes]
    offsets: np.ndarray  # int64[words + 1]
    counts: np.ndarray  # int64[words]


def batches_of(table: WordTable) -> Iterator[pa.RecordBatch]:
    """The words of *table*, which must be cleared afterwards, as a run holds them; each valid until the next one."""
    order = sorted_slots(table)
    out = new_words(1)
    first = 0
    while first < order.size:
        words = gather(table.slots, table.arena, order, first, out)
        yield _batch(_filled(out, words))
        first += words


def write_run(words: pa.LargeStringArray, counts: np.ndarray, path: Path) -> None:
    """Writes distinct words, in the order of their bytes, with their counts (int64[n]) as a run."""
    with ArrowWriter(path, SCHEMA) as writer:
        first = 0
        while first < len(words):
            data, offsets = word_bytes(words.slice(first, WORDS_AT_ONCE))
            some = int(np.searchsorted(offsets, BYTES_AT_ONCE, side="right")) - 1
            writer.write(_batch(WordCounts(data[: offsets[some]], offsets[: some + 1], counts[first : first + some])))
            first += some


def merge_to_run(paths: Sequence[Path], path: Path) -> None:
    """Merges at most MOST_FILES runs into one."""
    with ArrowWriter(path, SCHEMA) as writer:
        for words in merge(paths):
            writer.write(_batch(words))


def merge(paths: Sequence[Path]) -> Iterator[WordCounts]:
    """All words of at most MOST_FILES runs, in order, each once, with the sum of its counts.

    Raises StreamvecError when a run is damaged.
    """
    readers = RunReaders(paths)
    words, out = new_words(len(paths)), new_words(1)
    sizes, at, filled = np.zeros(len(paths), np.int64), np.zeros(len(paths), np.int64), np.zeros(1, np.int64)
    keys, heap = np.zeros(len(paths), np.uint64), np.zeros(len(paths) + 1, np.int64)

    def refill(stream: int) -> None:
        batch = readers.next_batch(stream)
        if batch is not None:
            sizes[stream] = _read(batch, words, stream)
            enter(words, at, keys, heap, stream)

    for stream in range(len(paths)):
        refill(stream)
    while (reason := merge_words(words, sizes, at, keys, heap, out, filled)) != DONE:
        if reason == FULL:
            yield _filled(out, int(filled[0]))
            filled[0] = 0
        else:
            refill(reason)
    if filled[0]:
        yield _filled(out, int(filled[0]))


def _filled(words: Words, count: int) -> WordCounts:
    offsets = words.offsets[0, : count + 1]
    return WordCounts(words.data[0, : offsets[-1]], offsets, words.counts[0, :count])


def _batch(words: WordCounts) -> pa.RecordBatch:
    offsets = pa.py_buffer(words.offsets.astype(np.int32))
    column = pa.BinaryArray.from_buffers(pa.binary(), words.counts.size, [None, offsets, pa.py_buffer(words.data)])
    return pa.record_batch([column, pa.array(words.counts)], schema=SCHEMA)


def _read(batch: pa.RecordBatch, words: Words, stream: int) -> int:
    column = batch.column(0)
    buffers = column.buffers()
    offsets = np.frombuffer(buffers[1], np.int32, batch.num_rows + 1)
    words.data[stream, : offsets[-1]] = np.frombuffer(buffers[2], np.uint8, offsets[-1])
    words.offsets[stream, : offsets.size] = offsets
    words.counts[stream, : batch.num_rows] = batch.column(1).to_numpy()
    return batch.num_rows
