"""float16 and int8: rows decode to the nearest they can hold, act as float32 wherever used, and say what they lose."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from damaged_files import kinds

from streamvec.disk.arrow import verify_arrow
from streamvec.errors import StreamvecError
from streamvec.training.checking import DAMAGED, OK
from streamvec.training.info import info
from streamvec.training.verify import verify
from streamvec.vectors import KeyedVectors
from streamvec.vectors.exports import export_vectors
from streamvec.vectors.formats import import_vectors
from streamvec.vectors.neighbours import cosines
from streamvec.vectors.precision import SAMPLE, Sample
from streamvec.vectors.storage import DTYPES, Encoded, encode
from streamvec.vectors.store import ROWS, open_vectors, read_chunks

NARROW = ["float16", "int8"]


def some(rows: int = 300, dim: int = 7, seed: int = 0) -> np.ndarray:
    draws = np.random.default_rng(seed)
    return (draws.standard_normal((rows, dim)) * 10.0 ** draws.integers(-3, 3, (rows, 1))).astype(np.float32)


def keyed(rows: np.ndarray) -> KeyedVectors:
    return KeyedVectors.from_arrays([f"w{row}" for row in range(len(rows))], rows, np.arange(len(rows), 0, -1))


def naive(row: np.ndarray, dtype: str) -> list[float]:
    """One row as it is read again, a number at a time."""
    if dtype == "float16":
        return [float(np.float16(number)) for number in row]
    scale = np.float32(max(abs(float(number)) for number in row) / 127)
    return [float(np.float32(round(float(number) / float(scale))) * scale) if scale else 0.0 for number in row]


@pytest.mark.parametrize("dtype", NARROW)
def test_rows_are_as_a_plain_program_stores_them(dtype: str) -> None:
    rows = np.concatenate([some(), np.zeros((1, 7), np.float32), -some(5)])
    decoded = encode(rows, dtype)[:]
    expected = np.array([naive(row, dtype) for row in rows])
    np.testing.assert_allclose(decoded, expected, rtol=1e-6)
    assert not decoded[300].any()
    bound = np.abs(rows) * 2.0**-11 + 2.0**-25 if dtype == "float16" else np.abs(rows).max(axis=1, keepdims=True) / 253
    assert (np.abs(decoded - rows) <= bound).all()


@pytest.mark.parametrize("dtype", NARROW)
@pytest.mark.parametrize(
    "key",
    [3, -1, np.int64(2), slice(2, 9), slice(None, None, 3), [4, 1, 4], np.array([], np.int64), np.arange(300) % 3 == 0,
     (slice(2, 5), slice(1, None)), (4, 2), ([1, 2], [0, 3]), Ellipsis],
    ids=str,
)  # fmt: skip
def test_encoded_rows_are_indexed_as_an_array(dtype: str, key: object) -> None:
    rows = encode(some(), dtype)
    assert isinstance(rows, Encoded)
    plain = np.asarray(rows)
    found = rows[key]
    assert plain.dtype == np.float32 and np.asarray(found).dtype == np.float32
    assert np.array_equal(found, plain[key])
    assert rows.shape == plain.shape and len(rows) == 300 and rows.ndim == 2
    assert np.array_equal(np.stack(list(rows)), plain) and np.array_equal(rows.astype(np.float64), plain)
    assert np.array_equal(rows.part(10, 20)[:], plain[10:20])


@pytest.mark.parametrize("dtype", NARROW)
def test_a_file_answers_as_its_decoded_numbers_do(tmp_path: Path, dtype: str) -> None:
    rows = some(ROWS + 100, 5)
    keyed(rows).save(tmp_path / "v.arrow", dtype)
    opened, plain = KeyedVectors.load(tmp_path / "v.arrow"), keyed(encode(rows, dtype)[:])
    assert (opened.dtype, plain.dtype) == (dtype, "float32")
    assert [chunk.vectors.stored for chunk in opened.chunks() if isinstance(chunk.vectors, Encoded)] == [dtype] * 2
    assert np.array_equal(opened.vectors, plain.vectors) and np.array_equal(opened.norms, plain.norms)
    assert np.array_equal(opened["w3"], plain["w3"]) and np.array_equal(opened[["w9", "w2"]], plain[["w9", "w2"]])
    for words in (["w3"], [f"w{place}" for place in range(0, 60, 3)]):
        assert opened.most_similar_batch(words, 4) == plain.most_similar_batch(words, 4)
    assert opened.similarity("w1", "w2") == plain.similarity("w1", "w2")
    assert opened.analogy("w1", "w2", "w3") == plain.analogy("w1", "w2", "w3")
    whole = np.concatenate([chunk.vectors[:] for chunk in read_chunks(tmp_path / "v.arrow")])
    assert np.array_equal(whole, plain.vectors)
    verify_arrow(tmp_path / "v.arrow")
    assert info(tmp_path / "v.arrow")["dtype"] == dtype


def test_opening_decodes_nothing_and_files_are_smaller(tmp_path: Path) -> None:
    rows = some(20_000, 64)
    for dtype in DTYPES:
        keyed(rows).save(tmp_path / dtype, dtype)
    sizes = {dtype: (tmp_path / dtype).stat().st_size for dtype in DTYPES}
    assert sizes["float32"] - sizes["float16"] == rows.size * 2
    assert abs(sizes["float32"] - sizes["int8"] - rows.size * 3 + 4 * len(rows)) < 2000
    opened = open_vectors(tmp_path / "int8")
    assert pa.total_allocated_bytes() < rows.nbytes / 4  # numbers are views of the mapped file
    numbers = opened.chunks[0].vectors
    assert isinstance(numbers, Encoded) and not numbers.numbers.flags.owndata


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_same_rows_are_the_same_bytes(tmp_path: Path, dtype: str) -> None:
    first = keyed(some()).save(tmp_path / "a.arrow", dtype)
    again = KeyedVectors.load(tmp_path / "a.arrow")
    assert again.save(tmp_path / "b.arrow") == first
    assert export_vectors(again, tmp_path / "c.arrow").dtype == dtype
    assert (tmp_path / "c.arrow").read_bytes() == (tmp_path / "a.arrow").read_bytes()


@pytest.mark.parametrize("dtype", NARROW)
@pytest.mark.parametrize("name", ["v.npy", "v.safetensors", "v.parquet", "v.feather", "v.arrow"])
def test_formats_that_carry_it_come_back(tmp_path: Path, name: str, dtype: str) -> None:
    vectors = keyed(some())
    path = tmp_path / name
    if name == "v.npy" and dtype == "int8":
        with pytest.raises(ValueError, match=r"an \.npy has no place for the scale"):
            export_vectors(vectors, path, dtype=dtype)
        return
    done = export_vectors(vectors, path, dtype=dtype)
    assert done.dtype == dtype and done.change
    found = KeyedVectors.load(path)
    assert np.array_equal(found.vectors, encode(vectors.vectors, dtype)[:])
    assert list(found.words) == list(vectors.words)
    plain = tmp_path / f"plain-{name}"
    export_vectors(found, plain, dtype="float32")
    assert np.array_equal(KeyedVectors.load(plain).vectors, found.vectors)


@pytest.mark.parametrize("name", ["v.safetensors", "v.feather", "v.arrow"])
def test_verify_reads_what_export_writes(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    export_vectors(keyed(some()), path, dtype="int8")
    assert [one.state for one in verify(path)] == [OK]
    content = path.read_bytes()
    for place in (len(content) // 3, len(content) // 2):
        path.write_bytes(content[:place] + bytes([content[place] ^ 4]) + content[place + 1 :])
        assert [one.state for one in verify(path)] == [DAMAGED]


def test_formats_that_do_not_are_refused(tmp_path: Path) -> None:
    for format in ("word2vec-text", "word2vec-binary", "glove", "fasttext-vec", "projector", "gensim"):
        with pytest.raises(ValueError, match=f"{format} holds float32 only"):
            export_vectors(keyed(some()), tmp_path / "v", format, dtype="float16")
    with pytest.raises(ValueError, match="dtype must be one of"):
        export_vectors(keyed(some()), tmp_path / "v.arrow", dtype="int4")
    assert not list(tmp_path.iterdir())


def test_what_float16_cannot_hold_is_named(tmp_path: Path) -> None:
    rows = some()
    rows[17, 2] = 70_000
    with pytest.raises(StreamvecError, match=r"'w17' holds a number beyond 65,504: choose int8"):
        keyed(rows).save(tmp_path / "v.arrow", "float16")
    with pytest.raises(StreamvecError, match=r"'w17' holds a number beyond 65,504"):
        export_vectors(keyed(rows), tmp_path / "v.npy", dtype="float16")
    rows[18, 3] = np.nan
    for dtype in DTYPES:
        with pytest.raises(StreamvecError, match=r"'w18' holds NaN or infinity"):
            keyed(rows).save(tmp_path / "v.arrow", dtype)
    assert not list(tmp_path.iterdir())


def test_the_loss_is_that_of_all_pairs_and_of_any_blocks() -> None:
    rows = some(200, 10)
    sample = Sample()
    sample.take(rows)
    kept = encode(rows, "int8")[:]
    pairs = [(a, b) for a in range(200) for b in range(a)]
    left, right = np.array(pairs).T
    changes = np.abs(cosines(rows[left], rows[right]) - cosines(kept[left], kept[right]))
    found = sample.change("int8")
    assert found.pairs == len(pairs) == 19_900
    assert found.mean == pytest.approx(changes.mean()) and found.largest == pytest.approx(changes.max())
    assert sample.change("float16").largest < found.largest / 4


def test_the_sample_is_uniform_and_does_not_depend_on_blocks() -> None:
    rows = np.arange(10_000, dtype=np.float32)[:, None]
    taken = []
    for size, seed in ((10_000, 1), (77, 1), (1, 1), (10_000, 2)):
        sample = Sample(seed)
        for start in range(0, len(rows), size):
            sample.take(rows[start : start + size])
        taken.append(np.sort(sample._rows[:, 0]))
    assert len(taken[0]) == SAMPLE == len(np.unique(taken[0]))
    assert np.array_equal(taken[0], taken[1]) and np.array_equal(taken[0], taken[2])
    assert not np.array_equal(taken[0], taken[3])
    assert abs(taken[0].mean() - 5000) < 4 * 10_000 / (12 * SAMPLE) ** 0.5  # four standard deviations


def test_import_says_what_is_lost(tmp_path: Path) -> None:
    export_vectors(keyed(some()), tmp_path / "v.vec")
    done = import_vectors(tmp_path / "v.vec", tmp_path / "v.arrow", dtype="int8")
    assert done.dtype == "int8" and done.change and 0 < done.change.mean < done.change.largest < 0.05
    assert import_vectors(tmp_path / "v.vec", tmp_path / "w.arrow").change is None


def streamvec(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "streamvec_cli.main", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, encoding="utf-8", timeout=120)


def test_the_command_line_tells_dtype_and_loss(tmp_path: Path) -> None:
    path, out = tmp_path / "v.vec", tmp_path / "v.arrow"
    export_vectors(keyed(some()), path)
    ended = streamvec("import", path, "-o", out, "--dtype", "float16")
    assert ended.returncode == 0 and ", float16\n" in ended.stdout, ended.stderr
    assert "cosines of 44,850 pairs change by" in ended.stdout
    ended = streamvec("export", out, "-o", tmp_path / "small.arrow", "--dtype", "int8", "--json")
    found = json.loads(ended.stdout)
    assert found["dtype"] == "int8" and found["format"] == "streamvec" and found["change"]["pairs"] == 44_850
    ended = streamvec("info", tmp_path / "small.arrow")
    assert "dtype  int8" in ended.stdout
    ended = streamvec("verify", tmp_path / "small.arrow")
    assert ended.returncode == 0 and "ok" in ended.stdout
    ended = streamvec("export", out, "-o", tmp_path / "v.npy", "--dtype", "int8")
    assert ended.returncode == 2 and "no place for the scale" in ended.stderr
    ended = streamvec("export", out, "-o", tmp_path / "c", "--format", "stanford-vocab", "--dtype", "int8")
    assert ended.returncode == 2 and "--dtype is about vectors" in ended.stderr
    ended = streamvec("export", out, "-o", out, "--overwrite", "--dtype", "int8")
    assert ended.returncode == 1 and "is the file that is read" in ended.stderr


def test_ngrams_go_along(tmp_path: Path) -> None:
    (tmp_path / "files").mkdir()
    list(kinds(tmp_path / "files"))
    before = KeyedVectors.load(tmp_path / "files" / "n.arrow")
    done = export_vectors(before, tmp_path / "n8.arrow", dtype="int8")
    assert done.has_ngrams
    after = KeyedVectors.load(tmp_path / "n8.arrow")
    assert np.array_equal(before["riverside"], after["riverside"])
    with pytest.raises(StreamvecError, match=r"n8\.ngrams\.arrow: exists already"):
        (tmp_path / "n8.arrow").unlink()
        export_vectors(before, tmp_path / "n8.arrow")
    plain = KeyedVectors.from_arrays(list(before.words), before.vectors)
    assert not export_vectors(plain, tmp_path / "n8.arrow").has_ngrams
    damaged = tmp_path / "files" / "n.ngrams.arrow"
    content = damaged.read_bytes()
    damaged.unlink()
    damaged.write_bytes(content[:700] + bytes([content[700] ^ 1]) + content[701:])
    with pytest.raises(StreamvecError, match=r"n\.ngrams\.arrow: damaged"):
        export_vectors(before, tmp_path / "again.arrow")
