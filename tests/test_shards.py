"""Shards against a naive cutting of documents into batches, and what happens when they are damaged."""

import errno
import random
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from streamvec.corpus import shardwriter
from streamvec.corpus.shardfiles import INDEX, VERSION, advised
from streamvec.corpus.shards import SCHEMA, Shards
from streamvec.corpus.shardwriter import Ids, ShardWriter
from streamvec.disk.arrow import read_batches
from streamvec.disk.problems import named_problems
from streamvec.disk.sealed import read_json, write_json
from streamvec.errors import StreamvecError

BATCH = 50


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shardwriter, "BATCH_TOKENS", BATCH)


def random_documents(seed: int, count: int) -> list[list[int]]:
    draw = random.Random(seed)
    sizes = [draw.choice([0, 1, 2, 5, 20, 49, 50, 51, 100, 101, 260]) for _ in range(count)]
    number = iter(range(10**9))
    return [[next(number) for _ in range(size)] for size in sizes]


def naive_batches(documents: list[list[int]]) -> list[list[list[int]]]:
    batches: list[list[list[int]]] = [[]]
    for document in documents:
        if not document:
            continue
        if sum(map(len, batches[-1])) + len(document) > BATCH:
            batches.append([])
        while len(document) > BATCH:
            batches[-1].append(document[:BATCH])
            batches.append([])
            document = document[BATCH:]
        batches[-1].append(document)
    return [batch for batch in batches if batch]


def pieces_of(documents: list[list[int]], seed: int, longest: int) -> list[Ids]:
    """The documents as ids of pieces that end anywhere, also within documents."""
    draw = random.Random(seed)
    stream = [(token, None) for document in documents for token in [*document, -1]]
    pieces = []
    while stream:
        size = draw.randrange(1, longest)
        part, stream = [token for token, _ in stream[:size]], stream[size:]
        lengths, length = [], 0
        for token in part:
            if token < 0:
                lengths.append(length)
                length = 0
            else:
                length += 1
        values = np.array([token for token in part if token >= 0], np.int32)
        pieces.append(Ids(values, np.array(lengths, np.int32)))
    return pieces


def write(folder: Path, pieces: list[Ids], batches: int = 4) -> ShardWriter:
    folder.mkdir(exist_ok=True)
    writer = ShardWriter(folder, lambda: None, batches=batches)
    for ids in pieces:
        writer.add(ids)
    writer.close()
    return writer


def batches_in(folder: Path) -> list[list[list[int]]]:
    paths = sorted(folder.glob("*.arrow"))
    return [batch.column(0).to_pylist() for path in paths for batch in read_batches(path)]


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("longest", [2, 30, 400, 10**6])
def test_batches_are_cut_as_by_the_naive_rule_wherever_pieces_end(tmp_path: Path, seed: int, longest: int) -> None:
    documents = random_documents(seed, 120)
    writer = write(tmp_path, pieces_of(documents, seed, longest))
    expected = naive_batches(documents)
    assert batches_in(tmp_path) == expected
    assert writer.split == sum(len(document) > BATCH for document in documents)
    assert [shard["batches"] for shard in writer.shards][:-1] == [4] * (len(writer.shards) - 1)
    assert sum(shard["tokens"] for shard in writer.shards) == writer.tokens == sum(map(len, documents))
    assert sum(shard["documents"] for shard in writer.shards) == sum(map(len, expected))


@pytest.mark.parametrize("seed", range(3))
def test_a_writer_goes_on_behind_any_shard(tmp_path: Path, seed: int) -> None:
    documents = random_documents(seed, 60)
    pieces = pieces_of(documents, seed, 200)
    whole = write(tmp_path / "whole", pieces, 2)
    states: list[dict[str, Any]] = []
    (tmp_path / "again").mkdir()
    writer = ShardWriter(
        tmp_path / "again", lambda: states.append({**writer.state(), "shards": [*writer.shards]}), batches=2
    )
    for ids in pieces:
        writer.add(ids)
    writer.close()
    assert len(states) == len(whole.shards) > 8
    for state in states[:-1:2]:
        folder = tmp_path / f"from-{len(state['shards'])}"
        folder.mkdir()
        resumed = ShardWriter(folder, lambda: None, state, batches=2)
        before = 0
        for ids in pieces:  # from the first piece on, however many ids have to be passed over
            skipped = max(0, resumed.tokens - before)
            before += ids.values.size
            resumed.add(ids.after(skipped) if skipped else ids)
        resumed.close()
        assert resumed.shards == whole.shards and resumed.split == whole.split
        for path in folder.iterdir():
            assert path.read_bytes() == (tmp_path / "whole" / path.name).read_bytes()


