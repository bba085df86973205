"""``streamvec train``: text in, vectors out."""

import json
import shlex
from pathlib import Path
from typing import Any

import click

from streamvec.models.skipgram import SkipGramConfig
from streamvec.training.options import MachineOptions, TextOptions, pick
from streamvec.vectors import KeyedVectors

from .options import json_option, options_of, out_option, overwrite_option
from .watching import StopRequest, watching


@click.group("train")
def train_() -> None:
    """Text in, vectors out: vocabulary, shards, training and vectors in one command.

    \b
    Example:
      streamvec train skipgram wiki.txt.zst --out wiki-run
    """


@train_.command("skipgram")
@click.argument("inputs", nargs=-1, required=True, metavar="INPUT...")
@out_option
@overwrite_option
@options_of(SkipGramConfig, TextOptions, MachineOptions)
@json_option
def skipgram(inputs: tuple[str, ...], out: str, overwrite: bool, as_json: bool, **options: Any) -> None:
    """Skip-gram vectors with negative sampling.

    INPUT is plain text (a line is a document), also .gz .bz2 .xz .zst; a folder; a glob; - for standard input;
    s3:// gs:// or http(s):// addresses; Parquet, Arrow or JSON Lines (--column); a MediaWiki XML dump; or a finished
    RUN, whose shards are then used as they are.

    \b
    Example:
      streamvec train skipgram wiki.txt.zst --out wiki-run --dim 100 --epochs 5
    """
    from streamvec.training.words import train_skipgram

    usage_checked(options)
    with watching() as report, StopRequest(report.note).listening() as stop:
        vectors = train_skipgram(inputs, out, overwrite=overwrite, report=report, stop=stop, **options)
    announce(out, vectors, as_json)


def usage_checked(options: dict[str, Any]) -> None:
    """Refuses options that can never be right as wrong usage."""
    for kind in (SkipGramConfig, TextOptions, MachineOptions):
        try:
            kind(**pick(kind, options))
        except ValueError as problem:
            raise click.UsageError(str(problem), click.get_current_context()) from None


def announce(out: str, vectors: KeyedVectors, as_json: bool) -> None:
    """Says where the vectors lie and what to do with them."""
    path = Path(out) / "vectors.arrow"
    if as_json:
        click.echo(json.dumps({"run": str(out), "vectors": str(path), "words": len(vectors), "dim": vectors.dim}))
        return
    click.echo(f"{path}: {len(vectors):,} words, {vectors.dim} numbers each")
    click.echo(f"try: streamvec nn {shlex.quote(str(out))} {shlex.quote(vectors.words[min(99, len(vectors) - 1)])}")
