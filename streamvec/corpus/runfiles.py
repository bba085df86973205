"""Files of sorted sums, whatever they count: each has a name of its own, many become few, and all are read in step.

Counting (words) and the passes of phrases (pairs) fill tables and write full ones; what a run holds is their business
(`streamvec.corpus.runs`, `streamvec.corpus.pairruns`).
"""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from threading import Lock, Semaphore
from typing import Any

import pyarrow as pa

from streamvec.disk.arrow import ArrowWriter, open_arrow, read_batch, verify_arrow

MOST_FILES = 64  # open at a time
BESIDE = 3  # of them: the lock of a RUN, a shard, a record
MOST_RUNS = MOST_FILES - BESIDE - 1  # that are read while a file is written
AT_ONCE = MOST_FILES // 2  # runs merged into one while counting goes on
_WRITING = Semaphore(MOST_FILES // 2)  # as many threads as write runs at once, so that files stay few


class RunFiles:
    """The runs in a folder, and how often what is in each was merged before."""

    def __init__(self, folder: Path, merge_to_run: Callable[..., None]) -> None:
        """merge_to_run: of (runs, the new one's path), and of *stop* where `merge_some` is given one."""
        self._folder = folder
        self._merge_to_run = merge_to_run
        self.at_once = AT_ONCE  # runs that are merged into one; fewer where memory is little
        self._runs: list[dict[str, Any]] = []  # name and level
        self._kept: list[str] = []
        self._made = 0
        self._naming = Lock()  # several threads spill at once

    @property
    def names(self) -> set[str]:
        """Of all runs."""
        return {run["name"] for run in self._runs}

    @property
    def made(self) -> int:
        """How many runs there have ever been."""
        return self._made

    @property
    def paths(self) -> list[Path]:
        """All runs."""
        return [self._folder / run["name"] for run in self._runs]

    def next_path(self) -> Path:
        """A name that no run has had."""
        with self._naming:
            self._made += 1
            return self._folder / f"run-{self._made:06d}.arrow"

    @property
    def kept(self) -> int:
        """How many runs `keep` has written that are not among these yet."""
        return len(self._kept)

    def keep(self, schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> None:
        """Writes sorted *batches* as a run, which `add_kept` takes in; several threads may call at once.

        StreamvecError for a full disk.
        """
        path = self.next_path()
        with _WRITING, ArrowWriter(path, schema) as writer:
            for batch in batches:
                writer.write(batch)
        self._kept.append(path.name)

    def add_kept(self) -> None:
        """Takes in the runs that were kept; nobody may be keeping one."""
        self.add(self._kept)
        self._kept = []

    def add(self, names: Iterable[str]) -> None:
        """Takes in runs that were just written."""
        self._runs += [{"name": name, "level": 0} for name in names]

    def merge_some(self, most: int | None = None, *stop: Callable[[], bool]) -> None:
        """Keeps runs few: `at_once` of a level become one of the next; with *most*, no more are left in the end.

        Interrupted when *stop* says so: all runs that were merged before stay.
        """
        while True:
            self._runs.sort(key=lambda run: (run["level"], run["name"]))
            levels = [run["level"] for run in self._runs]
            full = [level for level in sorted(set(levels)) if levels.count(level) >= self.at_once]
            if full:
                first = levels.index(full[0])
            elif most is not None and len(levels) > most:
                first = 0
            else:
                return
            group = self._runs[first : first + self.at_once]
            path = self.next_path()
            self._merge_to_run([self._folder / run["name"] for run in group], path, *stop)
            self._runs[first : first + self.at_once] = [{"name": path.name, "level": group[-1]["level"] + 1}]

    def to_json(self) -> dict[str, Any]:
        """What a record must hold of them."""
        return {"runs": self._runs, "runs_made": self._made}

    def restore(self, content: dict[str, Any]) -> None:
        """Takes up a record; KeyError where it is not one."""
        self._runs, self._made = content["runs"], content["runs_made"]


class RunReaders:
    """At most MOST_FILES runs, each read batch by batch; StreamvecError where one is damaged.

    is_verified: their checksums have been compared already.
    """

    def __init__(self, paths: Sequence[Path], is_verified: bool = False) -> None:
        for path in () if is_verified else paths:
            verify_arrow(path)
        self._paths = paths
        self._readers = [open_arrow(path, mapped=False) for path in paths]
        self._read = [0] * len(paths)

    def skip(self, number: int, is_before: Callable[[pa.RecordBatch], bool]) -> None:
        """Passes over all batches of run *number* that lie, whole, before what is wanted: sorted, they come first."""
        low, high = 0, self._readers[number].num_record_batches
        while low < high:
            middle = (low + high) // 2
            if is_before(read_batch(self._readers[number], middle, self._paths[number])):
                low = middle + 1
            else:
                high = middle
        self._read[number] = low

    def next_batch(self, number: int) -> pa.RecordBatch | None:
        """The next record batch of run *number*, or None at its end."""
        place = self._read[number]
        if place == self._readers[number].num_record_batches:
            return None
        self._read[number] += 1
        return read_batch(self._readers[number], place, self._paths[number])
