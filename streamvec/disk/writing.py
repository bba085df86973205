"""The one place that changes a disk: what is written appears whole or not at all, and then survives a power cut.

Files are written beside their place (NAME.partial), flushed to the disk, renamed, and the name is flushed too. Folders
are made, renamed and removed so that the system has put it on the disk before the next step begins: the order in which
files come and go is the order in which they are lost or kept.
"""

import contextlib
import fcntl
import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from streamvec.disk.problems import named_problems
from streamvec.errors import StreamvecError

PARTIAL = ".partial"  # not whole yet
REMOVED = ".removed" + PARTIAL  # a folder not whole any more


@contextlib.contextmanager
def whole_file(path: Path) -> Iterator[IO[bytes]]:
    """Opens a binary file that takes the name *path* only when the block ends well; otherwise nothing is left.

    Yields a file open for reading and writing, beside its final place. A symbolic link stays one: what it leads to is
    written. Raises StreamvecError when the disk is full, the folder may not be written, or *path* is a device or pipe.
    """
    path = Path(path)
    with named_problems(path):
        if path.is_dir():
            raise StreamvecError(f"{path}: a folder: name a file, or move it away")
        if path.exists() and not path.is_file():
            raise StreamvecError(f"{path}: a device or a pipe, not a file that can be written whole: name a file")
        path = Path(os.path.realpath(path)) if path.is_symlink() else path
        beside = _beside(path)
        with _alone(beside) as file:
            try:
                if path.exists():
                    os.fchmod(file.fileno(), stat.S_IMODE(path.stat().st_mode))  # what was private stays so
                yield file
                file.flush()
                os.fsync(file.fileno())
                beside.replace(path)
            except BaseException:
                beside.unlink(missing_ok=True)
                raise
        sync_folder(path.parent)


@contextlib.contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """Yields a folder beside *path* to fill; it takes the name *path*, replacing nothing, when the block ends well."""
    path = Path(path)
    beside = _beside(path)
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


def append(path: Path, data: bytes) -> None:
    """Adds *data* to the end of a file, which need not be there. A power cut may take it: for records only."""
    with named_problems(path), path.open("ab") as file:
        file.write(data)


def make_folder(path: Path) -> None:
    """Makes a folder, and those it is in, unless they are there."""
    path = Path(path)
    with named_problems(path):
        missing = [one for one in (path, *path.parents) if not one.exists()]
        path.mkdir(parents=True, exist_ok=True)
        for one in missing:
            sync_folder(one.parent)


def rename(old: Path, new: Path) -> None:
    """Gives a file or folder another name, in place of a file that had it."""
    with named_problems(new):
        old.replace(new)
        for folder in {old.parent, new.parent}:
            sync_folder(folder)


def remove(*paths: Path) -> None:
    """Removes files and folders, those that are there; a folder vanishes from its place at once."""
    for path in paths:
        with named_problems(path):
            if path.is_dir() and not path.is_symlink():
                going = path.with_name(path.name + REMOVED)
                if going.exists():
                    shutil.rmtree(going)
                path.replace(going)
                shutil.rmtree(going)
            else:
                path.unlink(missing_ok=True)
    for folder in {path.parent for path in paths}:
        if folder.is_dir():
            with named_problems(folder):
                sync_folder(folder)


def remove_partial(path: Path) -> None:
    """Removes what a kill or a power cut left half-written at *path*, which must be ours alone, and below it."""
    if not os.path.lexists(path):  # also a name that is longer than any
        return
    if path.name.endswith(PARTIAL):
        with named_problems(path):
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink(missing_ok=True)
    elif path.is_dir() and not path.is_symlink():
        for one in path.iterdir():
            remove_partial(one)


def link(old: Path, new: Path) -> None:
    """Gives a file a second name; where the disk cannot, a copy has it."""
    with named_problems(new):
        try:
            os.link(old, new)
        except OSError:
            with old.open("rb") as source, whole_file(new) as copy:
                shutil.copyfileobj(source, copy, 1 << 20)
        else:
            sync_folder(new.parent)


@contextlib.contextmanager
def scratch() -> Iterator[Path]:
    """A folder for the block alone, where the system keeps what is temporary."""
    import tempfile  # no look-up in the shell waits for it

    with tempfile.TemporaryDirectory(prefix="streamvec-") as folder:
        yield Path(folder)


@contextlib.contextmanager
def nameless() -> Iterator[IO[bytes]]:
    """A file without a name for the block alone, open for reading and writing, where the system keeps what is
    temporary: it is gone however this process ends."""
    import tempfile

    with named_problems(Path(tempfile.gettempdir())), tempfile.TemporaryFile() as file:
        yield file


@contextlib.contextmanager
def claimed(path: Path, wait: bool = False) -> Iterator[int]:
    """Holds the file *path* against other processes while the block runs, however it ends; yields its handle.

    Raises BlockingIOError where another has it and *wait* is false, StreamvecError where the system refuses the file.
    """
    with named_problems(path):
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o644)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        yield handle
    finally:
        os.close(handle)


def sync_folder(path: Path) -> None:
    """Makes the names in a folder (renames, removals) durable."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _beside(path: Path) -> Path:
    return path.with_name(path.name + PARTIAL)


@contextlib.contextmanager
def _alone(path: Path) -> Iterator[IO[bytes]]:
    """Opens *path*, emptied, for reading and writing; StreamvecError where another process writes it."""
    while True:
        if path.is_symlink() or path.is_fifo():
            path.unlink()  # or another file would be emptied, or what is written be lost
        with os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o666), "r+b") as file:
            if _is_ours(path, file.fileno()):
                file.truncate(0)
                yield file
                return


def _folder_alone(path: Path) -> int:
    """Makes the folder *path*, or empties it; a handle that holds its lock."""
    while True:
        make_folder(path)
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
