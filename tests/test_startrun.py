"""Going on from a RUN: what is taken over, what is refused, and the same bytes after a stop at any time."""

import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from starting import FIRST, NEW, OLD, rows_of, words_of

import streamvec as sv
from streamvec.corpus.vocabulary import Vocabulary, word_bytes
from streamvec.disk.sealed import read_json
from streamvec.disk.tensors import Tensors
from streamvec.errors import Interrupted, StreamvecError
from streamvec.models.subwords import ngrams_of
from streamvec.models.wordconfig import SkipGramConfig
from streamvec.training.checkpoint import ARRAYS
from streamvec.training.plan import plan_training
from streamvec.training.startrun import _rows


@pytest.fixture(scope="module")
def expected(old_and_new: tuple[Path, Path], old_run: Path, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    run = tmp_path_factory.mktemp("new") / "run"
    sv.train_skipgram(old_and_new[1], run, start_from=old_run, **NEW)
    return (run / "vectors.arrow").read_bytes()


def test_old_words_keep_their_rows_and_new_ones_begin_as_ever(
    old_and_new: tuple[Path, Path], old_run: Path, tmp_path: Path, begun: Any
) -> None:
    notes = begun(old_and_new[1], tmp_path / "new", start_from=old_run, **NEW)
    before = sv.KeyedVectors.load(old_run)
    for name in ("inputs", "outputs"):
        last, now = (
            rows_of(run, at, name) for run, at in ((old_run, "checkpoints/0003-000000000"), (tmp_path / "new", FIRST))
        )
        new = set(now) - set(last)
        assert set(last) < set(now) and new == {"trout", "steamer", "castle"}
        for word, row in last.items():
            assert (now[word] == row).all() and row.any()
            assert name == "outputs" or (before[word] == row).all()
        for word in new:
            assert now[word].any() == (name == "inputs") and np.abs(now[word]).max() <= 0.5 / 40
    assert f"{len(last)} words begin with their rows of {old_run}, 3 are new" in notes.said


def test_a_word_that_is_not_in_the_new_text_keeps_its_vector(
    old_and_new: tuple[Path, Path], old_run: Path, tmp_path: Path
) -> None:
    before, now = (
        sv.KeyedVectors.load(old_run),
        sv.train_skipgram(old_and_new[1], tmp_path / "new", start_from=old_run, **NEW),
    )
    for word in ("fish", "boat", "palace"):
        assert (before[word] == now[word]).all()
    assert (before["river"] != now["river"]).all()
    assert now.dim == 40
    counts = [
        dict(zip(words_of(run), Vocabulary.load(run / "vocabulary.arrow").counts.tolist(), strict=True))
        for run in (old_run, tmp_path / "new")
    ]
    text = old_and_new[1].read_text().split()
    assert counts[1]["fish"] == counts[0]["fish"] and counts[1]["trout"] == text.count("trout")
    assert counts[1]["river"] == counts[0]["river"] + text.count("river")
    assert all(
        other.rstrip() in ("river", "lake", "water", "shore", "stream", "bridge", "steamer")
        for other, _ in now.most_similar("trout", topn=4)
    )


@pytest.mark.parametrize("options", [{"threads": 2}, {"memory": 3_000_000_000}, {"checkpoint_batches": 1}])
def test_the_same_bytes_whatever_the_machine_spends(
    old_and_new: tuple[Path, Path], old_run: Path, expected: bytes, tmp_path: Path, options: dict[str, Any]
) -> None:
    sv.train_skipgram(old_and_new[1], tmp_path / "new", start_from=old_run, **NEW | options)
    assert (tmp_path / "new" / "vectors.arrow").read_bytes() == expected


@pytest.mark.parametrize("stage", ["run.json", "vocabulary.arrow", "shards/index.json", "checkpoints/0000-000000000"])
def test_stopped_at_any_stage_it_goes_on_to_the_same_bytes(
    old_and_new: tuple[Path, Path], old_run: Path, expected: bytes, tmp_path: Path, stage: str
) -> None:
    before = tmp_path / "old"
    shutil.copytree(old_run, before)
    run = tmp_path / "new"
    with pytest.raises(Interrupted, match="go on with: streamvec resume"):
        sv.train_skipgram(old_and_new[1], run, start_from=before, stop=(run / stage).exists, **NEW)
    assert (run / "checkpoints").exists() == ("checkpoints" in stage)
    if "checkpoints" in stage:
        shutil.rmtree(before)  # not needed any more
    sv.resume(run, threads=2)
    assert (run / "vectors.arrow").read_bytes() == expected


def test_killed_at_random_moments_and_the_same_bytes(
    old_and_new: tuple[Path, Path], old_run: Path, expected: bytes, tmp_path: Path
) -> None:
    draw, run = random.Random(4), tmp_path / "new"
    main = [sys.executable, "-m", "streamvec_cli.main"]
    start = [
        "train",
        "skipgram",
        old_and_new[1],
        "--out",
        run,
        "--from",
        old_run,
        "--epochs",
        2,
        "--min-count",
        2,
        "--sample",
        0,
    ]
    for _ in range(4):
        arguments = ["resume", run] if (run / "run.json").exists() else start
        process = subprocess.Popen([*main, *map(str, arguments), "--threads", "2"], stderr=subprocess.DEVNULL)
        while not (run / "run.json").exists() and process.poll() is None:
            time.sleep(0.002)
        time.sleep(draw.uniform(0, 0.7))
        process.kill()
        assert process.wait() in (-signal.SIGKILL, 0)
    subprocess.run([*main, "resume", run], check=True, capture_output=True)
    assert (run / "vectors.arrow").read_bytes() == expected


@pytest.mark.parametrize("what", ["arrays", "vocabulary", "gone"])
def test_a_run_that_changes_before_the_first_checkpoint_is_refused(
    old_and_new: tuple[Path, Path], old_run: Path, tmp_path: Path, what: str
) -> None:
    before, run = tmp_path / "old", tmp_path / "new"
    shutil.copytree(old_run, before)
    with pytest.raises(Interrupted):
        sv.train_skipgram(old_and_new[1], run, start_from=before, stop=(run / "shards" / "index.json").exists, **NEW)
    shutil.rmtree(before)
    if what == "arrays":
        sv.train_skipgram(old_and_new[0], before, **OLD | {"seed": 2})
    elif what == "vocabulary":
        shutil.copytree(old_run, before)
        Vocabulary(*touched(old_run)).save(before / "vocabulary.arrow")
    message = (
        rf"until {run} has its first checkpoint it needs {before}" if what == "gone" else "changed since .*--overwrite"
    )
    with pytest.raises(StreamvecError, match=message):
        sv.resume(run)
    shutil.rmtree(before, ignore_errors=True)
    shutil.copytree(old_run, before)
    sv.resume(run)


def touched(run: Path) -> tuple[Any, ...]:
    vocabulary = Vocabulary.load(run / "vocabulary.arrow")
    return vocabulary.words, vocabulary.counts + 1, vocabulary.about


def test_the_best_epoch_of_patience_is_what_is_begun_from(
    old_and_new: tuple[Path, Path], tmp_path: Path, begun: Any
) -> None:
    patient = {"holdout": 0.2, "patience": 1, "epochs": 99, "learning_rate": 0.05, "final_learning_rate": 0.05}
    before = sv.train_skipgram(old_and_new[0], tmp_path / "old", **OLD | patient)
    begun(old_and_new[1], tmp_path / "new", start_from=tmp_path / "old", **NEW)
    now = rows_of(tmp_path / "new", FIRST, "inputs")
    best = read_json(tmp_path / "new" / "run.json")["start"]["checkpoint"]
    assert best.startswith("best/") and not (tmp_path / "old" / best.replace("best", "checkpoints")).exists()
    assert all((now[word] == before[word]).all() for word in before.words)


def test_max_vocab_leaves_old_words_out_and_says_so(
    old_and_new: tuple[Path, Path], old_run: Path, tmp_path: Path, begun: Any
) -> None:
    notes = begun(old_and_new[1], tmp_path / "new", start_from=old_run, **NEW | {"max_vocab": 20})
    assert len(words_of(tmp_path / "new")) == 20
    assert "3 words of" in " ".join(notes.said) and "left out by --max-vocab" in " ".join(notes.said)


@pytest.mark.parametrize(
    ("first", "second", "why"),
    [("hs", "hs", "another Huffman tree"), ("ns", "hs", "--objective ns"), ("hs", "ns", "--objective hs")],
)
def test_outputs_of_another_meaning_begin_at_zero(
    old_and_new: tuple[Path, Path], tmp_path: Path, begun: Any, first: str, second: str, why: str
) -> None:
    sv.train_skipgram(old_and_new[0], tmp_path / "old", **OLD | {"objective": first})
    notes = begun(old_and_new[1], tmp_path / "new", start_from=tmp_path / "old", **NEW | {"objective": second})
    assert any("output rows begin at zero" in said and why in said for said in notes.said)
    assert not any(row.any() for row in rows_of(tmp_path / "new", FIRST, "outputs").values())
    assert sv.resume(tmp_path / "new").dim == 40


@pytest.mark.parametrize(("first", "second"), [("ns", "softmax"), ("softmax", "hs"), ("softmax", "softmax")])
def test_rows_are_found_however_the_objective_lays_them_out(
    old_and_new: tuple[Path, Path], tmp_path: Path, begun: Any, first: str, second: str
) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    before = sv.train_skipgram(old_and_new[0], old, **OLD | {"objective": first, "epochs": 1})
    begun(old_and_new[1], new, start_from=old, **NEW | {"objective": second})
    with Tensors(new / FIRST / ARRAYS) as tensors:
        words = words_of(new)
        rows = {
            name: dict(
                zip(words, _rows(tensors, name, SkipGramConfig(dim=40, objective=second), 0, len(words)), strict=True)
            )
            for name in ("inputs", "outputs")
        }
    assert all((rows["inputs"][word] == before[word]).all() for word in before.words)
    assert any(row.any() for row in rows["outputs"].values()) == (first == second)


def test_a_chain_of_three_with_cbow(old_and_new: tuple[Path, Path], tmp_path: Path) -> None:
    sv.train_cbow(old_and_new[0], tmp_path / "one", **OLD)
    sv.train_cbow(old_and_new[1], tmp_path / "two", start_from=tmp_path / "one", **NEW)
    third = sv.train_cbow(old_and_new[0], tmp_path / "three", start_from=tmp_path / "two", **NEW)
    second = sv.KeyedVectors.load(tmp_path / "two")
    assert (third["trout"] == second["trout"]).all() and (third["fish"] != second["fish"]).any()
    assert third.info["kind"] == "cbow"
    plan = plan_training(old_and_new[1], kind="cbow", start_from=tmp_path / "one", min_count=2)
    assert plan.corpus["words"] == len(second) and plan.dim == 40


def test_tokens_are_those_of_the_run(old_and_new: tuple[Path, Path], tmp_path: Path) -> None:
    old_options = OLD | {"tokens": "regex", "token_pattern": "[a-m]+", "keep_case": True}
    sv.train_skipgram(old_and_new[0], tmp_path / "old", **old_options)
    sv.train_skipgram(old_and_new[1], tmp_path / "new", start_from=tmp_path / "old", **NEW)
    said = read_json(tmp_path / "new" / "run.json")
    assert said["text"] | {"min_count": 2} == read_json(tmp_path / "old" / "run.json")["text"]
    assert not any("z" in word for word in words_of(tmp_path / "new"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"dim": 100}, r"run: was made with dim=40, not 100: leave --dim out"),
        ({"keep_case": True}, r"run: was made with keep_case=False, not True: leave --keep-case out"),
        ({"tokens": "whitespace"}, r"made with tokens=words, not whitespace"),
        ({"subwords": "3-4"}, r"made with subwords=None, not 3-4: leave --subwords out"),
        ({"vectors": "any"}, r"cannot be given together"),
    ],
)
def test_options_that_do_not_go_with_the_run_are_refused(
    old_and_new: tuple[Path, Path], old_run: Path, tmp_path: Path, options: dict[str, Any], message: str
) -> None:
    with pytest.raises((StreamvecError, ValueError), match=message):
        sv.train_skipgram(old_and_new[1], tmp_path / "new", start_from=old_run, **NEW | options)
    assert not (tmp_path / "new").exists()


