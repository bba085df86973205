"""What tests of plans share: a text with few frequent words and many rare ones, and the command as a process."""

import subprocess
import sys
from collections import namedtuple

import numpy as np

from streamvec.corpus.shards import TokenBatch

OPTIONS = {"dim": 40, "epochs": 1, "threads": 2, "memory": 600_000_000}
MAIN = [sys.executable, "-c", "from streamvec_cli.main import main; main()"]
BATCH = TokenBatch(np.arange(1000, dtype=np.int32), np.arange(0, 1001, 20, dtype=np.int32))  # 50 documents
usage = namedtuple("usage", "total used free")


def zipf_text(folder, documents, words):
    """A file of *documents* of 12 words each, of at most *words* different ones."""
    path = folder / "zipf.txt"
    ids = np.minimum(np.random.default_rng(7).zipf(1.4, (documents, 12)), words)
    path.write_text("\n".join(" ".join(f"word{number}" for number in line) for line in ids) + "\n")
    return path


def flags(options):
    return [part for name, value in options.items() for part in (f"--{name.replace('_', '-')}", str(value))]


def cli(*arguments):
    return subprocess.run([*MAIN, "plan", *map(str, arguments)], capture_output=True, text=True)


def most_memory(*arguments):
    """Bytes that ``streamvec ARGUMENTS...`` had at its peak, as the system saw it."""
    # A child's peak includes that of the process it was forked from, so it is started by a small one.
    small = (
        "import resource, subprocess, sys; subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL); "
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    )
    command = [sys.executable, "-S", "-c", small, *MAIN, *map(str, arguments)]
    return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout) * 1024
