"""KeyedVectors: what is saved is what is mapped, and questions are answered as gensim users expect."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from streamvec.disk.arrow import verify_arrow
from streamvec.errors import StreamvecError
from streamvec.vectors import KeyedVectors, UnknownWord, VectorsWriter, write_vectors
from streamvec.vectors import words as words_module
from streamvec.vectors.store import ROWS

WORDS = ["man", "woman", "king", "queen", "straße", "서울", "new york", "", "a\u2028b", "zero"]


@pytest.fixture
def vectors() -> KeyedVectors:
    rng = np.random.default_rng(0)
    matrix = rng.standard_normal((len(WORDS), 6)).astype(np.float32)
    matrix[3] = matrix[2] - matrix[0] + matrix[1]
    matrix[9] = 0
    return KeyedVectors.from_arrays(WORDS, matrix, np.arange(len(WORDS), 0, -1))


def test_round_trip_is_exact_and_mapped(tmp_path: Path, vectors: KeyedVectors) -> None:
    path = tmp_path / "vectors.arrow"
    assert vectors.save(path) == verify_arrow(path)
    back = KeyedVectors.load(path)
    assert list(back.words) == WORDS and len(back) == len(WORDS) and back.dim == 6
    assert np.array_equal(back.vectors, vectors.vectors) and np.array_equal(back.counts, vectors.counts)
    assert back.norms[9] == 0 and not back.vectors.flags.writeable and not back.vectors.flags.owndata


def test_a_padded_matrix_is_written_by_blocks_in_any_way(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    number = ROWS + 10
    padded = rng.standard_normal((number, 8)).astype(np.float32)
    words = [f"w{i}" for i in range(number)]
    counts = np.arange(number, 0, -1)
    checksum = write_vectors(tmp_path / "a", words, counts, padded[:, :5], {"seed": 1})
    asked: list[tuple[int, int]] = []

    def rows(start: int, stop: int) -> np.ndarray:
        asked.append((start, stop))
        return padded[start:stop, :5]

    assert write_vectors(tmp_path / "b", pa.chunked_array([words[:7], words[7:]]), counts, rows, {"seed": 1})
    assert asked == [(0, ROWS), (ROWS, number)]
    with VectorsWriter(tmp_path / "c", 5, {"seed": 1}) as writer:
        for start in range(0, number, 1000):
            some = slice(start, start + 1000)
            writer.write(words[some], padded[some, :5], counts[some])
        assert writer.rows == number
    assert writer.checksum == checksum
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes() == (tmp_path / "c").read_bytes()
    opened = KeyedVectors.load(tmp_path / "a")
    assert [len(chunk.words) for chunk in opened.chunks()] == [ROWS, 10]
    assert opened.info == {"seed": 1}
    assert np.array_equal(opened[f"w{ROWS + 4}"], padded[ROWS + 4, :5])
    assert np.array_equal(opened[[f"w{ROWS + 4}", "w1"]], padded[[ROWS + 4, 1], :5])
    assert opened.get_index(f"w{ROWS + 9}") == ROWS + 9 and opened.words[-1] == f"w{ROWS + 9}"
    assert opened.words[ROWS - 2 : ROWS + 2] == words[ROWS - 2 : ROWS + 2]


def test_nan_is_refused_and_leaves_no_file(tmp_path: Path) -> None:
    matrix = np.ones((3, 2), np.float32)
    matrix[1, 1] = np.nan
    with pytest.raises(StreamvecError, match="'b' holds NaN"):
        write_vectors(tmp_path / "v.arrow", ["a", "b", "c"], None, matrix, {})
    assert list(tmp_path.iterdir()) == []


def test_questions(vectors: KeyedVectors) -> None:
    unit = vectors.vectors.astype(float)
    unit[:9] /= np.linalg.norm(unit[:9], axis=1)[:, None]
    word, similarity = vectors.analogy("man", "king", "woman", topn=1)[0]
    assert word == "queen"
    assert vectors.most_similar(["king", "woman"], "man") == vectors.analogy("man", "king", "woman")
    target = unit[2] - unit[0] + unit[1]
    assert similarity == pytest.approx(target @ unit[3] / np.linalg.norm(target))
    assert vectors.similarity("king", "서울") == pytest.approx(unit[2] @ unit[5])
    neighbours = vectors.most_similar("king", topn=100)
    assert len(neighbours) == len(WORDS) - 1 and "king" not in dict(neighbours)
    assert dict(neighbours)["서울"] == vectors.similarity("king", "서울")
    assert vectors.most_similar(vectors["king"])[0] == ("king", pytest.approx(1.0))
    assert vectors.most_similar_batch(["king", "man"]) == [vectors.most_similar("king"), vectors.most_similar("man")]
    assert vectors.most_similar_batch(vectors.vectors[:2], 1) == [[("man", 1.0)], [("woman", 1.0)]]
    assert vectors.most_similar_groups([(["king", "man"], [])]) == [vectors.most_similar(["king", "man"])]
    assert vectors.most_similar_groups([]) == []
    assert {word for word, _ in vectors.most_similar("king", restrict=3)} == {"man", "woman"}
    assert vectors.similarity("zero", "king") == 0.0
    assert all(value == 0.0 for _, value in vectors.most_similar("zero"))


def test_wrong_arguments(vectors: KeyedVectors) -> None:
    with pytest.raises(ValueError, match="topn must be at least 1, got 0"):
        vectors.most_similar("king", topn=0)
    with pytest.raises(ValueError, match="restrict must be at least 1"):
        vectors.most_similar("king", restrict=0)
    with pytest.raises(ValueError, match=r"shape \(6,\), got \(5,\)"):
        vectors.most_similar(np.ones(5))
    with pytest.raises(ValueError, match="finite"):
        vectors.most_similar(np.full(6, np.nan))
    with pytest.raises(ValueError, match="at least one word"):
        vectors.most_similar()
    with pytest.raises(ValueError, match="shape"):
        KeyedVectors.from_arrays(["a"], np.ones((2, 2)))


def test_an_unknown_word_is_both_errors_and_suggests(vectors: KeyedVectors) -> None:
    for kind in (KeyError, StreamvecError):
        with pytest.raises(kind, match="did you mean king"):
            vectors["King"]
    with pytest.raises(UnknownWord, match="did you mean queen") as caught:
        vectors.most_similar("qeen")
    assert caught.value.word == "qeen" and caught.value.suggestions == ["queen"]
    with pytest.raises(UnknownWord, match="check the spelling"):
        vectors.get_index("qqqqqqqqqqqqq")
    assert "king" in vectors and "King" not in vectors and 3 not in vectors and "" in vectors
    assert "\ud800" not in vectors


def test_scan_and_index_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(3)
    letters = "aäb한\u2028 "
    words = sorted({"".join(rng.choice(list(letters), rng.integers(0, 6))) for _ in range(400)})
    columns = [pa.array(words[:100]), pa.array(["pad", *words[100:150]]).slice(1), pa.array(words[150:])]
    asked = words + [word + "x" for word in words]
    expected = list(range(len(words))) + [-1] * len(words)
    for scans in (10**9, 0):
        monkeypatch.setattr(words_module, "_SCANS", scans)
        assert words_module.Words(columns).ranks(asked).tolist() == expected
    monkeypatch.setattr(words_module, "word_hashes", lambda column: np.full(len(column), 7, np.uint64))
    monkeypatch.setattr(words_module.xxhash, "xxh3_64_intdigest", lambda raw: 7)
    assert words_module.Words(columns).ranks(asked).tolist() == expected


def test_no_words_at_all(tmp_path: Path) -> None:
    write_vectors(tmp_path / "v.arrow", [], None, np.empty((0, 3), np.float32), {})
    empty = KeyedVectors.load(tmp_path / "v.arrow")
    assert len(empty) == 0 and empty.dim == 3 and empty.vectors.shape == (0, 3) and list(empty.words) == []
    assert empty.most_similar(np.ones(3)) == []
    with pytest.raises(UnknownWord):
        empty.most_similar("a")


def test_a_run_and_what_is_none(tmp_path: Path, vectors: KeyedVectors) -> None:
    run = tmp_path / "run"
    run.mkdir()
    with pytest.raises(StreamvecError, match="not a RUN"):
        KeyedVectors.load(run)
    (run / "run.json").write_text("{}")
    with pytest.raises(StreamvecError, match=r"not finished: streamvec resume .*run"):
        KeyedVectors.load(run)
    vectors.save(run / "vectors.arrow")
    assert len(KeyedVectors.load(run)) == len(WORDS)
    with pytest.raises(StreamvecError, match="no such file"):
        KeyedVectors.load(tmp_path / "nowhere")


def test_damage_is_noticed(tmp_path: Path, vectors: KeyedVectors) -> None:
    path = tmp_path / "v.arrow"
    vectors.save(path)
    whole = path.read_bytes()
    for length in (9, 100, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(StreamvecError, match=r"v\.arrow"):
            KeyedVectors.load(path)
    offsets = whole.index(np.array([0, 3, 8, 12], np.int32).tobytes())
    path.write_bytes(whole[: offsets + 4] + np.int32(10**6).tobytes() + whole[offsets + 8 :])
    with pytest.raises(StreamvecError, match="damaged"):
        KeyedVectors.load(path)


def test_a_look_up_needs_neither_compiler_nor_trainers(tmp_path: Path, vectors: KeyedVectors) -> None:
    vectors.save(tmp_path / "v.arrow")
    code = (
        "import sys, json; from streamvec.vectors import KeyedVectors\n"
        "KeyedVectors.load(sys.argv[1]).most_similar('king'); print(json.dumps(sorted(sys.modules)))"
    )
    ended = subprocess.run([sys.executable, "-c", code, tmp_path / "v.arrow"], capture_output=True, check=True)
    modules = set(json.loads(ended.stdout))
    assert "streamvec.vectors.keyedvectors" in modules
    heavy = ("numba", "pandas", "pyarrow.compute", "pyarrow.parquet", "smart_open", "rich", "streamvec.training")
    assert [name for name in heavy if name in modules] == []


def test_answers_are_those_of_gensim() -> None:
    gensim = pytest.importorskip("gensim.models")
    rng = np.random.default_rng(5)
    words = [f"w{number}" for number in range(800)]
    matrix = rng.standard_normal((800, 24)).astype(np.float32) * rng.uniform(0.2, 5, (800, 1)).astype(np.float32)
    ours, theirs = KeyedVectors.from_arrays(words, matrix), gensim.KeyedVectors(24)
    theirs.add_vectors(words, matrix)
    for positive, negative in ((["w3"], []), (["w3", "w7"], ["w11"]), (["w1", "w2", "w4"], ["w9", "w10"])):
        for found, expected in (
            (ours.most_similar(positive, negative), theirs.most_similar(positive, negative)),
            (
                ours.most_similar(positive, negative, 5, 300),
                theirs.most_similar(positive, negative, 5, restrict_vocab=300),
            ),
            (ours.most_similar(positive, negative, measure="cosmul"), theirs.most_similar_cosmul(positive, negative)),
        ):
            assert [word for word, _ in found] == [word for word, _ in expected]
            assert [value for _, value in found] == pytest.approx([value for _, value in expected], abs=1e-5)
    assert dict(ours.analogy("w5", "w6", "w8")) == pytest.approx(
        dict(theirs.most_similar(["w6", "w8"], ["w5"])), abs=1e-5
    )
    assert ours.similarity("w1", "w2") == pytest.approx(float(theirs.similarity("w1", "w2")), abs=1e-5)
    some = ["w1", "w2", "w3", "w4", "w5"]
    assert ours.doesnt_match(some) == theirs.doesnt_match(some)
    expected = {word: float(value) for value, word in theirs.rank_by_centrality(some)}
    assert dict(ours.rank_by_centrality(some)) == pytest.approx(expected, abs=1e-5)
    assert ours.similarity("w1", "w2", "euclidean") == pytest.approx(
        float(np.linalg.norm(matrix[1] - matrix[2])), rel=1e-6
    )
