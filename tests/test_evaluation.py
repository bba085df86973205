"""Evaluation: the figures that gensim and scipy give, whatever the tiles; what is unknown or malformed is named."""

import gzip
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import Command

from streamvec.errors import StreamvecError
from streamvec.vectors import KeyedVectors, analogies
from streamvec.vectors.evaluation import (
    AnalogyScores,
    average_ranks,
    correlation,
    evaluate_analogies,
    evaluate_similarity,
)

WORDS = 400
DIM = 8


def regular_vectors(seed: int = 0, capitals: bool = False) -> KeyedVectors:
    """Words a0 b0 a1 b1 ... whose pairs differ by about the same offset, so that some analogies are solved."""
    rng = np.random.default_rng(seed)
    base = rng.standard_normal((WORDS // 2, DIM))
    offset = 0.8 * rng.standard_normal(DIM)
    matrix = np.stack([base, base + offset + 0.3 * rng.standard_normal(base.shape)], axis=1).reshape(WORDS, DIM)
    names = [f"{side}{number}" for number in range(WORDS // 2) for side in "ab"]
    if capitals:  # some words again in another case, farther down
        names[300:340] = [name.upper() for name in names[:40]]
        matrix[300:320] = matrix[:20] + 0.01
    return KeyedVectors.from_arrays(names, matrix.astype(np.float32))


def questions_file(path: Path, count: int = 600) -> Path:
    """Sections of questions, some with words that no vectors have or that come twice."""
    rng = np.random.default_rng(1)
    lines = ["//Copyright", ": pairs"]
    for number in range(count):
        if number == count // 2:
            lines.append(": gram1-back")
        one, two = rng.integers(0, 170, 2).tolist()
        lines.append(f"a{one} B{one} a{two} b{two}" if number < count // 2 else f"b{one} a{one} b{two} A{two}")
        if number % 50 == 0:
            lines.append(f"a{one} b{one} unknown{number} b{two}")
    lines += [": empty", ": gram2-once", "a1 b1 a1 b1", "a1 b1 a2 a1"]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def pairs_file(path: Path, separator: str = "\t") -> Path:
    rng = np.random.default_rng(2)
    lines = ["# a comment", separator.join(("word1", "word2", "score"))]
    for _ in range(300):
        one, two = rng.integers(0, 190, 2).tolist()
        lines.append(separator.join((f"A{one}", f"b{two}", f"{rng.integers(0, 40) / 4}")))
    lines += ["", separator.join(("a1", "nothing", "3")), separator.join(("a2", "b2", "1.5", "4", "extra"))]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def theirs_of(vectors: KeyedVectors) -> "object":
    gensim = pytest.importorskip("gensim.models")
    theirs = gensim.KeyedVectors(vectors.dim)
    theirs.add_vectors(list(vectors.words), vectors.vectors)
    return theirs


def naive_right(vectors: KeyedVectors, question: tuple[str, str, str, str], top: int, method: int) -> bool:
    """Whether the question is answered, by the formulas as they stand."""
    names = [word.upper() for word in vectors.words[:top]]
    unit = vectors.vectors[:top].astype(float)
    unit /= np.linalg.norm(unit, axis=1)[:, None]
    a, b, c, d = (word.upper() for word in question)
    x, y, z = (unit @ unit[names.index(word)] for word in (a, b, c))
    scores = y - x + z if method == 0 else (1 + y) / 2 * (1 + z) / 2 / ((1 + x) / 2 + 1e-6)
    order = [row for row in np.argsort(-scores, kind="stable").tolist() if names[row] not in (a, b, c)]
    return names[order[0]] == d


def counted(scores: AnalogyScores) -> list[tuple[int, int, int, int]]:
    return [(one.right_add, one.right_mul, one.found, one.questions) for one in (*scores.sections, scores.total)]


@pytest.mark.parametrize("capitals", [False, True])
@pytest.mark.parametrize("top", [0, 150])
def test_analogies_are_what_the_formulas_say(tmp_path: Path, top: int, capitals: bool) -> None:
    vectors = regular_vectors(capitals=capitals)
    path = questions_file(tmp_path / "q.txt")
    scores = evaluate_analogies(vectors, path, top)
    known = {word.upper() for word in vectors.words[: top or None]}
    expected, missing = [], set()
    for line in path.read_text().splitlines()[1:]:
        if line.startswith(":"):
            expected.append([0, 0, 0, 0])
            continue
        words = tuple(line.split())
        expected[-1][3] += 1
        missing |= {word.upper() for word in words} - known
        if known.issuperset(word.upper() for word in words):
            expected[-1][2] += 1
            for method in (0, 1):
                expected[-1][method] += naive_right(vectors, words, top or WORDS, method)
    assert counted(scores)[:-1] == [tuple(row) for row in expected]
    assert counted(scores)[-1] == tuple(map(sum, zip(*expected, strict=True)))
    assert {word.upper() for word in scores.missing} == missing and len(missing) > 10
    assert [section.name for section in scores.sections] == ["pairs", "gram1-back", "empty", "gram2-once"]
    assert scores.semantic.questions == expected[0][3] and scores.syntactic.questions == expected[1][3] + 2
    assert scores.top == (top or WORDS)
    assert 0 < scores.total.right_add < scores.total.found < scores.total.questions  # so that the test means something
    assert scores.sections[2].accuracy_add is None
    assert scores.total.accuracy_mul == scores.total.right_mul / scores.total.found


@pytest.mark.parametrize("capitals", [False, True])
def test_analogies_are_those_of_gensim(tmp_path: Path, capitals: bool) -> None:
    vectors = regular_vectors(3, capitals)
    theirs = theirs_of(vectors)
    path = questions_file(tmp_path / "q.txt")
    path.write_text(path.read_text().removeprefix("//Copyright\n"))  # gensim takes it for a question
    for top in (WORDS, 100):
        for case_sensitive in (False, True):
            scores = evaluate_analogies(vectors, path, top, case_sensitive)
            _, sections = theirs.evaluate_word_analogies(
                str(path), restrict_vocab=top, case_insensitive=not case_sensitive
            )
            right = [len(one["correct"]) for one in sections]
            found = [len(one["correct"]) + len(one["incorrect"]) for one in sections]
            assert [(row[0], row[2]) for row in counted(scores)] == list(zip(right, found, strict=True))
    # gensim ignores its similarity_function: hand its 3CosMul in under the other's name
    theirs.most_similar = lambda positive, negative, topn, restrict_vocab: theirs.most_similar_cosmul(
        positive, negative, topn
    )
    _, sections = theirs.evaluate_word_analogies(str(path))
    assert [len(one["correct"]) for one in sections] == [row[1] for row in counted(evaluate_analogies(vectors, path))]


def test_tiles_change_nothing_and_ties_go_to_the_more_frequent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    vectors = regular_vectors()
    matrix = vectors.vectors.copy()
    matrix[100:200] = matrix[:100]  # every answer has a rival with the very same vector
    vectors = KeyedVectors.from_arrays(list(vectors.words), matrix)
    path = questions_file(tmp_path / "q.txt")
    expected = evaluate_analogies(vectors, path, 0)
    known = [
        words
        for line in path.read_text().splitlines()
        if len(words := tuple(line.split())) == 4 and "unknown" not in line
    ]
    for method, right in enumerate((expected.total.right_add, expected.total.right_mul)):
        assert right == sum(naive_right(vectors, words, WORDS, method) for words in known)
    for tile, questions, exact in ((400, 7, 3), (40_000, 64, 1), (1, 600, 600)):
        monkeypatch.setattr(analogies, "_TILE", tile)
        monkeypatch.setattr(analogies, "_QUESTIONS", questions)
        monkeypatch.setattr(analogies, "_EXACT", exact)
        assert evaluate_analogies(vectors, path, 0) == expected


def test_a_word_opposite_to_a_is_no_danger_to_3cosmul(tmp_path: Path) -> None:
    """cos'(x, a) is near 0 there, where float32 has lost all its digits."""
    rng = np.random.default_rng(0)
    matrix = rng.standard_normal((60, 2)).astype(np.float32)
    matrix[30:] = -matrix[:30] * (1 + rng.integers(0, 3, (30, 1)))
    vectors = KeyedVectors.from_arrays([f"w{number}" for number in range(60)], matrix)
    lines = [tuple(f"w{number}" for number in rng.choice(60, 4, replace=False).tolist()) for _ in range(900)]
    path = tmp_path / "q.txt"
    path.write_text("\n".join(" ".join(line) for line in lines))
    total = evaluate_analogies(vectors, path).total
    assert total.right_mul == sum(naive_right(vectors, line, 60, 1) for line in lines) > 0
    assert total.right_add == sum(naive_right(vectors, line, 60, 0) for line in lines)


@pytest.mark.parametrize("separator", ["\t", ",", " ", ", "])
def test_similarity_in_any_columns(tmp_path: Path, separator: str) -> None:
    stats = pytest.importorskip("scipy.stats")
    vectors = regular_vectors()
    score = evaluate_similarity(vectors, pairs_file(tmp_path / "p", separator))
    lines = [line.lower().split(separator) for line in (tmp_path / "p").read_text().splitlines()[2:] if line]
    known = [(float(line[2]), vectors.similarity(line[0], line[1])) for line in lines if line[1] != "nothing"]
    judged, found = zip(*known, strict=True)
    assert (score.found, score.pairs, score.missing) == (len(known), len(lines), ("nothing",))
    assert score.spearman == pytest.approx(stats.spearmanr(judged, found)[0], abs=1e-12)
    assert score.pearson == pytest.approx(stats.pearsonr(judged, found)[0], abs=1e-12)


@pytest.mark.parametrize("capitals", [False, True])
def test_similarity_is_that_of_gensim(tmp_path: Path, capitals: bool) -> None:
    vectors = regular_vectors(4, capitals)
    theirs = theirs_of(vectors)
    path = pairs_file(tmp_path / "p")
    path.write_text("".join(line for line in path.read_text().splitlines(True) if "extra" not in line))
    for case_sensitive in (False, True):
        for top in (0, 120, 390):
            score = evaluate_similarity(vectors, path, top, case_sensitive)
            if not score.found:  # gensim refuses that
                assert case_sensitive
                continue
            pearson, spearman, missing = theirs.evaluate_word_pairs(
                str(path), restrict_vocab=top or WORDS, case_insensitive=not case_sensitive
            )
            assert score.spearman == pytest.approx(spearman[0], abs=1e-6)
            assert score.pearson == pytest.approx(pearson[0], abs=1e-6)
            assert 100 * (1 - score.found / score.pairs) == pytest.approx(missing)


def test_case_is_ignored_unless_asked(tmp_path: Path) -> None:
    matrix = np.eye(5, dtype=np.float32)
    matrix[1] = matrix[0] + matrix[2]
    vectors = KeyedVectors.from_arrays(["straße", "Athens", "athens", "STRASSE", "ı"], matrix)
    path = tmp_path / "p.csv"
    path.write_text("Straße,ATHENS,1\nathens,I,2\nstraße,athens,3\n", encoding="utf-8")
    assert evaluate_similarity(vectors, path).found == 3
    strict = evaluate_similarity(vectors, path, case_sensitive=True)
    assert (strict.found, strict.missing) == (1, ("Straße", "ATHENS", "I")) and strict.spearman is None
    path.write_text("straße,athens,1\nathens,ı,2\n", encoding="utf-8")
    assert evaluate_similarity(vectors, path).spearman == -1  # the more frequent Athens stands for athens
    assert evaluate_similarity(vectors, path, top=1).found == 0


def test_correlations() -> None:
    stats = pytest.importorskip("scipy.stats")
    rng = np.random.default_rng(0)
    for size in (2, 3, 50):
        a, b = rng.integers(0, 9, (2, size)).astype(float)
        a[0], b[0] = 10, 11
        assert np.array_equal(average_ranks(a), stats.rankdata(a))
        assert correlation(a, b) == pytest.approx(stats.pearsonr(a, b)[0], abs=1e-12)
        assert correlation(a * 1e300, b * 1e-300) == pytest.approx(stats.pearsonr(a, b)[0], abs=1e-12)
    assert correlation(np.ones(3), np.arange(3.0)) is None and correlation(np.ones(1), np.ones(1)) is None
    assert correlation(np.full(3, 0.1), np.arange(3.0)) is None  # its mean is not exactly 0.1


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a\tb\t1\na\tb\n", "line 2: expected word, word, score"),
        (b"a b 1\n\n# c\na b two\n", "line 4: expected word, word, score"),
        (b"a,b,nan\n", "line 1: expected two words and a finite score"),
        (b"a\t\t3\n", "line 1: expected two words"),
        (b"a b 1\na \xff 2\n", "line 2: not UTF-8 text"),
        (b"# nothing\n\n", "there are no pairs in it"),
        (b"\x1f\x8b\x08\x00broken", "damaged|cut short"),
    ],
)
def test_malformed_pairs_are_named(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "p").write_bytes(content)
    with pytest.raises(StreamvecError, match=message) as problem:
        evaluate_similarity(regular_vectors(), tmp_path / "p")
    assert str(tmp_path / "p") in str(problem.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b": s\na b c d\na b c\n", "line 3: expected four words"),
        (b": s\na b c d e\n", "line 2: expected four words"),
        (b": s\n", "there are no questions in it"),
        (b"a b c \xfe\n", "line 1: not UTF-8 text"),
    ],
)
def test_malformed_questions_are_named(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "q").write_bytes(content)
    with pytest.raises(StreamvecError, match=message) as problem:
        evaluate_analogies(regular_vectors(), tmp_path / "q")
    assert str(tmp_path / "q") in str(problem.value)


def test_questions_of_other_people(tmp_path: Path) -> None:
    """Without sections, compressed, with a byte order mark and Windows' ends of lines; words with spaces by tabs."""
    path = tmp_path / "bare.txt.gz"
    path.write_bytes(gzip.compress(b"\xef\xbb\xbfa0 b0 a1 b1\r\na0\tb0\ta 2\tb2\r\n"))
    scores = evaluate_analogies(regular_vectors(), path)
    assert [(one.name, one.found, one.questions) for one in scores.sections] == [("bare.txt.gz", 1, 2)]
    assert scores.missing == ("a 2",)
    with pytest.raises(ValueError, match="top must be at least 0, got -1"):
        evaluate_analogies(regular_vectors(), path, -1)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Path, Path]:
    folder = tmp_path_factory.mktemp("evaluate")
    regular_vectors().save(folder / "v.arrow")
    second = pairs_file(folder / "second.csv", ",")
    return folder / "v.arrow", pairs_file(folder / "first.tsv"), second, questions_file(folder / "q.txt")


