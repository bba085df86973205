"""A RUN that takes the place of another: the earlier one is kept until there is something to put in its place."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from streamvec.disk.writing import remove, rename
from streamvec.errors import Interrupted, StreamvecError
from streamvec.training.progress import Reporter
from streamvec.training.run import set_aside


@contextlib.contextmanager
def replacing(folder: Path, overwrite: bool, report: Reporter) -> Iterator[None]:
    """Moves what is in *folder* out of the way while a RUN is made there; what failed before it left anything brings
    the earlier one back. Raises as `set_aside`."""
    aside = set_aside(folder, overwrite)
    try:
        yield
    except Interrupted:
        if aside is not None and folder.exists():
            remove(aside)
        elif aside is not None:
            rename(aside, folder)
        raise
    except StreamvecError:
        if aside is not None and folder.exists():
            report.note(f"the RUN that was there before is kept as {aside}")
        elif aside is not None:
            rename(aside, folder)
        raise
    if aside is not None:
        remove(aside)
