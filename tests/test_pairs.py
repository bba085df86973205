"""The table of pairs, its order, its runs and their merging, against a Counter; scores against gensim's."""

import random
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamvec.corpus import pairruns, runfiles
from streamvec.corpus.pairruns import PairCounter, merge, merge_to_run
from streamvec.errors import StreamvecError
from streamvec.kernels.pairs import add_pairs, clear_pairs, find_pair, move_pairs, new_pairs, pair_key, sorted_pairs
from streamvec.kernels.phrases import NPMI, WORD2VEC, score_pair

# few different pairs, and such as differ in one byte only or are negative
IDS = st.one_of(st.integers(0, 5), st.sampled_from([255, 256, 1 << 30, (1 << 31) - 1, -2, -(1 << 31)]))
PAIRS = st.lists(st.tuples(IDS, IDS, st.integers(1, 9)), max_size=300)


def keys_of(pairs: list[tuple[int, int, int]]) -> tuple[np.ndarray, np.ndarray]:
    keys = np.array([pair_key(np.int32(left), np.int32(right)) for left, right, _ in pairs], np.uint64)
    return keys, np.array([weight for *_, weight in pairs], np.int64)


def summed(keys: np.ndarray, weights: np.ndarray) -> list[tuple[int, int]]:
    counted: Counter[int] = Counter()
    for key, weight in zip(keys.tolist(), weights.tolist(), strict=True):
        counted[key] += weight
    return sorted(counted.items())


@given(PAIRS, st.integers(2, 400))
@settings(max_examples=100, deadline=None)
def test_the_table_adds_up_until_it_is_full(pairs: list[tuple[int, int, int]], slots: int) -> None:
    keys, weights = keys_of(pairs)
    table = new_pairs(slots)
    done = add_pairs(table, keys, weights, 0, keys.size)
    expected = summed(keys[:done], weights[:done])
    assert done == keys.size or len(expected) == slots * 7 // 10
    assert [(key, find_pair(table.slots, np.uint64(key))) for key, _ in expected] == expected
    assert find_pair(table.slots, np.uint64(77)) == 0
    larger = new_pairs(2 * slots)
    move_pairs(table, larger)
    for one in (table, larger):
        assert one.used[0] == len(expected)
        assert [tuple(row) for row in sorted_pairs(one).tolist()] == expected
        clear_pairs(one)
        assert one.used[0] == 0 and not one.slots.any()


@given(PAIRS, st.integers(3, 40), st.integers(1, 5))
@settings(max_examples=60, deadline=None)
def test_runs_of_any_tables_merge_to_the_same(
    tmp_path_factory: pytest.TempPathFactory, pairs: list[tuple[int, int, int]], slots: int, counters: int
) -> None:
    folder = tmp_path_factory.mktemp("runs")
    keys, weights = keys_of(pairs)
    runs = runfiles.RunFiles(folder, merge_to_run)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pairruns, "_FEWEST_SLOTS", slots)
        workers = [PairCounter(0, runs.keep) for _ in range(counters)]
    for number, worker in enumerate(workers):
        worker.add(keys[number::counters], weights[number::counters])
        worker.spill()
    runs.add_kept()
    names = runs.paths
    some = names[: runfiles.AT_ONCE]
    merge_to_run(some, folder / "merged.arrow")
    found = [
        (int(key), int(total))
        for batch in merge([folder / "merged.arrow", *names[len(some) :]])
        for key, total in zip(batch.pairs, batch.sums, strict=True)
    ]
    assert found == summed(keys, weights)


def test_runs_longer_than_a_batch(tmp_path: Path) -> None:
    draw = np.random.default_rng(1)
    keys = draw.integers(0, 60_000, 200_000).astype(np.uint64)
    runs = runfiles.RunFiles(tmp_path, merge_to_run)
    counter = PairCounter(1 << 20, runs.keep)
    counter.add(keys, np.full(1, 2, np.int64))
    counter.spill()
    runs.add_kept()
    assert len(runs.paths) > 1
    parts = [(batch.pairs.copy(), batch.sums.copy()) for batch in merge(runs.paths)]
    expected, counts = np.unique(keys, return_counts=True)
    assert len(parts) > 3
    assert np.array_equal(np.concatenate([part[0] for part in parts]), expected)
    assert np.array_equal(np.concatenate([part[1] for part in parts]), 2 * counts)


@given(st.integers(0, 5), st.lists(st.integers(0, 420), min_size=2, max_size=2), st.booleans(), st.booleans())
@settings(max_examples=60, deadline=None)
def test_merging_within_bounds_gives_a_slice_of_the_whole(
    tmp_path_factory: pytest.TempPathFactory, files: int, bounds: list[int], is_verified: bool, is_high: bool
) -> None:
    """Runs of several batches, whose pairs are even numbers in two far ranges; bounds fall on, between and beyond."""
    folder, draw = tmp_path_factory.mktemp("runs"), np.random.default_rng(files)
    runs = runfiles.RunFiles(folder, merge_to_run)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pairruns, "ROWS", 16)
        for _ in range(files):
            counter = PairCounter(0, runs.keep)
            keys = np.unique(draw.integers(0, 200, 90)).astype(np.uint64) * np.uint64(2)
            counter.add(np.concatenate([keys, keys + np.uint64(1 << 60)]), np.full(1, 3, np.int64))
            counter.spill()
        runs.add_kept()
        first, end = (bound + (is_high << 60) for bound in sorted(bounds))
        whole, part = (
            [(int(key), int(total)) for batch in merge(runs.paths, *more) for key, total in zip(*batch, strict=True)]
            for more in ((), ((first, end), is_verified))
        )
    assert part == [(key, total) for key, total in whole if first <= key < end]
    assert len(whole) >= 100 or not files


def test_a_damaged_run_is_named(tmp_path: Path) -> None:
    runs = runfiles.RunFiles(tmp_path, merge_to_run)
    counter = PairCounter(0, runs.keep)
    counter.add(np.arange(100, dtype=np.uint64), np.ones(1, np.int64))
    counter.spill()
    runs.add_kept()
    (path,) = runs.paths
    content = bytearray(path.read_bytes())
    content[700] ^= 4
    path.write_bytes(content)
    with pytest.raises(StreamvecError, match=r"run-000001\.arrow: damaged"):
        list(merge([path]))


def test_scores_are_gensims() -> None:
    gensim = pytest.importorskip("gensim.models.phrases")
    draw = random.Random(5)
    for _ in range(2000):
        tokens = draw.randrange(100, 10**12)
        left, right = draw.randrange(1, tokens // 10), draw.randrange(1, tokens // 10)
        both = draw.randrange(1, min(left, right) + 1)
        least, types = draw.randrange(1, 20), draw.randrange(1, tokens)
        names = {"worda_count": left, "wordb_count": right, "bigram_count": both, "len_vocab": types}
        names |= {"min_count": least, "corpus_word_count": tokens}
        found = score_pair(WORD2VEC, left, right, both, least, types, tokens)
        assert found == gensim.original_scorer(**names)
        assert score_pair(NPMI, left, right, both, least, types, tokens) == pytest.approx(
            gensim.npmi_scorer(**names), rel=1e-14
        )
