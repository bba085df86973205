"""Every format by name: which one a file is, reading it, and writing it whole or not at all."""

import bz2
import contextlib
import gzip
import lzma
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
import pyarrow as pa

from streamvec.corpus.compression import compression_by_magic, compression_by_name, zstd
from streamvec.disk.files import named_problems, whole_file, whole_folder
from streamvec.errors import StreamvecError
from streamvec.vectors.blocks import Block, Notes, distinct, finite, plain_bytes
from streamvec.vectors.finding import find_vectors
from streamvec.vectors.keyedvectors import KeyedVectors, Subwords
from streamvec.vectors.ngramfile import beside
from streamvec.vectors.store import ROWS, Chunk, Vectors, VectorsWriter, norms_of
from streamvec.vectors.texts import header_of, row_shape

FORMATS = ("word2vec-text", "word2vec-binary", "glove", "fasttext-vec", "npy", "safetensors", "parquet", "projector")
_CONTROL = re.compile(rb"[\x00-\x08]")  # four-byte floats are full of these, text has none
_SUFFIXES = {
    ".bin": "word2vec-binary",
    ".vec": "fasttext-vec",
    ".npy": "npy",
    ".safetensors": "safetensors",
    ".parquet": "parquet",
}
_STREAMED = ("word2vec-text", "word2vec-binary", "glove", "fasttext-vec")  # these may be compressed
_OTHERS = {
    b"PK\x03\x04": "a zip archive: unpack it first, then give the file inside",
    b"\x80": "a Python pickle (a gensim model?), which could run code, so streamvec does not read it: in gensim, "
    "model.wv.save_word2vec_format(FILE), then give that file",
    b"\x89HDF": "an HDF5 file: export its vectors as word2vec text or .npy first",
}


class Imported(NamedTuple):
    """What import_vectors wrote: how many words of how many numbers, from which format, and what it left out."""

    words: int
    dim: int
    format: str
    notes: list[str]


def format_of_name(path: Path) -> str | None:
    """The format that a file's suffix says plainly, also before .gz and the like; None for .txt and others."""
    return _SUFFIXES.get(Path(compression_by_name(path.name)[1]).suffix.lower())


def detect(path: Path) -> str:
    """The format of a file or folder by its content; StreamvecError for what is none.

    Two of them are read and not written: "arrow" is an Arrow table, "fasttext-bin" a fastText model.
    """
    if path.is_dir():
        return "projector"
    pieces = plain_bytes(path)
    start = next(pieces, b"")
    with named_problems(path), path.open("rb") as file:
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
    path: Path, out: Path, format: str | None = None, words: Path | None = None, overwrite: bool = False
) -> Imported:
    """Reads another tool's file, compressed or not, into vectors.arrow, a block at a time.

    The order is kept; a word that comes again is left out and counted. Raises StreamvecError when *out* exists (without
    *overwrite*) or the input is damaged; *out* then appears not at all.
    """
    may_write(out, overwrite)
    place, ours = find_vectors(path)
    if ours:
        more = f" and {beside(place).name}, which is beside it" if beside(place).exists() else ""
        raise StreamvecError(f"{path}: already vectors as streamvec writes them: copy {place.name}{more}")
    notes = Notes()
    format = format or detect(place)
    blocks = read_blocks(place, notes, format, words)
    first = next(blocks, None)
    if first is None:
        raise StreamvecError(f"{path}: there are no vectors in it")
    dim = first.vectors.shape[1]
    with VectorsWriter(out, dim, {"imported_from": path.name, "format": format}) as writer:
        writer.write(first.words, first.vectors, first.counts)
        for block in blocks:
            writer.write(block.words, block.vectors, block.counts)
    said = notes.sentences(path)
    if format == "fasttext-bin":
        said.append(f"{path}: its words were read, its n-grams were not: {out.name} does not know words never seen")
    return Imported(writer.rows, dim, format, said)


def export_vectors(vectors: KeyedVectors, out: Path, format: str | None = None, overwrite: bool = False) -> str:
    """Writes *vectors* in another tool's format, whole or not at all; returns the format.

    Without *format* the suffix decides (.bin .vec .npy .safetensors .parquet). Text and word2vec binary are compressed
    when the name ends in .gz, .bz2, .xz or .zst. Raises StreamvecError when *out* exists (without *overwrite*).
    """
    format = format or format_of_name(out)
    if format is None:
        raise StreamvecError(f"{out}: its suffix does not say a format: choose --format ({', '.join(FORMATS)})")
    if format not in FORMATS:
        raise ValueError(f"format must be one of {', '.join(FORMATS)}, got {format!r}")
    if compression_by_name(out.name)[0] and format not in _STREAMED:
        raise StreamvecError(f"{out}: {format} is not written compressed: leave out the last suffix")
    may_write(out, overwrite)
    chunks = list(vectors.chunks())
    if format == "projector":
        _write_folder(chunks, out)
    elif format == "npy":
        _write_pair(chunks, len(vectors), vectors.dim, out, overwrite)
    else:
        with whole_file(out) as stored, compressing(stored, out) as file:
            _write(chunks, len(vectors), vectors.dim, file, format)
    return format


def _write(chunks: list[Chunk], words: int, dim: int, file: IO[bytes], format: str) -> None:
    if format == "word2vec-binary":
        from streamvec.vectors.binary import write_binary

        write_binary(chunks, words, dim, file)
    elif format == "safetensors":
        from streamvec.vectors.arrays import write_safetensors

        write_safetensors(chunks, words, dim, file)
    elif format == "parquet":
        from streamvec.vectors.tables import write_parquet

        write_parquet(chunks, dim, file)
    else:
        from streamvec.vectors.texts import write_text

        write_text(chunks, words, dim, file, header=format != "glove")


def _write_pair(chunks: list[Chunk], words: int, dim: int, out: Path, overwrite: bool) -> None:
    """The words first and the array last: an array is never beside words of another one."""
    from streamvec.vectors.arrays import words_beside, write_npy, write_word_list

    beside = words_beside(out)
    may_write(beside, overwrite)
    with whole_file(out) as file:
        write_npy(chunks, words, dim, file)
        with whole_file(beside) as text:
            write_word_list(chunks, text)
            out.unlink(missing_ok=True)


def _write_folder(chunks: list[Chunk], out: Path) -> None:
    from streamvec.vectors.projector import write_projector

    with whole_folder(out) as folder:
        write_projector(chunks, folder)
        if out.is_dir():
            shutil.rmtree(out)
        else:
            out.unlink(missing_ok=True)


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
        "zst": lambda: zstd.ZstdFile(file, "wb"),
    }
    with makers[compression]() as made:
        yield made
