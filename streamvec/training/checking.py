"""One file against its checksum, whatever kind of file it is; a problem is said, and never raised."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from streamvec.corpus.elsewhere import fetched
from streamvec.corpus.remote import Unreachable, is_remote
from streamvec.disk.arrow import verify_arrow, verify_open_arrow
from streamvec.disk.reading import checksum_of
from streamvec.disk.sealed import json_checksum, read_json
from streamvec.errors import StreamvecError
from streamvec.training.checkpoint import STATE, Checkpoints

OK, DAMAGED, UNFINISHED, NO_CHECKSUM = "ok", "damaged", "unfinished", "no checksum"
AGAIN = "train again with --overwrite"


class Checked(NamedTuple):
    """What was found of one file."""

    path: Path | str  # a str names what lies on another machine
    bytes: int
    checksum: str | None  # xxh3-128, 32 hexadecimal digits, when it is what it should be
    state: str  # OK, DAMAGED, UNFINISHED (it is yet to be written, or not needed) or NO_CHECKSUM
    what: str = ""  # what is wrong and what to do


def checked(path: Path, read: Callable[[], str], advice: str) -> Checked:
    """A file whose checksum *read* gives, or a StreamvecError; *advice*: what to do then."""
    size, what = size_of(path), "missing"
    if path.exists():
        try:
            return Checked(path, size, read(), OK)
        except StreamvecError as problem:
            what = str(problem).removeprefix(f"{path}: ").removeprefix("damaged: ")
    return Checked(path, size, None, DAMAGED, f"{what}: {advice}" if advice else what)


def check_arrow(path: Path, advice: str) -> Checked:
    """An Arrow file, which carries its checksum."""
    return checked(path, lambda: verify_arrow(path), advice)


def check_shard(folder: Path, stated: dict[str, Any], advice: str) -> Checked:
    """An Arrow file of *folder*, or elsewhere, whose checksum an index states, too."""
    at = stated.get("at", "")

    def read() -> str:
        with fetched(at or str(folder / stated["name"])) as file:
            found = verify_open_arrow(file, at or folder / stated["name"])
        if found != stated["checksum"]:
            raise StreamvecError(
                f"whole, but another one: it has checksum {found}, its index says {stated['checksum']}"
            )
        return found

    if not is_remote(at):
        return checked(folder / (at or stated["name"]), read, advice)
    try:
        return Checked(at, stated["bytes"], read(), OK)
    except Unreachable as problem:
        return Checked(at, 0, None, NO_CHECKSUM, str(problem).removeprefix(f"{at}: "))
    except StreamvecError as problem:
        return Checked(at, 0, None, DAMAGED, f"{str(problem).removeprefix(f'{at}: ')}: {advice}")


def check_json(path: Path, advice: str) -> Checked:
    """A JSON file, whose last entry is its checksum."""

    def read() -> str:
        return json_checksum(read_json(path))

    return checked(path, read, advice)


def check_stated(path: Path, stated: str, where: str, advice: str) -> Checked:
    """Any file whose checksum stands in another one, of the name *where*."""

    def read() -> str:
        found = checksum_of(path)
        if found != stated:
            raise StreamvecError(f"its content has checksum {found}, {where} says {stated}")
        return found

    return checked(path, read, advice)


def unfinished(path: Path, what: str) -> Checked:
    """What is not there yet, or not needed."""
    return Checked(path, 0 if path.is_dir() else size_of(path), None, UNFINISHED, what)


def steps_told(checkpoints: Checkpoints) -> int | None:
    """Steps of an epoch, as the newest checkpoint tells; None where there is none, or it does not tell."""
    paths = checkpoints.paths()
    return content_of(paths[0] / STATE).get("steps") if paths else None


def content_of(path: Path) -> dict[str, Any]:
    """What a JSON file holds; nothing where it is missing or damaged, which is said elsewhere."""
    try:
        return read_json(path)
    except StreamvecError:
        return {}


def size_of(path: Path) -> int:
    """Bytes of a file; 0 for one that is not there, or not any more: a trainer may be at work."""
    try:
        return path.stat().st_size
    except OSError:  # a symbolic link to itself, too
        return 0
