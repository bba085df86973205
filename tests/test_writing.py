"""What is written survives: after a power cut at any moment each thing is whole, as it was, or not there."""

import os
import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import tally
from faulty_disk import FaultyDisk
from power_cut import STATES, Disk

from streamvec.disk.arrow import ArrowWriter
from streamvec.disk.reading import arrow_file, checksum_of, mapped
from streamvec.disk.sealed import write_json
from streamvec.disk.tensors import save_tensors
from streamvec.disk.writing import (
    append,
    claimed,
    link,
    make_folder,
    remove,
    remove_partial,
    rename,
    whole_file,
    whole_folder,
)
from streamvec.errors import StreamvecError

Names = dict[str, bytes | None]
NEW = bytes(range(256)) * 200  # more than one buffer


def cuts(folder: Path, work: Callable[[], None]) -> Iterator[tuple[bool, Names]]:
    """(whether *work* was done, what a cut leaves) for all moments of it: names without the unfinished ones."""
    before = Disk(folder)
    with FaultyDisk(folder) as disk:
        work()
    draw = random.Random(1)
    for number, change in enumerate(disk.journal):
        before.apply(*change)
        for state in (*STATES, "names", "names"):
            left = before.left(state, draw)
            tally.count("power cuts survived: of one thing written")
            yield (
                number == len(disk.journal) - 1,
                {name: content and content[0] for name, content in left.items() if ".partial" not in name},
            )


def write(path: Path) -> None:
    with whole_file(path) as file:
        for start in range(0, len(NEW), 1000):
            file.write(NEW[start : start + 1000])


@pytest.mark.parametrize("old", [None, b"old"])
def test_a_file_is_the_old_one_or_the_new_one(tmp_path: Path, old: bytes | None) -> None:
    path, found = tmp_path / "a", set()
    if old is not None:
        path.write_bytes(old)
    for done, left in cuts(tmp_path, lambda: write(path)):
        assert left.get("a") in ((NEW,) if done else (old, NEW))
        found.add(left.get("a"))
    assert found == {old, NEW}


def test_a_folder_is_whole_or_not_there(tmp_path: Path) -> None:
    whole: Names = {"f": None, "f/a": NEW, "f/empty": None, "f/sub": None, "f/sub/b": NEW}

    def work() -> None:
        with whole_folder(tmp_path / "f") as folder:
            write(folder / "a")
            make_folder(folder / "sub")
            write(folder / "sub" / "b")
            (folder / "empty").mkdir()

    for done, left in cuts(tmp_path, work):
        assert left in ([whole] if done else [{}, whole])


def test_folders_that_were_made_stay(tmp_path: Path) -> None:
    for done, left in cuts(tmp_path, lambda: make_folder(tmp_path / "a" / "b" / "c")):
        assert not done or "a/b/c" in left


def test_a_thing_has_one_of_its_names(tmp_path: Path) -> None:
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "file").write_bytes(NEW)
    (tmp_path / "to").mkdir()
    for done, left in cuts(tmp_path, lambda: rename(tmp_path / "old", tmp_path / "new")):
        assert left == {"to": None, "new": None, "new/file": NEW} if done else "new/file" in left or "old/file" in left


def test_what_was_removed_stays_away_and_a_folder_goes_at_once(tmp_path: Path) -> None:
    names = ["f/a", "f/b", "f/sub/c", "file"]
    (tmp_path / "f" / "sub").mkdir(parents=True)
    for name in names:
        (tmp_path / name).write_bytes(NEW)
    for done, left in cuts(tmp_path, lambda: remove(tmp_path / "file", tmp_path / "f", tmp_path / "never")):
        assert not left if done else len([name for name in left if name.startswith("f/")]) in (0, 4)
    assert not list(tmp_path.iterdir())


