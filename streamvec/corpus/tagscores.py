"""How well found tags agree with those expected: accuracy a token, and precision, recall and F1 of whole entities.

An entity counts as found where its type, its first and its last word all are right, as in the conlleval script of
CoNLL-2000; its figures are in percent, these are from 0 to 1.
"""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from streamvec.corpus.tags import Span, spans


class Scores(NamedTuple):
    """Of entities of one type, or of all of them. What has nothing to be divided by is 0."""

    precision: float  # correct / found
    recall: float  # correct / expected
    f1: float  # the harmonic mean of both
    expected: int
    found: int
    correct: int


class EntityScores(NamedTuple):
    """Of all entities, of those of each type, and of tokens."""

    precision: float
    recall: float
    f1: float
    by_type: dict[str, Scores]  # by the names of types
    accuracy: float  # tokens whose tag is right, of all tokens
    tokens: int
    expected: int
    found: int
    correct: int


class TagScorer:
    """Adds up, sentence by sentence, what scores are made of; plain tags have an accuracy alone."""

    def __init__(self, plain: bool = False) -> None:
        self._plain = plain
        self._tokens = 0
        self._right = 0
        self._expected: Counter[str] = Counter()
        self._found: Counter[str] = Counter()
        self._correct: Counter[str] = Counter()

    def add(self, expected: Sequence[str], found: Sequence[str]) -> None:
        """One sentence's tags, both in the same scheme (the accuracy compares them as they are).

        Raises ValueError where there are not as many of both, StreamvecError for a tag that is of no scheme.
        """
        if len(expected) != len(found):
            raise ValueError(f"found must have a tag for each of the {len(expected)} words, got {len(found)}")
        self._tokens += len(expected)
        self._right += sum(one == other for one, other in zip(expected, found, strict=True))
        if not self._plain:
            wanted, given = spans(expected), spans(found)
            _count(self._expected, wanted)
            _count(self._found, given)
            _count(self._correct, set(wanted).intersection(given))

    def scores(self) -> EntityScores:
        """The scores of all that was added."""
        types = sorted(self._expected.keys() | self._found.keys())
        by_type = {kind: _scores(self._expected[kind], self._found[kind], self._correct[kind]) for kind in types}
        whole = _scores(self._expected.total(), self._found.total(), self._correct.total())
        accuracy = _share(self._right, self._tokens)
        return EntityScores(*whole[:3], by_type, accuracy, self._tokens, *whole[3:])


def _count(counts: Counter[str], entities: list[Span] | set[Span]) -> None:
    counts.update(entity.type for entity in entities)


def _scores(expected: int, found: int, correct: int) -> Scores:
    precision, recall = _share(correct, found), _share(correct, expected)
    f1 = 2 * precision * recall / (precision + recall) if correct else 0.0
    return Scores(precision, recall, f1, expected, found, correct)


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0
