"""Every format by name: which one a file is, and reading it; they are written by exports.py."""

import bz2
import contextlib
import gzip
import itertools
import lzma
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
import pyarrow as pa

from streamvec.corpus.compression import compression_by_magic, compression_by_name, zstd
from streamvec.disk.reading import opened
from streamvec.disk.writing import PARTIAL
from streamvec.errors import StreamvecError
from streamvec.vectors.blocks import Block, Notes, distinct, finite, plain_bytes
from streamvec.vectors.finding import find_vectors
from streamvec.vectors.ngramfile import beside
from streamvec.vectors.precision import Change, Sample
from streamvec.vectors.storage import checked_dtype
from streamvec.vectors.store import ROWS, Chunk, Vectors, VectorsWriter, norms_of
from streamvec.vectors.texts import header_of, row_shape
from streamvec.vectors.wordmatrix import Subwords

FORMATS = (
    *("word2vec-text", "word2vec-binary", "glove", "fasttext-vec", "npy", "safetensors", "parquet", "arrow"),
    *("projector", "gensim", "streamvec"),
)
_CONTROL = re.compile(rb"[\x00-\x08]")  # four-byte floats are full of these, text has none
_SUFFIXES = {
    ".bin": "word2vec-binary",
    ".vec": "fasttext-vec",
    ".npy": "npy",
    ".safetensors": "safetensors",
    ".parquet": "parquet",
    ".feather": "arrow",
    ".kv": "gensim",
    ".arrow": "streamvec",
}
STREAMED = ("word2vec-text", "word2vec-binary", "glove", "fasttext-vec")  # these may be compressed
_OTHERS = {
    b"PK\x03\x04": "a zip archive: unpack it first, then give the file inside",
    b"\x89HDF": "an HDF5 file: export its vectors as word2vec text or .npy first",
}


class Imported(NamedTuple):
    """What import_vectors wrote: how many words of how many numbers, from which format, and what it left out."""

    words: int
    dim: int
    format: str
    notes: list[str]
    dtype: str = "float32"
    change: Change | None = None  # of cosines, where numbers are stored in fewer bits


def format_of_name(path: Path) -> str | None:
    """The format that a file's suffix says plainly, also before .gz and the like; None for .txt and others."""
    return _SUFFIXES.get(Path(compression_by_name(path.name)[1]).suffix.lower())


def detect(path: Path) -> str:
    """The format of a file or folder by its content; StreamvecError for what is none.

    One of them is read and not written: "fasttext-bin" is a fastText model.
    """
    if path.is_dir():
        return "projector"
    pieces = plain_bytes(path)
    start = next(pieces, b"")
    with opened(path) as file:
        compressed = bool(compression_by_magic(file.read(16)))
    if not start:
        raise StreamvecError(f"{path}: the file is empty: there are no vectors in it")
    found = _by_magic(start)
    if found and compressed:
        raise StreamvecError(f"{path}: a compressed {found} file: decompress it first")
    if found:
        return found
    for magic, said in _OTHERS.items():
        if start.startswith(magic):
            raise StreamvecError(f"{path}: {said}")
    header = header_of(start)
    rows = start[header[2] :] if header else start
    whole = rows[: rows.rfind(b"\n") + 1] or rows
    dim, _ = row_shape(whole.split(b"\n", 100)[:100])
    if header:
        readable = bool(dim) and not _CONTROL.search(rows)
        return "word2vec-text" if dim == header[1] or readable or not rows.strip() else "word2vec-binary"
    if dim:
        return "glove"
    raise StreamvecError(
        f"{path}: not a file of vectors: its first lines hold no word and numbers, and it is none of the formats "
        f"{', '.join(FORMATS)}"
    )


def _by_magic(start: bytes) -> str | None:
    if start.startswith(b"\x93NUMPY"):
        return "npy"
    if start.startswith(b"PAR1"):
        return "parquet"
    if start.startswith(b"ARROW1"):
        return "arrow"
    if start.startswith(b"\xba\x16\x4f\x2f"):
        return "fasttext-bin"
    if start.startswith(b"\x80") and start[1:2] in (b"\2", b"\3", b"\4", b"\5") and start[8:9] != b"{":
        return "gensim"
    if start[8:9] == b"{" and 2 <= int.from_bytes(start[:8], "little") < 1 << 32:
        return "safetensors"
    return None


def read_blocks(path: Path, notes: Notes, format: str | None = None, words: Path | None = None) -> Iterator[Block]:
    """Blocks of distinct words and finite vectors from any format; *words* names the words of an npy or safetensors.

    Raises StreamvecError, naming the place, for whatever is damaged.
    """
    format = format or detect(path)
    if words and format not in ("npy", "safetensors"):
        raise StreamvecError(f"{path}: {format} holds its own words: leave out --words")
    return distinct(_reader(path, notes, format, words), notes, path)


def read_all_rows(path: Path, notes: Notes) -> Iterator[Block]:
    """As `read_blocks`, also rows that repeat an earlier word: so nothing in memory grows with the file."""
    return finite(_reader(path, notes, detect(path), None), path)


def _reader(path: Path, notes: Notes, format: str, words: Path | None) -> Iterator[Block]:
    if format in ("word2vec-text", "fasttext-vec", "glove"):
        from streamvec.vectors.texts import read_text

        return read_text(path, notes, header=format != "glove")
    if format == "word2vec-binary":
        from streamvec.vectors.binary import read_binary

        return read_binary(path, notes)
    if format == "npy":
        from streamvec.vectors.arrays import read_npy

        return read_npy(path, notes, words)
    if format == "safetensors":
        from streamvec.vectors.arrays import read_safetensors

        return read_safetensors(path, notes, words)
    if format in ("parquet", "arrow"):
        from streamvec.vectors.tables import read_table

        return read_table(path)
    if format == "projector":
        from streamvec.vectors.projector import read_projector

        return read_projector(path, notes)
    if format == "fasttext-bin":
        from streamvec.vectors.fasttext import read_fasttext

        return read_fasttext(path, notes)
    if format == "gensim":
        from streamvec.vectors.gensimfiles import read_gensim

        return read_gensim(path, notes)
    raise ValueError(f"format must be one of {', '.join(FORMATS)}, got {format!r}")


