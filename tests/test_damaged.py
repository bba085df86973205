"""Damaged files of every format: a clear error with the place, or the vectors that the bytes say; never a crash."""

import json
import os
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tally
from damaged_files import WORDS, fasttext_model, loaded, saved, vectors
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streamvec.errors import StreamvecError
from streamvec.vectors import KeyedVectors, rows
from streamvec.vectors.exports import export_vectors
from streamvec.vectors.ngramfile import CHECKSUM, beside, write_ngrams

TESTS = Path(__file__).parent
# Formats that hold a checksum of all that is looked at (Parquet: of its pages): no change may go unnoticed.
CHECKED = (
    *("v.safetensors", "small.safetensors", "v.parquet", "small.parquet", "v.feather", "small.feather"),
    *("v.vec.gz", "v.vec.zst", "float32.arrow", "float16.arrow", "int8.arrow", "n.ngrams.arrow"),
)
# Formats whose length is stated or implied: no prefix may be taken for whole, but where only white space is missing.
MEASURED = ("v.bin", "gensim.bin", "a.npy", "k.kv", "k.kv.vectors.npy", "inline.kv", "fasttext.bin", "lists.parquet")


def battery(folder: Path, prefixes: int, flips: int, seed: int) -> dict[str, dict[str, Any]]:
    """What a process of its own found, by kind; it must not die."""
    command = [sys.executable, str(TESTS / "damaged_files.py"), str(folder), str(prefixes), str(flips), str(seed)]
    environment = {**os.environ, "ARROW_DEFAULT_MEMORY_POOL": "system", "PYTHONFAULTHANDLER": "1"}
    ended = subprocess.run(command, capture_output=True, encoding="utf-8", timeout=3600, env=environment)
    current = folder / "current"
    at = current.read_text(encoding="utf-8") if current.exists() else "nothing yet"
    assert ended.returncode == 0, f"{at}: {ended.stderr[-4000:]}"
    assert ended.stderr == ""
    return {one["kind"]: one for one in map(json.loads, ended.stdout.splitlines())}


def check(found: dict[str, dict[str, Any]]) -> None:
    assert len(found) == 28
    for name, one in found.items():
        assert not one["wrong"], (name, len(one["wrong"]), one["wrong"][0])
        assert one["tried"] == one["refused"] + one["same"] + one["other"]
        tally.count("damaged files tried: of vectors", one["tried"])
        tally.count("damaged files refused: of vectors", one["refused"])
        assert one["refused"] > one["tried"] / 4, name
        assert one["memory"] < 400 << 20, name
        if name in CHECKED:
            assert not one["others"], (name, one["others"])
        if name in MEASURED:
            assert not [what for what in one["others"] if what.startswith("the first")], (name, one["others"])


def test_damaged_files_of_every_format(tmp_path: Path) -> None:
    check(battery(tmp_path, 30, 40, 1))


@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("seed", [2, 3])
def test_many_damaged_files_of_every_format(tmp_path: Path, seed: int) -> None:
    check(battery(tmp_path, 5000, 2000, seed))


PIECES = [b" ", b"\n", b"\t", b"nan", b"9" * 18]
MAGIC = [b"", b"\x80\4", b"PAR1", b"ARROW1\0\0", b"3 2\n", b"\x93NUMPY\1\0"]
SHAPE = b"{'descr':'<f4','fortran_order':False,'shape':(999999999999999999,99999)}"


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), name=st.sampled_from(["v.vec", "glove", "v.bin", "projector", "k.kv", "f.bin"]))
def test_changes_that_nobody_thought_of(tmp_path: Path, data: st.DataObject, name: str) -> None:
    """Whatever becomes of a file: one line that names it, or finite vectors of distinct words."""
    path = tmp_path / name
    target = path / "metadata.tsv" if name == "projector" else path
    if name == "f.bin":
        path.write_bytes(fasttext_model())
    else:
        export_vectors(vectors(), path, name if name in ("glove", "projector") else None, overwrite=True)
    content = bytearray(target.read_bytes())
    for _ in range(data.draw(st.integers(1, 4), "how many")):
        start = data.draw(st.integers(0, len(content)), "from")
        stop = data.draw(st.integers(start, min(len(content), start + 12)), "to")
        content[start:stop] = data.draw(
            st.binary(max_size=12) | st.sampled_from([b" ", b"\n", b"\t", b"nan", b"9" * 18])
        )
    target.write_bytes(content)
    try:
        loaded(path)
    except StreamvecError as problem:
        assert name in str(problem) and "\n" not in str(problem)


