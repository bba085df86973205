"""Finished shards that lie elsewhere than in their RUN: in a folder that machines share, or in an object store.

A file goes there whole, and its checksum is its name: RUNs that share a place share files that are the same, and never
write over others. Nothing is ever removed there.
"""

import contextlib
import os
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, Protocol

from streamvec.corpus.remote import is_remote, open_remote, refuse_no_bucket, write_remote
from streamvec.disk.arrow import verify_arrow
from streamvec.disk.reading import opened
from streamvec.disk.writing import make_folder, nameless, whole_file
from streamvec.errors import StreamvecError

_PIECE = 1 << 20


class Readable(Protocol):
    """What has record batches."""

    def batch(self, number: int) -> Any:
        """One of them."""


def place_of_shards(place: str, run: Path) -> str:
    """A folder, or s3://BUCKET/PREFIX, by the name that it has from anywhere, for shards of the RUN *run*.

    Makes the folder. Raises StreamvecError where nothing can be written there.
    """
    if not is_remote(place):
        folder = Path(place).absolute()
        if folder.resolve().is_relative_to(run.resolve()):
            raise StreamvecError(f"{place}: lies in {run}: shards are kept there without --shards")
        make_folder(folder)
        if not os.access(folder, os.W_OK):
            raise StreamvecError(f"{place}: may not be written to: choose another place for --shards")
        return str(folder)
    if not place.lower().startswith("s3://"):
        raise StreamvecError(f"{place}: shards can be kept in a folder or under s3://BUCKET/PREFIX")
    refuse_no_bucket(place)
    return place.rstrip("/")


def put(path: Path, checksum: str, place: str) -> str:
    """Copies a finished file to one of the places that `place_of_shards` gives; returns where it lies."""
    at = f"{place}/{checksum}.arrow"
    with opened(path) as file:
        if is_remote(at):
            write_remote(at, file)
        elif not _is_whole(Path(at)):
            make_folder(Path(at).parent)
            with whole_file(Path(at)) as copy:
                shutil.copyfileobj(file, copy, _PIECE)
    return at


@contextlib.contextmanager
def fetched(at: str) -> Iterator[IO[bytes]]:
    """The file at *at*, open for reading and seeking: a copy where it is remote, that is gone with the block.

    Raises StreamvecError where it is not there, or cannot be read.
    """
    if not is_remote(at):
        with opened(at) as file:
            yield file
        return
    with nameless() as copy:
        with open_remote(at) as file:
            shutil.copyfileobj(file, copy, _PIECE)
        copy.seek(0)
        yield copy


def look_here(shards: Readable) -> None:
    """StreamvecError, with the name of this machine, where it cannot read what the one that leads has named."""
    try:
        shards.batch(0)
    except StreamvecError as problem:
        raise StreamvecError(
            f"on {socket.gethostname()}: {problem}: each node must see what --shards names: mount the folder there, or "
            "give it the credentials"
        ) from None


def _is_whole(path: Path) -> bool:
    """Whether a file is there as it was once put there."""
    try:
        return path.is_file() and verify_arrow(path) == path.stem
    except StreamvecError:
        return False
