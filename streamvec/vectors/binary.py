"""word2vec binary: a header ``V dim``, then each word, a space and its numbers as little-endian float32.

The word2vec program writes a line feed after each row, gensim does not: both are read; where the first row has one, all
must, or the place in the file was lost. Spaces and line feeds within a word are escaped as in text.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO

import numpy as np
import pyarrow as pa

from streamvec.errors import StreamvecError
from streamvec.vectors.blocks import Block, Notes, decoded, plain_bytes
from streamvec.vectors.escapes import escaped, unescaped
from streamvec.vectors.store import Chunk
from streamvec.vectors.texts import header_of

_ROWS = 4096  # rows of a block
_LONGEST = 65_536  # bytes of a word; a longer one means that the place in the file was lost
_WIDEST = 1_000_000


class _Bytes:
    """A stream of pieces, read a word or a row at a time."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self.held = b""
        self.at = 0

    def more(self) -> bool:
        """Takes in another piece; False at the end."""
        piece = next(self._pieces, b"")
        self.held = self.held[self.at :] + piece
        self.at = 0
        return bool(piece)


def read_binary(path: Path, notes: Notes) -> Iterator[Block]:
    """The rows of a word2vec binary file, compressed or not; StreamvecError, naming the row, when it is cut short."""
    source = _Bytes(plain_bytes(path))
    source.more()
    header = header_of(source.held)
    if not header or not 0 < header[1] <= _WIDEST:
        raise StreamvecError(f"{path}: not word2vec binary: expected a header, how many words and numbers each")
    number, dim, source.at = header
    size = 4 * dim
    done = 0
    ended = False  # whether rows end with a line feed
    while done < number:
        words: list[bytes] = []
        vectors: list[bytes] = []
        for row in range(done, min(done + _ROWS, number)):
            space = source.held.find(b" ", source.at)
            while space < 0 or space + 1 + size > len(source.held):
                lost = len(source.held) - source.at > _LONGEST + size and space < 0
                if lost or not source.more():
                    raise StreamvecError(
                        f"{path}: the header says {number:,} words of {dim} numbers, the file "
                        f"{'is damaged' if lost else 'ends'} at word {row + 1:,}: fetch it again"
                    )
                space = source.held.find(b" ", source.at)
            word = source.held[source.at : space]
            if row == 1:
                ended = word.startswith(b"\n")
            if row and ended and (word[:1] != b"\n" or b"\n" in word.lstrip(b"\n")):
                raise StreamvecError(f"{path}: damaged before word {row + 1:,}: rows do not end alike: fetch it again")
            words.append(word.lstrip(b"\n"))
            source.at = space + 1 + size
            vectors.append(source.held[space + 1 : source.at])
        done += len(words)
        matrix = np.frombuffer(b"".join(vectors), "<f4").reshape(-1, dim)
        text = unescaped(decoded(pa.array(words, pa.binary()), notes))
        yield Block(text, matrix.astype(np.float32, copy=False), np.zeros(len(words), np.int64))
    while source.held[source.at :].strip(b"\n") == b"":
        source.at = len(source.held)
        if not source.more():
            return
    raise StreamvecError(
        f"{path}: the header says {number:,} words of {dim} numbers, but the file goes on after them: it is damaged, "
        "or its header was changed"
    )


def write_binary(chunks: Iterable[Chunk], words: int, dim: int, file: IO[bytes]) -> None:
    """Writes word2vec binary, with the line feed after each row that the word2vec program writes."""
    file.write(b"%d %d\n" % (words, dim))
    size = 4 * dim
    for chunk in chunks:
        raw = chunk.vectors.astype("<f4", copy=False).tobytes()
        names = escaped(chunk.words).view(pa.binary()).to_pylist()
        places = range(0, len(raw), size)
        rows = (name + b" " + raw[at : at + size] for name, at in zip(names, places, strict=True))
        file.write(b"\n".join(rows) + b"\n" if names else b"")
