"""Word lists: every shape that people keep them in, hostile files named by place, words found in other cases."""

import gzip
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamvec.errors import StreamvecError
from streamvec.vectors import KeyedVectors
from streamvec.vectors.wordlists import (
    find_ranks,
    find_words,
    read_association,
    read_sets,
    read_words,
    sets_in_every_case,
)

FOUR = [("flowers", ("aster", "clover")), ("insects", ("ant",)), ("pleasant", ("love",)), ("unpleasant", ("pain",))]


def written(folder: Path, content: str | bytes) -> Path:
    path = folder / "list"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


@pytest.mark.parametrize(
    "content",
    [
        "nurse\n# a comment\n\nNew York\r\nnurse\nboss\t0.5\n",
        '["nurse", "New York", "boss", "nurse"]',
        '[["nurse", 0.0, -0.9], ["New York", 0.1, 0], ["boss", 0.0, 0.4]]',
        '\ufeff [["nurse", "New York"], ["boss"]]',
        gzip.compress(b"nurse\nNew York\nboss\n", mtime=0),
    ],
)
def test_words_of_every_shape(tmp_path: Path, content: str | bytes) -> None:
    assert read_words(written(tmp_path, content)) == ["nurse", "New York", "boss"]


@pytest.mark.parametrize(
    "content",
    ["she he\nwoman\tman\nher, his, their\n", '[["she", "he"], ["woman", "man"], ["her", "his", "their"]]'],
)
def test_sets_of_every_shape(tmp_path: Path, content: str) -> None:
    assert read_sets(written(tmp_path, content)) == [("she", "he"), ("woman", "man"), ("her", "his", "their")]


@pytest.mark.parametrize(
    "content",
    [
        "flowers: aster, clover\ninsects: ant\n// attributes\npleasant: love\nunpleasant: pain\n",
        "flowers: aster clover\ninsects: ant\npleasant: love\nunpleasant: pain\n",
        json.dumps({name: words for name, words in FOUR}),
        json.dumps({"targets": dict(FOUR[:2]), "attributes": dict(FOUR[2:])}),
        json.dumps({"attributes": dict(FOUR[2:]), "targets": dict(FOUR[:2])}),
    ],
)
def test_associations_of_every_shape(tmp_path: Path, content: str) -> None:
    found = read_association(written(tmp_path, content))
    assert [tuple(one) for one in (*found.targets, *found.attributes)] == FOUR


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "the file is empty"),
        (" \n\n", "the file is empty"),
        ("# nothing\n", "no words in it"),
        (b"nurse\n\xff\xfe\n", "byte 6: not UTF-8"),
        ('["nurse", ', "line 1: begins like JSON"),
        ("[" * 100_000, "begins like JSON"),
        ("[" + "9" * 10_000 + "]", "begins like JSON|expected a word"),
        ('{"nurse": 1}', "expected a list of words or pairs"),
        ("[]", "the list is empty"),
        ('["nurse", 3]', "entry 2: expected a word"),
        ('["nurse", []]', "entry 2: expected a word"),
        ('["nurse", ""]', "entry 2: expected a word"),
        ('["nurse", null]', "entry 2: expected a word"),
        ('["\\ud800"]', "entry 1: .* half a character"),
        (gzip.compress(b"nurse\n" * 1000, mtime=0)[:-9], "damaged|ends|cut"),
    ],
)
def test_hostile_words(tmp_path: Path, content: str | bytes, said: str) -> None:
    path = written(tmp_path, content)
    with pytest.raises(StreamvecError, match=said) as problem:
        read_words(path)
    assert str(path) in str(problem.value) and "\n" not in str(problem.value)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("she he\nwoman\n", "line 2: expected two words or more"),
        ("she,\n", "line 1: expected two words or more"),
        ('[["she", "he"], ["woman"]]', "entry 2: expected a pair"),
        ('["she", "he"]', "entry 1: expected a pair"),
        ('[["she", 1]]', "entry 1: expected words"),
    ],
)
def test_hostile_sets(tmp_path: Path, content: str, said: str) -> None:
    with pytest.raises(StreamvecError, match=said):
        read_sets(written(tmp_path, content))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("flowers aster\n", "line 1: expected name: word"),
        ("flowers: aster\n", "expected four lists .* got 1"),
        ("a: x\nb:\nc: x\nd: x\n", "'b' holds no words"),
        ('["a"]', "expected an object of four lists"),
        ('{"targets": {"a": ["x"]}, "attributes": {}}', "expected two lists by name"),
        ('{"a": ["x"], "a": ["y"], "b": ["x"], "c": ["x"]}', "the same name twice"),
        ('{"a": "x", "b": ["x"], "c": ["x"], "d": ["x"]}', "'a': expected a list of words"),
    ],
)
def test_hostile_associations(tmp_path: Path, content: str, said: str) -> None:
    with pytest.raises(StreamvecError, match=said):
        read_association(written(tmp_path, content))


@settings(max_examples=300, deadline=None)
@given(st.one_of(st.binary(max_size=60), st.text('[]{}",:\\udn0e\n\t ab', max_size=60).map(str.encode)))
def test_any_bytes_are_read_or_refused(tmp_path_factory: pytest.TempPathFactory, raw: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "any"
    path.write_bytes(raw)
    for read in (read_words, read_sets, read_association):
        try:
            assert read(path)
        except StreamvecError as problem:
            assert str(path) in str(problem)


def test_words_are_found_in_other_cases() -> None:
    names = ["john", "Anna", "NATO", "new_york", "he", "He", "Ärzte"]
    vectors = KeyedVectors.from_arrays(names, np.eye(len(names), 4, dtype=np.float32))
    found = find_words(vectors, ["John", "anna", "nato", "New York", "He", "he", "HE", "ärzte", "nobody"])
    assert {word: place.form for word, place in found.items()} == {
        "John": "john",
        "anna": "Anna",
        "nato": "NATO",
        "New York": "new_york",
        "He": "He",
        "he": "he",
        "HE": "he",
        "ärzte": "Ärzte",
    }
    assert all(names[place.rank] == place.form for place in found.values())
    assert find_ranks(vectors, ["He", "HE"]) == {"He": 5}
    assert find_ranks(vectors, []) == {}


def test_sets_in_every_case() -> None:
    assert sets_in_every_case([("she", "he"), ("Mom", "Dad")]) == [
        ("she", "he"),
        ("Mom", "Dad"),
        ("mom", "dad"),
        ("She", "He"),
        ("SHE", "HE"),
        ("MOM", "DAD"),
    ]
