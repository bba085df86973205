"""Rows of labelled examples as ids: the same while training, while measuring, and when somebody asks."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from streamvec.corpus.examples import ExampleBatch, Examples, Ragged
from streamvec.corpus.labels import Labels
from streamvec.corpus.shardfiles import INDEX
from streamvec.corpus.taglabels import TagLabels
from streamvec.corpus.tokens import Tokenizer
from streamvec.corpus.tsv import Row
from streamvec.corpus.vocabulary import Vocabulary
from streamvec.corpus.wordids import WordIds
from streamvec.training.options import LabelledOptions
from streamvec.training.run import EXAMPLES, KNOWN, LABELS, TARGETS, Run
from streamvec.vectors.keyedvectors import KeyedVectors


class Shape(NamedTuple):
    """What the examples of a task are made of."""

    words_are_given: bool  # one by one, between spaces: of a tagger
    is_spelled: bool  # whether the letters of words are kept
    targets: str  # "label", "tags" or "words"


class Ids:
    """Rows as examples: the same while training, while measuring, and when somebody asks."""

    def __init__(
        self, shape: Shape, words: WordIds, labels: Labels | None, target_words: WordIds | None, most: int
    ) -> None:
        """labels: where targets are labels or tags; target_words: where they are words."""
        self.shape, self.words, self.labels, self.target_words, self._most = shape, words, labels, target_words, most
        self.longest_target = 0  # tokens, its end included, of those that are trained on, once they have been read

    @property
    def targets(self) -> int:
        """How many labels, or words of the target, there are."""
        found = self.target_words.size if self.target_words is not None else len(self.labels or ())
        return found

    def of(self, rows: Sequence[Row], untold: bool = False) -> ExampleBatch:
        """The examples of some rows; targets are -1 where they are unknown, and empty where they are *untold*."""
        nothing = Ragged(np.zeros(0, np.int32), np.zeros(len(rows), np.int64))
        no_letters = Ragged(np.zeros(0, np.uint8), nothing.lengths)
        if not self.shape.words_are_given:
            words = self.words.of_texts([row.text for row in rows])
            return ExampleBatch(words, nothing if untold else self._targets(rows), nothing, no_letters)
        given = [[word for word in row.text.split(" ") if word] for row in rows]
        words, tags = self.words.of_words(given), nothing if untold else self._targets(rows)
        if not self.shape.is_spelled:
            return ExampleBatch(words, tags, nothing, no_letters)
        raw = [[word.encode() for word in sequence[: self._most]] for sequence in given]
        spelled = Ragged.of([np.array([len(word) for word in sequence], np.int32) for sequence in raw])
        letters = [np.frombuffer(b"".join(sequence), np.uint8) for sequence in raw]
        return ExampleBatch(words, tags, spelled, Ragged.of(letters, np.uint8))

    def _targets(self, rows: Sequence[Row]) -> Ragged:
        targets = [row.target for row in rows]
        if self.target_words is not None:
            found = self.target_words.of_texts(targets)
            return ended(found, self.target_words.symbols.end)
        assert self.labels is not None
        divided = [[target] if self.shape.targets == "label" else target.split(" ")[: self._most] for target in targets]
        return self.labels.ids(divided)


def ended(ids: Ragged, end: int) -> Ragged:
    """Each row with *end* behind it."""
    places = np.cumsum(ids.lengths)
    return Ragged(np.insert(ids.values, places, end).astype(np.int32), ids.lengths + 1)


def load_ids(run: Run, shape: Shape, options: LabelledOptions) -> tuple[Vocabulary, Ids, KeyedVectors | None]:
    """What rows are numbered by, of a RUN that has been prepared."""
    vocabulary = Vocabulary.load(run.vocabulary)
    known = KeyedVectors.load(run.folder / KNOWN) if (run.folder / KNOWN).exists() else None
    tokenizer = words_tokenizer(shape, options)
    words = WordIds(vocabulary, tokenizer, options.max_length, known.words.ranks if known is not None else None)
    labels = target_words = None
    if shape.targets == "words":
        target_words = WordIds(Vocabulary.load(run.folder / TARGETS), options.tokenizer, options.max_length)
    else:
        labels = (TagLabels if shape.targets == "tags" else Labels).load(run.folder / LABELS)
    ids = Ids(shape, words, labels, target_words, options.max_length)
    if (run.folder / EXAMPLES / INDEX).exists():
        ids.longest_target = Examples.open(run.folder / EXAMPLES).longest_target
    return vocabulary, ids, known


def words_tokenizer(shape: Shape, options: LabelledOptions) -> Tokenizer:
    """What divides a text into words: given ones stand between spaces, and may hold other white space."""
    return Tokenizer("regex", options.keep_case, "[^ ]+") if shape.words_are_given else options.tokenizer