def test_a_table_for_people(streamvec: Command, files: tuple[Path, ...]) -> None:
    vectors, first, second, questions = files
    ended = streamvec("evaluate", vectors, "--similarity", first, second, "--analogies", questions, "--top", "150")
    assert (ended.returncode, ended.stderr) == (0, "")
    lines = ended.stdout.splitlines()
    score = evaluate_similarity(KeyedVectors.load(vectors), first)
    assert lines[0].split() == ["similarity", "Spearman", "Pearson", "found", "pairs"]
    assert lines[1].split() == ["first.tsv", f"{score.spearman:.3f}", f"{score.pearson:.3f}", "301", "302"]
    assert lines[2].split()[0] == "second.csv"
    assert lines[4].startswith("analogies, top 150 ")
    total = evaluate_analogies(KeyedVectors.load(vectors), questions, 150).total
    cells = f"total {total.accuracy_add:.3f} {total.accuracy_mul:.3f} {total.found} {total.questions}"
    assert cells.split() in [line.split() for line in lines]
    assert ["empty", "-", "-", "0", "0"] in [line.split() for line in lines]
    assert "first.tsv: 1 not among the 400 words: nothing" in lines
    assert lines[-1].startswith("q.txt: ") and "not among the top 150: " in lines[-1] and lines[-1].endswith(", ...")


