"""Formats: what we write, others and we read back exactly; what others write, we read; what is damaged is named."""

import gzip
import itertools
import pickle
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streamvec.disk.arrow import verify_arrow
from streamvec.errors import StreamvecError
from streamvec.vectors import KeyedVectors, rows
from streamvec.vectors.arrays import words_beside
from streamvec.vectors.escapes import escape, unescape
from streamvec.vectors.exports import export_vectors
from streamvec.vectors.formats import FORMATS, detect, import_vectors

ODD = [
    "plain", "new york", " ", "  two  ", "a\nb", "\n", "a\tb", "nb\u00a0sp", "u\u2028s", "", "3", "3.5", "-1e5", "nan",
    "␛", "␛␠", "␛␛∅", "␛∅", "␠", "\r", "x\r", "\u0085", "\ufeffbom", "서울", "👩‍🚀", '"quoted"', "'", "#", "a\\nb",
    "\x00",     "Catch 22", ". . .", "2 1", "\v\f", "comma,", "\x1c", "null", "NA",
]  # fmt: skip


def odd_vectors(dim: int = 3) -> KeyedVectors:
    bits = np.random.default_rng(0).integers(0, 2**32, len(ODD) * dim * 2, dtype=np.uint32).view(np.float32)
    some = bits[np.isfinite(bits) & (np.abs(bits) < 1e37)][: len(ODD) * dim].reshape(-1, dim).copy()
    some.flat[:8] = [0, -0.0, 1, 1e-45, 1e10, 16777216, 0.1, -7]
    return KeyedVectors.from_arrays(ODD, some, np.arange(len(ODD), 0, -1))


def assert_same(found: KeyedVectors, expected: KeyedVectors) -> None:
    assert list(found.words) == list(expected.words)
    assert np.array_equal(found.vectors.view(np.uint32), expected.vectors.view(np.uint32))


@pytest.mark.parametrize("dim", [1, 3])
@pytest.mark.parametrize("format", FORMATS)
def test_any_word_and_every_bit_comes_back(tmp_path: Path, format: str, dim: int) -> None:
    vectors = odd_vectors(dim)
    out = tmp_path / "out"
    if format == "npy":
        out = tmp_path / "out.npy"
    assert export_vectors(vectors, out, format).format == format
    assert_same(KeyedVectors.load(out), vectors)
    if format == "streamvec":
        with pytest.raises(StreamvecError, match="already vectors as streamvec writes them"):
            import_vectors(out, tmp_path / "back.arrow")
        return
    done = import_vectors(out, tmp_path / "back.arrow", format)
    assert (done.words, done.dim, done.notes) == (len(ODD), dim, [])
    back = KeyedVectors.load(tmp_path / "back.arrow")
    assert_same(back, vectors)
    verify_arrow(tmp_path / "back.arrow")
    counted = format in ("parquet", "arrow", "safetensors", "projector", "gensim")
    assert np.array_equal(back.counts, vectors.counts if counted else np.zeros(len(ODD)))
    assert not list(tmp_path.glob("*.partial"))


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(words=st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=6), min_size=1, unique=True))
def test_words_that_nobody_thought_of(tmp_path: Path, words: list[str]) -> None:
    matrix = np.random.default_rng(len(words)).standard_normal((len(words), 2)).astype(np.float32)
    vectors = KeyedVectors.from_arrays(words, matrix)
    for format in ("word2vec-text", "word2vec-binary", "glove", "projector"):
        export_vectors(vectors, tmp_path / format, format, overwrite=True)
        assert_same(KeyedVectors.load(tmp_path / format), vectors)


@pytest.mark.parametrize("suffix", [".gz", ".bz2", ".xz", ".zst"])
@pytest.mark.parametrize("format", ["word2vec-text", "word2vec-binary", "glove", "fasttext-vec"])
def test_compressed(tmp_path: Path, format: str, suffix: str) -> None:
    vectors = odd_vectors()
    out = tmp_path / f"v{suffix}"
    export_vectors(vectors, out, format)
    assert_same(KeyedVectors.load(out), vectors)
    if format == "glove":
        out.write_bytes(out.read_bytes()[:-20])
        with pytest.raises(StreamvecError, match=r"cut short|damaged"):
            KeyedVectors.load(out)


