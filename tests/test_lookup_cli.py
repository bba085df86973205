"""nn, analogy, similarity, export and import as a person runs them: a process, its output and its exit status."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from streamvec.vectors import KeyedVectors

WORDS = ["man", "woman", "king", "queen", "straße", "서울", "new york", "river", "a\nb"]


@pytest.fixture(scope="module")
def vectors(tmp_path_factory: pytest.TempPathFactory) -> Path:
    matrix = np.random.default_rng(0).standard_normal((len(WORDS), 8)).astype(np.float32)
    matrix[3] = matrix[2] - matrix[0] + matrix[1]
    path = tmp_path_factory.mktemp("vectors") / "vectors.arrow"
    KeyedVectors.from_arrays(WORDS, matrix, np.arange(len(WORDS), 0, -1)).save(path)
    return path


def streamvec(*words: str | Path, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """Runs the command in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "streamvec_cli.main", *map(str, words)],
        input=stdin,
        capture_output=True,
        encoding="utf-8",
        env={**os.environ, "PYTHONUTF8": "1"},
    )


def test_neighbours_of_one_word_and_of_several(vectors: Path) -> None:
    kv = KeyedVectors.load(vectors)
    ended = streamvec("nn", vectors, "king", "-n", "3")
    assert (ended.returncode, ended.stderr) == (0, "")
    lines = ended.stdout.splitlines()
    assert [line.rsplit(None, 1)[0] for line in lines] == [word for word, _ in kv.most_similar("king", topn=3)]
    assert [float(line.split()[-1]) for line in lines] == [round(value, 4) for _, value in kv.most_similar("king")[:3]]
    assert len({line.rindex(".") for line in lines if line.isascii()}) == 1
    several = streamvec("nn", vectors, "king", "queen", "-n", "1").stdout.splitlines()
    assert several[0] == "king" and several[2] == "queen" and several[1].startswith("  ")
    everything = streamvec("nn", vectors, "king", "-n", "1000").stdout
    assert len(everything.splitlines()) == len(WORDS) - 1 and "a\\nb" in everything


def test_several_words_are_their_phrase_where_there_is_one(tmp_path: Path) -> None:
    matrix = np.random.default_rng(1).standard_normal((5, 8)).astype(np.float32)
    kv = KeyedVectors.from_arrays(["new", "york", "new_york", "city", "river"], matrix, np.arange(5, 0, -1))
    kv.save(tmp_path / "v.arrow")
    ended = streamvec("nn", tmp_path / "v.arrow", "new york", "new  york", "york city", "-n", "2")
    phrase, again, mean = ended.stdout.split("\n")[::3][:3]
    assert (phrase, again, mean) == ("new york", "new  york", "york city")
    blocks = ended.stdout.splitlines()
    assert [line.split()[0] for line in blocks[1:3]] == [word for word, _ in kv.most_similar("new_york", topn=2)]
    assert blocks[1:3] == blocks[4:6]
    assert [line.split()[0] for line in blocks[7:9]] == [word for word, _ in kv.most_similar(["york", "city"], topn=2)]


def test_a_phrase_in_another_case(tmp_path: Path) -> None:
    matrix = np.random.default_rng(1).standard_normal((5, 8)).astype(np.float32)
    KeyedVectors.from_arrays(["new", "york", "new_york", "city", "river"], matrix).save(tmp_path / "v.arrow")
    said, expected = (
        json.loads(streamvec("nn", tmp_path / "v.arrow", one, "--json").stdout) for one in ("New York", "new_york")
    )
    assert said["read_as"] == {"New York": "new_york"} and said["neighbours"] == expected["neighbours"]


def test_a_name_that_is_no_text(tmp_path: Path, vectors: Path) -> None:
    odd = os.fsdecode(os.fsencode(tmp_path) + b"/x\xff.arrow")
    Path(odd).write_bytes(vectors.read_bytes())
    ended = subprocess.run([sys.executable, "-m", "streamvec_cli.main", "nn", odd, "king"], capture_output=True)
    assert ended.returncode == 0, ended.stderr


def test_json(vectors: Path) -> None:
    kv = KeyedVectors.load(vectors)
    (line,) = streamvec("nn", vectors, "straße", "--json", "-n", "2").stdout.splitlines()
    expected = [{"word": word, "similarity": value} for word, value in kv.most_similar("straße", topn=2)]
    assert json.loads(line) == {"query": "straße", "neighbours": expected}
    found = json.loads(streamvec("analogy", vectors, "man", "king", "woman", "--json").stdout)
    assert found["query"] == ["man", "king", "woman"] and found["neighbours"][0]["word"] == "queen"
    found = json.loads(streamvec("similarity", vectors, "man", "king", "--json").stdout)
    assert found == {"query": ["man", "king"], "similarity": kv.similarity("man", "king")}


