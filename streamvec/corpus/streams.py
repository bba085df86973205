"""Opens a stored file, wherever it lies, as one stream of plain bytes."""

import codecs
import contextlib
from collections.abc import Iterator
from typing import IO, Protocol, cast

from streamvec.corpus.compression import PIECE, Readable, plain_pieces
from streamvec.corpus.remote import RemoteFile, is_remote, open_remote
from streamvec.disk.reading import opened
from streamvec.errors import StreamvecError


class Stream(Protocol):
    """Bytes in order: what every reader of text takes."""

    def read(self, size: int) -> bytes:
        """Exactly *size* bytes; fewer only at the end."""

    def skip(self, size: int) -> None:
        """Passes over *size* bytes; StreamvecError when there are not so many."""


@contextlib.contextmanager
def open_stored(path: str) -> Iterator[IO[bytes] | RemoteFile]:
    """Opens a local path or a URI as it is stored; StreamvecError names it when that, or a read, fails."""
    if is_remote(path):
        with open_remote(path) as file:
            yield file
    else:
        with opened(path, buffered=False) as file:
            yield file


@contextlib.contextmanager
def open_plain(path: str, compression: str, encoding: str = "utf-8") -> Iterator[Stream]:
    """Opens a source as plain UTF-8 bytes: decompressed, and decoded where *encoding* is another one."""
    with open_stored(path) as stored:
        seekable = not compression and not is_remote(path)
        stream: Stream = PlainStream(stored, compression, path, seekable)
        yield stream if is_utf8(encoding) else DecodedStream(stream, encoding, path)


def is_utf8(encoding: str) -> bool:
    """Whether *encoding* is UTF-8 by any of its names; ValueError when it is no encoding of text at all."""
    try:
        name = codecs.lookup(encoding).name
        codecs.getincrementaldecoder(encoding)
        "".encode(encoding)
    except (LookupError, UnicodeError):
        raise ValueError(f"encoding must be one that Python knows, such as latin-1, got {encoding!r}") from None
    return name in ("utf-8", "utf-8-sig")


class PlainStream:
    """The decompressed bytes of an open file."""

    def __init__(self, stored: Readable, compression: str, name: str, seekable: bool = False) -> None:
        self._stored = stored
        self._name = name
        self._seekable = seekable
        self._direct = not compression
        self._pieces = plain_pieces(stored, compression, name)
        self._rest = b""

    def read(self, size: int) -> bytes:
        parts = []
        missing = size
        while missing:
            piece = self._some(missing)
            if not piece:
                break
            parts.append(piece)
            missing -= len(piece)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _some(self, most: int) -> bytes:
        if self._direct:
            return self._stored.read(most)
        piece = self._rest or next(self._pieces, b"")
        self._rest = piece[most:]
        return piece[:most]

    def skip(self, size: int) -> None:
        if self._seekable:
            file = cast(IO[bytes], self._stored)
            if file.seek(0, 2) < size:
                raise _shorter(self._name)
            file.seek(size)
            return
        _pass_over(self, size, self._name)


class DecodedStream:
    """UTF-8 made of a stream in another encoding; what cannot be decoded becomes U+FFFD."""

    def __init__(self, stream: Stream, encoding: str, name: str) -> None:
        self._stream = stream
        self._name = name
        self._decoder = codecs.getincrementaldecoder(encoding)(errors="replace")
        self._rest = b""
        self._ended = False

    def read(self, size: int) -> bytes:
        parts = [self._rest]
        have = len(self._rest)
        while have < size and not self._ended:
            stored = self._stream.read(PIECE)
            self._ended = len(stored) < PIECE
            text = self._decoder.decode(stored, final=self._ended)
            parts.append(text.encode("utf-8", errors="replace"))
            have += len(parts[-1])
        data = b"".join(parts)
        self._rest = data[size:]
        return data[:size]

    def skip(self, size: int) -> None:
        _pass_over(self, size, self._name)


def _pass_over(stream: Stream, size: int, name: str) -> None:
    while size:
        step = min(size, PIECE)
        if len(stream.read(step)) < step:
            raise _shorter(name)
        size -= step


def _shorter(name: str) -> StreamvecError:
    return StreamvecError(f"{name}: shorter than when reading began: restore it, or start again with --overwrite")
