"""Reads tagged sentences from files of columns, as CoNLL's shared tasks have them: a word a line, blank lines between.

What is a column, and what is none:
- Runs of spaces or tabs separate columns. Where the first line of a file has a tab, tabs alone do, so that a word may
  hold spaces, as in CoNLL-U; a line that has another number of columns then is divided at spaces, too.
- Lines that begin with -DOCSTART- are no sentence, and end the one before.
- A line that begins with "# " is a comment where it has another number of columns than the file, and a word else: "#"
  is a token of many texts. The number is that of the first line that does not begin so.
- In files of ten columns divided by tabs (CoNLL-U), lines numbered 3-4 or 8.1 (words written as one, words left out)
  are passed over: the words of the sentence are those with whole numbers.
"""

import itertools
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import NamedTuple

from streamvec.corpus.blocks import read_blocks
from streamvec.corpus.sources import Source
from streamvec.corpus.tokens import valid_utf8
from streamvec.errors import StreamvecError

LONGEST = 65_536  # words of a sentence
_BLOCK = 1 << 20  # bytes: a longer line is no line of columns
_HELD = 1000  # lines that may be comments, kept until the number of columns is known
_WHITE = " \t\r\n"
_SHOWN = 60  # characters of a wrong line in a message
_SPACES = re.compile(r"[ \t]+")
_TABS = re.compile(r" *\t[ \t]*")
_CONLLU_COLUMNS = 10
_CONLLU_RANGE = re.compile(r"\d+[-.]\d+")
_DOCUMENT_START = "-DOCSTART-"
_COMMENT = "# "


class Sentence(NamedTuple):
    """Words, the tag of each, and where they stand."""

    words: list[str]
    tags: list[str]  # none where they are not asked for
    path: str
    lines: list[int]  # of each word, counted from 1

    @property
    def line(self) -> int:
        """The line of the first word."""
        return self.lines[0]


@dataclass(frozen=True)
class Columns:
    """Which columns, counted from 1, hold the words and the tags. Raises ValueError where that can never be right."""

    word: int = 1
    tag: int | None = None  # None: the last one
    tagged: bool = True  # False: tags are not read, and need not be there

    def __post_init__(self) -> None:
        if self.word < 1:
            raise ValueError(f"word column must be at least 1, got {self.word}")
        if self.tag is not None and self.tag < 1:
            raise ValueError(f"tag column must be at least 1, got {self.tag}")
        if self.tagged and self.tag == self.word:
            raise ValueError(f"tag column must be another one than the words', got {self.tag} for both")


@dataclass
class ColumnCounts:
    """What was met in files of columns; every field adds up."""

    sentences: int = 0
    words: int = 0
    document_starts: int = 0  # lines that begin with -DOCSTART-
    comments: int = 0
    ranges_skipped: int = 0  # of CoNLL-U: lines that are numbered 3-4 or 8.1
    sentences_cut: int = 0  # of more than 65,536 words, divided into pieces of that size
    replaced_bytes: int = 0  # that could not be decoded; each piece became U+FFFD

    def to_json(self) -> dict[str, int]:
        """The counts as a JSON object."""
        return asdict(self)


def read_columns(
    sources: Sequence[Source], columns: Columns, counts: ColumnCounts, encoding: str = "utf-8"
) -> Iterator[Sentence]:
    """The sentences of *sources*, in order; *counts* is added to. Memory is bounded, whatever the files are.

    Raises StreamvecError, naming file and line, where a line has another number of columns than the first one of its
    file, or no such column as asked for; ValueError for an encoding that does not exist.
    """
    for source in sources:
        if source.kind != "text":
            raise StreamvecError(f"{source.path}: {source.kind}, not plain text with a word a line: convert it first")
        yield from sentences_of(_lines(source, encoding, counts), source.path, columns, counts)


def sentences_of(lines: Iterable[bytes], name: str, columns: Columns, counts: ColumnCounts) -> Iterator[Sentence]:
    """The sentences of one file's *lines* (UTF-8, with or without line feed), called *name* in messages.

    Each is given as soon as the line behind it was read, so that a pipe is answered sentence by sentence. Raises as
    `read_columns` does.
    """
    sentence, is_cut = Sentence([], [], name, []), False
    for row in _rows(lines, name, columns, counts):
        ends = row is None
        if sentence.words and (ends or len(sentence.words) == LONGEST):
            counts.sentences_cut += not ends and not is_cut
            yield _counted(sentence, counts)
            sentence = Sentence([], [], name, [])
            is_cut = not ends
        if row is not None:
            sentence.words.append(row.word)
            sentence.lines.append(row.line)
            if row.tag is not None:
                sentence.tags.append(row.tag)
    if sentence.words:
        yield _counted(sentence, counts)


def _counted(sentence: Sentence, counts: ColumnCounts) -> Sentence:
    counts.sentences += 1
    counts.words += len(sentence.words)
    return sentence