def test_blocks_of_any_size_read_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    vectors = odd_vectors()
    export_vectors(vectors, tmp_path / "v.txt", "glove")
    for size in (1, 7, 64):
        monkeypatch.setattr(rows, "BLOCK", size)
        assert_same(KeyedVectors.load(tmp_path / "v.txt"), vectors)


def test_underscores_are_no_part_of_a_number(tmp_path: Path) -> None:
    (tmp_path / "v.txt").write_text("b 2 3\na 1_0 2\n")
    with pytest.raises(StreamvecError, match=r"line 2.*expected a number, got '1_0'"):
        KeyedVectors.load(tmp_path / "v.txt")


def test_escapes() -> None:
    assert escape("new york") == "new␛␠york" and escape("word") == "word" and escape("␠") == "␠"
    assert [unescape(escape(word)) for word in ODD] == ODD
    assert unescape("␛x") == "␛x"  # another tool's word


def test_gensim_reads_what_we_write(tmp_path: Path) -> None:
    gensim = pytest.importorskip("gensim.models")
    vectors = odd_vectors()
    for format, more in (
        ("word2vec-text", {"binary": False}),
        ("word2vec-binary", {"binary": True}),
        ("fasttext-vec", {}),
        ("glove", {"no_header": True}),
        ("word2vec-text.gz", {"binary": False}),
    ):
        out = tmp_path / format
        export_vectors(vectors, out, format.removesuffix(".gz"))
        theirs = gensim.KeyedVectors.load_word2vec_format(str(out), **more)
        assert theirs.index_to_key == [escape(word) for word in ODD]
        assert np.array_equal(theirs.vectors.view(np.uint32), vectors.vectors.view(np.uint32))


@pytest.mark.parametrize("binary", [False, True])
@pytest.mark.parametrize("header", [False, True])
def test_we_read_what_gensim_writes(tmp_path: Path, binary: bool, header: bool) -> None:
    gensim = pytest.importorskip("gensim.models")
    if binary and not header:
        pytest.skip("gensim writes no binary without a header that could be told from other bytes")
    theirs = gensim.KeyedVectors(3)
    plain = [word for word in ODD if word and not set(word) & set(" \t\n\r\v\f␛")]
    matrix = odd_vectors().vectors[: len(plain)]
    theirs.add_vectors(plain, matrix)
    theirs.save_word2vec_format(str(tmp_path / "v"), binary=binary, write_header=header)
    ours = KeyedVectors.load(tmp_path / "v")
    assert list(ours.words) == plain
    if binary:
        assert np.array_equal(ours.vectors, matrix)
    else:
        np.testing.assert_allclose(ours.vectors, matrix, rtol=1e-5)


def test_the_small_files_of_gensim() -> None:
    tests = pytest.importorskip("gensim.test.utils")
    gensim = pytest.importorskip("gensim.models")
    for name, format in (
        ("euclidean_vectors.bin", "word2vec-binary"),
        ("poincare_vectors.bin", "word2vec-binary"),
        ("high_precision.kv.bin", "word2vec-binary"),
        ("high_precision.kv.txt", "word2vec-text"),
        ("lee_fasttext.vec", "word2vec-text"),
        ("crime-and-punishment.vec", "word2vec-text"),
        ("pang_lee_polarity_fasttext.vec", "word2vec-text"),
        ("test_glove.txt", "glove"),
    ):
        path = Path(tests.datapath(name))
        assert detect(path) == format
        theirs = gensim.KeyedVectors.load_word2vec_format(
            str(path), binary=format == "word2vec-binary", no_header=format == "glove", unicode_errors="replace"
        )
        ours = KeyedVectors.load(path)
        assert list(ours.words) == theirs.index_to_key
        assert np.array_equal(ours.vectors, theirs.vectors)