def test_a_second_name_stays(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(NEW)
    for done, left in cuts(tmp_path, lambda: link(tmp_path / "a", tmp_path / "b")):
        assert left["a"] == NEW and (not done or left["b"] == NEW)


def test_what_is_appended_loses_nothing_that_was_there(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"old\n")
    for _, left in cuts(tmp_path, lambda: append(tmp_path / "a", b"new\n")):
        assert left["a"] is not None and left["a"].startswith(b"old\n")


def arrow(path: Path) -> None:
    batch = pa.record_batch({"number": np.arange(9000)})
    with ArrowWriter(path, batch.schema) as writer:
        writer.write(batch)


@pytest.mark.parametrize(
    "work",
    [
        lambda path: write_json(path, {"a": list(range(2000))}),
        lambda path: save_tensors(path, {"a": np.arange(5000.0)}),
        arrow,
    ],
    ids=["json", "tensors", "arrow"],
)
def test_files_of_every_kind_are_whole_or_not_there(tmp_path: Path, work: Callable[[Path], None]) -> None:
    work(tmp_path / "again")
    whole = (tmp_path / "again").read_bytes()
    for done, left in cuts(tmp_path, lambda: work(tmp_path / "a")):
        assert left.get("a") == whole or (not done and "a" not in left)


def test_a_symbolic_link_stays_one(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "file").write_bytes(b"old")
    for name, target in (("link", "there/file"), ("dangling", "there/new")):
        (tmp_path / name).symlink_to(target)
        write(tmp_path / name)
        assert (tmp_path / name).is_symlink() and (tmp_path / target).read_bytes() == NEW
    assert not list(tmp_path.rglob("*.partial"))


def test_a_device_and_a_pipe_are_left_alone(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("pipe")
    for name in ("pipe", "link"):
        with pytest.raises(StreamvecError, match=f"{name}: a device or a pipe, not a file that can be written whole"):
            write(tmp_path / name)
    assert (tmp_path / "pipe").is_fifo() and (tmp_path / "link").is_symlink()


def test_a_link_in_place_of_what_is_half_written_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "victim").write_bytes(b"precious")
    (tmp_path / "a.partial").symlink_to("victim")
    write(tmp_path / "a")
    assert (tmp_path / "victim").read_bytes() == b"precious"
    assert (tmp_path / "a").read_bytes() == NEW and not (tmp_path / "a").is_symlink()
    os.mkfifo(tmp_path / "b.partial")
    write(tmp_path / "b")
    assert (tmp_path / "b").read_bytes() == NEW
    (tmp_path / "lock").symlink_to("victim")
    with pytest.raises(StreamvecError, match="lock: a symbolic link"), claimed(tmp_path / "lock"):
        pass
    assert (tmp_path / "victim").read_bytes() == b"precious"


def test_what_was_private_stays_so(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"old")
    (tmp_path / "a").chmod(0o600)
    write(tmp_path / "a")
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o600 and (tmp_path / "a").read_bytes() == NEW


def test_a_pipe_with_a_name_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for read in (checksum_of, arrow_file, mapped):
        with pytest.raises(StreamvecError, match="pipe: a pipe, not a file"):
            read(tmp_path / "pipe")


def test_what_failed_leaves_nothing(tmp_path: Path) -> None:
    for work in (whole_file, whole_folder):
        with pytest.raises(ZeroDivisionError), work(tmp_path / "a"):  # type: ignore[operator]
            _ = 1 / 0
    assert not list(tmp_path.iterdir())


def test_what_a_kill_left_is_removed_and_nothing_else(tmp_path: Path) -> None:
    for name in ("a/b.partial/c", "a/d.partial", "a/e", "a/f.removed.partial/g/h", "i.partial"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "a" / "elsewhere.partial").symlink_to(tmp_path / "i.partial")
    remove_partial(tmp_path / "a")
    assert [one.name for one in (tmp_path / "a").iterdir()] == ["e"] and (tmp_path / "i.partial").exists()


WRITING = """
import sys
from pathlib import Path
from streamvec.disk.writing import whole_file, whole_folder
with (whole_file if sys.argv[2] == "file" else whole_folder)(Path(sys.argv[1])):
    print("writing", flush=True)
    sys.stdin.read()
"""


@pytest.mark.parametrize("what", ["file", "folder"])
def test_one_process_writes_at_a_time(tmp_path: Path, what: str) -> None:
    path, mine = tmp_path / "a", whole_file if what == "file" else whole_folder
    command = [sys.executable, "-c", WRITING, str(path), what]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None and other.stdout.readline() == "writing\n"
        with pytest.raises(StreamvecError, match="a: another process is writing it: wait for its end"):
            mine(path).__enter__()
        other.kill()
        other.wait()
    with mine(path):
        pass
    assert [one.name for one in tmp_path.iterdir()] == ["a"]


def test_a_claim_is_one_process_s(tmp_path: Path) -> None:
    with claimed(tmp_path / "lock"), pytest.raises(BlockingIOError), claimed(tmp_path / "lock"):
        pass
    with claimed(tmp_path / "lock", wait=True):
        pass
