"""Checkpoints: a model's arrays and its position, on disk whole or not at all, the last two kept.

``checkpoints/EEEE-BBBBBBBBB/`` (epoch and batch of the next step) holds ``arrays.safetensors`` and ``state.json``,
which carries how many steps an epoch has, the checksum of the arrays and its own.
"""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from streamvec.disk.reading import checksum_of
from streamvec.disk.sealed import read_json, write_json
from streamvec.disk.tensors import Stored, fill_tensors, save_tensors
from streamvec.disk.writing import make_folder, remove, rename, whole_folder
from streamvec.errors import StreamvecError
from streamvec.models.step import Position

ARRAYS, STATE = "arrays.safetensors", "state.json"
VERSION = 1  # of what state.json and the arrays hold; not stated by those of streamvec 0.1
_DAMAGED = ".damaged"
_NAME = re.compile(r"\d{4,}-\d{9,}")


class OtherVersion(StreamvecError):
    """A checkpoint that is whole, but not for this streamvec."""


class Checkpoints:
    """The checkpoints of one RUN, the last *kept* of them; *steps*: of an epoch, which those that are saved say."""

    def __init__(self, folder: Path, kept: int = 2, steps: int | None = None) -> None:
        self.folder = folder
        self.kept = kept
        self._said = {} if steps is None else {"steps": steps}

    def paths(self) -> list[Path]:
        """All whole checkpoints, the newest first."""
        if not self.folder.is_dir():
            return []
        found = [path for path in self.folder.iterdir() if _NAME.fullmatch(path.name)]
        return sorted(found, key=lambda path: _position(path), reverse=True)

    def newest(self) -> Position | None:
        """The position of the newest whole checkpoint, if there is one; its content is not looked at."""
        paths = self.paths()
        return _position(paths[0]) if paths else None

    def save(self, position: Position, arrays: Mapping[str, Stored], state: Mapping[str, Any]) -> Path:
        """Writes a checkpoint and then removes all but the last ones; StreamvecError when the disk is full."""
        path = self.folder / f"{position.epoch:04d}-{position.batch:09d}"
        make_folder(self.folder)
        if path.exists():
            return path
        with whole_folder(path) as beside:
            checksum = save_tensors(beside / ARRAYS, arrays)
            said = {"version": VERSION, **state, **self._said, "position": list(position), "arrays": checksum}
            write_json(beside / STATE, said)
        self.remove_old()
        return path

    def remove_old(self) -> None:
        """Removes all but the last ones."""
        remove(*self.paths()[self.kept :])

    def load(self, arrays: Mapping[str, Stored], note: Callable[[str], None]) -> tuple[Position, dict] | None:
        """Fills *arrays* from the newest checkpoint that is whole; returns its position and state.

        A damaged one is put aside (NAME.damaged) and the one before is taken, with a *note*. None when there is no
        checkpoint; StreamvecError when there are some and all are damaged, one is of another version, or the system
        refuses to read one.
        """
        paths = self.paths()
        for path in paths:
            try:
                state = self.verify(path)
                fill_tensors(path / ARRAYS, arrays)
            except StreamvecError as problem:
                if isinstance(problem, OtherVersion):
                    raise
                if isinstance(problem.__cause__, OSError) and not isinstance(problem.__cause__, FileNotFoundError):
                    raise  # the disk or a permission, not the bytes: nothing is known to be damaged
                note(f"checkpoint {path} is damaged and is put aside: {problem}")
                rename(path, _free(path.with_name(path.name + _DAMAGED)))
                continue
            return Position(*state["position"]), state
        if paths or (self.folder.exists() and any(_DAMAGED in path.name for path in self.folder.iterdir())):
            raise StreamvecError(
                f"{self.folder}: all checkpoints were damaged: train again with --overwrite, and check the disk"
            )
        return None

    def verify(self, path: Path) -> dict[str, Any]:
        """Reads every byte of a checkpoint against its checksums and returns its state; StreamvecError when damaged."""
        state = read_json(path / STATE)
        if state.get("version", VERSION) != VERSION:
            raise OtherVersion(
                f"{path / STATE}: a checkpoint of version {state['version']}, this streamvec reads version {VERSION}: "
                "go on with the streamvec that wrote it"
            )
        if checksum_of(path / ARRAYS) != state.get("arrays"):
            raise StreamvecError(f"{path / ARRAYS}: damaged: its checksum does not match {STATE}")
        if list(_position(path)) != state.get("position"):
            raise StreamvecError(f"{path}: is not the checkpoint its {STATE} speaks of")
        return state


def _free(path: Path) -> Path:
    """A name that is not taken: *path*, or with a number after it."""
    found, number = path, 2
    while found.exists():
        found, number = path.with_name(f"{path.name}-{number}"), number + 1
    return found


def _position(path: Path) -> Position:
    epoch, batch = path.name.split("-")
    return Position(int(epoch), int(batch))
