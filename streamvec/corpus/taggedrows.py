"""Rows of a file of tagged sentences: words and tags, each joined by spaces; long sentences become several."""

from collections.abc import Iterable, Iterator, Sequence

from streamvec.corpus.conll import ColumnCounts, Columns, Sentence, read_columns
from streamvec.corpus.sources import Source
from streamvec.corpus.taglabels import TagLabels
from streamvec.corpus.tags import PLAIN, TagSurvey
from streamvec.corpus.tsv import Row

_SPACE = "\u00a0"
_TOLD = ("comments", "ranges_skipped", "replaced_bytes")


class TaggedRows:
    """Iterates over the rows of a source; *counts* says what was met, by name.

    A space within a word or a tag (of CoNLL-U) becomes U+00A0. A sentence of more than *most* words is cut into pieces
    of so many, which are counted, and lose only what they say of each other.
    """

    def __init__(self, source: Source, columns: Columns, most: int, scheme: str, encoding: str = "utf-8") -> None:
        """scheme: the one that tags are learnt in; "plain" takes them as they are."""
        self._source, self._columns, self._most, self._encoding = source, columns, most, encoding
        self._scheme = scheme
        self._survey = TagSurvey()
        self.counts = dict.fromkeys(("rows", *_TOLD, "sentences_cut"), 0)

    def __iter__(self) -> Iterator[Row]:
        self._survey = TagSurvey()
        counts, divided = ColumnCounts(), 0
        for sentence in read_columns([self._source], self._columns, counts, self._encoding):
            sentence = sentence._replace(tags=[unspaced(tag) for tag in sentence.tags])
            self._survey.add(sentence)
            divided += len(sentence.words) > self._most
            for words, tags in pieces(sentence, self._most):
                yield Row(joined(words), " ".join(tags))
        met = counts.to_json()
        self.counts.update({name: met[name] for name in _TOLD})
        self.counts.update(rows=counts.sentences, sentences_cut=divided)

    def labels(self, rows: Iterable[Row]) -> TagLabels:
        """The tags of the file that has just been read, and how often they come in *rows* of it.

        StreamvecError, naming the line, for a tag that is of no scheme among others that are.
        """
        found = self._survey.found(PLAIN if self._scheme == PLAIN else None)
        self.counts["repaired_tags"] = found.repaired
        return TagLabels.of_set(found, self._scheme, (row.target.split(" ") for row in rows))


def pieces(sentence: Sentence, most: int) -> Iterator[tuple[list[str], list[str]]]:
    """(words, tags) of at most *most* words each."""
    for first in range(0, len(sentence.words), most):
        yield sentence.words[first : first + most], sentence.tags[first : first + most]


def joined(words: Sequence[str]) -> str:
    """Words as the text of a row."""
    return " ".join(map(unspaced, words))


def unspaced(word: str) -> str:
    """A word or a tag as it stands in a row, between spaces."""
    return word.replace(" ", _SPACE)


def spaced(tag: str) -> str:
    """The inverse of `unspaced`."""
    return tag.replace(_SPACE, " ")