@settings(deadline=None, max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    content=st.binary(max_size=300),
    magic=st.sampled_from([b"", b"\x80\4", b"PAR1", b"ARROW1\0\0", b"3 2\n", b"\x93NUMPY\1\0"]),
)
def test_any_bytes_at_all(tmp_path: Path, content: bytes, magic: bytes) -> None:
    path = tmp_path / "v"
    path.write_bytes(magic + content)
    try:
        loaded(path)
    except StreamvecError as problem:
        assert "\n" not in str(problem)


def table(path: Path, **columns: Any) -> None:
    pq.write_table(pa.table(columns), path)


NAN = np.array([[1, 2], [3, np.nan]], np.float32)


def test_nan_is_named_with_its_row_in_every_format(tmp_path: Path) -> None:
    (tmp_path / "text").write_bytes(b"2 2\na 1 2\nb 3 nan\n")
    (tmp_path / "glove").write_bytes(b"a 1 2\nb 3 inf\n")
    (tmp_path / "binary").write_bytes(b"2 2\na " + NAN[0].tobytes() + b"\nb " + NAN[1].tobytes() + b"\n")
    np.save(tmp_path / "n.npy", NAN)
    (tmp_path / "n.words.txt").write_text("a\nb\n")
    table(tmp_path / "parquet", word=["a", "b"], vector=NAN.tolist())
    saved(tmp_path / "kv", ["a", "b"], NAN)
    projector = tmp_path / "projector"
    projector.mkdir()
    (projector / "tensors.tsv").write_text("1\t2\n3\tnan\n")
    (projector / "metadata.tsv").write_text("a\nb\n")
    torch_like = tmp_path / "safetensors"
    export_vectors(KeyedVectors.from_arrays(["a", "b"], np.array([[1, 2], [3, 4]])), torch_like, "safetensors")
    raw = torch_like.read_bytes().replace(np.float32(4).tobytes(), np.float32("nan").tobytes())
    torch_like.write_bytes(raw.replace(b"streamvec.checksum", b"another's checksum"))
    for name in ("text", "glove", "binary", "n.npy", "parquet", "kv", "projector", "safetensors"):
        with pytest.raises(StreamvecError, match=rf"{name}, row 2: the vector of 'b' holds NaN or infinity"):
            KeyedVectors.load(tmp_path / name)


def test_nan_in_our_own_files_is_named(tmp_path: Path) -> None:
    path = tmp_path / "v.arrow"
    KeyedVectors.from_arrays(["a", "b"], np.array([[1.5, 2], [3, 4.25]])).save(path)
    whole = path.read_bytes()
    path.write_bytes(whole.replace(np.float32(4.25).tobytes(), np.float32("nan").tobytes()))
    opened = KeyedVectors.load(path)
    for ask in (lambda: opened["b"], lambda: opened.similarity("a", "b"), lambda: opened[["a", "b"]]):
        with pytest.raises(StreamvecError, match="the vector of 'b' holds NaN or infinity: run streamvec verify"):
            ask()
    with pytest.raises(StreamvecError, match="damaged: its content has checksum"):
        export_vectors(opened, tmp_path / "v.vec")
    norm = np.float32(np.hypot(3, 4.25)).tobytes()
    assert whole.count(norm) == 1
    path.write_bytes(whole.replace(norm, np.float32("inf").tobytes()))
    with pytest.raises(StreamvecError, match="the norm of 'b' is NaN or infinity"):
        KeyedVectors.load(path)


def test_nan_in_ngrams_is_named(tmp_path: Path) -> None:
    path = tmp_path / "n.arrow"
    matrix = np.full((50, 2), 1.25, np.float32)
    checksum = write_ngrams(beside(path), np.arange(50, dtype=np.int32), lambda a, b: matrix[a:b], 2, (3, 4), 50)
    KeyedVectors.from_arrays(["a"], np.ones((1, 2)), info={CHECKSUM: checksum}).save(path)
    raw = beside(path).read_bytes()
    beside(path).write_bytes(raw.replace(np.float32(1.25).tobytes(), np.float32("nan").tobytes()))
    with pytest.raises(StreamvecError, match="the n-grams of 'unseen' hold NaN or infinity: run streamvec verify"):
        KeyedVectors.load(path)["unseen"]


