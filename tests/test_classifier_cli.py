"""The classifier as a person uses it: train, predict, evaluate, stop and go on; and what goes wrong, in one line."""

import io
import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import cast

import numpy as np
import pytest
import task_runs
from conftest import Command
from streamvec_cli.main import main
from task_runs import LSTM, OPTIONS, reviews, write_tsv

from streamvec.training.run import Run
from streamvec.vectors.keyedvectors import KeyedVectors


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return task_runs.made(tmp_path_factory.mktemp("reviews"))


@pytest.fixture(scope="module")
def ended(data: Path, streamvec: Command) -> subprocess.CompletedProcess[str]:
    """A whole training; not to be changed."""
    return streamvec(*training(data, data / "run"), "--threads", 1)


@pytest.fixture(scope="module")
def run(data: Path, ended: subprocess.CompletedProcess[str]) -> Path:
    assert ended.returncode == 0, ended.stderr
    return data / "run"


@pytest.fixture
def here(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Command:
    """The command line in this process, which has its kernels already."""

    def call(*words: object, stdin: str = "") -> subprocess.CompletedProcess[str]:
        monkeypatch.setattr(sys, "argv", ["streamvec", *map(str, words)])
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin.encode())))
        capsys.readouterr()
        status: object = 0
        try:
            main()
        except SystemExit as end:
            status = end.code
        said = capsys.readouterr()
        return subprocess.CompletedProcess(words, cast(int, status), said.out, said.err)

    return call


def training(data: Path, out: Path, *more: object) -> list[object]:
    files = ["--train", data / "train.tsv", "--valid", data / "valid.tsv", "--out", out]
    return ["train", "classifier", *files, *OPTIONS, *more]


def bytes_of(run: Path) -> dict[str, bytes]:
    """All that must not depend on threads, or on how often it was stopped."""
    names = ["vectors.arrow", "vocabulary.arrow", "labels.json", "examples/00000.arrow", "heldout/00000.arrow"]
    names += [str(path.relative_to(run)) for path in run.glob("best/*/arrays.safetensors")]
    assert len(names) == 6
    return {name: (run / name).read_bytes() for name in names}


def test_it_learns_and_says_what_it_read(ended, run, data):
    assert ended.stdout.splitlines()[-1] == f"try: streamvec predict {run}"
    assert f"{run}: a classifier; on {data / 'valid.tsv'}: " in ended.stdout
    said = ended.stderr
    assert f"{data / 'train.tsv'}: 600 examples to train on" in said
    assert f"{data / 'valid.tsv'}: 83 examples to measure on" in said
    assert f"{data / 'valid.tsv'}: 3 labels or target words are not known from the training data" in said
    assert "Traceback" not in said
    best = Run.open(run).best_scores()
    assert best["heldout_accuracy"] > 0.8 * 80 / 83
    assert not (run / "rows.arrow").exists() and not (run / "counting").exists()
    counts = json.loads((run / "heldout/index.json").read_text())["counts"]
    assert (counts["rows"], counts["unknown_targets"], counts["cut"]) == (83, 3, 0)
    assert json.loads((run / "examples/index.json").read_text())["counts"]["unknown"] == 30  # each but once


def test_predict_answers_line_by_line(streamvec, run):
    texts = ["a lovely superb movie", "bad awful dull", "", "neverseen"]
    ended = streamvec("predict", run, stdin="".join(text + "\n" for text in texts))
    assert ended.returncode == 0 and ended.stderr == ""
    answers = [line.split("\t") for line in ended.stdout.splitlines()]
    assert [label for label, _ in answers[:2]] == ["pos", "neg"]
    assert len(answers) == 4 and all(0.5 <= float(chance) <= 1 for _, chance in answers)
    as_json = streamvec("predict", run, "--json", stdin="\r\n".join(texts))
    records = [json.loads(line) for line in as_json.stdout.splitlines()]
    assert [record["text"] for record in records] == texts
    assert [f"{record['probability']:.4f}" for record in records] == [chance for _, chance in answers]
    assert all(sum(record["labels"].values()) == pytest.approx(1, abs=1e-5) for record in records)


def test_predict_takes_bytes_that_are_no_text(run):
    command = [sys.executable, "-m", "streamvec_cli.main", "predict", str(run)]
    ended = subprocess.run(command, input=b"caf\xe9 good\nbad\n", capture_output=True)
    assert ended.returncode == 0 and len(ended.stdout.splitlines()) == 2
    assert ended.stderr == b"streamvec: warning: 1 characters were no text, and were replaced\n"


