"""What tests tried is added up, and of peaks the largest stays."""

from pathlib import Path

import pytest
import tally


@pytest.fixture(autouse=True)
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A tally of its own, so that what is made up here is not told of the test run."""
    (tmp_path / "tally").touch()
    monkeypatch.setenv(tally.VARIABLE, str(tmp_path / "tally"))


def test_counts_are_added_and_the_largest_peak_is_kept() -> None:
    for number in (3, 5, 4):
        tally.count("faults: write", number)
        tally.peak("% of memory: train", number)
    assert tally.sums() == {"faults: write": 12}
    assert tally.peaks() == {"% of memory: train": 5}
    assert [line.split(maxsplit=1) for line in tally.report()] == [["12", "faults: write"], ["5", "% of memory: train"]]
    assert tally.result(1, 0)["peaks"] == tally.peaks()


def test_outside_a_test_run_nothing_is_noted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(tally.VARIABLE)
    tally.count("faults: write")
    tally.peak("% of memory: train", 1)
    assert not (tmp_path / "tally").read_text()
