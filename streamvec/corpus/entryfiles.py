"""Files of co-occurrences as Stanford's GloVe writes them, read twice: looked over first, then counted as pairs.

Sums must be whole numbers, so that they are the same in any order: the first reading finds how fine the parts of 1 can
be that all values together, in 62 bits, are counted in. A file is read a piece of 16,384 records at a time.
"""

import os
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from math import frexp, inf
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from streamvec.corpus.compression import compression_by_magic, compression_by_name
from streamvec.corpus.cooccurrences import KIND, own
from streamvec.corpus.crew import Crew, Crews, Keep
from streamvec.corpus.entryrecords import RECORD, RECORD_BYTES, looks_like_entries
from streamvec.corpus.pairpass import INTERVAL
from streamvec.corpus.pairruns import PairCounter
from streamvec.corpus.pipeline import read_ahead
from streamvec.corpus.remote import RemoteFile, is_remote
from streamvec.corpus.runfiles import RunFiles
from streamvec.corpus.sources import Source, expand, looks_like_text, read_head
from streamvec.corpus.stitch import Start
from streamvec.corpus.streams import PlainStream, open_plain, open_stored
from streamvec.errors import Interrupted, StreamvecError
from streamvec.kernels.entries import SMALLEST, TOTAL, number_entries, weigh_entries
from streamvec.kernels.records import Bands

PIECE_RECORDS = 1 << 14  # as many bytes as a record batch of tokens
_PIECE_BYTES = PIECE_RECORDS * RECORD_BYTES
_HEAD = 4096  # bytes that tell what a file is
_BITS = 62  # that the sum of all values, in units, has at most
_SMALLEST_UNIT = 126  # 2 to the power of minus this is the smallest float32 with all its digits
_LARGEST_TOTAL = 2.0**127  # within float32


class EntryPiece(NamedTuple):
    """Some records of a file."""

    start: Start  # its number among all pieces
    records: bytes
    first: int  # number of its first record in the file, from 1
    path: str


@dataclass
class Survey:
    """What the first reading knows so far: which records there are, and the size of their values."""

    files: list[int] = field(default_factory=list)  # records of each file that was read to its end
    records: int = 0  # of the next one, in whole pieces
    total: float = 0.0
    smallest: float = inf

    def to_json(self) -> dict[str, Any]:
        """As it stands in a record."""
        return {**asdict(self), "smallest": self.smallest if self.smallest < inf else None}

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> "Survey":
        """What `to_json` gave."""
        known = {**content, "smallest": inf if content["smallest"] is None else content["smallest"]}
        return cls(**known)

    @property
    def exponent(self) -> int:
        """Values are counted in parts of 2 to the power of minus this."""
        return min(_SMALLEST_UNIT, _BITS - frexp(self.total)[1])

    @property
    def relative_error(self) -> float:
        """By how much the smallest value may be off, at most, as a part of it."""
        return 2.0 ** -(self.exponent + 1) / self.smallest if self.smallest * 2.0**self.exponent >= 0.5 else inf


def resolve_entries(inputs: Sequence[str]) -> list[Source]:
    """The files that *inputs* name, in their order, as sources of kind "cooccurrences".

    Raises StreamvecError when one is missing, empty, cut short, text, or not what its suffix says.
    """
    return [_inspect(path) for name in inputs for path in expand(name)]


def _inspect(path: str) -> Source:
    if path == "-":
        return Source(path, KIND, "", None)
    with open_stored(path) as stored:
        stored_head = read_head(stored)
        size = stored.stat().size if isinstance(stored, RemoteFile) else os.fstat(stored.fileno()).st_size
    compression = "" if looks_like_entries(stored_head) else compression_by_magic(stored_head)
    stated, _ = compression_by_name(path.split("?")[0] if is_remote(path) else path)
    if stated and not compression and not looks_like_entries(stored_head):
        raise StreamvecError(f"{path}: not a {stated} file, whatever its name says: damaged or cut short")
    with open_stored(path) as stored:
        head = PlainStream(stored, compression, path).read(_HEAD)
    if not head:
        raise StreamvecError(f"{path}: empty: there are no co-occurrences in it")
    if looks_like_text(head):
        raise StreamvecError(
            f"{path}: text, not co-occurrences as Stanford's GloVe writes them: leave --vocab out to train on text"
        )
    if not compression and size is not None and size % RECORD_BYTES:
        raise _cut_short(path, size)
    local = not is_remote(path)
    return Source(str(Path(path).absolute()) if local else path, KIND, compression, size)


def _cut_short(path: str, size: int) -> StreamvecError:
    return StreamvecError(
        f"{path}: cut short, or not co-occurrences as Stanford's GloVe writes them: {size:,} bytes are no whole number "
        f"of records of {RECORD_BYTES} bytes"
    )