def test_evaluate_tells_what_metrics_told(here, run, data):
    ended = here("evaluate", run, data / "valid.tsv", "--json")
    said, best = json.loads(ended.stdout), Run.open(run).best_scores()
    assert said["accuracy"] == pytest.approx(best["heldout_accuracy"])
    assert said["loss"] == pytest.approx(best["heldout_loss"], rel=1e-5)
    assert said["counts"]["unknown_targets"] == 3 and said["counts"]["rows"] == 83
    answers = here("predict", run, stdin="".join(f"{text}\n" for _, text in reviews(80, 2))).stdout.splitlines()
    right = sum(line.split("\t")[0] == label for line, (label, _) in zip(answers, reviews(80, 2), strict=True))
    assert said["accuracy"] in (pytest.approx(right / 80), pytest.approx(right / 83))
    text = here("evaluate", run, data / "valid.tsv")
    assert text.returncode == 0 and "accuracy" in text.stdout and "3 unknown targets" in text.stderr


def test_threads_and_stops_do_not_show_in_the_bytes(data, tmp_path, here):
    """SIGTERM, then SIGKILL, then to the end on two threads; against one go on one thread."""
    whole = tmp_path / "whole"
    assert here(*training(data, whole, *LSTM), "--threads", 1).returncode == 0
    out = tmp_path / "stopped"
    first = started(*training(data, out, *LSTM, "--checkpoint-batches", 1), until=out / "checkpoints")
    first.send_signal(signal.SIGTERM)
    _, errors = first.communicate(timeout=60)
    assert first.returncode == 130 and f"go on with: streamvec resume {out}" in errors, errors
    before = len(list((out / "checkpoints").iterdir()))
    assert before and not (out / "vectors.arrow").exists()
    second = started("resume", out, "--checkpoint-batches", 1, "--threads", 1, until=out / "metrics.jsonl")
    time.sleep(0.05)
    second.kill()
    second.communicate()
    ended = here("resume", out, "--threads", 2)
    assert ended.returncode == 0 and f"try: streamvec predict {out}" in ended.stdout, ended.stderr
    assert bytes_of(out) == bytes_of(whole)
    losses = [
        [json.loads(line).get("heldout_loss") for line in (one / "metrics.jsonl").read_text().splitlines()]
        for one in (out, whole)
    ]
    assert [loss for loss in losses[0] if loss] == [loss for loss in losses[1] if loss]


