"""What a training takes of a RUN of kind glove, and when pairs are counted anew."""

import shutil
from pathlib import Path
from typing import Any

import pytest
from glove_runs import OPTIONS, cut, damaged, flip
from starting import Notes

import streamvec as sv
from streamvec.errors import StreamvecError
from streamvec.training.info import info

pytestmark = pytest.mark.usefixtures("small_glove_parts")


def test_another_x_max_takes_the_cooccurrences_that_are_there(
    glove_run: Path, glove_text: Path, tmp_path: Path
) -> None:
    notes = Notes()
    sv.train_glove(glove_run, tmp_path / "taken", report=notes, **OPTIONS, x_max=3.0)
    assert len([note for note in notes.said if "co-occurrences are taken from" in note]) == 1
    assert not [note for note in notes.said if "co-occurrences of" in note]
    names = [path.name for path in (glove_run / "cooccurrences").iterdir()]
    for name in names:
        assert (tmp_path / "taken/cooccurrences" / name).samefile(glove_run / "cooccurrences" / name)
    sv.train_glove(glove_text, tmp_path / "anew", **OPTIONS, x_max=3.0)
    assert (tmp_path / "taken/vectors.arrow").read_bytes() == (tmp_path / "anew/vectors.arrow").read_bytes()
    assert not damaged(tmp_path / "taken")


@pytest.mark.parametrize("option", [{"window": 3}, {"sides": "left"}, {"weighting": "flat"}])
def test_pairs_that_count_otherwise_are_counted_anew(
    option: dict[str, Any], glove_run: Path, glove_text: Path, tmp_path: Path
) -> None:
    notes, ((name, _),) = Notes(), option.items()
    sv.train_glove(glove_run, tmp_path / "run", report=notes, **{**OPTIONS, **option})
    assert [note for note in notes.said if f"are others ({name}=" in note and "counted anew" in note]
    sv.train_glove(glove_text, tmp_path / "anew", **{**OPTIONS, **option})
    assert (tmp_path / "run/vectors.arrow").read_bytes() == (tmp_path / "anew/vectors.arrow").read_bytes()


def test_a_run_that_has_none_or_damaged_ones(glove_run: Path, glove_text: Path, tmp_path: Path) -> None:
    sv.train_skipgram(glove_text, tmp_path / "skipgram", dim=8, min_count=2, epochs=1)
    sv.train_glove(tmp_path / "skipgram", tmp_path / "second", **OPTIONS)
    assert (tmp_path / "second/vectors.arrow").read_bytes() == (glove_run / "vectors.arrow").read_bytes()
    sv.train_skipgram(glove_run, tmp_path / "third", dim=8, epochs=1)
    assert not (tmp_path / "third/cooccurrences").exists()

    short, notes = Path(shutil.copytree(glove_run, tmp_path / "short")), Notes()
    cut(short / "cooccurrences/00001.arrow")
    sv.train_glove(short, tmp_path / "fourth", report=notes, **OPTIONS)
    assert [note for note in notes.said if "cannot be taken, pairs are counted anew" in note]
    assert (tmp_path / "fourth/vectors.arrow").read_bytes() == (glove_run / "vectors.arrow").read_bytes()

    # Damage that is noticed when it is read: the advice must not take it again.
    hurt = Path(shutil.copytree(glove_run, tmp_path / "hurt"))
    flip(hurt / "cooccurrences/00001.arrow")
    with pytest.raises(StreamvecError, match=f"remove the folder {tmp_path}/fifth/cooccurrences, and streamvec resume"):
        sv.train_glove(hurt, tmp_path / "fifth", **OPTIONS)
    shutil.rmtree(tmp_path / "fifth/cooccurrences")
    sv.resume(tmp_path / "fifth")
    assert (tmp_path / "fifth/vectors.arrow").read_bytes() == (glove_run / "vectors.arrow").read_bytes()


def test_from_of_a_glove_run_says_what_can_be_done(glove_run: Path, glove_text: Path, tmp_path: Path) -> None:
    with pytest.raises(StreamvecError, match=r"trained by glove, .* take its vectors alone: --vectors"):
        sv.train_skipgram(glove_text, tmp_path / "run", start_from=glove_run)
    sv.train_skipgram(glove_text, tmp_path / "run", vectors=glove_run, epochs=1, min_count=2)
    assert info(tmp_path / "run")["start"]["what"] == "vectors"
