"""The programs that own a format read what we write, and we read what they write."""

import itertools
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from streamvec.errors import StreamvecError
from streamvec.vectors import KeyedVectors
from streamvec.vectors.escapes import escape
from streamvec.vectors.exports import export_vectors
from streamvec.vectors.formats import detect, import_vectors
from streamvec.vectors.storage import encode

WORDS = ["the", "river", "new york", "서울", "a\nb", "", "x", "\ufeffbom", "0", "👩‍🚀"]
PLAIN = [word for word in WORDS if escape(word) == word]
NARROW = ["float32", "float16", "int8"]


def vectors(words: list[str] = WORDS, dim: int = 5) -> KeyedVectors:
    rows = np.random.default_rng(3).standard_normal((len(words), dim)).astype(np.float32)
    return KeyedVectors.from_arrays(words, rows, np.arange(len(words), 0, -1) * 10)


def many(number: int) -> KeyedVectors:
    return vectors([f"w{place}" for place in range(number)], 3)


def assert_same(found: KeyedVectors, words: list[str], rows: np.ndarray, counts: list[int]) -> None:
    assert list(found.words) == words and found.counts.tolist() == counts
    assert np.array_equal(found.vectors, rows)


@pytest.mark.parametrize("mmap", [None, "r"])
@pytest.mark.parametrize("number", [10, 999, 1000, 2001])
def test_gensim_loads_our_keyed_vectors(tmp_path: Path, number: int, mmap: str | None) -> None:
    gensim = pytest.importorskip("gensim.models")
    ours = vectors() if number == len(WORDS) else many(number)
    export_vectors(ours, tmp_path / "v.kv")
    theirs = gensim.KeyedVectors.load(str(tmp_path / "v.kv"), mmap=mmap)
    words = list(ours.words)
    assert theirs.index_to_key == words
    assert theirs.key_to_index == {word: place for place, word in enumerate(words)}
    assert theirs.vectors.dtype == np.float32 and np.array_equal(theirs.vectors, ours.vectors)
    assert [theirs.get_vecattr(word, "count") for word in words] == ours.counts.tolist()
    assert theirs.vector_size == ours.dim and len(theirs) == number
    expected = theirs.most_similar(words[1], topn=3)
    assert [word for word, _ in expected] == [word for word, _ in ours.most_similar(words[1], topn=3)]
    if mmap is None:
        theirs.add_vectors(["added"], np.ones((1, ours.dim), np.float32))
        theirs.set_vecattr("added", "count", 7)
        theirs.save(str(tmp_path / "again.kv"))
        assert KeyedVectors.load(tmp_path / "again.kv").counts.tolist() == [*ours.counts.tolist(), 7]


def test_gensim_loads_vectors_without_counts(tmp_path: Path) -> None:
    gensim = pytest.importorskip("gensim.models")
    ours = KeyedVectors.from_arrays(WORDS, vectors().vectors)
    export_vectors(ours, tmp_path / "v", "gensim")
    theirs = gensim.KeyedVectors.load(str(tmp_path / "v"))
    assert theirs.expandos == {} and theirs.index_to_key == WORDS


@pytest.mark.parametrize("apart", [1, 10**7], ids=["arrays apart", "arrays within"])
@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_we_read_what_gensim_saves(tmp_path: Path, protocol: int, apart: int) -> None:
    gensim = pytest.importorskip("gensim.models")
    ours = vectors()
    theirs = gensim.KeyedVectors(ours.dim)
    theirs.add_vectors(WORDS, ours.vectors)
    for word, count in zip(WORDS, ours.counts.tolist(), strict=True):
        theirs.set_vecattr(word, "count", count)
    path = tmp_path / "v.kv"
    theirs.save(str(path), pickle_protocol=protocol, sep_limit=apart)
    assert detect(path) == "gensim" and (tmp_path / "v.kv.vectors.npy").exists() == (apart == 1)
    assert_same(KeyedVectors.load(path), WORDS, ours.vectors, ours.counts.tolist())
    done = import_vectors(path, tmp_path / "v.arrow")
    assert (done.format, done.notes) == ("gensim", [])
    assert_same(KeyedVectors.load(tmp_path / "v.arrow"), WORDS, ours.vectors, ours.counts.tolist())


