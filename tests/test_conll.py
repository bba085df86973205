"""Sentences of files of columns: what is a word, what is none, and which line is wrong."""

import bz2
import gzip
from pathlib import Path

import pytest

from streamvec.corpus import conll
from streamvec.corpus.conll import ColumnCounts, Columns, Sentence, read_columns, sentences_of
from streamvec.corpus.sources import Source, resolve
from streamvec.errors import StreamvecError

ENGLISH = """-DOCSTART- -X- O O

EU NNP I-NP I-ORG
rejects VBZ I-VP O

-DOCSTART- -X- O O
Peter  NNP \t I-NP I-PER
# # I-NP O
"""
CONLLU = """# sent_id = 1
# text = a line of ten words is no row of CoNLL-U
1-2\tdu\t_\t_\t_\t_\t_\t_\t_\t_
1\tde\tde\tADP\tP\t_\t0\troot\t_\t_
2\t10 000\tle\tNUM\tD\t_\t1\tdep\t_\t_

# sent_id = 2
1\t#\t#\tSYM\tS\t_\t0\troot\t_\t_
1.1\tleft\t_\t_\t_\t_\t_\t_\t_\t_
"""


def found_in(text: str | bytes, columns: Columns = Columns()) -> tuple[list[Sentence], ColumnCounts]:  # noqa: B008
    counts = ColumnCounts()
    data = text.encode() if isinstance(text, str) else text
    return list(sentences_of(data.splitlines(keepends=True), "here", columns, counts)), counts


def test_words_and_tags_of_sentences() -> None:
    sentences, counts = found_in(ENGLISH)
    assert sentences == [
        Sentence(["EU", "rejects"], ["I-ORG", "O"], "here", [3, 4]),
        Sentence(["Peter", "#"], ["I-PER", "O"], "here", [7, 8]),
    ]
    assert sentences[1].line == 7
    assert counts == ColumnCounts(sentences=2, words=4, document_starts=2)
    assert counts.to_json()["document_starts"] == 2


def test_other_columns_and_no_tags() -> None:
    sentences, _ = found_in(ENGLISH, Columns(word=2, tag=3))
    assert sentences[0][:2] == (["NNP", "VBZ"], ["I-NP", "I-VP"])
    sentences, counts = found_in("a\nb c\n".replace(" c", "") + "\n#\n# said so\n", Columns(tagged=False))
    assert [one.words for one in sentences] == [["a", "b"], ["#"]] and not sentences[0].tags
    assert counts.comments == 1


def test_conllu_has_comments_ranges_and_words_with_spaces() -> None:
    sentences, counts = found_in(CONLLU, Columns(word=2, tag=4))
    assert [(one.words, one.tags, one.lines) for one in sentences] == [
        (["de", "10 000"], ["ADP", "NUM"], [4, 5]),
        (["#"], ["SYM"], [8]),
    ]
    assert (counts.comments, counts.ranges_skipped) == (3, 2)


