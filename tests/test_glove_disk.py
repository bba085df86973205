"""A disk that is full while pairs are counted or written: one clear line, nothing half-written, and on it goes."""

from pathlib import Path
from typing import Any

import pytest
from conftest import only
from glove_runs import OPTIONS, damaged
from starting import Notes

import streamvec as sv
from streamvec.errors import StreamvecError
from streamvec.training.progress import Progress

pytestmark = pytest.mark.usefixtures("small_glove_parts")


@pytest.mark.parametrize("stage", ["cooccurrences", "blocks"])
@pytest.mark.parametrize("room", [0, 20_000, 100_000])
def test_a_full_disk_while_pairs_are_counted_or_written(
    stage: str, room: int, glove_run: Path, glove_text: Path, small_disk: Path
) -> None:
    run, seen = small_disk / "run", 0
    filled: list[Any] = []

    class Filling(Notes):
        def progress(self, progress: Progress) -> None:
            nonlocal seen
            seen += progress.stage == stage
            if progress.stage == stage and seen == 3:
                filled.append(only(small_disk, room))
                filled[0].__enter__()

    try:
        with pytest.raises(StreamvecError, match=r"disk/run/cooc.*: no space left on the disk: free some") as problem:
            sv.train_glove(glove_text, run, report=Filling(), **OPTIONS)
        assert "\n" not in str(problem.value)
        assert not damaged(run) and not list(run.rglob("*.partial"))
    finally:
        filled[0].__exit__(None, None, None)
    sv.resume(run, threads=1)
    assert (run / "vectors.arrow").read_bytes() == (glove_run / "vectors.arrow").read_bytes()
