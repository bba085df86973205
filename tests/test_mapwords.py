"""Which words a map shows, and what is told of those that it cannot show."""

from pathlib import Path

import numpy as np
import pytest
from maps import topical_vectors

from streamvec.errors import StreamvecError
from streamvec.tasks.mapwords import around, listed, most_frequent
from streamvec.vectors import UnknownWord

VECTORS = topical_vectors(200)
WORDS = list(VECTORS.words)


def test_the_most_frequent_words() -> None:
    chosen = most_frequent(VECTORS, 30)
    assert chosen.words == WORDS[:30] and chosen.ranks.tolist() == list(range(30)) and not chosen.notes
    np.testing.assert_array_equal(chosen.counts, VECTORS.counts[:30])
    np.testing.assert_array_equal(chosen.rows, VECTORS.vectors[:30])
    assert most_frequent(VECTORS, 1000).words == WORDS
    with pytest.raises(ValueError, match="top must be at least 1, got 0"):
        most_frequent(VECTORS, 0)


def test_words_of_a_list_and_what_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "words.txt"
    path.write_bytes(f"\ufeff{WORDS[9]}\r\n\n{WORDS[2].upper()}\nnowhere\n{WORDS[9]}\n neither \n".encode())
    chosen = listed(VECTORS, path)
    assert chosen.words == [WORDS[2], WORDS[9]] and chosen.ranks.tolist() == [2, 9]
    np.testing.assert_array_equal(chosen.rows, VECTORS.vectors[[2, 9]])
    unknown, another = chosen.notes
    assert unknown.endswith(": 2 of 4 words have no vector and are left out: nowhere, neither")
    assert another.endswith(f": 1 of 4 words are taken in another form: {WORDS[2].upper()} ({WORDS[2]})")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"\n \n", "the file is empty"),
        (b"nowhere\n", "none of its 1 words is among the words"),
        (b"fine\nb\xe4d\n", "byte 6: not UTF-8"),
    ],
)
def test_lists_of_no_use_are_refused(tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / "words.txt").write_bytes(content)
    with pytest.raises(StreamvecError, match=said):
        listed(VECTORS, tmp_path / "words.txt")


def test_neighbours_of_words() -> None:
    chosen = around(VECTORS, [WORDS[5], WORDS[50], WORDS[5]], 7)
    expected = {WORDS[5], WORDS[50]}
    for word in (WORDS[5], WORDS[50]):
        expected |= {other for other, _ in VECTORS.most_similar(word, topn=7)}
    assert set(chosen.words) == expected and len(chosen.words) == len(expected)
    assert chosen.ranks.tolist() == sorted(chosen.ranks.tolist())
    np.testing.assert_array_equal(chosen.counts, VECTORS.counts[chosen.ranks])
    with pytest.raises(UnknownWord, match="'nowhere'"):
        around(VECTORS, ["nowhere"], 3)
