"""info and verify: what a RUN or a file is, and that no byte of it can change unnoticed."""

import contextlib
import json
import random
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from conftest import Command

from streamvec.disk.lock import locked
from streamvec.disk.sealed import read_json
from streamvec.errors import StreamvecError
from streamvec.training import verify as verify_module
from streamvec.training.checking import DAMAGED, NO_CHECKSUM, OK, UNFINISHED, Checked
from streamvec.training.info import info
from streamvec.training.verify import _metrics, verify
from streamvec.vectors import KeyedVectors
from streamvec.vectors.exports import export_vectors

CHECKSUMMED = (
    "run.json",
    "prepared.json",
    "vocabulary.arrow",
    "shards/index.json",
    "shards/00000.arrow",
    "checkpoints/*/state.json",
    "checkpoints/*/arrays.safetensors",
    "vectors.arrow",
)


def checked(path: Path) -> dict[str, Checked]:
    return {str(file.path.relative_to(path)): file for file in verify(path)}


def flip(path: Path, place: int, bit: int = 0) -> None:
    with path.open("r+b") as file:
        file.seek(place)
        byte = file.read(1)[0]
        file.seek(place)
        file.write(bytes([byte ^ 1 << bit]))


def only(run: Path, pattern: str) -> Path:
    return sorted(run.glob(pattern))[-1]


def test_every_file_of_a_finished_run_is_read_and_whole(finished_run: Path) -> None:
    found = checked(finished_run)
    files = {str(path.relative_to(finished_run)) for path in finished_run.rglob("*") if path.is_file()}
    assert set(found) == files - {"lock"}
    assert {name for name, file in found.items() if file.state != OK} == {"metrics.jsonl"}
    assert found["metrics.jsonl"].state == NO_CHECKSUM
    for name, file in found.items():
        assert file.bytes == (finished_run / name).stat().st_size
        assert file.state != OK or (file.checksum and len(file.checksum) == 32)


