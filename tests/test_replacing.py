"""A RUN in place of another: the earlier one is kept until the new one is finished, and nothing else is touched."""

import shutil
from pathlib import Path

import pytest
from killing import promised
from run_states import OPTIONS

import streamvec as sv
from streamvec.errors import Interrupted, StreamvecError


def test_an_overwrite_that_was_killed_goes_on_and_forgets_the_earlier_run(
    long_text: Path, long_run: Path, tmp_path: Path
) -> None:
    run, aside = tmp_path / "run", Path(shutil.copytree(long_run, tmp_path / "run.replaced"))
    with pytest.raises(StreamvecError, match=r"kept from an --overwrite that was killed: give --overwrite again"):
        sv.train_skipgram(long_text, run, **OPTIONS)
    run.mkdir()
    (run / "lock").touch()
    with pytest.raises(StreamvecError, match="no word occurs"):  # fails with nothing: the earlier one comes back
        sv.train_skipgram(long_text, run, overwrite=True, **{**OPTIONS, "min_count": 10**6})
    assert promised(run) == promised(long_run) and not aside.exists()
    run.rename(aside)
    with pytest.raises(Interrupted):
        sv.train_skipgram(long_text, run, overwrite=True, stop=lambda: True, **OPTIONS)
    shutil.copytree(long_run, aside, dirs_exist_ok=True)  # as a kill would leave it
    (aside / "mine.txt").touch()
    sv.resume(run)
    assert aside.exists()  # what is not a RUN's is never removed
    (aside / "mine.txt").unlink()
    sv.resume(run)
    assert not aside.exists() and (run / "vectors.arrow").read_bytes() == (long_run / "vectors.arrow").read_bytes()


def test_what_a_kill_left_half_written_goes_and_nothing_else(run_copy: Path) -> None:
    left = [
        "vectors.arrow.partial",
        "shards/00009.arrow.partial",
        "checkpoints/0009-000000000.partial/arrays.safetensors",
    ]
    left += ["phrases.removed.partial/ids/00000.arrow"]
    for name in [*left, "mine.partial"]:
        (run_copy / name).parent.mkdir(parents=True, exist_ok=True)
        (run_copy / name).write_bytes(b"half")
    sv.resume(run_copy)
    assert [path.name for path in run_copy.rglob("*.partial")] == ["mine.partial"]


def test_a_stop_of_an_overwrite_keeps_the_earlier_run(corpus: Path, run_copy: Path) -> None:
    """Whoever stops it may have seen a mistake."""
    earlier = (run_copy / "vectors.arrow").read_bytes()
    aside = run_copy.with_name("run.replaced")
    with pytest.raises(Interrupted, match="go on with: streamvec resume"):
        sv.train_skipgram(corpus, run_copy, overwrite=True, stop=lambda: (run_copy / "counting").exists(), **OPTIONS)
    assert (aside / "vectors.arrow").read_bytes() == earlier
    sv.resume(run_copy)
    assert not aside.exists() and (run_copy / "vectors.arrow").read_bytes() != earlier


def test_an_overwrite_of_one_that_was_stopped_keeps_what_is_finished(corpus: Path, run_copy: Path) -> None:
    """As after a second look at the options."""
    earlier, aside = (run_copy / "vectors.arrow").read_bytes(), run_copy.with_name("run.replaced")
    for seed in (7, 8):
        with pytest.raises(Interrupted):
            stop = (run_copy / "counting").exists
            sv.train_skipgram(corpus, run_copy, overwrite=True, stop=stop, seed=seed, **OPTIONS)
        assert (aside / "vectors.arrow").read_bytes() == earlier
    sv.train_skipgram(corpus, run_copy, overwrite=True, seed=9, **OPTIONS)
    newer = (run_copy / "vectors.arrow").read_bytes()
    assert not aside.exists() and newer != earlier
    shutil.copytree(run_copy, aside)  # as a kill leaves it between the end of a training and the removal
    with pytest.raises(Interrupted):
        sv.train_skipgram(corpus, run_copy, overwrite=True, stop=(run_copy / "counting").exists, **OPTIONS)
    assert (aside / "vectors.arrow").read_bytes() == newer


def test_a_folder_that_is_called_as_a_replaced_run_is_left_alone(corpus: Path, run_copy: Path) -> None:
    notes = run_copy.with_name("run.replaced") / "notes.txt"
    notes.parent.mkdir()
    notes.write_text("mine")
    with pytest.raises(StreamvecError, match=r"run\.replaced: is there, and no RUN"):
        sv.train_skipgram(corpus, run_copy, overwrite=True, **OPTIONS)
    shutil.rmtree(run_copy)
    sv.train_skipgram(corpus, run_copy, overwrite=True, **OPTIONS)
    assert notes.read_text() == "mine"


def test_a_run_here_or_where_a_link_leads(corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("here", "there"):
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path / "here")
    sv.train_skipgram(corpus, ".", **OPTIONS)
    (tmp_path / "link").symlink_to("there/run")
    for overwrite in (False, True):
        sv.train_skipgram(corpus, tmp_path / "link", overwrite=overwrite, **OPTIONS)
        assert (tmp_path / "link").is_symlink()
        assert (tmp_path / "there/run/vectors.arrow").read_bytes() == Path("vectors.arrow").read_bytes()
    assert [one.name for one in (tmp_path / "there").iterdir()] == ["run"]
