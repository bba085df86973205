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
out_option = click.option("-o", "--out", "out", required=True, metavar="PATH", help="Where the result goes.")
overwrite_option = click.option("--overwrite", is_flag=True, help="Replace what is there.")


@click.command("export")
@click.argument("vectors")
@out_option
@click.option(
    "--format", "format", type=click.Choice(_FORMATS), help="Without it, .bin .vec .npy .safetensors .parquet decide."
)
@overwrite_option
def export_(vectors: str, out: str, format: str | None, overwrite: bool) -> None:
    """Write vectors in another tool's format; PATH appears whole or not at all.

    Text and word2vec binary are compressed when PATH ends in .gz, .bz2, .xz or .zst. npy writes the words beside the
    array, as NAME.words.txt; projector writes a folder of tensors.tsv and metadata.tsv. In text, a space within a word
    is written as ␛␠ (and so on for tabs and line feeds); import turns it back.

    \b
    Example:
      streamvec export wiki-run -o wiki.txt.gz --format word2vec-text
    """
    from streamvec.vectors import KeyedVectors
    from streamvec.vectors.formats import export_vectors

    opened = KeyedVectors.load(vectors)
    _warn(opened.notes)
    written = export_vectors(opened, Path(out), format, overwrite)
    if opened.has_ngrams:
        click.echo(f"streamvec: note: the n-grams stay behind: {out} does not know words never seen", err=True)
    click.echo(f"{out}: {len(opened):,} words, dim {opened.dim}, {written}")


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
