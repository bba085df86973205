"""A RUN that takes the place of another: the earlier one is kept until there is something to put in its place."""

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path

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
            shutil.rmtree(aside)
        elif aside is not None:
            aside.rename(folder)
        raise
    except StreamvecError:
        if aside is not None and folder.exists():
            report.note(f"the RUN that was there before is kept as {aside}")
        elif aside is not None:
            aside.rename(folder)
        raise
    if aside is not None:
        shutil.rmtree(aside)
