"""``streamvec plot``: maps of words, and pictures of trainings."""

import math
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from streamvec.tasks.wordmap import MapOptions

from .options import given, json_option, options_of
from .terminal import say, say_json
from .watching import watching

if TYPE_CHECKING:
    from streamvec.tasks.mapwords import Chosen
    from streamvec.vectors import KeyedVectors

_TOP = {True: 20_000, False: 1_000}  # words of a page, and of a picture
_NUMBER = 40


@click.command("plot")
@click.argument("paths", nargs=-1, required=True, type=click.Path(), metavar="VECTORS | RUN...")
@click.option("-o", "--out", required=True, metavar="FILE", help="Ends in .html for a page, or .png, .svg or .pdf.")
@click.option(
    "--top", type=click.IntRange(1), help="The most frequent so many words.  [default: 20,000 on a page, else 1,000]"
)
@click.option("--words", metavar="FILE", help="The words of FILE, one a line.")
@click.option("--around", multiple=True, metavar="WORD", help="WORD and its neighbours; may be given again.")
@click.option(
    "-n", "number", type=click.IntRange(1), default=_NUMBER, show_default=True, help="How many neighbours of each WORD."
)
@options_of(MapOptions)
@click.option("--gradients", is_flag=True, help="Of RUNs: how large gradients are against their distance in time.")
@click.option("--learning-curve", is_flag=True, help="Of RUNs: scores of tasks against the number of examples.")
@json_option
@click.pass_context
def plot_(
    context: click.Context,
    paths: tuple[str, ...],
    out: str,
    gradients: bool,
    learning_curve: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """A map of words, near each other where their vectors are; as a picture, or as a page to search, zoom and hover.

    The page is one file that works offline: it also shows each word's nearest neighbours in the space of the vectors. A
    picture names as many words as find room, the most frequent first. Words are placed by t-SNE, or by principal
    components (--method pca). Words of --words without a vector are left out and counted.

    Two other pictures are of RUNs, several in one. --gradients, of language models trained with --report-gradients:
    the norm of the gradient of the loss at one time step by a layer's state so many steps before it. --learning-curve,
    of tasks trained with --valid: the score of each RUN's best epoch over the number of its training examples
    (--train-size); RUNs that differ in nothing else but --seed are a line.

    FILE is replaced if it is there. --json also prints what is drawn, one line an object.

    \b
    Example:
      streamvec plot wiki-run -o map.html
      streamvec plot wiki-run --around river --around king -n 30 -o around.png
      streamvec plot lstm-run rnn-run --gradients -o gradients.png
      streamvec plot with-500 with-5000 without-500 without-5000 --learning-curve -o curve.png
    """
    if gradients or learning_curve:
        if gradients and learning_curve:
            raise click.UsageError("plot draws one thing: give --gradients or --learning-curve", context)
        idle = ["-n" if name == "number" else f"--{name}" for name in given(context, options)]
        if idle:
            raise click.UsageError(f"{idle[0]} is of maps of words: leave it out, or {_other(gradients)}", context)
        return (_gradients if gradients else _learning_curve)(paths, out, as_json)
    if len(paths) > 1:
        raise click.UsageError(
            f"a map is of one VECTORS, got {len(paths)}: RUNs are compared by --gradients or --learning-curve", context
        )
    _map(context, paths[0], Path(out), as_json, **options)


def _other(gradients: bool) -> str:
    return "--gradients" if gradients else "--learning-curve"


def _map(
    context: click.Context,
    path: str,
    out: Path,
    as_json: bool,
    top: int | None,
    words: str | None,
    around: tuple[str, ...],
    number: int,
    **options: Any,
) -> None:
    if sum([top is not None, words is not None, bool(around)]) > 1:
        raise click.UsageError("choose words in one way: --top, --words or --around", context)
    if "number" in given(context, {"number": number}) and not around:
        raise click.UsageError("-n is how many neighbours of --around WORD: give a WORD, or use --top", context)
    from streamvec.tasks.mappicture import draw_map
    from streamvec.tasks.pictures import checked
    from streamvec.tasks.wordmap import make_map
    from streamvec.tasks.wordpage import write_page
    from streamvec.vectors import KeyedVectors

    page = checked(out, (".html",)).suffix.lower() == ".html"
    try:
        chosen_options = MapOptions(**options)
        vectors = KeyedVectors.load(path)
        chosen = _chosen(vectors, words, around, number, top or _TOP[page])
        with watching() as report:
            for note in (*vectors.notes, *chosen.notes):
                report.note(f"warning: {note}")
            word_map = make_map(vectors, chosen, chosen_options, page, report)
    except ValueError as problem:
        raise click.UsageError(str(problem), context) from None
    if page:
        size = write_page(word_map, chosen.rows, out)
        said = f"{size / 1e6:.1f} MB: open it in a browser"
    else:
        drawn = draw_map(word_map, out)
        said = f"{drawn.labels:,} of them named"
        if drawn.missing:
            say(f"streamvec: warning: no installed font has all letters of {drawn.missing:,} words", err=True)
    if not as_json:
        return say(f"{out}: {len(word_map.words):,} words, {said}")
    for record in word_map.records():
        say_json(record)


def _chosen(vectors: "KeyedVectors", words: str | None, around: tuple[str, ...], number: int, top: int) -> "Chosen":
    from streamvec.tasks import mapwords

    if words is not None:
        return mapwords.listed(vectors, words)
    return mapwords.around(vectors, around, number) if around else mapwords.most_frequent(vectors, top)


def _learning_curve(runs: tuple[str, ...], out: str, as_json: bool) -> None:
    from streamvec.tasks.learningcurve import draw_learning_curve, read_points

    points = read_points(runs)
    draw_learning_curve(points, out)
    for point in points if as_json else []:
        say_json(point._asdict())
    if not as_json:
        say(f"{out}: {len(points)} RUNs, {len({point.line for point in points})} lines")


def _gradients(runs: tuple[str, ...], out: str, as_json: bool) -> None:
    from streamvec.tasks.gradientplot import Line, draw_gradients
    from streamvec.training.gradients import read_curves

    read = [read_curves(run) for run in runs]
    cells = [curves[0].cell for curves in read]
    told = Counter(cells)
    names = [
        cell if told[cell] == 1 else f"{cell} {Path(run).name}" for cell, run in zip(cells, runs, strict=True)
    ]  # a RUN is named where its cell does not tell it from the others
    lines = [
        Line(number, names[number], curve.layer, curve.state, curve.norms)
        for number, curves in enumerate(read)
        for curve in curves
    ]
    draw_gradients(lines, out)
    if not as_json:
        return say(f"{out}: {len(lines)} lines of {len(runs)} {'RUN' if len(runs) == 1 else 'RUNs'}")
    for run, curves in zip(runs, read, strict=True):
        for curve in curves:
            norms = [norm if math.isfinite(norm) else None for norm in curve.norms.tolist()]
            say_json({"run": run, **curve._asdict(), "norms": norms})
