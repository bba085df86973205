"""metrics.jsonl: one object a line, whole lines only, for programs that watch a RUN as it grows."""

import contextlib
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from streamvec.disk.jsontext import parsed
from streamvec.disk.reading import opened
from streamvec.disk.writing import append, whole_file
from streamvec.models.step import Position


class Metrics:
    """Appends records of training to a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def forget_after(self, position: Position) -> None:
        """Drops what was written for steps that will be made again, and a last line cut short by a kill."""
        self._keep(lambda place: place <= tuple(position))

    def forget_from(self, position: Position) -> None:
        """The same, of records whose position is that of the step they tell of."""
        self._keep(lambda place: place < tuple(position))

    def _keep(self, wanted: Callable[[tuple[int, int]], bool]) -> None:
        if not self.path.exists():
            return
        with opened(self.path) as old, whole_file(self.path) as new:
            for line in old:
                try:
                    record = parsed(line)
                    if wanted((record["epoch"], record["batch"])):
                        new.write(line.rstrip(b"\n") + b"\n")
                except (ValueError, KeyError, TypeError):
                    continue

    def at(self, position: Position) -> dict[str, Any]:
        """The last record of a position; empty where there is none."""
        found: dict[str, Any] = {}
        if self.path.exists():
            with opened(self.path) as lines:
                for line in lines:
                    with contextlib.suppress(ValueError, KeyError, TypeError):  # a damaged line, as verify says
                        record = parsed(line)
                        if (record["epoch"], record["batch"]) == tuple(position):
                            found = record
        return found

    def write(self, position: Position, **values: Any) -> None:
        """Appends one record; *position* is that of the next step."""
        self.append({"time": round(time.time(), 3), "epoch": position.epoch, "batch": position.batch, **values})

    def append(self, *records: dict[str, Any]) -> None:
        """Appends them as they are."""
        lines = [json.dumps(record, separators=(",", ":")).encode() + b"\n" for record in records]
        append(self.path, b"".join(lines))
