"""Has the kernels of preparation compiled before any memory is divided, and knows what the process holds by then.

Compiled for the first time they keep about 120 MB, loaded from numba's cache about 20.
"""

import os
from pathlib import Path

import numpy as np

from streamvec.corpus.cooccurrences import Counted, bands_of
from streamvec.corpus.repeats import Repeats
from streamvec.corpus.tokens import Tokenizer
from streamvec.kernels.cooccurrences import near_pairs, read_pairs
from streamvec.kernels.entries import number_entries, weigh_entries
from streamvec.kernels.pairmerge import enter_pairs, merge_pairs, new_streams
from streamvec.kernels.pairs import add_pairs, clear_pairs, move_pairs, new_pairs, sorted_pairs
from streamvec.kernels.phrases import WORD2VEC, count_ids, flatten, join, neighbours, renumber, select_pairs
from streamvec.kernels.scan import new_spans
from streamvec.kernels.wordruns import clear, enter, gather, merge_words, new_words, sorted_slots
from streamvec.kernels.wordtable import (
    count_tokens,
    encode_tokens,
    fill_table,
    find_words,
    mix_hashes,
    move_words,
    new_table,
)


def compile_kernels(tokenizer: Tokenizer, phrases: bool = False) -> None:
    """Calls each kernel that `prepare` will need with a few words, of the types that it will have.

    phrases: whether those that find phrases, too.
    """
    data, _ = tokenizer.ready(b"a word and another\n")
    alphabet, found = tokenizer.alphabet, new_spans()
    table = new_table(64, 1024)
    hashes, lengths = np.empty(2, np.uint64), np.empty(2, np.int64)
    count_tokens(table, alphabet, data, 0, found, hashes, lengths)
    move_words(table.slots, new_table(64, 0).slots)
    Repeats().add(mix_hashes(hashes[:1], lengths[:1]))
    order = sorted_slots(table)
    words, out = new_words(1), new_words(1)
    sizes, at, keys, heap, filled = (np.zeros(size, np.int64) for size in (1, 1, 1, 2, 1))
    sizes[0] = gather(table.slots, table.arena, order, 0, words)
    enter(words, at, keys.view(np.uint64), heap, 0)
    merge_words(words, sizes, at, keys.view(np.uint64), heap, out, filled)
    clear(table)
    fill_table(table, data, np.array([0, 1], np.int64))
    find_words(table, data, np.array([0, 1], np.int64), np.empty(1, np.int64))
    encode_tokens(table, alphabet, data, False, found, np.empty(data.size, np.int32), np.empty(2, np.int32))
    if phrases:
        _compile_phrases()


def compile_cooccurrences() -> None:
    """Calls each kernel that counting pairs within windows will need."""
    values, offsets = _tokens()
    reach, bands = Counted(1).reach(), bands_of(np.array([2, 2]), 1)
    pairs, sums, place = np.empty(4, np.uint64), np.empty(4, np.int64), np.zeros(2, np.int64)
    found = near_pairs(values, offsets, place, bands, reach, pairs, sums)
    pairs, sums = _compile_pairs(pairs[:found], sums[:found])
    entries = np.empty(found, np.int32), np.empty(found, np.int32), np.empty(found, np.float32)
    read_pairs(pairs, sums, bands, 1.0, True, *entries)


def compile_entries() -> None:
    """Calls each kernel that co-occurrences of other tools need before they are pairs."""
    ids, values = np.ones((1, 4), np.int32), np.ones((1, 2))
    ids.flags.writeable = values.flags.writeable = False
    weigh_entries(ids, values, 1, np.ones(2))
    bands = bands_of(np.array([2, 2]), 1)
    number_entries(ids, values, bands, 1.0, 1.0, np.empty(1, np.uint64), np.empty(1, np.int64))


def _tokens() -> tuple[np.ndarray, np.ndarray]:
    values, offsets = np.array([0, 1, 0, 1], np.int32), np.array([0, 4], np.int32)
    values.flags.writeable = offsets.flags.writeable = False
    return values, offsets


def _compile_pairs(pairs: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Counts, sorts and merges *pairs*; returns them and their sums, in order."""
    table = new_pairs(16)
    add_pairs(table, pairs, weights, 0, pairs.size)
    move_pairs(table, new_pairs(32))
    rows, streams, filled = sorted_pairs(table), new_streams(1), np.zeros(1, np.int64)
    streams.sizes[0] = rows.shape[0]
    streams.pairs[0, : rows.shape[0]], streams.sums[0, : rows.shape[0]] = rows[:, 0], rows[:, 1]
    enter_pairs(streams, 0)
    merged, sums = np.empty(5, np.uint64), np.empty(5, np.int64)
    merge_pairs(streams, merged, sums, filled)
    clear_pairs(table)
    return merged[: filled[0]], sums[: filled[0]]


def _compile_phrases() -> None:
    values, offsets = _tokens()
    flat, pairs, one = np.empty(5, np.int32), np.empty(5, np.uint64), np.ones(1, np.int64)
    counts = np.zeros(2, np.int64)
    size = flatten(values, offsets, flat)
    count_ids(flat, size, counts)
    pairs, sums = _compile_pairs(pairs[: neighbours(flat, size, pairs)], one)
    select_pairs(pairs, sums, pairs.size, counts, WORD2VEC, 1, 4, 4, 0.5, np.empty(5))
    table = new_pairs(16)
    size = join(flat, size, table.slots, np.zeros(2, np.uint8))
    renumber(flat, size, np.zeros(2, np.int32), np.empty(5, np.int32), np.empty(1, np.int32))


def resident_bytes() -> int | None:
    """The memory this process takes now, in bytes, as the operating system sees it; None where it does not tell."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, IndexError, ValueError):
        return None
