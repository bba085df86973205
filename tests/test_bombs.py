"""Small files that become large ones: read within --memory, or refused in a line."""

import subprocess
import sys
from pathlib import Path

import bombs
import pytest
import tally

MEMORY = 400  # MB
HOST = Path(__file__).with_name("measured.py")


def trained(path: Path, *more: str) -> str:
    """The last line of a training on *path* within MEMORY; it must end well or be refused in a line."""
    run, peak = path.with_name("run"), path.with_name("peak")
    small = ("--threads", "1", "--dim", "4", "--epochs", "1", "--min-count", "1", "--memory", f"{MEMORY}MB")
    command = [sys.executable, str(HOST), str(peak), "train", "skipgram", str(path), "--out", str(run), *small, *more]
    ended = subprocess.run(command, capture_output=True, encoding="utf-8", timeout=1500)
    assert ended.returncode in (0, 1) and "Traceback" not in ended.stderr, ended.stderr
    assert int(peak.read_text(encoding="ascii")) < MEMORY * 10**6, path.name
    last = ended.stderr.splitlines()[-1]
    assert last.startswith("streamvec: error: ") == (ended.returncode == 1)
    tally.count(f"bombs tried: {path.suffix}")
    tally.count(f"bombs refused: {path.suffix}", ended.returncode)
    return last


def test_a_window_or_dictionary_beyond_the_memory_is_refused(tmp_path: Path) -> None:
    for path in (
        bombs.wide_window(tmp_path / "w.zst", 31, 1 << 28),
        bombs.wide_window(tmp_path / "v.zst", 27, 1 << 28),
        bombs.wide_dictionary(tmp_path / "w.xz", 1 << 20),
    ):
        assert f"{path.name}: decompressing it would hold more than 95 MB, a quarter of --memory" in trained(path)


def test_a_wide_window_is_read_where_there_is_memory(tmp_path: Path) -> None:
    path = bombs.wide_window(tmp_path / "w.zst", 25, 1 << 23)
    assert "the input holds no words" in trained(path)


@pytest.mark.parametrize("compression", ["gz", "zst"])
def test_a_line_without_end(tmp_path: Path, compression: str) -> None:
    path = bombs.bomb(tmp_path / f"bomb.{compression}", compression, "zeros", 100 << 20)
    assert "the input holds no words" in trained(path)


@pytest.mark.soak
@pytest.mark.timeout(1600)
@pytest.mark.parametrize("content", [name for name in bombs.CONTENTS if name != "lines"])
@pytest.mark.parametrize("compression", bombs.PACKERS)
def test_a_gigabyte_of_little(tmp_path: Path, compression: str, content: str) -> None:
    trained(bombs.bomb(tmp_path / f"bomb.{compression}", compression, content, 300 << 20))


@pytest.mark.soak
@pytest.mark.timeout(1600)
@pytest.mark.parametrize("compression", bombs.PACKERS)
def test_very_many_members(tmp_path: Path, compression: str) -> None:
    assert "100%" in trained(bombs.many_frames(tmp_path / f"bomb.{compression}", compression, 100_000))


@pytest.mark.soak
def test_a_value_that_a_dictionary_repeats(tmp_path: Path) -> None:
    trained(bombs.parquet_bomb(tmp_path / "bomb.parquet", 300))
