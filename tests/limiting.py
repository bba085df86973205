"""Runs a command under a limit of memory that the operating system holds it to, and tells what it took at its peak.

Where a control group is given for it (STREAMVEC_TEST_CGROUP names the folder of one, of either version, in which groups
may be made: a group has one owner, so none is made elsewhere), each command has a group of its own, without swap.
Elsewhere the limit is RLIMIT_DATA: private memory that can be written to, touched or not. A process that has imported
what trains, has its kernels, and has multiplied matrices in two threads holds more of that than is resident (BLAS maps
64 MB for each copy of it that is loaded, and uses next to nothing): both are measured in such a process (`_began`), and
what the command may add is the same for both.
"""

import functools
import json
import os
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest

VARIABLE = "STREAMVEC_TEST_CGROUP"
_BETWEEN = Path(__file__).with_name("limited_process.py")
_MAPPED = {"MIMALLOC_ARENA_EAGER_COMMIT": "0"}  # Arrow's allocator else maps 1 GB to be written to, and uses little
_STACKS = {"RLIMIT_STACK": 1 << 20}  # of threads: mapped whole, so the usual 8 MB each would be counted
_BEGIN = """
import threading
import numpy as np, pyarrow as pa
import streamvec.training.words
from streamvec.corpus.compiling import compile_kernels
from streamvec.corpus.tokens import Tokenizer

pa.allocate_buffer(1 << 16)
compile_kernels(Tokenizer(), phrases=False)
some = [threading.Thread(target=np.dot, args=(np.ones((400, 400), np.float32),) * 2) for _ in range(2)]
for thread in some:
    thread.start()
for thread in some:
    thread.join()
lines = dict(line.split(":") for line in open("/proc/self/status"))
print(*(lines[name].split()[0] for name in ("VmRSS", "VmData")))
"""


class Ended(NamedTuple):
    """A command that has ended."""

    status: int  # negative: the signal that ended it
    peak_bytes: int  # largest resident set
    stdout: str
    stderr: str


def limited(command: Sequence[str | Path], limit: int, stdin: bytes = b"") -> Ended:
    """Runs *command* with at most *limit* bytes of memory; skips the test, with the reason, where nothing holds it."""
    if VARIABLE not in os.environ:
        began = _began()
        return _run(command, stdin, {"group": None, "limits": {"RLIMIT_DATA": began.data + limit - began.resident}})
    group = _new_group(Path(os.environ[VARIABLE]), limit)
    try:
        return _run(command, stdin, {"group": str(group), "limits": {}})
    finally:
        group.rmdir()


def _run(command: Sequence[str | Path], stdin: bytes, plan: dict[str, Any]) -> Ended:
    env = {**os.environ, **_MAPPED, "PYTHONUTF8": "1"}
    plan["limits"] |= _STACKS
    with tempfile.TemporaryDirectory() as folder:
        note = Path(folder) / "note"
        between = [sys.executable, "-S", "-E", _BETWEEN, json.dumps({**plan, "note": str(note)})]
        done = subprocess.run([*between, *command], env=env, input=stdin, capture_output=True)
        assert note.exists(), done.stderr.decode()
        status, peak = json.loads(note.read_text())
    return Ended(status, peak, done.stdout.decode(), done.stderr.decode())


def _new_group(parent: Path, limit: int) -> Path:
    """A control group of *limit* bytes, swap included."""
    group = parent / f"streamvec-{uuid.uuid4().hex}"
    try:
        group.mkdir()
    except OSError as problem:
        pytest.skip(f"no control group can be made in {parent}: {problem}")
    is_first = (group / "memory.limit_in_bytes").exists()
    memory, swap = (
        ("memory.limit_in_bytes", "memory.memsw.limit_in_bytes") if is_first else ("memory.max", "memory.swap.max")
    )
    try:
        (group / memory).write_text(str(limit))
        if (group / swap).exists():
            (group / swap).write_text(str(limit if is_first else 0))  # of version 1: memory and swap together
    except OSError as problem:
        group.rmdir()
        pytest.skip(f"memory cannot be limited in {parent}: {problem}")
    return group


class _Began(NamedTuple):
    """What a process holds that has imported what trains, in bytes."""

    resident: int
    data: int  # private, and can be written to


@functools.cache
def _began() -> _Began:
    try:
        told = _run([sys.executable, "-c", _BEGIN], b"", {"group": None, "limits": {}})
        return _Began(*(int(number) << 10 for number in told.stdout.split()))
    except (OSError, TypeError, ValueError) as problem:
        pytest.skip(f"what a process takes before it begins is not told here: {problem}")
