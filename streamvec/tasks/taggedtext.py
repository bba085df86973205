"""What a tagger says of sentences: a tag for each word, however long they are, and the entities these name."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, NamedTuple

import numpy as np

from streamvec.corpus.conll import ColumnCounts, Sentence, sentences_of
from streamvec.corpus.taggedrows import joined, pieces, spaced
from streamvec.corpus.tags import spans
from streamvec.corpus.tokens import Tokenizer
from streamvec.tasks.trained import TrainedTask
from streamvec.training.tagging import columns_of, tag_labels
from streamvec.training.task import MEASURED


class Tagged(NamedTuple):
    """A sentence with its tags, in the scheme of the files that were trained on."""

    words: list[str]
    tags: list[str]
    chances: list[float]  # of each tag

    @property
    def lines(self) -> str:
        """A word, its tag and its probability a line, between them tabs."""
        rows = zip(self.words, self.tags, self.chances, strict=True)
        return "".join(f"{word}\t{tag}\t{chance:.4f}\n" for word, tag, chance in rows)

    def said(self, are_entities: bool) -> dict[str, Any]:
        """The same for --json, with the entities, whose words are counted from 0."""
        found: dict[str, Any] = {"words": self.words, "tags": self.tags}
        found["probabilities"] = [round(chance, 6) for chance in self.chances]
        if are_entities:
            found["entities"] = [
                {**span._asdict(), "text": " ".join(self.words[span.first : span.last + 1])}
                for span in spans(self.tags)
            ]
        return found


def tagged(trained: TrainedTask, sentences: Sequence[Sentence]) -> list[Tagged]:
    """What the tagger says of each sentence; one of more than --max-length words is read in pieces."""
    labels = tag_labels(trained.ids)
    parts = [words for sentence in sentences for words, _ in pieces(sentence, trained.options.max_length)]
    answers: list[tuple[np.ndarray, np.ndarray]] = []
    for first in range(0, len(parts), MEASURED):
        answers += trained.answers([joined(words) for words in parts[first : first + MEASURED]])
    found, waiting = [], iter(answers)
    for sentence in sentences:
        some = list(islice(waiting, -(-len(sentence.words) // trained.options.max_length)))
        ids = np.concatenate([np.zeros(0, np.int32), *(tags for tags, _ in some)])
        tags = [spaced(tag) for tag in labels.tags(ids)]
        chances = [float(chance) for _, each in some for chance in each]
        found.append(Tagged(sentence.words, tags, chances))
    return found


def tagged_columns(trained: TrainedTask, lines: Iterable[str], at_once: int) -> Iterator[tuple[Tagged, int]]:
    """(sentence, empty lines that belong before it) of lines of columns, whose tags need not be there.

    StreamvecError, naming the line, where the number of columns changes.
    """
    raw = (line.encode("utf-8", "surrogateescape") for line in lines)
    columns = columns_of(trained.options, tagged=False)
    waiting = sentences_of(raw, "standard input", columns, ColumnCounts())
    last = 0
    while some := list(islice(waiting, at_once)):
        for sentence, found in zip(some, tagged(trained, some), strict=True):
            yield found, max(0, sentence.line - last - 1)  # one empty line always stands behind a sentence
            last = sentence.lines[-1] + 1


def tagged_texts(trained: TrainedTask, lines: Iterable[str], at_once: int) -> Iterator[tuple[Tagged, int]]:
    """The same of a sentence a line, which the tokenizer divides into words, in their case."""
    options, waiting = trained.options, iter(lines)
    tokenizer = Tokenizer(options.tokens, True, options.token_pattern)
    while some := list(islice(waiting, at_once)):
        sentences = [Sentence(tokenizer.tokens(line), [], "", []) for line in some]
        yield from ((found, 0) for found in tagged(trained, sentences))
