"""What the user named as INPUT becomes a list of sources: each one file, with its kind and compression known."""

import codecs
import glob
import os
import re
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import xxhash

from streamvec.corpus.compression import PIECE, Readable, compression_by_magic, compression_by_name, zstd
from streamvec.corpus.entryrecords import looks_like_entries
from streamvec.corpus.remote import RemoteFile, is_remote, list_remote, open_remote
from streamvec.corpus.streams import PlainStream, open_stored
from streamvec.disk.problems import named_problems
from streamvec.disk.reading import opened
from streamvec.disk.writing import remove, whole_file
from streamvec.errors import StreamvecError

_HEAD = 4096  # plain bytes that tell the kind
_STORED_HEAD = 1 << 16  # stored bytes kept for them: also the two ends of a file that its fingerprint covers
_KEPT: dict[int, int] = {zstd.CompressionParameter.compression_level: 1, zstd.CompressionParameter.checksum_flag: 1}
_GLOB = re.compile(r"[*?\[]")
_MEDIAWIKI = re.compile(rb"\A(?:\xef\xbb\xbf)?\s*(?:<\?xml[^>]*\?>)?(?:\s|<!--.*?-->)*<mediawiki[\s>]", re.DOTALL)
TABLES = (b"PAR1", b"ARROW1", b"\xff\xff\xff\xff")  # Parquet, and Arrow as a file and as a stream
_NOT_TEXT = (
    (0, b"PK\x03\x04", "a zip archive (or an office document)"),
    (0, b"%PDF-", "a PDF document"),
    (0, b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (0, b"Rar!\x1a\x07", "a rar archive"),
    (0, b"\x04\x22\x4d\x18", "an lz4 file"),
    (0, b"\x1f\x9d", "a compress (.Z) file"),
    (0, b"\x89PNG", "a picture"),
    (0, b"\xff\xd8\xff", "a picture"),
    (0, b"\x89HDF", "an HDF5 file"),
    (0, b"SQLite format 3\x00", "an SQLite database"),
    (0, b"Obj\x01", "an Avro file"),
    (0, b"FEA1", "a Feather file of version 1"),
    (257, b"ustar", "a tar archive"),
)


@dataclass(frozen=True)
class Source:
    """One input, resolved."""

    path: str  # a local path, "-", or a URI (s3:// gs:// http:// https://)
    kind: str  # "text", "parquet", "arrow", "jsonl", "mediawiki"; "run"; "cooccurrences", "vocab" (Stanford's)
    compression: str  # "", "gz", "bz2", "xz" or "zst"
    size: int | None  # bytes as stored, None where unknown


def resolve(inputs: Sequence[str], column: str | None = None) -> list[Source]:
    """The sources that *inputs* name, in their order; folders (with what is in them) and globs are expanded, sorted.

    Hidden files are left out. *column* tells that text beginning with "{" is JSON Lines. "-" stays as it is: `spool`
    it before reading. Raises StreamvecError when an input is missing, matches nothing, may not be read, or is of a
    kind that is not text.
    """
    if not inputs:
        raise StreamvecError("no input: name a file, a folder, a glob, a URI, or - for standard input")
    if list(inputs).count("-") > 1:
        raise StreamvecError("- (standard input) is given twice: it can be read only once")
    sources = [
        Source("-", "text", "", None) if path == "-" else inspect(path, column)
        for name in inputs
        for path in expand(name)
    ]
    if column is not None and all(source.kind in ("text", "mediawiki") and source.path != "-" for source in sources):
        raise StreamvecError(
            f"{sources[0].path}: --column {column} is given, but no input has columns: plain text needs none"
        )
    return sources


def expand(name: str) -> list[str]:
    """The files and addresses that one INPUT names: those of a folder, a glob or a bucket, sorted."""
    if name == "-":
        return [name]
    if is_remote(name):
        bucket_like = not name.lower().startswith("http")
        listed = bucket_like and (name.endswith("/") or _GLOB.search(name))
        return list_remote(name) if listed else [name]
    scheme, mark, rest = name.partition("://")
    if mark and scheme.isalnum():
        if scheme.lower() != "file":
            raise StreamvecError(f"{name}: {scheme}:// cannot be read: s3, gs, http and https can")
        name = rest
    if not name:
        raise StreamvecError("an input is an empty name: name a file, a folder, a glob or a URI")
    path = Path(name)
    with named_problems(name):
        if not os.path.lexists(name) and _GLOB.search(name):
            matches = sorted(glob.glob(name, recursive=True), key=os.fsencode)  # noqa: PTH207 - may be absolute
            files = [file for match in matches for file in _expand_path(Path(match), named=False)]
            if not files:
                raise StreamvecError(f"{name}: nothing matches: check the spelling, or quote less")
            return list(dict.fromkeys(files))  # "**" names a folder and the files in it
        path.stat()
        files = list(_expand_path(path, named=True))
    if not files:
        raise StreamvecError(f"{name}: a folder without files: name another one")
    return files


def _expand_path(path: Path, named: bool) -> Iterator[str]:
    """The file itself, or the regular files below a folder, sorted by name; symbolic links are followed."""
    mode = path.stat().st_mode
    if stat.S_ISDIR(mode):
        yield from _walk(path, ())
    elif stat.S_ISREG(mode):
        yield str(path)
    elif named:
        raise StreamvecError(f"{path}: not a file that can be read twice: pipe it in and name it -")


def _walk(folder: Path, above: tuple[tuple[int, int], ...]) -> Iterator[str]:
    here = folder.stat()
    identity = (here.st_dev, here.st_ino)
    if identity in above:
        raise StreamvecError(f"{folder}: a symbolic link to a folder that holds it: remove the link")
    for entry in sorted(folder.iterdir(), key=lambda entry: os.fsencode(entry.name)):
        if entry.name.startswith("."):
            continue
        if entry.is_dir():
            yield from _walk(entry, (*above, identity))
        else:
            yield from _expand_path(entry, named=False)


def inspect(path: str, column: str | None = None) -> Source:
    """The Source that one file or URI is, by its first bytes and its name; opens it and reads its head."""
    with open_stored(path) as stored:
        stored_head = read_head(stored)
        size = stored.stat().size if isinstance(stored, RemoteFile) else os.fstat(stored.fileno()).st_size
    compression = compression_by_magic(stored_head)
    stated, name = compression_by_name(path.split("?")[0] if is_remote(path) else path)
    if stated and not compression and not stored_head.startswith(TABLES) and not looks_like_text(stored_head):
        raise StreamvecError(f"{path}: not a {stated} file, whatever its name says: damaged or cut short")
    with open_stored(path) as stored:
        head = PlainStream(stored, compression, path).read(_HEAD) if compression else stored_head[:_HEAD]
    return Source(path, _kind(path, name, head, compression, column), compression, size)


def read_head(stored: Readable) -> bytes:
    """The first bytes, as many as tell what a file is."""
    head = b""
    while len(head) < _HEAD and (more := stored.read(_HEAD - len(head))):
        head += more
    return head


def looks_like_text(head: bytes) -> bool:
    """Whether these first bytes are UTF-8 without control characters."""
    if not head or re.search(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]", head) or (head.startswith(b"BZh") and len(head) < 10):
        return False
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return False
    return True


def _kind(path: str, name: str, head: bytes, compression: str, column: str | None) -> str:
    suffix = Path(name).suffix.lower()
    if head.startswith(TABLES):
        kind = "parquet" if head.startswith(b"PAR1") else "arrow"
        if compression:
            raise StreamvecError(f"{path}: a {kind} file within a {compression} file: unpack it first")
        return kind
    if suffix in (".parquet", ".arrow", ".feather", ".arrows") and head:
        raise StreamvecError(f"{path}: not a Parquet or Arrow file, whatever its name says: damaged, or rename it")
    for place, magic, called in _NOT_TEXT:
        if head[place:].startswith(magic):
            raise StreamvecError(f"{path}: {called}, not text: unpack or convert it first")
    if compression_by_magic(head):
        raise StreamvecError(f"{path}: compressed twice: unpack it once first")
    if _MEDIAWIKI.match(head):
        return "mediawiki"
    if suffix == ".xml":
        raise StreamvecError(f"{path}: XML, but not a MediaWiki dump: convert it to plain text first")
    opening = head.removeprefix(b"\xef\xbb\xbf").lstrip()[:1]
    if suffix in (".jsonl", ".ndjson") or (opening == b"{" and (suffix == ".json" or column is not None)):
        return "jsonl"
    if looks_like_entries(head):
        raise StreamvecError(
            f"{path}: co-occurrences as Stanford's GloVe writes them, not text: streamvec train glove takes them with "
            "--vocab vocab.txt"
        )
    if suffix == ".json":
        raise StreamvecError(f"{path}: not JSON Lines: put one object a line, for example with jq -c '.[]'")
    return "text"


def fingerprint(source: Source) -> dict[str, Any]:
    """What run.json keeps of a source, to notice on resuming that it changed: names, sizes, dates, two checksums.

    Local files: size, modified (nanoseconds), and the xxh3-128 of the first and the last 64 KB. Remote ones: size and
    the ETag or date the server states.
    """
    if is_remote(source.path):
        with open_remote(source.path) as remote:
            size, version = remote.stat()
        return {"path": source.path, "size": size, "version": version}
    with opened(source.path) as file:
        status = os.fstat(file.fileno())
        head = xxhash.xxh3_128_hexdigest(file.read(_STORED_HEAD))
        file.seek(max(0, status.st_size - _STORED_HEAD))
        tail = xxhash.xxh3_128_hexdigest(file.read(_STORED_HEAD))
    return {
        "path": source.path,
        "size": status.st_size,
        "modified": status.st_mtime_ns,
        "head": head,
        "tail": tail,
    }


def without_date(found: dict[str, Any]) -> dict[str, Any]:
    """A fingerprint without the date: a file that was only copied or touched is the same one by size and both ends."""
    return {name: value for name, value in found.items() if name != "modified"}


def spool(stream: IO[bytes], path: Path, column: str | None = None) -> Source:
    """Copies *stream* (standard input) to *path*, whole or not at all, so that it can be read twice.

    Returns its Source. Text is stored as zstd, decompressed first where it comes compressed; Parquet and Arrow are
    stored as they are. Raises StreamvecError when *stream* is a terminal, empty or no text, or the disk is full.
    """
    keep(stream, path)
    try:
        return inspect(str(path), column)
    except StreamvecError:
        remove(path)
        raise


def keep(stream: IO[bytes], path: Path) -> None:
    """Copies *stream* as `spool` does, whatever is in it."""
    if stream.isatty():
        raise StreamvecError("- reads text from a pipe, but standard input is a terminal: pipe text in, or name a file")
    head = read_head(stream)
    if not head:
        raise StreamvecError("- (standard input) is empty: check the command before the pipe")
    with whole_file(path) as file:
        if head.startswith(TABLES):
            file.write(head)
            while piece := stream.read(PIECE):
                file.write(piece)
        else:
            compression = "" if looks_like_entries(head) else compression_by_magic(head)
            plain = PlainStream(_Rejoined(head, stream), compression, "- (standard input)")
            with zstd.ZstdFile(file, "wb", options=_KEPT) as packed:
                while piece := plain.read(PIECE):
                    packed.write(piece)


class _Rejoined:
    """A stream whose first bytes were read already, put together again."""

    def __init__(self, head: bytes, stream: IO[bytes]) -> None:
        self._head = head
        self._stream = stream

    def read(self, size: int) -> bytes:
        if self._head:
            piece, self._head = self._head[:size], self._head[size:]
            return piece
        return self._stream.read(size)
