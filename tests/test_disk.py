"""Files on disk: every flipped byte is noticed, every cut too, and a failure leaves nothing half-written."""

import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import safetensors.numpy

from streamvec.disk.arrow import ArrowWriter, open_arrow, read_batches, verify_arrow
from streamvec.disk.lock import locked
from streamvec.disk.problems import named_problems
from streamvec.disk.reading import checksum_of
from streamvec.disk.sealed import read_json, write_json
from streamvec.disk.tensors import Tensors, fill_tensors, load_tensors, save_tensors
from streamvec.disk.writing import whole_file, whole_folder
from streamvec.errors import StreamvecError

SCHEMA = pa.schema([("word", pa.string()), ("count", pa.int64())], {b"about": b"a test"})


def write_arrow(path: Path, batches: int = 2, schema: pa.Schema = SCHEMA) -> str:
    with ArrowWriter(path, schema) as writer:
        for number in range(batches):
            words = pa.array([f"w{number}", "é\n", ""])
            writer.write(pa.record_batch([words, pa.array([3, 2, number])], schema=schema))
    assert writer.rows == 3 * batches
    return writer.checksum


def test_an_arrow_file_is_what_was_written_and_carries_its_checksum(tmp_path: Path) -> None:
    path = tmp_path / "a.arrow"
    checksum = write_arrow(path)
    assert verify_arrow(path) == checksum != write_arrow(tmp_path / "b.arrow", 3)
    for mapped in (True, False):
        batches = list(read_batches(path, mapped))
        assert [batch.to_pydict() for batch in batches] == [
            {"word": [f"w{number}", "é\n", ""], "count": [3, 2, number]} for number in range(2)
        ]
        assert batches[0].schema.metadata[b"about"] == b"a test"
    with pa.OSFile(str(path)) as file:
        assert pa.ipc.open_file(file).read_all().num_rows == 6  # ordinary Arrow


def test_every_flipped_byte_of_an_arrow_file_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "a.arrow"
    write_arrow(path)
    good = path.read_bytes()
    draw = random.Random(1)
    for place in range(len(good)):
        path.write_bytes(good[:place] + bytes([good[place] ^ 1 << draw.randrange(8)]) + good[place + 1 :])
        with pytest.raises(StreamvecError, match=r"a\.arrow: damaged"):
            verify_arrow(path)
    path.write_bytes(good)
    verify_arrow(path)


def test_an_arrow_file_cut_or_continued_anywhere_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "a.arrow"
    write_arrow(path)
    good = path.read_bytes()
    for content in [*(good[:size] for size in range(len(good))), good + b"\0", good + good]:
        path.write_bytes(content)
        with pytest.raises(StreamvecError, match=r"a\.arrow: damaged"):
            verify_arrow(path)
    path.write_bytes(good[:-20])
    with pytest.raises(StreamvecError, match="not a whole Arrow file"):
        open_arrow(path)


def test_a_schema_is_written_only_if_its_checksum_can_be_found_again(tmp_path: Path) -> None:
    path = tmp_path / "a.arrow"
    sizes = []
    for size in range(64_000, 66_000, 50):
        try:
            write_arrow(path, schema=SCHEMA.with_metadata({b"about": b"x" * size}))
        except StreamvecError as problem:
            assert "at most 65536 can be written" in str(problem)
            assert not path.exists()
        else:
            verify_arrow(path)
            path.unlink()
            sizes.append(size)
    assert 64_000 in sizes and 65_950 not in sizes and sizes == list(range(64_000, sizes[-1] + 1, 50))
    assert not list(tmp_path.iterdir())


def test_an_arrow_file_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "a.arrow"
    checksum = write_arrow(path)
    with pytest.raises(RuntimeError, match="stop"), ArrowWriter(path, SCHEMA) as writer:
        writer.write(pa.record_batch([pa.array(["x"]), pa.array([1])], schema=SCHEMA))
        raise RuntimeError("stop")
    assert [p.name for p in tmp_path.iterdir()] == ["a.arrow"] and verify_arrow(path) == checksum
    with pytest.raises(StreamvecError, match="no such file"), ArrowWriter(tmp_path / "none" / "a", SCHEMA):
        pass


