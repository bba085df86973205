"""One trainer a RUN: an advisory lock that the operating system drops when its holder dies, however it dies."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from streamvec.disk.problems import named_problems
from streamvec.disk.reading import opened
from streamvec.disk.writing import claimed
from streamvec.errors import StreamvecError


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Holds ``folder/lock`` while the block runs; StreamvecError when another process holds it."""
    path = Path(folder) / "lock"
    with contextlib.ExitStack() as stack:
        try:
            handle = stack.enter_context(claimed(path))
        except BlockingIOError:
            with opened(path) as file:
                holder = file.read(32).decode("ascii", "replace").strip() or "unknown"
            raise StreamvecError(
                f"{folder}: in use by another streamvec (process {holder}): wait for it, or stop it first"
            ) from None
        with named_problems(path):
            os.ftruncate(handle, 0)
            os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)
        yield
