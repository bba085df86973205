"""``streamvec predict``: what a classifier, a tagger or a translator says of what comes in."""

import sys
from collections.abc import Iterator

import click

from .options import json_option
from .terminal import say, say_json, say_text
from .watching import Lines

_REPLACEMENT = "\ufffd"


@click.command("predict")
@click.argument("run", type=click.Path())
@click.option("--text", "as_text", is_flag=True, help="For a tagger: a sentence a line, not a word.")
@click.option(
    "--beam",
    type=click.IntRange(1),
    help="Of a translator: so many beginnings are kept at each step; with --json, as many translations.",
)
@json_option
def predict_(run: str, as_text: bool, beam: int | None, as_json: bool) -> None:
    """What a trained task says of each line of standard input.

    A classifier: the label, a tab, and its probability. A tagger reads a word a line (in the column that training read
    it from) and an empty line behind each sentence: each word, its tag and the probability of that, between tabs. A
    translator: the translation, a tab, and the probability of all its tokens together; without --beam each is the
    likeliest behind those before.

    \b
    Example:
      streamvec predict sentiment < reviews.txt
      streamvec predict ner < eng.testb
      echo "Peter Blackburn lives in Brussels." | streamvec predict ner --text --json
      streamvec predict english-french --beam 5 < lines.txt
    """
    from streamvec.tasks.predicting import lost, predictions
    from streamvec.tasks.trained import TrainedTask
    from streamvec.training.run import Run
    from streamvec.vectors.linereader import read_lines

    at_once = 1 if sys.stdin.isatty() else 64  # who types waits for an answer
    with TrainedTask(Run.open(run), report=Lines()) as trained:
        replaced = 0

        def read() -> Iterator[str]:
            nonlocal replaced
            for some in read_lines([], sys.stdin.buffer):
                for line in some:
                    replaced += line.count(_REPLACEMENT)
                    yield line

        lines = read()
        try:
            for found in predictions(trained, lines, at_once, as_text, beam):
                say_json(found.said) if as_json else say_text(found.line)
        except ValueError as problem:
            raise click.UsageError(str(problem), click.get_current_context()) from None
        for sentence in lost(trained, replaced):
            say(f"streamvec: warning: {sentence}", err=True)
