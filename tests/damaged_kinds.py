"""RUNs of every kind, small and with many files, finished and stopped in each stage: what damage is done to."""

import contextlib
import random
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import lm_runs
import task_runs
from glove_runs import small_parts
from test_tagging import tagged

import streamvec as sv
from streamvec.corpus import counting, encoding, pairpass, vocabularystage
from streamvec.corpus import prepare as preparing
from streamvec.corpus.shares import Shares
from streamvec.errors import Interrupted
from streamvec.training.progress import Progress
from streamvec.training.words import train_task
from streamvec.vectors.annbuild import build_index

SKIPGRAM: dict[str, Any] = {"dim": 8, "epochs": 2, "min_count": 2, "threads": 1, "checkpoint_batches": 2}
GLOVE: dict[str, Any] = {**SKIPGRAM, "window": 3}
LM: dict[str, Any] = {**lm_runs.SMALL, "epochs": 2, "report_gradients": True, "patience": 2, "checkpoint_batches": 9}
TASK: dict[str, Any] = {"dim": 4, "epochs": 2, "threads": 1, "batch": 16, "patience": 2, "checkpoint_batches": 2}
SIZES: dict[str, dict[str, Any]] = {
    "classifier": {},
    "tagger": {"hidden": 8, "char_hidden": 4, "char_dim": 4},
    "translator": {"hidden": 8},
}

Begin = Callable[..., Any]


class Stop:
    """A reporter that is the stop of the same training as well: *stage* has reported so often, or *files* are there."""

    def __init__(self, stage: str, reports: int = 1, files: Callable[[], int] = lambda: 0, many: int = 1) -> None:
        self._stage, self._left, self._files, self._many = stage, reports, files, many

    def progress(self, progress: Progress) -> None:
        self._left -= progress.stage == self._stage

    def note(self, text: str) -> None:
        pass

    def __call__(self) -> bool:
        return self._left <= 0 or self._files() >= self._many


@contextlib.contextmanager
def many_files() -> Iterator[None]:
    """Tables, record batches and shards so small that a little text has several of each, and records after each."""
    with small_parts(), contextlib.ExitStack() as patches:
        for where, name, value in (
            (preparing, "shares", lambda *_: Shares(20_000, 1)),
            (vocabularystage, "shares", lambda *_: Shares(20_000, 1)),
            (counting, "INTERVAL", 0.0),
            (pairpass, "INTERVAL", 0.0),
            (encoding, "SHARD_BATCHES", 4),
        ):
            patches.enter_context(mock.patch.object(where, name, value))
        yield


def text_in(folder: Path) -> Path:
    """30,000 tokens of some hundred words, and two that always stand together."""
    path, draw = folder / "text.txt", random.Random(1)
    lines = (" ".join(f"w{int(600 * draw.random() ** 3):x}" for _ in range(20)) for _ in range(1500))
    path.write_text("".join(f"{line} new york\n" for line in lines), encoding="utf-8")
    return path


def stopped(begin: Begin, run: Path, stop: Stop) -> Path:
    """What a training leaves that is stopped."""
    try:
        begin(run, report=stop, stop=stop)
    except Interrupted:
        return run
    raise AssertionError(f"{run.name} was never stopped")


def _words(folder: Path, **options: Any) -> Begin:
    text = text_in(folder)
    return lambda run, **how: sv.train_skipgram(text, run, **{**SKIPGRAM, **options}, **how)


def _piped(folder: Path) -> Begin:
    text = text_in(folder)

    def begin(run: Path, **how: Any) -> None:
        with text.open(encoding="utf-8") as stdin, mock.patch.object(sys, "stdin", stdin):
            sv.train_skipgram("-", run, **SKIPGRAM, **how)

    return begin


def _glove(folder: Path) -> Begin:
    text = text_in(folder)
    return lambda run, **how: sv.train_glove(text, run, **GLOVE, **how)


def _lm(folder: Path) -> Begin:
    for name, seed in (("text", 1), ("valid", 2)):
        (folder / name).write_text(lm_runs.text_of(60, seed), encoding="utf-8")
    return lambda run, **how: sv.train_lm(folder / "text", run, valid=folder / "valid", **LM, **how)


def _task(kind: str) -> Callable[[Path], Begin]:
    def made(folder: Path) -> Begin:
        task_runs.made(folder)
        (folder / "known.txt").write_text("good 1 2 3 4\noslo 4 3 2 1\nx 1 1 1 1\n", encoding="utf-8")
        train, valid = folder / "train.tsv", folder / "valid.tsv"
        if kind == "tagger":
            for number, path in enumerate((train, valid)):
                path.write_text(tagged(80 - 40 * number, number), encoding="utf-8")
        if kind == "translator":
            for path in (train, valid):
                path.write_text("".join(f"{text}\tnot {text}\n" for _, text in task_runs.reviews(80, 5)))
        more = {**SIZES[kind], "valid": valid, "vectors": folder / "known.txt", **TASK}
        return lambda run, **how: train_task(kind, train, run, **more, **how)

    return made


class Kind:
    """A RUN as damage is done to it: how it is made, and where it is stopped (None: nowhere)."""

    def __init__(self, make: Callable[[Path], Begin], stop: Callable[[Path], Stop] | None = None) -> None:
        self._make, self._stop = make, stop
        self.is_finished = stop is None

    def made(self, folder: Path) -> Path:
        """The RUN, in a folder of its own; deterministic."""
        folder.mkdir()
        with many_files():
            begin, run = self._make(folder), folder / "run"
            if self._stop is not None:
                return stopped(begin, run, self._stop(run))
            begin(run)
        with contextlib.suppress(ImportError):
            build_index(run / "vectors.arrow")
        return run


def _training(run: Path) -> Stop:
    return Stop("", files=lambda: len([*(run / "checkpoints").glob("[0-9]*")]), many=2)


KINDS = {
    "skipgram": Kind(lambda folder: _words(folder, subwords="3-4", buckets=50)),
    "skipgram counting": Kind(_piped, lambda run: Stop("counting", 4)),
    "skipgram phrases": Kind(
        lambda folder: _words(folder, phrases=2),
        lambda run: Stop("", files=lambda: (run / "phrases" / "joins-1.arrow").exists()),
    ),
    "skipgram encoding": Kind(_piped, lambda run: Stop("encoding", 2)),
    "skipgram training": Kind(lambda folder: _words(folder, subwords="3-4", buckets=50), _training),
    "glove": Kind(_glove),
    "glove counting pairs": Kind(_glove, lambda run: Stop("cooccurrences", 5)),
    "glove writing pairs": Kind(_glove, lambda run: Stop("blocks", 2)),
    "glove training": Kind(_glove, _training),
    "lm": Kind(_lm),
    "lm training": Kind(_lm, _training),
    "classifier": Kind(_task("classifier")),
    "classifier reading": Kind(_task("classifier"), lambda run: Stop("numbering", 1)),
    "classifier training": Kind(_task("classifier"), _training),
    "tagger": Kind(_task("tagger")),
    "tagger training": Kind(_task("tagger"), _training),
    "translator": Kind(_task("translator")),
    "translator training": Kind(_task("translator"), _training),
}


def copied(run: Path, place: Path) -> Path:
    """A copy to damage, always at the same *place*: paths stand in what is written."""
    shutil.rmtree(place, ignore_errors=True)
    return Path(shutil.copytree(run, place))