def test_json_a_line(streamvec: Command, files: tuple[Path, ...]) -> None:
    vectors, first, second, questions = files
    command = ("--similarity", first, "--json", f"--similarity={second}", "--top", "0", "--analogies", questions)
    ended = streamvec("evaluate", vectors, *command)
    assert ended.returncode == 0, ended.stderr
    records = [json.loads(line) for line in ended.stdout.splitlines()]
    kv = KeyedVectors.load(vectors)
    assert [record["similarity"] for record in records[:2]] == [str(first), str(second)]
    assert records[0]["spearman"] == evaluate_similarity(kv, first).spearman and records[0]["missing"] == ["nothing"]
    assert [record["section"] for record in records[2:]] == [
        "pairs", "gram1-back", "empty", "gram2-once", None, None, None,
    ]  # fmt: skip
    total = evaluate_analogies(kv, questions, 0).total
    assert records[-1]["kind"] == "total" and records[-1]["accuracy_mul"] == total.accuracy_mul
    assert records[-1]["top"] == WORDS and records[4]["accuracy_add"] is None


def test_wrong_usage_and_wrong_files(streamvec: Command, files: tuple[Path, ...], tmp_path: Path) -> None:
    vectors, first, *_ = files
    nothing = streamvec("evaluate", vectors)
    assert nothing.returncode == 2 and "give --similarity F" in nothing.stderr
    assert streamvec("evaluate", "--similarity", first, vectors).returncode == 0  # VECTORS last
    absent = streamvec("evaluate", vectors, "--similarity", first, tmp_path / "none")
    assert absent.returncode == 1 and absent.stdout == "" and "none: no such file" in absent.stderr
    (tmp_path / "bad").write_text("a b c\n")
    bad = streamvec("evaluate", vectors, "--analogies", tmp_path / "bad")
    assert bad.returncode == 1 and "bad, line 1: expected four words" in bad.stderr


def test_neither_the_compiler_nor_scipy_is_loaded(files: tuple[Path, ...]) -> None:
    vectors, first, _, questions = files
    code = (
        "import sys; from streamvec.vectors import KeyedVectors; from streamvec.vectors.evaluation import *; "
        f"kv = KeyedVectors.load({str(vectors)!r}); evaluate_similarity(kv, {str(first)!r}); "
        f"evaluate_analogies(kv, {str(questions)!r}); assert not {{'numba', 'scipy'}} & set(sys.modules), 'loaded'"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
