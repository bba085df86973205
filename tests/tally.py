"""Counts of what tests tried and what came of it (faults, kills, damaged files), added up over all their processes, and
figures of which the largest counts (peaks of memory)."""

import json
import os
import platform
from collections import Counter
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

VARIABLE = "STREAMVEC_TALLY"  # names the file that all processes of a test run append to


def count(what: str, number: int = 1) -> None:
    """Adds *number* to the count of *what*, such as "faults injected: write"; of no effect outside a test run."""
    _note(["sum", what, number])


def peak(what: str, number: int) -> None:
    """Notes a figure of *what*, such as "% of --memory: train lm"; the largest of a test run is told."""
    _note(["peak", what, number])


def _note(entry: list[str | int]) -> None:
    if path := os.environ.get(VARIABLE):
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(json.dumps(entry) + "\n")  # short lines of several processes do not mix


def sums() -> dict[str, int]:
    """All counts of this test run, by name."""
    found: Counter[str] = Counter()
    for what, number in _noted("sum"):
        found[what] += number
    return dict(sorted(found.items()))


def peaks() -> dict[str, int]:
    """The largest figure of each thing that had some in this test run, by name."""
    found: dict[str, int] = {}
    for what, number in _noted("peak"):
        found[what] = max(number, found.get(what, number))
    return dict(sorted(found.items()))


def _noted(kind: str) -> Iterator[tuple[str, int]]:
    with Path(os.environ[VARIABLE]).open(encoding="utf-8") as lines:
        yield from ((what, number) for of, what, number in map(json.loads, lines) if of == kind)


def report() -> list[str]:
    """The counts and peaks, a line each."""
    return [f"{number:>9,}  {what}" for found in (sums(), peaks()) for what, number in found.items()]


def result(passed: int, failed: int) -> dict[str, Any]:
    """What is kept of a soak: the machine, the day, how many tests there were, the counts and the peaks."""
    machine = {"cpus": os.cpu_count(), "python": platform.python_version(), "system": platform.system()}
    return {
        "date": date.today().isoformat(),
        **machine,
        "passed": passed,
        "failed": failed,
        "counts": sums(),
        "peaks": peaks(),
    }
