"""What info says of a RUN of kind glove in every stage, while pairs are counted, and of its parts."""

import shutil
import threading
from pathlib import Path

import pytest
from conftest import Command
from glove_runs import OPTIONS, copied, damaged, flip, states, stopped, unfinish

import streamvec as sv
from streamvec.corpus import pairpass, runfiles
from streamvec.disk.sealed import read_json, write_json
from streamvec.training.checking import NO_CHECKSUM, OK
from streamvec.training.info import info

pytestmark = pytest.mark.usefixtures("small_glove_parts")


def test_info_of_every_stage(
    glove_run: Path, glove_counted: Path, glove_written: Path, tmp_path: Path, streamvec: Command
) -> None:
    index = read_json(glove_run / "cooccurrences/index.json")
    said = info(glove_run)
    assert (said["kind"], said["stage"], said["progress"]) == ("glove", "finished", 1.0)
    assert said["cooccurrences"]["entries"] == index["entries"] > 10_000
    assert said["cooccurrences"]["batches"] == index["batches"] != said["batches"]
    assert said["cooccurrences"]["counted"] == {"window": 4, "sides": "both", "weighting": "distance"}
    lines = {line[:14].strip(): line[14:].strip() for line in streamvec("info", glove_run).stdout.splitlines()}
    assert f"{index['entries']:,} in {index['batches']:,} batches, window=4" in lines["co-occurrences"]

    said = info(glove_counted)
    assert said["stage"] == "cooccurrences" and 0 < said["pairs_counted"] < 1 and "files_written" not in said
    assert "of the text in runs" in streamvec("info", glove_counted).stdout
    said = info(glove_written)
    assert (said["stage"], said["pairs_counted"]) == ("cooccurrences", 1.0) and said["files_written"] >= 3
    assert said["resume"] == f"streamvec resume {glove_written}"
    assert "files written" in streamvec("info", glove_written).stdout

    run = copied(glove_run, tmp_path)
    shutil.rmtree(run / "checkpoints")
    stopped(glove_run, tmp_path / "training", "training", 1, checkpoint_batches=7, epochs=200)
    said = info(tmp_path / "training")
    newest = said["checkpoints"][0]
    share = (newest["epoch"] + newest["batch"] / index["batches"]) / 200
    assert said["stage"] == "training" and said["progress"] == pytest.approx(share, abs=1e-5) and share > 0


def test_info_of_parts(glove_run: Path, streamvec: Command) -> None:
    index = read_json(glove_run / "cooccurrences/index.json")
    said = info(glove_run / "cooccurrences")
    assert said["what"] == "co-occurrences" and said["entries"] == index["entries"]
    assert "window=4 sides=both weighting=distance" in streamvec("info", glove_run / "cooccurrences").stdout
    shard = index["shards"][1]
    said = info(glove_run / "cooccurrences" / shard["name"])
    assert (said["what"], said["stored"]) == ("shard of co-occurrences", shard["stored"])
    assert info(glove_run / "vocabulary.arrow")["what"] == "vocabulary"
    assert info(glove_run / "vectors.arrow")["made"]["kind"] == "glove"


def test_a_run_that_began_from_cooccurrences_has_no_shards(glove_run: Path, tmp_path: Path, streamvec: Command) -> None:
    run = unfinish(copied(glove_run, tmp_path))
    about = read_json(run / "run.json")
    pairs = {"path": "cooccurrence.bin", "kind": "cooccurrences", "compression": "", "size": 1600}
    write_json(run / "run.json", {**about, "inputs": [pairs]})
    shutil.rmtree(run / "shards")
    (run / "prepared.json").unlink()
    found = states(run)
    assert {name for name, file in found.items() if file.state not in (OK, NO_CHECKSUM)} == {"vectors.arrow"}
    assert info(run)["stage"] == "training" and "entries" in info(run)["cooccurrences"]
    flip(run / "cooccurrences/00001.arrow")
    assert "takes the pairs from cooccurrence.bin again" in damaged(run)["cooccurrences/00001.arrow"]
    shutil.rmtree(run / "cooccurrences")
    assert not damaged(run) and info(run)["stage"] == "cooccurrences"
    assert "cooccurrence.bin (cooccurrences, 1,600 bytes)" in streamvec("info", run).stdout
    (run / "vocabulary.arrow").unlink()
    assert not damaged(run) and info(run)["stage"] == "cooccurrences"


def test_looking_while_pairs_are_counted_finds_nothing_wrong(
    glove_text: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Runs are merged, and files come, between two looks."""
    monkeypatch.setattr(pairpass, "INTERVAL", 0.0)
    monkeypatch.setattr(runfiles, "AT_ONCE", 3)
    run, done, looks, wrong = tmp_path / "run", threading.Event(), 0, {}

    def look() -> None:
        nonlocal looks
        while not done.is_set():
            if (run / "cooccurrences").exists():
                wrong.update(damaged(run))
                assert info(run)["what"] == "run"
                looks += 1

    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        sv.train_glove(glove_text, run, **OPTIONS)
    finally:
        done.set()
        watcher.join()
    assert not wrong and looks > 10
