"""A RUN of kind glove in every state it can be in: verify, info, what another RUN takes of it, and how it goes on."""

import random
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import Command, only
from starting import Notes

import streamvec as sv
from streamvec.corpus import pairpass, pairruns, runfiles, shardwriter
from streamvec.disk.files import read_json, write_json
from streamvec.errors import Interrupted, StreamvecError
from streamvec.training.checking import DAMAGED, NO_CHECKSUM, OK, UNFINISHED, Checked
from streamvec.training.info import info
from streamvec.training.progress import Progress
from streamvec.training.verify import verify

OPTIONS: dict[str, Any] = {"dim": 8, "window": 4, "min_count": 2, "epochs": 3, "threads": 2}
WHILE_COUNTED = ("cooccurrences/runs/record.json", "cooccurrences/runs/run-*.arrow")
WHILE_WRITTEN = ("cooccurrences/record.json", "cooccurrences/00001.arrow", *WHILE_COUNTED)
FINISHED = ("cooccurrences/index.json", "cooccurrences/00001.arrow")


@pytest.fixture(scope="module", autouse=True)
def small_parts() -> Iterator[None]:
    """Record batches, tables and groups of runs so small that a little text has many."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shardwriter, "BATCH_TOKENS", 2000)
        patch.setattr(pairruns, "_FEWEST_SLOTS", 4000)
        patch.setattr(pairruns.PairCounter, "__init__", _small(pairruns.PairCounter.__init__))
        yield


def _small(begin: Callable[..., None]) -> Callable[..., None]:
    return lambda counter, _, next_run: begin(counter, 1, next_run)


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """60,000 tokens of 300 words."""
    path = tmp_path_factory.mktemp("glove") / "text.txt"
    draw = random.Random(1)
    path.write_text("\n".join(" ".join(f"w{int(300 * draw.random() ** 2)}" for _ in range(20)) for _ in range(3000)))
    return path


@pytest.fixture(scope="module")
def whole(text: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished RUN; not to be changed."""
    run = tmp_path_factory.mktemp("whole") / "run"
    sv.train_glove(text, run, **OPTIONS)
    return run


