"""embed and summarize: vectors of lines of text, and the sentences that say most of a document."""

import contextlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from streamvec.errors import StreamvecError

from .options import json_option, overwrite_option
from .terminal import json_text, say, say_json, say_text

if TYPE_CHECKING:
    from streamvec.vectors.sentences import Embedded, SentenceVectors

Command = Callable[..., Any]


def _shared(command: Command) -> Command:
    """Adds the options that both verbs have."""
    for option in (
        json_option,
        click.option("--column", help="The column of Parquet, Arrow or JSON Lines that holds the text."),
        click.option(
            "--smoothing",
            type=float,
            default=1e-3,
            show_default=True,
            help="The a of a / (a + share of the corpus): the smaller, the less frequent words count.",
        ),
        click.option(
            "--weighting",
            type=click.Choice(["sif", "mean"]),
            default="sif",
            show_default=True,
            help="How words count: smooth inverse frequency, or all the same.",
        ),
    ):
        command = option(command)
    return command


@click.command("embed")
@click.argument("vectors")
@click.argument("files", nargs=-1, metavar="[FILE]...")
@click.option("-o", "--out", metavar="PATH", help="Write a .npy, .parquet or .arrow instead of text.")
@click.option("--normalize", is_flag=True, help="Vectors of length 1, as an index for search wants them.")
@_shared
@overwrite_option
def embed_(
    vectors: str,
    files: tuple[str, ...],
    out: str | None,
    normalize: bool,
    weighting: str,
    smoothing: float,
    column: str | None,
    as_json: bool,
    overwrite: bool,
) -> None:
    """One line of text in, one vector out: the mean of its words' vectors, in which frequent words count little.

    Lines come from the FILEs, whatever train reads, or from stdin, answered as they come; rows of a table are a line
    each. An empty line, and one without a known word, has a vector of zeros, so that lines and vectors stay side by
    side; how many these are, and how many words were left out, is told in the end. A FILE of - is stdin.

    PATH.npy holds the vectors alone, PATH.parquet and PATH.arrow the columns text and vector: streamvec nn takes such a
    table and finds the lines nearest to a line.

    \b
    Example:
      streamvec embed wiki-run titles.txt -o titles.parquet --normalize
      echo 'a boat on the river' | streamvec embed wiki-run --json
    """
    if out and as_json:
        raise click.UsageError("--json writes to stdout, -o to a file: give one of them", click.get_current_context())
    from streamvec.vectors.linereader import even_groups, read_lines

    model = _model(vectors, weighting, smoothing, normalize)
    told = _Told()
    _greet(files, "One text a line; Ctrl-D ends.")
    groups = read_lines(files, sys.stdin.buffer, column)
    if out:
        from streamvec.vectors.sentencefiles import sentence_file

        with contextlib.ExitStack() as stack:
            with _usage():
                write = stack.enter_context(sentence_file(Path(out), model.vectors.dim, overwrite))
            for lines in even_groups(groups):
                found = model.embed(lines)
                told.add(lines, found)
                write(lines, found.vectors)
        say(f"{out}: {told.lines:,} lines, dim {model.vectors.dim}, {Path(out).suffix[1:]}")
    else:
        for lines in groups:
            found = model.embed(lines)
            told.add(lines, found)
            _print(lines, found, as_json)
    told.say()