def test_what_cannot_be_begun_from_is_refused(old_and_new: tuple[Path, Path], old_run: Path, tmp_path: Path) -> None:
    def refused(
        message: str, start: Path, text: Path = old_and_new[1], out: Path | None = None, **options: Any
    ) -> None:
        with pytest.raises(StreamvecError, match=message):
            sv.train_skipgram(text, out or tmp_path / "new", start_from=start, **NEW | options)
        assert not (tmp_path / "new").exists()

    refused("no such folder", tmp_path / "nothing")
    refused("vectors alone are begun from with --vectors", old_run / "vectors.arrow")
    refused("numbered by its own vocabulary.*name the text itself", old_run, text=old_run)
    refused("lies in .*choose another --out", old_run, out=old_run, overwrite=True)
    with pytest.raises(StreamvecError, match=r"was trained by skipgram, not cbow.*--vectors"):
        sv.train_cbow(old_and_new[1], tmp_path / "new", start_from=old_run, **NEW)
    run = tmp_path / "copy"
    shutil.copytree(old_run, run)
    newest = run / "checkpoints" / "0003-000000000"
    newest.rename(newest.with_name(newest.name + ".damaged"))  # the one before is not what the vectors are
    shutil.copytree(newest.with_name(newest.name + ".damaged"), run / "checkpoints" / "0002-000000000")
    refused(f"checkpoint of its end is gone.*--vectors {run}", run)
    shutil.rmtree(run / "checkpoints")
    refused(f"checkpoint of its end is gone.*--vectors {run}", run)
    sv.train_skipgram(old_and_new[1], tmp_path / "other", vectors=run, **NEW)  # as advised
    (run / "vectors.arrow").unlink()
    refused("has not finished: streamvec resume", run)
    shutil.rmtree(run)
    shutil.copytree(old_run, run)
    arrays = run / "checkpoints" / "0003-000000000" / ARRAYS
    arrays.write_bytes(arrays.read_bytes()[:-1] + b"x")
    refused("arrays.safetensors: damaged", run)