def _lines(source: Source, encoding: str, counts: ColumnCounts) -> Iterator[bytes]:
    number = 0
    for block in read_blocks([source], encoding=encoding, block_bytes=_BLOCK):
        if block.unfinished:
            raise StreamvecError(
                f"{source.path}: line {number + 1}: more than {_BLOCK >> 20} MB: not a file with a word a line"
            )
        counts.replaced_bytes += block.replaced
        lines = block.data.removesuffix(b"\n").split(b"\n")
        number += len(lines)
        yield from lines


class _Row(NamedTuple):
    """A word, its tag where tags are read, and the line they stand in."""

    line: int
    word: str
    tag: str | None


class _Layout(NamedTuple):
    """What all lines of a file have in common."""

    number: int  # of columns
    tabbed: bool
    word: int  # index of the words' column
    tag: int | None  # and of the tags', where they are read

    def fields(self, line: str) -> list[str]:
        """The columns of a line, as many as there may be."""
        if self.tabbed:
            fields = _TABS.split(line)
            if len(fields) == self.number or line.startswith(_COMMENT):
                return fields
        return _SPACES.split(line)


def _rows(lines: Iterable[bytes], name: str, columns: Columns, counts: ColumnCounts) -> Iterator[_Row | None]:
    """The words of a file, and None wherever a sentence ends."""
    numbered = _numbered(lines, counts)
    held, tells = _opening(numbered, counts)
    if tells is None:
        return
    layout = _layout_of(*tells, name, columns)
    for number, line in itertools.chain(held, numbered):
        if _ends_sentence(line):
            counts.document_starts += bool(line)
            yield None
            continue
        fields = layout.fields(line)
        if len(fields) != layout.number:
            if not line.startswith(_COMMENT):
                raise StreamvecError(_wrong_number(line, len(fields), layout, f"{name}: line {number}"))
            counts.comments += 1
        elif layout.tabbed and layout.number == _CONLLU_COLUMNS and _CONLLU_RANGE.fullmatch(fields[0]):
            counts.ranges_skipped += 1
        else:
            yield _Row(number, fields[layout.word], None if layout.tag is None else fields[layout.tag])


def _numbered(lines: Iterable[bytes], counts: ColumnCounts) -> Iterator[tuple[int, str]]:
    """(number, text without white space around it) of each line."""
    for number, raw in enumerate(lines, 1):
        try:
            line = raw.decode()
        except UnicodeDecodeError:
            text, replaced = valid_utf8(raw)
            line = bytes(text).decode()
            counts.replaced_bytes += replaced
        yield number, (line.removeprefix("\ufeff") if number == 1 else line).strip(_WHITE)


def _ends_sentence(line: str) -> bool:
    return not line or line.startswith(_DOCUMENT_START)


def _opening(
    numbered: Iterator[tuple[int, str]], counts: ColumnCounts
) -> tuple[list[tuple[int, str]], tuple[int, str] | None]:
    """(lines read until it is known how many columns there are, that which tells it: None where there is none)."""
    held: list[tuple[int, str]] = []
    for number, line in numbered:
        if not held and _ends_sentence(line):
            counts.document_starts += bool(line)
            continue
        held.append((number, line))
        if not _ends_sentence(line) and not line.startswith(_COMMENT):
            return held, held[-1]
        if len(held) == _HELD:
            break
    return held, held[0] if held else None


def _layout_of(line_number: int, line: str, name: str, columns: Columns) -> _Layout:
    """What a file's first line says; StreamvecError where it lacks a column that was asked for."""
    tabbed = "\t" in line
    number = len((_TABS if tabbed else _SPACES).split(line))
    place = f"{name}: line {line_number}: {_many(number)} in {line[:_SHOWN]!r}"
    if columns.tagged and number == 1:
        raise StreamvecError(f"{place}, but words and their tags take two: put the tag behind each word")
    tag = (columns.tag or number) if columns.tagged else None
    for column, what in ((columns.word, "words"), (tag or 1, "tags")):
        if column > number:
            raise StreamvecError(f"{place}, but {what} were to be column {column}: choose one from 1 to {number}")
    if tag == columns.word:
        raise StreamvecError(f"{place}, and the last one, number {tag}, was to be the words': choose others")
    return _Layout(number, tabbed, columns.word - 1, None if tag is None else tag - 1)


def _wrong_number(line: str, found: int, layout: _Layout, place: str) -> str:
    said = f"{place}: {_many(found)}, the lines before have {layout.number}: {line[:_SHOWN]!r}"
    if found > layout.number:
        return f"{said} has {found - layout.number} too many: correct the line"
    meant = {layout.word: ", the word", layout.tag: ", the tag"}
    missing = [f"column {column + 1}{meant.get(column, '')}" for column in range(found, layout.number)]
    return f"{said} lacks {' and '.join(missing)}: correct the line"


def _many(columns: int) -> str:
    return f"{columns} column{'' if columns == 1 else 's'}"
