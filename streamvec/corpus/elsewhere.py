"""Finished shards that lie elsewhere than in their RUN: in a folder that machines share, or in an object store.

A file goes there whole, and is called <place>/<what it was made from>/00000.arrow: RUNs that share a place never meet,
unless they hold the same. Nothing is ever removed there.
"""

import contextlib
import json
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any

import xxhash

from streamvec.corpus.remote import is_remote, open_remote, write_remote
from streamvec.disk.reading import opened
from streamvec.disk.writing import make_folder, nameless, whole_file
from streamvec.errors import StreamvecError

_PIECE = 1 << 20


def place_of_shards(place: str) -> str:
    """A folder, or s3://BUCKET/PREFIX, by the name that it has from anywhere; StreamvecError where it is neither."""
    if not is_remote(place):
        return str(Path(place).absolute())
    if not place.lower().startswith("s3://"):
        raise StreamvecError(f"{place}: shards can be kept in a folder or under s3://BUCKET/PREFIX")
    return place.rstrip("/")


class Shelf:
    """Where the files of one folder of shards go."""

    def __init__(self, place: str, made_from: Mapping[str, Any]) -> None:
        """place: see `place_of_shards`; made_from: all that decides the bytes of the files, as JSON."""
        self._root = (
            f"{place_of_shards(place)}/{xxhash.xxh3_64(json.dumps(made_from, sort_keys=True).encode()).hexdigest()}"
        )

    @classmethod
    def of(cls, at: str) -> "Shelf":
        """That on which the file at *at* lies."""
        shelf = cls.__new__(cls)
        shelf._root = at.rpartition("/")[0]
        return shelf

    def put(self, path: Path) -> str:
        """Copies a finished file there; returns where it lies."""
        at = f"{self._root}/{path.name}"
        with opened(path) as file:
            if is_remote(at):
                write_remote(at, file)
            else:
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
