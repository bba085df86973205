"""Summaries: maximal marginal relevance against the plain program, the order of sentences, documents without any."""

import numpy as np
import pytest
from naive_sentences import mmr

from streamvec.errors import StreamvecError
from streamvec.vectors import KeyedVectors, SentenceVectors, summarize
from streamvec.vectors.summary import maximal_marginal_relevance

WORDS = ["ship", "sea", "sailor", "cake", "bread", "king"]
MATRIX = np.array([[9, 1, 0], [8, 2, 0], [9, 2, 1], [0, 1, 9], [1, 0, 8], [0, 9, 0]], np.float32)
VECTORS = KeyedVectors.from_arrays(WORDS, MATRIX, np.array([6, 5, 4, 3, 2, 1]))
DOCUMENT = (
    "The sailor ate bread. A ship at sea. Xyz. A ship at sea. The king was there. The sailor had a ship. A cake came."
)


@pytest.mark.parametrize("diversity", [0.0, 0.3, 0.7, 1.0])
def test_the_choice_is_that_of_the_formula(diversity: float) -> None:
    for seed in range(5):
        draw = np.random.default_rng(seed)
        rows, query = draw.standard_normal((20, 6)).astype(np.float32), draw.standard_normal(6)
        order, scores, similarities = maximal_marginal_relevance(rows, query, 7, diversity)
        expected = mmr(rows.tolist(), query.tolist(), 7, diversity)
        assert order == [row for row, _ in expected]
        np.testing.assert_allclose(scores, [score for _, score in expected], atol=1e-9)
        cosines = rows @ query / np.linalg.norm(rows, axis=1) / np.linalg.norm(query)
        np.testing.assert_allclose(similarities, cosines[order], atol=1e-6)


def test_of_equal_candidates_the_first_is_chosen() -> None:
    rows = np.ones((4, 3), np.float32)
    assert maximal_marginal_relevance(rows, np.ones(3), 3, 0.3)[0] == [0, 1, 2]


def test_sentences_come_in_the_order_of_the_document_and_do_not_repeat() -> None:
    chosen = summarize(VECTORS, DOCUMENT, 3, diversity=0.5)
    assert [one.place for one in chosen] == sorted(one.place for one in chosen)
    assert len({one.sentence for one in chosen}) == 3
    sentences = {1: "The sailor ate bread.", 2: "A ship at sea.", 5: "The king was there.", 7: "A cake came."}
    assert all(sentences.get(one.place, one.sentence) == one.sentence for one in chosen)
    repeated = summarize(VECTORS, DOCUMENT, 4, diversity=0)
    assert sum(one.sentence == "A ship at sea." for one in repeated) == 2  # what diversity is for


def test_the_documents_vector_is_the_mean_over_all_its_words() -> None:
    model = SentenceVectors(VECTORS)
    whole = model.embed([DOCUMENT]).vectors[0].astype(np.float64)
    for one in summarize(model, DOCUMENT, 20):
        row = model.embed([one.sentence]).vectors[0].astype(np.float64)
        assert one.similarity == pytest.approx(row @ whole / np.linalg.norm(row) / np.linalg.norm(whole), abs=1e-5)
    assert summarize(SentenceVectors(VECTORS, normalize=True), DOCUMENT) == summarize(VECTORS, DOCUMENT)


def test_a_short_document_is_given_whole_but_for_what_has_no_known_word() -> None:
    chosen = summarize(VECTORS, DOCUMENT, 100)
    assert [one.place for one in chosen] == [1, 2, 4, 5, 6, 7]  # Xyz is unknown
    assert [one.sentence for one in summarize(VECTORS, "A ship", 3)] == ["A ship"]


def test_documents_that_have_no_summary() -> None:
    for text in ("", " \n\t\n"):
        with pytest.raises(StreamvecError, match="no sentence to choose: the text is empty"):
            summarize(VECTORS, text)
    with pytest.raises(StreamvecError, match="none of its 4 words is known"):
        summarize(VECTORS, "Ein kurzer Text. Nichts.")


def test_what_can_never_be_right() -> None:
    with pytest.raises(ValueError, match="number must be at least 1, got 0"):
        summarize(VECTORS, DOCUMENT, 0)
    for diversity in (-0.1, 1.5, float("nan")):
        with pytest.raises(ValueError, match="diversity must be from 0 to 1"):
            summarize(VECTORS, DOCUMENT, diversity=diversity)
