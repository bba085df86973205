"""metrics.jsonl: one object a line, whole lines only, for programs that watch a RUN as it grows."""

import json
import time
from pathlib import Path
from typing import Any

from streamvec.disk.files import named_problems, whole_file
from streamvec.models.step import Position


class Metrics:
    """Appends records of training to a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def forget_after(self, position: Position) -> None:
        """Drops what was written for steps that will be made again, and a last line cut short by a kill."""
        if not self.path.exists():
            return
        with named_problems(self.path), self.path.open("rb") as old, whole_file(self.path) as new:
            for line in old:
                try:
                    record = json.loads(line)
                    if (record["epoch"], record["batch"]) <= tuple(position):
                        new.write(line.rstrip(b"\n") + b"\n")
                except (ValueError, KeyError, TypeError):
                    continue

    def write(self, position: Position, **values: Any) -> None:
        """Appends one record; *position* is that of the next step."""
        record = {"time": round(time.time(), 3), "epoch": position.epoch, "batch": position.batch, **values}
        with named_problems(self.path), self.path.open("ab") as file:
            file.write(json.dumps(record, separators=(",", ":")).encode() + b"\n")
