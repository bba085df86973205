"""info and verify of RUNs of tasks: what they hold, how good they are, and that no byte can change unnoticed."""

import json
import random
import shutil
from pathlib import Path

import pytest
import task_runs

from streamvec.corpus.layout import VOCABULARY
from streamvec.errors import Interrupted
from streamvec.training.checking import DAMAGED, NO_CHECKSUM, OK, UNFINISHED
from streamvec.training.info import info
from streamvec.training.verify import verify
from streamvec.training.words import resume, train_task

OPTIONS = {"dim": 8, "epochs": 2, "threads": 1}
CHECKSUMMED = [
    "run.json",
    VOCABULARY,
    "labels.json",
    "known.arrow",
    "examples/index.json",
    "examples/00000.arrow",
    "heldout/index.json",
    "heldout/00000.arrow",
    "checkpoints/*/state.json",
    "checkpoints/*/arrays.safetensors",
    "best/*/state.json",
    "best/*/arrays.safetensors",
    "vectors.arrow",
]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = task_runs.made(tmp_path_factory.mktemp("reviews"))
    (folder / "known.txt").write_text("".join(f"{word} {' '.join('12345678')}\n" for word in ("good", "bad", "x")))
    return folder


@pytest.fixture(scope="module")
def run(data):
    """A finished RUN; not to be changed."""
    train_task("classifier", data / "train.tsv", data / "run", **about(data))
    return data / "run"


@pytest.fixture
def copy(run, tmp_path):
    return Path(shutil.copytree(run, tmp_path / "run"))


def about(data):
    return {"valid": data / "valid.tsv", "vectors": data / "known.txt", **OPTIONS}


def states(path):
    return {str(file.path.relative_to(path)): file for file in verify(path)}


def flip(path, place):
    content = bytearray(path.read_bytes())
    content[place] ^= 1 << random.Random(place).randrange(8)
    path.write_bytes(content)


def test_every_file_is_read_and_whole(run):
    found = states(run)
    files = {str(path.relative_to(run)) for path in run.rglob("*") if path.is_file()}
    assert set(found) == files - {"lock"}
    assert {name for name, file in found.items() if file.state != OK} == {"metrics.jsonl"}
    assert found["metrics.jsonl"].state == NO_CHECKSUM
    assert [file.state for file in verify(run / "labels.json")] == [OK]
    assert [file.state for file in verify(run / "examples")] == [OK, OK]


@pytest.mark.parametrize("pattern", CHECKSUMMED)
def test_a_flipped_bit_anywhere_is_named(copy, pattern):
    (path,) = copy.glob(pattern)
    name, whole = str(path.relative_to(copy)), path.read_bytes()
    draw = random.Random(pattern)
    for place in [0, len(whole) - 3, *(draw.randrange(len(whole) - 2) for _ in range(6))]:
        flip(path, place)
        assert [other for other, file in states(copy).items() if file.state == DAMAGED] == [name], place
        path.write_bytes(whole)
    path.unlink()
    missing = {other: file for other, file in states(copy).items() if other == name}
    assert [file.state for file in missing.values()] == [UNFINISHED if pattern == "vectors.arrow" else DAMAGED]


def test_examples_of_another_vocabulary_are_found(copy, data, tmp_path):
    train_task("classifier", data / "train.tsv", tmp_path / "other", keep_case=True, min_count=1, **OPTIONS)
    for name in ("index.json", "00000.arrow"):
        shutil.copy(tmp_path / "other/examples" / name, copy / "examples" / name)
    assert "another vocabulary" in states(copy)["examples/index.json"].what


def test_a_finished_run_needs_no_examples(copy):
    shutil.rmtree(copy / "examples")
    shutil.rmtree(copy / "heldout")
    assert {name for name, file in states(copy).items() if file.state == UNFINISHED} == {"examples", "heldout"}
    assert not [name for name, file in states(copy).items() if file.state == DAMAGED]
    assert info(copy)["stage"] == "finished" and len(resume(copy)) == 21


def test_info_tells_what_it_is_and_how_good(run):
    found = info(run)
    assert (found["what"], found["kind"], found["stage"], found["progress"]) == ("run", "classifier", "finished", 1.0)
    assert found["examples"] == 600 and found["heldout"]["examples"] == 83
    assert list(found["labels"]) == ["neg", "pos"] and sum(found["labels"].values()) == 600
    last = json.loads((run / "metrics.jsonl").read_text().splitlines()[-1])
    assert found["metrics"] == last
    assert found["best"]["heldout_accuracy"] >= last["heldout_accuracy"]
    assert found["heldout"]["counts"]["unknown_targets"] == 3
    assert found["start"]["what"] == "vectors" and found["words"] == 19
    assert info(run / "examples")["examples"] == 600 and info(run / "heldout/00000.arrow")["examples"] == 83


def test_a_run_that_has_just_begun_says_so(data, tmp_path):
    """Stopped at each question: nothing is damaged, and what is missing is still to come."""
    seen = []
    for questions in (1, 3, 5, 8, 12, 40):
        left = iter(range(questions))
        with pytest.raises(Interrupted):
            train_task(
                "classifier",
                data / "train.tsv",
                tmp_path / "run",
                overwrite=True,
                stop=lambda left=left: next(left, None) is None,
                **about(data),
            )
        found = states(tmp_path / "run")
        assert not [name for name, file in found.items() if file.state == DAMAGED], questions
        assert found["vectors.arrow"].state == UNFINISHED
        said = info(tmp_path / "run")
        seen.append(said["stage"])
        assert "streamvec resume" in said["resume"]
    assert seen[0] == "reading" and seen[-1] == "training" and said["progress"] > 0