def test_lines_on_stdin(vectors: Path) -> None:
    kv = KeyedVectors.load(vectors)
    ended = streamvec("nn", vectors, "--json", "-n", "2", stdin="king\r\n\nqeen\nnew york\nking queen\n서울")
    answers = [json.loads(line) for line in ended.stdout.splitlines()]
    assert ended.returncode == 0
    assert [answer["query"] for answer in answers] == ["king", "qeen", "new york", "king queen", "서울"]
    assert "did you mean queen" in answers[1]["error"] and "did you mean queen" in ended.stderr
    found = [[one["word"] for one in answer.get("neighbours", [])] for answer in answers]
    assert found[2] == [word for word, _ in kv.most_similar("new york", topn=2)]
    assert found[3] == [word for word, _ in kv.most_similar(["king", "queen"], topn=2)]
    human = streamvec("nn", vectors, "-n", "1", stdin="king\nnothing\nqueen\n")
    assert [line for line in human.stdout.splitlines() if line[0] != " "] == ["king", "queen"]
    assert human.stderr.startswith("streamvec: warning: 'nothing' is not among the words of")
    pairs = streamvec("similarity", vectors, stdin="man king\nnew york\triver\none two three\nman xyzzy\n")
    assert [line.split("  ")[:2] for line in pairs.stdout.splitlines()] == [["man", "king"], ["new york", "river"]]
    assert "expected 2 words on the line, got 3" in pairs.stderr and "'xyzzy' is not" in pairs.stderr
    threes = streamvec("analogy", vectors, "-n", "1", stdin="man king woman\n")
    assert threes.stdout.splitlines()[0] == "man king woman" and "queen" in threes.stdout.splitlines()[1]
    assert streamvec("nn", vectors, stdin="").returncode == 0


def test_another_case_is_taken_and_said(vectors: Path) -> None:
    for verb, words, number in (("nn", ["King"], 1), ("analogy", ["Man", "king", "WOMAN"], 2), ("vector", ["King"], 1)):
        ended = streamvec(verb, vectors, *words, "--json")
        said, plain = json.loads(ended.stdout), streamvec(verb, vectors, *map(str.lower, words), "--json")
        assert said.pop("read_as") == {word: word.lower() for word in words if word != word.lower()}
        assert {**said, "query": 0} == {**json.loads(plain.stdout), "query": 0} and plain.stderr == ""
        assert len(ended.stderr.splitlines()) == number and "is taken for it" in ended.stderr


def test_what_counts_for_and_against(vectors: Path) -> None:
    kv = KeyedVectors.load(vectors)
    sets = ["--positive", "king", "--positive", "woman", "--negative", "man", "--json"]
    said = json.loads(streamvec("nn", vectors, *sets).stdout)
    assert (said["positive"], said["negative"]) == (["king", "woman"], ["man"])
    assert (
        said["neighbours"]
        == json.loads(streamvec("analogy", vectors, "man", "king", "woman", "--json").stdout)["neighbours"]
    )
    for measure, name in (("euclidean", "distance"), ("cosmul", "score")):
        said = json.loads(streamvec("nn", vectors, *sets, "--by", measure, "--restrict", "4", "-n", "2").stdout)
        expected = kv.most_similar(["king", "woman"], ["man"], 2, 4, measure)
        assert said["neighbours"] == [{"word": word, name: value} for word, value in expected]
    assert streamvec("nn", vectors, "king", "--positive", "queen").returncode == 2
    assert "'xyzzy' is not" in one_line(streamvec("nn", vectors, "--positive", "king", "--negative", "xyzzy"))


def test_other_questions(vectors: Path) -> None:
    kv = KeyedVectors.load(vectors)
    said = json.loads(streamvec("doesnt-match", vectors, "king", "queen", "river", "--json").stdout)
    assert said["odd"] == kv.doesnt_match(["king", "queen", "river"]) == said["words"][-1]["word"]
    lines = streamvec("doesnt-match", vectors, stdin="king queen river\nking\n")
    assert len(lines.stdout.splitlines()) == 4 and "expected two or more words on the line, got 1" in lines.stderr
    assert streamvec("doesnt-match", vectors, "king").returncode == 2
    word, *numbers = streamvec("vector", vectors, "king").stdout.split()
    assert word == "king" and np.allclose(np.array(numbers, float), kv["king"], rtol=1e-6)
    said = [
        json.loads(line)
        for line in streamvec("vector", vectors, "--json", stdin="king\nnew york\nx\n").stdout.splitlines()
    ]
    assert said[1]["vector"] == kv["new york"].tolist() and "error" in said[2]
    pairs = streamvec(
        "similarity", vectors, "--by", "euclidean", stdin="man king\nnew york\triver\n"
    ).stdout.splitlines()
    expected = [np.linalg.norm(kv[a] - kv[b]) for a, b in (("man", "king"), ("new york", "river"))]
    assert [float(line.split()[-1]) for line in pairs] == pytest.approx(expected, abs=1e-4)