def load_text(tmp_path: Path, content: bytes) -> KeyedVectors:
    path = tmp_path / "v.txt"
    path.write_bytes(content)
    return KeyedVectors.load(path)


@pytest.mark.parametrize(
    ("content", "words", "numbers"),
    [
        (b"a 1 2\nb 3 4", ["a", "b"], [1, 2, 3, 4]),
        (b"2 2\na 1 2 \nb 3 4 \n", ["a", "b"], [1, 2, 3, 4]),
        (b"2 2\r\na 1 2\r\nb 3 4\r\n", ["a", "b"], [1, 2, 3, 4]),
        (b"\xef\xbb\xbf2 2\na 1 2\nb 3 4\n\n", ["a", "b"], [1, 2, 3, 4]),
        (b"a\t1\t2\nb c\t3\t4\n", ["a", "b c"], [1, 2, 3, 4]),
        (b"a 1.5 2\n. . . 3 4\nCatch 22 5 6\n 7 8\n", ["a", ". . .", "Catch 22", ""], [1.5, 2, 3, 4, 5, 6, 7, 8]),
        (b"a +1.5 2e3\n\nb .5 -5.\n", ["a", "b"], [1.5, 2000, 0.5, -5]),
        (b"7 5.0\n8 6\n", ["7", "8"], [5, 6]),
        (b"a  1   2\nb 3 4\n", ["a", "b"], [1, 2, 3, 4]),
    ],
)
def test_text_as_people_have_it(tmp_path: Path, content: bytes, words: list[str], numbers: list[float]) -> None:
    found = load_text(tmp_path, content)
    assert list(found.words) == words
    assert found.vectors.ravel().tolist() == numbers


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"It was the best of times,\nit was the worst\n", "not a file of vectors"),
        (b"\x00\x01\x02 binary \xff\xfe", "not a file of vectors"),
        (b"a 1 2 3\nb 1 2\nc 1 2 3\n", "line 2: expected 3 numbers, got 2"),
        (b"a 1 2 3\nb 1.5 2 3 4\nc 1 2 3\n", "line 2: expected 3 numbers, got 4"),
        (b"a 1 2 3\nb 1 2 3\nc\n", "line 3: expected 3 numbers, got 0"),
        (b"2 3\na 1 2 3\n", "header says 2 words, the file holds 1"),
        (b"2 3\na 1 2 3\nb 1 2 3\nc 1 2 3\n", "header says 2 words, the file holds 3"),
        (b"2 3\na 1 2\nb 1 2\n", "header says 3 numbers a row, the rows have 2"),
        (b"a 1 2\nb 1 x\nc 1 2\n", "line 2: expected a number, got 'x'|line 2: expected 2 numbers"),
        (b"a 1 2\nb nan 2\n", "'b' holds NaN or infinity"),
        (b"a 1 2\nb 1e99 2\n", "'b' holds NaN or infinity"),
        (b"0 3\n", "no vectors in it"),
        (b"5 3\n", "header says 5 words, the file holds 0"),
        (b"5 3", "header says 5 words, the file holds 0"),
        (b"1000000000000000000000 3\na 1 2 3\n", "header says 1,000,000,000,000,000,000,000 words, the file holds 1"),
        (b"PK\x03\x04 and so on", "a zip archive"),
        (pickle.dumps({"a": 1}), "pickle"),
        (b"5 4\nabc \x00\x00\x80\x3f\x00\x00\x80\x3f", "the file ends at word 1"),
        (b"PAR1 and no more", "not a whole Parquet file"),
        (b"ARROW1\0\0 and no more", "not a whole Arrow file"),
        (b"\x93NUMPY\x01\x00", "an array without words"),
    ],
)
def test_damage_is_named(tmp_path: Path, content: bytes, message: str) -> None:
    with pytest.raises(StreamvecError, match=message):
        load_text(tmp_path, content)
    with pytest.raises(StreamvecError, match=message):
        import_vectors(tmp_path / "v.txt", tmp_path / "out.arrow")
    assert [path.name for path in tmp_path.iterdir()] == ["v.txt"]


