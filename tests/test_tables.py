"""Parquet and Arrow files: one column, a row a document, entered at any row, and damage is noticed."""

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet as pq
import pytest

from streamvec.corpus.blocks import Block, Place, read_blocks
from streamvec.corpus.estimate import estimate_text_bytes
from streamvec.corpus.sources import resolve
from streamvec.errors import StreamvecError


def write_parquet(path: Path, table: pa.Table) -> None:
    pq.write_table(table, path, row_group_size=7)


def write_file(path: Path, table: pa.Table) -> None:
    with pa.ipc.new_file(path, table.schema) as writer:
        writer.write_table(table, max_chunksize=5)


def write_stream(path: Path, table: pa.Table) -> None:
    with pa.ipc.new_stream(path, table.schema) as writer:
        writer.write_table(table, max_chunksize=5)


def write_feather(path: Path, table: pa.Table) -> None:
    pyarrow.feather.write_feather(table, path, compression="zstd", chunksize=6)


WRITERS: dict[str, Callable[[Path, pa.Table], None]] = {
    "parquet": write_parquet,
    "arrow": write_file,
    "arrows": write_stream,
    "feather": write_feather,
}


def read(path: Path, column: str | None = None, block_bytes: int = 1 << 22) -> list[Block]:
    return list(read_blocks(resolve([str(path)], column), column, block_bytes=block_bytes))


def documents(path: Path, column: str | None = None) -> list[bytes]:
    return b"".join(block.data for block in read(path, column)).split(b"\n")[:-1]


@pytest.mark.parametrize("name", WRITERS)
@pytest.mark.parametrize("block_bytes", [1, 30, 200, 1 << 20])
def test_rows_are_documents_and_blocks_can_be_entered_anywhere(tmp_path: Path, name: str, block_bytes: int) -> None:
    rng = random.Random(1)
    texts = ["".join(rng.choices("ab 한\n", k=rng.choice([0, 3, 20, 60]))) for _ in range(40)]
    texts[3] = None  # type: ignore[call-overload]
    WRITERS[name](tmp_path / f"a.{name}", pa.table({"id": range(40), "text": texts, "other": ["x"] * 40}))
    expected = [(text or "").replace("\n", " ").encode() for text in texts]
    sources = resolve([str(tmp_path)])
    assert sources[0].kind == ("parquet" if name == "parquet" else "arrow")
    blocks = list(read_blocks(sources, block_bytes=block_bytes))
    assert b"".join(block.data for block in blocks) == b"\n".join(expected) + b"\n"
    rows = 0
    for block in blocks:
        count = block.data.count(b"\n")
        assert block[1:2] + block[3:] == (Place(0, rows), False, False, 0)
        assert len(block.data) <= block_bytes or count == 1
        rows += count
        again = list(read_blocks(sources, start=block.place, number=block.number, block_bytes=block_bytes))
        assert again == blocks[block.number :]


@pytest.mark.parametrize("name", WRITERS)
@pytest.mark.parametrize(
    "array",
    [
        pa.array(["one", None, "two"], pa.large_string()),
        pa.array(["one", None, "two"], pa.string_view()),
        pa.array([b"one", None, b"two"], pa.binary()),
        pa.array(["one", None, "two"]).dictionary_encode(),
        pa.array([["one"], None, ["two"]], pa.list_(pa.string())),
        pa.array([["one"], None, ["two"]], pa.large_list(pa.large_string())),
        pa.array([["one"], [], ["two"]]),
    ],
    ids=lambda array: str(array.type),
)
def test_every_type_of_text_is_read(tmp_path: Path, name: str, array: pa.Array) -> None:
    path = tmp_path / f"a.{name}"
    WRITERS[name](path, pa.table({"n": [1, 2, 3], "c": array}))
    assert documents(path, "c") == [b"one", b"", b"two"]


