"""vocab.txt as Stanford's GloVe writes it: its order is kept, odd words come back, and what cannot be is refused."""

from pathlib import Path

import pytest
from cooccurring import in_float32
from stanford_files import FAST, counted_in, entries_of, packed, summed, unpacked

import streamvec as sv
from streamvec.corpus.vocabulary import Vocabulary
from streamvec.errors import StreamvecError
from streamvec.training.stanfordexport import export_vocab


def test_the_order_of_vocab_is_kept_and_odd_words_come_back(cooccurrence_bin: Path, tmp_path: Path) -> None:
    words = ["of", "new york", "", "a\tb\nc", "␛", "水", "12"]
    counts = [3, 500, 2, 7, 1, 9, 10**15]
    path = tmp_path / "vocab.txt"
    path.write_text("of 3\nnew␛␠york 500\r\n␛∅ 2\na␛␉b␛␊c 7\n␛␛\t1\n水 9\n12 1000000000000000", encoding="utf-8")
    vectors = sv.train_glove(cooccurrence_bin, tmp_path / "run", vocab=path, **FAST)
    assert list(vectors.words) == words
    assert Vocabulary.load(tmp_path / "run" / "vocabulary.arrow").counts.tolist() == counts
    assert counted_in(tmp_path / "run") == in_float32(summed(unpacked(cooccurrence_bin.read_bytes())))
    export_vocab(tmp_path / "run", tmp_path / "out.txt")
    lines = (tmp_path / "out.txt").read_text(encoding="utf-8").split("\n")
    assert lines == ["of 3", "new␛␠york 500", "␛∅ 2", "a␛␉b␛␊c 7", "␛␛ 1", "水 9", "12 1000000000000000", ""]


BAD_VOCABS = {
    "no counts": (b"the\nof\n", "line 1: expected a word and its count.*found 'the'"),
    "half": (b"the 3\nof\n", "line 2: expected a word and its count.*found 'of'"),
    "none": (b"the 3\nof 0\n", "line 2: expected"),
    "negative": (b"the -3\n", "line 1: expected"),
    "only a count": (b"the 4\n 3\n", "line 2: expected"),
    "empty line": (b"the 4\n\nof 3\n", "line 2: expected"),
    "twice": (b"the 4\nof 3\nriver 2\nof 1\n", "line 4: the word 'of' comes again"),
    "no text": (b"the 4\n\xff\xfe 3\n", "line 2: not UTF-8"),
    "bytes": (packed(entries_of(3)), "co-occurrences as Stanford's GloVe writes them, not text"),
    "empty": (b"", "empty: there are no words"),
    "too many": (b"a 999999999999999999\n" + b"".join(b"b%d 999999999999999999\n" % n for n in range(5)), "add up to"),
}


@pytest.mark.parametrize("case", BAD_VOCABS)
def test_a_vocab_that_cannot_be_is_refused_by_line(cooccurrence_bin: Path, tmp_path: Path, case: str) -> None:
    data, message = BAD_VOCABS[case]
    path = tmp_path / "vocab.txt"
    path.write_bytes(data)
    with pytest.raises(StreamvecError, match=message):
        sv.train_glove(cooccurrence_bin, tmp_path / "run", vocab=path, **FAST)
    assert not (tmp_path / "run").exists()
