"""How look-ups answer: words as they are meant, arguments or lines of stdin, and what is printed of an answer."""

import os
import sys
import unicodedata
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from streamvec.errors import StreamvecError

from .terminal import json_text, say, say_json, shown

if TYPE_CHECKING:
    from streamvec.vectors import KeyedVectors

Answer = tuple[dict[str, Any], StreamvecError | None]  # what to print, or the query and what stood in its way
VALUES = {"cosine": "similarity", "euclidean": "distance", "cosmul": "score"}  # what the number of a measure is called
_READ = 1 << 16
_LONGEST = 1 << 20
_ANSWERS = 1 << 17  # neighbours that are found at once


def opened(path: str, few: bool, exact: bool = True) -> "KeyedVectors":
    """The vectors at *path*; *few*: for a few queries only; *exact*: an index is not used where there is one."""
    if few:  # starting the threads of BLAS and keeping them awake takes longer than the product of one query
        os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from streamvec.vectors import KeyedVectors

    vectors = KeyedVectors.load(path, index=not exact)
    for note in vectors.notes:
        say(f"streamvec: warning: {note}", err=True)
    return vectors


def by_index(vectors: "KeyedVectors", number: int, restrict: int | None, measure: str) -> dict[str, Any]:
    """What answers say where they come from the index."""
    return {"approximate": True} if vectors.uses_index(number, restrict, measure) else {}


class Meant(NamedTuple):
    """Words of a query as they stand in the vocabulary, and those that are not there as they were written."""

    words: list[str]
    read_as: dict[str, str]  # in another case, or another form of Unicode
    composed: list[str]  # by their n-grams

    def said(self) -> dict[str, Any]:
        """What an answer tells of them."""
        return {name: value for name, value in (("read_as", self.read_as), ("composed", self.composed)) if value}


def meant(vectors: "KeyedVectors", words: list[str]) -> Meant:
    """What *words* stand for; UnknownWord, with close spellings, for one that stands for nothing."""
    found = Meant([], {}, [])
    for word in words:
        if word not in vectors:
            if variants := vectors.words.variants(word):
                found.read_as[word] = variants[0]
            else:
                vectors.get_vector(word)  # of an unseen word too, where its n-grams say
                found.composed.append(word)
        found.words.append(found.read_as.get(word, word))
    return found


def meant_by_query(vectors: "KeyedVectors", query: str) -> Meant:
    """The line itself or its phrase, if it is one (new_york, in any case), otherwise what stands between its spaces."""
    words = query.split() or [query]
    whole = (query, "_".join(words))
    for one in whole:
        if one in vectors:
            return Meant([one], {}, [])
    if len(words) > 1:
        for one in whole:
            if variants := vectors.words.variants(one):
                return Meant([variants[0]], {query: variants[0]}, [])
    return meant(vectors, words)


def fields_of(line: str, number: int | None = None) -> list[str]:
    """The words of a line, between tabs if it has some, otherwise between spaces; StreamvecError for another
    number of them (None: fewer than two)."""
    fields = line.split("\t") if "\t" in line else line.split()
    if len(fields) != number if number else len(fields) < 2:
        raise StreamvecError(f"{line!r}: expected {number or 'two or more'} words on the line, got {len(fields)}")
    return fields


def neighbours(found: list[tuple[str, float]], measure: str) -> list[dict[str, Any]]:
    """Words and their values, as an answer has them."""
    return [{"word": word, VALUES[measure]: value} for word, value in found]


def answer_all(answers: Iterator[Answer], as_json: bool, headed: bool) -> None:
    """Answers to arguments: the first problem ends the command, before anything is printed."""
    ready = list(answers)
    for _, problem in ready:
        if problem:
            raise problem
    _tell_index(ready)
    for answer, _ in ready:
        _tell(answer)
        say(json_text(answer)) if as_json else say(*_text(answer, headed))


def answer_lines(answer: Callable[[list[str]], Iterator[Answer]], as_json: bool, number: int = 1) -> None:
    """Answers lines of stdin as they come: those that have come together in one search. A problem does not end it.

    number: neighbours of each, by which it is bounded how many lines are answered at once.
    """
    if sys.stdin.isatty():
        say("One query a line; Ctrl-D ends.", err=True)
    is_told = False
    for queries in _lines(max(1, _ANSWERS // number)):
        ready = answer(queries)
        if not is_told:
            ready = iter(some := list(ready))
            is_told = _tell_index(some)
        for result, problem in ready:
            _tell(result)
            if problem:
                say(f"streamvec: warning: {problem}", err=True)
                result["error"] = str(problem)
            if as_json:
                say_json(result)
            elif not problem:
                say(*_text(result, headed=True))
        sys.stdout.flush()


def _tell_index(answers: list[Answer]) -> bool:
    """Says so where some answer came from the index."""
    is_told = any("approximate" in answer for answer, _ in answers)
    if is_told:
        say("streamvec: note: looked up in the index (--exact looks at every word)", err=True)
    return is_told


def _tell(answer: dict[str, Any]) -> None:
    for word, other in answer.get("read_as", {}).items():
        say(f"streamvec: note: {word!r} is not in the vocabulary: {other!r} is taken for it", err=True)
    for word in answer.get("composed", ()):
        say(f"streamvec: note: {word!r} is not in the vocabulary: its n-grams stand for it", err=True)


def _lines(most: int) -> Iterator[list[str]]:
    """What has come on stdin, in whole lines, at most so many at once; waits only when nothing has."""
    stdin: Any = sys.stdin.buffer
    rest = b""
    while block := stdin.read1(_READ):
        *whole, rest = (rest + block).split(b"\n")
        if len(rest) > _LONGEST:
            raise StreamvecError(f"stdin: a line of more than {_LONGEST:,} bytes: expected one query a line")
        lines = _queries(whole)
        yield from (lines[start : start + most] for start in range(0, len(lines), most))
    if lines := _queries([rest]):
        yield lines


def _queries(raw: list[bytes]) -> list[str]:
    return [line for line in (one.decode("utf-8", "replace").strip("\r\n") for one in raw) if line.strip()]


def _text(answer: dict[str, Any], headed: bool) -> list[str]:
    """The lines of an answer."""
    rows = next((answer[name] for name in ("neighbours", "words") if name in answer), None)
    query = answer.get("query", "")
    head = shown(query if isinstance(query, str) else " ".join(query))
    if "vector" in answer:
        return [" ".join([head, *(f"{number:.7g}" for number in answer["vector"])])]
    if rows is None:
        line = f"{_value(answer):.4f}"
        return [f"{'  '.join(map(shown, query))}  {line}" if headed else line]
    words = [shown(row["word"]) for row in rows]
    columns = max(map(width, words), default=0)
    indent = "  " if headed else ""
    lines = [
        f"{indent}{word}{' ' * (columns - width(word))}  {_value(row):7.4f}"
        for word, row in zip(words, rows, strict=True)
    ]
    return [*([head] if headed else []), *lines]


def _value(answer: dict[str, Any]) -> float:
    """The number of an answer or a neighbour, whatever it is called."""
    return float(next(answer[name] for name in VALUES.values() if name in answer))


def width(text: str) -> int:
    """Columns on a terminal: East Asian wide letters take two, combining marks none."""
    return sum(
        0 if unicodedata.combining(one) else 2 if unicodedata.east_asian_width(one) in "WF" else 1 for one in text
    )