def test_damage_far_into_a_file_has_its_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "BLOCK", 100)
    lines = [b"w%d 1.5 2.5\n" % number for number in range(500)]
    with pytest.raises(StreamvecError, match=r"v\.txt, line 401: expected 2 numbers, got 1"):
        load_text(tmp_path, b"".join([*lines[:400], b"short 1\n", *lines[400:]]))
    with pytest.raises(StreamvecError, match=r"v\.txt, line 402: expected a number, got 'x1'"):
        load_text(tmp_path, b"".join([b"500 2\n", *lines[:400], b"w x1 1\n", *lines[401:]]))


def test_repeated_words_and_wrong_bytes_are_counted(tmp_path: Path) -> None:
    found = load_text(tmp_path, b"a 1 2\nb 3 4\na 5 6\n\xff 7 8\nb 9 9\n")
    assert list(found.words) == ["a", "b", "\ufffd"]
    assert found.vectors.ravel().tolist() == [1, 2, 3, 4, 7, 8]
    assert "2 rows repeat an earlier word and were left out ('a' in row 3, 'b' in row 5)" in found.notes[0]
    assert "1 words are not UTF-8" in found.notes[1]


def test_repeated_words_are_found_across_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "BLOCK", 64)
    numbers = np.random.default_rng(0).integers(0, 300, 2000).tolist()
    found = load_text(tmp_path, b"".join(b"w%d %d.5\n" % (number, place) for place, number in enumerate(numbers)))
    assert list(found.words) == [f"w{number}" for number in dict.fromkeys(numbers)]


