"""The one place that opens files for reading: what the system refuses is named, and bytes have checksums."""

import contextlib
import mmap
import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, cast

import numpy as np
import pyarrow as pa
import xxhash

from streamvec.disk.problems import named_problems
from streamvec.errors import StreamvecError

_BLOCK = 1 << 20


@contextlib.contextmanager
def opened(path: Path | str, buffered: bool = True) -> Iterator[IO[bytes]]:
    """A binary file, open for reading; StreamvecError names it where opening or any use in the block fails."""
    with named_problems(path):
        _refuse_pipe(path)
    with named_problems(path), Path(path).open("rb", buffering=-1 if buffered else 0) as file:
        yield cast(IO[bytes], file)


def mapped(path: Path | str) -> mmap.mmap:
    """A file mapped into memory; ValueError where it is empty, StreamvecError where the system refuses."""
    with opened(path) as file:
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)


def mapped_array(path: Path | str) -> np.ndarray:
    """The array of an .npy file, mapped into memory; ValueError where it is none that can be."""
    with named_problems(path):
        found: np.ndarray = np.lib.format.open_memmap(path, mode="r")
    return found


def arrow_file(path: Path | str, mapped: bool = False) -> Any:
    """A file open for pyarrow to read, or mapped into memory by it."""
    with named_problems(path):
        _refuse_pipe(path)
        return pa.memory_map(os.fsencode(path)) if mapped else pa.OSFile(os.fsencode(path))


def _refuse_pipe(path: Path | str) -> None:
    """StreamvecError for a pipe with a name, in which nothing may ever come; a shell's <(...) has none but a number."""
    if stat.S_ISFIFO(Path(path).stat().st_mode) and not str(path).startswith(("/dev/", "/proc/")):
        raise StreamvecError(f"{path}: a pipe, not a file: save what comes in it as a file first, or give - for stdin")


def checksum_of(path: Path) -> str:
    """The xxh3-128 of a file's bytes, as 32 hexadecimal digits; reads a block at a time."""
    digest = xxhash.xxh3_128()
    with opened(path) as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def free_space(path: Path) -> tuple[Path, int]:
    """The nearest folder to *path* that exists, and the bytes that are free on its disk."""
    folder = path.absolute()
    while not folder.is_dir():
        folder = folder.parent
    with named_problems(folder):
        return folder, shutil.disk_usage(folder).free
