"""Translators on the command line: trained, asked, gone on with, and writing from a label."""

import json
import random

import pytest
from lm_runs import checkpoint, stopped_while_training

from streamvec.corpus.tsv import Row
from streamvec.errors import Interrupted
from streamvec.tasks.trained import TrainedTask
from streamvec.training.run import Run
from streamvec.training.translating import written
from streamvec.training.words import resume, train_task

COPY = ("--level", "char", "--hidden", "48", "--dim", "24", "--epochs", "8", "--learning-rate", "0.01", "--batch", "32")
SMALL = ("--hidden", "8", "--dim", "8", "--epochs", "2", "--batch", "8", "--min-count", "1")


def pairs(number, seed):
    """Short strings and these turned round."""
    draw = random.Random(seed)
    words = ["".join(draw.choice("abcde f") for _ in range(draw.randrange(2, 5))).strip() or "a" for _ in range(number)]
    return "".join(f"{word}\t{word[::-1]}\n" for word in words)


@pytest.fixture(scope="module")
def turned(streamvec, tmp_path_factory):
    """A folder with a translator that learned to turn strings round."""
    folder = tmp_path_factory.mktemp("translator")
    (folder / "train.tsv").write_text(pairs(1500, 1))
    (folder / "dev.tsv").write_text(pairs(100, 2))
    files = "--train", folder / "train.tsv", "--valid", folder / "dev.tsv"
    ended = streamvec("train", "translator", *files, *COPY, "--out", folder / "run", "--threads", "1")
    assert ended.returncode == 0, ended.stderr
    assert "a translator" in ended.stdout and "exact_match" in ended.stdout
    return folder


@pytest.fixture(scope="module")
def words(streamvec, tmp_path_factory):
    """A folder with a small translator of words, of two epochs."""
    folder = tmp_path_factory.mktemp("words")
    lines = "Go on!\tVas-y !\nI see.\tJe vois.\nNo, I go.\tNon, je vais.\n" * 9
    (folder / "train.tsv").write_text(f"source\ttarget\n{lines}")
    ended = streamvec("train", "translator", "--train", folder / "train.tsv", *SMALL, "--out", folder / "run")
    assert ended.returncode == 0, ended.stderr
    return folder


def test_it_learns(turned, streamvec):
    ended = streamvec("evaluate", turned / "run", turned / "dev.tsv", "--json")
    said = json.loads(ended.stdout)
    assert said["exact_match"] > 0.9
    assert said["bleu"] > 90 and said["examples"] == 100 and said["loss"] < 0.2
    lines = streamvec("evaluate", turned / "run", turned / "dev.tsv").stdout
    assert f"exact matches {said['exact_match']:.4f}, 100 examples" in lines


def test_it_is_asked_line_by_line(turned, streamvec):
    ended = streamvec("predict", turned / "run", stdin="abc\ndad\n\n")
    lines = [line.split("\t") for line in ended.stdout.splitlines()]
    assert len(lines) == 3 and all(0 <= float(chance) <= 1 for _, chance in lines)
    assert [text for text, _ in lines[:2]] == ["cba", "dad"]


def test_a_beam_has_alternatives(turned, streamvec):
    ended = streamvec("predict", turned / "run", "--beam", "3", "--json", stdin="abc\n")
    said = json.loads(ended.stdout)
    chances = [one["probability"] for one in said["alternatives"]]
    assert said["text"] == "abc" and said["translation"] == "cba" == said["alternatives"][0]["translation"]
    assert len(chances) == 3 and said["probability"] == chances[0] and sum(chances) <= 1
    assert len({one["translation"] for one in said["alternatives"]}) == 3


def test_a_beam_is_of_translators(streamvec, tmp_path):
    (tmp_path / "train.tsv").write_text("a\tgood day\nb\tbad day\n" * 3)
    train_task("classifier", tmp_path / "train.tsv", tmp_path / "c", epochs=1)
    ended = streamvec("predict", tmp_path / "c", "--beam", "2", stdin="a\n")
    assert ended.returncode == 2 and "beam" in ended.stderr