def test_truncated_binary_and_rows_after_the_end(tmp_path: Path) -> None:
    vectors = odd_vectors()
    path = tmp_path / "v.bin"
    export_vectors(vectors, path)
    whole = path.read_bytes()
    for length in (len(whole) // 2, len(whole) - 5):
        path.write_bytes(whole[:length])
        with pytest.raises(StreamvecError, match="the file ends at word"):
            KeyedVectors.load(path)
    path.write_bytes(whole + b"more \x00\x00")
    with pytest.raises(StreamvecError, match="goes on after them"):
        KeyedVectors.load(path)


def test_tables_of_other_people(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    lists = pa.array([[1.0, 2.0], [3.0, 4.0]], pa.list_(pa.float64()))
    pq.write_table(pa.table({"id": [1, 2], "token": ["a", "b"], "embedding": lists, "freq": [9, 5]}), path)
    found = KeyedVectors.load(path)
    assert list(found.words) == ["a", "b"] and found.vectors.tolist() == [[1, 2], [3, 4]]
    assert found.counts.tolist() == [9, 5]
    pq.write_table(pa.table({"name": ["a", "b"], "0": [1.0, 3.0], "1": [2.0, 4.0]}), path)
    assert KeyedVectors.load(path).vectors.tolist() == [[1, 2], [3, 4]]
    pq.write_table(pa.table({"word": ["a", "b"], "vector": [[1.0, 2.0], [3.0]]}), path)
    with pytest.raises(StreamvecError, match="row 2 has 1 numbers, the first has 2"):
        KeyedVectors.load(path)
    pq.write_table(pa.table({"word": ["a", None], "vector": [[1.0], [3.0]]}), path)
    with pytest.raises(StreamvecError, match="the word of row 2 is missing"):
        KeyedVectors.load(path)
    pq.write_table(pa.table({"a": ["a"], "b": ["b"], "vector": [[1.0]]}), path)
    with pytest.raises(StreamvecError, match="expected one column of words"):
        KeyedVectors.load(path)
    table = pa.table({"word": ["a"], "vector": pa.array([[1.0, 2.0]], pa.list_(pa.float32(), 2))})
    with pa.OSFile(str(tmp_path / "t.arrow"), "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
        writer.write_table(table)
    assert KeyedVectors.load(tmp_path / "t.arrow").vectors.tolist() == [[1, 2]]


def test_an_array_and_its_words_apart(tmp_path: Path) -> None:
    np.save(tmp_path / "m.npy", np.array([[1.0, 2.0], [3.0, 4.0]]))
    pq.write_table(pa.table({"index": ["a", "b"]}), tmp_path / "w.parquet")
    with pytest.raises(StreamvecError, match=r"no m\.words\.txt beside it"):
        KeyedVectors.load(tmp_path / "m.npy")
    with pytest.raises(StreamvecError, match=r"words \(index\) but no vectors.*--words w\.parquet"):
        KeyedVectors.load(tmp_path / "w.parquet")
    done = import_vectors(tmp_path / "m.npy", tmp_path / "v.arrow", words=tmp_path / "w.parquet")
    assert (done.words, done.dim, done.format) == (2, 2, "npy")
    assert KeyedVectors.load(tmp_path / "v.arrow")["b"].tolist() == [3, 4]
    words_beside(tmp_path / "m.npy").write_text("a\n")
    with pytest.raises(StreamvecError, match="2 rows, but 1 words"):
        KeyedVectors.load(tmp_path / "m.npy")
    np.save(tmp_path / "o.npy", np.array([{"a": 1}], object), allow_pickle=True)
    with pytest.raises(StreamvecError, match=r"not an \.npy of plain numbers"):
        import_vectors(tmp_path / "o.npy", tmp_path / "o.arrow", words=tmp_path / "w.parquet")


def test_safetensors_are_plain_and_checked(tmp_path: Path) -> None:
    numpy_reader = pytest.importorskip("safetensors.numpy")
    vectors = odd_vectors()
    path = tmp_path / "v.safetensors"
    export_vectors(vectors, path)
    tensors = numpy_reader.load_file(path)
    assert np.array_equal(tensors["vectors"], vectors.vectors)
    offsets = tensors["offsets"]
    assert [bytes(tensors["words"][a:b]).decode() for a, b in itertools.pairwise(offsets)] == ODD
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])
    with pytest.raises(StreamvecError, match="damaged or cut short"):
        KeyedVectors.load(path)
    numpy_reader.save_file({"embedding": vectors.vectors}, path)
    with pytest.raises(StreamvecError, match="--words"):
        KeyedVectors.load(path)
    (tmp_path / "w.txt").write_text("".join(escape(word) + "\n" for word in ODD))
    import_vectors(path, tmp_path / "v.arrow", words=tmp_path / "w.txt")
    assert_same(KeyedVectors.load(tmp_path / "v.arrow"), vectors)


def test_what_exists_is_not_replaced_without_leave(tmp_path: Path) -> None:
    vectors = odd_vectors()
    for name in ("v.vec", "v.npy", "projector"):
        out = tmp_path / name
        format = "projector" if name == "projector" else None
        export_vectors(vectors, out, format)
        with pytest.raises(StreamvecError, match="exists already"):
            export_vectors(vectors, out, format)
        export_vectors(vectors, out, format, overwrite=True)
        assert_same(KeyedVectors.load(out), vectors)
    (tmp_path / "projector" / "mine.txt").touch()
    with pytest.raises(StreamvecError, match="other files"):
        export_vectors(vectors, tmp_path / "projector", "projector", overwrite=True)
    with pytest.raises(StreamvecError, match="exists already"):
        import_vectors(tmp_path / "v.vec", tmp_path / "v.npy")
    with pytest.raises(StreamvecError, match="no folder"):
        export_vectors(vectors, tmp_path / "no" / "v.vec")
    with pytest.raises(StreamvecError, match="choose --format"):
        export_vectors(vectors, tmp_path / "v.txt")
    with pytest.raises(StreamvecError, match="not written compressed"):
        export_vectors(vectors, tmp_path / "v.npy.gz")


def test_compressed_text_is_the_same_bytes_each_time(tmp_path: Path) -> None:
    export_vectors(odd_vectors(), tmp_path / "a.vec.gz")
    export_vectors(odd_vectors(), tmp_path / "b.vec.gz")
    assert (tmp_path / "a.vec.gz").read_bytes() == (tmp_path / "b.vec.gz").read_bytes()
    assert gzip.decompress((tmp_path / "a.vec.gz").read_bytes()).startswith(b"%d 3\nplain " % len(ODD))