def started(*words: object, until: Path) -> subprocess.Popen[str]:
    """A command that has come so far that *until* is there."""
    command = [sys.executable, "-m", "streamvec_cli.main", *map(str, words)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    while not until.exists() or (until.is_dir() and not list(until.glob("[0-9]*[0-9]"))):
        assert process.poll() is None, process.communicate()
        time.sleep(0.005)
    return process


KILLED = """
import os, sys
from pathlib import Path
from streamvec_cli import main
left, replace = [int(sys.argv.pop(1))], Path.replace
def killed(path, to):
    left[0] -= 1
    if left[0] < 0:
        os.kill(os.getpid(), 9)
    return replace(path, to)
Path.replace = killed
main.main()
"""


def test_killed_at_every_file_of_the_preparation_and_the_same_bytes(data, tmp_path, run):
    out, codes = tmp_path / "run", []
    for times in (1, 4, 6, 8, 1000):
        words = ["resume", out] if codes else training(data, out)
        ended = subprocess.run([sys.executable, "-c", KILLED, str(times), *map(str, words)], capture_output=True)
        codes.append(ended.returncode)
        if not ended.returncode:
            break
    assert codes[-1] == 0 and codes.count(-signal.SIGKILL) == len(codes) - 1 == 4
    assert bytes_of(out) == bytes_of(run)
    for name in ("examples/index.json", "heldout/index.json"):
        assert (out / name).read_bytes() == (run / name).read_bytes()
    assert {path.name for path in out.iterdir()} == {path.name for path in run.iterdir()}


def test_a_changed_file_is_refused_on_going_on(tmp_path, here):
    """As a kill leaves it before the examples, or those to measure on, were written."""
    task_runs.made(tmp_path)
    out = tmp_path / "run"
    assert here(*training(tmp_path, out, "--epochs", 1)).returncode == 0
    (out / "vectors.arrow").unlink()
    for folder in ("checkpoints", "best"):
        shutil.rmtree(out / folder)
    for folder, name in (("heldout", "valid.tsv"), ("examples", "train.tsv")):
        shutil.rmtree(out / folder)
        content = (tmp_path / name).read_text()
        write_tsv(tmp_path / name, reviews(90, 9))
        ended = here("resume", out)
        assert ended.returncode == 1
        assert ended.stderr.splitlines()[-1].startswith(f"streamvec: error: {tmp_path / name}: changed since {out}")
        (tmp_path / name).write_text(content)
    assert here("resume", out).returncode == 0


def test_some_of_the_examples(data, tmp_path, here):
    runs = [tmp_path / "a", tmp_path / "b"]
    for out in runs:
        ended = here(*training(data, out, "--train-size", 100))
        assert "train.tsv: 100 examples to train on" in ended.stderr, ended.stderr
    assert bytes_of(runs[0]) == bytes_of(runs[1])
    ended = here(*training(data, tmp_path / "c", "--train-size", 10_000, "--epochs", 1))
    assert "has only 600 examples, fewer than --train-size 10,000" in ended.stderr


def test_known_vectors_stay_where_they_are_frozen(data, tmp_path, here):
    known = {"good": 1.0, "bad": -1.0, "neverseen": 0.5, "größe": 0.25, "once20": 3.0}
    vectors = tmp_path / "known.txt"
    vectors.write_text("".join(f"{word} " + " ".join([str(value)] * 8) + "\n" for word, value in known.items()))
    out = tmp_path / "run"
    ended = here(*training(data, out, "--vectors", vectors, "--freeze", "--epochs", 1))
    assert ended.returncode == 0, ended.stderr
    assert "3 of 19 words begin with their vectors" in ended.stderr, ended.stderr
    found = KeyedVectors.load(out)
    for word in ("good", "bad", "größe"):
        assert np.unique(found[word]).tolist() == [known[word]], word
    assert np.unique(found["great"]).size == 8
    counts = json.loads((out / "examples/index.json").read_text())["counts"]
    assert counts["unknown"] == 29  # once20 occurs once, and is known
    vectors.unlink()  # the RUN is whole by itself
    ended = here("predict", out, "--json", stdin="neverseen\nunknown\n")
    first, second = (json.loads(line)["probability"] for line in ended.stdout.splitlines())
    assert first != second
    assert here("nn", out, "good", "-n", 1).returncode == 0
    loose = here(*training(data, tmp_path / "loose", "--freeze"))
    assert loose.returncode == 2 and "freeze needs vectors" in loose.stderr


def test_vectors_of_other_words_are_refused(data, tmp_path, here):
    (tmp_path / "known.txt").write_text("nie 1 2\nsonst 2 3\n")
    ended = here(
        "train",
        "classifier",
        "--train",
        data / "train.tsv",
        "--vectors",
        tmp_path / "known.txt",
        "--out",
        tmp_path / "run",
    )
    assert ended.returncode == 1 and "none of its 2 words is in the vocabulary" in ended.stderr
    assert not (tmp_path / "run").exists()


PROBLEMS = {
    "no such file": (None, "x.tsv: no such file", 1),
    "one column": ("good\nbad\n", "line 1: 1 columns between tabs, expected label and text", 1),
    "ragged": ("pos\tgood\nneg\tbad\tx\n", "line 2: 3 columns between tabs, expected 2", 1),
    "nothing": ("\n\n", "x.tsv: there are no examples in it", 1),
    "one label": ("pos\tgood good\npos\tgood\n", "x.tsv: two labels or more are needed to tell apart, found only", 1),
    "rare words": ("pos\tgood\nneg\tbad\n", "no word occurs 2 times", 1),
    "Parquet": (b"PAR1" + bytes(100) + b"PAR1", "x.tsv: examples are lines of text, and this is parquet", 1),
}


@pytest.mark.parametrize("name", PROBLEMS)
def test_a_problem_is_one_line_and_leaves_no_run(tmp_path, here, name):
    content, said, status = PROBLEMS[name]
    if content is not None:
        (tmp_path / "x.tsv").write_bytes(content if isinstance(content, bytes) else content.encode())
    ended = here("train", "classifier", "--train", tmp_path / "x.tsv", "--out", tmp_path / "run")
    assert ended.returncode == status
    last = ended.stderr.splitlines()[-1]
    assert last.startswith("streamvec: error: ") and said in last
    assert "Traceback" not in ended.stderr and ended.stdout == ""
    assert not (tmp_path / "run").exists()


def measured_on(valid, data, tmp_path, here, *options):
    train = ("train", "classifier", "--train", data / "train.tsv", "--valid", valid)
    return here(*train, "--out", tmp_path / "run", *options)


@pytest.mark.parametrize(("content", "said"), [("", "no examples"), ("pos\tgood\nx\n", "line 2: 1 columns")])
def test_a_problem_of_the_examples_to_measure_on_leaves_no_run(data, tmp_path, here, content, said):
    (tmp_path / "valid.tsv").write_text(content)
    ended = measured_on(tmp_path / "valid.tsv", data, tmp_path, here)
    assert ended.returncode == 1 and said in ended.stderr.splitlines()[-1] and "valid.tsv" in ended.stderr
    assert not (tmp_path / "run").exists()


def test_labels_that_are_all_unknown_are_said(data, tmp_path, here):
    write_tsv(tmp_path / "valid.tsv", [("x", "good movie"), ("y", "bad movie")])
    ended = measured_on(tmp_path / "valid.tsv", data, tmp_path, here, *OPTIONS)
    assert ended.returncode == 0 and "2 labels or target words are not known" in ended.stderr, ended.stderr
    assert "accuracy 0.0000" in ended.stdout
    assert here("evaluate", tmp_path / "run", tmp_path / "valid.tsv").returncode == 0


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--train", "-"), "-: examples are read twice"),
        (("--columns", "1"), "columns must be two"),
        (("--columns", "2,2"), "columns must be two different ones"),
        (("--patience", "2"), "patience needs examples to measure on"),
        (("--encoder", "lstm", "--ngrams", "2"), "ngrams must be 1"),
        (("--bidirectional",), "bidirectional needs an encoder"),
        (("--hidden", "7"), "hidden does nothing with encoder mean, got 7: leave it out"),
        (("--pool", "last"), "pool does nothing with encoder mean"),
        (("--buckets", "7"), "buckets does nothing without ngrams above 1"),
    ],
)
def test_what_can_never_be_right(data, tmp_path, here, more, said):
    ended = here("train", "classifier", "--train", data / "train.tsv", "--out", tmp_path / "run", *more)
    assert ended.returncode == (1 if "--train" in more else 2)
    assert said in ended.stderr and len(ended.stderr.splitlines()) == 1
    assert not (tmp_path / "run").exists()


