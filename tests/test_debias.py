"""Hard debiasing does what the paper's formulas say, whatever the blocks; vectors are written whole, and say how."""

from pathlib import Path

import numpy as np
import pytest
from biased import DIM, EQUAL, FEMALE, JOBS, MALE, OTHERS, PAIRS, biased_vectors, units_of

import streamvec
from streamvec.errors import StreamvecError
from streamvec.vectors import KeyedVectors, specific
from streamvec.vectors.debias import debias, measure_bias
from streamvec.vectors.harddebias import equalize, equalized_rows, neutralized
from streamvec.vectors.specific import learnt, listed, save_specific
from streamvec.vectors.store import Chunk, Vectors

NEVER = {word for words in [*PAIRS, *EQUAL] for word in words}


def naive_hard(vectors: KeyedVectors, neutral: set[str], basis: np.ndarray) -> dict[str, np.ndarray]:
    """Step 2a of the paper, a word at a time, with a projection matrix."""
    project = basis.T @ basis
    out = {}
    for word in vectors.words:
        row = units_of(vectors, [word])[0]
        if word in neutral:
            row = row - project @ row
            row /= np.linalg.norm(row)
        out[word] = row
    for words in EQUAL:
        rows = units_of(vectors, words)
        mean = rows.mean(axis=0)
        beyond = mean - project @ mean
        for word, row in zip(words, rows, strict=True):
            apart = project @ row - project @ mean
            out[word] = beyond + np.sqrt(1 - beyond @ beyond) * apart / np.linalg.norm(apart)
    return out


@pytest.mark.parametrize("components", [1, 2])
def test_hard_debiasing_is_the_papers(tmp_path: Path, components: int) -> None:
    vectors = biased_vectors()
    out = tmp_path / "out.arrow"
    done = debias(vectors, out, PAIRS, EQUAL, specific=[*FEMALE, *MALE, "nobody"], components=components)
    new = KeyedVectors.load(out)
    neutral = set(vectors.words) - NEVER - {*FEMALE, *MALE}
    assert done.neutral == len(neutral) == len(JOBS) + len(OTHERS) and done.specific_words == 14
    assert done.unknown == ("nobody",) and done.equalized == tuple(EQUAL) and done.emptied == 0 and not done.unused
    basis = done.direction.basis
    expected = naive_hard(vectors, neutral, basis)
    assert list(new.words) == list(vectors.words) and new.counts.tolist() == vectors.counts.tolist()
    assert np.allclose(new.vectors, np.array([expected[word] for word in new.words]), atol=1e-6)
    assert np.allclose(new.norms, 1, atol=1e-6)
    rows = new[sorted(neutral)].astype(float)
    assert np.abs(rows @ basis.T).max() < 1e-7  # float32 has no better 0
    for words in EQUAL:  # as near to every neutral word as each other
        similarities = rows @ new[list(words)].astype(float).T
        assert np.allclose(similarities, similarities[:, :1], atol=1e-6)
    for word in (*FEMALE, *MALE, "her", "girl"):  # keep their direction
        assert np.allclose(new[word], units_of(vectors, [word])[0], atol=1e-6)


def test_what_was_done_is_in_the_info_and_n_grams_are_not(tmp_path: Path) -> None:
    vectors = biased_vectors()
    vectors.info["ngrams"] = "0" * 32
    debias(vectors, tmp_path / "out.arrow", PAIRS, EQUAL)
    assert KeyedVectors.load(tmp_path / "out.arrow").info == {
        "made": "up",
        "debiased": {
            "method": "hard",
            "components": 1,
            "pairs": 4,
            "ends": ["she", "he"],
            "equalized": 3,
            "specific": "none but pairs",
        },
    }


@pytest.mark.parametrize("soft", [False, True])
def test_the_same_bytes_for_any_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, soft: bool) -> None:
    vectors = biased_vectors()
    files = []
    for number, (rows, size) in enumerate([(4096, 9999), (4096, 9999), (7, 100), (1, 33)]):
        monkeypatch.setattr(specific, "_ROWS", rows)
        chunks = [
            Chunk(one.words[a : a + size], one.counts[a : a + size], one.vectors[a : a + size], one.norms[a : a + size])
            for one in vectors.chunks()
            for a in range(0, len(one.words), size)
        ]
        cut = KeyedVectors(Vectors(chunks, DIM, vectors.info))
        files.append(tmp_path / f"{number}.arrow")
        debias(cut, files[-1], PAIRS, [] if soft else EQUAL, seeds=[*FEMALE, *MALE], soft=soft)
    assert len({path.read_bytes() for path in files}) == 1


def test_only_listed_words_are_neutral(tmp_path: Path) -> None:
    vectors = biased_vectors()
    done = debias(vectors, tmp_path / "out.arrow", PAIRS, neutral=["JOB1", "job2", "she", "nobody"])
    new = KeyedVectors.load(tmp_path / "out.arrow")
    assert done.neutral == 2 and done.unknown == ("nobody",)
    changed = [word for word in vectors.words if not np.allclose(new[word], units_of(vectors, [word])[0], atol=1e-6)]
    assert changed == ["job1", "job2"]
    with pytest.raises(StreamvecError, match="none of the 1 neutral words"):
        debias(vectors, tmp_path / "out.arrow", PAIRS, neutral=["nobody"], overwrite=True)


