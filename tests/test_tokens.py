"""Tokens against Python's own idea of words, white space and characters, in every script."""

import re
import unicodedata

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamvec.corpus.tokens import Tokenizer, valid_utf8
from streamvec.kernels.scan import CODE_POINTS

MARKS = [chr(code) for code in range(CODE_POINTS) if unicodedata.category(chr(code))[0] == "M"]
OTHERS = (
    "한국어|단어|Größe|ß|İ|हिन्दी|में|é|e\u0301|\U0001f600|\u200d|_|-|'|1|²|\ufffd|\u2028|\u3000|中文。|\x00|\r|\x85|\t"
)
SCRIPTS = st.sampled_from(OTHERS.split("|"))
PARTS = st.one_of(SCRIPTS, st.sampled_from(MARKS), st.text(max_size=4), st.just(" "), st.just("\n"))
TEXTS = st.lists(PARTS).map("".join)


def naive_words(text: str) -> list[str]:
    words, word = [], ""
    for character in text + " ":
        if re.match(r"\w", character) or unicodedata.category(character)[0] == "M":
            word += character
        elif word:
            words.append(word)
            word = ""
    return words


@settings(max_examples=300, deadline=None)
@given(TEXTS)
def test_words_are_runs_of_word_characters_and_marks(text: str) -> None:
    text = text.encode("utf-8", "replace").decode()
    assert Tokenizer("words", keep_case=True).tokens(text) == naive_words(text)


@settings(max_examples=300, deadline=None)
@given(TEXTS)
def test_whitespace_and_characters_and_regex(text: str) -> None:
    text = text.encode("utf-8", "replace").decode()
    assert Tokenizer("whitespace", keep_case=True).tokens(text) == text.split()
    assert Tokenizer("characters", keep_case=True).tokens(text) == [c for c in text if c not in "\n\r"]
    lines = [line.removesuffix("\r") for line in text.split("\n")]
    found = [token for line in lines for token in re.findall(r"[^ ]+x?", line)]
    assert Tokenizer("regex", True, r"[^ ]+x?").tokens(text) == found


@pytest.mark.parametrize("kind", ["words", "whitespace", "characters"])
def test_every_character_is_judged_as_python_judges_it(kind: str) -> None:
    bits = Tokenizer(kind).alphabet.inside
    inside = np.unpackbits(bits.view(np.uint8), bitorder="little")
    marks = set(map(ord, MARKS))
    for code in range(CODE_POINTS):
        character = chr(code)
        expected = {
            "words": character.isalnum() or character == "_" or code in marks,
            "whitespace": not character.isspace(),
            "characters": character != "\r",
        }[kind]
        assert inside[code] == expected, hex(code)


def test_lower_case_unless_kept() -> None:
    assert Tokenizer().tokens("Über DIE Straße") == ["über", "die", "straße"]
    assert Tokenizer(keep_case=True).tokens("Über DIE") == ["Über", "DIE"]
    assert Tokenizer("regex", pattern="[a-z]+").tokens("ABC Ü") == ["abc"]


def test_examples_in_several_scripts() -> None:
    assert Tokenizer().tokens("서울은 대한민국의 수도이다.") == ["서울은", "대한민국의", "수도이다"]
    assert Tokenizer().tokens("हिन्दी की किताब") == ["हिन्दी", "की", "किताब"]
    assert Tokenizer().tokens("smile 😀 don't snake_case 3½") == ["smile", "don", "t", "snake_case", "3½"]


@settings(max_examples=500, deadline=None)
@given(
    st.lists(st.one_of(st.binary(max_size=4), st.sampled_from([b"\xe4\xbd", b"\xf0\x9f\x98", b"\xed\xa0\x80", b"ab"])))
)
def test_undecodable_bytes_are_replaced_as_python_does_and_counted(parts: list[bytes]) -> None:
    data = b"".join(parts)
    valid, replaced = valid_utf8(data)
    assert bytes(valid).decode() == data.decode(errors="replace")
    assert replaced == len(data) - len(data.decode(errors="ignore").encode())


def test_replacement_is_no_part_of_a_word() -> None:
    data, replaced = Tokenizer().ready(b"caf\xe9 cr\xe8me\n")
    assert data.tobytes().decode() == "caf\ufffd cr\ufffdme\n" and replaced == 2
    assert Tokenizer().tokens("caf\ufffd cr\ufffdme") == ["caf", "cr", "me"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("letters",), "kind of tokens must be one of"),
        (("regex",), "pattern must be given"),
        (("words", False, "x"), "pattern must be given"),
        (("regex", False, "("), "must be a regular expression"),
    ],
)
def test_wrong_arguments(arguments: tuple, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Tokenizer(*arguments)


@settings(max_examples=300, deadline=None)
@given(TEXTS)
def test_text_is_every_character_and_its_line_breaks(text: str) -> None:
    text = text.encode("utf-8", "replace").decode()
    assert Tokenizer("text", keep_case=True).tokens(text) == [c for c in text if c != "\r"]
    assert Tokenizer("text").tokens("Ab\r\n\n 한\t") == ["a", "b", "\n", "\n", " ", "한", "\t"]


def test_every_character_but_a_carriage_return_is_one_of_a_text() -> None:
    alphabet = Tokenizer("text").alphabet
    inside = np.unpackbits(alphabet.inside.view(np.uint8), bitorder="little")
    assert np.flatnonzero(inside == 0).tolist() == [ord("\r")] and alphabet.single
