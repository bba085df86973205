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
@click.option("-o", "--out", required=True, metavar="FILE", help="The picture: a name ending in .png, .svg or .pdf.")
@json_option
def plot_(runs: tuple[str, ...], gradients: bool, out: str, as_json: bool) -> None:
    """A picture of how far back in time gradients reach, of language models trained with --report-gradients.

    Each layer is a line: the norm of the gradient of the loss at one time step by the layer's state so many steps
    before it, a mean over the last epoch. A line that falls steeply vanishes, one that rises explodes. Several RUNs
    are drawn into one picture, so that cells can be compared. FILE is replaced if it is there.

    --json also prints what is drawn, one line an object; norms that are not finite are null.

    \b
    Example:
      streamvec plot lstm-run rnn-run --gradients -o gradients.png
    """
    if not gradients:
        raise click.UsageError("plot draws gradients: give --gradients", click.get_current_context())
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
