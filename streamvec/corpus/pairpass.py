"""One pass over the numbered pieces of a corpus that counts pairs in bounded memory, and can be stopped anywhere.

Every worker takes pieces and fills a table of its own; a full one becomes a run, as words do
(`streamvec.corpus.counting`). Now and then all is written, and a record says up to which piece everything is in runs.
What a piece is, and which pairs are in it, is the caller's business: neighbours (`streamvec.corpus.phrasepasses`) or
words within a window (`streamvec.corpus.cooccurrencestage`).
"""

import time
from collections.abc import Callable, Generator, Iterator, Mapping
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from streamvec.corpus import runfiles
from streamvec.corpus.crew import Crew
from streamvec.corpus.layout import RECORD
from streamvec.corpus.pairruns import merge_to_run
from streamvec.corpus.pipeline import Pipeline
from streamvec.corpus.release import give_memory_back
from streamvec.corpus.stitch import Start
from streamvec.disk.sealed import read_json, write_json
from streamvec.disk.writing import make_folder, remove
from streamvec.errors import Interrupted, StreamvecError

INTERVAL = 180.0  # seconds between records


class Piece(Protocol):
    """Some of the corpus."""

    @property
    def start(self) -> Start:
        """Its number."""


SomePiece = TypeVar("SomePiece", bound=Piece)


class PairPass(Generic[SomePiece]):
    """A pass in a folder of its own, which *identity* (JSON) tells from others: another one's remains are removed."""

    DOING = "counting pairs"

    def __init__(self, folder: Path, identity: Mapping[str, Any]) -> None:
        self.folder = folder
        self.first = 0  # pieces before it are in runs
        self.runs = runfiles.RunFiles(folder, merge_to_run)
        self._identity = dict(identity)
        self._more: dict[str, Any] = {}  # what the record says besides
        make_folder(folder)
        if (folder / RECORD).exists():
            self._load()
        self._tidy()

    def count(
        self,
        pieces: Generator[SomePiece, None, None],
        end: int,
        crew: Crew,
        report: Callable[[SomePiece], None],
        stop: Callable[[], bool],
        most: int = runfiles.MOST_RUNS,
    ) -> None:
        """Counts *pieces*, those from number `first` to *end*; Interrupted when *stop* says so, after a record.

        crew: of workers whose objects `take` a piece, and `spill` what they have counted.
        most: how many runs may be left in the end.
        *report* is called with each piece that is counted.
        """
        pipeline: Pipeline[SomePiece] = Pipeline(crew, "take")
        recorded = time.monotonic()

        def take(results: Iterator[tuple[SomePiece, None]]) -> None:
            for piece, _ in results:
                report(piece)

        try:
            for piece in pieces:
                stopped = stop()
                if stopped or self.runs.kept >= self.runs.at_once or time.monotonic() - recorded >= INTERVAL:
                    take(pipeline.drain())
                    self._record(piece.start.number, crew)
                    if stopped:
                        raise Interrupted(f"stopped while {self.DOING}")
                    self._merge(None, stop)
                    recorded = time.monotonic()
                take(pipeline.submit(piece))
            take(pipeline.drain())
        finally:
            pieces.close()
        self._record(end, crew)
        self._merge(most, stop)

    def _absorb(self) -> None:
        """Takes over what workers have counted besides pairs."""

    def _save(self, first: int) -> dict[str, Any]:
        """What the record must hold besides runs; files are written before."""
        return {}

    def _restore(self, content: dict[str, Any]) -> None:
        """Takes up what `_save` gave; KeyError or TypeError where it is not that."""

    def _files(self) -> set[str]:
        """The names of files that `_save` wrote, and the record knows."""
        return set()

    def _record(self, first: int, crew: Crew) -> None:
        """Spills all tables and writes down that all pieces before *first* are in runs."""
        crew.each("spill")
        self.runs.add_kept()
        self._absorb()
        self.first = first
        self._more = self._save(first)
        self._write_record()

    def _merge(self, most: int | None, stop: Callable[[], bool]) -> None:
        """Keeps runs few, what is in them being written down already; Interrupted when *stop* says so."""
        made = self.runs.made
        self.runs.merge_some(most, stop)
        if self.runs.made > made:
            self._write_record()
            give_memory_back()  # what merging leaves behind would be held as long as pairs are counted

    def _write_record(self) -> None:
        write_json(self.folder / RECORD, {**self._identity, "batch": self.first, **self._more, **self.runs.to_json()})
        self._tidy()

    def _load(self) -> None:
        path = self.folder / RECORD
        content = read_json(path)
        try:
            if any(content[name] != value for name, value in self._identity.items()):
                remove(self.folder)
                make_folder(self.folder)
                return
            self.first = content["batch"]
            self._restore(content)
            self.runs.restore(content)
        except (KeyError, TypeError) as problem:
            raise StreamvecError(f"{path}: written by another version of streamvec: remove {self.folder}") from problem

    def _tidy(self) -> None:
        """Removes what no record knows of."""
        known = self.runs.names | {RECORD} | self._files()
        remove(*(path for path in self.folder.iterdir() if path.name not in known))
