"""``streamvec demo``: trains on the bundled novels and shows what came of it."""

from importlib.resources import as_file, files
from pathlib import Path

import click

from .options import overwrite_option
from .watching import StopRequest, watching

_WORDS = ("ship", "london", "monday", "mother", "horse", "piano")


@click.command("demo")
@click.option("--out", default="demo-run", show_default=True, type=click.Path(), help="The folder of the RUN.")
@overwrite_option
def demo_(out: str, overwrite: bool) -> None:
    """Train on 10 MB of English novels that come with streamvec, and show neighbours of a few words.

    A finished demo is shown again at once; an interrupted one is gone on with.

    \b
    Example:
      streamvec demo
    """
    from streamvec.training.run import RUN_JSON
    from streamvec.training.words import resume, train_skipgram

    with watching() as report, StopRequest(report.note).listening() as stop:
        if (Path(out) / RUN_JSON).exists() and not overwrite:
            report.note(f"{out} is there already: going on with it, or showing it (--overwrite trains anew)")
            vectors = resume(out, report=report, stop=stop)
        else:
            with as_file(files("streamvec") / "data" / "novels-en.txt.zst") as text:
                vectors = train_skipgram(text, out, overwrite=overwrite, report=report, stop=stop, epochs=20)
    for word, neighbours in zip(_WORDS, vectors.most_similar_batch(_WORDS, topn=6), strict=True):
        click.echo(f"{word:>8}: " + "  ".join(f"{other} {similarity:.2f}" for other, similarity in neighbours))
    click.echo(
        f"\n{len(vectors):,} words, {vectors.dim} numbers each, in {Path(out) / 'vectors.arrow'}. Ask it yourself:"
    )
    click.echo(f"  streamvec nn {out} river\n  streamvec analogy {out} man woman king")