def test_a_line_is_answered_before_the_next_is_written(vectors: Path) -> None:
    command = [sys.executable, "-m", "streamvec_cli.main", "nn", str(vectors), "--json"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8") as process:
        assert process.stdin and process.stdout
        for word in ("king", "queen"):
            process.stdin.write(word + "\n")
            process.stdin.flush()
            assert json.loads(process.stdout.readline())["query"] == word


def one_line(ended: subprocess.CompletedProcess[str]) -> str:
    """The one line of a problem, after making sure that it is one."""
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr.startswith("streamvec: error: ") and len(ended.stderr.splitlines()) == 1
    return ended.stderr


def test_problems_are_one_line_and_exit_1(vectors: Path, tmp_path: Path) -> None:
    assert "'Kinf' is not among" in one_line(streamvec("nn", vectors, "Kinf"))
    assert "did you mean king?" in one_line(streamvec("nn", vectors, "man", "Kinf", "--json"))
    assert "did you mean king?" in one_line(streamvec("similarity", vectors, "man", "kin"))
    assert "no such file" in one_line(streamvec("nn", tmp_path / "nowhere", "king"))
    assert "not a RUN" in one_line(streamvec("nn", tmp_path, "king"))
    (tmp_path / "run.json").write_text("{}")
    assert "streamvec resume" in one_line(streamvec("nn", tmp_path, "king"))
    (tmp_path / "prose.txt").write_text("It was the best of times\n")
    assert "not a file of vectors" in one_line(streamvec("nn", tmp_path / "prose.txt", "king"))
    (tmp_path / "bad.txt").write_text("a 1 2\nb 1 2\nc 1\n")
    assert "line 3" in one_line(streamvec("import", tmp_path / "bad.txt", "-o", tmp_path / "bad.arrow"))
    assert not (tmp_path / "bad.arrow").exists()
    (tmp_path / "cut.arrow").write_bytes(vectors.read_bytes()[:300])
    assert "cut.arrow" in one_line(streamvec("nn", tmp_path / "cut.arrow", "king"))


def test_wrong_usage_is_exit_2(vectors: Path) -> None:
    for words in (["similarity", vectors, "one"], ["analogy", vectors, "a", "b"], ["nn", vectors, "king", "-n", "0"]):
        assert streamvec(*words).returncode == 2
    assert streamvec("export", vectors, "-o", "x", "--format", "nothing").returncode == 2


def test_export_and_import(vectors: Path, tmp_path: Path) -> None:
    text = tmp_path / "v.txt.gz"
    done = streamvec("export", vectors, "-o", text, "--format", "word2vec-text")
    assert (done.returncode, done.stdout) == (0, f"{text}: 9 words, dim 8, word2vec-text\n")
    assert "exists already" in one_line(streamvec("export", vectors, "-o", text, "--format", "glove"))
    assert streamvec("export", vectors, "-o", text, "--format", "glove", "--overwrite").returncode == 0
    back = tmp_path / "back.arrow"
    done = streamvec("import", text, "-o", back)
    assert (done.returncode, done.stdout) == (0, f"{back}: 9 words, dim 8, from glove\n")
    assert "exists already" in one_line(streamvec("import", text, "-o", back))
    assert streamvec("nn", back, "king").stdout == streamvec("nn", vectors, "king").stdout
    assert streamvec("nn", text, "king").stdout == streamvec("nn", vectors, "king").stdout
    (tmp_path / "twice.vec").write_text("3 1\na 1\nb 2\na 3\n")
    done = streamvec("import", tmp_path / "twice.vec", "-o", tmp_path / "twice.arrow")
    assert "warning" in done.stderr and "1 rows repeat an earlier word" in done.stderr and done.returncode == 0
    np.save(tmp_path / "m.npy", np.eye(2))
    (tmp_path / "w.txt").write_text("a\nb\n")
    done = streamvec("import", tmp_path / "m.npy", "--words", tmp_path / "w.txt", "-o", tmp_path / "m.arrow")
    assert done.returncode == 0 and KeyedVectors.load(tmp_path / "m.arrow")["b"].tolist() == [0, 1]


@pytest.mark.parametrize("verb", ["nn", "analogy", "similarity", "export", "import"])
def test_help_has_an_example(verb: str) -> None:
    ended = streamvec(verb, "--help")
    assert ended.returncode == 0 and f"Example:\n    streamvec {verb} " in ended.stdout


def test_the_formats_of_the_command_are_those_of_the_library() -> None:
    from streamvec_cli import convert

    from streamvec.vectors.formats import FORMATS

    assert convert._FORMATS == FORMATS
