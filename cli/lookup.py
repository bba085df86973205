"""Look-ups: nn, analogy and similarity, for words given as arguments or a line at a time on stdin."""

import json
import os
import sys
import unicodedata
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import click

from streamvec.errors import StreamvecError

from .options import json_option

if TYPE_CHECKING:
    from streamvec.vectors import KeyedVectors

Answer = tuple[dict[str, Any], StreamvecError | None]  # what to print, or the query and what stood in its way
_READ = 1 << 16
_LONGEST = 1 << 20

number_option = click.option(
    "-n", "number", type=click.IntRange(1), default=10, show_default=True, help="How many neighbours."
)


@click.command("nn")
@click.argument("vectors")
@click.argument("words", nargs=-1)
@number_option
@json_option
def nn_(vectors: str, words: tuple[str, ...], number: int, as_json: bool) -> None:
    """Nearest neighbours of each WORD, by cosine.

    VECTORS is a RUN, a vectors file, or another tool's file as it is. Without a WORD, each line on stdin is a query,
    answered as it comes; an empty line is passed over. A word that is not in the vocabulary is answered by its n-grams
    where the model has some (--subwords, or a fastText .bin), and that is said. A query of several words with spaces
    between them is the phrase that they are (new_york) where there is one, and otherwise asks for the neighbours of
    their mean.

    \b
    Example:
      streamvec nn wiki-run river -n 5
      printf 'river\\nnew york\\n' | streamvec nn wiki-run --json
    """
    opened = _opened(vectors, few=bool(words))

    def answer(queries: list[str]) -> Iterator[Answer]:
        parts = [_parts(opened, query) for query in queries]
        known = [group for group in parts if not isinstance(group, StreamvecError)]
        found = iter(opened.most_similar_groups(known, number))
        for query, group in zip(queries, parts, strict=True):
            if isinstance(group, StreamvecError):
                yield {"query": query}, group
            else:
                yield {"query": query, **_composed(opened, group), "neighbours": _neighbours(next(found))}, None

    if words:
        _print_all(answer(list(words)), as_json, headed=len(words) > 1)
    else:
        _stream(answer, as_json)


@click.command("analogy")
@click.argument("vectors")
@click.argument("words", nargs=-1, metavar="[A B C]")
@number_option
@json_option
def analogy_(vectors: str, words: tuple[str, ...], number: int, as_json: bool) -> None:
    """A is to B as C is to ...? The words nearest to B - A + C, the three left out.

    Without words, each line on stdin holds three, with tabs or spaces between them.

    \b
    Example:
      streamvec analogy wiki-run man king woman
    """
    if words and len(words) != 3:
        raise click.UsageError(f"analogy takes three words (man king woman), got {len(words)}")
    opened = _opened(vectors, few=bool(words))

    def answer(queries: list[str] | list[tuple[str, ...]]) -> Iterator[Answer]:
        for query in queries:
            try:
                a, b, c = query if isinstance(query, tuple) else _fields(query, 3)
                found = _neighbours(opened.analogy(a, b, c, number))
                yield {"query": [a, b, c], **_composed(opened, [a, b, c]), "neighbours": found}, None
            except StreamvecError as problem:
                yield {"query": query}, problem

    if words:
        _print_all(answer([words]), as_json, headed=False)
    else:
        _stream(answer, as_json)


@click.command("similarity")
@click.argument("vectors")
@click.argument("words", nargs=-1, metavar="[WORD WORD]")
@json_option
def similarity_(vectors: str, words: tuple[str, ...], as_json: bool) -> None:
    """Cosine similarity of two words, from -1 to 1.

    Without words, each line on stdin holds two, with a tab or spaces between them.

    \b
    Example:
      streamvec similarity wiki-run river lake
    """
    if words and len(words) != 2:
        raise click.UsageError(f"similarity takes two words, got {len(words)}")
    opened = _opened(vectors, few=bool(words))

    def answer(queries: list[str] | list[tuple[str, ...]]) -> Iterator[Answer]:
        for query in queries:
            try:
                a, b = query if isinstance(query, tuple) else _fields(query, 2)
                found = opened.similarity(a, b)
                yield {"query": [a, b], **_composed(opened, [a, b]), "similarity": found}, None
            except StreamvecError as problem:
                yield {"query": query}, problem

    if words:
        _print_all(answer([words]), as_json, headed=False)
    else:
        _stream(answer, as_json)


