"""A line is divided as a corpus is, by other code: the two must agree in every script."""

import random

import pytest

from streamvec.corpus.tokens import Tokenizer
from streamvec.vectors.linetokens import LineTokenizer

LINES = [
    "",
    "The quick_brown fox's 3.14 e-mails, isn't it?",
    "STRASSE Straße İstanbul ΣΊΣΥΦΟΣ ǅ ﬁne",
    "हिन्दी में लिखा हुआ ไทย মানুষ é é naïve",
    "서울 東京は大きい עִבְרִית العَرَبِيَّة",
    "a\tb\u00a0c\u2003d\u200be\u2028f \x1c g\rh",
    "😀 text\ufffd \U0001d4d0\U0001f1e9\U0001f1ea x²",
    "ends with a carriage return\r",
]


def random_lines(number: int) -> list[str]:
    draw = random.Random(3)
    ranges = [(0x20, 0x7F), (0xA0, 0x600), (0x600, 0x1200), (0x2000, 0x3100), (0xA640, 0xA900), (0x1F300, 0x1F700)]
    return [
        "".join(chr(draw.randrange(*draw.choice(ranges))) for _ in range(draw.randrange(1, 60))) for _ in range(number)
    ]


@pytest.mark.parametrize("keep_case", [False, True])
@pytest.mark.parametrize("kind", ["words", "whitespace", "characters", "text", "regex"])
def test_lines_are_divided_as_a_corpus_is(kind: str, keep_case: bool) -> None:
    pattern = r"[a-zé]+|\d*" if kind == "regex" else None
    corpus, lines = Tokenizer(kind, keep_case, pattern), LINES + random_lines(200)
    found = LineTokenizer(kind, keep_case, pattern).tokens(lines)
    assert found == [corpus.tokens(line) for line in lines]
    assert sum(map(len, found)) > len(lines)


def test_a_text_of_several_lines_is_divided_as_they_are() -> None:
    for kind in ("words", "whitespace", "characters", "text"):
        text = "One line\r\nand two\n"
        assert LineTokenizer(kind).tokens([text]) == [Tokenizer(kind).tokens(text)]


def test_half_a_surrogate_pair_is_no_reason_to_fail() -> None:
    assert LineTokenizer().tokens(["a \ud83d b"]) == [["a", "b"]]


def test_what_vectors_say_of_their_text() -> None:
    told = {"tokens": "regex", "keep_case": True, "token_pattern": r"\d+", "phrases": 2}
    assert LineTokenizer.of({"kind": "skipgram", "text": told}) == LineTokenizer("regex", True, r"\d+", 2)
    assert LineTokenizer.of({"text": {"tokens": "words", "keep_case": False}}) == LineTokenizer()
    odd = [{"tokens": "regex", "token_pattern": "("}, {"tokens": "regex"}, {"tokens": "wrods"}, {"tokens": ["words"]}]
    for other in ({}, {"text": None}, {"text": "Moby Dick"}, {"text": {}}, *({"text": one} for one in odd)):
        assert LineTokenizer.of(other) is None