def test_lists_of_strings_are_joined_by_spaces(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    write_parquet(path, pa.table({"words": [["a", "b"], [], None, ["c\nd", None, "e"]]}))
    assert documents(path, "words") == [b"a b", b"", b"", b"c d  e"]


def test_bytes_that_are_no_utf8_pass_as_they_are(tmp_path: Path) -> None:
    bad = pa.Array.from_buffers(
        pa.string(), 2, [None, pa.py_buffer(b"\0\0\0\0\4\0\0\0\6\0\0\0"), pa.py_buffer(b"a\xff\xfeb\xc3c")]
    )
    write_file(tmp_path / "a.arrow", pa.table({"text": bad}))
    assert documents(tmp_path / "a.arrow") == [b"a\xff\xfeb", b"\xc3c"]


@pytest.mark.parametrize("name", WRITERS)
@pytest.mark.parametrize(
    ("columns", "column", "message"),
    [
        ({"a": ["x"], "b": [1]}, "text", r"no column 'text', or more than one; there are a \(string\), b \(int64\)"),
        ({"a": ["x"], "b": [1]}, "b", r"column 'b' is int64, not text"),
        ({"a": ["x"], "b": [[1]]}, "b", r"column 'b' is list<.*int64>, not text"),
        ({"a": ["x"], "b": ["y"]}, None, r"which column holds the text\? say --column; there are a \(string\), b"),
        ({"b": [1]}, None, r"which column holds the text"),
    ],
)
def test_a_wrong_column_is_named_with_those_there_are(
    tmp_path: Path, name: str, columns: dict[str, Any], column: str | None, message: str
) -> None:
    path = tmp_path / f"a.{name}"
    WRITERS[name](path, pa.table(columns))
    with pytest.raises(StreamvecError, match=message):
        read(path, column)


def test_the_only_column_of_strings_is_taken(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    write_parquet(path, pa.table({"n": [1], "body": ["x"]}))
    assert documents(path) == [b"x"]


@pytest.mark.parametrize("name", WRITERS)
def test_a_file_cut_anywhere_is_noticed(tmp_path: Path, name: str) -> None:
    path = tmp_path / f"a.{name}"
    table = pa.table({"text": [f"document {number} " * 9 for number in range(20)]})
    WRITERS[name](path, table)
    whole = path.read_bytes()
    for length in range(8, len(whole), 131):
        path.write_bytes(whole[:length])
        with pytest.raises(StreamvecError, match=rf"a\.{name}: "):
            read(path)


def test_a_file_with_another_content_than_its_name_says_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.parquet").write_bytes(b"just text\n")
    with pytest.raises(StreamvecError, match=r"a\.parquet: not a Parquet or Arrow file"):
        resolve([str(tmp_path / "a.parquet")])


@pytest.mark.parametrize("name", WRITERS)
def test_the_estimate_is_near_the_truth(tmp_path: Path, name: str) -> None:
    path = tmp_path / f"a.{name}"
    table = pa.table({"text": [random.Random(n).randbytes(200).hex() for n in range(2000)], "n": range(2000)})
    if name == "parquet":
        pq.write_table(table, path)
    elif name == "feather":
        pyarrow.feather.write_feather(table, path, compression="zstd")
    else:
        WRITERS[name](path, table)
    estimate = estimate_text_bytes(resolve([str(path)])[0])
    assert estimate is not None
    assert abs(estimate / (2000 * 401) - 1) < 0.3


def test_other_columns_are_not_read(tmp_path: Path) -> None:
    """The file is damaged where another column lies, and reads well all the same."""
    path = tmp_path / "a.parquet"
    table = pa.table({"big": [random.Random(n).randbytes(5000) for n in range(10)], "text": ["x"] * 10})
    pq.write_table(table, path, compression="none", use_dictionary=False)
    raw = bytearray(path.read_bytes())
    raw[4:40_000] = bytes(len(raw[4:40_000]))
    path.write_bytes(raw)
    assert documents(path, "text") == [b"x"] * 10
