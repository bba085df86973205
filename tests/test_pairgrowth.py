"""How many different pairs a corpus has, told from a sample of it, against counting all."""

from itertools import combinations_with_replacement, product

import numpy as np
import pytest

from streamvec.corpus.cooccurrences import Counted
from streamvec.corpus.growth import Sample
from streamvec.corpus.pairgrowth import Frequencies, _Different, groups_of, pair_growth
from streamvec.corpus.shards import TokenBatch
from streamvec.corpus.tokens import Tokenizer

DOCUMENT = 20  # tokens


def text_like(tokens: int, words: int, seed: int = 0) -> np.ndarray:
    """Ids of words by a power law, whose documents each have a topic that takes every second of them."""
    draw = np.random.default_rng(seed)
    weights = np.cumsum(1 / np.arange(1, words + 1))
    ids = np.searchsorted(weights / weights[-1], draw.random(tokens))
    topics = np.repeat(draw.integers(0, 50, tokens // DOCUMENT), DOCUMENT)
    own = topics * (words // 50) + draw.integers(0, words // 50, tokens) // draw.integers(1, 9, tokens)
    return np.where(draw.random(tokens) < 0.5, ids, own).astype(np.int32)


def batches_of(ids: np.ndarray, size: int = 10_000) -> list[TokenBatch]:
    assert size % DOCUMENT == 0
    return [
        TokenBatch(some, np.arange(0, some.size + 1, DOCUMENT, dtype=np.int32))
        for some in (ids[start : start + size] for start in range(0, ids.size, size))
    ]


def by_count(ids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The same ids by falling count, and the counts."""
    counts = np.bincount(ids)
    order = np.argsort(-counts, kind="stable")
    ranks = np.empty(order.size, np.int32)
    ranks[order] = np.arange(order.size)
    return ranks[ids], counts[order][counts[order] > 0]


def all_pairs(ids: np.ndarray, counted: Counted) -> tuple[int, int]:
    """(different pairs, entries of the matrix), counted one by one."""
    lines, pairs = ids.reshape(-1, DOCUMENT).astype(np.int64), []
    for distance in range(1, counted.window + 1):
        left, right = lines[:, :-distance].ravel(), lines[:, distance:].ravel()
        if counted.symmetric:
            left, right = np.minimum(left, right), np.maximum(left, right)
        pairs.append(left << 32 | right)
    found = np.unique(np.concatenate(pairs))
    beside = np.count_nonzero(found >> 32 == found & 0xFFFFFFFF)
    return found.size, 2 * found.size - beside if counted.symmetric else found.size


@pytest.mark.parametrize("counted", [Counted(10), Counted(2), Counted(5, "left"), Counted(5, "right", "flat")])
def test_a_tenth_tells_of_all(counted):
    ids, counts = by_count(text_like(1_000_000, 20_000))
    stored, entries = all_pairs(ids, counted)
    growth = pair_growth(batches_of(ids[:100_000]), Frequencies.of_counts(counts), counted)
    assert growth.stored(ids.size) == pytest.approx(stored, rel=0.15)
    assert growth.entries(ids.size) == pytest.approx(entries, rel=0.15)
    assert growth.stored(ids.size // 4) == pytest.approx(all_pairs(ids[: ids.size // 4], counted)[0], rel=0.15)


@pytest.mark.parametrize("counted", [Counted(10), Counted(3, "right")])
def test_a_whole_corpus_is_told_closely(counted):
    ids, counts = by_count(text_like(400_000, 5_000))
    stored, entries = all_pairs(ids, counted)
    growth = pair_growth(batches_of(ids), Frequencies.of_counts(counts), counted)
    assert growth.stored(ids.size) == pytest.approx(stored, rel=0.02)
    assert growth.entries(ids.size) == pytest.approx(entries, rel=0.02)


def test_a_few_words_meet_all_others_and_no_more():
    ids, counts = by_count(np.random.default_rng(1).integers(0, 15, 40_000).astype(np.int32))
    both = pair_growth(batches_of(ids), Frequencies.of_counts(counts), Counted(4))
    left = pair_growth(batches_of(ids), Frequencies.of_counts(counts), Counted(4, "left"))
    assert both.stored(10**12) == pytest.approx(len([*combinations_with_replacement(range(15), 2)]))
    assert both.entries(10**12) == left.stored(10**12) == left.entries(10**12) == pytest.approx(225)
    assert len([*product(range(15), repeat=2)]) == 225


def test_random_words_are_worth_all_they_are():
    draw = np.random.default_rng(2)
    ids, counts = by_count(draw.integers(0, 3000, 200_000).astype(np.int32))
    growth = pair_growth(batches_of(ids), Frequencies.of_counts(counts), Counted(2))
    assert growth.share > 0.97 and growth.slope > -0.02
    assert growth.near == pytest.approx(2 - 3 / DOCUMENT)


def test_one_word_a_document_has_no_pairs():
    batch = TokenBatch(np.arange(5, dtype=np.int32), np.arange(6, dtype=np.int32))
    growth = pair_growth([batch], Frequencies.of_counts(np.ones(5, np.int64)), Counted(10))
    assert growth.stored(10**9) == growth.entries(10**9) == 0
    assert pair_growth([], Frequencies.of_counts(np.ones(5, np.int64)), Counted(10)).stored(100) == 0


def test_groups_hold_all_words():
    counts = -np.sort(-np.random.default_rng(3).zipf(1.5, 100_000).clip(0, 10**9)).astype(np.int64)
    words, each = groups_of(counts)
    assert words.sum() == counts.size and words @ each == pytest.approx(counts.sum())
    assert words[:60].tolist() == [1] * 60 and words.size < 300 and (np.diff(each) <= 0).all()
    known = Frequencies.of_counts(counts[:7])
    assert known.words.tolist() == [1] * 7 and known.words @ known.rates == pytest.approx(1)


def test_frequencies_of_a_part_have_all_words():
    ids, counts = by_count(text_like(50_000, 20_000))
    sample = Sample(Tokenizer(), 1_000_000, sampled_bytes=100_000, tokens=ids.size, counts=counts)
    sample.sizes = np.full(counts.size, 6)
    sample.growth = [(ids.size // 2, int(np.unique(ids[: ids.size // 2]).size)), (ids.size, counts.size)]
    words = sample.vocabulary(5, None).words
    known = Frequencies.of_sample(sample, words, 5)
    assert known.words.sum() == pytest.approx(words) and known.words @ known.rates == pytest.approx(1)
    assert (np.diff(known.rates) <= 0).all()
    assert known.rates[0] == pytest.approx(counts[0] / ids.size, rel=0.1)


def test_few_numbers_stand_for_many():
    different, draw = _Different(), np.random.default_rng(4)
    numbers = draw.integers(0, 1 << 62, 1_000_000).astype(np.uint64)
    for start in range(0, numbers.size, 8192):
        different.add(numbers[start : start + 8192])
        different.add(numbers[: start + 100 : 97])
        assert start > 100_000 or different.number == start + min(8192, numbers.size - start)
    assert different.number == pytest.approx(numbers.size, rel=0.02)
