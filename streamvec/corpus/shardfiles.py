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

from streamvec.corpus.elsewhere import fetched
from streamvec.corpus.remote import is_remote
from streamvec.disk.arrow import arrow_reader, open_arrow, read_batch, verify_open_arrow
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
        self._held = contextlib.ExitStack()  # what the open one needs

    def __reduce__(self) -> tuple[Any, ...]:
        """Another process opens files for itself."""
        return type(self), (self.folder, self._index)

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
            near = [number for number, file in enumerate(shards._files) if not is_remote(file.get("at", ""))]
            sizes = [(Path(shards.place(number)), shards._files[number]["bytes"]) for number in near]
        except (KeyError, TypeError) as problem:
            raise StreamvecError(f"{path}: damaged: the entry {problem} is missing or wrong: {again}") from problem
        for number, (file, size) in zip(near, sizes, strict=True):
            with advised(shards._again(number)), named_problems(file):
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

    @property
    def is_elsewhere(self) -> bool:
        """Whether all files lie where other machines find them, too."""
        return all("at" in file for file in self._files)

    def place(self, shard: int) -> Path | str:
        """Where a file lies: in the folder, or elsewhere."""
        file = self._files[shard]
        return file["at"] if is_remote(file.get("at", "")) else self.folder / file.get("at", file["name"])

    def record_batch(self, number: int) -> tuple[pa.RecordBatch, Path | str]:
        """Record batch *number*, read and validated, and the shard it is in; IndexError for one beyond the last.

        A shard's checksum is checked the first time one of its batches is read, and whenever it is fetched. Raises
        StreamvecError when it is damaged.
        """
        if not 0 <= number < self.batches:
            raise IndexError(f"batch must be in 0 to {self.batches - 1}, got {number}")
        shard = int(np.searchsorted(self._first, number, side="right")) - 1
        if self._open is None or self._open[0] != shard:
            self._open = None
            self._held.close()
            self._open = shard, self._reader(shard, self._held)
        path = self.place(shard)
        return read_batch(self._open[1], number - int(self._first[shard]), path), path

    def readers(self) -> Iterator[tuple[pa.ipc.RecordBatchFileReader, Path | str]]:
        """Each file, mapped where it can be, so that what is not looked at is not read, and where it lies."""
        for shard in range(len(self._files)):
            with contextlib.ExitStack() as held:
                yield self._reader(shard, held, mapped=True), self.place(shard)

    def verify(self) -> None:
        """Reads every byte of every shard; StreamvecError names the first that is damaged."""
        for shard in range(len(self._files)):
            self._verified.discard(shard)
            self._verify(shard)

    def _reader(self, shard: int, held: contextlib.ExitStack, mapped: bool = False) -> pa.ipc.RecordBatchFileReader:
        """A file open for reading as long as *held* is; mapped: what is read of it is not believed to be whole."""
        place, again = self.place(shard), self._again(shard)
        if isinstance(place, Path):
            if not mapped:
                self._verify(shard)
            reader = open_arrow(place, mapped=mapped)
        else:
            file = held.enter_context(fetched(place))
            with advised(again):
                self._compare(shard, verify_open_arrow(file, place))
            reader = arrow_reader(file, place)
        if reader.num_record_batches != self._files[shard]["batches"] or not reader.schema.equals(self.SCHEMA):
            raise StreamvecError(f"{place}: not the shard that {INDEX} describes: {again}")
        return reader

    def _verify(self, shard: int) -> None:
        if shard in self._verified:
            return
        place = self.place(shard)
        with contextlib.ExitStack() as held:
            if isinstance(place, Path):
                held.enter_context(advised(self._again(shard)))
            found = verify_open_arrow(held.enter_context(fetched(str(place))), place)
        self._compare(shard, found)
        self._verified.add(shard)

    def _compare(self, shard: int, found: str) -> None:
        stated = self._files[shard]["checksum"]
        if found != stated:
            raise StreamvecError(
                f"{self.place(shard)}: its checksum is {found}, {INDEX} says {stated}: {self._again(shard)}"
            )

    def _again(self, shard: int) -> str:
        """What to do about a shard that is damaged, or is not there."""
        again = self.again(self.folder)
        return f"see to it that this machine has the folder, or {again}" if "at" in self._files[shard] else again
