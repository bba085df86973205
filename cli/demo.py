"""``streamvec demo``: trains on the bundled novels and shows what came of it."""

import shlex
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

import click

from streamvec.errors import StreamvecError

from .options import overwrite_option
from .watching import StopRequest, watching

_WORDS = ("ship", "london", "monday", "mother", "horse", "piano")
_OPTIONS: dict[str, dict[str, Any]] = {  # what two million words call for
    "skipgram": {"epochs": 20},
    "cbow": {"epochs": 20},
    "glove": {"epochs": 15, "x_max": 20.0},
}
_FIRST = "skipgram"


@click.command("demo")
@click.option("--model", type=click.Choice(list(_OPTIONS)), help=f"What is trained.  [default: {_FIRST}]")
@click.option("--out", type=click.Path(), help="The folder of the RUN.  [default: demo-run, or demo-run-MODEL]")
@overwrite_option
def demo_(model: str | None, out: str | None, overwrite: bool) -> None:
    """Train on 10 MB of English novels that come with streamvec, and show neighbours of a few words.

    A finished demo is shown again at once; an interrupted one is gone on with. With --model, a demo of another model
    has a folder of its own, so that they can be compared.

    \b
    Example:
      streamvec demo
      streamvec demo --model glove
    """
    import streamvec
    from streamvec.training.run import RUN_JSON, Run

    run = Path(out or ("demo-run" if model in (None, _FIRST) else f"demo-run-{model}"))
    train = {"skipgram": streamvec.train_skipgram, "cbow": streamvec.train_cbow, "glove": streamvec.train_glove}
    with watching() as report, StopRequest(report.note).listening() as stop:
        if (run / RUN_JSON).exists() and not overwrite:
            kind = Run.open(run).kind
            if model not in (None, kind):
                raise StreamvecError(
                    f"{run}: holds a RUN of {kind}, not {model}: name another --out, or replace it with --overwrite"
                )
            report.note(f"{run} is there already: going on with it, or showing it (--overwrite trains anew)")
            vectors = streamvec.resume(run, report=report, stop=stop)
        else:
            chosen = model or _FIRST
            with as_file(files("streamvec") / "data" / "novels-en.txt.zst") as text:
                vectors = train[chosen](text, run, overwrite=overwrite, report=report, stop=stop, **_OPTIONS[chosen])
    for word, neighbours in zip(_WORDS, vectors.most_similar_batch(_WORDS, topn=6), strict=True):
        click.echo(f"{word:>8}: " + "  ".join(f"{other} {similarity:.2f}" for other, similarity in neighbours))
    click.echo(f"\n{len(vectors):,} words, {vectors.dim} numbers each, in {run / 'vectors.arrow'}. Ask it yourself:")
    name = shlex.quote(str(run))
    click.echo(f"  streamvec nn {name} river\n  streamvec analogy {name} man woman king")
