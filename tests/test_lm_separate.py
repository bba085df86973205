"""Language models of separate sequences, from text to a RUN: what is measured, written, and gone on with."""

import json
import math
import random
import subprocess
import sys

import numpy as np
import pytest
from lm_runs import MORE, SMALL, checkpoint, names_of, parameters_of, stopped_while_training
from recurrent_models import naive_losses
from starting import Notes
from stopping import stopped_after
from test_lm_resume import KILLED, losses_of
from test_lmneeds import PEAK

import streamvec as sv
from streamvec.corpus.shards import Shards
from streamvec.disk.sealed import read_json, write_json
from streamvec.errors import Interrupted
from streamvec.models.lmconfig import LmConfig
from streamvec.tasks.generation import Sampling
from streamvec.tasks.lm import TrainedModel
from streamvec.training.info import info
from streamvec.training.run import Run

BPTT = 7
OPTIONS = {**SMALL, **MORE, "separate": True, "bptt": BPTT, "batch": 5, "min_count": 1}
LEVELS = {"word": {"tokens": "whitespace", "keep_case": True}, "char": {"level": "char"}}


def names(lines, seed):
    """Made-up names, a line each, some of them of two words, and some too long."""
    draw = random.Random(seed)
    made = []
    for _ in range(lines):
        parts = [draw.choice(["ma", "jo", "el", "ka", "ro"]) for _ in range(draw.randrange(1, 5))]
        made.append(" ".join("".join(parts).title() for _ in range(draw.choice([1, 1, 1, 2]))) + draw.choice(["", "a"]))
    return "\n".join(made) + "\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Text to learn, text to measure on, and a RUN of each level."""
    here = tmp_path_factory.mktemp("separate")
    (here / "text.txt").write_text(names(120, 1) + " ".join(["Jo"] * 20) + "\n")
    (here / "valid.txt").write_text(names(23, 2))
    for level, more in LEVELS.items():
        sv.train_lm(here / "text.txt", here / level, valid=here / "valid.txt", **{**OPTIONS, **more})
    return here


def sequences_of(run, text, level):
    """(inputs, targets) of each document, cut by hand, as ids."""
    known, found = names_of(run), []
    end = "\n" if level == "char" else "</s>"
    for line in text.splitlines():
        tokens = [*line, end] if level == "char" else [*line.split(), end]
        ids = [known.index(token) if token in known else known.index("<unk>") for token in [end, *tokens]]
        found += [
            (np.array(ids[a : a + BPTT]), np.array(ids[a + 1 : a + BPTT + 1])) for a in range(0, len(tokens), BPTT)
        ]
    return [(inputs[: len(targets)], targets) for inputs, targets in found]


@pytest.mark.parametrize("level", LEVELS)
def test_documents_are_measured_by_themselves_from_first_token_to_end(folder, streamvec, level):
    run, text = folder / level, (folder / "valid.txt").read_text()
    config = LmConfig(**Run.open(run).about["config"])
    p = parameters_of(Run.open(run).checkpoints.paths()[0], config)
    losses = np.concatenate([naive_losses(config, p, *one)[0] for one in sequences_of(run, text, level)])
    records = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    last = [record for record in records if "heldout_loss" in record][-1]
    assert last["epoch"] == 3 and last["heldout_loss"] == pytest.approx(losses.mean(), rel=1e-5)
    found = json.loads(streamvec("evaluate", run, folder / "valid.txt", "--json").stdout)
    assert found["perplexity"] == pytest.approx(math.exp(losses.mean()), rel=1e-5)
    assert found["bits_per_character"] == pytest.approx(losses.sum() / math.log(2) / len(text), rel=1e-5)
    assert found["tokens"] == losses.size


