"""The states that a RUN may be found in: used twice, not writable, moved, begun under another clock."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import tally
from conftest import Command
from glove_runs import unfinish
from killing import PROGRAM, promised
from run_states import AS_WORDS, refusal, stopped

import streamvec as sv
from streamvec.errors import StreamvecError


def both(first: list[Any], second: list[Any]) -> list[subprocess.CompletedProcess[str]]:
    """Two commands started at the same moment; those that went through come first."""
    started = [
        subprocess.Popen([*PROGRAM, *map(str, words)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for words in (first, second)
    ]
    ended = []
    for process in started:
        out, errors = process.communicate(timeout=300)
        ended.append(subprocess.CompletedProcess(process.args, process.returncode, out, errors))
    return sorted(ended, key=lambda one: one.returncode)


def test_two_that_go_on_with_one_run_at_the_same_moment(long_text: Path, long_run: Path, tmp_path: Path) -> None:
    run = stopped(long_text, tmp_path / "run", "shards/index.json", epochs=80)
    shutil.copytree(run, tmp_path / "alone")
    sv.resume(tmp_path / "alone")
    expected = (tmp_path / "alone" / "vectors.arrow").read_bytes()
    refused = 0
    for number in range(4):  # one may have ended before the other has begun
        copy = Path(shutil.copytree(run, tmp_path / str(number)))
        won, other = both(["resume", copy], ["resume", copy])
        assert won.returncode == 0, won.stderr
        assert (copy / "vectors.arrow").read_bytes() == expected
        tally.count("two processes at once: resume")
        if other.returncode:
            assert "in use by another streamvec (process" in refusal(other)
            refused += 1
            break
    assert refused


def test_two_that_begin_one_run_at_the_same_moment(long_text: Path, long_run: Path, tmp_path: Path) -> None:
    words = ["train", "skipgram", long_text, "--out", tmp_path / "run", *AS_WORDS]
    won, other = both(words, words)
    assert won.returncode == 0, won.stderr
    assert str(tmp_path / "run") in refusal(other)
    assert promised(tmp_path / "run") == promised(long_run)
    tally.count("two processes at once: train")


def test_two_exports_to_one_file(long_run: Path, tmp_path: Path, streamvec: Command) -> None:
    assert streamvec("export", long_run, "-o", tmp_path / "alone.txt", "--format", "glove").returncode == 0
    words = ["export", long_run, "-o", tmp_path / "both.txt", "--format", "glove"]
    won, other = both(words, words)
    assert won.returncode == 0, won.stderr
    if other.returncode:  # both may have found nothing there, one after the other
        assert "another process is writing it" in refusal(other) or "exists already" in refusal(other)
    assert (tmp_path / "both.txt").read_bytes() == (tmp_path / "alone.txt").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["alone.txt", "both.txt"]
    tally.count("two processes at once: export")


@pytest.fixture
def read_only(long_run: Path, small_disk: Path) -> Iterator[Path]:
    """A finished RUN and one that is not, on a file system that cannot be written."""
    shutil.copytree(long_run, small_disk / "run")
    unfinish(Path(shutil.copytree(long_run, small_disk / "begun")))
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    try:
        yield small_disk
    finally:
        subprocess.run(["mount", "-o", "remount,rw", str(small_disk)], check=True)


def test_a_run_that_cannot_be_written_answers_and_is_not_trained(
    read_only: Path, long_text: Path, tmp_path: Path, streamvec: Command
) -> None:
    run = read_only / "run"
    out = tmp_path / "out.txt"
    for words in (
        ("info", run),
        ("verify", run),
        ("nn", run, "river"),
        ("export", run, "-o", out, "--format", "glove"),
    ):
        ended = streamvec(*words)
        assert ended.returncode == 0 and not ended.stderr, (words, ended.stderr)
    assert out.exists()
    for words in (
        ("resume", read_only / "begun"),
        ("train", "skipgram", long_text, "--out", read_only / "new", *AS_WORDS),
        ("train", "skipgram", long_text, "--out", run, "--overwrite", *AS_WORDS),
        ("export", run, "-o", read_only / "out.txt", "--format", "glove"),
        ("index", run),
    ):
        said = refusal(streamvec(*words))
        assert str(read_only) in said and "permission denied: choose another place" in said, words
        tally.count("refused: a file system that cannot be written")


@pytest.mark.parametrize("stage", ["shards/index.json", "checkpoints/0001-000000000"])
def test_a_moved_run_goes_on_without_its_input(long_text: Path, long_run: Path, tmp_path: Path, stage: str) -> None:
    source = Path(shutil.copy(long_text, tmp_path / "input.txt"))
    run = stopped(source, tmp_path / "run", stage, checkpoint_batches=1)
    (tmp_path / "elsewhere").mkdir()
    run = run.rename(tmp_path / "elsewhere" / "other name")
    source.unlink()
    sv.resume(run)
    assert (run / "vectors.arrow").read_bytes() == (long_run / "vectors.arrow").read_bytes()
    tally.count("gone on with: a RUN that was moved")


@pytest.mark.parametrize("stage", ["run.json", "vocabulary.arrow"])
def test_a_run_whose_input_has_gone_is_refused_until_it_is_back(
    long_text: Path, long_run: Path, tmp_path: Path, stage: str
) -> None:
    source = Path(shutil.copy(long_text, tmp_path / "input.txt"))
    run = stopped(source, tmp_path / "run", stage).rename(tmp_path / "moved")
    source.unlink()
    with pytest.raises(StreamvecError, match=rf"^{source}: no such file or folder"):
        sv.resume(run)
    shutil.copy(long_text, source)
    sv.resume(run)
    assert (run / "vectors.arrow").read_bytes() == (long_run / "vectors.arrow").read_bytes()


def test_relative_names_hold_wherever_one_goes_on_from(long_text: Path, long_run: Path, tmp_path: Path) -> None:
    shutil.copy(long_text, tmp_path / "input.txt")
    (tmp_path / "else").mkdir()
    words = [*PROGRAM, "train", "skipgram", "input.txt", "--out", "run", *AS_WORDS]
    begun = subprocess.Popen(words, cwd=tmp_path, stderr=subprocess.DEVNULL)
    while not (tmp_path / "run" / "run.json").exists():
        assert begun.poll() is None
        time.sleep(0.002)
    begun.kill()
    assert begun.wait() in (-signal.SIGKILL, 0)
    (tmp_path / "run").rename(tmp_path / "else" / "run")
    subprocess.run([*PROGRAM, "resume", "run"], cwd=tmp_path / "else", check=True, capture_output=True)
    assert (tmp_path / "else/run/vectors.arrow").read_bytes() == (long_run / "vectors.arrow").read_bytes()


@pytest.mark.parametrize("stage", ["run.json", "vocabulary.arrow", "checkpoints/0001-000000000"])
def test_a_clock_that_is_set_back_changes_nothing(
    long_text: Path, long_run: Path, tmp_path: Path, stage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = stopped(long_text, tmp_path / "run", stage, checkpoint_batches=1)
    year, now = 365 * 24 * 3600, time.time
    for path in run.rglob("*"):
        os.utime(path, (now() + year, now() + year))
    monkeypatch.setattr(time, "time", lambda: now() - year)
    sv.resume(run)
    assert (run / "vectors.arrow").read_bytes() == (long_run / "vectors.arrow").read_bytes()
    monkeypatch.undo()
    times = [float(line.split(",")[0].removeprefix('{"time":')) for line in (run / "metrics.jsonl").open()]
    assert min(times) < now() - year / 2  # the clock was another one
    tally.count("gone on with: a clock set back")


@pytest.mark.parametrize("name", ["metrics.jsonl", "vocabulary.arrow", "checkpoints/0001-000000000/state.json"])
def test_what_a_link_in_a_run_leads_to_is_not_written_over(long_run: Path, tmp_path: Path, name: str) -> None:
    run = Path(shutil.copytree(long_run, tmp_path / "run"))
    whole = (run / "vectors.arrow").read_bytes()
    (run / "vectors.arrow").unlink()
    path, other = run / name, tmp_path / "other"
    path.parent.mkdir(exist_ok=True)
    path.unlink(missing_ok=True)
    other.write_text("not to be touched\n")
    path.symlink_to(other)
    with pytest.raises(StreamvecError, match=f"{path}: a symbolic link to {other}, which would be written over"):
        sv.resume(run)
    assert other.read_text() == "not to be touched\n"
    path.unlink()
    shutil.copy(long_run / name, path) if (long_run / name).exists() else path.parent.rmdir()
    sv.resume(run)
    assert (run / "vectors.arrow").read_bytes() == whole
