"""Texts as ids, against tokens looked up in a dict; words that are known from vectors alone; cuts and counts."""

import random

import numpy as np
import pyarrow as pa
import pytest

from streamvec.corpus.tokens import Tokenizer
from streamvec.corpus.vocabulary import Vocabulary
from streamvec.corpus.wordids import WordIds
from streamvec.vectors.keyedvectors import KeyedVectors

WORDS = ["the", "größe", "a", "단어", "it's", "x", ",", " "]
TEXTS = [
    "The Größe, of it's x",
    "",
    "never  met",
    "?!",
    "단어 a a\u2028a\x0bthe\tx",
    "z" * 1200 + " the " + "y" * 1001,
    "a",
    "\x85 x \ufffd",
]
TOKENIZERS = [
    Tokenizer(),
    Tokenizer(keep_case=True),
    Tokenizer("whitespace"),
    Tokenizer("characters"),
    Tokenizer("text"),
    Tokenizer("regex", pattern=r"\w+(?:'\w+)*|[^\w\s]"),
]
NAMES = [f"{tokenizer.kind}-{tokenizer.keep_case}" for tokenizer in TOKENIZERS]


def vocabulary_of(words, tokenizer):
    return Vocabulary(
        pa.array(words, pa.large_string()), np.arange(len(words), 0, -1), {"tokenizer": tokenizer.to_json()}
    )


def rows_of(ragged):
    ends = np.cumsum(ragged.lengths)
    values = ragged.values.tolist()
    return [values[end - length : end] for end, length in zip(ends, ragged.lengths, strict=True)]


def naive(texts, tokenizer, names, known, most):
    """Tokens, each by its name among the ids, or among the known words, or unknown."""
    ids = {name: number for number, name in enumerate(names)}
    found = []
    for text in texts:
        tokens = tokenizer.tokens(text + "\n" if tokenizer.kind == "text" else text)
        row = [ids.get(token, len(names) + known.index(token) if token in known else ids["<unk>"]) for token in tokens]
        found.append(row[:most])
    return found


@pytest.mark.parametrize("tokenizer", TOKENIZERS, ids=NAMES)
@pytest.mark.parametrize("most", [1000, 3])
@pytest.mark.parametrize("known", [[], ["met", "of", "?", "z", "The", "a"]], ids=["none", "known"])
def test_ids_are_those_of_the_tokens(tokenizer, most, known):
    vocabulary = vocabulary_of(WORDS, tokenizer)
    ranks = KeyedVectors.from_arrays(known, np.ones((len(known), 3), np.float32)).words.ranks if known else None
    words = WordIds(vocabulary, tokenizer, most, ranks)
    draw = random.Random(1)
    for _ in range(5):
        texts = [draw.choice(TEXTS) for _ in range(draw.randrange(1, 12))]
        expected = naive(texts, tokenizer, words.symbols.names.to_pylist(), known, most)
        assert rows_of(words.of_texts(texts)) == expected, texts
    assert words.of_texts(texts).values.dtype == np.int32


def test_counts_are_of_whole_texts():
    words = WordIds(vocabulary_of(["a", "b"], Tokenizer()), Tokenizer(), 2)
    assert rows_of(words.of_texts(["a b c c", "b", "a c"])) == [[2, 3], [3], [2, 0]]
    assert words.counts == {"tokens": 7, "unknown": 3, "cut": 1}
    words.of_texts(["a b b"])
    assert words.counts == {"tokens": 10, "unknown": 3, "cut": 2}


def test_words_that_are_given_are_looked_up_as_they_are():
    known = KeyedVectors.from_arrays(["c-d", "a"], np.ones((2, 3), np.float32)).words.ranks
    tokenizer = Tokenizer("whitespace")
    words = WordIds(vocabulary_of(["a", "b.", "ü"], tokenizer), tokenizer, 3, known)
    found = words.of_words([["A", "b.", "C-D", "x"], [], ["Ü", "b"]])
    assert rows_of(found) == [[2, 3, words.size], [], [4, 0]]
    assert words.counts == {"tokens": 6, "unknown": 2, "cut": 1}
    keeps = WordIds(vocabulary_of(["a"], tokenizer), Tokenizer("whitespace", keep_case=True), 9)
    assert rows_of(keeps.of_words([["A", "a"]])) == [[0, 2]]


def test_nothing_is_no_problem():
    known = KeyedVectors.from_arrays(["a"], np.ones((1, 3), np.float32)).words.ranks
    words = WordIds(vocabulary_of(["b"], Tokenizer()), Tokenizer(), 3, known)
    assert rows_of(words.of_texts([])) == [] and rows_of(words.of_texts(["", ""])) == [[], []]
    assert rows_of(words.of_words([])) == [] and rows_of(words.of_words([[], []])) == [[], []]
