"""Compressed bytes become plain ones, to the last member of a file, and anything odd at its end is an error.

The file objects of bz2 and lzma drop bytes after the end without a word, and those of gzip read a few kilobytes at
a time; here the decompressors themselves are driven, all four in one loop, with large pieces.
"""

import bz2
import lzma
import sys
import zlib
from collections.abc import Callable, Iterator
from typing import Any, Protocol

from streamvec.errors import StreamvecError

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

PIECE = 1 << 20  # the most bytes handed on at once
_STORED_PIECE = 1 << 18  # stored bytes fed to a decompressor at once

_NAMES = {"gz": "gzip", "bz2": "bzip2", "xz": "xz", "zst": "zstd"}
_SUFFIXES = {".gz": "gz", ".gzip": "gz", ".bz2": "bz2", ".xz": "xz", ".zst": "zst", ".zstd": "zst"}
_ZSTD_SKIPPABLE = b"\x2a\x4d\x18"  # after a byte of 0x50 to 0x5f; files of parallel compressors begin with one
_PADDED = {"gz", "xz"}  # may end with zero bytes: their own tools read over them


class Readable(Protocol):
    """Stored bytes in order."""

    def read(self, size: int, /) -> bytes:
        """Up to *size* bytes; none only at the end."""


class _Gzip:
    """One gzip member behind the interface that the decompressors of bz2, lzma and zstd share."""

    def __init__(self) -> None:
        self._inner = zlib.decompressobj(wbits=31)

    def decompress(self, data: bytes, max_length: int) -> bytes:
        waiting = self._inner.unconsumed_tail
        return self._inner.decompress(waiting + data if waiting else data, max_length)

    @property
    def eof(self) -> bool:
        return self._inner.eof

    @property
    def needs_input(self) -> bool:
        return not self._inner.eof and not self._inner.unconsumed_tail

    @property
    def unused_data(self) -> bytes:
        return self._inner.unused_data


class _Limit:
    """What decompressing one file may hold: its window, or dictionary; of this process."""

    bytes = 1 << 31  # files written with --long=31 need a window of 2 GB; the library would refuse more than 128 MB


def hold_within(memory: int) -> None:
    """From now on a file whose decompression would hold more than a quarter of *memory* (bytes) is refused."""
    _Limit.bytes = min(1 << 31, max(1 << 23, memory // 4))  # 8 MB are what the formats ask readers to have


def _zstd() -> Any:
    widest = _Limit.bytes.bit_length() - 1
    return zstd.ZstdDecompressor(options={zstd.DecompressionParameter.window_log_max: widest})


_DECODERS: dict[str, Callable[[], Any]] = {
    "gz": _Gzip,
    "bz2": bz2.BZ2Decompressor,
    "xz": lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ, _Limit.bytes + (1 << 21)),
    "zst": _zstd,
}
_PROBLEMS = (zlib.error, lzma.LZMAError, zstd.ZstdError, OSError, EOFError, ValueError)


def compression_by_magic(head: bytes) -> str:
    """What the first bytes of a file say: "gz", "bz2", "xz", "zst", or "" for anything else."""
    if head.startswith(b"\x1f\x8b\x08"):
        return "gz"
    if head.startswith(b"BZh") and head[4:10] in (b"\x31\x41\x59\x26\x53\x59", b"\x17\x72\x45\x38\x50\x90"):
        return "bz2"
    if head.startswith(b"\xfd7zXZ\x00"):
        return "xz"
    if head.startswith(b"\x28\xb5\x2f\xfd") or (head[1:4] == _ZSTD_SKIPPABLE and head[0] & 0xF0 == 0x50):
        return "zst"
    return ""


def compression_by_name(name: str) -> tuple[str, str]:
    """The compression a file's suffix states ("" for none), and the name without that suffix."""
    for suffix, compression in _SUFFIXES.items():
        if name.lower().endswith(suffix):
            return compression, name[: -len(suffix)]
    return "", name


def plain_pieces(stored: Readable, compression: str, name: str) -> Iterator[bytes]:
    """The decompressed bytes of *stored*, in pieces of at most PIECE, through all members or frames to its end.

    Raises StreamvecError, naming *name*, when the data is damaged, ends too early (also within a later member), or is
    followed by bytes that are no further member. Zero bytes after gzip and xz are padding and are passed over.
    """
    if not compression:
        while piece := stored.read(PIECE):
            yield piece
        return
    called = _NAMES[compression]
    decoder = None
    waiting = b""
    while True:
        if decoder is None:
            waiting = waiting or stored.read(_STORED_PIECE)
            if compression in _PADDED:
                waiting = waiting.lstrip(b"\0")
                if not waiting and (waiting := stored.read(_STORED_PIECE)):
                    continue
            if not waiting:
                return
            if len(waiting) < 16:  # enough to tell a further member from rubbish
                waiting += stored.read(_STORED_PIECE)
            decoder = _DECODERS[compression]()
            if compression_by_magic(waiting) != compression and len(waiting) >= 10:
                raise StreamvecError(
                    f"{name}: bytes that are not {called} follow the {called} data: damaged, or two files joined by "
                    f"mistake; decompress it by hand to see what is there"
                )
        elif decoder.needs_input:
            waiting = stored.read(_STORED_PIECE)
        at_end = not waiting and decoder.needs_input
        try:
            piece = decoder.decompress(waiting, PIECE)
        except _PROBLEMS as problem:
            if "memory" in str(problem).lower():
                raise StreamvecError(
                    f"{name}: decompressing it would hold more than {_Limit.bytes >> 20} MB, a quarter of --memory: "
                    "give more, or compress it again with a smaller window"
                ) from problem
            raise StreamvecError(f"{name}: damaged {called} data ({problem}): fetch or compress it again") from problem
        waiting = b""
        if piece:
            yield piece
        if decoder.eof:
            waiting = decoder.unused_data
            decoder = None
        elif at_end and not piece:
            raise StreamvecError(f"{name}: cut short: the {called} data ends in the middle; fetch or compress it again")