def _opened(path: str, few: bool) -> "KeyedVectors":
    if few:  # starting the threads of BLAS and keeping them awake takes longer than the product of one query
        os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from streamvec.vectors import KeyedVectors

    vectors = KeyedVectors.load(path)
    for note in vectors.notes:
        click.echo(f"streamvec: warning: {note}", err=True)
    return vectors


def _parts(vectors: "KeyedVectors", query: str) -> list[str] | StreamvecError:
    """The words of a query: the line itself or its phrase, if it is one, otherwise what stands between its spaces."""
    words = query.split() or [query]
    for one in (query, "_".join(words)):
        if one in vectors:
            return [one]
    try:
        for word in words:
            vectors.get_vector(word)  # of an unseen word too, where its n-grams say
    except StreamvecError as problem:
        return problem
    return words


def _composed(vectors: "KeyedVectors", words: list[str]) -> dict[str, list[str]]:
    """Says of which *words* the vectors are made of n-grams; nothing where all are in the vocabulary."""
    made = [word for word in words if word not in vectors]
    return {"composed": made} if made else {}


def _fields(line: str, number: int) -> list[str]:
    fields = line.split("\t") if "\t" in line else line.split()
    if len(fields) != number:
        raise StreamvecError(f"{line!r}: expected {number} words on the line, got {len(fields)}")
    return fields


def _neighbours(found: list[tuple[str, float]]) -> list[dict[str, Any]]:
    return [{"word": word, "similarity": similarity} for word, similarity in found]


def _print_all(answers: Iterator[Answer], as_json: bool, headed: bool) -> None:
    """Answers to arguments: the first problem ends the command, before anything is printed."""
    ready = list(answers)
    for _, problem in ready:
        if problem:
            raise problem
    for answer, _ in ready:
        _tell_composed(answer)
        click.echo(json.dumps(answer, ensure_ascii=False) if as_json else _text(answer, headed))


def _tell_composed(answer: dict[str, Any]) -> None:
    for word in answer.get("composed", ()):
        click.echo(f"streamvec: note: {word!r} is not in the vocabulary: its n-grams stand for it", err=True)


def _stream(answer: Callable[[list[str]], Iterator[Answer]], as_json: bool) -> None:
    """Answers lines of stdin as they come: those that have come together in one search. A problem does not end it."""
    if sys.stdin.isatty():
        click.echo("One query a line; Ctrl-D ends.", err=True)
    for queries in _lines():
        for result, problem in answer(queries):
            _tell_composed(result)
            if problem:
                click.echo(f"streamvec: warning: {problem}", err=True)
                result["error"] = str(problem)
            if as_json:
                click.echo(json.dumps(result, ensure_ascii=False))
            elif not problem:
                click.echo(_text(result, headed=True))
        sys.stdout.flush()


def _lines() -> Iterator[list[str]]:
    """What has come on stdin, in whole lines; waits only when nothing has."""
    stdin: Any = sys.stdin.buffer
    rest = b""
    while block := stdin.read1(_READ):
        *whole, rest = (rest + block).split(b"\n")
        if len(rest) > _LONGEST:
            raise StreamvecError(f"stdin: a line of more than {_LONGEST:,} bytes: expected one query a line")
        if lines := _queries(whole):
            yield lines
    if lines := _queries([rest]):
        yield lines


def _queries(raw: list[bytes]) -> list[str]:
    return [line for line in (one.decode("utf-8", "replace").strip("\r\n") for one in raw) if line.strip()]


def _text(answer: dict[str, Any], headed: bool) -> str:
    if "similarity" in answer:
        line = f"{answer['similarity']:.4f}"
        return "  ".join([*map(_shown, answer["query"]), line]) if headed else line
    words = [_shown(neighbour["word"]) for neighbour in answer["neighbours"]]
    width = max(map(_width, words), default=0)
    indent = "  " if headed else ""
    lines = [
        f"{indent}{word}{' ' * (width - _width(word))}  {neighbour['similarity']:7.4f}"
        for word, neighbour in zip(words, answer["neighbours"], strict=True)
    ]
    query = answer["query"]
    return "\n".join(([_shown(query if isinstance(query, str) else " ".join(query))] if headed else []) + lines)


def _shown(word: str) -> str:
    """*word* on one line of a terminal: control characters are written out."""
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in word)


def _width(text: str) -> int:
    """Columns on a terminal: East Asian wide letters take two, combining marks none."""
    return sum(
        0 if unicodedata.combining(one) else 2 if unicodedata.east_asian_width(one) in "WF" else 1 for one in text
    )
