"""Sources: what names of inputs become, what is refused, fingerprints, estimates, and standard input kept in a file."""

import bz2
import errno
import gzip
import io
import os
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from streamvec.corpus.blocks import read_blocks
from streamvec.corpus.compression import zstd
from streamvec.corpus.estimate import estimate_text_bytes
from streamvec.corpus.sources import Source, fingerprint, resolve, spool
from streamvec.errors import StreamvecError


def gzipped(data: bytes) -> bytes:
    """Without the time: tests are called by these bytes, and two processes must call them alike."""
    return gzip.compress(data, mtime=0)


def tree(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{name}\n")


def names(folder: Path, sources: list[Source]) -> list[str]:
    return [str(Path(source.path).relative_to(folder)) for source in sources]


def test_folders_are_read_recursively_sorted_without_hidden_files(tmp_path: Path) -> None:
    tree(tmp_path, "b.txt", "a/z.txt", "a/b/c.txt", "B.txt", ".hidden", ".git/x", "a/.x", "a.txt", "ä.txt")
    found = names(tmp_path, resolve([str(tmp_path)]))
    assert found == ["B.txt", "a/b/c.txt", "a/z.txt", "a.txt", "b.txt", "ä.txt"]


def test_globs_are_sorted_and_inputs_keep_their_order(tmp_path: Path) -> None:
    tree(tmp_path, "b2.txt", "b1.txt", "a.txt", "c/d.txt", "c/e/f.txt", ".b0.txt")
    inputs = [str(tmp_path / "b*.txt"), str(tmp_path / "a.txt"), str(tmp_path / "c" / "**"), str(tmp_path / "a.txt")]
    assert names(tmp_path, resolve(inputs)) == ["b1.txt", "b2.txt", "a.txt", "c/d.txt", "c/e/f.txt", "a.txt"]


def test_a_name_that_exists_is_no_glob(tmp_path: Path) -> None:
    tree(tmp_path, "a[1].txt", "a1.txt")
    assert names(tmp_path, resolve([str(tmp_path / "a[1].txt")])) == ["a[1].txt"]
    assert resolve([f"file://{tmp_path}/a1.txt"])[0].path == str(tmp_path / "a1.txt")


def test_symbolic_links_are_followed_and_circles_named(tmp_path: Path) -> None:
    tree(tmp_path, "in/a.txt", "out/b.txt")
    (tmp_path / "in" / "more").symlink_to(tmp_path / "out")
    assert names(tmp_path, resolve([str(tmp_path / "in")])) == ["in/a.txt", "in/more/b.txt"]
    (tmp_path / "out" / "back").symlink_to(tmp_path / "in")
    with pytest.raises(StreamvecError, match="back: a symbolic link to a folder that holds it"):
        resolve([str(tmp_path / "in")])


def test_what_is_not_there_is_named(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    tree(tmp_path, "hidden/.a")
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    for name, message in (
        ("missing.txt", r"missing\.txt: no such file or folder: check the spelling"),
        ("*.gz", r"\*\.gz: nothing matches"),
        ("empty", "empty: a folder without files"),
        ("hidden", "hidden: a folder without files"),
        ("dangling", "dangling: no such file"),
    ):
        with pytest.raises(StreamvecError, match=message):
            resolve([str(tmp_path / name)])
    for inputs, message in (
        ([], "no input"),
        ([""], "an input is an empty name"),
        (["-", "-"], "given twice"),
        (["ftp://x/y"], "ftp://x/y: ftp:// cannot be read: s3, gs, http and https can"),
    ):
        with pytest.raises(StreamvecError, match=message):
            resolve(inputs)


@pytest.mark.parametrize("folder", [True, False])
def test_without_permission_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: bool) -> None:
    tree(tmp_path, "locked/a.txt")
    locked = tmp_path / "locked" if folder else tmp_path / "locked" / "a.txt"
    if os.geteuid() == 0:  # root may read everything: let the system refuse all the same

        def refuse(self: Path, *_: Any, **__: Any) -> Any:
            raise PermissionError(errno.EACCES, "Permission denied", str(self))

        monkeypatch.setattr(Path, "iterdir" if folder else "open", refuse)
    else:
        locked.chmod(0)
    try:
        with pytest.raises(StreamvecError, match=rf"{locked.name}: permission denied"):
            resolve([str(tmp_path / "locked")])
    finally:
        locked.chmod(0o700)


def test_a_pipe_is_named_with_what_to_do(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(StreamvecError, match="pipe: not a file that can be read twice: pipe it in and name it -"):
        resolve([str(tmp_path / "pipe")])


@pytest.mark.parametrize(
    ("name", "content", "kind", "compression"),
    [
        ("a", b"text\n", "text", ""),
        ("a", b"", "text", ""),
        ("a.txt", gzipped(b"text"), "text", "gz"),
        ("a.gz", b"only text\n", "text", ""),
        ("a.gz", bz2.compress(b"text"), "text", "bz2"),
        ("a.bz2", bz2.compress(b""), "text", "bz2"),
        ("a.jsonl.zst", zstd.compress(b'{"text": "x"}'), "jsonl", "zst"),
        ("a.txt", b'{"text": "x"}', "text", ""),
        ("a.json.gz", gzipped(b' {"text": "x"}'), "jsonl", "gz"),
        ("a", b"<mediawiki xml:lang='en'>", "mediawiki", ""),
        ("a.xml.bz2", bz2.compress(b"<?xml version='1.0'?>\n<!-- x -->\n<mediawiki>"), "mediawiki", "bz2"),
        ("BZh is a word", b"BZh91 is text", "text", ""),
        ("A.JSONL", b"{}", "jsonl", ""),
    ],
)
def test_kind_and_compression_go_by_content_and_name(
    tmp_path: Path, name: str, content: bytes, kind: str, compression: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    assert resolve([str(path)]) == [Source(str(path), kind, compression, len(content))]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.gz", b"", "not a gz file, whatever its name says"),
        ("a.zst", b"\x00\x01\x02 noise", "not a zst file"),
        ("a.bz2", bz2.compress(b"x")[:3], "cut short|not a bz2 file"),
        ("a.txt", b"PK\x03\x04....", "a zip archive .*, not text: unpack or convert it first"),
        ("a.gz", gzipped(b"%PDF-1.7"), "a PDF document"),
        ("a.tar.gz", gzipped(bytes(257) + b"ustar"), "a tar archive"),
        ("a.gz", gzipped(gzipped(b"text")), "compressed twice"),
        ("a.parquet.gz", gzipped(b"PAR1"), "a parquet file within a gz file: unpack it first"),
        ("a.xml", b"<html>", "XML, but not a MediaWiki dump"),
    ],
)
def test_what_is_not_text_is_refused(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(StreamvecError, match=f"{path}: .*({message})|{path}: ({message})"):
        list(read_blocks(resolve([str(path)])))


def test_a_column_tells_json_lines_from_text_and_must_have_a_use(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text('{"body": "x"}\n')
    assert resolve([str(tmp_path / "a.txt")], "body")[0].kind == "jsonl"
    (tmp_path / "a.txt").write_text("text\n")
    with pytest.raises(StreamvecError, match=r"a\.txt: --column body is given, but no input has columns"):
        resolve([str(tmp_path / "a.txt")], "body")
    assert resolve(["-"], "body") == [Source("-", "text", "", None)]


def test_a_fingerprint_shows_every_change_of_the_ends_and_of_the_size(tmp_path: Path) -> None:
    path = tmp_path / "a"
    content = bytearray(300_000)
    path.write_bytes(content)
    os.utime(path, ns=(5, 5))
    source = resolve([str(path)])[0]
    before = fingerprint(source)
    assert before == fingerprint(source)
    assert before["path"] == str(path)
    assert (before["size"], before["modified"]) == (300_000, 5)
    for place in (0, 65_535, 240_000, 299_999):
        changed = bytearray(content)
        changed[place] = 1
        path.write_bytes(changed)
        os.utime(path, ns=(5, 5))
        assert fingerprint(source) != before
    path.write_bytes(content + b"\0")
    assert fingerprint(source)["size"] == 300_001
    path.unlink()
    with pytest.raises(StreamvecError, match="a: no such file"):
        fingerprint(source)


class Terminal(io.BytesIO):
    def isatty(self) -> bool:
        return True


class Slow(io.BytesIO):
    """Like a pipe: gives a few bytes at a time."""

    def read(self, size: int | None = -1) -> bytes:
        return super().read(min(7, size or 7))


def text_of(source: Source, column: str | None = None) -> bytes:
    return b"".join(block.data for block in read_blocks([source], column))


@pytest.mark.parametrize("pack", [bytes, gzip.compress, bz2.compress, zstd.compress])
def test_standard_input_is_kept_and_can_be_read_twice(tmp_path: Path, pack: Any) -> None:
    text = b"some words\nand more\n" * 1000
    source = spool(Slow(pack(text)), tmp_path / "input.zst")
    assert source == Source(str(tmp_path / "input.zst"), "text", "zst", (tmp_path / "input.zst").stat().st_size)
    assert text_of(source) == text_of(source) == text


def test_tables_and_json_lines_may_come_by_standard_input(tmp_path: Path) -> None:
    pq.write_table(pa.table({"text": ["x", "y"]}), tmp_path / "a")
    assert text_of(spool(Slow((tmp_path / "a").read_bytes()), tmp_path / "input.zst")) == b"x\ny\n"
    assert text_of(spool(Slow(b'{"body": "x"}'), tmp_path / "input2.zst", "body"), "body") == b"x\n"


def test_a_terminal_and_an_empty_pipe_are_refused_and_nothing_is_left(tmp_path: Path) -> None:
    path = tmp_path / "input.zst"
    with pytest.raises(StreamvecError, match="standard input is a terminal: pipe text in, or name a file"):
        spool(Terminal(b"x"), path)
    with pytest.raises(StreamvecError, match=r"standard input.* is empty"):
        spool(io.BytesIO(b""), path)
    with pytest.raises(StreamvecError, match=r"standard input.*: cut short"):
        spool(io.BytesIO(gzipped(b"x" * 1000)[:-3]), path)
    assert list(tmp_path.iterdir()) == []


def test_standard_input_must_be_kept_before_it_is_read() -> None:
    with pytest.raises(ValueError, match="standard input must be spooled"):
        list(read_blocks(resolve(["-"])))


@pytest.mark.parametrize("pack", [bytes, gzip.compress, bz2.compress, zstd.compress])
@pytest.mark.parametrize("lines", [0, 10, 100_000])
def test_the_estimate_is_near_the_truth(tmp_path: Path, pack: Any, lines: int) -> None:
    text = b"".join(b"line %d of some text, %x\n" % (number, number * 2654435761) for number in range(lines))
    (tmp_path / "a").write_bytes(pack(text))
    estimate = estimate_text_bytes(resolve([str(tmp_path / "a")])[0])
    assert estimate is not None
    assert abs(estimate - len(text)) <= 0.15 * len(text)
