"""Phrases on the command line, alone and in text that goes on from an earlier training."""

import json
import re
from pathlib import Path

import pytest
from conftest import streamvec_command
from phrasing import corpus, write

import streamvec

pytestmark = pytest.mark.usefixtures("small_shards", "small_tables_of_pairs")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return write(tmp_path / "corpus.txt", corpus(1))


def test_the_command_line(source: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    small = ["--dim", "8", "--epochs", "1", "--threads", "2"]
    ended = streamvec_command(
        "train", "skipgram", source, "--out", run, *small, "--phrases", "2", "--phrase-threshold", "2"
    )
    assert ended.returncode == 0, ended.stderr
    assert re.search(r"\d+ phrases, such as \w+_\w+.*; [\d,]+ tokens joined", ended.stderr)
    for said in ("words to numbers", "phrases 1", "phrases 2", "phrases counted", "writing shards"):
        assert said in ended.stderr, said
    one, other = (streamvec_command("nn", run, query, "-n", "2") for query in ("new_york", "new york"))
    assert one.returncode == 0 and one.stdout == other.stdout
    assert "tokens joined to the one before" in streamvec_command("info", run).stdout
    again = streamvec_command("train", "cbow", run, "--out", tmp_path / "again", *small)
    assert again.returncode == 0, again.stderr
    wrong = streamvec_command("train", "cbow", run, "--out", tmp_path / "wrong", *small, "--phrases", "1")
    assert wrong.returncode == 1 and "its shards were made with phrases=2, not 1" in wrong.stderr
    for words, what in (
        (
            ["--phrases", "1", "--phrase-score", "npmi", "--phrase-threshold", "3"],
            "phrase_threshold must be in -1 to 1",
        ),
        (["--phrase-min-count", "3"], "phrases is 0"),
        (["--phrases", "-1"], "phrases must be at least 0"),
    ):
        wrong = streamvec_command("train", "skipgram", source, "--out", tmp_path / "wrong", *words)
        assert wrong.returncode == 2 and what in wrong.stderr, wrong.stderr
    plan = streamvec_command("plan", source, "--phrases", "2", "--phrase-threshold", "2", "--json")
    found = json.loads(plan.stdout)
    words = len(streamvec.KeyedVectors.load(run))
    assert found["disk"]["phrases"] > 0 and found["seconds"]["phrases"] > 0 and found["memory"]["phrases"] > 0
    assert 0.7 * words <= found["corpus"]["words"] <= 1.3 * words


def test_phrases_go_on_from_an_earlier_training(source: Path, tmp_path: Path, finished_run: Path) -> None:
    made = []
    for threads in (1, 2):
        run = tmp_path / f"run{threads}"
        given = ["--from", finished_run, "--out", run, "--epochs", "1", "--threads", threads]
        asked = ["--phrases", "1", "--phrase-threshold", "2", "--min-count", "2"]
        ended = streamvec_command("train", "skipgram", source, *given, *asked)
        assert ended.returncode == 0, ended.stderr
        assert not (run / "phrases").exists()
        made.append((run / "vectors.arrow").read_bytes())
    assert made[0] == made[1]
