"""Lines and documents from files and from what comes on stdin, in bounded pieces."""

import gzip
import io
import json
from pathlib import Path

import pytest

from streamvec.errors import StreamvecError
from streamvec.vectors import linereader
from streamvec.vectors.linereader import even_groups, read_documents, read_lines


class Pipe(io.BytesIO):
    """Gives what was written at once, and no more at a time."""

    def __init__(self, *pieces: bytes) -> None:
        self.pieces = list(pieces)

    def read1(self, size: int | None = -1, /) -> bytes:
        return self.pieces.pop(0) if self.pieces else b""


def lines_of(*inputs: str, stdin: io.BytesIO | None = None) -> list[str]:
    return [line for group in read_lines(inputs, stdin or Pipe()) for line in group]


def test_lines_of_stdin_come_when_they_are_whole() -> None:
    groups = list(read_lines([], Pipe(b"one\ntw", b"o", b"\n\nthree\r\nfo", b"ur")))
    assert groups == [["one"], ["two", "", "three"], ["four"]]
    assert lines_of(stdin=Pipe(b"")) == [] and lines_of("-", stdin=Pipe(b"\n")) == [""]
    assert lines_of(stdin=Pipe("\ufeffé\n".encode())) == ["é"]
    assert lines_of(stdin=Pipe(b"\xff\n")) == ["\ufffd"]


def test_compressed_stdin_and_files_in_their_order(tmp_path: Path) -> None:
    packed = gzip.compress(b"a\nb\n")
    (tmp_path / "x.txt.gz").write_bytes(packed)
    (tmp_path / "y.txt").write_text("c\n\nd")
    (tmp_path / "z.jsonl").write_text('{"text": "e\\nf"}\n{"text": ""}\n')
    names = [str(tmp_path / name) for name in ("y.txt", "x.txt.gz", "z.jsonl")]
    assert lines_of(*names) == ["c", "", "d", "a", "b", "e f", ""]
    assert lines_of(stdin=Pipe(packed[:3], packed[3:])) == ["a", "b"]
    assert lines_of(names[0], "-", stdin=Pipe(b"p\n")) == ["c", "", "d", "p"]


def test_groups_are_bounded_and_even_ones_depend_on_lines_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(linereader, "_LINES", 3)
    monkeypatch.setattr(linereader, "_CHARACTERS", 10)
    assert max(map(len, read_lines([], Pipe(b"\n" * 100)))) == 3
    text = b"1\n22\n333\n4444\n55555\n666666666666\n7\n8\n"
    expected = [["1", "22", "333"], ["4444", "55555", "666666666666"], ["7", "8"]]
    for cut in range(len(text)):
        assert list(even_groups(read_lines([], Pipe(text[:cut], text[cut:])))) == expected


def test_a_line_that_never_ends_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(linereader, "LONGEST", 1000)
    assert lines_of(stdin=Pipe(b"x" * 600, b"y" * 400, b"\n")) == ["x" * 600 + "y" * 400]
    for pieces in ([b"x" * 1001 + b"\n"], [b"x" * 600, b"y" * 401]):
        with pytest.raises(StreamvecError, match="a line of more than"):
            lines_of(stdin=Pipe(*pieces))
    (tmp_path / "long.txt").write_text("short\n" * 300)
    with pytest.raises(StreamvecError, match=r"long\.txt: a document of more than"):
        list(read_documents([str(tmp_path / "long.txt")], Pipe()))


def test_documents(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("One.\n\nTwo.\n")
    (tmp_path / "b.jsonl").write_text("".join(json.dumps({"text": text}) + "\n" for text in ("Three.", "Four.")))
    names = [str(tmp_path / "a.txt"), str(tmp_path / "b.jsonl")]
    found = list(read_documents(names, Pipe()))
    assert found == [
        (names[0], "One.\n\nTwo.\n"),
        (f"{names[1]}, document 1", "Three."),
        (f"{names[1]}, document 2", "Four."),
    ]
    assert list(read_documents([], Pipe(b"Five.", b"\nSix."))) == [("-", "Five.\nSix.")]


def test_what_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(StreamvecError, match=r"missing\.txt: no such file"):
        lines_of(str(tmp_path / "missing.txt"))
    with pytest.raises(StreamvecError, match="stdin: a Parquet or Arrow file"):
        lines_of(stdin=Pipe(b"PAR1" + b"x" * 20))
    with pytest.raises(StreamvecError, match="stdin"):
        lines_of(stdin=Pipe(gzip.compress(b"whole\n")[:-3]))
