"""Counts of what tests tried and what came of it (faults, kills, damaged files), added up over all their processes."""

import json
import os
import platform
from collections import Counter
from datetime import date
from pathlib import Path
from typing import Any

VARIABLE = "STREAMVEC_TALLY"  # names the file that all processes of a test run append to


def count(what: str, number: int = 1) -> None:
    """Adds *number* to the count of *what*, such as "faults injected: write"; of no effect outside a test run."""
    if path := os.environ.get(VARIABLE):
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(json.dumps([what, number]) + "\n")  # short lines of several processes do not mix


def sums() -> dict[str, int]:
    """All counts of this test run, by name."""
    found: Counter[str] = Counter()
    with Path(os.environ[VARIABLE]).open(encoding="utf-8") as lines:
        for what, number in map(json.loads, lines):
            found[what] += number
    return dict(sorted(found.items()))


def report() -> list[str]:
    """The counts, a line each."""
    return [f"{number:>9,}  {what}" for what, number in sums().items()]


def result(passed: int, failed: int) -> dict[str, Any]:
    """What is kept of a soak: the machine, the day, how many tests there were, and the counts."""
    machine = {"cpus": os.cpu_count(), "python": platform.python_version(), "system": platform.system()}
    return {"date": date.today().isoformat(), **machine, "passed": passed, "failed": failed, "counts": sums()}