@pytest.mark.parametrize("problem", [RuntimeError("stop"), KeyboardInterrupt(), OSError(28, "No space left on device")])
def test_whole_file_and_folder_leave_nothing_after_an_exception(tmp_path: Path, problem: BaseException) -> None:
    (tmp_path / "old").write_bytes(b"before")
    raised = StreamvecError if isinstance(problem, OSError) else type(problem)
    for name in ("old", "new"):
        with pytest.raises(raised), whole_file(tmp_path / name) as file:
            file.write(b"after")
            raise problem
    with pytest.raises(raised), whole_folder(tmp_path / "folder") as folder:
        (folder / "a").write_bytes(b"after")
        raise problem
    assert [path.name for path in tmp_path.iterdir()] == ["old"]
    assert (tmp_path / "old").read_bytes() == b"before"


def test_whole_file_and_folder_take_their_names_at_the_end(tmp_path: Path) -> None:
    with whole_file(tmp_path / "a") as file:
        file.write(b"content")
        assert not (tmp_path / "a").exists()
    with whole_folder(tmp_path / "b" / "c") as folder:
        (folder / "d").write_bytes(b"x")
        assert not (tmp_path / "b" / "c").exists()
    assert (tmp_path / "a").read_bytes() == b"content" and (tmp_path / "b" / "c" / "d").read_bytes() == b"x"
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["a", "b", "c", "d"]
    with pytest.raises(StreamvecError, match="/c: exists already"), whole_folder(tmp_path / "b" / "c") as folder:
        (folder / "e").write_bytes(b"y")
    assert [path.name for path in (tmp_path / "b").rglob("*")] == ["c", "d"]  # nothing is replaced


def test_two_that_write_one_file_are_told_apart(tmp_path: Path) -> None:
    path = tmp_path / "x"
    with whole_file(path) as file:
        file.write(b"first")
        with (
            pytest.raises(StreamvecError, match=r"x: another process is writing it: wait for its end"),
            whole_file(path),
        ):
            pass
    assert path.read_bytes() == b"first"
    (tmp_path / "x.partial").write_bytes(b"left by one that was killed, and longer")
    with whole_file(path) as file:
        file.write(b"second")
    assert path.read_bytes() == b"second" and [one.name for one in tmp_path.iterdir()] == ["x"]


def test_two_that_write_one_folder_are_told_apart(tmp_path: Path) -> None:
    (tmp_path / "x.partial" / "in").mkdir(parents=True)
    (tmp_path / "x.partial" / "left").write_bytes(b"by one that was killed")
    with whole_folder(tmp_path / "x") as folder:
        (folder / "a").write_bytes(b"a")
        with pytest.raises(StreamvecError, match=r"x: another process is writing it"), whole_folder(tmp_path / "x"):
            pass
    assert [str(one.relative_to(tmp_path)) for one in sorted(tmp_path.rglob("*"))] == ["x", "x/a"]


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(StreamvecError, match=rf"^{tmp_path}: a folder: name a file"), whole_file(tmp_path):
        pass