@pytest.mark.parametrize("level", ["word", "char"])
def test_threads_and_going_on_give_the_same_bytes(words, level):
    options = {"level": level, "hidden": 8, "dim": 8, "layers": 2, "epochs": 3, "batch": 8, "min_count": 1}
    whole, stopped = words / f"{level}-whole", words / f"{level}-stopped"
    train, stops = words / "train.tsv", 0
    train_task("translator", train, whole, valid=train, threads=1, **options)
    try:
        train_task("translator", train, stopped, valid=train, threads=2, stop=stopped_while_training(5), **options)
    except Interrupted:
        stops += 1
    assert stops == 1
    resume(stopped, threads=2)
    assert checkpoint(whole) == checkpoint(stopped)
    assert (whole / "vectors.arrow").read_bytes() == (stopped / "vectors.arrow").read_bytes()


def test_what_is_written_is_plain_text(words):
    with TrainedTask(Run.open(words / "run")) as trained:
        batch = trained.ids.of([Row("go on", "Non, je vais .  Vas-y!"), Row("go", "je unheard")])
        assert written(trained.ids.target_words, batch.targets.values[: batch.targets.lengths[0] - 1]) == (
            "non, je vais. vas-y !"
        )
        assert written(trained.ids.target_words, batch.targets.values[batch.targets.lengths[0] : -1]) == "je \ufffd"
        assert written(trained.ids.target_words, []) == ""


@pytest.fixture(scope="module")
def names(streamvec, tmp_path_factory):
    """A RUN that writes names of two classes."""
    folder = tmp_path_factory.mktemp("names")
    draw = random.Random(3)
    lines = [("Vowels", "aeiou"), ("Others", "bcdfg")] * 150
    text = "".join(f"{label}\t{''.join(draw.choice(of) for _ in range(draw.randrange(2, 5)))}\n" for label, of in lines)
    (folder / "names.tsv").write_text(text)
    files = "--train", folder / "names.tsv", "--valid", folder / "names.tsv"
    options = "--level", "char", "--from-label", *SMALL, "--epochs", "4", "--learning-rate", "0.02"
    ended = streamvec("train", "translator", *files, *options, "--out", folder / "run")
    assert ended.returncode == 0, ended.stderr
    return folder / "run"


def test_it_writes_from_a_label(names, streamvec):
    found = {}
    for label, letters in (("Vowels", "aeiou"), ("Others", "bcdfg")):
        some = [streamvec("generate", names, "--prompt", label, "--seed", seed, "--top-k", "5") for seed in "12"]
        assert [ended.returncode for ended in some] == [0, 0], some[0].stderr
        found[label] = [ended.stdout.strip() for ended in some]
        assert set("".join(found[label])) <= set(letters)
    assert len(set(found["Vowels"])) > 1
    again = streamvec("generate", names, "--prompt", "Vowels", "--top-k", "5", "--json")
    assert json.loads(again.stdout) == {"prompt": "Vowels", "text": found["Vowels"][0]}


@pytest.mark.parametrize(
    ("label", "said"), [("Klingon", "does not know 'klingon': it knows others, vowels"), ("", "give it a label")]
)
def test_another_label_is_refused(names, streamvec, label, said):
    for ended in (streamvec("generate", names, "--prompt", label), streamvec("predict", names, stdin=f"{label}\n")):
        assert ended.returncode == 1 and said.lower() in ended.stderr.lower()
        assert "Traceback" not in ended.stderr


@pytest.mark.parametrize(
    ("text", "said"),
    [("one column\n", "1 columns"), ("a\tb\na\tb\tc\n", "line 2: 3 columns"), ("\tb\n", "no examples")],
)
def test_bad_files_are_refused(streamvec, tmp_path, text, said):
    (tmp_path / "train.tsv").write_text(text)
    ended = streamvec("train", "translator", "--train", tmp_path / "train.tsv", "--out", tmp_path / "run")
    assert ended.returncode == 1 and said in ended.stderr, ended.stderr
    assert "Traceback" not in ended.stderr


def test_attention_and_a_direction_can_be_left_out(words, streamvec):
    for options in ([], ["--no-attention", "--no-bidirectional"]):
        out = words / f"without{len(options)}"
        ended = streamvec("train", "translator", "--train", words / "train.tsv", *SMALL, *options, "--out", out)
        assert ended.returncode == 0, ended.stderr
        config = Run.open(out).about["config"]
        assert config["attention"] == config["bidirectional"] == (not options)


def test_options_that_cannot_be_right(streamvec, tmp_path):
    (tmp_path / "train.tsv").write_text("a\tb\n")
    ended = streamvec("train", "translator", "--train", tmp_path / "train.tsv", "--freeze", "--out", tmp_path / "run")
    assert ended.returncode == 2 and "freeze" in ended.stderr