def test_an_abandoned_shard_leaves_nothing(tmp_path: Path) -> None:
    writer = ShardWriter(tmp_path, lambda: None)
    writer.add(Ids(np.arange(200, dtype=np.int32), np.array([50, 50, 50, 50], np.int32)))
    assert list(tmp_path.iterdir())
    writer.abandon()
    assert not list(tmp_path.iterdir())


def finished(folder: Path) -> Path:
    documents = random_documents(7, 100)
    writer = write(folder, pieces_of(documents, 7, 300))
    content = {
        "kind": "tokens",
        "version": VERSION,
        "vocabulary_checksum": "0" * 32,
        "vocabulary_size": 10**6,
        "documents": sum(shard["documents"] for shard in writer.shards),
        "tokens": writer.tokens,
        "batches": sum(shard["batches"] for shard in writer.shards),
        "counts": {"tokens": 1},
        "shards": writer.shards,
    }
    write_json(folder / INDEX, content)
    return folder


def test_reading_any_batch_in_any_order(tmp_path: Path) -> None:
    shards = Shards.open(finished(tmp_path))
    expected = batches_in(tmp_path)
    assert shards.batches == len(expected)
    for number in [*range(shards.batches), 0, shards.batches - 1, 5]:
        values, offsets = shards.batch(number)
        assert values.dtype == offsets.dtype == np.int32 and not values.flags.writeable
        assert [values[a:b].tolist() for a, b in pairwise(offsets)] == expected[number]
    assert shards.sizes().tolist() == [[len(documents), sum(map(len, documents))] for documents in expected]
    shards.verify()
    with pytest.raises(IndexError, match="batch must be in 0 to"):
        shards.batch(shards.batches)


def test_a_flipped_bit_anywhere_is_named(tmp_path: Path) -> None:
    path = finished(tmp_path) / "00001.arrow"
    good = path.read_bytes()
    for place in random.Random(1).sample(range(len(good)), 40):
        path.write_bytes(good[:place] + bytes([good[place] ^ 16]) + good[place + 1 :])
        shards = Shards.open(tmp_path)
        shards.batch(0)
        with pytest.raises(StreamvecError, match=r"00001\.arrow"):
            shards.batch(5)
        with pytest.raises(StreamvecError, match=r"00001\.arrow"):
            shards.verify()


def test_missing_cut_or_strange_shards(tmp_path: Path) -> None:
    with pytest.raises(StreamvecError, match="no such file"):
        Shards.open(tmp_path / "none")
    folder = finished(tmp_path)
    index = read_json(folder / INDEX)
    write_json(folder / INDEX, {**index, "version": VERSION + 1})
    with pytest.raises(StreamvecError, match="train again with --overwrite"):
        Shards.open(folder)
    write_json(folder / INDEX, {name: value for name, value in index.items() if name != "batches"})
    with pytest.raises(StreamvecError, match="damaged"):
        Shards.open(folder)
    write_json(folder / INDEX, {**index, "vocabulary_size": 3})
    with pytest.raises(StreamvecError, match="beyond the 3 words"):
        Shards.open(folder).batch(2)
    write_json(folder / INDEX, index)
    last = folder / index["shards"][-1]["name"]
    last.write_bytes(last.read_bytes()[:-8])
    with pytest.raises(StreamvecError, match="cut short"):
        Shards.open(folder)
    last.unlink()
    with pytest.raises(StreamvecError, match="no such file"):
        Shards.open(folder)


def test_a_whole_shard_of_other_content_is_noticed(tmp_path: Path) -> None:
    folder = finished(tmp_path)
    content = (folder / "00002.arrow").read_bytes()
    index = read_json(folder / INDEX)
    index["shards"][1]["bytes"] = len(content)
    write_json(folder / INDEX, index)
    (folder / "00001.arrow").write_bytes(content)
    with pytest.raises(StreamvecError, match=r"00001\.arrow: its checksum is"):
        Shards.open(folder).batch(4)


def test_the_column_is_what_kernels_take() -> None:
    assert SCHEMA.names == ["tokens"] and pa.types.is_list(SCHEMA.field(0).type)
    assert SCHEMA.field(0).type.value_type == pa.int32()


def test_advice_is_for_damage_not_for_what_the_system_refuses() -> None:
    for problem, said in (
        (
            PermissionError(errno.EACCES, "", "a"),
            "a: permission denied: choose another place, or change the permissions",
        ),
        (FileNotFoundError(errno.ENOENT, "", "a"), "a: no such file or folder: make it again"),
    ):
        with pytest.raises(StreamvecError) as found, advised("make it again"), named_problems(Path("a")):
            raise problem
        assert str(found.value) == said
    with pytest.raises(StreamvecError, match=r"^damaged: make it again$"), advised("make it again"):
        raise StreamvecError("damaged")
