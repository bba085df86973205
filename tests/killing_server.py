"""Runs streamvec's command line again and again, each time in a process of its own that is killed on the way.

A process is forked for each command once everything is imported, so that hundreds take minutes. It counts its
operations on files (opening for writing, syncing, renaming, removing, making folders), which the interpreter's audit
events tell, and kills itself before the n-th one; or it is killed so long after the first. Started by tests/killing.py:
reads a JSON object a line on standard input, and answers with one.
"""

import gc
import json
import mmap
import os
import signal
import struct
import sys
import time
from collections.abc import Callable
from typing import Any

from streamvec_cli import main

from streamvec.corpus import counting, encoding, entryfiles, pairpass, pairruns, shardwriter
from streamvec.corpus import prepare as prepare_module
from streamvec.corpus.shares import Shares
from streamvec.training import words  # noqa: F401 - what every training needs is imported once
from streamvec.vectors import exports, formats  # noqa: F401

CHANGING = {"os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.link", "os.truncate", "os.symlink"}
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT


def small_parts() -> None:
    """Blocks, record batches, tables and intervals so small that a little text goes through every stage many times."""
    shardwriter.BATCH_TOKENS, encoding.SHARD_BATCHES = 1000, 4  # type: ignore[assignment]
    counting.INTERVAL = pairpass.INTERVAL = entryfiles.INTERVAL = 0.0  # type: ignore[attr-defined]
    pairruns._FEWEST_SLOTS = 1000
    prepare_module.shares = lambda *_: Shares(8000, 1)
    begin: Callable[..., None] = pairruns.PairCounter.__init__
    pairruns.PairCounter.__init__ = lambda counter, _, next_run: begin(counter, 1, next_run)  # type: ignore[method-assign]


def watch(folder: str, count: mmap.mmap, kill_at: int | None, kill_on: tuple[str, int] | None) -> None:
    """Counts operations in *folder* from now on, and ends this process before number *kill_at*, or before that one of
    those on names with the text of *kill_on* in them."""
    done, left = [0], [kill_on[1] if kill_on else 0]

    def operation(path: str = "") -> None:
        done[0] += 1
        left[0] -= bool(kill_on and kill_on[0] in path)
        if done[0] == kill_at or (kill_on and left[0] == 0):
            os.kill(os.getpid(), signal.SIGKILL)
        count[:8] = struct.pack("<q", done[0])

    def lies_there(path: Any) -> bool:
        """A name beside an open folder counts: rmtree removes so."""
        return isinstance(path, str | bytes | os.PathLike) and (
            os.fsdecode(path).startswith(folder) or not os.fsdecode(path).startswith("/")
        )

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if (event in CHANGING or (event == "open" and arguments[2] & WRITING)) and lies_there(arguments[0]):
            operation(os.fsdecode(arguments[0]))

    sync = os.fsync

    def synced(handle: int) -> None:
        operation()
        sync(handle)

    os.fsync = synced
    sys.addaudithook(hook)


def child(asked: dict[str, Any], count: mmap.mmap) -> None:
    """Becomes the command; never returns."""
    status = 70
    try:
        handle = os.open(asked["stdin"] or os.devnull, os.O_RDONLY)
        said = os.open(asked["said"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        for target, source in ((0, handle), (1, said), (2, said)):
            os.dup2(source, target)
        sys.argv = ["streamvec", *asked["words"]]
        watch(asked["watch"], count, asked["kill_at"], asked["kill_on"])
        main.run()
        status = 0
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else 0 if end.code is None else 1
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def serve(asked: dict[str, Any]) -> dict[str, Any]:
    """Runs one command to its end or its death; says which, and how many operations and seconds that took."""
    count = mmap.mmap(-1, 8)
    process = os.fork()
    if process == 0:
        child(asked, count)
    began: float | None = None
    while True:
        ended, status = os.waitpid(process, os.WNOHANG)
        now = time.monotonic()
        if ended:
            break
        if began is None and struct.unpack("<q", count[:8])[0]:
            began = now
        if began is not None and asked["kill_after"] is not None and now - began >= asked["kill_after"]:
            os.kill(process, signal.SIGKILL)
            _, status = os.waitpid(process, 0)
            break
        time.sleep(0.001)
    operations, seconds = struct.unpack("<q", count[:8])[0], 0.0 if began is None else now - began
    return {"code": os.waitstatus_to_exitcode(status), "operations": operations, "seconds": seconds}


if __name__ == "__main__":
    small_parts()
    gc.freeze()  # what children have in common: they need not look through it
    for line in sys.stdin:
        print(json.dumps(serve(json.loads(line))), flush=True)
