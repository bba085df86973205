"""The files of TensorFlow's Embedding Projector: a folder of tensors.tsv and metadata.tsv.

tensors.tsv holds the numbers, tabs between them. metadata.tsv holds a word a line; with counts it has two columns and
a first line that names them, as the projector wants it.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa

from streamvec.disk.writing import whole_file
from streamvec.errors import StreamvecError
from streamvec.vectors.blocks import Block, Notes, decoded, noted_end, plain_bytes
from streamvec.vectors.escapes import escaped, unescaped
from streamvec.vectors.rows import line_blocks, parse_rows, text_rows
from streamvec.vectors.store import Chunk

_WRITTEN = 4096
_HEAD = b"word\tcount"


def read_projector(folder: Path, notes: Notes) -> Iterator[Block]:
    """The rows of a projector folder; StreamvecError, naming the line, when the two files do not belong together."""
    tensors, metadata = folder / "tensors.tsv", folder / "metadata.tsv"
    labels = _labels(metadata, notes)
    words, counts = pa.array([], pa.utf8()), np.empty(0, np.int64)
    dim, line = 0, 1
    for block in line_blocks(noted_end(plain_bytes(tensors), notes, tensors), str(tensors)):
        dim = dim or len(block[: block.index(b"\n")].split(b"\t"))
        vectors = parse_rows(block, dim, b"\t", False, str(tensors), line).vectors
        line += block.count(b"\n")
        while len(words) < len(vectors):
            more = next(labels, None)
            if more is None:
                raise StreamvecError(f"{metadata}: has fewer words than {tensors} has rows: not made together")
            words, counts = pa.concat_arrays([words, more[0]]), np.concatenate([counts, more[1]])
        number = len(vectors)
        yield Block(words[:number], vectors, counts[:number])
        words, counts = words[number:], counts[number:]
    if len(words) or next(labels, None):
        raise StreamvecError(f"{metadata}: has more words than {tensors} has rows: not made together")


def write_projector(chunks: Iterable[Chunk], folder: Path) -> None:
    """Writes both files into an existing folder."""
    counted = any(chunk.counts.any() for chunk in chunks)
    with whole_file(folder / "tensors.tsv") as tensors, whole_file(folder / "metadata.tsv") as metadata:
        if counted:
            metadata.write(_HEAD + b"\n")
        for chunk in chunks:
            for start in range(0, len(chunk.words), _WRITTEN):
                some = slice(start, start + _WRITTEN)
                tensors.write(text_rows(None, chunk.vectors[some], "\t"))
                names = escaped(chunk.words[some]).to_pylist()
                ends = [f"\t{count}\n" for count in chunk.counts[some].tolist()] if counted else ["\n"] * len(names)
                metadata.write("".join(map(str.__add__, names, ends)).encode())


def _labels(path: Path, notes: Notes) -> Iterator[tuple[pa.StringArray, np.ndarray]]:
    """(words, counts) of metadata.tsv, a block at a time; one column, or several under their names."""
    named: list[bytes] | None = None
    for block in line_blocks(noted_end(plain_bytes(path), notes, path), str(path)):
        rows = [line.removesuffix(b"\r").split(b"\t") for line in block.removesuffix(b"\n").split(b"\n")]
        if named is None:
            named = rows.pop(0) if len(rows[0]) > 1 else []
        lower = [name.lower() for name in named]
        word = lower.index(b"word") if b"word" in lower else 0
        count = lower.index(b"count") if b"count" in lower else None
        if any(len(row) != max(1, len(named)) for row in rows):
            raise StreamvecError(f"{path}: rows differ in their number of columns: the file is damaged")
        try:
            counts = np.array([0 if count is None else int(row[count]) for row in rows], np.int64)
        except (ValueError, OverflowError) as problem:
            raise StreamvecError(f"{path}: a count is no whole number ({problem}): the file is damaged") from problem
        words = unescaped(decoded(pa.array([row[word] for row in rows], pa.binary()), notes))
        yield words, counts
