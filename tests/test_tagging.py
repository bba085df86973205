"""Taggers from the shell: entities, chunks and parts of speech from columns, learnt, measured, told, gone on with."""

import json
import random
from pathlib import Path

import pytest
from click.testing import CliRunner
from stopping import stopped_after
from streamvec_cli.main import streamvec as program

from streamvec.errors import Interrupted
from streamvec.training.words import resume, train_task

NAMES, PLACES, VERBS = ("Anna", "Bert", "Carla", "Dirk"), ("Oslo", "Bern", "Riga"), ("sees", "leaves", "likes")
SMALL = {
    "dim": 8,
    "hidden": 8,
    "char_hidden": 4,
    "char_dim": 4,
    "min_count": 1,
    "learning_rate": 0.02,
    "dropout": 0.1,
    "batch": 5,
}


def tagged(sentences: int, seed: int) -> str:
    """Columns word, part of speech, chunk, entity (IOB1): people, who may have two names, and places."""
    draw, lines = random.Random(seed), ["-DOCSTART- -X- -X- O\n"]
    for _ in range(sentences):
        name = draw.sample(NAMES, draw.randrange(1, 3))
        rows = [(word, "NNP", "I-NP", "I-PER") for word in name]
        rows += [(draw.choice(VERBS), "VBZ", "I-VP", "O"), (draw.choice(PLACES), "NNP", "I-NP", "I-LOC")]
        rows += [(draw.choice(PLACES), "NNP", "B-NP", "B-LOC")] if draw.random() < 0.3 else []
        lines.append("".join(" ".join(row) + "\n" for row in [*rows, (".", ".", "O", "O")]))
    return "\n".join(lines)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tagging")
    for number, name in enumerate(("train", "valid")):
        (folder / name).write_text(tagged(60 - 40 * number, number), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def ner(files: Path) -> Path:
    """The RUN of a tagger of entities."""
    train_task("tagger", files / "train", files / "ner", valid=files / "valid", threads=1, epochs=6, **SMALL)
    return files / "ner"


def words_of(options: dict[str, object]) -> list[str]:
    return [part for name, value in options.items() for part in (f"--{name.replace('_', '-')}", str(value))]


def ask(*words: object, stdin: str | None = None) -> str:
    ended = CliRunner().invoke(program, list(map(str, words)), input=stdin)
    assert ended.exit_code == 0, ended.output
    return ended.stdout


def test_entities_from_the_shell(files, tmp_path, streamvec):
    run = tmp_path / "run"
    words = ["--train", files / "train", "--valid", files / "valid", "--out", run, *words_of(SMALL), "--epochs", 4]
    ended = streamvec("train", "tagger", *words)
    assert ended.returncode == 0, ended.stderr
    assert "60 examples to train on" in ended.stderr
    assert f"{run}: a tagger; on {files / 'valid'}: loss" in ended.stdout and "f1 1.0000" in ended.stdout
    shown = streamvec("evaluate", run, files / "valid").stdout.splitlines()
    assert shown[2] == "accuracy: 100.00%; precision: 100.00%; recall: 100.00%; FB1: 100.00"
    assert [line.split(":")[0] for line in shown[3:]] == ["LOC", "PER"]
    said = json.loads(streamvec("evaluate", run, files / "valid", "--json").stdout)
    assert said["f1"] == 1.0 and said["by_type"]["LOC"]["recall"] == 1.0 and said["counts"]["unknown_targets"] == 0
    told = streamvec("predict", run, stdin="Carla x\nleaves y\n\n\nBern\tz\nRiga z\n")
    assert told.returncode == 0, told.stderr
    assert [line.split("\t")[:2] for line in told.stdout.split("\n")] == [
        ["Carla", "I-PER"],
        ["leaves", "O"],
        [""],
        [""],
        ["Bern", "I-LOC"],
        ["Riga", "B-LOC"],
        [""],
        [""],
    ]


def test_a_line_of_text(ner):
    told = json.loads(ask("predict", ner, "--text", "--json", stdin="Anna Dirk sees Oslo.\n"))
    assert told["words"] == ["Anna", "Dirk", "sees", "Oslo", "."]
    assert told["tags"] == ["I-PER", "I-PER", "O", "I-LOC", "O"]
    assert told["entities"] == [
        {"type": "PER", "first": 0, "last": 1, "text": "Anna Dirk"},
        {"type": "LOC", "first": 3, "last": 3, "text": "Oslo"},
    ]
    assert len(told["probabilities"]) == 5 and all(0 < chance <= 1 for chance in told["probabilities"])
    lines = ask("predict", ner, "--text", stdin="\nOslo\n").split("\n")
    assert [line.split("\t")[0] for line in lines] == ["", "Oslo", "", ""]


def test_every_word_of_a_long_sentence_has_a_tag(files, tmp_path):
    run = tmp_path / "run"
    train_task("tagger", files / "train", run, epochs=1, max_length=3, **SMALL)
    lines = ask("predict", run, stdin="".join(f"word{number}\n" for number in range(200))).split("\n")
    assert [line.split("\t")[0] for line in lines] == [*(f"word{number}" for number in range(200)), "", ""]
    said = json.loads(ask("evaluate", run, files / "valid", "--json"))
    assert said["counts"]["sentences_cut"] == 20 and said["counts"]["cut"] == 0


@pytest.mark.parametrize(
    ("columns", "scored", "told"),
    [("1,2", "accuracy", ["NNP", "VBZ", "NNP", "."]), ("1,3", "f1", ["I-NP", "I-VP", "I-NP", "O"])],
    ids=["parts of speech", "chunks"],
)
def test_other_columns(files, tmp_path, columns, scored, told):
    run, options = tmp_path / "run", {**SMALL, "output": "softmax", "char_hidden": 0, "char_dim": 25, "cell": "gru"}
    train_task("tagger", files / "train", run, valid=files / "valid", columns=columns, epochs=4, **options)
    said = json.loads(ask("evaluate", run, files / "valid", "--json"))
    assert said[scored] == 1.0
    found = json.loads(ask("predict", run, "--json", stdin="Anna\nlikes\nOslo\n.\n"))
    assert found["tags"] == told
    assert ("entities" in found) == (scored == "f1")


def test_the_same_bytes_on_any_threads_and_stopped_or_not(files, ner, tmp_path):
    runs = [tmp_path / "threads", tmp_path / "stopped"]
    options = {"valid": files / "valid", "epochs": 6, **SMALL}
    train_task("tagger", files / "train", runs[0], threads=2, **options)
    with pytest.raises(Interrupted):
        train_task("tagger", files / "train", runs[1], threads=2, stop=stopped_after(25), **options)
    stops = 1
    while True:
        try:
            resume(runs[1], threads=1, stop=stopped_after(25))
            break
        except Interrupted:
            stops += 1
    assert stops > 1
    for run in runs:
        assert (run / "vectors.arrow").read_bytes() == (ner / "vectors.arrow").read_bytes()
        kept, ours = (next((folder / "best").glob("*/arrays.safetensors")) for folder in (ner, run))
        assert kept.read_bytes() == ours.read_bytes()


def test_tags_that_training_has_not_met_are_counted_and_wrong(files, ner, tmp_path):
    other = tmp_path / "other"
    other.write_text("Anna I-PER\nsees O\nMonday I-DAY\n\nOslo nonsense\n. O\n", encoding="utf-8")
    said = json.loads(ask("evaluate", ner, other, "--json"))
    assert said["counts"]["unknown_targets"] == 2
    assert said["recall"] <= 1 / 3 and said["accuracy"] <= 0.6
    assert said["by_type"]["(unknown)"]["expected"] == 2
    train_task("tagger", files / "train", tmp_path / "run", valid=other, epochs=1, **SMALL)


@pytest.mark.parametrize(
    ("text", "more", "status", "said"),
    [
        ("Anna I-PER\nsees\n", (), 1, "bad: line 2: 1 column, the lines before have 2: 'sees' lacks column 2, the tag"),
        ("Anna I-PER\nsees no\n", (), 1, "bad: line 2: tag 'no' is of no known scheme"),
        ("\n\n", (), 1, "bad: there are no examples in it"),
        ("Anna I-PER\nsees O\n", ("--columns", "word,tag"), 2, "columns of a tagger must be two numbers, like 1,4"),
        ("Anna I-PER\nsees O\n", ("--columns", "1,3"), 1, "but tags were to be column 3: choose one from 1 to 2"),
        ("Anna I-PER\nsees O\n", ("--char-hidden", "-1"), 2, "char_hidden must be at least 0, got -1"),
    ],
)
def test_what_is_wrong_is_named(tmp_path, text, more, status, said):
    (tmp_path / "bad").write_text(text, encoding="utf-8")
    words = ["train", "tagger", "--train", str(tmp_path / "bad"), "--out", str(tmp_path / "run"), *more]
    ended = CliRunner().invoke(program, words)
    assert ended.exit_code == status, ended.output
    assert said in f"{ended.exception} {' '.join(ended.output.split())}"  # the command line prints what is raised
    assert not (tmp_path / "run").exists()


def test_lines_that_are_no_columns_are_refused(ner, streamvec):
    ended = streamvec("predict", ner, stdin="Anna x\nsees\n")
    assert ended.returncode == 1
    assert "standard input: line 2: 1 column, the lines before have 2" in ended.stderr
