"""Vectors of sentences against the plain formula; a line's vector depends on nothing but the line."""

import random
from pathlib import Path

import numpy as np
import pytest
from naive_sentences import sentence_vector

import streamvec
from streamvec.vectors import KeyedVectors, SentenceVectors, sentences
from streamvec.vectors.store import Vectors
from streamvec.vectors.words import UnknownWord

WORDS = ["the", "of", "river", "boat", "king", "Paris", "new", "york", "new_york"]
COUNTS = np.array([500, 300, 40, 30, 20, 10, 9, 8, 7])
MATRIX = np.random.default_rng(5).standard_normal((len(WORDS), 7)).astype(np.float32)
TABLE = {word: row.tolist() for word, row in zip(WORDS, MATRIX, strict=True)}
SHARES = {word: int(count) / int(COUNTS.sum()) for word, count in zip(WORDS, COUNTS, strict=True)}
TEXT = {"tokens": "words", "keep_case": False, "token_pattern": None, "phrases": 0}


def vectors(counts: np.ndarray | None = COUNTS, **info: object) -> KeyedVectors:
    return KeyedVectors.from_arrays(WORDS, MATRIX, counts, info)


class NGrams:
    """Words with an x are made of n-grams; for those with a q, the file is missing."""

    def unseen(self, word: str) -> np.ndarray | None:
        if "q" in word:
            raise UnknownWord(word, "nowhere", [])
        return np.arange(7, dtype=np.float32) if "x" in word else None


def with_ngrams() -> KeyedVectors:
    plain = vectors(text=TEXT)
    return KeyedVectors(Vectors(list(plain.chunks()), plain.dim, plain.info), subwords=NGrams())


@pytest.mark.parametrize("smoothing", [1e-3, 0.5])
def test_the_weighted_mean_is_that_of_the_formula(smoothing: float) -> None:
    draw = random.Random(1)
    lines = [[draw.choice([*WORDS[:5], "nobody"]) for _ in range(draw.randrange(0, 12))] for _ in range(50)]
    found = SentenceVectors(vectors(text=TEXT), smoothing=smoothing).embed([" ".join(line) for line in lines])
    expected = [sentence_vector(line, TABLE, SHARES, smoothing) for line in lines]
    np.testing.assert_allclose(found.vectors, expected, rtol=1e-5, atol=1e-7)
    assert found.vectors.dtype == np.float32 and found.vectors.shape == (50, 7)
    assert found.unknown.tolist() == [line.count("nobody") for line in lines]
    assert (found.known + found.unknown).tolist() == [len(line) for line in lines]


def test_weights() -> None:
    model = SentenceVectors(vectors(text=TEXT), smoothing=0.01)
    assert model.weight("river") == pytest.approx(0.01 / (0.01 + SHARES["river"]))
    assert model.weight("the") < model.weight("river") < model.weight("king") < 1
    assert model.weight("nobody") == 0
    plain = SentenceVectors(vectors(text=TEXT), "mean")
    assert plain.weight("the") == plain.weight("king") == 1
    np.testing.assert_allclose(plain.embed(["the king"]).vectors[0], (MATRIX[0] + MATRIX[4]) / 2, rtol=1e-6)


def test_without_counts_ranks_say_how_frequent_a_word_is() -> None:
    model = SentenceVectors(vectors(None), smoothing=0.01)
    harmonic = sum(1 / place for place in range(1, len(WORDS) + 1))
    for rank, word in enumerate(WORDS):
        assert model.weight(word) == pytest.approx(0.01 / (0.01 + 1 / ((rank + 1) * harmonic)), rel=2e-3)
    assert len(model.notes) == 1 and "no counts" in model.notes[0]
    assert SentenceVectors(vectors(None), "mean").notes == [] == SentenceVectors(vectors()).notes


def test_a_line_has_the_same_vector_in_any_company(monkeypatch: pytest.MonkeyPatch) -> None:
    draw = random.Random(2)
    lines = [" ".join(draw.choices(WORDS[:5], k=draw.choice([0, 1, 3, 9, 40, 200]))) for _ in range(60)]
    monkeypatch.setattr(sentences, "_NUMBERS", 7 * 64)  # the longest lines are added up in pieces
    model = SentenceVectors(vectors(text=TEXT))
    together = model.embed(lines).vectors
    alone = np.concatenate([SentenceVectors(vectors(text=TEXT)).embed([line]).vectors for line in lines])
    assert together.tobytes() == alone.tobytes()
    shifted = model.embed(["the boat", *lines]).vectors[1:]
    assert together.tobytes() == shifted.tobytes()
    expected = [sentence_vector(line.split(), TABLE, SHARES, 1e-3) for line in lines]
    np.testing.assert_allclose(together, expected, rtol=1e-5, atol=1e-7)


