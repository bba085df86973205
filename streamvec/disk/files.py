"""Files that appear whole or not at all: write beside, fsync, rename, fsync the folder."""

import contextlib
import errno
import fcntl
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import xxhash

from streamvec.errors import StreamvecError

PARTIAL = ".partial"
_BLOCK = 1 << 20


@contextlib.contextmanager
def named_problems(path: Path | str) -> Iterator[None]:
    """Turns the operating system's refusals about *path* into a StreamvecError that says what to do."""
    try:
        yield
    except OSError as problem:
        where = problem.filename or path
        if problem.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            advice = "no space left on the disk: free some and run the same command again (or streamvec resume)"
        elif problem.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            advice = "permission denied: choose another place, or change the permissions"
        elif problem.errno == errno.ENOENT:
            advice = "no such file or folder: check the spelling"
        elif problem.errno in (errno.ENOTEMPTY, errno.EEXIST):
            where = problem.filename2 or where
            advice = "exists already: name another place, or remove it first"
        else:
            advice = problem.strerror or str(problem)
        raise StreamvecError(f"{where}: {advice}") from problem


@contextlib.contextmanager
def whole_file(path: Path) -> Iterator[IO[bytes]]:
    """Opens a binary file that takes the name *path* only when the block ends well; otherwise nothing is left.

    Yields a file open for reading and writing, beside its final place.
    Raises StreamvecError when the disk is full or the folder may not be written.
    """
    path = Path(path)
    beside = path.with_name(path.name + PARTIAL)
    with named_problems(path):
        if path.is_dir():
            raise StreamvecError(f"{path}: a folder: name a file, or move it away")
        with _alone(beside) as file:
            try:
                yield file
                file.flush()
                os.fsync(file.fileno())
                beside.replace(path)
            except BaseException:
                beside.unlink(missing_ok=True)
                raise
        sync_folder(path.parent)


@contextlib.contextmanager
def _alone(path: Path) -> Iterator[IO[bytes]]:
    """Opens *path*, emptied, for reading and writing; StreamvecError where another process writes it."""
    while True:
        with os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o666), "r+b") as file:
            if _is_ours(path, file.fileno()):
                file.truncate(0)
                yield file
                return


def _is_ours(path: Path, handle: int) -> bool:
    """Locks what is open; whether *path* is still its name: another process may have ended with it in between.

    Raises StreamvecError where another process has it.
    """
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return os.path.samestat(path.stat(), os.fstat(handle))
    except BlockingIOError:
        whole = path.with_name(path.name.removesuffix(PARTIAL))
        raise StreamvecError(f"{whole}: another process is writing it: wait for its end") from None
    except FileNotFoundError:
        return False


@contextlib.contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """Yields a folder beside *path* to fill; it takes the name *path*, replacing nothing, when the block ends well."""
    path = Path(path)
    beside = path.with_name(path.name + PARTIAL)
    with named_problems(path):
        handle = _folder_alone(beside)
        try:
            yield beside
            os.fsync(handle)
            beside.replace(path)
        except BaseException:
            shutil.rmtree(beside, ignore_errors=True)
            raise
        finally:
            os.close(handle)
        sync_folder(path.parent)


def _folder_alone(path: Path) -> int:
    """Makes the folder *path*, or empties it; a handle that holds its lock."""
    while True:
        path.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_RDONLY)
        try:
            if _is_ours(path, handle):
                for one in path.iterdir():
                    shutil.rmtree(one) if one.is_dir() and not one.is_symlink() else one.unlink()
                return handle
        except BaseException:
            os.close(handle)
            raise
        os.close(handle)


def sync_folder(path: Path) -> None:
    """Makes the names in a folder (renames, removals) durable."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def free_space(path: Path) -> tuple[Path, int]:
    """The nearest folder to *path* that exists, and the bytes that are free on its disk."""
    folder = path.absolute()
    while not folder.is_dir():
        folder = folder.parent
    with named_problems(folder):
        return folder, shutil.disk_usage(folder).free


def checksum_of(path: Path) -> str:
    """The xxh3-128 of a file's bytes, as 32 hexadecimal digits; reads a block at a time."""
    digest = xxhash.xxh3_128()
    with named_problems(path), Path(path).open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Writes *content*, and the checksum of its canonical form as its last entry, so that a flipped bit shows."""
    with whole_file(path) as file:
        file.write(sealed_json(content) + b"\n")


def sealed_json(content: dict[str, Any]) -> bytes:
    """The bytes of *content* and its checksum."""
    text = json.dumps({**content, "checksum": _json_checksum(content)}, indent=2, ensure_ascii=False)
    return text.encode("utf-8")


def read_json(path: Path) -> dict[str, Any]:
    """Reads what write_json wrote, without its checksum; StreamvecError when it is missing or damaged."""
    with named_problems(path):
        return unsealed_json(Path(path).read_bytes(), path)


def unsealed_json(raw: bytes, path: Path) -> dict[str, Any]:
    """The inverse of `sealed_json`, of bytes that stand in *path*; StreamvecError where they are damaged."""
    try:
        content = json.loads(raw)
        checksum = content.pop("checksum")
    except (ValueError, AttributeError, KeyError, TypeError) as problem:
        raise StreamvecError(f"{path}: damaged: not JSON with a checksum as streamvec writes it") from problem
    if checksum != _json_checksum(content):
        raise StreamvecError(f"{path}: damaged: its checksum does not match its content")
    found: dict[str, Any] = content
    return found


def _json_checksum(content: dict[str, Any]) -> str:
    canonical = json.dumps(content, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return xxhash.xxh3_128_hexdigest(canonical.encode("utf-8"))