def test_repeated_words_and_wrong_bytes_are_counted_with_their_place(tmp_path: Path) -> None:
    matrix = np.arange(8, dtype=np.float32).reshape(4, 2)
    raw = [b"a", b"b\xff", b"a", b"c"]
    (tmp_path / "binary").write_bytes(
        b"4 2\n" + b"".join(word + b" " + row.tobytes() for word, row in zip(raw, matrix, strict=True))
    )
    (tmp_path / "glove").write_bytes(
        b"".join(word + b" %d %d\n" % tuple(row) for word, row in zip(raw, matrix, strict=True))
    )
    for name in ("binary", "glove"):
        found = KeyedVectors.load(tmp_path / name)
        assert list(found.words) == ["a", "b\ufffd", "c"] and found["c"].tolist() == [6, 7]
        assert "1 rows repeat an earlier word and were left out ('a' in row 3)" in found.notes[0]
        assert (
            "1 words are not UTF-8: their wrong bytes were replaced by U+FFFD (the first is 'b\ufffd')"
            in found.notes[1]
        )
    table(tmp_path / "parquet", word=["a", "b", "a"], vector=matrix[:3].tolist())
    assert "('a' in row 3)" in KeyedVectors.load(tmp_path / "parquet").notes[0]
    binary = pa.array([b"a", b"b\xff"], pa.binary())
    table(tmp_path / "parquet", word=binary.view(pa.utf8()), vector=matrix[:2].tolist())
    with pytest.raises(StreamvecError, match=r"parquet: .*UTF"):
        KeyedVectors.load(tmp_path / "parquet")


def test_a_last_line_without_its_end_is_told(tmp_path: Path) -> None:
    (tmp_path / "v").write_bytes(b"2 2\na 1 2\nb 3 4.5")
    assert KeyedVectors.load(tmp_path / "v").notes == [
        f"{tmp_path / 'v'}: its last line has no end: where it was cut short, what stands last is wrong"
    ]


def test_rows_of_word2vec_binary_end_alike(tmp_path: Path) -> None:
    path = tmp_path / "v.bin"
    export_vectors(vectors(), path)
    whole = path.read_bytes()
    place = whole.index(b"river") + 2
    path.write_bytes(whole[:place] + b" " + whole[place + 1 :])  # the row is now one of "ri", and all behind it shifted
    with pytest.raises(StreamvecError, match="damaged before word 8: rows do not end alike"):
        KeyedVectors.load(path)


@pytest.mark.parametrize(
    ("header", "rest"),
    [
        (b"1000000000000000000 3\n", b"a 1 2 3\n"),
        (b"3 999999999\n", b"a 1 2 3\n"),
        (b"999999999999999999 1000000\n", b"a " + bytes(12)),
        (b"3 999999999\n", b"a " + bytes(12)),
        (b"\x93NUMPY\2\0\xff\xff\xff\xff", b"{'descr': '<f4'"),
        (
            b"\x93NUMPY\1\0v\0",
            SHAPE.ljust(117) + b"\n",
        ),
        (b"\xff\xff\xff\x00\x00\x00\x00\x00{", b'"vectors":{}}'),
        (b"\x80\x04\x8e\xff\xff\xff\xff\xff\xff\xff\x7f", b"abc."),
        (b"\x80\x04]", b"r\xff\xff\xff\xff."),
    ],
    ids=str,
)
def test_headers_that_promise_too_much(tmp_path: Path, header: bytes, rest: bytes) -> None:
    path = tmp_path / "v"
    path.write_bytes(header + rest)
    (tmp_path / "v.words.txt").write_text("a\n")
    with pytest.raises(StreamvecError):
        KeyedVectors.load(path)


def test_a_page_of_parquet_that_promises_too_much(tmp_path: Path) -> None:
    path = tmp_path / "v.parquet"
    export_vectors(vectors(), path)
    raw = path.read_bytes()
    # The first page's header: field 1, its type; field 2, bytes once decompressed; field 3, bytes here.
    assert raw[4:7] == b"\x15\x00\x15"
    end = 7
    while raw[end] & 0x80:
        end += 1
    path.write_bytes(raw[:7] + b"\xfe\xff\xff\xff\x0f" + raw[end + 1 :])
    with pytest.raises(StreamvecError, match=r"damaged at byte 4: a page of .* bytes is to hold 2,147,483,647"):
        KeyedVectors.load(path)


