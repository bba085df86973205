"""Lines and the pairs in them: headings, columns by name and number, and lines that are not as the others."""

import gzip
from pathlib import Path

import pytest

from streamvec.corpus import lines as lines_module
from streamvec.corpus.lines import Lines
from streamvec.corpus.sources import Source, inspect
from streamvec.corpus.tsv import Row, TsvRows
from streamvec.errors import StreamvecError


def rows_of(path: Path, content: str | bytes, columns: tuple[str, ...] = (), encoding: str = "utf-8") -> TsvRows:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return TsvRows(Lines(inspect(str(path)), encoding), str(path), ("text", "label"), (1, 0), columns)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "rows.tsv"


WANTED = [Row("good it is", "pos"), Row("bad", "neg")]


@pytest.mark.parametrize(
    ("content", "columns"),
    [
        ("pos\tgood it is\nneg\tbad\n", ()),
        ("pos\tgood it is\nneg\tbad", ()),
        ("pos\tgood it is\r\nneg\tbad\r\n", ()),
        ("\n \npos\tgood it is\n\nneg\tbad\n", ()),
        ("label\ttext\npos\tgood it is\nneg\tbad\n", ()),
        ("\ufefflabel\ttext\npos\tgood it is\nneg\tbad\n", ()),
        ("Text\tid\tLABEL\ngood it is\t7\tpos\nbad\t8\tneg\n", ()),
        ("good it is\tpos\nbad\tneg\n", ("1", "2")),
        ("7\tpos\tx\tgood it is\n8\tneg\tx\tbad\n", ("4", "2")),
        ("text\tlabel\ngood it is\tpos\nbad\tneg\n", ("1", "2")),
        ("said\tfeels\ngood it is\tpos\nbad\tneg\n", ("said", "feels")),
        ("feels\tno\tsaid\npos\t1\tgood it is\nneg\t2\tbad\n", ("Said", "feels")),
    ],
)
def test_rows_are_found_wherever_they_stand(path, content, columns):
    rows = rows_of(path, content, columns)
    assert list(rows) == WANTED
    assert rows.counts["rows"] == 2
    assert list(rows) == WANTED  # again
    assert rows.counts["rows"] == 2


@pytest.mark.parametrize(
    ("heading", "columns"), [("sentence\tlabel", ()), ("label\tsentence", ()), ("sentence\tlabel", ("1", "2"))]
)
def test_a_first_line_that_names_the_label_is_a_heading(path, heading, columns):
    at = heading.split("\t").index("label")
    body = "".join("\t".join((text, label)[:: 1 if at else -1]) + "\n" for text, label in WANTED)
    rows_of(path, f"{heading}\n{body}")
    rows = TsvRows(Lines(inspect(str(path)), "utf-8"), str(path), ("text", "label"), (1, 0), columns, are_labels=True)
    assert list(rows) == WANTED


@pytest.mark.parametrize("count", [39, 40])
def test_labels_that_do_not_come_again_are_refused(path, count):
    rows = rows_of(path, "".join(f"text {number}\tpos\n" for number in range(count)))
    if count < 40:
        assert len(rows.labels(rows)) == count
    else:
        with pytest.raises(StreamvecError, match=r"rows.tsv: 40 different labels of 40 rows, such as 'text 0': is the"):
            rows.labels(rows)


def test_numbers_are_no_names(path):
    assert list(rows_of(path, "2\t1\n1\tone more\n", ("2", "1"))) == [Row("1", "2"), Row("one more", "1")]


def test_what_is_passed_over_is_counted(path):
    rows = rows_of(path, "pos\ta\n\n   \nneg\t \n\tb\nneg\tc\nneg\t\xe4\n".encode("latin-1"))
    assert [row.text for row in rows] == ["a", "c", "\ufffd"]
    assert rows.counts == {"rows": 3, "empty_lines": 2, "without_text": 1, "without_target": 1, "replaced": 1}


def test_another_encoding(path):
    assert list(rows_of(path, "pos\tGr\xf6\xdfe\n".encode("latin-1"), encoding="latin-1")) == [Row("Größe", "pos")]


@pytest.mark.parametrize(
    ("content", "columns", "said"),
    [
        ("pos\ta\nneg\tb\tc\n", (), r"rows.tsv: line 2: 3 columns between tabs, expected 2: 'neg\\tb\\tc'"),
        ("\npos\ta\n\nneg\n", (), "line 4: 1 columns between tabs, expected 2"),
        ("\npos only\n", (), "line 2: 1 columns between tabs, expected label and text: say which with --columns"),
        ("a\tb\tc\n", (), "line 1: 3 columns between tabs, expected label and text"),
        ("a\tb\n", ("said", "feels"), "line 1: no columns called said and feels, found 'a, b'"),
        ("a\tb\n", ("3", "1"), "line 1: 2 columns, --columns asks for 3 and 1"),
        ("a\tb\n", ("0", "1"), "line 1: 2 columns, --columns asks for 0 and 1"),
    ],
)
def test_lines_that_are_not_as_they_should_be_are_named(path, content, columns, said):
    with pytest.raises(StreamvecError, match=said):
        list(rows_of(path, content, columns))


def test_lines_have_numbers_and_lose_their_ends(path):
    content = "a\r\n\nb\u2028c\x0bd\re\n f "
    path.write_bytes(gzip.compress(content.encode()))
    found = Lines(inspect(str(path)))
    expected = [(1, "a"), (2, ""), (3, "b\u2028c\x0bd\re"), (4, " f ")]
    assert list(found) == expected and list(found) == expected and found.replaced == 0


def test_lines_are_the_same_however_many_blocks_they_come_in(path, monkeypatch):
    content = "".join(f"{'x' * (number % 40)}é{number}\n" for number in range(500))
    path.write_text(content)
    monkeypatch.setattr(lines_module, "LONGEST", 100)
    assert [line for _, line in Lines(inspect(str(path)))] == content.split("\n")[:-1]


def test_a_line_that_is_too_long_is_named(path, monkeypatch):
    path.write_text("a\n" + "b" * 1000 + "\nc\n")
    monkeypatch.setattr(lines_module, "LONGEST", 100)
    with pytest.raises(StreamvecError, match=r"rows.tsv: line 2: longer than 100 bytes: is it the right file"):
        list(Lines(inspect(str(path))))


def test_what_is_no_plain_text_is_refused():
    with pytest.raises(StreamvecError, match="lines of plain text are read here, and this is parquet"):
        list(Lines(Source("x.parquet", "parquet", "", 10)))


def test_replaced_characters_are_counted_anew_each_time(path):
    path.write_bytes(b"caf\xe9\nna\xefve\n")
    lines = Lines(inspect(str(path)))
    for _ in range(2):
        assert [line for _, line in lines] == ["caf\ufffd", "na\ufffdve"]
        assert lines.replaced == 2