def test_forms_in_other_cases_are_equalized_and_repeats_told() -> None:
    names = ["she", "he", "She", "He", "SHE", "mom", "dad", "x", "y"]
    rows = np.random.default_rng(1).standard_normal((9, 5)).astype(np.float32)
    rows[8] = rows[7]
    vectors = KeyedVectors.from_arrays(names, rows)
    sets = [("she", "he"), ("Mom", "Dad"), ("mom", "dad"), ("she", "dad"), ("x", "y"), ("a", "b")]
    found = equalize(vectors, sets, np.eye(5)[:1])
    assert found.sets == (("she", "he"), ("mom", "dad"), ("She", "He"))
    assert found.ranks.tolist() == [0, 1, 2, 3, 5, 6]
    assert sorted(found.unused) == [("a", "b"), ("she", "dad"), ("x", "y")]


def test_what_has_nothing_but_bias_becomes_zeros(tmp_path: Path) -> None:
    units = np.array([[1.0, 0, 0], [0, 0, 0], [0.6, 0.8, 0]])
    rows, emptied = neutralized(units, np.eye(3)[:1])
    assert rows.tolist() == [[0, 0, 0], [0, 0, 0], [0, 1, 0]] and emptied == 1
    assert equalized_rows(units[[0, 0]], np.eye(3)[:1]) is None
    vectors = KeyedVectors.from_arrays(["p", "q", "r", "zero"], np.array([[1, 1, 0], [-1, 1, 0], [2, 0, 0], [0, 0, 0]]))
    done = debias(vectors, tmp_path / "out.arrow", [("p", "q")])
    assert done.emptied == 1 and KeyedVectors.load(tmp_path / "out.arrow")["r"].tolist() == [0, 0, 0]


def test_specific_words_are_learnt_from_some(tmp_path: Path) -> None:
    vectors = biased_vectors(strongly=12.0)
    seeds = [*NEVER, *FEMALE[:5], *MALE[:5]]
    rule, missing, _ = learnt(vectors, [*seeds, "nobody"])
    assert missing == ("nobody",)
    path = tmp_path / "specific.txt"
    number = save_specific(vectors, rule, path)
    found = set(streamvec.read_words(path))
    assert len(found) == number and found == {*seeds, *FEMALE, *MALE}  # four of them were not told
    from sklearn.svm import LinearSVC

    units = units_of(vectors, list(vectors.words))
    known = [word in seeds for word in vectors.words]
    machine = LinearSVC(C=1.0, dual=False, max_iter=10_000).fit(units, known)
    expected = {
        word for word, yes, is_seed in zip(vectors.words, machine.predict(units), known, strict=True) if yes or is_seed
    }
    assert found == expected


def test_too_few_seeds_and_no_classifier(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors = biased_vectors()
    with pytest.raises(StreamvecError, match="4 of the 5 seed words"):
        learnt(vectors, ["she", "he", "king", "queen", "nobody"])
    small = KeyedVectors.from_arrays(list("abcdef"), np.eye(6, dtype=np.float32))
    with pytest.raises(StreamvecError, match="all 6 words"):
        learnt(small, list("abcdef"))
    monkeypatch.setitem(__import__("sys").modules, "sklearn.svm", None)
    with pytest.raises(StreamvecError, match=r"pip install 'streamvec\[bias\]'"):
        learnt(vectors, FEMALE)


def test_measures_before_and_after(tmp_path: Path) -> None:
    vectors = biased_vectors()
    (tmp_path / "pairs.tsv").write_text("job1\tjob2\t3\nqueen\tking\t5\nword1\tword2\t1\n")
    (tmp_path / "questions.txt").write_text(": one\nshe he queen king\nwoman man bride groom\n")
    done = debias(vectors, tmp_path / "out.arrow", PAIRS, EQUAL, specific=[*FEMALE, *MALE])
    before, after = (
        measure_bias(one, done.direction, JOBS, [tmp_path / "pairs.tsv"], [tmp_path / "questions.txt"], top=0)
        for one in (vectors, KeyedVectors.load(tmp_path / "out.arrow"))
    )
    assert before.direct_bias > 0.1 and after.direct_bias < 1e-7
    assert before.similarity[0].found == after.similarity[0].found == 3
    assert after.analogies[0].total.found == 2


def test_refusals(tmp_path: Path) -> None:
    vectors = biased_vectors()
    out = tmp_path / "out.arrow"
    out.write_text("precious")
    with pytest.raises(StreamvecError, match="exists already"):
        debias(vectors, out, PAIRS)
    with pytest.raises(StreamvecError, match="a folder: name a file"):
        debias(vectors, tmp_path, PAIRS, overwrite=True)
    with pytest.raises(StreamvecError, match="0 of 1 definitional pairs"):
        debias(vectors, out, [("a", "b")], overwrite=True)
    assert out.read_text() == "precious"
    with pytest.raises(ValueError, match="exclude each other"):
        debias(vectors, out, PAIRS, specific=["queen"], seeds=["queen"])
    with pytest.raises(ValueError, match="equalized is for hard"):
        debias(vectors, out, PAIRS, EQUAL, soft=True)
    with pytest.raises(ValueError, match="strength is for soft"):
        debias(vectors, out, PAIRS, strength=1.0)
    with pytest.raises(StreamvecError, match="no word is neutral"):
        debias(vectors, out, PAIRS, specific=list(vectors.words), soft=True, overwrite=True)
    assert listed(vectors, ["nobody"])[1] == ("nobody",)


def test_vectors_may_be_replaced_by_themselves(tmp_path: Path) -> None:
    path = tmp_path / "vectors.arrow"
    biased_vectors().save(path)
    debias(KeyedVectors.load(path), path, PAIRS, EQUAL, overwrite=True)
    first = path.read_bytes()
    assert "debiased" in KeyedVectors.load(path).info
    biased_vectors().save(path)
    debias(KeyedVectors.load(path), tmp_path / "other.arrow", PAIRS, EQUAL)
    assert (tmp_path / "other.arrow").read_bytes() == first
