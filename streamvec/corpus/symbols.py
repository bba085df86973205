"""The tokens that a language model knows: unknown words, the end of a document, and the words of the vocabulary."""

from typing import NamedTuple

import numpy as np
import pyarrow as pa

from streamvec.corpus.stretches import has_ends
from streamvec.corpus.vocabulary import Vocabulary

UNKNOWN, END = "<unk>", "</s>"


class Symbols(NamedTuple):
    """Their names by id: first those of <unk> and </s> that are not among the words, then the words by rank.

    The frequent ones thus come first, as an adaptive softmax wants them.
    """

    names: pa.LargeStringArray
    unknown: int
    end: int  # below 0 where a document's last token is its line break, a word like any other
    shift: int  # the id of the most frequent word
    begin: int  # what is read before a document: its end token, or a line break

    @classmethod
    def of(cls, vocabulary: Vocabulary) -> "Symbols":
        """Those of a vocabulary; text that has <unk> or </s> in it already means the same by it."""
        ranks = [int(found) for found in vocabulary.index_of([UNKNOWN, END])]
        wanted = [UNKNOWN, END] if has_ends(vocabulary.about["tokenizer"]) else [UNKNOWN]
        more = [name for name, rank in zip([UNKNOWN, END], ranks, strict=True) if name in wanted and rank < 0]
        names = pa.concat_arrays([pa.array(more, pa.large_string()), vocabulary.words.cast(pa.large_string())])

        def id_of(name: str, rank: int) -> int:
            return more.index(name) if name in more else len(more) + rank

        unknown, end = id_of(UNKNOWN, ranks[0]), id_of(END, ranks[1]) if END in wanted else -1
        line_break = int(vocabulary.index_of(["\n"])[0])
        begin = end if end >= 0 else len(more) + line_break if line_break >= 0 else unknown
        return cls(names, unknown, end, len(more), begin)

    def counts(self, vocabulary: Vocabulary, unknown: int, documents: int) -> np.ndarray:
        """int64[symbols]: how often each occurs in a text with so many unknown words, and documents that end."""
        found = np.concatenate([np.zeros(self.shift, np.int64), vocabulary.counts])
        found[self.unknown] += unknown
        if self.end >= 0:
            found[self.end] += documents
        return found

    def ids(self, ranks: np.ndarray) -> np.ndarray:
        """The ids of words by their ranks (below 0: unknown), int64[n]."""
        return np.where(ranks < 0, self.unknown, ranks + self.shift)
