"""Runs of any kind: names that are never had twice, few files however many were written, and a record of them."""

import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyarrow as pa
import pytest

from streamvec.corpus import runfiles
from streamvec.corpus.runfiles import RunFiles, RunReaders
from streamvec.disk.arrow import ArrowWriter
from streamvec.errors import StreamvecError

SCHEMA = pa.schema([("value", pa.int64())])


def write(path: Path, values: list[int]) -> None:
    with ArrowWriter(path, SCHEMA) as writer:
        for start in range(0, len(values), 3):
            writer.write(pa.record_batch([pa.array(values[start : start + 3])], schema=SCHEMA))


def read(paths: Sequence[Path]) -> list[int]:
    readers, found = RunReaders(paths), []
    for number in range(len(paths)):
        while (batch := readers.next_batch(number)) is not None:
            found += batch.column(0).to_pylist()
        assert readers.next_batch(number) is None
    return found


def join(paths: Sequence[Path], path: Path) -> None:
    write(path, read(paths))


def test_runs_that_are_written_at_once_have_names_of_their_own(tmp_path: Path) -> None:
    runs, before = RunFiles(tmp_path, join), sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(4) as pool:
            asked = [pool.submit(lambda: [runs.next_path() for _ in range(5000)]) for _ in range(4)]
        names = [path.name for one in asked for path in one.result()]
    finally:
        sys.setswitchinterval(before)
    assert len(set(names)) == len(names) == runs.made == 20_000


def test_few_files_stay_and_nothing_is_lost_after_a_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runfiles, "AT_ONCE", 3)
    runs, expected = RunFiles(tmp_path, join), list(range(100))
    for number in range(0, 100, 2):
        path = runs.next_path()
        write(path, expected[number : number + 2])
        runs.add([path.name])
        runs.merge_some()
        again = RunFiles(tmp_path, join)
        again.restore(runs.to_json())
        assert (again.names, again.made, again.paths) == (runs.names, runs.made, runs.paths)
        runs = again
    assert len(runs.paths) > 2 and sorted(read(runs.paths)) == expected
    runs.merge_some(most=2)
    assert len(runs.paths) <= 2 and sorted(read(runs.paths)) == expected
    with pytest.raises(KeyError):
        RunFiles(tmp_path, join).restore({"runs": []})


def test_a_damaged_run_is_named_before_anything_is_read(tmp_path: Path) -> None:
    write(tmp_path / "one.arrow", [1, 2, 3, 4])
    content = bytearray((tmp_path / "one.arrow").read_bytes())
    content[len(content) // 2] ^= 1
    (tmp_path / "one.arrow").write_bytes(content)
    with pytest.raises(StreamvecError, match=r"one\.arrow"):
        RunReaders([tmp_path / "one.arrow"])
