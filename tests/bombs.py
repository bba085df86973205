"""Small files that become large ones, or say that they need much memory: what nobody would read without a limit."""

import bz2
import gzip
import io
import lzma
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from streamvec.corpus.compression import zstd

PACKERS: dict[str, Callable[[Path, str], Any]] = {
    "gz": gzip.GzipFile,
    "bz2": bz2.BZ2File,
    "xz": lzma.LZMAFile,
    "zst": zstd.ZstdFile,
}
CONTENTS = {
    "zeros": bytes(1 << 20),
    "one word": b"a" * (1 << 20),
    "one line": b"word " * (1 << 18),
    "lines": b"\n" * ((1 << 20) - 6) + b"river\n",
    "words": b"the river of the king\n" * (1 << 16),
}


def bomb(path: Path, compression: str, content: str, size: int) -> Path:
    """About *size* bytes of a *content*, compressed."""
    piece = CONTENTS[content]
    with PACKERS[compression](path, "wb") as file:
        for _ in range(max(1, size // len(piece))):
            file.write(piece)
    return path


def many_frames(path: Path, compression: str, number: int) -> Path:
    """So many members of a word each."""
    buffer = io.BytesIO()
    pack = {"gz": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress, "zst": zstd.compress}[compression]
    buffer.write(pack(b"river of the king\n") * number)
    path.write_bytes(buffer.getvalue())
    return path


def wide_window(path: Path, log: int, size: int) -> Path:
    """A zstd frame that asks for a window of 2**log bytes, of one byte *size* times."""
    blocks = []
    piece = 1 << 17
    for number in range(size // piece):
        is_last = number == size // piece - 1
        blocks.append((piece << 3 | 1 << 1 | is_last).to_bytes(3, "little") + (b" " if number % 2 else b"a"))
    path.write_bytes(b"\x28\xb5\x2f\xfd\x00" + bytes([(log - 10) << 3]) + b"".join(blocks))
    return path


def wide_dictionary(path: Path, size: int) -> Path:
    """An xz file that says its dictionary is of 1.5 GB, of *size* bytes."""
    whole = bytearray(lzma.compress(b"the river of the king\n" * (size // 22), preset=0))
    header = whole[12 : 12 + 4 * (whole[12] + 1)]
    header[header.index(b"\x21\x01") + 2] = 37  # (2 + 37 % 2) * 2**(37 // 2 + 11)
    header[-4:] = zlib.crc32(header[:-4]).to_bytes(4, "little")
    whole[12 : 12 + len(header)] = header
    path.write_bytes(whole)
    return path


def parquet_bomb(path: Path, rows: int, is_dictionary: bool) -> Path:
    """A column whose one value, of a megabyte, stands in each of *rows* by its number; read as a dictionary, or not."""
    column = pa.DictionaryArray.from_arrays(pa.array([0] * rows, pa.int32()), pa.array(["word " * 200_000]))
    kind = column.type if is_dictionary else pa.large_string()
    pq.write_table(pa.table({"text": column.cast(kind)}), path, compression="zstd")
    return path


def arrow_bomb(path: Path, stated: int) -> Path:
    """An Arrow file whose compressed buffers say that they hold *stated* bytes each."""
    table = pa.table({"text": ["the river of the king " * 100] * 1000})
    options = pa.ipc.IpcWriteOptions(compression="zstd")
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, table.schema, options=options) as writer:
        writer.write_table(table)
    whole = path.read_bytes()
    pieces = whole.split(b"\x28\xb5\x2f\xfd")  # each frame has its size once decompressed in 8 bytes before it
    assert len(pieces) > 2
    changed = [piece[:-8] + stated.to_bytes(8, "little") for piece in pieces[:-1]]
    path.write_bytes(b"\x28\xb5\x2f\xfd".join([*changed, pieces[-1]]))
    return path


def packed(path: Path, start: bytes, piece: bytes, times: int, end: bytes = b"") -> Path:
    """A .gz of *start*, a *piece* so many times, and *end*."""
    with gzip.GzipFile(path, "wb") as file:
        file.write(start)
        for _ in range(times):
            file.write(piece)
        file.write(end)
    return path


def entities(path: Path) -> Path:
    """XML that says ten times what says ten times what ... says "a": 10^11 bytes."""
    more = "".join(f'<!ENTITY e{one} "{f"&e{one - 1};" * 10}">' for one in range(1, 12))
    page = "<mediawiki><page><title>A</title><ns>0</ns><revision><text>&e11;</text></revision></page></mediawiki>"
    path.write_text(f'<!DOCTYPE mediawiki [<!ENTITY e0 "a">{more}]>{page}', encoding="utf-8")
    return path
