"""bias and debias as a person runs them: a process, its output and its exit status."""

import json
from pathlib import Path

import numpy as np
import pytest
from biased import EQUAL, FEMALE, JOBS, MALE, PAIRS, biased_vectors
from conftest import Command

from streamvec.vectors import KeyedVectors
from streamvec.vectors.bias import bias_direction, projections

JOB_LIST = [[job, 0.0, 0.5] for job in JOBS]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Vectors and lists; not to be changed."""
    place = tmp_path_factory.mktemp("bias")
    biased_vectors().save(place / "vectors.arrow")
    (place / "pairs.json").write_text(json.dumps([*PAIRS, ["Mary", "John"]]))
    (place / "equalize.txt").write_text("She He\nwoman man\nmother father\ngrandma grandpa\n")
    (place / "jobs.json").write_text(json.dumps([*JOB_LIST, ["wiz\x1bard", 0, 0]]))
    (place / "specific.txt").write_text("\n".join([*FEMALE, *MALE, "nobody"]) + "\n")
    lists = {"women": FEMALE[:5], "men": MALE[:5], "late": JOBS[20:], "early": JOBS[:10]}
    (place / "weat.txt").write_text("\n".join(f"{name}: {', '.join(words)}" for name, words in lists.items()) + "\n")
    (place / "similar.tsv").write_text("job1\tjob2\t3\nqueen\tking\t5\nword1\tword2\t1\n")
    (place / "questions.txt").write_text(": one\nshe he queen king\n")
    return place


def test_measures(folder: Path, streamvec: Command, tmp_path: Path) -> None:
    asked = ["--pairs", folder / "pairs.json", "--words", folder / "jobs.json", "--weat", folder / "weat.txt"]
    ended = streamvec("bias", folder / "vectors.arrow", *asked, "-o", tmp_path / "bias.png")
    assert ended.returncode == 0, ended.stderr
    vectors = KeyedVectors.load(folder / "vectors.arrow")
    found = projections(vectors, bias_direction(vectors, PAIRS), JOBS)
    lines = ended.stdout.splitlines()
    assert [line.split() for line in lines[:30]] == [
        [word, f"{value:.4f}"] for word, value in zip(found.words, found.values, strict=True)
    ]
    assert lines[31] == "direction: she (+) to he (-), of 4 of 5 pairs"
    assert f"direct bias of 30 words, c = 1: {found.direct_bias():.4f}" in lines
    assert lines[-2].startswith("WEAT women / men by late / early: effect size 1.")
    assert lines[-2].endswith("(exact, 252 partitions)")
    assert "2 words are not in the vocabulary: Mary, John" in ended.stderr and "wiz\\x1bard" in ended.stderr
    assert (tmp_path / "bias.png").read_bytes().startswith(b"\x89PNG")
    short = streamvec("bias", folder / "vectors.arrow", *asked, "-n", "2").stdout.splitlines()
    assert short[:2] == lines[:2] and short[2] == "..." and short[3:5] == lines[28:30]


def test_json(folder: Path, streamvec: Command) -> None:
    asked = ["--pairs", folder / "pairs.json", "--words", folder / "jobs.json", "--strictness", "2"]
    twice = ["--weat", folder / "weat.txt", folder / "weat.txt"]
    ended = streamvec("bias", folder / "vectors.arrow", *asked, "-n", "1", *twice, "--json")
    direction, words, first, last, *tests = map(json.loads, ended.stdout.splitlines())
    assert direction["ends"] == ["she", "he"] and direction["missing"] == ["Mary", "John"] and direction["of"] == 5
    assert len(direction["shares"]) == len(direction["random_shares"]) == 4
    assert words["strictness"] == 2 and words["found"] == 30 and 0 < words["direct_bias"] < 1
    assert first["projection"] < 0 < last["projection"]
    assert len(tests) == 2 and tests[0] == tests[1] and tests[0]["targets"] == ["women", "men"]
    alone = streamvec("bias", folder / "vectors.arrow", "--weat", folder / "weat.txt", "--json")
    assert json.loads(alone.stdout) == tests[0]


def test_words_in_another_case_are_told(folder: Path, streamvec: Command, tmp_path: Path) -> None:
    (tmp_path / "words.txt").write_text("JOB1\njob2\n")
    asked = ["--pairs", folder / "pairs.json", "--words", tmp_path / "words.txt"]
    ended = streamvec("bias", folder / "vectors.arrow", *asked)
    assert f"note: {tmp_path / 'words.txt'}: 1 word is taken in another form: JOB1 (job1)" in ended.stderr
    records = [
        json.loads(line) for line in streamvec("bias", folder / "vectors.arrow", *asked, "--json").stdout.splitlines()
    ]
    assert records[0]["read_as"] == {} and records[1]["read_as"] == {"JOB1": "job1"}
    more = ["--specific", tmp_path / "words.txt", "--save-specific", tmp_path / "s.txt", "-o", tmp_path / "out"]
    done = streamvec("debias", folder / "vectors.arrow", "--pairs", folder / "pairs.json", *more, "--json")
    assert json.loads(done.stdout)["read_as"] == {"JOB1": "job1"} and "JOB1 (job1)" in done.stderr
    again = streamvec(
        "debias", folder / "vectors.arrow", "--pairs", folder / "pairs.json", *more[:-1], tmp_path / "other"
    )
    assert again.returncode == 1 and "s.txt: exists already" in again.stderr and not (tmp_path / "other").exists()


def test_debias(folder: Path, streamvec: Command, tmp_path: Path) -> None:
    out = tmp_path / "fair.arrow"
    asked = ["--pairs", folder / "pairs.json", "--equalize", folder / "equalize.txt", "--words", folder / "jobs.json"]
    asked += ["--similarity", folder / "similar.tsv", "--analogies", folder / "questions.txt"]
    asked += ["--specific", folder / "specific.txt", "-o", out]
    ended = streamvec("debias", folder / "vectors.arrow", *asked)
    assert ended.returncode == 0, ended.stderr
    told, _, bias, spearman, *_ = ended.stdout.splitlines()
    assert told == f"{out}: 454 words, hard: 430 neutral, 14 specific, 3 sets equalized"
    before, after = map(float, bias.split()[-2:])
    assert bias.startswith("direct bias, jobs.json") and before > 0.1 and after == 0
    assert spearman.startswith("similar.tsv, Spearman")
    assert "1 of 4 sets are not equalized" in ended.stderr and "grandma-grandpa" in ended.stderr
    assert "1 word is not in the vocabulary: nobody" in ended.stderr
    new = KeyedVectors.load(out)
    assert new.info["debiased"]["equalized"] == len(EQUAL) and np.allclose(new.norms, 1, atol=1e-6)
    again = streamvec("debias", folder / "vectors.arrow", *asked)
    assert (again.returncode, again.stdout) == (1, "") and "exists already" in again.stderr
    first = out.read_bytes()
    replaced = streamvec("debias", folder / "vectors.arrow", *asked, "--overwrite", "--json")
    record = json.loads(replaced.stdout)
    assert out.read_bytes() == first and record["neutral"] == 430 and record["after"]["direct_bias"] < 1e-7
    info = streamvec("info", out)
    assert info.returncode == 0 and "debiased" in info.stdout
    assert streamvec("verify", out).returncode == 0


def test_debias_softly_and_by_learning(folder: Path, streamvec: Command, tmp_path: Path) -> None:
    common = ["--pairs", folder / "pairs.json", "--words", folder / "jobs.json"]
    soft = streamvec(
        "debias", folder / "vectors.arrow", *common, "--soft", "--lambda", "500", "-o", tmp_path / "s", "--json"
    )
    record = json.loads(soft.stdout)
    assert record["method"] == "soft" and record["lambda"] == 500
    assert 0 < record["after"]["direct_bias"] < record["before"]["direct_bias"]
    learn = ["--learn-specific", folder / "specific.txt", "--save-specific", tmp_path / "specific.txt"]
    learnt = streamvec("debias", folder / "vectors.arrow", *common, *learn, "-o", tmp_path / "l")
    assert learnt.returncode == 0, learnt.stderr
    kept = (tmp_path / "specific.txt").read_text().splitlines()
    assert {*FEMALE, *MALE} <= set(kept) and f"{len(kept)} specific words" in learnt.stderr


@pytest.mark.parametrize(
    ("verb", "options", "status", "said"),
    [
        ("bias", "", 2, "nothing to measure by"),
        ("bias", "--words jobs.json", 2, "nothing to measure by"),
        ("bias", "--words jobs.json --weat weat.txt", 2, "--words needs --pairs"),
        ("bias", "--pairs pairs.json -o x.png", 2, "-o draws --words"),
        ("bias", "--pairs pairs.json --words jobs.json -o x.gif", 1, "pictures end in"),
        ("bias", "--pairs pears.json", 1, "no such file"),
        ("bias", "--pairs pairs.json --words jobs.json --strictness nan", 2, "strictness must be"),
        ("bias", "--pairs specific.txt", 1, "line 1: expected two words or more"),
        ("bias", "--weat pairs.json", 1, "expected an object of four lists"),
        ("bias", "--pairs pairs.json --components 9", 1, "do not span 9"),
        ("bias", "--weat weat.txt -n 3", 2, "-n does nothing without --words"),
        ("bias", "--pairs pairs.json --strictness 2", 2, "--strictness does nothing without --words"),
        ("bias", "--pairs pairs.json --permutations 9", 2, "--permutations does nothing without --weat"),
        ("bias", "--pairs pairs.json --seed -1", 2, "'--seed'"),
        ("debias", "--pairs pairs.json --top 9 -o out", 2, "--top does nothing without --analogies"),
        ("debias", "--pairs pairs.json", 2, "'-o'"),
        ("debias", "-o out", 2, "--pairs"),
        ("debias", "--pairs pairs.json --soft --equalize equalize.txt -o out", 2, "--equalize is for hard"),
        ("debias", "--pairs pairs.json --lambda 3 -o out", 2, "--lambda is for --soft"),
        ("debias", "--pairs pairs.json --soft --lambda nan -o out", 2, "lambda must be"),
        ("debias", "--pairs pairs.json --specific jobs.json --neutral jobs.json -o out", 2, "exclude each other"),
        ("debias", "--pairs pairs.json --save-specific out -o out", 2, "--save-specific needs"),
        ("debias", "--pairs pairs.json --similarity jobs.json -o out", 1, "expected word, word, score"),
        ("debias", "--pairs pairs.json -o no/such/out", 1, "there is no folder"),
    ],
)
def test_mistakes(folder: Path, streamvec: Command, verb: str, options: str, status: int, said: str) -> None:
    words = [str(folder / word) if "." in word or word == "out" or "/" in word else word for word in options.split()]
    ended = streamvec(verb, folder / "vectors.arrow", *words)
    assert ended.returncode == status and ended.stdout == ""
    assert said in ended.stderr and "Traceback" not in ended.stderr
    assert not (folder / "out").exists() and not (folder / "x.png").exists()
    assert len([line for line in ended.stderr.splitlines() if "error" in line]) == 1


def test_lists_may_stand_before_vectors(folder: Path, streamvec: Command) -> None:
    ended = streamvec("bias", "--pairs", folder / "pairs.json", "--weat", folder / "weat.txt", folder / "vectors.arrow")
    assert ended.returncode == 0, ended.stderr