@pytest.fixture(scope="module")
def counted(text: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A RUN that was stopped while pairs were counted; not to be changed."""
    return stopped(text, tmp_path_factory.mktemp("counted") / "run", "cooccurrences", 12)


@pytest.fixture(scope="module")
def written(text: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A RUN that was stopped while files were written; not to be changed."""
    return stopped(text, tmp_path_factory.mktemp("written") / "run", "blocks", 3)


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


def found_in(run: Path, pattern: str) -> str:
    """The first file of a RUN with such a name."""
    return str(sorted(run.glob(pattern))[0].relative_to(run))


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


def test_every_file_of_a_finished_run_is_read_and_whole(whole: Path) -> None:
    found = states(whole)
    files = {str(path.relative_to(whole)) for path in whole.rglob("*") if path.is_file()}
    assert set(found) == files - {"lock"} and {"cooccurrences/index.json", "cooccurrences/00001.arrow"} <= files
    assert {name for name, file in found.items() if file.state != OK} == {"metrics.jsonl"}


def test_work_that_was_stopped_is_whole_and_what_is_missing_is_said(counted: Path, written: Path) -> None:
    for run, names in ((counted, WHILE_COUNTED), (written, WHILE_WRITTEN)):
        found = states(run)
        assert {found[found_in(run, name)].state for name in names} == {OK}
        assert {name for name, file in found.items() if file.state == UNFINISHED} >= {
            "cooccurrences/index.json",
            "vectors.arrow",
        }
        assert not damaged(run)


@pytest.mark.parametrize("hurt", [flip, cut])
@pytest.mark.parametrize(
    ("state", "name"),
    [
        *(("counted", name) for name in WHILE_COUNTED),
        *(("written", name) for name in WHILE_WRITTEN),
        *(("whole", name) for name in FINISHED),
    ],
)
def test_damage_is_named_and_its_advice_works(
    state: str, name: str, hurt: Callable[[Path], None], whole: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    run = copied(request.getfixturevalue(state), tmp_path)
    name = found_in(run, name)
    if state == "whole":
        unfinish(run)
    hurt(run / name)
    advice = f"remove the folder {run / 'cooccurrences'}, and streamvec resume {run} counts the pairs again"
    (found,) = damaged(run).items()
    assert found[0] == name and found[1].endswith(advice)
    with pytest.raises(StreamvecError) as problem:
        sv.resume(run)
    assert str(run / name) in str(problem.value) and str(problem.value).endswith(advice)
    shutil.rmtree(run / "cooccurrences")
    assert not damaged(run)
    sv.resume(run)
    assert (run / "vectors.arrow").read_bytes() == (whole / "vectors.arrow").read_bytes()
    assert states(run)["cooccurrences/index.json"].state == OK


def test_missing_files_are_named(whole: Path, written: Path, tmp_path: Path) -> None:
    run = unfinish(copied(whole, tmp_path))
    (run / "cooccurrences/00001.arrow").unlink()
    assert list(damaged(run)) == ["cooccurrences/00001.arrow"]
    with pytest.raises(
        StreamvecError, match=r"00001\.arrow: no such file or folder: remove the folder .*cooccurrences"
    ):
        sv.resume(run)
    shutil.copy(whole / "cooccurrences/00001.arrow", run / "cooccurrences")
    (run / "cooccurrences/index.json").unlink()
    assert list(damaged(run)) == ["cooccurrences/index.json"]
    other = Path(shutil.copytree(written, tmp_path / "other"))
    name = found_in(other, WHILE_COUNTED[1])
    (other / name).unlink()
    assert list(damaged(other)) == [name]


def test_after_its_last_checkpoint_only_vectors_are_written(whole: Path, tmp_path: Path) -> None:
    run = copied(whole, tmp_path)
    (run / "vectors.arrow").unlink()
    shutil.rmtree(run / "cooccurrences")
    sv.resume(run)
    assert (run / "vectors.arrow").read_bytes() == (whole / "vectors.arrow").read_bytes()
    assert not (run / "cooccurrences").exists()


def test_a_finished_run_does_not_need_its_cooccurrences(whole: Path, tmp_path: Path, streamvec: Command) -> None:
    run = copied(whole, tmp_path)
    flip(run / "cooccurrences/00001.arrow")
    assert damaged(run)["cooccurrences/00001.arrow"].endswith(
        f"the vectors are finished and do not need it: remove the folder {run / 'cooccurrences'}"
    )
    shutil.rmtree(run / "cooccurrences")
    assert states(run)["cooccurrences"].state == UNFINISHED and not damaged(run)
    assert streamvec("verify", run).returncode == 0
    said = info(run)
    assert (said["stage"], said["progress"], said["checkpoints"][0]["progress"]) == ("finished", 1.0, 1.0)


def test_what_no_record_names_is_not_needed(counted: Path, written: Path, whole: Path, tmp_path: Path) -> None:
    run = copied(written, tmp_path)
    (run / "cooccurrences/00003.arrow.partial").write_bytes(b"half")
    shutil.copy(whole / "cooccurrences/00001.arrow", run / "cooccurrences/00099.arrow")
    shutil.copy(run / found_in(run, WHILE_COUNTED[1]), run / "cooccurrences/runs/run-999999.arrow")
    added = ("00003.arrow.partial", "00099.arrow", "runs/run-999999.arrow")
    found = states(run)
    assert {found[f"cooccurrences/{name}"].state for name in added} == {UNFINISHED}
    sv.resume(run)
    assert (run / "vectors.arrow").read_bytes() == (whole / "vectors.arrow").read_bytes()
    assert not [name for name in added if (run / "cooccurrences" / name).exists()] and not damaged(run)

    late = unfinish(Path(shutil.copytree(whole, tmp_path / "late")))  # killed before runs were removed
    shutil.copytree(counted / "cooccurrences/runs", late / "cooccurrences/runs")
    assert states(late)["cooccurrences/runs"].state == UNFINISHED and not damaged(late)


def test_parts_by_themselves(whole: Path, counted: Path, written: Path, tmp_path: Path) -> None:
    names = [path.name for path in sorted((whole / "cooccurrences").iterdir())]
    assert {name: file.state for name, file in states(whole / "cooccurrences").items()} == dict.fromkeys(names, OK)
    assert states(written / "cooccurrences")["index.json"].state == UNFINISHED
    assert {file.state for file in states(counted / "cooccurrences/runs").values()} == {OK}
    moved = Path(shutil.copytree(whole / "cooccurrences", tmp_path / "elsewhere"))
    assert {file.state for file in states(moved).values()} == {OK}
    assert [file.state for file in verify(moved / "00001.arrow")] == [OK]
    flip(moved / "00001.arrow")
    assert list(damaged(moved)) == ["00001.arrow"]
    (found,) = verify(moved / "00001.arrow")
    assert found.state == DAMAGED and f"remove the folder {moved}" in found.what


def test_cooccurrences_of_another_vocabulary_are_found(whole: Path, text: Path, tmp_path: Path) -> None:
    sv.train_glove(text, tmp_path / "other", **{**OPTIONS, "max_vocab": 100, "epochs": 1})
    run = copied(whole, tmp_path)
    shutil.rmtree(run / "cooccurrences")
    shutil.copytree(tmp_path / "other/cooccurrences", run / "cooccurrences")
    assert "another vocabulary" in damaged(run)["cooccurrences/index.json"]


def test_a_run_that_began_from_cooccurrences_has_no_shards(whole: Path, tmp_path: Path, streamvec: Command) -> None:
    run = unfinish(copied(whole, tmp_path))
    about = read_json(run / "run.json")
    pairs = {"path": "cooccurrence.bin", "kind": "cooccurrences", "compression": "", "size": 1600}
    write_json(run / "run.json", {**about, "inputs": [pairs]})
    shutil.rmtree(run / "shards")
    (run / "prepared.json").unlink()
    found = states(run)
    assert {name for name, file in found.items() if file.state not in (OK, NO_CHECKSUM)} == {"vectors.arrow"}
    assert info(run)["stage"] == "training" and "entries" in info(run)["cooccurrences"]
    flip(run / "cooccurrences/00001.arrow")
    assert "takes the pairs from cooccurrence.bin again" in damaged(run)["cooccurrences/00001.arrow"]
    shutil.rmtree(run / "cooccurrences")
    assert not damaged(run) and info(run)["stage"] == "cooccurrences"
    assert "cooccurrence.bin (cooccurrences, 1,600 bytes)" in streamvec("info", run).stdout
    (run / "vocabulary.arrow").unlink()
    assert not damaged(run) and info(run)["stage"] == "cooccurrences"


def test_info_of_every_stage(whole: Path, counted: Path, written: Path, tmp_path: Path, streamvec: Command) -> None:
    index = read_json(whole / "cooccurrences/index.json")
    said = info(whole)
    assert (said["kind"], said["stage"], said["progress"]) == ("glove", "finished", 1.0)
    assert said["cooccurrences"]["entries"] == index["entries"] > 10_000
    assert said["cooccurrences"]["batches"] == index["batches"] != said["batches"]
    assert said["cooccurrences"]["counted"] == {"window": 4, "sides": "both", "weighting": "distance"}
    lines = {line[:14].strip(): line[14:].strip() for line in streamvec("info", whole).stdout.splitlines()}
    assert f"{index['entries']:,} in {index['batches']:,} batches, window=4" in lines["co-occurrences"]

    said = info(counted)
    assert said["stage"] == "cooccurrences" and 0 < said["pairs_counted"] < 1 and "files_written" not in said
    assert "of the text in runs" in streamvec("info", counted).stdout
    said = info(written)
    assert (said["stage"], said["pairs_counted"]) == ("cooccurrences", 1.0) and said["files_written"] >= 3
    assert said["resume"] == f"streamvec resume {written}"
    assert "files written" in streamvec("info", written).stdout

    run = copied(whole, tmp_path)
    shutil.rmtree(run / "checkpoints")
    stopped(whole, tmp_path / "training", "training", 1, checkpoint_batches=7, epochs=200)
    said = info(tmp_path / "training")
    newest = said["checkpoints"][0]
    share = (newest["epoch"] + newest["batch"] / index["batches"]) / 200
    assert said["stage"] == "training" and said["progress"] == pytest.approx(share, abs=1e-5) and share > 0


def test_info_of_parts(whole: Path, streamvec: Command) -> None:
    index = read_json(whole / "cooccurrences/index.json")
    said = info(whole / "cooccurrences")
    assert said["what"] == "co-occurrences" and said["entries"] == index["entries"]
    assert "window=4 sides=both weighting=distance" in streamvec("info", whole / "cooccurrences").stdout
    shard = index["shards"][1]
    said = info(whole / "cooccurrences" / shard["name"])
    assert (said["what"], said["stored"]) == ("shard of co-occurrences", shard["stored"])
    assert info(whole / "vocabulary.arrow")["what"] == "vocabulary"
    assert info(whole / "vectors.arrow")["made"]["kind"] == "glove"


def test_looking_while_pairs_are_counted_finds_nothing_wrong(
    text: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Runs are merged, and files come, between two looks."""
    monkeypatch.setattr(pairpass, "INTERVAL", 0.0)
    monkeypatch.setattr(runfiles, "AT_ONCE", 3)
    run, done, looks, wrong = tmp_path / "run", threading.Event(), 0, {}

    def look() -> None:
        nonlocal looks
        while not done.is_set():
            if (run / "cooccurrences").exists():
                wrong.update(damaged(run))
                assert info(run)["what"] == "run"
                looks += 1

    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        sv.train_glove(text, run, **OPTIONS)
    finally:
        done.set()
        watcher.join()
    assert not wrong and looks > 10


def test_another_x_max_takes_the_cooccurrences_that_are_there(whole: Path, text: Path, tmp_path: Path) -> None:
    notes = Notes()
    sv.train_glove(whole, tmp_path / "taken", report=notes, **OPTIONS, x_max=3.0)
    assert len([note for note in notes.said if "co-occurrences are taken from" in note]) == 1
    assert not [note for note in notes.said if "co-occurrences of" in note]
    names = [path.name for path in (whole / "cooccurrences").iterdir()]
    for name in names:
        assert (tmp_path / "taken/cooccurrences" / name).samefile(whole / "cooccurrences" / name)
    sv.train_glove(text, tmp_path / "anew", **OPTIONS, x_max=3.0)
    assert (tmp_path / "taken/vectors.arrow").read_bytes() == (tmp_path / "anew/vectors.arrow").read_bytes()
    assert not damaged(tmp_path / "taken")


@pytest.mark.parametrize("option", [{"window": 3}, {"sides": "left"}, {"weighting": "flat"}])
def test_pairs_that_count_otherwise_are_counted_anew(
    option: dict[str, Any], whole: Path, text: Path, tmp_path: Path
) -> None:
    notes, ((name, _),) = Notes(), option.items()
    sv.train_glove(whole, tmp_path / "run", report=notes, **{**OPTIONS, **option})
    assert [note for note in notes.said if f"are others ({name}=" in note and "counted anew" in note]
    sv.train_glove(text, tmp_path / "anew", **{**OPTIONS, **option})
    assert (tmp_path / "run/vectors.arrow").read_bytes() == (tmp_path / "anew/vectors.arrow").read_bytes()


def test_a_run_that_has_none_or_damaged_ones(whole: Path, text: Path, tmp_path: Path) -> None:
    sv.train_skipgram(text, tmp_path / "skipgram", dim=8, min_count=2, epochs=1)
    sv.train_glove(tmp_path / "skipgram", tmp_path / "second", **OPTIONS)
    assert (tmp_path / "second/vectors.arrow").read_bytes() == (whole / "vectors.arrow").read_bytes()
    sv.train_skipgram(whole, tmp_path / "third", dim=8, epochs=1)
    assert not (tmp_path / "third/cooccurrences").exists()

    short, notes = Path(shutil.copytree(whole, tmp_path / "short")), Notes()
    cut(short / "cooccurrences/00001.arrow")
    sv.train_glove(short, tmp_path / "fourth", report=notes, **OPTIONS)
    assert [note for note in notes.said if "cannot be taken, pairs are counted anew" in note]
    assert (tmp_path / "fourth/vectors.arrow").read_bytes() == (whole / "vectors.arrow").read_bytes()

    hurt = Path(shutil.copytree(whole, tmp_path / "hurt"))  # noticed when it is read: the advice must not take it again
    flip(hurt / "cooccurrences/00001.arrow")
    with pytest.raises(StreamvecError, match=f"remove the folder {tmp_path}/fifth/cooccurrences, and streamvec resume"):
        sv.train_glove(hurt, tmp_path / "fifth", **OPTIONS)
    shutil.rmtree(tmp_path / "fifth/cooccurrences")
    sv.resume(tmp_path / "fifth")
    assert (tmp_path / "fifth/vectors.arrow").read_bytes() == (whole / "vectors.arrow").read_bytes()


def test_from_of_a_glove_run_says_what_can_be_done(whole: Path, text: Path, tmp_path: Path) -> None:
    with pytest.raises(StreamvecError, match=r"trained by glove, .* take its vectors alone: --vectors"):
        sv.train_skipgram(text, tmp_path / "run", start_from=whole)
    sv.train_skipgram(text, tmp_path / "run", vectors=whole, epochs=1, min_count=2)
    assert info(tmp_path / "run")["start"]["what"] == "vectors"


@pytest.mark.parametrize("stage", ["cooccurrences", "blocks"])
@pytest.mark.parametrize("room", [0, 20_000, 100_000])
def test_a_full_disk_while_pairs_are_counted_or_written(
    stage: str, room: int, whole: Path, text: Path, small_disk: Path
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
            sv.train_glove(text, run, report=Filling(), **OPTIONS)
        assert "\n" not in str(problem.value)
        assert not damaged(run) and not list(run.rglob("*.partial"))
    finally:
        filled[0].__exit__(None, None, None)
    sv.resume(run, threads=1)
    assert (run / "vectors.arrow").read_bytes() == (whole / "vectors.arrow").read_bytes()


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
