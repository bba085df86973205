"""An index finds what an exact search finds, says when it is of other vectors, and is the same on any threads."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from streamvec.errors import StreamvecError
from streamvec.vectors import KeyedVectors, annbuild
from streamvec.vectors.annbuild import IndexOptions, build_index, check_index
from streamvec.vectors.annindex import MAGIC, AnnIndex, quantized, read_about, verify_index

pytest.importorskip("usearch", reason="usearch is not installed here: pip install 'streamvec[ann]'")
ROWS = 3000


def made(path: Path, rows: int = ROWS, seed: int = 0) -> Path:
    rng = np.random.default_rng(seed)
    matrix = (rng.standard_normal((rows, 6)) @ rng.standard_normal((6, 20))).astype(np.float32)
    matrix[7] = 0
    KeyedVectors.from_arrays([f"w{number}" for number in range(rows)], matrix).save(path)
    return path


@pytest.fixture(scope="module")
def indexed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = made(tmp_path_factory.mktemp("indexed") / "v.arrow")
    build_index(path)
    return path


def test_neighbours_and_similarities_are_those_of_an_exact_search(indexed: Path) -> None:
    exact, by_index = KeyedVectors.load(indexed), KeyedVectors.load(indexed, index=True)
    assert exact.index is None and by_index.index is not None
    rows = exact.rows(np.arange(0, ROWS, 11))
    (expected, values), (ranks, similarities) = exact.nearest(rows, 10), by_index.nearest(rows, 10)
    same = [len(set(a) & set(b)) for a, b in zip(expected.tolist(), ranks.tolist(), strict=True)]
    assert sum(same) >= 0.98 * expected.size
    for mine, sims, theirs, all_sims in zip(ranks, similarities, expected, values, strict=True):
        told = dict(zip(theirs.tolist(), all_sims.tolist(), strict=True))
        assert all(told[rank] == sim for rank, sim in zip(mine.tolist(), sims.tolist(), strict=True) if rank in told)
    one = by_index.most_similar("w3", topn=5)
    assert one == exact.most_similar("w3", topn=5) and "w3" not in dict(one)
    assert by_index.most_similar("w7", topn=3) == exact.most_similar("w7", topn=3)  # a vector of zeros
    assert by_index.most_similar("w3", topn=5, restrict=40) == exact.most_similar("w3", topn=5, restrict=40)
    many = by_index.most_similar("w3", topn=ROWS)
    assert len(many) == ROWS - 1
    assert by_index.most_similar("w3", measure="euclidean") == exact.most_similar("w3", measure="euclidean")


@pytest.mark.parametrize("dtype", ["i8", "f16", "f32"])
def test_parts_and_threads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dtype: str) -> None:
    path, contents = made(tmp_path / "v.arrow", 1000), []
    monkeypatch.setattr(annbuild, "PART", 300)
    for threads in (1, 3):
        built = build_index(path, IndexOptions(dtype=dtype), threads, overwrite=True)
        assert (built.rows, built.dim, built.parts) == (1000, 20, 4)
        contents.append(built.path.read_bytes())
    assert contents[0] == contents[1] and built.size == len(contents[0])
    assert verify_index(built.path) and len(read_about(built.path)["parts"]) == 4
    checked = check_index(path, 200)
    assert checked.queries == 200 and checked.recall > 0.97
    assert min(checked.exact_rate, checked.index_rate) > 0


def test_numbers_are_held_as_they_should_be() -> None:
    rows = np.array([[0.5, -1.0, 0.25], [0, 0, 0], [2e-30, 1e-30, 0]], np.float32)
    assert quantized(rows, "i8").tolist() == [[64, -127, 32], [0, 0, 0], [127, 64, 0]]
    assert np.allclose(np.linalg.norm(quantized(rows, "f32"), axis=1), [1, 0, 1])
    assert quantized(rows, "f16").dtype == np.float16


def test_an_index_of_other_vectors_is_said_and_not_used(tmp_path: Path) -> None:
    path = made(tmp_path / "v.arrow", 400)
    build_index(path)
    made(path, 400, seed=1)
    opened = KeyedVectors.load(path, index=True)
    assert opened.index is None
    assert "v.index is of other vectors, so all words are looked at: streamvec index --overwrite" in opened.notes[0]
    with pytest.raises(StreamvecError, match="is of other vectors"):
        check_index(path)
    with pytest.raises(StreamvecError, match=r"v.index: exists already: --overwrite makes it again"):
        build_index(path)
    build_index(path, overwrite=True)
    assert KeyedVectors.load(path, index=True).index is not None


def test_damage_is_named(indexed: Path, tmp_path: Path) -> None:
    shutil.copy(indexed, tmp_path / "v.arrow")
    whole, path = indexed.with_name("v.index").read_bytes(), tmp_path / "v.index"
    for cut in (0, 10, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:cut])
        with pytest.raises(StreamvecError, match=r"v.index: damaged or cut short"):
            AnnIndex(path)
    huge = whole[: -len(MAGIC) - 8] + (10**18).to_bytes(8, "little") + MAGIC
    path.write_bytes(huge)
    opened = KeyedVectors.load(tmp_path / "v.arrow", index=True)
    assert opened.index is None and "damaged" in opened.notes[0] and "all words are looked at" in opened.notes[0]
    with pytest.raises(StreamvecError, match=r"v.index: exists already"):
        build_index(tmp_path / "v.arrow")
    (part,) = read_about(indexed.with_name("v.index"))["parts"]
    for place in [*range(100, part.size, 40_000), part.end - 1]:
        flipped = bytearray(whole)
        flipped[place] ^= 255
        path.write_bytes(flipped)
        for use in (verify_index, AnnIndex):
            with pytest.raises(StreamvecError, match=r"v.index: damaged: a part has checksum"):
                use(path)
    path.write_bytes(b"something else")
    with pytest.raises(StreamvecError, match=r"v.index: no index of streamvec, or cut short: remove it"):
        build_index(tmp_path / "v.arrow", overwrite=True)
    flipped = bytearray(whole)
    flipped[-len(MAGIC) - 60] ^= 1
    path.write_bytes(flipped)
    with pytest.raises(StreamvecError, match="damaged"):
        AnnIndex(path)


def test_another_tools_file_is_imported_first(tmp_path: Path) -> None:
    (tmp_path / "v.txt").write_text("a 1 2\nb 2 1\n")
    with pytest.raises(StreamvecError, match="another tool's file: streamvec import makes vectors"):
        build_index(tmp_path / "v.txt")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"dtype": "i4"}, "dtype must be"),
        ({"connectivity": 1}, "connectivity must be"),
        ({"expansion": 0}, "expansion"),
    ],
)
def test_options_are_checked(options: dict[str, object], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        IndexOptions(**options)  # type: ignore[arg-type]


def test_from_the_shell(streamvec, tmp_path: Path) -> None:
    path = made(tmp_path / "v.arrow", 500)
    ended = streamvec("index", path, "--check", "--queries", "50", "--json")
    assert ended.returncode == 0, ended.stderr
    built, checked = (json.loads(line) for line in ended.stdout.splitlines())
    assert (built["rows"], checked["queries"]) == (500, 50) and checked["recall"] > 0.9
    by_index, exact = (streamvec("nn", path, "w3", "--json", *more) for more in ([], ["--exact"]))
    assert "looked up in the index" in by_index.stderr and exact.stderr == ""
    said = json.loads(by_index.stdout)
    assert said.pop("approximate") is True and said == json.loads(exact.stdout)
    lines = streamvec("nn", path, "--json", stdin="w3\nnone\nw4\n")
    assert [len(json.loads(line).get("neighbours", [])) for line in lines.stdout.splitlines()] == [10, 0, 10]
    ended = streamvec("index", path)
    assert ended.returncode == 1 and "exists already" in ended.stderr
    again = streamvec("index", path, "--check")
    assert again.returncode == 0 and again.stdout.startswith("recall@10 ")
    verified = streamvec("verify", tmp_path / "v.index")
    assert verified.returncode == 0, verified.stderr
    assert "index" in streamvec("info", tmp_path / "v.index").stdout
    ended = streamvec("nn", tmp_path / "v.index", "w3")
    assert ended.returncode == 1 and "name v.arrow" in ended.stderr
    for more in (["--dtype", "f64"], ["--overwrite", "--connectivity", "1"], ["--check", "--dtype", "f32"]):
        ended = streamvec("index", path, *more)
        assert ended.returncode == 2 and "Traceback" not in ended.stderr, ended.stderr
    few = made(tmp_path / "few.arrow", 20)
    ended = streamvec("index", few, "--check")
    assert ended.returncode == 1 and "an index is not used" in ended.stderr