def test_the_run_that_was_there_stays_until_another_is_there(data, tmp_path, here, run):
    out = Path(shutil.copytree(run, tmp_path / "run"))
    ended = here(*training(data, out))
    assert ended.returncode == 1 and "exists already" in ended.stderr
    (tmp_path / "bad.tsv").write_text("pos\tgood good\npos\tgood good\n")
    ended = here("train", "classifier", "--train", tmp_path / "bad.tsv", "--out", out, "--overwrite")
    assert ended.returncode == 1 and "two labels or more" in ended.stderr
    assert bytes_of(out) == bytes_of(run) and [path.name for path in tmp_path.iterdir()].count("run.replaced") == 0
    ended = here(*training(data, out, "--overwrite", "--seed", 4))
    assert ended.returncode == 0 and bytes_of(out)["vectors.arrow"] != bytes_of(run)["vectors.arrow"]
    assert not (tmp_path / "run.replaced").exists()
    shutil.copy(data / "train.tsv", out)
    ended = here("train", "classifier", "--train", out / "train.tsv", "--out", out, "--overwrite")
    assert ended.returncode == 1 and "lies in" in ended.stderr and (out / "vectors.arrow").exists()


def test_such_runs_are_not_taken_for_others(data, tmp_path, here, run):
    for words, said in (
        (
            ("train", "skipgram", run, "--out", tmp_path / "x"),
            "a RUN of classifier, which learns from labelled examples",
        ),
        (("train", "skipgram", data / "train.tsv", "--from", run, "--out", tmp_path / "x"), "take its vectors alone"),
        (("plan", run), "a RUN of classifier, which learns from labelled examples"),
        (("generate", run), "was trained by classifier, and this asks a language model"),
    ):
        ended = here(*words)
        assert ended.returncode == 1 and len(ended.stderr.splitlines()) == 1 and said in ended.stderr, words
        assert not (tmp_path / "x").exists()
    nearest = here("nn", run, "good", "--json")
    assert nearest.returncode == 0 and nearest.stderr == "" and "great" in nearest.stdout
    (tmp_path / "pairs.tsv").write_text("good\tgreat\t9\ngood\tbad\t1\n")
    judged = here("evaluate", run, "--similarity", tmp_path / "pairs.tsv")  # its vectors are vectors
    assert judged.returncode == 0 and judged.stderr == "", judged.stderr
    assert "not a RUN" in here("predict", tmp_path).stderr


def test_resume_of_a_finished_run_says_what_it_is(here, run):
    ended = here("resume", run, "--json")
    assert ended.returncode == 0 and json.loads(ended.stdout)["kind"] == "classifier"
