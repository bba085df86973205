"""Trainings that begin from something: the command line, memory, and RUNs that say nothing of it."""

import json
from pathlib import Path

import pytest
from conftest import Command
from starting import OLD, words_of

import streamvec as sv
from streamvec.disk.sealed import read_json, write_json
from streamvec.errors import Interrupted
from streamvec.models.wordconfig import SkipGramConfig
from streamvec.training.needs import Load, training_bytes
from streamvec.training.options import MachineOptions


def test_memory_of_the_look_up_is_counted() -> None:
    config, machine = SkipGramConfig(dim=100), MachineOptions(threads=2, memory=1 << 30)
    load = Load(10**6, 8.0)
    plain = training_bytes(config, machine, load)
    assert training_bytes(config, machine, load._replace(started=True)) > plain + 48 * 10**6


def test_the_command_line(streamvec: Command, old_and_new: tuple[Path, Path], tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    small = ["--epochs", 2, "--min-count", 2]
    ended = streamvec("train", "skipgram", old_and_new[0], "--out", old, "--dim", 24, *small)
    assert ended.returncode == 0, ended.stderr
    ended = streamvec("train", "skipgram", old_and_new[1], "--out", new, "--from", old, *small, "--json")
    assert ended.returncode == 0 and json.loads(ended.stdout)["dim"] == 24
    assert "words begin with their rows of" in ended.stderr and "3 are new" in ended.stderr
    said = streamvec("info", new)
    assert f"{old} (the rows and counts of a RUN)" in said.stdout
    assert json.loads(streamvec("info", new, "--json").stdout)["start"]["path"] == str(old)
    assert streamvec("verify", new).returncode == 0
    ended = streamvec("train", "cbow", old_and_new[1], "--out", tmp_path / "v", "--vectors", old, *small)
    assert ended.returncode == 0 and "(vectors)" in streamvec("info", tmp_path / "v").stdout
    ended = streamvec("train", "skipgram", old_and_new[1], "--out", tmp_path / "x", "--from", old, "--dim", 100)
    assert ended.returncode == 1 and "dim=24, not 100" in ended.stderr  # also where it is what would be the default
    for verb in (["train", "skipgram", old_and_new[1], "--out", tmp_path / "x"], ["plan", old_and_new[1]]):
        ended = streamvec(*verb, "--from", old, "--vectors", old)
        assert ended.returncode == 2 and "cannot be given together" in ended.stderr
    plan = json.loads(streamvec("plan", old_and_new[1], "--from", old, *small, "--json").stdout)
    assert plan["dim"] == 24 and plan["corpus"]["words"] == len(words_of(new))
    assert f"of {24} numbers, twice" in streamvec("plan", old_and_new[1], "--vectors", old).stdout


def test_a_run_of_an_older_streamvec_begins_at_chance(old_and_new: tuple[Path, Path], tmp_path: Path) -> None:
    run = tmp_path / "run"
    with pytest.raises(Interrupted):
        sv.train_skipgram(old_and_new[0], run, stop=(run / "shards" / "index.json").exists, **OLD)
    said = read_json(run / "run.json")
    assert said.pop("start") is None
    write_json(run / "run.json", said)
    assert sv.resume(run).dim == 40