def test_lines_without_known_words_and_no_lines() -> None:
    model = SentenceVectors(vectors(text=TEXT), normalize=True)
    found = model.embed(["", "?!", "nobody here", "river"])
    assert not found.vectors[:3].any() and found.known.tolist() == [0, 0, 0, 1]
    assert found.unknown.tolist() == [0, 0, 2, 0]
    none = model.embed([])
    assert none.vectors.shape == (0, 7) and none.known.shape == (0,)


def test_normalized_vectors_have_length_one() -> None:
    found = SentenceVectors(vectors(text=TEXT), normalize=True).embed(["the river boat", "king"]).vectors
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, rtol=1e-6)
    plain = SentenceVectors(vectors(text=TEXT)).embed(["the river boat", "king"]).vectors
    np.testing.assert_allclose(found, plain / np.linalg.norm(plain, axis=1)[:, None], rtol=1e-5)


def test_lines_are_divided_as_the_text_was() -> None:
    lower = SentenceVectors(vectors(text=TEXT)).embed(["River, Paris"])
    assert (lower.known.tolist(), lower.unknown.tolist()) == ([1], [1])  # paris is not a word
    cased = SentenceVectors(vectors(text={**TEXT, "keep_case": True})).embed(["River, Paris"])
    assert (cased.known.tolist(), cased.unknown.tolist()) == ([1], [1])  # River is not a word
    np.testing.assert_allclose(cased.vectors[0] / MATRIX[5], SentenceVectors(vectors()).weight("Paris"), rtol=1e-5)
    spaces = SentenceVectors(vectors(text={**TEXT, "tokens": "whitespace"})).embed(["river, boat"])
    assert spaces.unknown.tolist() == [1]


def test_without_a_word_of_the_text_a_word_is_tried_as_it_is_and_then_in_lower_case() -> None:
    found = SentenceVectors(vectors(), "mean").embed(["River, Paris PARIS"])
    assert found.unknown.tolist() == [1]
    np.testing.assert_allclose(found.vectors[0], (MATRIX[2] + MATRIX[5]) / 2, rtol=1e-6)


def test_phrases_are_joined_where_training_joined_them() -> None:
    joined = SentenceVectors(vectors(text={**TEXT, "phrases": 1}), "mean").embed(["new york", "york new york new"])
    np.testing.assert_array_equal(joined.vectors[0], MATRIX[8])
    assert joined.known.tolist() == [1, 3]
    apart = SentenceVectors(vectors(text=TEXT), "mean").embed(["new york"])
    np.testing.assert_allclose(apart.vectors[0], (MATRIX[6] + MATRIX[7]) / 2, rtol=1e-6)


def test_ngrams_stand_for_unseen_words() -> None:
    model = SentenceVectors(with_ngrams())
    found = model.embed(["xyz", "xyz river nobody", "qx"])
    assert found.composed.tolist() == [1, 1, 0]
    assert (found.known.tolist(), found.unknown.tolist()) == ([1, 2, 0], [0, 1, 1])
    np.testing.assert_array_equal(found.vectors[0], np.arange(7))  # no word is rarer: weight 1
    expected = (np.arange(7) + model.weight("river") * MATRIX[2]) / 2
    np.testing.assert_allclose(found.vectors[1], expected, rtol=1e-5)


def test_a_run_says_how_its_text_was_divided(finished_run: Path) -> None:
    opened = streamvec.KeyedVectors.load(finished_run)
    assert opened.info["text"] == {"tokens": "words", "keep_case": False, "token_pattern": None, "phrases": 0}
    word = opened.words[3]
    found = streamvec.SentenceVectors(opened, "mean").embed([word.upper()])
    np.testing.assert_array_equal(found.vectors[0], opened[word])


def test_what_can_never_be_right() -> None:
    with pytest.raises(ValueError, match="weighting must be sif or mean, got 'tfidf'"):
        SentenceVectors(vectors(), "tfidf")
    for smoothing in (0.0, -1.0, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="smoothing must be above 0 and finite"):
            SentenceVectors(vectors(), smoothing=smoothing)