@pytest.mark.parametrize("opening", ["", "\ufeff", "\n \n\t\n", "# a b c d\n\n", "-DOCSTART-\n\n"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_how_files_begin_and_lines_end(opening: str, line_end: str) -> None:
    text = f"{opening}x A\ny B\n \nz C".replace("\n", line_end)
    sentences, _ = found_in(text)
    assert [(one.words, one.tags) for one in sentences] == [(["x", "y"], ["A", "B"]), (["z"], ["C"])]


def test_lines_that_begin_like_comments_are_words_where_columns_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "# A\n# B\n\n# C\n"
    expected = [(["#", "#"], ["A", "B"]), (["#"], ["C"])]
    assert [one[:2] for one in found_in(text)[0]] == expected
    monkeypatch.setattr(conll, "_HELD", 2)
    assert [one[:2] for one in found_in(text)[0]] == expected
    assert found_in("")[0] == found_in("\n\n-DOCSTART- O\n")[0] == []


def test_tabs_alone_divide_but_a_line_of_spaces_is_understood_and_a_no_break_space_is_none() -> None:
    sentences, _ = found_in("New York\tX\na b\nc \t Y\n")
    assert [one[:2] for one in sentences] == [(["New York", "a", "c"], ["X", "b", "Y"])]
    assert found_in("10\u00a0000 N\n")[0][0].words == ["10\u00a0000"]


@pytest.mark.parametrize(
    ("text", "columns", "message"),
    [
        ("a b c d\n\ne f g\n", Columns(), r"^here: line 3: 3 columns, the lines before have 4: 'e f g' lacks column 4"),
        ("a b c d\n\ne f g\n", Columns(), "lacks column 4, the tag: correct the line$"),
        ("a b c d\ne\n", Columns(3, 2), "2: 1 column, .* lacks column 2, the tag and column 3, the word and column 4:"),
        ("a b\nc d e\n", Columns(), r"line 2: 3 columns, the lines before have 2: 'c d e' has 1 too many"),
        ("a b\n#c\n", Columns(), r"line 2: 1 column, the lines before have 2"),
        ("\na\n", Columns(), r"line 2: 1 column in 'a', but words and their tags take two"),
        ("a b\n", Columns(3), r"line 1: 2 columns in 'a b', but words were to be column 3: choose one from 1 to 2"),
        ("a b\n", Columns(1, 4), r"but tags were to be column 4: choose one from 1 to 2"),
        ("a b\n", Columns(2), r"and the last one, number 2, was to be the words': choose others"),
    ],
)
def test_wrong_lines_are_named(text: str, columns: Columns, message: str) -> None:
    with pytest.raises(StreamvecError, match=message):
        found_in(text, columns)


def test_wrong_columns() -> None:
    for wrong in ({"word": 0}, {"tag": 0}, {"word": 2, "tag": 2}):
        with pytest.raises(ValueError, match=r"column must be .*, got"):
            Columns(**wrong)


def test_bytes_that_are_not_text_are_counted() -> None:
    sentences, counts = found_in(b"caf\xe9 A\n\xff\xfe B\n")
    assert sentences[0].words == ["caf\ufffd", "\ufffd\ufffd"] and counts.replaced_bytes == 3


def test_long_sentences_are_cut_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conll, "LONGEST", 3)
    sentences, counts = found_in("a A\n" * 3 + "\n" + "b B\n" * 8 + "\nc C\n")
    assert [len(one.words) for one in sentences] == [3, 3, 3, 2, 1]
    assert [one.line for one in sentences] == [1, 5, 8, 11, 14]
    assert (counts.sentences_cut, counts.sentences, counts.words) == (1, 5, 12)


def test_sentences_are_given_as_soon_as_they_end() -> None:
    taken = []

    def lines():
        for line in (b"a\n", b"\n", b"b\n", b"\n"):
            taken.append(line)
            yield line

    sentences = sentences_of(lines(), "-", Columns(tagged=False), ColumnCounts())
    assert next(sentences).words == ["a"] and len(taken) == 2


def test_files_of_every_kind(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(ENGLISH)
    (tmp_path / "b.gz").write_bytes(gzip.compress(b"x\tA\n"))
    (tmp_path / "c.bz2").write_bytes(bz2.compress("é Ö\n".encode("latin-1")))
    counts = ColumnCounts()
    sources = resolve([str(tmp_path / name) for name in ("a.txt", "b.gz")])
    sentences = list(read_columns(sources, Columns(), counts))
    assert [one.path[-5:] for one in sentences] == ["a.txt", "a.txt", "/b.gz"]
    assert sentences[2][:2] == (["x"], ["A"]) and sentences[2].line == 1  # each file has its own number of columns
    assert counts.sentences == 3
    latin = resolve([str(tmp_path / "c.bz2")])
    assert next(read_columns(latin, Columns(), counts, "latin-1"))[:2] == (["é"], ["Ö"])
    assert counts.replaced_bytes == 0
    assert next(read_columns(latin, Columns(), counts, "ascii")).words == ["\ufffd"]
    assert counts.replaced_bytes == 2
    with pytest.raises(StreamvecError, match="parquet, not plain text with a word a line: convert it first"):
        list(read_columns([Source("t.parquet", "parquet", "", 9)], Columns(), counts))


def test_blocks_change_nothing_and_endless_lines_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.txt"
    path.write_text(ENGLISH * 20)
    whole = list(read_columns(resolve([str(path)]), Columns(), ColumnCounts()))
    monkeypatch.setattr(conll, "_BLOCK", 40)
    assert list(read_columns(resolve([str(path)]), Columns(), ColumnCounts())) == whole and len(whole) == 40
    path.write_text("a b\n\n" + "x" * 50)
    with pytest.raises(StreamvecError, match=r"a\.txt: line 3: more than"):
        list(read_columns(resolve([str(path)]), Columns(), ColumnCounts()))