@pytest.mark.parametrize("pattern", CHECKSUMMED)
def test_a_flipped_bit_anywhere_is_found_and_named(run_copy: Path, pattern: str) -> None:
    path = only(run_copy, pattern)
    name, size = str(path.relative_to(run_copy)), path.stat().st_size
    draw = random.Random(pattern)
    for place in [0, size // 2, size - 3, *(draw.randrange(size - 2) for _ in range(12))]:
        bit = draw.randrange(8)
        flip(path, place, bit)
        found = checked(run_copy)
        damaged = [other for other, file in found.items() if file.state == DAMAGED]
        assert damaged == [name], (place, bit)
        assert found[name].what and found[name].checksum is None
        if pattern.endswith("arrow"):
            assert [file.state for file in verify(path)] == [DAMAGED]
        flip(path, place, bit)
    assert checked(run_copy)[name].state == OK


@pytest.mark.parametrize("pattern", CHECKSUMMED)
def test_a_file_cut_short_or_missing_is_found(run_copy: Path, pattern: str) -> None:
    path = only(run_copy, pattern)
    name, content = str(path.relative_to(run_copy)), path.read_bytes()
    for size in (0, 1, len(content) // 2, len(content) - 1 - (pattern.endswith("json"))):
        path.write_bytes(content[:size])
        assert [other for other, file in checked(run_copy).items() if file.state == DAMAGED] == [name]
    path.unlink()
    file = checked(run_copy)[name]
    if name == "vectors.arrow":  # a RUN without it is one that has not finished
        assert file.state == UNFINISHED and "streamvec resume" in file.what
    else:
        assert file.state == DAMAGED and "missing" in file.what


def test_all_problems_are_listed(run_copy: Path, streamvec: Command) -> None:
    for name in ("vocabulary.arrow", "shards/00000.arrow", "vectors.arrow"):
        flip(run_copy / name, (run_copy / name).stat().st_size // 2)
    ended = streamvec("verify", run_copy)
    assert ended.returncode == 1
    assert ended.stderr == f"streamvec: error: {run_copy}: 3 of 9 files damaged, as listed\n"
    assert len([line for line in ended.stdout.splitlines() if "damaged" in line]) == 3
    records = [json.loads(line) for line in streamvec("verify", run_copy, "--json").stdout.splitlines()]
    assert [record["state"] for record in records].count("damaged") == 3 and len(records) == 9
    assert set(records[0]) == {"path", "bytes", "checksum", "state", "what"}


def test_a_whole_file_of_another_run_is_found(run_copy: Path, corpus: Path, streamvec: Command, tmp_path: Path) -> None:
    """Every file is whole, but they do not belong together."""
    other = tmp_path / "other"
    options = ("--dim", "16", "--min-count", "5", "--epochs", "1", "--keep-case", "--tokens", "characters")
    assert streamvec("train", "skipgram", corpus, "--out", other, *options).returncode == 0
    shutil.copy(other / "shards/00000.arrow", run_copy / "shards/00000.arrow")
    assert "another one" in checked(run_copy)["shards/00000.arrow"].what
    shutil.copy(other / "shards/index.json", run_copy / "shards/index.json")
    found = checked(run_copy)
    assert found["shards/00000.arrow"].state == OK
    assert found["shards/index.json"].state == DAMAGED and "another vocabulary" in found["shards/index.json"].what


def test_a_whole_checkpoint_with_arrays_of_another_is_found(run_copy: Path) -> None:
    folder = only(run_copy, "checkpoints/*")
    shutil.copytree(folder, folder.with_name("0001-000000000"), dirs_exist_ok=True)
    flip(folder / "arrays.safetensors", 1000)
    found = {file.path.name: file.state for file in verify(folder)}
    assert found == {"state.json": OK, "arrays.safetensors": DAMAGED}
    assert [file.state for file in verify(run_copy / "checkpoints")].count(DAMAGED) == 1
    assert [file.state for file in verify(folder / "arrays.safetensors")] == [DAMAGED]


def test_what_is_not_finished_is_said_and_is_no_fault(run_copy: Path, streamvec: Command) -> None:
    """A RUN is taken apart from its end, as if it had been stopped ever earlier."""
    later = ["vectors.arrow", "checkpoints", "metrics.jsonl", "shards", "vocabulary.arrow", "prepared.json"]
    for name in later:
        path = run_copy / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()
        found = checked(run_copy)
        assert not [file for file in found.values() if file.state == DAMAGED]
        assert found["vectors.arrow"].state == UNFINISHED
        assert streamvec("verify", run_copy).returncode == 0 if name in later[-1:] else True
    assert {name for name, file in found.items() if file.state == OK} == {"run.json"}


def test_left_over_pieces_are_named(run_copy: Path) -> None:
    (run_copy / "vectors.arrow.partial").write_bytes(b"half")
    assert checked(run_copy)["vectors.arrow.partial"].state == UNFINISHED


def test_a_broken_line_of_the_metrics_is_found_but_a_last_one_cut_short_is_not(run_copy: Path) -> None:
    path = run_copy / "metrics.jsonl"
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"time":1')
    assert checked(run_copy)["metrics.jsonl"].state == NO_CHECKSUM
    path.write_bytes(b"{nonsense\n" + whole)
    assert checked(run_copy)["metrics.jsonl"].state == DAMAGED


def test_shards_by_themselves_and_without_an_index(run_copy: Path) -> None:
    assert [file.state for file in verify(run_copy / "shards")] == [OK, OK]
    (run_copy / "shards/index.json").unlink()
    assert [file.state for file in verify(run_copy / "shards")] == [DAMAGED, OK]


def test_other_tools_files_have_no_checksum(tmp_path: Path, streamvec: Command) -> None:
    text = tmp_path / "vectors.txt"
    text.write_text("river 0.5 1\nlake 0.25 2\n", encoding="utf-8")
    arrow = tmp_path / "table.arrow"
    with pa.OSFile(str(arrow), "wb") as sink, pa.ipc.new_file(sink, pa.schema([("a", pa.int32())])):
        pass
    for path in (text, arrow):
        assert [file.state for file in verify(path)] == [NO_CHECKSUM]
        ended = streamvec("verify", path)
        assert ended.returncode == 1 and "kept none" in ended.stdout and ended.stderr.count("\n") == 1
    (tmp_path / "empty.arrow").touch()
    assert [file.state for file in verify(tmp_path / "empty.arrow")] == [DAMAGED]
    with pytest.raises(StreamvecError, match="neither a RUN nor shards nor a checkpoint"):
        list(verify(tmp_path))
    with pytest.raises(StreamvecError, match="no such file"):
        list(verify(tmp_path / "nothing"))


def test_info_of_a_finished_run(finished_run: Path, streamvec: Command, corpus: Path) -> None:
    found = info(finished_run)
    index = read_json(finished_run / "shards/index.json")
    assert (found["what"], found["kind"], found["stage"], found["progress"]) == ("run", "skipgram", "finished", 1.0)
    assert found["options"]["dim"] == 16 and found["options"]["min_count"] == 2 and found["options"]["seed"] == 3
    assert [source["path"] for source in found["inputs"]] == [str(corpus)]
    assert found["words"] == len(KeyedVectors.load(finished_run)) and found["tokens"] == index["tokens"]
    assert found["counts"]["dropped_rare"] == 40 and found["counts"]["repeated_documents"] == 1
    assert found["metrics"]["progress"] == 1.0 and found["checkpoints"][0]["progress"] == 1.0
    assert found["vectors"] == str(finished_run / "vectors.arrow")
    assert "resume" not in found and found["in_use"] is False
    (line,) = streamvec("info", finished_run, "--json").stdout.splitlines()
    assert json.loads(line) == found
    ended = streamvec("info", finished_run)
    assert ended.returncode == 0 and not ended.stderr
    assert "40 tokens of rarer words left out" in ended.stdout and "dim=16" in ended.stdout


def test_info_of_a_run_that_has_not_finished(run_copy: Path, streamvec: Command) -> None:
    (run_copy / "vectors.arrow").unlink()
    found = info(run_copy)
    assert found["stage"] == "training" and found["resume"] == f"streamvec resume {run_copy}"
    assert f"streamvec resume {run_copy}" in streamvec("info", run_copy).stdout
    shutil.rmtree(run_copy / "checkpoints")
    assert info(run_copy)["progress"] == 0.0
    (run_copy / "shards/index.json").unlink()
    assert info(run_copy)["stage"] == "encoding"
    shutil.rmtree(run_copy / "shards")
    (run_copy / "vocabulary.arrow").unlink()
    assert info(run_copy)["stage"] == "counting" and "words" not in info(run_copy)
    assert streamvec("info", run_copy).returncode == 0


def test_info_of_a_run_in_use_neither_disturbs_it_nor_says_to_resume(run_copy: Path, streamvec: Command) -> None:
    if not Path("/proc/locks").exists():
        pytest.skip("this system does not list its locks")
    (run_copy / "vectors.arrow").unlink()
    with locked(run_copy):
        found = info(run_copy)
        assert found["in_use"] is True and "resume" not in found
        assert "at work" in streamvec("info", run_copy).stdout
    assert info(run_copy)["in_use"] is False


def test_info_of_files(finished_run: Path, tmp_path: Path, streamvec: Command) -> None:
    words = len(KeyedVectors.load(finished_run))
    tokens = read_json(finished_run / "shards/index.json")["tokens"]
    expected: dict[str, dict[str, Any]] = {
        "vectors.arrow": {"what": "vectors", "words": words, "dim": 16},
        "vocabulary.arrow": {"what": "vocabulary", "words": words, "min_count": 2},
        "shards": {"what": "shards", "words": words, "tokens": tokens},
        "shards/00000.arrow": {"what": "shard", "tokens": tokens, "batches": 1},
        "checkpoints/0020-000000000": {"what": "checkpoint", "epoch": 20, "batch": 0},
    }
    for name, said in expected.items():
        found = info(finished_run / name)
        assert found == {**found, **said}
        assert streamvec("info", finished_run / name).returncode == 0
    assert info(finished_run / "vectors.arrow")["made"]["kind"] == "skipgram"
    assert info(finished_run / "vocabulary.arrow")["most_frequent"][0][1] > 1000


def test_info_of_other_tools_vectors(tmp_path: Path) -> None:
    path = tmp_path / "glove.txt"
    path.write_text("river 0.5 1 2\nlake 0.25 2 3\nriver 9 9 9\n", encoding="utf-8")
    found = info(path)
    assert (found["what"], found["format"], found["words"], found["dim"]) == ("foreign vectors", "glove", 2, 3)
    assert "repeat an earlier word" in found["notes"][0]
    path.write_bytes(b"\x00\x01\x02 nothing at all\n")
    with pytest.raises(StreamvecError, match="not a file of vectors"):
        info(path)
    with pytest.raises(StreamvecError, match="neither"):
        info(tmp_path)
    with pytest.raises(StreamvecError, match="no such file"):
        info(tmp_path / "nothing")


@pytest.mark.parametrize("name", ["vectors.arrow", "vocabulary.arrow", "shards/00000.arrow"])
def test_info_of_damaged_files_never_ends_in_a_traceback(run_copy: Path, name: str) -> None:
    path = run_copy / name
    content = path.read_bytes()
    draw = random.Random(name)
    for _ in range(300):
        changed = bytearray(content)
        for _ in range(3):
            changed[draw.choice([draw.randrange(len(changed)), -draw.randrange(1, 900)])] = draw.randrange(256)
        path.write_bytes(changed[: draw.choice([len(changed), draw.randrange(len(changed))])])
        try:
            assert info(path)["path"] == str(path)
        except StreamvecError as problem:
            assert str(path) in str(problem)


def test_a_line_that_is_being_written_is_not_a_broken_one(run_copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file object that meets its end in the middle of a line, as while a trainer appends, and then has the rest."""
    growing = iter([b'{"epoch":0}\n', b'{"epo', b'ch":1}\n'])
    monkeypatch.setattr(verify_module, "opened", lambda path: contextlib.nullcontext(growing))
    found = _metrics(run_copy / "metrics.jsonl")
    assert (found.state, found.what) == (NO_CHECKSUM, "a log that grows, 1 lines, all readable")


def test_damage_to_exported_safetensors_is_found(finished_run: Path, tmp_path: Path) -> None:
    path = tmp_path / "v.safetensors"
    export_vectors(KeyedVectors.load(finished_run), path)
    assert [file.state for file in verify(path)] == [OK]
    flip(path, 1000)
    assert [file.state for file in verify(path)] == [DAMAGED]


def test_looking_while_somebody_trains_finds_nothing_wrong(corpus: Path, tmp_path: Path) -> None:
    """Checkpoints come and go between two looks."""
    run = tmp_path / "run"
    options = ("--dim", "8", "--epochs", "60", "--checkpoint-batches", "1", "--out", str(run))
    command = [sys.executable, "-m", "streamvec_cli.main", "train", "skipgram", str(corpus), *options]
    started = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    looks = 0
    while started.poll() is None:
        if (run / "metrics.jsonl").exists():
            assert [file for file in verify(run) if file.state == DAMAGED] == []
            assert info(run)["what"] == "run"
            looks += 1
    assert started.returncode == 0 and looks > 10
