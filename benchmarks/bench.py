"""What every benchmark shares: its options, the machine it ran on, a small table, and the JSON that is kept."""

import argparse
import json
import os
import platform
import shlex
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parent.parent
RESULTS = Path(__file__).resolve().parent / "results"
_DATA = REPOSITORY.parent / "shared" / "data"
_PACKAGES = ("streamvec", "numba", "llvmlite", "numpy", "pyarrow", "click", "gensim", "scipy")
_HINTS = ("OPENBLAS_", "OMP_", "MKL_", "GOTO_", "NUMBA_NUM", "NUMBA_CPU")  # what would slow a peer or us by hand
_NO_CACHE = "PYTHONDONTWRITEBYTECODE"  # every process would compile all sources anew


class Skip(Exception):
    """Why a benchmark, or one part of it, cannot run here."""


class Bench:
    """One run of a benchmark: where things are, and how much to do."""

    def __init__(self, args: argparse.Namespace, work: Path) -> None:
        self.args = args
        self.quick: bool = args.quick
        self.work = work  # a temporary folder, removed at the end

    def data(self, name: str) -> Path:
        """A file of the data folder; Skip when it is missing."""
        path = Path(self.args.data) / name
        if not path.is_file():
            raise Skip(f"{path} is missing: name the folder of data with --data")
        return path

    @staticmethod
    def say(text: str) -> None:
        """Tells whoever waits what is being done."""
        print(f"  {text}", file=sys.stderr, flush=True)


def benchmark(
    name: str,
    about: str,
    run: Callable[[Bench], dict[str, Any]],
    options: Callable[[argparse.ArgumentParser], None] = lambda parser: None,
) -> None:
    """Parses the command line, calls *run*, and keeps its record as NAME.json; a Skip is said and keeps nothing.

    The record may hold "name" to be kept under another name. With --quick it goes to a temporary folder, unless
    --results says where: a smoke run must not replace figures.
    """
    parser = argparse.ArgumentParser(prog=f"python -m benchmarks.{name}", description=about)
    parser.add_argument("--data", default=str(_DATA), help="folder of corpora and evaluation files")
    parser.add_argument("--results", help="folder for the JSON")
    parser.add_argument("--quick", action="store_true", help="a smoke run on a small generated corpus")
    parser.add_argument("--repeat", type=int, default=3, help="repetitions of each measurement")
    options(parser)
    args = parser.parse_args()
    before = machine()
    if not args.quick and before["load_average_before"] > 0.5 * before["cores"]:
        Bench.say(
            f"warning: the machine is busy (load average {before['load_average_before']:.1f}): figures will be off"
        )
    with tempfile.TemporaryDirectory(prefix="streamvec-bench-") as work:
        try:
            record = run(Bench(args, Path(work)))
        except Skip as reason:
            print(f"{name}: skipped: {reason}")
            return
    name = record.pop("name", name)
    whole = {"name": name, "about": about, "machine": before, "quick": args.quick}
    asked = _without_places(sys.argv[1:])
    whole["command"] = shlex.join(["python", "-m", f"benchmarks.{parser.prog.rsplit('.', 1)[1]}", *asked])
    folder = Path(args.results) if args.results else Path(tempfile.mkdtemp()) if args.quick else RESULTS
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.json"
    path.write_text(json.dumps({**whole, **record}, indent=1) + "\n", encoding="utf-8")
    print(f"kept: {path.relative_to(REPOSITORY) if path.is_relative_to(REPOSITORY) else path}")


def _without_places(words: Sequence[str]) -> list[str]:
    """A command line without what names places: where these are on one machine is nobody's concern."""
    kept = list(words)
    for option in ("--data", "--input", "--results", "--work", "--torch", "--finalfusion", "--wheel"):
        while option in kept:
            del kept[kept.index(option) : kept.index(option) + 2]
    return kept


def machine() -> dict[str, Any]:
    """What figures depend on besides the code."""
    versions = {}
    for package in _PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            continue
    commit = subprocess.run(["git", "rev-parse", "HEAD"], cwd=REPOSITORY, capture_output=True, text=True)
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "cpu": _cpu(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gb": round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 1e9, 1),
        "load_average_before": os.getloadavg()[0],
        "system": platform.platform(),
        "python": platform.python_version(),
        "versions": versions,
        "commit": commit.stdout.strip() or None,
    }


def _cpu() -> str:
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    fields = dict(line.split(":", 1) for line in reversed(lines) if ":" in line)
    said = {key.strip(): value.strip() for key, value in fields.items()}
    family = f"family {said.get('cpu family')} model {said.get('model')}"
    simd = [flag for flag in ("avx2", "avx512f") if flag in said.get("flags", "").split()]
    return f"{said.get('model name', platform.processor())} ({family}, {' '.join(simd)})"


def environment() -> dict[str, str]:
    """The environment of a measured process: ours without hints to number libraries, so that each runs as it would
    on a machine that nobody tuned."""
    return {key: value for key, value in os.environ.items() if not key.startswith(_HINTS) and key != _NO_CACHE}


def worker(module: str, task: str, settings: dict[str, Any], python: str = sys.executable) -> dict[str, Any]:
    """Runs a task of benchmarks.<module> in a process of its own and returns what it answers."""
    command = [python, "-m", f"benchmarks.{module}", task, json.dumps(settings)]
    done = subprocess.run(command, cwd=REPOSITORY, env=environment(), capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{task} failed with status {done.returncode}:\n{done.stderr[-4000:]}")
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def answer(tasks: dict[str, Callable[[dict[str, Any]], dict[str, Any]]]) -> None:
    """The main of a module that `worker` calls: does the task named on the command line, prints its answer."""
    print(json.dumps(tasks[sys.argv[1]](json.loads(sys.argv[2]))))


def streamvec_command() -> str:
    """The command line beside the interpreter that runs this."""
    return str(Path(sys.executable).parent / "streamvec")


def median(values: Sequence[float]) -> float:
    """The median, to seven digits: figures are to be read."""
    return float(f"{statistics.median(values):.7g}")


def show(title: str, head: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Prints a small table; numbers to the right."""
    cells = [list(head)] + [[_cell(value) for value in row] for row in rows]
    widths = [max(len(row[column]) for row in cells) for column in range(len(head))]
    print(f"\n{title}")
    for row in cells:
        parts = [row[0].ljust(widths[0])] + [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
        print("  " + "  ".join(parts).rstrip())


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:,.3f}" if abs(value) < 10 else f"{value:,.1f}"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
