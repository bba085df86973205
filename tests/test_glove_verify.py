"""A RUN of kind glove in every state it can be in: verify names what is damaged, and its advice works."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import Command
from glove_runs import OPTIONS, copied, cut, damaged, flip, states, unfinish

import streamvec as sv
from streamvec.errors import StreamvecError
from streamvec.training.checking import DAMAGED, OK, UNFINISHED
from streamvec.training.info import info
from streamvec.training.verify import verify

pytestmark = pytest.mark.usefixtures("small_glove_parts")
WHILE_COUNTED = ("cooccurrences/runs/record.json", "cooccurrences/runs/run-*.arrow")
WHILE_WRITTEN = ("cooccurrences/record.json", "cooccurrences/00001.arrow", *WHILE_COUNTED)
FINISHED = ("cooccurrences/index.json", "cooccurrences/00001.arrow")


def found_in(run: Path, pattern: str) -> str:
    """The first file of a RUN with such a name."""
    return str(sorted(run.glob(pattern))[0].relative_to(run))


def test_every_file_of_a_finished_run_is_read_and_whole(glove_run: Path) -> None:
    found = states(glove_run)
    files = {str(path.relative_to(glove_run)) for path in glove_run.rglob("*") if path.is_file()}
    assert set(found) == files - {"lock"} and {"cooccurrences/index.json", "cooccurrences/00001.arrow"} <= files
    assert {name for name, file in found.items() if file.state != OK} == {"metrics.jsonl"}


def test_work_that_was_stopped_is_whole_and_what_is_missing_is_said(glove_counted: Path, glove_written: Path) -> None:
    for run, names in ((glove_counted, WHILE_COUNTED), (glove_written, WHILE_WRITTEN)):
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
        *(("glove_counted", name) for name in WHILE_COUNTED),
        *(("glove_written", name) for name in WHILE_WRITTEN),
        *(("glove_run", name) for name in FINISHED),
    ],
)
def test_damage_is_named_and_its_advice_works(
    state: str, name: str, hurt: Callable[[Path], None], glove_run: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    run = copied(request.getfixturevalue(state), tmp_path)
    name = found_in(run, name)
    if state == "glove_run":
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
    assert (run / "vectors.arrow").read_bytes() == (glove_run / "vectors.arrow").read_bytes()
    assert states(run)["cooccurrences/index.json"].state == OK


def test_missing_files_are_named(glove_run: Path, glove_written: Path, tmp_path: Path) -> None:
    run = unfinish(copied(glove_run, tmp_path))
    (run / "cooccurrences/00001.arrow").unlink()
    assert list(damaged(run)) == ["cooccurrences/00001.arrow"]
    with pytest.raises(
        StreamvecError, match=r"00001\.arrow: no such file or folder: remove the folder .*cooccurrences"
    ):
        sv.resume(run)
    shutil.copy(glove_run / "cooccurrences/00001.arrow", run / "cooccurrences")
    (run / "cooccurrences/index.json").unlink()
    assert list(damaged(run)) == ["cooccurrences/index.json"]
    other = Path(shutil.copytree(glove_written, tmp_path / "other"))
    name = found_in(other, WHILE_COUNTED[1])
    (other / name).unlink()
    assert list(damaged(other)) == [name]


def test_after_its_last_checkpoint_only_vectors_are_written(glove_run: Path, tmp_path: Path) -> None:
    run = copied(glove_run, tmp_path)
    (run / "vectors.arrow").unlink()
    shutil.rmtree(run / "cooccurrences")
    sv.resume(run)
    assert (run / "vectors.arrow").read_bytes() == (glove_run / "vectors.arrow").read_bytes()
    assert not (run / "cooccurrences").exists()


def test_a_finished_run_does_not_need_its_cooccurrences(glove_run: Path, tmp_path: Path, streamvec: Command) -> None:
    run = copied(glove_run, tmp_path)
    flip(run / "cooccurrences/00001.arrow")
    assert damaged(run)["cooccurrences/00001.arrow"].endswith(
        f"the vectors are finished and do not need it: remove the folder {run / 'cooccurrences'}"
    )
    shutil.rmtree(run / "cooccurrences")
    assert states(run)["cooccurrences"].state == UNFINISHED and not damaged(run)
    assert streamvec("verify", run).returncode == 0
    said = info(run)
    assert (said["stage"], said["progress"], said["checkpoints"][0]["progress"]) == ("finished", 1.0, 1.0)


def test_what_no_record_names_is_not_needed(
    glove_counted: Path, glove_written: Path, glove_run: Path, tmp_path: Path
) -> None:
    run = copied(glove_written, tmp_path)
    (run / "cooccurrences/00003.arrow.partial").write_bytes(b"half")
    shutil.copy(glove_run / "cooccurrences/00001.arrow", run / "cooccurrences/00099.arrow")
    shutil.copy(run / found_in(run, WHILE_COUNTED[1]), run / "cooccurrences/runs/run-999999.arrow")
    added = ("00003.arrow.partial", "00099.arrow", "runs/run-999999.arrow")
    found = states(run)
    assert {found[f"cooccurrences/{name}"].state for name in added} == {UNFINISHED}
    sv.resume(run)
    assert (run / "vectors.arrow").read_bytes() == (glove_run / "vectors.arrow").read_bytes()
    assert not [name for name in added if (run / "cooccurrences" / name).exists()] and not damaged(run)

    late = unfinish(Path(shutil.copytree(glove_run, tmp_path / "late")))  # killed before runs were removed
    shutil.copytree(glove_counted / "cooccurrences/runs", late / "cooccurrences/runs")
    assert states(late)["cooccurrences/runs"].state == UNFINISHED and not damaged(late)


def test_parts_by_themselves(glove_run: Path, glove_counted: Path, glove_written: Path, tmp_path: Path) -> None:
    names = [path.name for path in sorted((glove_run / "cooccurrences").iterdir())]
    assert {name: file.state for name, file in states(glove_run / "cooccurrences").items()} == dict.fromkeys(names, OK)
    assert states(glove_written / "cooccurrences")["index.json"].state == UNFINISHED
    assert {file.state for file in states(glove_counted / "cooccurrences/runs").values()} == {OK}
    moved = Path(shutil.copytree(glove_run / "cooccurrences", tmp_path / "elsewhere"))
    assert {file.state for file in states(moved).values()} == {OK}
    assert [file.state for file in verify(moved / "00001.arrow")] == [OK]
    flip(moved / "00001.arrow")
    assert list(damaged(moved)) == ["00001.arrow"]
    (found,) = verify(moved / "00001.arrow")
    assert found.state == DAMAGED and f"remove the folder {moved}" in found.what


def test_cooccurrences_of_another_vocabulary_are_found(glove_run: Path, glove_text: Path, tmp_path: Path) -> None:
    sv.train_glove(glove_text, tmp_path / "other", **{**OPTIONS, "max_vocab": 100, "epochs": 1})
    run = copied(glove_run, tmp_path)
    shutil.rmtree(run / "cooccurrences")
    shutil.copytree(tmp_path / "other/cooccurrences", run / "cooccurrences")
    assert "another vocabulary" in damaged(run)["cooccurrences/index.json"]
