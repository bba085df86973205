"""What the counting of pairs is foreseen to need: runs and when they are merged, tables, room, and rounds."""

import numpy as np
import pytest
from planning import BATCH

from streamvec.corpus.cooccurrences import Counted, bands_of
from streamvec.corpus.nearby import AT_ONCE
from streamvec.corpus.pairgrowth import Frequencies, pair_growth
from streamvec.corpus.pairroom import room_of, table_bytes
from streamvec.corpus.pairruns import BYTES_PER_SLOT, PairCounter, merge_to_run, table_sizes
from streamvec.corpus.runfiles import RunFiles
from streamvec.kernels.pairs import SLOT_BYTES
from streamvec.training import needs
from streamvec.training.options import MachineOptions
from streamvec.training.pairneeds import pair_needs, rounds_of
from streamvec.training.tableneeds import most_pairs, pair_table_bytes, runs_of


def test_runs_that_never_fill_a_table_are_one_a_thread():
    told = runs_of(lambda tokens: tokens / 2, 1000, 2, 10**6)
    assert (told.number, told.peak, told.kept, told.written) == (2, 500, 500, 500)


def test_runs_are_merged_now_and_then():
    def different(tokens):
        return min(tokens, 10**6)

    told = runs_of(different, 10_500_000, 1, 10**6, longest=10**6)  # ten and a half hold the same
    assert (told.number, told.peak, told.kept) == (11, 10_500_000, 10_500_000)
    told = runs_of(different, 40 * 10**6, 1, 999_999)  # 32 become one, and are there until it is
    assert told.number == 10 and told.peak == pytest.approx(33 * 10**6, rel=0.03)
    assert told.kept == pytest.approx(9.5 * 10**6, rel=0.06) and told.written == pytest.approx(41 * 10**6, rel=0.03)
    often = runs_of(lambda tokens: tokens, 1000, 1, 10**6, longest=100)
    assert (often.number, often.kept) == (10, 1000)


@pytest.mark.parametrize("room", [1, 10**6, 40 * 10**6])
def test_tables_of_pairs_are_as_planned(room, tmp_path):
    sizes = table_sizes(room)
    runs = RunFiles(tmp_path, merge_to_run)
    counter = PairCounter(room, runs.keep)
    assert counter._table.slots.shape[0] == sizes[0]
    assert sizes[-1] == max(1 << 14, room // BYTES_PER_SLOT)
    used = 0
    pairs = np.arange(int(most_pairs(room)), dtype=np.uint64)
    for some in np.array_split(pairs, 50):
        counter.add(some, np.ones(1, np.int64))
        used += some.size
        slots = counter._table.slots.shape[0]
        assert pair_table_bytes(room, used) >= SLOT_BYTES * (slots + used) * 0.999
        assert pair_table_bytes(room, used) <= SLOT_BYTES * (slots * 1.26 + used)
    assert not runs.kept
    counter.add(np.arange(10**9, 10**9 + 2, dtype=np.uint64), np.ones(1, np.int64))
    assert runs.kept == 1


def test_the_stage_has_the_room_that_is_planned():
    machine = MachineOptions(threads=2, memory=800_000_000)
    load = needs.Load(100_000, 6.0)
    words = np.full(load.words, 10**7)
    growth = pair_growth([BATCH], Frequencies.of_counts(words), Counted(10))
    told = pair_needs(machine, growth, load, int(words.sum()))
    taken = needs.prepared_bytes(machine, load)
    full = pair_table_bytes(
        table_bytes(room_of(machine.memory_bytes, 2, taken + 8 * load.words, load.words), 2), 10**12
    )
    assert told.counting_memory == taken + 8 * load.words + 2 * (full + 16 * AT_ONCE)
    assert 0.9 * machine.memory_bytes < told.counting_memory <= machine.memory_bytes


@pytest.mark.parametrize("words", [15, 300, 20_000, 72_535, 1_000_000, 3_000_000])
def test_rounds_are_as_many_as_bands(words):
    counts = (10**7 / np.arange(1, words + 1)).astype(np.int64) + 5
    growth = pair_growth([], Frequencies.of_counts(counts), Counted(10))
    assert rounds_of(growth, words, int(counts.sum())) == pytest.approx(bands_of(counts, 10).starts.size - 1, rel=0.05)
