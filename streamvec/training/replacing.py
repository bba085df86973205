"""A RUN that takes the place of another: the earlier one is kept until there is something to put in its place."""

import contextlib
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from streamvec.corpus.sources import Source
from streamvec.disk.lock import locked
from streamvec.disk.pasting import pasted
from streamvec.disk.writing import PARTIAL, REMOVED, remove, remove_partial, rename
from streamvec.errors import StreamvecError
from streamvec.training.progress import Reporter
from streamvec.training.run import RUN_JSON, VECTORS, Run, foreign_names

_REPLACED = ".replaced"  # behind the name of a RUN that was moved out of the way


@contextlib.contextmanager
def replacing(
    folder: Path, overwrite: bool, report: Reporter, kind: str, settings: Mapping[str, Any], sources: Sequence[Source]
) -> Iterator[None]:
    """Moves what is in *folder* out of the way while a RUN of these settings is made there; what failed before it left
    anything brings the earlier one back. Raises as `_set_aside`."""
    aside = _set_aside(folder, overwrite, {"kind": kind, **settings, "inputs": [asdict(source) for source in sources]})
    try:
        yield
    except StreamvecError:  # also a stop: one may have seen a mistake
        if aside is not None and _is_nothing_yet(folder):
            remove(folder)
            rename(aside, folder)
        elif aside is not None:
            report.note(f"the RUN that was there before is kept as {aside} until this one is finished")
        raise
    if aside is not None:
        remove(aside)


def _set_aside(folder: Path, overwrite: bool, wanted: Mapping[str, Any]) -> Path | None:
    """Moves a RUN that is to be replaced out of the way; returns where to, or None where there was none.

    wanted: what run.json would say, told where the RUN stays because it differs.
    Raises StreamvecError where the folder holds anything else, or *overwrite* does not say that it may be replaced.
    """
    aside = _aside_of(folder)
    if folder.is_file():
        raise StreamvecError(f"{folder}: is a file: a RUN is a folder, choose another name for --out")
    is_aside = _is_ours(aside)
    if _is_nothing_yet(folder):
        if is_aside and not overwrite:
            raise StreamvecError(
                f"{aside}: is there, kept from an --overwrite that was killed: give --overwrite again, or rename it to "
                f"{folder}"
            )
        return aside if is_aside else None
    if not (folder / RUN_JSON).exists():
        raise StreamvecError(f"{folder}: holds files that are not a RUN: choose another name for --out")
    if not overwrite:
        raise StreamvecError(
            f"{folder}: exists already{_how_it_differs(folder, wanted)}: go on with `streamvec resume "
            f"{pasted(folder)}`, or replace it with --overwrite"
        )
    if foreign := foreign_names(folder):
        raise StreamvecError(
            f"{folder / foreign[0]}: is not a RUN's, and would be lost: move it, or choose another --out"
        )
    if is_aside and (folder / VECTORS).exists():
        remove(aside)  # what is finished has replaced it: a kill came before that
    elif is_aside:
        with locked(folder):
            remove(folder)  # a replacement that did not end, to be replaced itself
        return aside
    if _is_there(aside):
        raise StreamvecError(f"{aside}: is there, and no RUN: the earlier RUN is kept by that name: move it away")
    with locked(folder):
        rename(folder, aside)
    return aside


def place_of(out: Path | str) -> Path:
    """The folder that --out names, where a symbolic link leads; and never one without a name, as "." is."""
    folder = Path(out)
    return Path(os.path.realpath(folder)) if folder.is_symlink() or not folder.name else folder


def _aside_of(folder: Path) -> Path:
    """Where a RUN that is replaced is kept until the new one is finished."""
    return folder.with_name(folder.name + _REPLACED)


def _is_nothing_yet(folder: Path) -> bool:
    """Whether a folder is not there, or holds no more than a kill in the first moment of a RUN leaves."""
    begun = {RUN_JSON + PARTIAL, "lock"}
    return not folder.exists() or (folder.is_dir() and all(path.name in begun for path in folder.iterdir()))


def forget_replaced(folder: Path) -> None:
    """Removes the RUN that the one in *folder*, which is finished, has replaced: a kill may have come before that."""
    aside = _aside_of(folder)
    remove_partial(aside.with_name(aside.name + REMOVED))
    if _is_ours(aside):
        remove(aside)


def _is_there(path: Path) -> bool:
    """Whether there is anything of that name; one that is too long for the system is not."""
    with contextlib.suppress(OSError):
        return path.exists()
    return False


def _is_ours(folder: Path) -> bool:
    """Whether a folder is there that holds a RUN, and nothing else."""
    return _is_there(folder) and (folder / RUN_JSON).is_file() and not foreign_names(folder)


def _how_it_differs(folder: Path, wanted: Mapping[str, Any]) -> str:
    """What a RUN has that is not what is wanted, in words; empty where nothing is, or its run.json cannot be read."""
    try:
        about = Run.open(folder).about
    except StreamvecError:
        return ""
    if about["kind"] != wanted["kind"]:
        return f", of kind {about['kind']}, not {wanted['kind']}"
    parts = [
        f"{name}={made.get(name)}, not {value}"
        for made, asked in ((about[part] or {}, wanted[part] or {}) for part in ("config", "text"))
        for name, value in asked.items()
        if made.get(name) != value
    ]
    parts += [f"another {_OTHERWISE[name]}" for name in _OTHERWISE if about.get(name) != wanted.get(name)]
    return f", with {'; '.join(parts)}" if parts else ""


_OTHERWISE = {
    "inputs": "INPUT",
    "start": "start (--from, --vectors)",
    "vectors": "start (--vectors)",
    "valid": "--valid",
    "evaluate": "--evaluate",
    "report_gradients": "--report-gradients",
}