def test_statistics_that_end_pyarrow_do_not_end_us(tmp_path: Path) -> None:
    """pyarrow 26 ends the process for these when its view of a column's metadata is asked for."""
    code = """if 1:
        import sys
        from pathlib import Path
        from streamvec.errors import StreamvecError
        from streamvec.vectors import KeyedVectors
        path = Path(sys.argv[1])
        whole = path.read_bytes()
        for place in range(len(whole) * 3 // 8, len(whole)):
            for bit in (1, 6):
                path.write_bytes(whole[:place] + bytes([whole[place] ^ 1 << bit]) + whole[place + 1 :])
                try:
                    KeyedVectors.load(path)
                except StreamvecError:
                    pass
    """
    path = tmp_path / "v.parquet"
    export_vectors(vectors(), path)
    ended = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, encoding="utf-8", timeout=300)
    assert ended.returncode == 0, ended.stderr


def test_odd_tables(tmp_path: Path) -> None:
    matrix, small = [[1.0, 2.0], [3.0, 4.0]], pa.array([[1], [2]], pa.list_(pa.int8()))
    for columns, message in (
        ({"word": ["a", "b"], "vector": matrix, "count": pa.array([2**64 - 1, 1], pa.uint64())}, "is no number"),
        (
            {"word": ["a", "b"], "vector": pa.array([[], []], pa.list_(pa.float32()))},
            "the vector of row 1 has 0 numbers",
        ),
        ({"word": ["a", "b"], "vector": [[1.0, None], [2.0, 3.0]]}, "a number is missing"),
        ({"word": ["a", "b"], "vector": [[1.0, 2.0], None]}, "numbers are missing"),
        (
            {"word": ["a", "b"], "vector": small, "scale": [1.0, None]},
            "row 2: the vector of 'b' holds NaN",
        ),
    ):
        table(tmp_path / "t.parquet", **columns)
        with pytest.raises(StreamvecError, match=message):
            KeyedVectors.load(tmp_path / "t.parquet")
    twice = pa.table([["a"], [1.0], [2.0]], names=["word", "x", "x"])
    with pa.OSFile(str(tmp_path / "t.arrow"), "wb") as file, pa.ipc.new_file(file, twice.schema) as writer:
        writer.write_table(twice)
    with pytest.raises(StreamvecError, match="2 columns are called 'x'"):
        KeyedVectors.load(tmp_path / "t.arrow")


def test_counts_of_a_projector_that_no_number_holds(tmp_path: Path) -> None:
    export_vectors(vectors(), tmp_path / "p", "projector")
    path = tmp_path / "p" / "metadata.tsv"
    path.write_text(path.read_text(encoding="utf-8").replace("\t8\n", "\t99999999999999999999\n"), encoding="utf-8")
    with pytest.raises(StreamvecError, match=r"metadata\.tsv: a count is no whole number"):
        KeyedVectors.load(tmp_path / "p")


def test_lengths_of_a_fasttext_model_are_believed_by_none(tmp_path: Path) -> None:
    whole = fasttext_model()
    for place in range(8, 8 + 12 * 4 + 8 + 28, 4):
        for number in (0x7FFFFFFF, 0xFFFFFFFF, 0x80000000):
            path = tmp_path / "f.bin"
            path.unlink(missing_ok=True)
            path.write_bytes(whole[:place] + struct.pack("<I", number) + whole[place + 4 :])
            try:
                assert loaded(path)[0] == WORDS
            except StreamvecError as problem:
                assert "f.bin" in str(problem)


def test_blocks_of_any_size_name_the_same_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "v").write_bytes(b"".join(b"w%d 1 %s\n" % (row, b"nan" if row == 70 else b"2") for row in range(100)))
    for size in (1, 50, 1 << 20):
        monkeypatch.setattr(rows, "BLOCK", size)
        with pytest.raises(StreamvecError, match="row 71: the vector of 'w70'"):
            KeyedVectors.load(tmp_path / "v")