def test_json_notices_every_flipped_byte_and_every_cut(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    content = {"name": "é\n", "numbers": [1, 2.5, None], "nested": {"x": True}}
    write_json(path, content)
    assert read_json(path) == content
    good = path.read_bytes()
    for place in range(len(good)):
        for bit in (0, 1, 5, 7):
            path.write_bytes(good[:place] + bytes([good[place] ^ 1 << bit]) + good[place + 1 :])
            try:
                assert read_json(path) == content  # white space between tokens may change into other white space
                assert good[place : place + 1].isspace()
            except StreamvecError as problem:
                assert "a.json: damaged" in str(problem)
    for size in range(len(good) - 1):
        path.write_bytes(good[:size])
        with pytest.raises(StreamvecError, match=r"a\.json: damaged"):
            read_json(path)
    for other in (b"[]", b"3", b'"checksum"', b"{}", b'{"checksum": 3}'):
        path.write_bytes(other)
        with pytest.raises(StreamvecError, match=r"a\.json: damaged"):
            read_json(path)
    path.unlink()
    with pytest.raises(StreamvecError, match=r"a\.json: no such file"):
        read_json(path)


def some_arrays() -> dict[str, np.ndarray]:
    draw = np.random.default_rng(1)
    return {
        "f4": draw.normal(size=(3, 5)).astype(np.float32),
        "f8": draw.normal(size=7),
        "i4": draw.integers(-9, 9, (2, 2, 2)).astype(np.int32),
        "i8": draw.integers(-9, 9, 300_000),
        "u1": draw.integers(0, 255, 3).astype(np.uint8),
        "none": np.zeros((0, 4), np.float32),
        "one": np.array(3.5),
    }


def same(found: dict[str, np.ndarray], expected: dict[str, np.ndarray]) -> bool:
    return found.keys() == expected.keys() and all(
        found[name].dtype == array.dtype and found[name].shape == array.shape and np.array_equal(found[name], array)
        for name, array in expected.items()
    )


def test_tensors_go_to_and_from_the_package_safetensors(tmp_path: Path) -> None:
    path, arrays = tmp_path / "a.safetensors", some_arrays()
    assert save_tensors(path, arrays) == checksum_of(path)
    assert same(safetensors.numpy.load_file(path), arrays)
    assert same(load_tensors(path), arrays)
    safetensors.numpy.save_file(arrays, path, {"by": "the package"})
    assert same(load_tensors(path), arrays)
    into = {name: np.empty_like(array) for name, array in arrays.items()}
    fill_tensors(path, into)
    assert same(into, arrays)


def test_tensors_that_are_cut_or_do_not_fit_are_named(tmp_path: Path) -> None:
    path, arrays = tmp_path / "a.safetensors", some_arrays()
    del arrays["i8"]
    save_tensors(path, arrays)
    good = path.read_bytes()
    for size in range(len(good)):
        path.write_bytes(good[:size])
        with pytest.raises(StreamvecError, match=r"a\.safetensors: (damaged|cut short)"):
            load_tensors(path)
    path.write_bytes(good)
    with pytest.raises(StreamvecError, match=r"array 'f8' is float64.*, expected float64"):
        fill_tensors(path, {**arrays, "f8": np.empty(8)})
    with pytest.raises(ValueError, match="'f4' must be C-contiguous"):
        save_tensors(path, {"f4": np.zeros((4, 4), np.float32).T[1:]})
    assert path.read_bytes() == good


def test_tensors_are_read_in_parts(tmp_path: Path) -> None:
    path, array = tmp_path / "a.safetensors", np.arange(1000, dtype=np.float32)
    save_tensors(path, {"first": np.zeros(3), "flat": array})
    with Tensors(path) as tensors:
        assert tensors.names() == ["first", "flat"] and tensors.shape("flat") == (1000,)
        for first, numbers in ((0, 1000), (17, 40), (999, 1), (5, 0)):
            assert np.array_equal(tensors.part("flat", first, numbers), array[first : first + numbers])
        with pytest.raises(StreamvecError, match=r"a\.safetensors: cut short within array 'flat'"):
            tensors.part("flat", 990, 11)


HOLDER = """
import sys
from pathlib import Path
from streamvec.disk.lock import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_lock_refuses_a_second_process_until_the_first_is_gone(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None and holder.stdout.readline() == "held\n"
        with pytest.raises(StreamvecError, match=rf"another streamvec \(process {holder.pid}\)"), locked(tmp_path):
            pass
        holder.kill()
        holder.wait()
        with locked(tmp_path):
            assert (tmp_path / "lock").read_text() == f"{os.getpid()}\n"
            with pytest.raises(StreamvecError, match="in use"), locked(tmp_path):
                pass


@pytest.mark.parametrize(
    ("number", "advice"),
    [(28, "no space left"), (13, "permission denied"), (2, "no such file"), (5, "Input/output error")],
)
def test_what_the_system_refuses_is_one_line_with_the_name(number: int, advice: str) -> None:
    problem: Any = OSError(number, os.strerror(number))
    with pytest.raises(StreamvecError, match=f"^some/file: {advice}") as found, named_problems("some/file"):
        raise problem
    assert "\n" not in str(found.value)
