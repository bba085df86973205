"""Sentences in columns as rows, and the tags that are learnt from them."""

from pathlib import Path

import numpy as np
import pytest

from streamvec.corpus.conll import Columns
from streamvec.corpus.sources import inspect
from streamvec.corpus.taggedrows import TaggedRows, spaced
from streamvec.corpus.taglabels import TagLabels
from streamvec.errors import StreamvecError
from streamvec.models.taggerconfig import TaggerConfig
from streamvec.training.exampleids import words_tokenizer
from streamvec.training.options import LabelledOptions
from streamvec.training.tagging import TAGGER

IOB1 = "Peter I-PER\nBlackburn I-PER\nsaw O\nParis I-LOC\nRome B-LOC\n\nLondon I-LOC\n. O\n"


def rows_of(tmp_path: Path, text: str, most: int = 10, scheme: str = "BIOES") -> TaggedRows:
    path = tmp_path / "tagged.txt"
    path.write_text(text, encoding="utf-8")
    return TaggedRows(inspect(str(path)), Columns(), most, scheme)


def test_a_row_is_a_sentence(tmp_path: Path) -> None:
    rows = rows_of(tmp_path, IOB1)
    for _ in range(2):  # as often as one likes
        assert [tuple(row) for row in rows] == [
            ("Peter Blackburn saw Paris Rome", "I-PER I-PER O I-LOC B-LOC"),
            ("London .", "I-LOC O"),
        ]
    assert rows.counts == {"rows": 2, "comments": 0, "ranges_skipped": 0, "replaced_bytes": 0, "sentences_cut": 0}


def test_long_sentences_become_several(tmp_path: Path) -> None:
    rows = rows_of(tmp_path, IOB1, most=2)
    assert [row.text for row in rows] == ["Peter Blackburn", "saw Paris", "Rome", "London ."]
    assert (rows.counts["rows"], rows.counts["sentences_cut"]) == (2, 1)


def test_spaces_within_words_do_not_divide_them(tmp_path: Path) -> None:
    (row,) = rows_of(tmp_path, "10 000\tNUM A\nmen\tNOUN\n")
    assert row.text.split(" ") == ["10\u00a0000", "men"]
    assert [spaced(tag) for tag in row.target.split(" ")] == ["NUM A", "NOUN"]


def test_words_with_spaces_are_counted_whole(tmp_path: Path) -> None:
    tokenizer = words_tokenizer(TAGGER.shape(TaggerConfig()), LabelledOptions())
    assert tokenizer.tokens("10\u00a0000 men") == ["10\u00a0000", "men"]


def test_tags_are_learnt_in_one_scheme_and_told_in_that_of_the_file(tmp_path: Path) -> None:
    rows = rows_of(tmp_path, IOB1)
    labels = rows.labels(list(rows))
    assert labels.names == [*"O", *(f"{letter}-{kind}" for kind in ("LOC", "PER") for letter in "BSIE")]
    assert (labels.scheme, labels.learnt, rows.counts["repaired_tags"]) == ("IOB1", "BIOES", 0)
    assert dict(zip(labels.names, labels.counts, strict=True))["S-LOC"] == 3
    given = ["I-PER", "I-PER", "O", "I-LOC", "B-LOC"]
    ids = labels.ids([given]).values
    assert [labels.names[place] for place in ids] == ["B-PER", "E-PER", "O", "S-LOC", "S-LOC"]
    assert labels.tags(ids) == given
    labels.save(tmp_path / "labels.json")
    again = TagLabels.load(tmp_path / "labels.json")
    assert again.to_json() == labels.to_json() and again.tags(ids) == given


def test_tags_that_are_not_known(tmp_path: Path) -> None:
    rows = rows_of(tmp_path, IOB1)
    labels = rows.labels(list(rows))
    ids = labels.ids([["I-PER", "I-DAY", "I-DAY", "nonsense", "I-LOC"]]).values
    assert [labels.names[place] if place >= 0 else None for place in ids] == ["S-PER", None, None, None, "S-LOC"]
    assert labels.tags(np.array([-1, -1, 0])) == ["I-(unknown)", "I-(unknown)", "O"]


def test_plain_tags_are_taken_as_they_are(tmp_path: Path) -> None:
    for text, scheme in (("the DT\nman NN\nman NN\n", "BIOES"), (IOB1, "plain")):
        rows = rows_of(tmp_path, text, scheme=scheme)
        labels = rows.labels(list(rows))
        assert labels.is_plain and labels.scheme == "plain"
        tags = text.splitlines()[0].split()[1:]
        assert labels.tags(labels.ids([tags]).values) == tags


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "Peter I-PER\nBlackburn\n",
            r"tagged\.txt: line 2: 1 column, .*: 'Blackburn' lacks column 2",
        ),
        ("Peter I-PER\nBlackburn PER\n", r"tagged\.txt: line 2: tag 'PER' is of no known scheme"),
        ("the DT\n", "two tags or more are needed to tell apart, found only 'DT'"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, said: str) -> None:
    rows = rows_of(tmp_path, text)
    with pytest.raises(StreamvecError, match=said):
        rows.labels(list(rows))