def read_vectors(path: Path, format: str | None = None, words: Path | None = None) -> tuple[Vectors, list[str]]:
    """(the vectors of another tool's file, in memory; a sentence for each kind of thing left out)."""
    notes = Notes()
    format = format or detect(path)
    chunks = []
    dim = 0
    for block in _gathered(read_blocks(path, notes, format, words)):
        dim = block.vectors.shape[1]
        chunks.append(Chunk(block.words, block.counts, block.vectors, norms_of(block.vectors)))
    if not chunks:
        raise StreamvecError(f"{path}: there are no vectors in it")
    return Vectors(chunks, dim, {"imported_from": path.name, "format": format}), notes.sentences(path)


def open_subwords(path: Path) -> tuple[Vectors, str, list[str], Subwords, Callable[[np.ndarray], np.ndarray]]:
    """A fastText model, mapped: its words, name, a sentence for each kind of thing left out, n-grams, and rows."""
    from streamvec.vectors.fasttext import open_model

    model, said = open_model(path)
    notes = Notes()
    return model.vectors(notes), str(path), said + notes.sentences(path), model, model.rows


def _gathered(blocks: Iterator[Block]) -> Iterator[Block]:
    """Blocks joined to about 16,384 rows, so that a search has few of them."""
    held: list[Block] = []
    for block in blocks:
        held.append(block)
        if sum(len(one.words) for one in held) >= ROWS:
            yield _join(held)
            held = []
    if held:
        yield _join(held)


def _join(held: list[Block]) -> Block:
    words = pa.concat_arrays([one.words for one in held])
    vectors = np.concatenate([one.vectors for one in held])
    return Block(words, vectors, np.concatenate([one.counts for one in held]))


def import_vectors(
    path: Path,
    out: Path,
    format: str | None = None,
    words: Path | None = None,
    overwrite: bool = False,
    dtype: str = "float32",
    seed: int = 1,
) -> Imported:
    """Reads another tool's file, compressed or not, into vectors.arrow of *dtype*, a block at a time.

    The order is kept; a word that comes again is left out and counted. What float16 or int8 lose is measured over a
    sample of the words, another one with another *seed*. Raises StreamvecError when *out* exists (without *overwrite*)
    or the input is damaged; *out* then appears not at all.
    """
    checked_dtype(dtype)
    may_write(out, overwrite)
    place, ours = find_vectors(path)
    if ours:
        more = f" and {beside(place).name}, which is beside it" if beside(place).exists() else ""
        raise StreamvecError(
            f"{path}: already vectors as streamvec writes them: copy {place.name}{more}, or export --format streamvec "
            "with another --dtype"
        )
    notes = Notes()
    format = format or detect(place)
    blocks = read_blocks(place, notes, format, words)
    first = next(blocks, None)
    if first is None:
        raise StreamvecError(f"{path}: there are no vectors in it")
    dim = first.vectors.shape[1]
    sample = Sample(seed)
    with VectorsWriter(out, dim, {"imported_from": path.name, "format": format}, dtype) as writer:
        for block in itertools.chain([first], blocks):
            writer.write(block.words, block.vectors, block.counts)
            if dtype != "float32":
                sample.take(block.vectors)
    said = notes.sentences(path)
    if format == "fasttext-bin":
        said.append(f"{path}: its words were read, its n-grams were not: {out.name} does not know words never seen")
    change = sample.change(dtype) if dtype != "float32" else None
    return Imported(writer.rows, dim, format, said, dtype, change)


def may_write(out: Path, overwrite: bool) -> None:
    """StreamvecError where *out* exists, and *overwrite* does not say that it may be replaced."""
    if not out.parent.is_dir():
        raise StreamvecError(f"{out}: there is no folder {out.parent}: make it first")
    if not out.exists():
        return
    if not overwrite:
        raise StreamvecError(f"{out}: exists already: choose another name, or --overwrite")
    if out.is_dir() and {one.name for one in out.iterdir()} - {"tensors.tsv", "metadata.tsv"}:
        raise StreamvecError(f"{out}: a folder with other files in it: choose another name")


def may_write_beside(beside: Path, out: Path, overwrite: bool) -> None:
    """As `may_write`, of a second file that is written with *out* and before it: a kill in between leaves it beside the
    half of *out*, and the same command then writes it again."""
    may_write(beside, overwrite or out.with_name(out.name + PARTIAL).exists())


@contextlib.contextmanager
def compressing(file: IO[bytes], path: Path) -> Iterator[IO[bytes]]:
    """*file*, compressed as the suffix of *path* says; the same bytes each time."""
    compression = compression_by_name(path.name)[0]
    if not compression:
        yield file
        return
    makers: dict[str, Callable[[], Any]] = {
        "gz": lambda: gzip.GzipFile("", "wb", fileobj=file, mtime=0, compresslevel=6),
        "bz2": lambda: bz2.BZ2File(file, "wb"),
        "xz": lambda: lzma.LZMAFile(file, "wb"),  # noqa: SIM115 (closed below)
        "zst": lambda: zstd.ZstdFile(file, "wb", options={zstd.CompressionParameter.checksum_flag: 1}),
    }
    with makers[compression]() as made:
        yield made
