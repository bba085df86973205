"""Labelled examples on disk: what is written is what is read, whatever the pieces it came in, and damage is named."""

import random
from pathlib import Path

import numpy as np
import pytest
from networks import examples, ragged

from streamvec.corpus import examples as module
from streamvec.corpus.examples import ROWS, ExampleBatch, Examples, ExampleWriter, Ragged, joined
from streamvec.disk.sealed import read_json, write_json
from streamvec.errors import StreamvecError


def rows_of(ragged_rows: Ragged) -> list[list[int]]:
    values, lengths = ragged_rows.values.tolist(), ragged_rows.lengths.tolist()
    ends = np.cumsum(lengths).tolist()
    return [values[end - length : end] for end, length in zip(ends, lengths, strict=True)]


def drawn_rows(count: int, seed: int, most: int = 9) -> list[list[int]]:
    draw = random.Random(seed)
    return [[draw.randrange(1000) for _ in range(draw.randrange(most))] for _ in range(count)]


def write(folder: Path, sizes: list[int], spelled: bool = False) -> list[tuple[list[int], list[int]]]:
    """Examples in batches of *sizes*; returns (words, targets) of each."""
    folder.mkdir()
    words, targets = drawn_rows(sum(sizes), 1), drawn_rows(sum(sizes), 2, 3)
    first = 0
    with ExampleWriter(folder, "0" * 32, 1000, {"cut": 3}) as writer:
        for size in sizes:
            here = slice(first, first + size)
            spelling = [[b"w%d" % word for word in row] for row in words[here]] if spelled else None
            writer.add(examples(words[here], targets[here], spelling))
            first += size
    return list(zip(words, targets, strict=True))


def read(folder: Path) -> list[tuple[list[int], list[int]]]:
    found = Examples.open(folder)
    batches = [found.at(number) for number in range(found.batches)]
    assert [len(batch) for batch in batches[:-1]] == [ROWS] * (found.batches - 1)
    return [pair for batch in batches for pair in zip(rows_of(batch.words), rows_of(batch.targets), strict=True)]


def test_ragged_rows_are_taken_and_padded_as_lists_are():
    rows = drawn_rows(20, 3)
    some = [4, 4, 19, 0, 7]
    found = ragged(rows)
    assert rows_of(found) == rows
    assert rows_of(found.take(np.array(some))) == [rows[number] for number in some]
    longest = max(map(len, rows))
    expected = [[row[step] if step < len(row) else -7 for row in rows] for step in range(longest)]
    assert found.padded(-7).tolist() == expected
    assert ragged([[], []]).padded().tolist() == [[0, 0]]
    assert rows_of(ragged([])) == [] and ragged([]).starts.tolist() == []


@pytest.mark.parametrize("sizes", [[1], [255], [256], [257], [100, 0, 200, 213], [1000], [3] * 90])
def test_what_is_written_is_read_whatever_the_pieces(tmp_path, sizes):
    written = write(tmp_path / "x", sizes)
    assert read(tmp_path / "x") == written
    found = Examples.open(tmp_path / "x")
    assert (found.examples, found.batches) == (sum(sizes), -(-sum(sizes) // ROWS))
    assert found.tokens == sum(len(words) for words, _ in written)
    assert found.longest == max(len(words) for words, _ in written)
    assert found.longest_target == max(len(target) for _, target in written)
    assert found.counts == {"cut": 3} and found.vocabulary_size == 1000


def test_pieces_do_not_show_in_the_bytes(tmp_path):
    for name, sizes in (("one", [600]), ("many", [7, 250, 256, 87])):
        write(tmp_path / name, sizes, spelled=True)
    assert (tmp_path / "one/00000.arrow").read_bytes() == (tmp_path / "many/00000.arrow").read_bytes()


def test_letters_come_back(tmp_path):
    written = write(tmp_path / "x", [300], spelled=True)
    batch = Examples.open(tmp_path / "x").at(1)
    assert rows_of(batch.spelled) == [[len(b"w%d" % word) for word in words] for words, _ in written[ROWS:]]
    assert rows_of(batch.letters) == [list(b"".join(b"w%d" % word for word in words)) for words, _ in written[ROWS:]]
    assert batch.letters.values.dtype == np.uint8


def test_several_shards(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_SHARD_BATCHES", 2)
    written = write(tmp_path / "x", [256 * 5 + 1])
    assert read(tmp_path / "x") == written
    assert [reader.num_record_batches for reader, _ in Examples.open(tmp_path / "x").readers()] == [2, 2, 2]


def test_nothing_is_there_when_writing_fails(tmp_path):
    (tmp_path / "x").mkdir()
    with pytest.raises(ZeroDivisionError), ExampleWriter(tmp_path / "x", "0" * 32, 1, {}) as writer:
        writer.add(examples([[1]] * 300, [[0]] * 300))
        raise ZeroDivisionError
    assert not list((tmp_path / "x").glob("*.arrow")) and not (tmp_path / "x/index.json").exists()
    with pytest.raises(StreamvecError, match=r"index.json"):
        Examples.open(tmp_path / "x")


def test_damage_is_named(tmp_path):
    write(tmp_path / "x", [300])
    shard = tmp_path / "x/00000.arrow"
    whole = shard.read_bytes()
    shard.write_bytes(whole[:3000] + bytes([whole[3000] ^ 1]) + whole[3001:])
    with pytest.raises(StreamvecError, match=r"00000.arrow.*train again with --overwrite"):
        Examples.open(tmp_path / "x").at(0)
    shard.write_bytes(whole[:-5])
    with pytest.raises(StreamvecError, match="cut short"):
        Examples.open(tmp_path / "x")
    shard.write_bytes(whole)
    content = read_json(tmp_path / "x/index.json")
    write_json(tmp_path / "x/index.json", {**content, "kind": "tokens"})
    with pytest.raises(StreamvecError, match="expected shards of kind 'examples'"):
        Examples.open(tmp_path / "x")


def test_batches_are_joined_in_their_order():
    rows = drawn_rows(9, 5)
    parts = [examples(rows[:4], rows[:4]), examples([], []), examples(rows[4:], rows[4:])]
    whole = joined(parts)
    assert isinstance(whole, ExampleBatch) and rows_of(whole.words) == rows and len(whole) == 9
