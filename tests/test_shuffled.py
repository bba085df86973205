"""The order of examples: each once an epoch, another one in each, within windows, whoever asks for which batch when."""

import random
from pathlib import Path

import numpy as np
import pytest
from networks import examples

from streamvec.corpus import shuffled as module
from streamvec.corpus.examples import ROWS, Examples, ExampleWriter
from streamvec.corpus.shuffled import InOrder, Shuffled, drawn


def made(folder: Path, count: int) -> Examples:
    """Examples whose first word is their number, of 1 to 12 words."""
    draw = random.Random(count)
    words = [[number] * (1 + draw.randrange(12)) for number in range(count)]
    folder.mkdir()
    with ExampleWriter(folder, "0" * 32, count, {}) as writer:
        for first in range(0, count, 5000):
            writer.add(examples(words[first : first + 5000], [[0]] * len(words[first : first + 5000])))
    return Examples.open(folder)


def epoch_of(batches: Shuffled, epoch: int = 0) -> list[list[int]]:
    found = [batches.at(epoch, number) for number in range(batches.batches)]
    return [batch.words.values[batch.words.starts].tolist() for batch in found]


def flat(batches: list[list[int]]) -> list[int]:
    return [number for batch in batches for number in batch]


@pytest.mark.parametrize("count", [1, 255, 256, 257, 64 * 256 + 3])
@pytest.mark.parametrize("batch", [1, 32, 300])
def test_each_example_comes_once_an_epoch(tmp_path, count, batch):
    if count * (batch == 1) > 1000:
        batch = 7
    batches = Shuffled(made(tmp_path / "x", count), batch, seed=1)
    found = epoch_of(batches)
    assert sorted(flat(found)) == list(range(count))
    assert all(0 < len(one) <= batch for one in found)
    windows = [64 * ROWS] * (count // (64 * ROWS)) + [count % (64 * ROWS)]
    assert batches.batches == len(found) == sum(-(-size // batch) for size in windows)


def test_orders_differ_by_epoch_and_seed_and_are_those_of_a_second_time(tmp_path):
    source = made(tmp_path / "x", 700)
    orders = [
        flat(epoch_of(Shuffled(source, 32, seed), epoch)) for seed, epoch in ((1, 0), (1, 1), (2, 0), (2, 1), (1, 0))
    ]
    assert orders[0] == orders[4]
    assert len({tuple(order) for order in orders}) == 4


def test_any_batch_may_be_asked_for_at_any_time(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "WINDOW", 2)
    source = made(tmp_path / "x", 1700)
    inorder = [epoch_of(Shuffled(source, 50, 3), epoch) for epoch in (0, 1)]
    batches = Shuffled(source, 50, 3)
    places = [(epoch, number) for epoch in (0, 1) for number in range(batches.batches)]
    random.Random(1).shuffle(places)
    for epoch, number in places[:40]:
        words = batches.at(epoch, number).words
        assert words.values[words.starts].tolist() == inorder[epoch][number]


def test_only_examples_of_a_window_are_mixed(tmp_path, monkeypatch):
    """What a naive reader of the windows' record batches finds in each stretch of steps."""
    monkeypatch.setattr(module, "WINDOW", 3)
    source = made(tmp_path / "x", 256 * 10 + 5)
    found = epoch_of(Shuffled(source, 32, 1))
    steps = 3 * ROWS // 32
    order = []
    for first in range(0, len(found), steps):
        blocks = {number // ROWS for number in flat(found[first : first + steps])}
        assert len(blocks) <= 3
        order += sorted(blocks)
    assert sorted(order) == list(range(11))
    assert order != list(range(11))


def test_batches_are_of_like_length_and_do_not_come_by_length(tmp_path):
    source = made(tmp_path / "x", 3000)
    batches = Shuffled(source, 32, 1)
    lengths = [batches.at(0, number).words.lengths for number in range(batches.batches)]
    assert np.mean([one.max() - one.min() for one in lengths]) <= 1
    longest = [int(one.max()) for one in lengths]
    assert longest != sorted(longest)
    assert len(set(longest[:20])) > 5


def test_every_place_is_as_likely(tmp_path):
    """The first half of an epoch has each example in half of the epochs."""
    batches = Shuffled(made(tmp_path / "x", 64), 4, 1)
    times = np.zeros(64)
    for epoch in range(300):
        times[flat(epoch_of(batches, epoch)[:8])] += 1
    assert np.abs(times - 150).max() < 5 * np.sqrt(75)


@pytest.mark.parametrize(("count", "batch"), [(1, 64), (300, 64), (300, 100), (600, 300), (513, 1)])
def test_to_measure_they_come_in_order(tmp_path, count, batch):
    batches = InOrder(made(tmp_path / "x", count), batch)
    found = [batches.at(0, number) for number in range(batches.batches)]
    assert all(len(one) <= batch for one in found)
    assert flat([one.words.values[one.words.starts].tolist() for one in found]) == list(range(count))


def test_drawn_orders_are_orders():
    assert sorted(drawn(1000, 1, 0, 0).tolist()) == list(range(1000))
    assert drawn(0, 1, 0, 0).size == 0
    assert drawn(50, 1, 0, 1).tolist() != drawn(50, 1, 0, 2).tolist()