@pytest.mark.parametrize("apart", [1, 10**7])
@pytest.mark.parametrize("protocol", [2, 4])
def test_we_read_the_vectors_of_a_whole_word2vec(tmp_path: Path, protocol: int, apart: int) -> None:
    gensim = pytest.importorskip("gensim.models")
    texts = [["king", "rules", "the", "land"], ["the", "river", "runs"]] * 20
    model = gensim.Word2Vec(texts, vector_size=6, min_count=1, workers=1, seed=1)
    model.save(str(tmp_path / "w2v.model"), pickle_protocol=protocol, sep_limit=apart)
    counts = [model.wv.get_vecattr(word, "count") for word in model.wv.index_to_key]
    assert_same(KeyedVectors.load(tmp_path / "w2v.model"), model.wv.index_to_key, model.wv.vectors, counts)


def test_other_models_of_gensim_are_named(tmp_path: Path) -> None:
    gensim = pytest.importorskip("gensim.models")
    model = gensim.FastText([["king", "rules"]] * 20, vector_size=4, min_count=1, workers=1, bucket=100)
    model.save(str(tmp_path / "ft.model"))
    model.wv.save(str(tmp_path / "ft.kv"))
    for name in ("ft.model", "ft.kv"):
        with pytest.raises(StreamvecError, match="a FastText model of gensim: in gensim, save_facebook_model"):
            KeyedVectors.load(tmp_path / name)


@pytest.mark.parametrize("name", ["v.txt", "v.txt.gz", "v.vec"])
def test_spacy_init_vectors_reads_our_text(tmp_path: Path, name: str) -> None:
    spacy = pytest.importorskip("spacy", reason="spaCy is not installed: its `init vectors` cannot be asked")
    ours = vectors(PLAIN)
    export_vectors(ours, tmp_path / name, "fasttext-vec" if name == "v.vec" else "word2vec-text")
    command = [sys.executable, "-m", "spacy", "init", "vectors", "en", str(tmp_path / name), str(tmp_path / "made")]
    ended = subprocess.run(command, capture_output=True, encoding="utf-8", timeout=300)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    theirs = spacy.load(tmp_path / "made").vocab
    assert theirs.vectors.shape == (len(PLAIN), ours.dim)
    for word in PLAIN:
        assert np.array_equal(theirs.get_vector(word), ours[word]), word


@pytest.mark.parametrize("dtype", NARROW)
def test_safetensors_reads_ours(tmp_path: Path, dtype: str) -> None:
    reader = pytest.importorskip("safetensors.numpy")
    ours = vectors()
    export_vectors(ours, tmp_path / "v.safetensors", dtype=dtype)
    tensors = reader.load_file(tmp_path / "v.safetensors")
    rows = tensors["vectors"].astype(np.float32)
    if dtype == "int8":
        assert tensors["vectors"].dtype == np.int8
        rows *= tensors["scales"][:, None]
    assert tensors["vectors"].dtype == dtype and np.array_equal(rows, encode(ours.vectors, dtype)[:])
    edges = tensors["offsets"].tolist()
    assert [bytes(tensors["words"][a:b]).decode() for a, b in itertools.pairwise(edges)] == WORDS
    assert tensors["counts"].tolist() == ours.counts.tolist()


def unpacked(table: pa.Table, dtype: str) -> np.ndarray:
    """float32[n, dim] of a table as any reader of Arrow would make it."""
    rows = np.array([np.asarray(row, np.float32) for row in table.column("vector").to_pylist()])
    return rows * np.array(table.column("scale").to_pylist(), np.float32)[:, None] if dtype == "int8" else rows