@pytest.mark.parametrize("level", LEVELS)
def test_info_tells_its_steps(folder, level):
    sequences = sequences_of(folder / level, (folder / "text.txt").read_text(), level)
    assert info(folder / level)["steps"] == -(-len(sequences) // OPTIONS["batch"])


def test_info_tells_how_far_it_is_and_reads_no_shards(folder, tmp_path, monkeypatch, streamvec):
    run, options = tmp_path / "run", {**OPTIONS, **LEVELS["char"], "threads": 1}
    with pytest.raises(Interrupted):
        sv.train_lm(folder / "text.txt", run, **options, stop=stopped_while_training(7))
    monkeypatch.setattr(Shards, "offsets", None)
    steps = info(folder / "char")["steps"]
    said = info(run)
    assert said["steps"] == steps and said["checkpoints"][0]["batch"] == 7
    assert said["progress"] == said["checkpoints"][0]["progress"] == pytest.approx(7 / steps / 3, abs=1e-6)
    state = run / "checkpoints" / "0000-000000007" / "state.json"
    write_json(state, {name: value for name, value in read_json(state).items() if name not in ("steps", "checksum")})
    said = info(run)
    assert not {"steps", "progress"} & {*said, *said["checkpoints"][0]}  # as of one that was begun earlier
    told = streamvec("info", run)
    assert told.returncode == 0 and "training" in told.stdout and "%" not in told.stdout
    monkeypatch.undo()
    sv.resume(run)
    assert checkpoint(run) == checkpoint(folder / "char") and info(run)["steps"] == steps


def test_documents_that_are_cut_are_told(folder, tmp_path):
    notes = Notes()
    sv.train_lm(folder / "text.txt", tmp_path / "run", report=notes, **{**OPTIONS, **LEVELS["word"], "epochs": 1})
    assert any("1 of 121 documents take more than 7 time steps (--bptt)" in note for note in notes.said)
    notes, longer = Notes(), {**OPTIONS, **LEVELS["word"], "epochs": 1, "bptt": 21}
    sv.train_lm(folder / "text.txt", tmp_path / "longer", report=notes, **longer)
    assert not any("documents take" in note for note in notes.said)


def test_names_end_by_themselves(folder, tmp_path, streamvec):
    (tmp_path / "names.txt").write_text(names(600, 3))
    options = ["--level", "char", "--separate", "--hidden", 32, "--layers", 1, "--epochs", 5, "--optimizer", "adam"]
    more = ["--learning-rate", 0.01, "--threads", 1]
    said = streamvec("train", "lm", tmp_path / "names.txt", "--out", tmp_path / "run", *options, *more)
    assert said.returncode == 0, said.stderr
    with TrainedModel(Run.open(tmp_path / "run")) as trained:
        found = ["".join(trained.write("", Sampling(seed=seed), 300)) for seed in range(40)]
        assert "".join(trained.write("Ma", Sampling(temperature=0), 300)).strip()
    assert max(map(len, found)) < 60 and not any("\n" in name for name in found)
    assert len(set(found)) > 10 and sum(name[:1].isupper() for name in found) > 35
    with TrainedModel(Run.open(folder / "word")) as trained:
        assert max(len(list(trained.write("", Sampling(seed=seed), 300))) for seed in range(20)) < 300


def test_stopped_and_gone_on_with_is_the_same_bytes(folder, tmp_path):
    options = {**OPTIONS, **LEVELS["char"], "valid": folder / "valid.txt"}
    run, stops, threads = tmp_path / "run", 0, [2, 3, 1]
    for number in range(60):
        try:
            if number == 0:
                sv.train_lm(folder / "text.txt", run, **options, stop=stopped_after(14))
            else:
                sv.resume(run, threads=threads[number % 3], stop=stopped_after(17))
            break
        except Interrupted:
            stops += 1
    assert stops > 4
    assert checkpoint(run) == checkpoint(folder / "char")
    assert (run / "vectors.arrow").read_bytes() == (folder / "char" / "vectors.arrow").read_bytes()
    assert losses_of(run) == losses_of(folder / "char")


def test_killed_in_the_middle_of_an_epoch_and_the_same_bytes(folder, tmp_path):
    options = {**OPTIONS, **LEVELS["char"], "valid": str(folder / "valid.txt"), "checkpoint_batches": 3}
    run, codes = tmp_path / "run", []
    for steps, *more in ((17, str(folder / "text.txt"), repr(options)), (10**9,)):
        command = [sys.executable, "-c", KILLED, str(run), str(steps), *more]
        codes.append(subprocess.run(command, check=False, capture_output=True).returncode)
    assert codes == [-9, 0]
    assert checkpoint(run) == checkpoint(folder / "char")


def test_gradients_are_reported_and_change_nothing(folder, tmp_path):
    options = {**OPTIONS, **LEVELS["char"], "valid": folder / "valid.txt"}
    sv.train_lm(folder / "text.txt", tmp_path / "run", report_gradients=True, **options)
    assert checkpoint(tmp_path / "run") == checkpoint(folder / "char")
    lines = [json.loads(line) for line in (tmp_path / "run" / "gradients.jsonl").read_text().splitlines()]
    assert len(lines) == 3 * 5 * 4 and {len(line["norms"]) for line in lines} == {BPTT}


def test_memory_that_is_told_is_what_it_takes(tmp_path):
    draw = random.Random(5)
    lines = (" ".join(f"w{int(20_000 * draw.random()):x}" for _ in range(draw.randrange(1, 140))) for _ in range(500))
    (tmp_path / "text.txt").write_text("\n".join(lines) + "\n")
    options = {"hidden": 96, "layers": 2, "optimizer": "adam", "dropout": 0.3, "min_count": 1, "epochs": 1}
    options |= {"threads": 2, "batch": 20, "bptt": 70, "separate": True}
    peak = PEAK.replace("lanes_bytes(one, config.batch)", "read_bytes(one, config)")
    command = [sys.executable, "-c", peak, str(tmp_path / "text.txt"), str(tmp_path / "run"), repr(options)]
    told, taken = map(int, subprocess.run(command, check=True, capture_output=True, text=True).stdout.split())
    assert taken <= told <= 1.25 * taken
