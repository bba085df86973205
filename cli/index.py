"""index: graphs by which nn finds neighbours without looking at every word."""

import sys
from pathlib import Path

import click

from .options import given, json_option, overwrite_option
from .terminal import json_text, say


@click.command("index")
@click.argument("vectors")
@click.option(
    "--dtype",
    type=click.Choice(("i8", "f16", "f32")),
    default="i8",
    show_default=True,
    help="How numbers are held in the index; similarities are always computed from the vectors themselves.",
)
@click.option("--connectivity", type=int, default=16, show_default=True, help="Neighbours of a word in the graph.")
@click.option(
    "--expansion", type=int, default=128, show_default=True, help="Candidates for these: more find better ones, slowly."
)
@click.option("--check", is_flag=True, help="Measure recall@10 and queries a second against an exact search.")
@click.option("--queries", type=click.IntRange(1), default=1000, show_default=True, help="Words that --check asks for.")
@click.option("--seed", type=click.IntRange(0), default=1, show_default=True, help="Which words --check asks for.")
@click.option("--threads", type=click.IntRange(0), default=0, show_default=True, help="Threads; 0 is all cores.")
@overwrite_option
@json_option
def index_(
    vectors: str,
    dtype: str,
    connectivity: int,
    expansion: int,
    check: bool,
    queries: int,
    seed: int,
    threads: int,
    overwrite: bool,
    as_json: bool,
) -> None:
    """Make an index of vectors, beside them: NAME.index, which nn and analogy then use.

    VECTORS is a RUN or a vectors.arrow (import makes one of another tool's file). The index is mapped, not read, so
    that a query answers at once at any size. It may miss a neighbour, but never gives a wrong similarity. With --check,
    an index that is there is measured as it is.

    \b
    Example:
      streamvec index wiki-run --check
    """
    from streamvec.vectors.annbuild import IndexOptions, build_index, check_index, place_of_index

    path, context = Path(vectors), click.get_current_context()
    try:
        options = IndexOptions(dtype, connectivity, expansion)
    except ValueError as problem:
        raise click.UsageError(str(problem), context) from None
    is_made = overwrite or not check or not place_of_index(path).exists()
    idle = {"dtype", "connectivity", "expansion"} & set(given(context, context.params))
    if idle and not is_made:
        raise click.UsageError(f"the index is there: with --{min(idle)} it is made again by --overwrite", context)
    if is_made:
        built = build_index(path, options, threads, overwrite, _bar if sys.stderr.isatty() else lambda done, rows: None)
        if sys.stderr.isatty():
            say("", err=True)
        said = {**built._asdict(), "path": str(built.path)}
        say(
            json_text(said)
            if as_json
            else f"{built.path}: {built.rows:,} words, dim {built.dim}, {dtype}, {built.size / 1e6:,.0f} MB, "
            f"{built.seconds:.1f} s"
        )
    if check:
        found = check_index(path, queries, seed, threads)
        say(
            json_text(found._asdict())
            if as_json
            else f"recall@10 {found.recall:.4f} over {found.queries:,} words; {found.index_rate:,.0f} queries/s, "
            f"exact {found.exact_rate:,.0f}"
        )


def _bar(done: int, rows: int) -> None:
    click.echo(f"\rindexing {done / max(1, rows):4.0%}", err=True, nl=False)