@click.command("summarize")
@click.argument("vectors")
@click.argument("files", nargs=-1, metavar="[FILE]...")
@click.option("-n", "number", type=click.IntRange(1), default=3, show_default=True, help="How many sentences.")
@click.option(
    "--diversity",
    type=float,
    default=0.3,
    show_default=True,
    help="0 to 1: how much likeness to sentences already chosen counts against one.",
)
@_shared
def summarize_(
    vectors: str,
    files: tuple[str, ...],
    number: int,
    diversity: float,
    weighting: str,
    smoothing: float,
    column: str | None,
    as_json: bool,
) -> None:
    """The sentences nearest to a document's vector that do not repeat each other, in the document's order.

    Each FILE is a document, or stdin is; of a table each row, of a Wikipedia dump each article. A sentence ends at a
    . ! or ? that is followed by white space and no lower-case letter or digit, but not after Mr., e.g. or an initial;
    at an empty line; and at a line break, unless the lines are wrapped. A document of fewer sentences than -n is given
    whole, but for sentences without a known word.

    \b
    Example:
      streamvec summarize wiki-run article.txt -n 3
      streamvec summarize wiki-run articles.jsonl --json
    """
    from streamvec.vectors.linereader import read_documents
    from streamvec.vectors.summary import summarize

    model = _model(vectors, weighting, smoothing)
    _greet(files, "Text, to be summarized; Ctrl-D ends.")
    waiting: StreamvecError | None = None  # of one document alone it is the command's end, of several a warning
    documents = 0
    for document in read_documents(files, sys.stdin.buffer, column):
        documents += 1
        _warn(waiting)
        waiting = None
        try:
            with _usage():
                chosen = summarize(model, document.text, number, diversity)
        except StreamvecError as problem:
            waiting = StreamvecError(f"{document.name}: {problem}")
            continue
        if as_json:
            for one in chosen:
                say_json({"document": document.name, **one._asdict()})
            continue
        if len(files) > 1 or document.name not in (*files, "-"):
            say(document.name)
        for one in chosen:
            say_text(one.sentence)
    if waiting and documents == 1:
        raise waiting
    _warn(waiting)


class _Told:
    """What is told in the end: nothing is left out in silence."""

    def __init__(self) -> None:
        self.lines = self.zeros = self.words = self.unknown = self.composed = self.replaced = 0

    def add(self, lines: list[str], found: "Embedded") -> None:
        self.lines += len(lines)
        self.zeros += int((found.known == 0).sum())
        self.words += int(found.known.sum() + found.unknown.sum())
        self.unknown += int(found.unknown.sum())
        self.composed += int(found.composed.sum())
        self.replaced += sum("\ufffd" in line for line in lines)

    def say(self) -> None:
        for many, all_of_them, told in (
            (self.unknown, self.words, "words that are unknown, and were left out"),
            (self.composed, self.words, "words that are not in the vocabulary: their n-grams stand for them"),
            (self.zeros, self.lines, "lines without a known word: their vectors are zeros"),
            (self.replaced, self.lines, "lines with U+FFFD, which stands for bytes that are not UTF-8"),
        ):
            if many:
                say(f"streamvec: note: {many:,} of {all_of_them:,}: {told}", err=True)


def _model(path: str, weighting: str, smoothing: float, normalize: bool = False) -> "SentenceVectors":
    from streamvec.vectors import KeyedVectors, SentenceVectors

    opened = KeyedVectors.load(path)
    with _usage():
        model = SentenceVectors(opened, weighting, smoothing, normalize)
    for note in [*opened.notes, *model.notes]:
        say(f"streamvec: warning: {note}", err=True)
    return model


@contextlib.contextmanager
def _usage() -> Iterator[None]:
    """An option that can never be right is wrong usage."""
    try:
        yield
    except ValueError as problem:
        raise click.UsageError(str(problem), click.get_current_context()) from None


def _greet(files: tuple[str, ...], text: str) -> None:
    if (not files or "-" in files) and sys.stdin.isatty():
        say(text, err=True)


def _warn(problem: StreamvecError | None) -> None:
    if problem:
        say(f"streamvec: warning: {problem}", err=True)


def _print(lines: list[str], found: "Embedded", as_json: bool) -> None:
    """A line a vector: its numbers as short as read back exactly, or an object."""
    from streamvec.vectors.rows import text_rows

    rows = text_rows(None, found.vectors, ", " if as_json else " ").decode().splitlines()
    if as_json:
        rows = [
            f'{{"text": {json_text(line)}, "vector": [{row}], "unknown": {unknown}}}'
            for line, row, unknown in zip(lines, rows, found.unknown.tolist(), strict=True)
        ]
    say(*rows)