def look_over(
    sources: Sequence[Source],
    words: int,
    survey: Survey,
    record: Callable[[Survey], None],
    report: Callable[[float | None], None],
    stop: Callable[[], bool],
) -> None:
    """Reads *sources* from where *survey* (updated) is to their end.

    *record* is called every three minutes, and before Interrupted is raised because *stop* says so; *report* with the
    share that is done, None where compression hides it. Raises StreamvecError, naming the record, where one is no
    entry of a matrix of *words* words.
    """
    sizes = [None if source.compression else source.size for source in sources]
    whole = sum(size for size in sizes if size is not None) if None not in sizes else None
    recorded = time.monotonic()
    sums = np.array([survey.total, survey.smallest])
    for number in range(len(survey.files), len(sources)):
        path = sources[number].path
        for block in _blocks(sources[number], survey.records // PIECE_RECORDS):
            ids, values = _views(block)
            place = weigh_entries(ids, values, words, sums)
            if place < len(ids):
                raise _no_entry(path, block, place, survey.records, words)
            survey.total, survey.smallest = sums[TOTAL].item(), sums[SMALLEST].item()
            if not survey.total < _LARGEST_TOTAL:
                raise StreamvecError(
                    f"{path}, record {survey.records + 1:,} and those after it: the values add up to more than "
                    f"{_LARGEST_TOTAL:.0e}: divide them all by the same number"
                )
            survey.records += len(ids)
            if len(ids) < PIECE_RECORDS:
                break
            report((sum(survey.files) + survey.records) * RECORD_BYTES / whole if whole else None)
            stopped = stop()
            if stopped or time.monotonic() - recorded >= INTERVAL:
                record(survey)
                recorded = time.monotonic()
            if stopped:
                raise Interrupted("stopped while co-occurrences were looked over")
        if not survey.records:
            raise StreamvecError(f"{path}: empty: there are no co-occurrences in it")
        survey.files, survey.records = [*survey.files, survey.records], 0


def _views(block: bytes) -> tuple[np.ndarray, np.ndarray]:
    """Records as kernels take them: int32[n, 4] and float64[n, 2]."""
    return np.frombuffer(block, np.int32).reshape(-1, 4), np.frombuffer(block, np.float64).reshape(-1, 2)


def _blocks(source: Source, first: int) -> Iterator[bytes]:
    """The records of a file from piece number *first* on, a piece at a time; StreamvecError where it is cut short."""
    with open_plain(source.path, source.compression) as stream:
        stream.skip(first * _PIECE_BYTES)
        number = first
        while block := stream.read(_PIECE_BYTES):
            if len(block) % RECORD_BYTES:
                raise _cut_short(source.path, number * _PIECE_BYTES + len(block))
            yield block
            number += 1


def _no_entry(path: str, block: bytes, place: int, before: int, words: int) -> StreamvecError:
    row, column, value = np.frombuffer(block, RECORD)[place].tolist()
    where = f"{path}, record {before + place + 1:,}"
    for name, found in (("row", row), ("column", column)):
        if not 1 <= found <= words:
            return StreamvecError(
                f"{where}: its {name} is {found}, and the vocabulary has the words 1 to {words:,}: give the vocab.txt "
                "that the file was made with; or the file is damaged"
            )
    return StreamvecError(f"{where}: its value is {value}, expected one above 0 and finite: the file is damaged")


class EntrySource:
    """Co-occurrences in files that were looked over: direction is kept, entries that come again are added up."""

    doubled = symmetric = False

    def __init__(self, sources: Sequence[Source], survey: Survey) -> None:
        self._sources = sources
        self._survey = survey
        self.identity = {"records": sum(survey.files), "exponent": survey.exponent}
        self.unit = 2.0**survey.exponent
        self._ends = np.cumsum([-(-records // PIECE_RECORDS) for records in survey.files])  # pieces up to each file's
        self.end = int(self._ends[-1])

    def pieces(self, first: int) -> Generator[EntryPiece, None, None]:
        """Those from number *first* on, each read while the one before is counted."""
        return read_ahead(self._read(first))

    def hire(self, crews: Crews, bands: Bands, table_bytes: int, runs: RunFiles) -> Crew:
        """As of any source of pairs."""
        return crews.hire(_EntryCounter, bands, self.unit, self._survey.total, table_bytes, runs=runs)

    def _read(self, first: int) -> Iterator[EntryPiece]:
        for number in range(int(np.searchsorted(self._ends, first, side="right")), len(self._sources)):
            source, begin = self._sources[number], int(self._ends[number - 1]) if number else 0
            skipped = max(0, first - begin)
            place, last = skipped * PIECE_RECORDS, self._survey.files[number]
            for piece, block in enumerate(_blocks(source, skipped), begin + skipped):
                yield EntryPiece(Start(piece), block, place + 1, source.path)
                place += len(block) // RECORD_BYTES
            if place != last:
                raise _changed(source.path, f"it has {place:,} records now, and had {last:,}")


class _EntryCounter(PairCounter):
    def __init__(self, bands: Bands, unit: float, most: float, table_bytes: int, keep: Keep) -> None:
        super().__init__(table_bytes, keep)
        self._bands = own(bands)
        self._unit, self._most = unit, most

    def take(self, piece: EntryPiece) -> None:
        ids, values = _views(piece.records)
        pairs, sums = np.empty(len(ids), np.uint64), np.empty(len(ids), np.int64)
        place = number_entries(ids, values, self._bands, self._unit, self._most, pairs, sums)
        if place < len(ids):
            raise _changed(piece.path, f"record {piece.first + place:,} is another one")
        self.add(pairs, sums)


def _changed(path: str, what: str) -> StreamvecError:
    return StreamvecError(f"{path}: changed while it was read: {what}: train again with --overwrite")
