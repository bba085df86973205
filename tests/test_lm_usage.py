"""What train lm, generate and evaluate refuse before anything is done, on the command line and in Python."""

import subprocess
import sys

import pytest

import streamvec as sv


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["train", "lm", "text.txt", "--out", "new", "--tied", "--output", "adaptive"], 2, "tied vectors need"),
        (["train", "lm", "text.txt", "--out", "new", "--tied", "--dim", "5"], 2, "dim must be hidden"),
        (["train", "lm", "text.txt", "--out", "new", "--patience", "2"], 2, "patience needs text to measure on"),
        (["train", "lm", "text.txt", "--out", "new", "--bidirectional"], 2, "sees the word it is to predict"),
        (["train", "lm", "text.txt", "--out", "new", "--phrases", "1"], 2, "phrases must be 0 for a language model"),
        (["train", "lm", "text.txt", "--out", "new", "--output", "adaptive", "--cutoffs", "9,x"], 2, "cutoffs must be"),
        (["train", "lm", "text.txt", "--out", "new", "--output", "adaptive", "--cutoffs", "9,5"], 2, "cutoffs must be"),
        (["train", "lm", "text.txt", "--out", "new", "--dropout", "1"], 2, "dropout must be"),
        (["train", "lm", "text.txt", "--out", "new", "--cell", "transformer"], 2, "cell"),
        (["train", "lm", "text.txt", "--out", "new", "--valid", "none.txt"], 1, "none.txt"),
        (["generate", "word", "--temperature", "-1"], 2, "temperature must be at least 0"),
        (["generate", "word", "--length", "0"], 2, "length"),
        (["generate", "none"], 1, "not a RUN"),
        (["evaluate", "word"], 2, "nothing to evaluate by"),
        (["evaluate", "word", "text.txt", "--similarity", "x"], 2, "TEXT is for a trained model"),
        (["evaluate", "word", "none.txt"], 1, "none.txt"),
    ],
    ids=lambda value: " ".join(value[-4:]) if isinstance(value, list) else None,
)
def test_wrong_usage(lm_folder, arguments, code, message):
    command = [sys.executable, "-m", "streamvec_cli.main", *arguments]
    ended = subprocess.run(command, cwd=lm_folder, capture_output=True, text=True)
    assert ended.returncode == code and message in ended.stderr and "Traceback" not in ended.stderr
    assert not (lm_folder / "new").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"patience": 2}, "patience needs text"),
        ({"phrases": 1}, "phrases must be 0"),
        ({"tied": True, "output": "adaptive"}, "tied vectors need an output that gives all words the same length"),
        ({"output": "adaptive", "cutoffs": ""}, "cutoffs must be rising numbers"),
        ({"output": "adaptive", "cutoffs": "0,5"}, "cutoffs must be rising numbers"),
        ({"bidirectional": True}, "bidirectional must be left out: .* sees the word it is to predict"),
        ({"reverse": True}, "options must be those of train lm, got reverse"),
        ({"batch": 0}, "batch must be at least 1, got 0"),
        ({"clip": -1.0}, "clip must be at least 0"),
        ({"decay": 0.0}, "decay must be above 0"),
        ({"learning_rate": float("inf")}, "learning_rate must be"),
    ],
)
def test_what_can_never_be_right(lm_folder, tmp_path, options, message):
    with pytest.raises(ValueError, match=message):
        sv.train_lm(lm_folder / "text.txt", tmp_path / "run", **options)
    assert not (tmp_path / "run").exists()


def test_what_is_always_refused_is_not_offered(streamvec):
    said = streamvec("train", "lm", "--help")
    assert "--report-gradients" in said.stdout and "bidirectional" not in said.stdout