def buckets_of(run: Path) -> list[int]:
    vocabulary, about = Vocabulary.load(run / "vocabulary.arrow"), read_json(run / "run.json")["config"]
    config = SkipGramConfig(subwords=about["subwords"], buckets=about["buckets"])
    found = ngrams_of(config, word_bytes(vocabulary.words))
    assert found is not None
    return found.buckets.tolist()


def ngram_rows(run: Path, position: str, dim: int = 40) -> dict[int, np.ndarray]:
    """The row of each bucket of n-grams in a checkpoint."""
    words, buckets = len(words_of(run)), buckets_of(run)
    with Tensors(run / position / ARRAYS) as tensors:
        rows = _rows(tensors, "inputs", SkipGramConfig(dim=dim), words, len(buckets))
    return dict(zip(buckets, rows, strict=True))


def test_ngrams_keep_their_rows_too(old_and_new: tuple[Path, Path], tmp_path: Path, begun: Any) -> None:
    old, run, last = tmp_path / "old", tmp_path / "new", "checkpoints/0003-000000000"
    sv.train_skipgram(old_and_new[0], old, **OLD | {"subwords": "3-4", "buckets": 3000})
    begun(old_and_new[1], run, start_from=old, **NEW)
    before, now = ngram_rows(old, last), ngram_rows(run, FIRST)
    assert set(before) < set(now) and all((now[bucket] == row).all() for bucket, row in before.items())
    assert all(row.any() for row in now.values())
    kept, first = rows_of(old, last, "inputs"), rows_of(run, FIRST, "inputs")
    assert all((first[word] == row).all() for word, row in kept.items())
    assert sv.resume(run).info["subwords"] == "3-4"
    sv.train_skipgram(old_and_new[1], tmp_path / "whole", start_from=old, **NEW | {"threads": 2})
    for name in ("vectors.arrow", "vectors.ngrams.arrow"):
        assert (run / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    with pytest.raises(StreamvecError, match=r"leave --subwords out, or go on from a RUN that has them with --from"):
        sv.train_skipgram(old_and_new[1], tmp_path / "other", vectors=old, **NEW | {"subwords": "3-4"})
