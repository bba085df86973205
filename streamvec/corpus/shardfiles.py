"""A folder of Arrow files 00000.arrow, 00001.arrow, ... and an index.json, written last, that vouches for each of them.

What their record batches hold is the business of a kind: tokens (`streamvec.corpus.shards`) or co-occurrences
(`streamvec.corpus.cooccurrences`).
"""

import contextlib
import errno
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import numpy as np
import pyarrow as pa

from streamvec.disk.arrow import open_arrow, read_batch, verify_arrow
from streamvec.disk.pasting import pasted
from streamvec.disk.problems import named_problems
from streamvec.disk.sealed import read_json
from streamvec.errors import Interrupted, StreamvecError

INDEX = "index.json"
VERSION = 1


def shard_name(number: int) -> str:
    """The file name of shard *number*."""
    return f"{number:05d}.arrow"


@contextlib.contextmanager
def advised(advice: str) -> Iterator[None]:
    """Adds what to do to a StreamvecError about a damaged or missing file."""
    try:
        yield
    except Interrupted:
        raise
    except StreamvecError as problem:
        cause = problem.__cause__
        if isinstance(cause, OSError) and cause.errno not in (None, errno.ENOENT):
            raise  # the system refuses: what it takes to read the file is said already
        said = str(problem).removesuffix(": check the spelling")
        raise StreamvecError(f"{said}: {advice}") from problem


class ShardFiles:
    """Shards of one kind, read a record batch at a time."""

    KIND = ""
    SCHEMA = pa.schema([])
    AGAIN = "train again with --overwrite"  # what to do about a damaged one, of {folder}, of {run}

    def __init__(self, folder: Path, index: dict[str, Any]) -> None:
        self.folder = folder
        self._index = index
        self.batches: int = index["batches"]
        self.vocabulary_checksum: str = index["vocabulary_checksum"]
        self.vocabulary_size: int = index["vocabulary_size"]
        self._files: list[dict[str, Any]] = index["shards"]
        self._first = np.cumsum([0] + [file["batches"] for file in self._files])  # batch each file begins with
        self._verified: set[int] = set()
        self._open: tuple[int, Any] | None = None

    @classmethod
    def open(cls, folder: Path) -> Self:
        """The shards in *folder*; StreamvecError when they are missing, damaged, cut short or of another version."""
        folder = Path(folder)
        path, again = folder / INDEX, cls.again(folder)
        with advised(again):
            index = read_json(path)
        if index.get("kind") != cls.KIND or index.get("version") != VERSION:
            raise StreamvecError(
                f"{path}: expected shards of kind {cls.KIND!r}, version {VERSION}, found "
                f"{index.get('kind')!r}, version {index.get('version')}: {again} with this streamvec"
            )
        try:
            shards = cls(folder, index)
            sizes = [(folder / file["name"], file["bytes"]) for file in shards._files]
        except (KeyError, TypeError) as problem:
            raise StreamvecError(f"{path}: damaged: the entry {problem} is missing or wrong: {again}") from problem
        for file, size in sizes:
            with advised(again), named_problems(file):
                found = file.stat().st_size
            if found != size:
                raise StreamvecError(f"{file}: damaged or cut short: {found} bytes, expected {size}; {again}")
        return shards

    @classmethod
    def again(cls, folder: Path) -> str:
        """What to do about a damaged one of the shards in *folder*."""
        return cls.AGAIN.format(folder=folder, run=pasted(folder.parent))

    def twin(self) -> Self:
        """Another reader of the same shards, for another thread: neither checks again what the other has checked."""
        twin = type(self)(self.folder, self._index)
        twin._verified = self._verified
        return twin

    def record_batch(self, number: int) -> tuple[pa.RecordBatch, Path]:
        """Record batch *number*, read and validated, and the shard it is in; IndexError for one beyond the last.

        A shard's checksum is checked the first time one of its batches is read. Raises StreamvecError when it is
        damaged.
        """
        if not 0 <= number < self.batches:
            raise IndexError(f"batch must be in 0 to {self.batches - 1}, got {number}")
        shard = int(np.searchsorted(self._first, number, side="right")) - 1
        path = self.folder / self._files[shard]["name"]
        if self._open is None or self._open[0] != shard:
            self._verify(shard)
            reader = open_arrow(path, mapped=False)
            if reader.num_record_batches != self._files[shard]["batches"] or not reader.schema.equals(self.SCHEMA):
                raise StreamvecError(f"{path}: not the shard that {INDEX} describes: {self.again(self.folder)}")
            self._open = shard, reader
        return read_batch(self._open[1], number - int(self._first[shard]), path), path

    def files(self) -> list[tuple[Path, int]]:
        """Each file, and how many record batches it holds."""
        return [(self.folder / file["name"], file["batches"]) for file in self._files]

    def verify(self) -> None:
        """Reads every byte of every shard; StreamvecError names the first that is damaged."""
        for shard in range(len(self._files)):
            self._verified.discard(shard)
            self._verify(shard)

    def _verify(self, shard: int) -> None:
        if shard in self._verified:
            return
        path, stated = self.folder / self._files[shard]["name"], self._files[shard]["checksum"]
        with advised(self.again(self.folder)):
            found = verify_arrow(path)
        if found != stated:
            raise StreamvecError(f"{path}: its checksum is {found}, {INDEX} says {stated}: {self.again(self.folder)}")
        self._verified.add(shard)
