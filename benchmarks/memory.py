"""The peak memory of a process as the operating system accounts it, free of what its parent held.

Linux carries a parent's own peak through fork and exec into the child's figure, and a benchmark that made a gigabyte
of text is a large parent. So a small process stands between the two: GNU time where there is one, this file otherwise.
"""

import json
import os
import re
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

_GNU_TIME = Path("/usr/bin/time")
_PEAK = re.compile(r"Maximum resident set size \(kbytes\): (\d+)")


class Measured(NamedTuple):
    """A process that has ended."""

    status: int
    seconds: float
    peak_bytes: int  # largest resident set
    by: str  # whose figure it is
    stdout: str
    stderr: str


def own_peak() -> int:
    """The largest resident set of this process so far, in bytes; true where its parent was small when it began."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def measured(command: Sequence[str], env: dict[str, str], cwd: Path | None = None) -> Measured:
    """Runs *command* to its end and says what it took."""
    with tempfile.TemporaryDirectory() as folder:
        note = Path(folder) / "note"
        gnu = _GNU_TIME.is_file()
        between = [str(_GNU_TIME), "-v", "-o", str(note)] if gnu else [sys.executable, "-S", "-E", __file__, str(note)]
        begin = time.perf_counter()
        done = subprocess.run([*between, *command], env=env, cwd=cwd, capture_output=True, text=True)
        seconds = time.perf_counter() - begin
        text = note.read_text()
    found = _PEAK.search(text)
    peak = int(found.group(1)) * 1024 if found else json.loads(text)
    by = "/usr/bin/time -v" if gnu else "getrusage of the process"
    return Measured(done.returncode, seconds, peak, by, done.stdout, done.stderr)


def _between(note: str, command: list[str]) -> int:
    child = os.posix_spawnp(command[0], command, os.environ)
    _, status, usage = os.wait4(child, 0)
    Path(note).write_text(json.dumps(usage.ru_maxrss * 1024))
    return os.waitstatus_to_exitcode(status)


if __name__ == "__main__":
    sys.exit(_between(sys.argv[1], sys.argv[2:]))
