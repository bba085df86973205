"""``train glove`` from text to vectors: the same bytes on any threads and after any stop, and what is refused."""

import itertools
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import naive_glove
import numpy as np
import pytest
from conftest import Command, two_topics
from cooccurring import in_float32, matrix_of
from starting import Notes

import streamvec as sv
from streamvec.corpus.cooccurrences import Cooccurrences
from streamvec.corpus.vocabulary import Vocabulary
from streamvec.disk.tensors import load_tensors
from streamvec.errors import Interrupted, StreamvecError
from streamvec.kernels.records import HEAD
from streamvec.models.step import Position
from streamvec.training import glove as training
from streamvec.training import loop
from streamvec.training.checkpoint import ARRAYS
from streamvec.vectors.exports import export_vectors

OPTIONS: dict[str, Any] = {"dim": 20, "window": 4, "min_count": 2, "epochs": 4, "x_max": 50.0, "seed": 5}


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("text") / "text.txt"
    path.write_text(two_topics(600))
    return path


@pytest.fixture(scope="module")
def whole(text: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished RUN; not to be changed."""
    run = tmp_path_factory.mktemp("whole") / "run"
    sv.train_glove(text, run, threads=1, **OPTIONS)
    return run


def vectors_of(run: Path) -> bytes:
    return (run / "vectors.arrow").read_bytes()


def words_of(run: Path) -> list[str]:
    return Vocabulary.load(run / "vocabulary.arrow").words.to_pylist()


def records_of(run: Path, position: str) -> np.ndarray:
    """float32[V, record] of a checkpoint."""
    return load_tensors(run / "checkpoints" / position / ARRAYS)["records"].reshape(len(words_of(run)), -1)


def test_counts_and_vectors_are_what_the_text_says(text: Path, whole: Path) -> None:
    ids = {word: number for number, word in enumerate(words_of(whole))}
    documents = [[ids[word] for word in line.split() if word in ids] for line in text.read_text().splitlines()]
    found = Cooccurrences.open(whole / "cooccurrences")
    matrix = matrix_of(found)
    assert matrix == in_float32(naive_glove.cooccurrences(documents, 4))
    assert found.batches > 10  # an epoch can be stopped in its midst
    records = [json.loads(line) for line in (whole / "metrics.jsonl").read_text().splitlines()]
    losses = [record["epoch_loss"] for record in records if record["batch"] == 0]
    assert len(losses) == 4 and losses == sorted(losses, reverse=True)
    vectors = sv.KeyedVectors.load(whole)
    assert len(vectors) == len(ids) and vectors.vectors.shape[1] == 20
    rows = records_of(whole, "0004-000000000")
    word, context = rows[:, HEAD : HEAD + 20], rows[:, HEAD + 32 : HEAD + 52]
    assert all((vectors[name] == word[number] + context[number]).all() for name, number in ids.items())
    biases = [rows[:, 0].astype(np.float64), rows[:, 1].astype(np.float64)]
    entries = [(*place, value) for place, value in matrix.items()]
    loss = naive_glove.loss(word.astype(np.float64), context.astype(np.float64), *biases, entries, 50.0, 0.75)
    assert 0.5 * losses[-1] < loss / len(entries) < losses[-1]  # which was measured before the steps


@pytest.mark.parametrize("threads", [2, 4])
def test_the_same_bytes_on_any_threads(text: Path, whole: Path, tmp_path: Path, threads: int) -> None:
    sv.train_glove(text, tmp_path / "run", threads=threads, memory=600 << 20, **OPTIONS)
    assert vectors_of(tmp_path / "run") == vectors_of(whole)


@pytest.mark.parametrize("every", [11, 33])
def test_stopped_within_epochs_and_gone_on_with(text: Path, whole: Path, tmp_path: Path, every: int) -> None:
    run, stops = tmp_path / "run", []

    def stop() -> bool:
        return next(calls) >= every

    for turn in itertools.count():
        calls = itertools.count()
        try:
            if run.exists():
                sv.resume(run, stop=stop, threads=1 + turn % 2)
            else:
                sv.train_glove(text, run, stop=stop, threads=2, **OPTIONS)
            break
        except Interrupted as interrupted:
            stops.append(str(interrupted))
    assert sum("stopped in epoch" in said and "go on with: streamvec resume" in said for said in stops) >= 2
    assert len(stops) < 80 and vectors_of(run) == vectors_of(whole)
    losses = [
        [record["epoch_loss"] for record in map(json.loads, (one / "metrics.jsonl").open()) if "epoch_loss" in record]
        for one in (run, whole)
    ]
    assert losses[0] == pytest.approx(losses[1], rel=1e-12)


KILLED = """
import os, sys
import streamvec as sv
left = [int(sys.argv[2])]
def stop():
    left[0] -= 1
    if left[0] == 0:
        os.kill(os.getpid(), 9)
    return False
sv.resume(sys.argv[1], stop=stop, threads=2, checkpoint_batches=3)
"""


def test_killed_and_gone_on_with(text: Path, whole: Path, tmp_path: Path) -> None:
    run, seen = tmp_path / "run", []
    counted = (run / "shards" / "index.json").exists
    with pytest.raises(Interrupted, match=r"stopped while counting pairs; go on with: streamvec resume"):
        sv.train_glove(text, run, stop=counted, threads=1, **OPTIONS)
    for left in (40, 30, -1):
        code = subprocess.run(
            [sys.executable, "-c", KILLED, str(run), str(left)], env=os.environ, check=False
        ).returncode
        assert code == (0 if left < 0 else -signal.SIGKILL)
        seen.append(sorted(path.name for path in (run / "checkpoints").glob("*-*"))[-1:])
    assert vectors_of(run) == vectors_of(whole), seen
    assert any(names and not names[0].endswith("-000000000") for names in seen), seen


@pytest.mark.parametrize("answer", ["word", "context", "both"])
def test_other_answers(text: Path, whole: Path, tmp_path: Path, answer: str) -> None:
    options = {name: value for name, value in OPTIONS.items() if name != "min_count"}  # the RUN's shards are used
    found = sv.train_glove(whole, tmp_path / "run", answer=answer, threads=2, **options)
    rows = records_of(whole, "0004-000000000")
    parts = {"word": rows[:, HEAD : HEAD + 20], "context": rows[:, HEAD + 32 : HEAD + 52]}
    expected = np.hstack([*parts.values()]) if answer == "both" else parts[answer]
    assert found.dim == expected.shape[1]
    assert all((found[name] == expected[number]).all() for number, name in enumerate(words_of(whole)))


@pytest.mark.parametrize(("answer", "size"), [("sum", 1), ("sum", 60), ("word", 30), ("context", 1), ("both", 30)])
def test_vectors_are_what_words_begin_with(
    text: Path, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: str, size: int
) -> None:
    """Those of *size* times the length are far from the truth, which is no divergence."""
    given = sv.KeyedVectors.load(whole)
    kept = [word for word in words_of(whole) if word not in ("king", "river")]
    rows = np.stack([given[word] for word in kept]) * np.float32(size)
    export_vectors(sv.KeyedVectors.from_arrays(kept, rows), tmp_path / "v.bin")
    options = {name: value for name, value in OPTIONS.items() if name != "dim"} | {"answer": answer, "threads": 2}
    run, notes = tmp_path / "run", Notes()

    def halt(model: Any, batches: Any, position: Position, *rest: Any) -> None:
        assert position == Position(0, 0)
        begun.append(model.vectors(0, model.words))
        raise Interrupted("halt")

    begun: list[np.ndarray] = []
    with monkeypatch.context() as patch, pytest.raises(Interrupted):
        patch.setattr(loop, "train", halt)
        sv.train_glove(text, run, vectors=tmp_path / "v.bin", report=notes, **options)
    names = words_of(run)
    twice = 2 if answer == "both" else 1
    found = dict(zip(names, begun[0], strict=True))
    near = 1e-6 * size if answer != "both" else 1 / 20  # the second of both differs by what it began with at random
    for word, row in zip(kept, rows, strict=True):
        np.testing.assert_allclose(found[word], np.tile(row, twice), atol=near)
    assert all(0 < np.abs(found[word]).max() <= 1 / 20 for word in ("king", "river"))
    assert f"{len(kept)} of {len(names)} words found in" in " ".join(notes.said)
    saved = records_of(run, "0000-000000000")[names.index("the")]
    share = rows[kept.index("the")] / (2 if answer == "sum" else 1)
    word, context = saved[HEAD : HEAD + 20], saved[HEAD + 32 : HEAD + 52]
    for part in (word, context):
        np.testing.assert_allclose(part, share, atol=1 / 20)
    assert (word != context).all()  # alike, they would stay so
    calls = itertools.count()
    with pytest.raises(Interrupted, match="stopped in epoch"):
        sv.resume(run, threads=2, stop=lambda: next(calls) == 30)
    resumed = sv.resume(run, threads=2)
    assert resumed.dim == 20 * twice
    sv.train_glove(text, tmp_path / "again", vectors=tmp_path / "v.bin", **options | {"threads": 1})
    assert vectors_of(run) == vectors_of(tmp_path / "again")


def test_a_learning_rate_beyond_reason_is_refused(text: Path, tmp_path: Path) -> None:
    with pytest.raises(
        StreamvecError,
        match=r"training diverged in epoch 1, batch \d+: the loss is (nan|inf).* lower --learning-rate, such as 4e\+24",
    ):
        sv.train_glove(text, tmp_path / "run", threads=1, **OPTIONS | {"learning_rate": 1e25})
    assert not (tmp_path / "run/vectors.arrow").exists()


def test_numbers_that_are_not_finite_are_never_saved(
    text: Path, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, step, calls = tmp_path / "run", training.Glove.step, itertools.count()

    def broken(model: Any, batch: Any, position: Position) -> Any:
        result = step(model, batch, position)
        if next(calls) == 12:
            model.arrays["records"][-1] = np.nan
        return result

    with (
        monkeypatch.context() as patch,
        pytest.raises(
            StreamvecError,
            match=r"training diverged in epoch 1, batch \d+: array 'records' holds numbers that are not finite",
        ),
    ):
        patch.setattr(training.Glove, "step", broken)
        sv.train_glove(text, run, threads=1, checkpoint_batches=5, **OPTIONS)
    assert (run / "checkpoints/0000-000000010").exists() and not (run / "checkpoints/0000-000000015").exists()
    sv.resume(run, threads=1)
    assert vectors_of(run) == vectors_of(whole)


@pytest.mark.parametrize("options", [{"window": 1}, {"weighting": "flat"}])
def test_pairs_that_all_come_once_are_trained_on(tmp_path: Path, options: dict[str, Any]) -> None:
    path = tmp_path / "text.txt"
    path.write_text("\n".join(" ".join(f"w{5 * line + n}" for n in range(5)) for line in range(80)) + "\n")
    vectors = sv.train_glove(path, tmp_path / "run", min_count=1, dim=8, epochs=3, threads=1, **options)
    assert len(vectors) == 400


def test_cooccurrences_that_are_damaged_or_gone_are_named_and_counted_again(
    text: Path, whole: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    folder = run / "cooccurrences"
    with pytest.raises(Interrupted, match="stopped in epoch"):
        sv.train_glove(text, run, stop=lambda: (run / "metrics.jsonl").exists(), threads=1, **OPTIONS)
    path = max(folder.glob("*.arrow"), key=lambda path: path.stat().st_size)
    content = path.read_bytes()
    path.write_bytes(content[:400] + bytes([content[400] ^ 1]) + content[401:])
    with pytest.raises(StreamvecError, match=f"{path.name}: damaged"):
        sv.resume(run, threads=1)
    for each in folder.iterdir():
        each.unlink()
    folder.rmdir()
    sv.resume(run, threads=1)
    assert vectors_of(run) == vectors_of(whole)


@pytest.mark.parametrize(
    ("option", "said"),
    [
        (("--x-max", "0"), "x_max must be above 0 and at most 1e+30, got 0.0"),
        (("--alpha", "-1"), "alpha must be at least 0 and at most 100, got -1.0"),
        (("--answer", "foo"), "'foo' is not one of 'sum', 'word', 'context', 'both'"),
        (("--xmax", "3"), "Did you mean '--x-max'?"),
    ],
)
def test_wrong_options_are_wrong_usage(option: tuple[str, str], said: str, text: Path, streamvec: Command) -> None:
    ended = streamvec("train", "glove", text, "--out", text.parent / "never", *option)
    assert ended.returncode == 2 and said in ended.stderr and ended.stderr.count("\n") == 1
    assert not (text.parent / "never").exists()