@pytest.mark.parametrize("dtype", NARROW)
@pytest.mark.parametrize("name", ["v.parquet", "v.feather", "v.arrow"])
def test_pyarrow_reads_ours(tmp_path: Path, name: str, dtype: str) -> None:
    ours = many(20_000)
    export_vectors(ours, tmp_path / name, dtype=dtype)
    if name == "v.parquet":
        table = pq.read_table(tmp_path / name, page_checksum_verification=True)
    else:
        table = pa.ipc.open_file(tmp_path / name).read_all()
    table.validate(full=True)
    assert table.column("word").to_pylist() == list(ours.words)
    assert table.column("count").to_pylist() == ours.counts.tolist()
    assert np.array_equal(unpacked(table, dtype), encode(ours.vectors, dtype)[:])


@pytest.mark.parametrize("dtype", NARROW)
def test_duckdb_reads_our_parquet(tmp_path: Path, dtype: str) -> None:
    duckdb: Any = pytest.importorskip("duckdb")
    ours = vectors()
    export_vectors(ours, tmp_path / "v.parquet", dtype=dtype)
    rows = duckdb.sql(f"SELECT * FROM '{tmp_path / 'v.parquet'}'").fetchall()
    assert [row[0] for row in rows] == WORDS and [row[1] for row in rows] == ours.counts.tolist()
    found = np.array([row[2] for row in rows], np.float32)
    if dtype == "int8":
        found *= np.array([row[3] for row in rows], np.float32)[:, None]
    assert np.array_equal(found, encode(ours.vectors, dtype)[:])


def test_we_read_what_duckdb_writes(tmp_path: Path) -> None:
    duckdb: Any = pytest.importorskip("duckdb")
    ours = vectors()
    export_vectors(ours, tmp_path / "v.parquet")
    for compression in ("zstd", "snappy", "gzip", "uncompressed"):
        out = tmp_path / f"{compression}.parquet"
        duckdb.sql(
            f"COPY (SELECT * FROM '{tmp_path / 'v.parquet'}') TO '{out}' (FORMAT parquet, CODEC '{compression}')"
        )
        assert_same(KeyedVectors.load(out), WORDS, ours.vectors, ours.counts.tolist())


@pytest.mark.parametrize("version", ["1.0", "2.6"])
@pytest.mark.parametrize("compression", ["none", "snappy", "gzip", "zstd", "lz4", "brotli"])
def test_parquet_of_any_kind_passes_the_look_at_its_pages(tmp_path: Path, compression: str, version: str) -> None:
    ours = many(3000)
    lists = pa.FixedSizeListArray.from_arrays(pa.array(ours.vectors.reshape(-1)), 3)
    table = pa.table(
        {"word": list(ours.words), "vector": lists, **{f"more{number}": ours.counts for number in range(20)}}
    )
    for page in ("1.0", "2.0"):
        options: dict[str, Any] = {"data_page_version": page, "data_page_size": 2000, "row_group_size": 1000}
        pq.write_table(table, tmp_path / "v.parquet", compression=compression, version=version, **options)
        assert np.array_equal(KeyedVectors.load(tmp_path / "v.parquet").vectors, ours.vectors)


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_numpy_reads_our_npy(tmp_path: Path, dtype: str) -> None:
    ours = vectors()
    export_vectors(ours, tmp_path / "v.npy", dtype=dtype)
    found = np.load(tmp_path / "v.npy", allow_pickle=False)
    assert found.dtype == dtype and np.array_equal(found, ours.vectors.astype(dtype))
    assert (tmp_path / "v.words.txt").read_text(encoding="utf-8").split("\n") == [*map(escape, WORDS), ""]


def test_arrow_of_other_lists_and_words(tmp_path: Path) -> None:
    ours = vectors()
    for kind in (pa.list_(pa.float16()), pa.large_list(pa.float64()), pa.list_(pa.float32(), 5)):
        lists = pa.array(ours.vectors.astype(kind.value_type.to_pandas_dtype()).tolist(), kind)
        for words in (pa.array(WORDS, pa.large_string()), pa.array(WORDS).dictionary_encode()):
            table = pa.table({"key": words, "embedding": lists})
            with pa.OSFile(str(tmp_path / "t"), "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
                writer.write_table(table, 4)
            found = KeyedVectors.load(tmp_path / "t")
            np.testing.assert_allclose(found.vectors, ours.vectors, rtol=1e-3)
            assert list(found.words) == WORDS
