"""Shards that lie elsewhere than in their RUN: in a folder that is shared, or in an object store (moto's S3)."""

import io
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from conftest import topics_file, vectors_of

import streamvec
from streamvec.corpus import encoding, remote, shardwriter
from streamvec.corpus.elsewhere import fetched, put
from streamvec.corpus.encoding import Encoding
from streamvec.corpus.shards import Shards
from streamvec.disk.arrow import ArrowWriter
from streamvec.disk.sealed import read_json
from streamvec.errors import Interrupted, StreamvecError
from streamvec.training.verify import verify

OPTIONS = {"dim": 40, "epochs": 2, "min_count": 2, "threads": 1, "sample": 0.0}


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (encoding, shardwriter):
        monkeypatch.setattr(module, "SHARD_BATCHES", 1)


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return topics_file(tmp_path_factory.mktemp("text") / "text.txt", 15_000)


@pytest.fixture(scope="module")
def alone(text: Path, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return trained(text, tmp_path_factory.mktemp("alone") / "run")


@pytest.fixture(params=["folder", "s3"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "folder":
        return str(tmp_path / "shared")
    request.getfixturevalue("bucket")
    return f"s3://books/{tmp_path.name}"


def trained(text: Path, run: Path, **options: Any) -> bytes:
    return vectors_of("skipgram", text, run, **{**OPTIONS, **options})


def placed(run: Path) -> list[str]:
    """Where its shards lie."""
    return [shard["at"] for shard in read_json(run / "shards" / "index.json")["shards"]]


def damage(at: str, bucket: Any) -> None:
    with fetched(at) as file:
        content = bytearray(file.read())
    content[len(content) // 2] ^= 1
    if at.startswith("s3://"):
        bucket.put_object(Bucket="books", Key=at.removeprefix("s3://books/"), Body=bytes(content))
    else:
        Path(at).write_bytes(content)


def test_vectors_are_those_of_shards_in_the_run(text: Path, alone: bytes, place: str, tmp_path: Path) -> None:
    run = tmp_path / "run"
    assert trained(text, run, shards=place) == alone
    assert [path.name for path in (run / "shards").iterdir()] == ["index.json"]
    places = placed(run)
    assert len(places) >= 3 and all(at.startswith(place) for at in places)
    assert {file.path for file in verify(run) if str(file.path) in places} and not bad(run)
    moved = tmp_path / "moved"
    shutil.move(run, moved)
    other = tmp_path / "other"
    assert trained(moved, other) == alone  # the RUN stands for its text
    assert Shards.open(other / "shards").sizes().sum() == Shards.open(moved / "shards").sizes().sum()


def bad(run: Path) -> list[str]:
    return [f"{file.path}: {file.what}" for file in verify(run) if file.state == "damaged"]


def test_a_stopped_preparation_goes_on_in_the_same_place(
    text: Path, alone: bytes, place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, record, times = tmp_path / "run", Encoding._record, iter(range(9))

    def recorded(self: Encoding) -> None:
        record(self)
        if next(times) == 1:
            raise Interrupted("behind the second shard")

    with monkeypatch.context() as patch, pytest.raises(Interrupted):
        patch.setattr(Encoding, "_record", recorded)
        trained(text, run, shards=place)
    assert (run / "shards" / "record.json").exists() and not bad(run)
    streamvec.resume(run)  # which is not told again where
    assert (run / "vectors.arrow").read_bytes() == alone
    assert {at.rpartition("/")[0] for at in placed(run)} == {placed(run)[0].rpartition("/")[0]}


@pytest.mark.parametrize("kind", ["lm", "glove"])
def test_other_kinds_read_from_there(text: Path, place: str, tmp_path: Path, kind: str) -> None:
    options = {"epochs": 1, "dim": 16} | ({"hidden": 16, "batch": 4} if kind == "lm" else {})
    given = {name: value for name, value in OPTIONS.items() if name != "sample"} | options
    if kind == "lm" and place.startswith("s3"):
        with pytest.raises(ValueError, match="must lie in a folder"):
            streamvec.train_lm(text, tmp_path / "there", **given, shards=place)
        return
    here = vectors_of(kind, text, tmp_path / "here", **given)
    there = vectors_of(kind, text, tmp_path / "there", **given, shards=place)
    assert here == there and placed(tmp_path / "there")[0].startswith(place)


def test_runs_at_one_place_never_write_over_each_other(place: str, tmp_path: Path) -> None:
    text = topics_file(tmp_path / "text.txt", 60_000)
    trained(text, tmp_path / "a", shards=place, epochs=1)
    content = text.read_text()
    middle = len(content) // 2
    text.write_text(content[:middle] + content[middle:].replace("river", "queen", 1))  # neither end, nor the size
    trained(text, tmp_path / "b", shards=place, epochs=1)
    first, second = placed(tmp_path / "a"), placed(tmp_path / "b")
    assert {*first} & {*second} and {*first} != {*second}  # what is the same is there once
    assert not bad(tmp_path / "a") and not bad(tmp_path / "b")


def test_damage_is_told_with_the_place(text: Path, place: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    run = tmp_path / "run"
    trained(text, run, shards=place, epochs=1)
    bucket = request.getfixturevalue("bucket") if place.startswith("s3") else None
    at = placed(run)[1]
    damage(at, bucket)
    (told,) = bad(run)
    assert told.startswith(at) and "train again with --overwrite" in told
    with pytest.raises(StreamvecError, match=f"{at}: damaged"):
        Shards.open(run / "shards").batch(1)
    (run / "vectors.arrow").unlink()
    shutil.rmtree(run / "checkpoints")
    with pytest.raises(StreamvecError, match=f"{at}: damaged"):
        streamvec.resume(run)


@pytest.mark.parametrize(
    ("place", "what"),
    [
        ("https://x/y", "shards can be kept in a folder or under s3"),
        ("s3://no-such-bucket/x", "s3://no-such-bucket/x: not found"),
        ("s3://", "names no bucket"),
        ("{tmp}/text.txt", "text.txt: "),
        ("{tmp}/run/shards", "shards are kept there without --shards"),
    ],
)
def test_places_that_cannot_be_are_told_at_once(bucket: Any, tmp_path: Path, place: str, what: str) -> None:
    text = topics_file(tmp_path / "text.txt", 100)
    with pytest.raises(StreamvecError, match=what):
        trained(text, tmp_path / "run", shards=place.format(tmp=tmp_path))
    assert not (tmp_path / "run").exists()


def test_where_an_option_would_do_nothing_it_is_refused(text: Path, tmp_path: Path) -> None:
    run = tmp_path / "made"
    trained(text, run, epochs=1)
    with pytest.raises(ValueError, match="INPUT is no text"):
        trained(run, tmp_path / "other", shards=str(tmp_path / "at"))
    with pytest.raises(ValueError, match="shards stay where they were to lie"):
        streamvec.resume(run, shards=str(tmp_path / "at"))
    with pytest.raises(ValueError, match="shards must be a folder or s3"):
        trained(text, tmp_path / "run", shards=" ")


def test_what_cannot_be_reached_is_not_called_damaged(
    text: Path, bucket: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = tmp_path / "run"
    trained(text, run, shards=f"s3://books/{tmp_path.name}", epochs=1)

    def broken(uri: str) -> Any:
        raise ConnectionError("no route")

    monkeypatch.setattr(remote, "_open", broken)
    assert not bad(run)
    with pytest.raises(StreamvecError) as told:
        Shards.open(run / "shards").batch(0)
    assert "try again" in str(told.value) and "--overwrite" not in str(told.value)


def test_an_object_that_is_not_written_whole_is_none(bucket: Any, tmp_path: Path) -> None:
    class Breaks(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            if self.tell() > 100_000:
                raise OSError("broken")
            return super().read(min(size or 70_000, 70_000))

    with pytest.raises(StreamvecError, match="cannot be written over the network"):
        remote.write_remote("s3://books/half", Breaks(bytes(300_000)))
    with pytest.raises(StreamvecError, match="not found"), fetched("s3://books/half"):
        pass


def test_files_that_are_the_same_are_one_and_damaged_ones_are_mended(tmp_path: Path) -> None:
    table = pa.record_batch({"number": [1, 2, 3]})
    for name in ("a", "b"):
        with ArrowWriter(tmp_path / name, table.schema) as writer:
            writer.write(table)
    at = put(tmp_path / "a", writer.checksum, str(tmp_path / "at"))
    before = Path(at).stat().st_ino
    assert put(tmp_path / "b", writer.checksum, str(tmp_path / "at")) == at and Path(at).stat().st_ino == before
    Path(at).write_bytes(b"x")
    put(tmp_path / "b", writer.checksum, str(tmp_path / "at"))
    assert Path(at).read_bytes() == (tmp_path / "a").read_bytes()


@pytest.mark.xdist_group("ray")
@pytest.mark.parametrize("lanes", [1, 2])
def test_nodes_read_what_they_can_for_themselves(
    two_nodes: Any, text: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lanes: int
) -> None:
    here = trained(text, tmp_path / "here", lanes=lanes)
    run = tmp_path / "there"
    with monkeypatch.context() as patch:
        patch.setattr(Shards, "batch", lambda self, number: pytest.fail("the leading process reads"))
        there = trained(text, run, lanes=lanes, shards=str(tmp_path / "shared"), cluster=two_nodes.address)
    assert there == here and np.all(Shards.open(run / "shards").sizes() > 0)


@pytest.mark.xdist_group("ray")
@pytest.mark.parametrize("lanes", [1, 2])
def test_a_node_that_cannot_read_them_is_told_as_that(
    two_nodes: Any, text: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lanes: int
) -> None:
    reduce = Shards.__reduce__
    elsewhere = {"at": str(tmp_path / "not there.arrow")}

    def other(self: Shards) -> tuple[Any, ...]:  # as where the folder is not mounted
        kind, (folder, index) = reduce(self)
        return kind, (folder, {**index, "shards": [{**shard, **elsewhere} for shard in index["shards"]]})

    monkeypatch.setattr(Shards, "__reduce__", other)
    with pytest.raises(StreamvecError, match=r"^on .* each node must see what --shards names"):
        trained(text, tmp_path / "run", lanes=lanes, shards=str(tmp_path / "shared"), cluster=two_nodes.address)
