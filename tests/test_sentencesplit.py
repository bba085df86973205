"""Where sentences end, case by case."""

import pytest

from streamvec.vectors.sentencesplit import split_sentences


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        (" \n\n ", []),
        ("One. Two! Three? Four", ["One.", "Two!", "Three?", "Four"]),
        ("Mr. Smith met Dr. J. Watson. They left.", ["Mr. Smith met Dr. J. Watson.", "They left."]),
        ("Fruit, e.g. Apples, i.e. Malus. Good.", ["Fruit, e.g. Apples, i.e. Malus.", "Good."]),
        ("He lived in the U.S. Army. It rained.", ["He lived in the U.S. Army.", "It rained."]),
        ("It is 3.14 or so. 5 is more. see p. 7", ["It is 3.14 or so. 5 is more. see p. 7"]),
        ("He said no. Then he left.", ["He said no.", "Then he left."]),
        ("“Stop!” he cried. “Why?” She ran.", ["“Stop!” he cried.", "“Why?”", "She ran."]),
        ('It ended. "Go on," he said. (So he did.) The end.', None),
        ("Wait... What?! Yes", ["Wait...", "What?!", "Yes"]),
        ("Wait... what? no", ["Wait... what? no"]),
        ("日本。東京！はい", ["日本。", "東京！", "はい"]),
        ("안녕 하세요. 반갑습니다.", ["안녕 하세요.", "반갑습니다."]),
        ("Él vino. ¿Quién? Ángel.", ["Él vino.", "¿Quién?", "Ángel."]),
        ("Er kam. Über Nacht.", ["Er kam.", "Über Nacht."]),
    ],
)
def test_sentences(text: str, expected: list[str] | None) -> None:
    if expected is None:
        expected = ["It ended.", '"Go on," he said.', "(So he did.)", "The end."]
    assert split_sentences(text) == expected


def test_a_line_break_ends_a_sentence_as_behind_a_title() -> None:
    assert split_sentences("A title\nIt begins. It ends\r\nMore\rLast") == [
        "A title",
        "It begins.",
        "It ends",
        "More",
        "Last",
    ]
    assert split_sentences("all in lower case\nanother line\nand one") == [
        "all in lower case",
        "another line",
        "and one",
    ]


def test_wrapped_lines_are_put_together() -> None:
    text = "CHAPTER I\n\nIt was a dark and\nstormy night when\nI saw the  old\nman. He was\ntall.\n\nThe end"
    assert split_sentences(text) == [
        "CHAPTER I",
        "It was a dark and stormy night when I saw the old man.",
        "He was tall.",
        "The end",
    ]


def test_one_long_paragraph_is_split() -> None:
    assert split_sentences("Mr. Fox ran. " * 20_000) == ["Mr. Fox ran."] * 20_000


def test_a_long_run_of_full_stops_is_read_once() -> None:
    text = "Contents" + "." * 300_000 + "7"
    assert split_sentences(text) == [text]
