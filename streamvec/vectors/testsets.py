"""Reads what vectors are judged by: pairs of words with people's scores, and questions of four words in sections."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from streamvec.errors import StreamvecError
from streamvec.vectors.blocks import plain_bytes
from streamvec.vectors.rows import line_blocks

_COMMENTS = ("#", "//")
_SHOWN = 60  # characters of a wrong line in a message


class Pair(NamedTuple):
    """Two words, and how alike people found them."""

    left: str
    right: str
    score: float


class Question(NamedTuple):
    """*a* is to *b* as *c* is to *expected*, in the section of that number."""

    section: int
    words: tuple[str, str, str, str]


def read_pairs(path: Path) -> Iterator[Pair]:
    """The pairs of a similarity set: word, word, score a line, with tabs, commas or spaces between them.

    Empty lines, lines that begin with # or //, a first line that names the columns, and columns after the third are
    passed over. Compressed files are read too. Raises StreamvecError, naming the line, for any other line.
    """
    first = True
    for place, line in _lines(path):
        fields = _fields(line)
        heads, first = first, False
        try:
            left, right, text, *_ = fields
            score = float(text)
        except ValueError:
            if heads and len(fields) >= 3 and not any(_is_number(field) for field in fields):
                continue  # the names of the columns
            raise StreamvecError(
                f"{place}: expected word, word, score with tabs, commas or spaces between them, got "
                f"{line[:_SHOWN]!r}: correct the line, or take it out"
            ) from None
        if not left or not right or not math.isfinite(score):
            raise StreamvecError(f"{place}: expected two words and a finite score, got {line[:_SHOWN]!r}: correct it")
        yield Pair(left, right, score)


def read_questions(path: Path, sections: list[str]) -> Iterator[Question]:
    """The questions of an analogy file, four words a line; the name of each ``: section`` is appended to *sections*.

    Questions before the first section are in one with the file's name. Empty lines and lines that begin with # or //
    are passed over. Raises StreamvecError, naming the line, for a line that does not hold four words.
    """
    for place, line in _lines(path):
        if line.startswith(":"):
            sections.append(line.lstrip(":").strip())
            continue
        fields = _fields(line) if "\t" in line else line.split()
        if len(fields) != 4 or not all(fields):
            raise StreamvecError(
                f"{place}: expected four words, or a section after a colon, got {line[:_SHOWN]!r}: correct the line, "
                "or take it out"
            )
        if not sections:
            sections.append(path.name)
        yield Question(len(sections) - 1, (fields[0], fields[1], fields[2], fields[3]))


def _lines(path: Path) -> Iterator[tuple[str, str]]:
    """(where it stands, the line without its end) of each line that is neither empty nor a comment."""
    number = 0
    for block in line_blocks(plain_bytes(path), str(path)):
        for raw in block.removesuffix(b"\n").split(b"\n"):
            number += 1
            place = f"{path}, line {number}"
            try:
                line = raw.decode("utf-8").removeprefix("\ufeff" if number == 1 else "").strip(" \r")
            except UnicodeDecodeError:
                raise StreamvecError(
                    f"{place}: not UTF-8 text: convert the file (iconv -t utf-8), or correct it"
                ) from None
            if line.strip() and not line.startswith(_COMMENTS):
                yield place, line


def _fields(line: str) -> list[str]:
    for separator in ("\t", ","):
        fields = [field.strip() for field in line.split(separator)]
        if len(fields) >= 3:
            return fields
    return line.split()


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
