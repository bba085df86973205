"""Has the kernels of preparation compiled before any memory is divided, so that what they take is known by then.

Compiled for the first time they keep about 120 MB, loaded from numba's cache about 20.
"""

import os
from pathlib import Path

import numpy as np

from streamvec.corpus.repeats import Repeats
from streamvec.corpus.tokens import Tokenizer
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


def compile_kernels(tokenizer: Tokenizer) -> None:
    """Calls each kernel that `prepare` will need with a few words, of the types that it will have."""
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
    encode_tokens(table, alphabet, data, found, np.empty(data.size, np.int32), np.empty(2, np.int32))


def resident_bytes() -> int | None:
    """The memory this process takes now, in bytes, as the operating system sees it; None where it does not tell."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, IndexError, ValueError):
        return None
