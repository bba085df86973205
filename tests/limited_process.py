"""Starts a command under a limit of memory, and notes how it ended and the most that was resident.

It stands between a test and the command as a process of its own: a child begins with the peak of its parent, and this
one is small. Run as ``limited_process.py PLAN COMMAND...``, of which PLAN is the JSON that `tests/limiting.py` makes.
"""

import ctypes
import json
import os
import resource
import signal
import sys
from pathlib import Path
from typing import Any

_WITH_PARENT = 1  # PR_SET_PDEATHSIG of Linux


def main(plan: dict[str, Any], command: list[str]) -> None:
    """Waits for *command*, then writes its status and its peak in bytes to the file that *plan* names."""
    child = os.fork()
    if not child:
        _limit(plan)
        os.execvp(command[0], command)
    _, status, usage = os.wait4(child, 0)
    Path(plan["note"]).write_text(json.dumps([os.waitstatus_to_exitcode(status), usage.ru_maxrss << 10]))


def _limit(plan: dict[str, Any]) -> None:
    ctypes.CDLL(None).prctl(_WITH_PARENT, signal.SIGKILL)  # a test that is given up leaves nothing running
    if plan["group"]:
        (Path(plan["group"]) / "cgroup.procs").write_text(str(os.getpid()))
    for name, to in plan["limits"].items():
        what = getattr(resource, name)
        resource.setrlimit(what, (to, resource.getrlimit(what)[1]))


if __name__ == "__main__":
    main(json.loads(sys.argv[1]), sys.argv[2:])
