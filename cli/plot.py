"""``streamvec plot``: pictures."""

import json
import math
from collections import Counter
from pathlib import Path

import click

from .options import json_option


@click.command("plot")
@click.argument("runs", nargs=-1, required=True, type=click.Path(), metavar="RUN...")
@click.option("--gradients", is_flag=True, help="How large gradients are against their distance in time.")
@click.option("--learning-curve", is_flag=True, help="Scores of tasks against the number of labelled examples.")
@click.option("-o", "--out", required=True, metavar="FILE", help="The picture: a name ending in .png, .svg or .pdf.")
@json_option
def plot_(runs: tuple[str, ...], gradients: bool, learning_curve: bool, out: str, as_json: bool) -> None:
    """A picture of RUNs, several in one: of how far back gradients reach, or of how much labelled examples bring.

    --gradients, of language models trained with --report-gradients: each layer is a line, the norm of the gradient of
    the loss at one time step by the layer's state so many steps before it, a mean over the last epoch. A line that
    falls steeply vanishes, one that rises explodes.

    --learning-curve, of tasks trained with --valid: the score of each RUN's best epoch over the number of its training
    examples (--train-size). RUNs that differ in nothing else but --seed are a line.

    FILE is replaced if it is there. --json also prints what is drawn, one line an object; norms that are not finite are
    null.

    \b
    Example:
      streamvec plot lstm-run rnn-run --gradients -o gradients.png
      streamvec plot with-500 with-5000 without-500 without-5000 --learning-curve -o curve.png
    """
    if gradients == learning_curve:
        raise click.UsageError(
            "plot draws one of two things: give --gradients or --learning-curve", click.get_current_context()
        )
    (_gradients if gradients else _learning_curve)(runs, out, as_json)


def _learning_curve(runs: tuple[str, ...], out: str, as_json: bool) -> None:
    from streamvec.tasks.learningcurve import draw_learning_curve, read_points

    points = read_points(runs)
    draw_learning_curve(points, out)
    for point in points if as_json else []:
        click.echo(json.dumps(point._asdict(), ensure_ascii=False))
    if not as_json:
        click.echo(f"{out}: {len(points)} RUNs, {len({point.line for point in points})} lines")


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
        return click.echo(f"{out}: {len(lines)} lines of {len(runs)} {'RUN' if len(runs) == 1 else 'RUNs'}")
    for run, curves in zip(runs, read, strict=True):
        for curve in curves:
            norms = [norm if math.isfinite(norm) else None for norm in curve.norms.tolist()]
            click.echo(json.dumps({"run": run, **curve._asdict(), "norms": norms}))
