"""``streamvec demo``: trains on the bundled novels and shows what came of it."""

from importlib.resources import as_file, files
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from streamvec.disk.pasting import pasted
from streamvec.errors import StreamvecError

from .options import overwrite_option
from .terminal import say
from .watching import StopRequest, watching

if TYPE_CHECKING:
    from streamvec.training.progress import Reporter
    from streamvec.vectors import KeyedVectors

_WORDS = ("ship", "london", "monday", "mother", "horse", "piano")
_OPTIONS: dict[str, dict[str, Any]] = {  # what two million words call for
    "skipgram": {"epochs": 20},
    "cbow": {"epochs": 20},
    "glove": {"epochs": 15, "x_max": 20.0},
}
_FIRST = "skipgram"
_DRAWN = 5_000  # words on the page


@click.command("demo")
@click.option("--model", type=click.Choice(list(_OPTIONS)), help=f"What is trained.  [default: {_FIRST}]")
@click.option("--out", type=click.Path(), help="The folder of the RUN.  [default: demo-run, or demo-run-MODEL]")
@overwrite_option
def demo_(model: str | None, out: str | None, overwrite: bool) -> None:
    """Train on 10 MB of English novels that come with streamvec, show neighbours of a few words, and draw a map.

    The map is a page for a browser, beside the RUN. A finished demo is shown again at once; an interrupted one is gone
    on with. With --model, a demo of another model has a folder of its own, so that they can be compared.

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
        page = _page(vectors, run, report)
    for word, neighbours in zip(_WORDS, vectors.most_similar_batch(_WORDS, topn=6), strict=True):
        say(f"{word:>8}: " + "  ".join(f"{other} {similarity:.2f}" for other, similarity in neighbours))
    say("", f"{len(vectors):,} words, {vectors.dim} numbers each, in {run / 'vectors.arrow'}.")
    say(f"A map of the {min(_DRAWN, len(vectors)):,} most frequent ones: {page}, for a browser. Ask yourself:")
    name = pasted(run)
    say(f"  streamvec nn {name} river", f"  streamvec analogy {name} man woman king")


def _page(vectors: "KeyedVectors", run: Path, report: "Reporter") -> Path:
    """The map of the demo's words beside the RUN, drawn where it is not there yet."""
    from streamvec.tasks.mapwords import most_frequent
    from streamvec.tasks.wordmap import MapOptions, make_map
    from streamvec.tasks.wordpage import write_page

    page = run.with_name(run.name + ".html")
    if not page.exists() or page.stat().st_mtime < (run / "vectors.arrow").stat().st_mtime:
        method = "tsne" if find_spec("openTSNE") else "pca"
        if method == "pca":
            report.note(
                "note: without openTSNE (pip install 'streamvec[plot]') words are placed less well, by --method pca"
            )
        chosen = most_frequent(vectors, _DRAWN)
        write_page(make_map(vectors, chosen, MapOptions(method=method), True, report), chosen.rows, page)
    return page
