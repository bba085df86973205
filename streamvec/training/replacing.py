"""A RUN that takes the place of another: the earlier one is kept until there is something to put in its place."""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from streamvec.corpus.sources import Source
from streamvec.disk.writing import remove, rename
from streamvec.errors import StreamvecError
from streamvec.training.progress import Reporter
from streamvec.training.run import is_nothing_yet, set_aside


@contextlib.contextmanager
def replacing(
    folder: Path, overwrite: bool, report: Reporter, kind: str, settings: Mapping[str, Any], sources: Sequence[Source]
) -> Iterator[None]:
    """Moves what is in *folder* out of the way while a RUN of these settings is made there; what failed before it left
    anything brings the earlier one back. Raises as `set_aside`."""
    aside = set_aside(folder, overwrite, {"kind": kind, **settings, "inputs": [asdict(source) for source in sources]})
    try:
        yield
    except StreamvecError:  # also a stop: one may have seen a mistake
        if aside is not None and is_nothing_yet(folder):
            remove(folder)
            rename(aside, folder)
        elif aside is not None:
            report.note(f"the RUN that was there before is kept as {aside} until this one is finished")
        raise
    if aside is not None:
        remove(aside)
