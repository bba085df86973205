"""A summary of a document: sentences that are near to its vector and not near to each other.

Sentences are chosen one after another by maximal marginal relevance (Carbonell and Goldstein, The Use of MMR,
Diversity-Based Reranking for Reordering Documents and Producing Summaries, 1998), and given in the order in which they
stand in the document.
"""

from typing import NamedTuple

import numpy as np

from streamvec.errors import StreamvecError
from streamvec.vectors.keyedvectors import KeyedVectors
from streamvec.vectors.neighbours import unit_rows
from streamvec.vectors.sentences import SentenceVectors
from streamvec.vectors.sentencesplit import split_sentences


class ChosenSentence(NamedTuple):
    """A sentence of a summary."""

    sentence: str
    place: int  # in the document, 1 for its first sentence
    similarity: float  # cosine to the document's vector
    score: float  # its marginal relevance when it was chosen


def summarize(
    vectors: KeyedVectors | SentenceVectors, text: str, number: int = 3, diversity: float = 0.3
) -> list[ChosenSentence]:
    """At most *number* sentences of *text*, in its order; fewer where it does not have so many.

    The document's vector is the weighted mean over all its words (``SentenceVectors``). diversity: 0 to 1, how much
    likeness to sentences already chosen counts against nearness to the document. Sentences without a known word are
    never chosen. Raises StreamvecError for a text without sentences, or without a known word; ValueError for a
    *number* or *diversity* that can never be right.
    """
    _check(number, diversity)
    model = vectors if isinstance(vectors, SentenceVectors) else SentenceVectors(vectors)
    if model.normalize:  # the mean over all words needs the means as they are
        model = SentenceVectors(model.vectors, model.weighting, model.smoothing)
    sentences = split_sentences(text)
    if not sentences:
        raise StreamvecError("no sentence to choose: the text is empty: check the command that made it")
    embedded = model.embed(sentences)
    places = np.flatnonzero(embedded.vectors.any(axis=1))
    if not len(places):
        raise StreamvecError(
            f"none of its {int(embedded.known.sum() + embedded.unknown.sum()):,} words is known to "
            f"{model.vectors.name}: take vectors of the text's language"
        )
    rows = embedded.vectors[places]
    document = np.einsum("ij,i->j", rows.astype(np.float64), embedded.known[places].astype(np.float64))
    order, scores, similarities = maximal_marginal_relevance(rows, document, number, diversity)
    chosen = [
        ChosenSentence(sentences[places[row]], int(places[row]) + 1, similarity, score)
        for row, score, similarity in zip(order, scores, similarities, strict=True)
    ]
    return sorted(chosen, key=lambda one: one.place)


def maximal_marginal_relevance(
    candidates: np.ndarray, query: np.ndarray, number: int, diversity: float
) -> tuple[list[int], list[float], list[float]]:
    """(rows, scores, similarities to the query) of at most *number* of float[n, dim], in the order of choice.

    Each time the row s with the largest (1 - diversity) cos(s, query) - diversity max cos(s, chosen) is taken, the
    first such where there are several; nothing is subtracted for the first one.
    """
    _check(number, diversity)
    rows = unit_rows(candidates)
    relevance = np.einsum("ij,j->i", rows, unit_rows(query[None, :])[0])
    likeness = np.full(len(rows), -np.inf)  # to the nearest of those chosen
    left = np.ones(len(rows), bool)
    order: list[int] = []
    scores: list[float] = []
    for _ in range(min(number, len(rows))):
        marginal = (1 - diversity) * relevance - (diversity * likeness if order else 0.0)
        best = int(np.argmax(np.where(left, marginal, -np.inf)))
        order.append(best)
        scores.append(float(marginal[best]))
        left[best] = False
        likeness = np.maximum(likeness, np.einsum("ij,j->i", rows, rows[best]))
    return order, scores, relevance[order].tolist()


def _check(number: int, diversity: float) -> None:
    if number < 1:
        raise ValueError(f"number must be at least 1, got {number}")
    if not 0 <= diversity <= 1:
        raise ValueError(f"diversity must be from 0 to 1, got {diversity}")
