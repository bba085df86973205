"""Lines and documents to be turned into vectors: from files as a corpus has them, or from stdin as they come."""

from collections.abc import Iterable, Iterator, Sequence
from typing import IO, NamedTuple

from streamvec.corpus.blocks import read_blocks
from streamvec.corpus.compression import compression_by_magic, plain_pieces
from streamvec.corpus.sources import Source, resolve
from streamvec.corpus.text import BOM
from streamvec.errors import StreamvecError

LONGEST = 1 << 24  # bytes of a line, or of a document to be summarized: either is in memory whole
_LINES = 4096  # lines that are handed on together, at most
_CHARACTERS = 1 << 20  # of a group that is as even as may be
_ARRIVING = 1 << 16  # bytes of stdin taken at once
_MAGIC = 16  # bytes that tell a compressed stream
_TABLES = (b"PAR1", b"ARROW1")


class Document(NamedTuple):
    """One text to be summarized, and what it is called."""

    name: str
    text: str


class Arriving:
    """Standard input as it comes: a read waits only where nothing is there."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        head = b""
        while len(head) < _MAGIC and b"\n" not in head and (more := self._some()):
            head += more
        self._head = head
        self.compression = compression_by_magic(head)
        if head.startswith(_TABLES):
            raise StreamvecError("stdin: a Parquet or Arrow file: name the file instead of piping it in")

    def read(self, size: int) -> bytes:
        if self._head:
            piece, self._head = self._head[:size], self._head[size:]
            return piece
        return self._some()

    def _some(self) -> bytes:
        found: bytes = self._stream.read1(_ARRIVING)  # type: ignore[attr-defined]
        return found


def read_lines(inputs: Sequence[str], stdin: IO[bytes], column: str | None = None) -> Iterator[list[str]]:
    """The lines of *inputs* in order, some thousands at a time at most; of stdin, what has come so far.

    inputs: files, folders, globs or addresses as a corpus has them, "-" for stdin; none is stdin. Rows of Parquet,
    Arrow (*column*) and JSON Lines, and articles of a dump, are a line each. Empty lines stay. What is not UTF-8
    becomes U+FFFD. Raises StreamvecError for what cannot be read, and for a line of more than 16 MB.
    """
    for source in _sources(inputs, column):
        yield from _lines(_pieces(source, stdin, column), source.path)


def even_groups(groups: Iterable[list[str]]) -> Iterator[list[str]]:
    """The same lines in groups whose ends depend on the lines alone, not on how they came."""
    held: list[str] = []
    size = 0
    for group in groups:
        for line in group:
            held.append(line)
            size += len(line)
            if len(held) == _LINES or size >= _CHARACTERS:
                yield held
                held, size = [], 0
    if held:
        yield held


def read_documents(inputs: Sequence[str], stdin: IO[bytes], column: str | None = None) -> Iterator[Document]:
    """The documents of *inputs*: a text file or stdin is one, a row of a table or an article of a dump is one.

    Raises StreamvecError for what cannot be read, and for a document of more than 16 MB.
    """
    for source in _sources(inputs, column):
        pieces = _pieces(source, stdin, column)
        if source.kind == "text":
            yield Document(source.path, _whole(pieces, source.path))
        else:
            number = 0
            for lines in _lines(pieces, source.path):
                for line in lines:
                    number += 1
                    yield Document(f"{source.path}, document {number}", line)


def _sources(inputs: Sequence[str], column: str | None) -> list[Source]:
    return resolve(inputs or ["-"], column)


def _pieces(source: Source, stdin: IO[bytes], column: str | None) -> Iterator[bytes]:
    """The text of a source in pieces; the last line is ended, as all are, but on stdin, where it may not be."""
    if source.path != "-":
        for block in read_blocks([source], column):
            yield block.data
        return
    arriving = Arriving(stdin)
    first = True
    for piece in plain_pieces(arriving, arriving.compression, "stdin"):
        yield piece.removeprefix(BOM) if first else piece
        first = False


def _lines(pieces: Iterable[bytes], name: str) -> Iterator[list[str]]:
    rest: list[bytes] = []
    held = 0
    for piece in pieces:
        *whole, last = piece.split(b"\n")
        if whole:
            whole[0] = b"".join([*rest, whole[0]])
            rest, held = [], 0
        rest.append(last)
        held += len(last)
        if held > LONGEST or any(len(line) > LONGEST for line in whole):
            raise StreamvecError(f"{name}: a line of more than {LONGEST >> 20} MB: put one text on each line")
        for start in range(0, len(whole), _LINES):
            yield [_decoded(line) for line in whole[start : start + _LINES]]
    if final := b"".join(rest):
        yield [_decoded(final)]


def _decoded(line: bytes) -> str:
    return line.removesuffix(b"\r").decode("utf-8", "replace")


def _whole(pieces: Iterable[bytes], name: str) -> str:
    parts: list[bytes] = []
    size = 0
    for piece in pieces:
        parts.append(piece)
        size += len(piece)
        if size > LONGEST:
            raise StreamvecError(
                f"{name}: a document of more than {LONGEST >> 20} MB: divide it, or give its documents as JSON Lines"
            )
    return b"".join(parts).decode("utf-8", "replace")
