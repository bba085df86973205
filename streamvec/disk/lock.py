"""One trainer a RUN: an advisory lock that the operating system drops when its holder dies, however it dies."""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from streamvec.disk.files import named_problems
from streamvec.errors import StreamvecError


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Holds ``folder/lock`` while the block runs; StreamvecError when another process holds it."""
    path = Path(folder) / "lock"
    with named_problems(path):
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(handle, 32).decode("ascii", "replace").strip() or "unknown"
            raise StreamvecError(
                f"{folder}: in use by another streamvec (process {holder}): wait for it, or stop it first"
            ) from None
        os.ftruncate(handle, 0)
        os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(handle)
