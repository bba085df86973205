"""What tests of RUNs of kind glove share: many small parts of a little text, a stop at any stage, and damage."""

import contextlib
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from starting import Notes

import streamvec as sv
from streamvec.corpus import pairruns, shardwriter
from streamvec.errors import Interrupted
from streamvec.training.checking import DAMAGED, Checked
from streamvec.training.progress import Progress
from streamvec.training.verify import verify

OPTIONS: dict[str, Any] = {"dim": 8, "window": 4, "min_count": 2, "epochs": 3, "threads": 2}


@contextlib.contextmanager
def small_parts() -> Iterator[None]:
    """Record batches, tables and groups of runs so small that a little text has many."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shardwriter, "BATCH_TOKENS", 2000)
        patch.setattr(pairruns, "_FEWEST_SLOTS", 4000)
        patch.setattr(pairruns.PairCounter, "__init__", _small(pairruns.PairCounter.__init__))
        yield


def _small(begin: Callable[..., None]) -> Callable[..., None]:
    return lambda counter, _, next_run: begin(counter, 1, next_run)


def stopped(source: Path, run: Path, stage: str, reports: int, **options: Any) -> Path:
    """Trains on *source* until a stage has reported so often."""
    seen = 0

    class Counting(Notes):
        def progress(self, progress: Progress) -> None:
            nonlocal seen
            seen += progress.stage == stage

    with pytest.raises(Interrupted, match="go on with: streamvec resume"):
        sv.train_glove(source, run, report=Counting(), stop=lambda: seen >= reports, **{**OPTIONS, **options})
    return run


def states(path: Path) -> dict[str, Checked]:
    return {str(file.path.relative_to(path)): file for file in verify(path)}


def damaged(path: Path) -> dict[str, str]:
    return {name: file.what for name, file in states(path).items() if file.state == DAMAGED}


def copied(run: Path, folder: Path) -> Path:
    return Path(shutil.copytree(run, folder / "run"))


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 4
    path.write_bytes(content)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def unfinish(run: Path) -> Path:
    """A finished RUN as it is before its first checkpoint."""
    (run / "vectors.arrow").unlink()
    shutil.rmtree(run / "checkpoints", ignore_errors=True)
    return run
