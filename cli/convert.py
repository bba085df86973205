"""export and import: vectors from and to the files of other tools."""

from pathlib import Path

import click

_FORMATS = (  # as streamvec.vectors.formats has them; naming them here keeps --help quick
    "word2vec-text",
    "word2vec-binary",
    "glove",
    "fasttext-vec",
    "npy",
    "safetensors",
    "parquet",
    "projector",
)
_COUNTED = ("stanford-cooccurrence", "stanford-vocab")  # what a RUN has counted, not its vectors
out_option = click.option("-o", "--out", "out", required=True, metavar="PATH", help="Where the result goes.")
overwrite_option = click.option("--overwrite", is_flag=True, help="Replace what is there.")


@click.command("export")
@click.argument("vectors")
@out_option
@click.option(
    "--format",
    "format",
    type=click.Choice(_FORMATS + _COUNTED),
    help="Without it, .bin .vec .npy .safetensors .parquet decide.",
)
@overwrite_option
def export_(vectors: str, out: str, format: str | None, overwrite: bool) -> None:
    """Write vectors in another tool's format; PATH appears whole or not at all.

    Text and word2vec binary are compressed when PATH ends in .gz, .bz2, .xz or .zst. npy writes the words beside the
    array, as NAME.words.txt; projector writes a folder of tensors.tsv and metadata.tsv. In text, a space within a word
    is written as ␛␠ (and so on for tabs and line feeds); import turns it back.

    stanford-cooccurrence and stanford-vocab write what a RUN of train glove has counted, as cooccurrence.bin (to be
    shuffled before Stanford's glove reads it) and vocab.txt; the vectors need not be there yet.

    \b
    Example:
      streamvec export wiki-run -o wiki.txt.gz --format word2vec-text
    """
    if format in _COUNTED:
        return _export_counted(Path(vectors), Path(out), format, overwrite)
    from streamvec.vectors import KeyedVectors
    from streamvec.vectors.formats import export_vectors

    opened = KeyedVectors.load(vectors)
    _warn(opened.notes)
    written = export_vectors(opened, Path(out), format, overwrite)
    if opened.has_ngrams:
        click.echo(f"streamvec: note: the n-grams stay behind: {out} does not know words never seen", err=True)
    click.echo(f"{out}: {len(opened):,} words, dim {opened.dim}, {written}")


def _export_counted(run: Path, out: Path, format: str, overwrite: bool) -> None:
    from streamvec.training.stanfordexport import export_cooccurrences, export_vocab

    if format == "stanford-vocab":
        click.echo(f"{out}: {export_vocab(run, out, overwrite):,} words and their counts, {format}")
    else:
        click.echo(f"{out}: {export_cooccurrences(run, out, overwrite):,} co-occurrences, {format}")


@click.command("import")
@click.argument("file")
@out_option
@click.option("--format", "format", type=click.Choice(_FORMATS), help="Without it, the content decides.")
@click.option("--words", metavar="FILE", help="The words of an .npy or .safetensors: a line each, or a Parquet column.")
@overwrite_option
def import_(file: str, out: str, format: str | None, words: str | None, overwrite: bool) -> None:
    """Read another tool's vectors into vectors.arrow, which answers at once.

    FILE may be compressed (.gz .bz2 .xz .zst) when it is text or word2vec binary. A word that comes again is left out,
    and counted.

    \b
    Example:
      streamvec import glove.6B.50d.txt -o glove.arrow
    """
    from streamvec.vectors.formats import import_vectors

    done = import_vectors(Path(file), Path(out), format, Path(words) if words else None, overwrite)
    _warn(done.notes)
    click.echo(f"{out}: {done.words:,} words, dim {done.dim}, from {done.format}")


def _warn(notes: list[str]) -> None:
    for note in notes:
        click.echo(f"streamvec: warning: {note}", err=True)
