"""Rows on their way to ids: which are drawn, in what order, in batches of what size, and kept as text meanwhile."""

import numpy as np
import pytest

from streamvec.corpus.tsv import Row
from streamvec.errors import Interrupted
from streamvec.training import labelledrows as module
from streamvec.training.labelledrows import Followed, in_batches, read_rows, some_of, write_rows


def rows(count):
    return [Row(f"text {number}", f"label {number % 3}") for number in range(count)]


def never():
    return False


def test_all_or_some_in_their_order():
    every = rows(1000)
    assert list(some_of(every, None, 1)) == every
    assert list(some_of(every, 2000, 1)) == every
    some = list(some_of(every, 100, 1))
    places = [every.index(row) for row in some]
    assert len(some) == 100 and places == sorted(set(places))
    assert some == list(some_of(every, 100, 1))
    assert some != list(some_of(every, 100, 2))


def test_a_smaller_sample_is_part_of_a_larger_one():
    every = rows(500)
    assert set(some_of(every, 50, 4)) < set(some_of(every, 51, 4))


def test_every_row_is_drawn_as_often():
    """100,000 draws: 1,000 samples of 100 of 1,000 rows, each row expected in 100 of them."""
    every = rows(1000)
    place = {row: number for number, row in enumerate(every)}
    times = np.zeros(1000)
    for seed in range(1000):
        times[[place[row] for row in some_of(every, 100, seed)]] += 1
    assert times.sum() == 100_000
    assert np.abs(times - 100).max() < 6 * np.sqrt(90)
    chi = ((times - 100) ** 2).sum() / 90
    assert abs(chi - 1000) < 6 * np.sqrt(2000)
    assert np.abs(times.reshape(10, 100).sum(axis=1) - 10_000).max() < 6 * np.sqrt(9000)


def test_batches_end_after_256_rows_or_much_text(monkeypatch):
    every = rows(600)
    assert list(map(len, in_batches(every, never, "x"))) == [256, 256, 88]
    monkeypatch.setattr(module, "_CHARACTERS", 100)
    batches = list(in_batches([Row("a" * 50, "b" * 50), *rows(3), Row("c" * 200, "")], never, "x"))
    assert [row for batch in batches for row in batch] == [Row("a" * 50, "b" * 50), *rows(3), Row("c" * 200, "")]
    assert list(map(len, batches)) == [1, 4]
    assert list(in_batches([], never, "x")) == []


def test_a_stop_is_heard():
    with pytest.raises(Interrupted, match=r"stopped while x.tsv was read"):
        list(in_batches(rows(256), lambda: True, "x.tsv"))
    looked = []
    assert list(Followed(rows(513), lambda: looked.append(1))) == rows(513) and len(looked) == 3


def test_rows_are_kept_as_they_are(tmp_path):
    every = [Row("größe\u2028단어 \x00", "a"), Row("\r", "b"), *rows(300)]
    assert write_rows(tmp_path / "rows.arrow", in_batches(every, never, "x")) == 302
    assert [row for batch in read_rows(tmp_path / "rows.arrow") for row in batch] == every
    assert write_rows(tmp_path / "none.arrow", []) == 0 and list(read_rows(tmp_path / "none.arrow")) == []
