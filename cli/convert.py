"""export and import: vectors from and to the files of other tools."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .options import json_option
from .terminal import say, say_json

if TYPE_CHECKING:
    from streamvec.vectors.precision import Change

_FORMATS = (  # as streamvec.vectors.formats has them; naming them here keeps --help quick
    "word2vec-text",
    "word2vec-binary",
    "glove",
    "fasttext-vec",
    "npy",
    "safetensors",
    "parquet",
    "arrow",
    "projector",
    "gensim",
    "streamvec",  # vectors.arrow, of another dtype: written, not imported
)
_DTYPES = ("float32", "float16", "int8")
_COUNTED = ("stanford-cooccurrence", "stanford-vocab")  # what a RUN has counted, not its vectors
out_option = click.option("-o", "--out", "out", required=True, metavar="PATH", help="Where the result goes.")
seed_option = click.option(
    "--seed", type=int, default=1, show_default=True, help="Another seed, another sample of the words for that."
)
overwrite_option = click.option("--overwrite", is_flag=True, help="Replace what is there.")


@click.command("export")
@click.argument("vectors")
@out_option
@click.option(
    "--format",
    "format",
    type=click.Choice(_FORMATS + _COUNTED),
    help="Without it, .bin .vec .npy .safetensors .parquet .feather .kv .arrow decide.",
)
@click.option(
    "--dtype",
    type=click.Choice(_DTYPES),
    help="How numbers are stored: all three in streamvec, arrow, parquet and safetensors, float16 also in npy. What "
    "similarities lose is told.  [default: float32; of streamvec what they were]",
)
@seed_option
@overwrite_option
@json_option
def export_(
    vectors: str, out: str, format: str | None, dtype: str | None, seed: int, overwrite: bool, as_json: bool
) -> None:
    """Write vectors in another tool's format; PATH appears whole or not at all.

    Text and word2vec binary are compressed when PATH ends in .gz, .bz2, .xz or .zst. npy writes the words beside the
    array, as NAME.words.txt, gensim the array beside the words, as NAME.vectors.npy; projector writes a folder of
    tensors.tsv and metadata.tsv. In text, a space within a word is written as ␛␠ (and so on for tabs and line feeds);
    import turns it back. spaCy reads word2vec-text: spacy init vectors LANG PATH OUT.

    streamvec writes vectors.arrow again, for a smaller --dtype: float16 takes half, int8 (with a scale for each row) a
    quarter of the disk and memory, and is decoded as it is looked at.

    stanford-cooccurrence and stanford-vocab write what a RUN of train glove has counted, as cooccurrence.bin (to be
    shuffled before Stanford's glove reads it) and vocab.txt; the vectors need not be there yet.

    \b
    Example:
      streamvec export wiki-run -o wiki.txt.gz --format word2vec-text
      streamvec export wiki-run -o small.arrow --dtype int8
    """
    if format in _COUNTED:
        if dtype:
            raise click.UsageError(f"--dtype is about vectors: leave it out with {format}")
        return _export_counted(Path(vectors), Path(out), format, overwrite, as_json)
    from streamvec.vectors import KeyedVectors
    from streamvec.vectors.exports import export_vectors

    opened = KeyedVectors.load(vectors)
    _warn(opened.notes)
    try:
        done = export_vectors(opened, Path(out), format, overwrite, dtype, seed)
    except ValueError as problem:  # a dtype that the format does not have
        raise click.UsageError(str(problem)) from problem
    if opened.has_ngrams and not done.has_ngrams:
        say(f"streamvec: note: the n-grams stay behind: {out} does not know words never seen", err=True)
    found = {"out": out, "words": len(opened), "dim": opened.dim, "format": done.format, "dtype": done.dtype}
    _tell(found, done.change, opened.notes, as_json, f"{done.format}")


def _export_counted(run: Path, out: Path, format: str, overwrite: bool, as_json: bool) -> None:
    from streamvec.training.stanfordexport import export_cooccurrences, export_vocab

    words = format == "stanford-vocab"
    number = (export_vocab if words else export_cooccurrences)(run, out, overwrite)
    if as_json:
        say_json({"out": str(out), "words" if words else "entries": number, "format": format})
    else:
        say(f"{out}: {number:,} {'words and their counts' if words else 'co-occurrences'}, {format}")


@click.command("import")
@click.argument("file")
@out_option
@click.option("--format", "format", type=click.Choice(_FORMATS[:-1]), help="Without it, the content decides.")
@click.option("--words", metavar="FILE", help="The words of an .npy or .safetensors: a line each, or a Parquet column.")
@click.option(
    "--dtype",
    type=click.Choice(_DTYPES),
    default="float32",
    show_default=True,
    help="How numbers are stored: float16 takes half, int8 a quarter. What similarities lose is told.",
)
@seed_option
@overwrite_option
@json_option
def import_(
    file: str,
    out: str,
    format: str | None,
    words: str | None,
    dtype: str,
    seed: int,
    overwrite: bool,
    as_json: bool,
) -> None:
    """Read another tool's vectors into vectors.arrow, which answers at once.

    FILE may be compressed (.gz .bz2 .xz .zst) when it is text or word2vec binary. A word that comes again is left out,
    and counted. What gensim saved (a pickle) is read without running anything in it.

    \b
    Example:
      streamvec import glove.6B.50d.txt -o glove.arrow
    """
    from streamvec.vectors.formats import import_vectors

    done = import_vectors(Path(file), Path(out), format, Path(words) if words else None, overwrite, dtype, seed)
    _warn(done.notes)
    found = {"out": out, "words": done.words, "dim": done.dim, "format": done.format, "dtype": done.dtype}
    _tell(found, done.change, done.notes, as_json, f"from {done.format}")


def _tell(found: dict[str, Any], change: "Change | None", notes: list[str], as_json: bool, how: str) -> None:
    """A line of what was written, and what similarities lose by it."""
    if as_json:
        say_json({**found, "change": change and change._asdict(), "notes": notes})
        return
    narrow = "" if found["dtype"] == "float32" else f", {found['dtype']}"
    say(f"{found['out']}: {found['words']:,} words, dim {found['dim']}, {how}{narrow}")
    if change:
        say(f"{found['out']}: {change}")


def _warn(notes: list[str]) -> None:
    for note in notes:
        say(f"streamvec: warning: {note}", err=True)
