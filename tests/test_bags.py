"""Sums of rows, their gradients, and buckets of neighbouring words, against plain loops."""

import random

import numpy as np

from streamvec.kernels.bags import add_bags, hash_ngrams, spread_bags

MASK = (1 << 64) - 1


def mixed(value):
    """The mixing function of 64 bits that all draws go through (the finalizer of splitmix64)."""
    from streamvec.kernels import random as kernel

    return int(kernel.mixed(np.uint64(value & MASK)))


def bags(seed, rows):
    draw = random.Random(seed)
    found = [[draw.randrange(rows) for _ in range(draw.choice([0, 1, 2, 7]))] for _ in range(9)]
    return found, np.array([one for bag in found for one in bag], np.int32), np.array([*map(len, found)], np.int64)


def test_rows_of_a_bag_are_added_up():
    matrix = np.random.default_rng(1).normal(size=(6, 5)).astype(np.float32)
    found, ids, lengths = bags(1, 6)
    out = np.ones((9, 5), np.float32)
    add_bags(out, matrix, ids, lengths)
    for number, bag in enumerate(found):
        np.testing.assert_allclose(out[number], 1 + sum(matrix[one] for one in bag), rtol=1e-5)


def test_gradients_reach_each_row_as_often_as_it_is_there():
    rows = np.random.default_rng(2).normal(size=(9, 5)).astype(np.float32)
    found, ids, lengths = bags(3, 6)
    assert any(len(set(bag)) < len(bag) for bag in found)
    matrix = np.zeros((6, 5), np.float32)
    spread_bags(matrix, ids, lengths, rows)
    expected = np.zeros((6, 5))
    for number, bag in enumerate(found):
        for one in bag:
            expected[one] += rows[number]
    np.testing.assert_allclose(matrix, expected, rtol=1e-5, atol=1e-6)


def test_ids_that_cannot_be_written_to_do():
    _, ids, lengths = bags(1, 6)
    for array in (ids, lengths):
        array.setflags(write=False)
    out = np.zeros((9, 5), np.float32)
    add_bags(out, np.ones((6, 5), np.float32), ids, lengths)
    assert out[:, 0].tolist() == lengths.tolist()


def test_ngrams_are_all_runs_of_a_bag_and_of_no_two():
    for most, buckets in ((2, 1000), (4, 1000), (3, 7)):
        found, ids, lengths = bags(5, 1000)
        expected = []
        for bag in found:
            for first in range(len(bag)):
                key = mixed(bag[first])
                for one in bag[first + 1 : first + most]:
                    key = mixed(key ^ one)
                    expected.append(key % buckets)
        out = np.full(len(expected), -1, np.int32)
        hash_ngrams(ids, lengths, most, buckets, out)
        assert out.tolist() == expected


def test_the_order_of_words_counts_and_buckets_are_used_alike():
    pair = np.empty(2, np.int32)
    hash_ngrams(np.array([3, 8, 8, 3], np.int32), np.array([2, 2]), 2, 1 << 30, pair)
    assert pair[0] != pair[1]
    ids = np.random.default_rng(1).integers(0, 50_000, 100_001).astype(np.int32)
    out = np.empty(100_000, np.int32)
    hash_ngrams(ids, np.array([ids.size]), 2, 100, out)
    counts = np.bincount(out, minlength=100)
    assert counts.size == 100 and np.abs(counts - 1000).max() < 6 * np.sqrt(1000)
