"""Small files that become large ones: read within --memory, or refused in a line."""

import subprocess
import sys
from pathlib import Path

import bombs
import pytest
import tally

MEMORY = 400  # MB
HOST = Path(__file__).with_name("measured.py")


def trained(path: Path) -> str:
    """The last line of a training on *path* within MEMORY; it must end well or be refused in a line."""
    small = ("--threads", "1", "--dim", "4", "--epochs", "1", "--min-count", "1", "--memory", f"{MEMORY}MB")
    return ran(path, "train", "skipgram", str(path), "--out", str(path.with_name("run")), *small)


def ran(path: Path, *words: str) -> str:
    """The last line of a verb that reads *path*; its peak is to stay below MEMORY."""
    peak = path.with_name("peak")
    command = [sys.executable, str(HOST), str(peak), *words]
    ended = subprocess.run(command, capture_output=True, encoding="utf-8", timeout=1500)
    assert ended.returncode in (0, 1) and "Traceback" not in ended.stderr, ended.stderr
    assert int(peak.read_text(encoding="ascii")) < MEMORY * 10**6, path.name
    last = (ended.stderr or ended.stdout).splitlines()[-1]
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
@pytest.mark.parametrize("content", bombs.CONTENTS)
@pytest.mark.parametrize("compression", bombs.PACKERS)
def test_a_gigabyte_of_little(tmp_path: Path, compression: str, content: str) -> None:
    said = "100%" if content in ("one line", "words") else "no two words" if content == "lines" else "holds no words"
    assert said in trained(bombs.bomb(tmp_path / f"bomb.{compression}", compression, content, 300 << 20))


@pytest.mark.soak
@pytest.mark.timeout(1600)
@pytest.mark.parametrize("compression", bombs.PACKERS)
def test_very_many_members(tmp_path: Path, compression: str) -> None:
    assert "100%" in trained(bombs.many_frames(tmp_path / f"bomb.{compression}", compression, 100_000))


@pytest.mark.parametrize("size", [64, pytest.param(600, marks=pytest.mark.soak)])
def test_line_feeds_that_are_a_document_each(tmp_path: Path, size: int) -> None:
    """Each is 16 bytes while it is counted, so what is held must not grow with their number."""
    path = bombs.bomb(tmp_path / "bomb.gz", "gz", "lines", size << 20)
    assert "no two words stand near each other" in trained(path)


@pytest.mark.parametrize("stated", [10**10, 10**18])
def test_arrow_buffers_that_state_more_than_there_is(tmp_path: Path, stated: int) -> None:
    path = bombs.arrow_bomb(tmp_path / "bomb.arrow", stated)
    assert "damaged or cut short" in trained(path)


def test_a_value_that_a_dictionary_repeats(tmp_path: Path) -> None:
    assert "100%" in trained(bombs.parquet_bomb(tmp_path / "bomb.parquet", 40, is_dictionary=True))


@pytest.mark.soak
@pytest.mark.parametrize(("rows", "is_dictionary"), [(300, True), (40, False)])
def test_a_value_that_a_dictionary_repeats_often(tmp_path: Path, rows: int, is_dictionary: bool) -> None:
    assert "100%" in trained(bombs.parquet_bomb(tmp_path / "bomb.parquet", rows, is_dictionary))


@pytest.mark.parametrize(
    ("start", "piece", "times", "refusal"),
    [
        (b"1000000 300\n", b"1 " * (1 << 19), 200, "a line of more than 64 MB"),
        (b"2 3\n", b"a" * (1 << 20), 200, "the file is damaged at word 1"),
        pytest.param(
            b"3000000000 3\n", b"a 1 2 3\n" * (1 << 17), 300, "the file holds 39,321,600", marks=pytest.mark.soak
        ),
    ],
)
def test_packed_vectors(tmp_path: Path, start: bytes, piece: bytes, times: int, refusal: str) -> None:
    path = bombs.packed(tmp_path / "bomb.vec.gz", start, piece, times)
    assert refusal in ran(path, "nn", str(path), "a")


@pytest.mark.parametrize(
    ("start", "piece", "times", "refusal"),
    [
        (b"<mediawiki><page>", b"<a>" * (1 << 18), 100, "elements within elements, 65 deep"),
        (b"<mediawiki><page><title a='", b"word " * (1 << 18), 60, "a tag of more than 2097152 bytes"),
        (b"<mediawiki><page><ns>0</ns><text>", b"{{" * (1 << 19), 60, "has more than 8388608 characters"),
    ],
)
def test_packed_xml(tmp_path: Path, start: bytes, piece: bytes, times: int, refusal: str) -> None:
    assert refusal in trained(bombs.packed(tmp_path / "bomb.xml.gz", start, piece, times))


@pytest.mark.soak
def test_very_many_braces_in_an_article(tmp_path: Path) -> None:
    end = b"}}" * 100 + b"</text></revision></page></mediawiki>"
    start = b"<mediawiki><page><title>A</title><ns>0</ns><revision><text>river king "
    last = trained(bombs.packed(tmp_path / "bomb.xml.gz", start, b"{{" * (1 << 19), 7, end))
    assert "error" not in last or "no two words stand near each other" in last


def test_entities_of_entities(tmp_path: Path) -> None:
    assert "entities" in trained(bombs.entities(tmp_path / "bomb.xml"))
