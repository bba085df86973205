"""Benchmarks of several trainings, each a part that can be asked for by itself; what others found before stays."""

import argparse
import json
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from benchmarks.bench import REPOSITORY, RESULTS, Bench, environment, streamvec_command


def options_of(parts: Mapping[str, Any]) -> Callable[[argparse.ArgumentParser], None]:
    """What can be chosen of such a benchmark."""

    def options(parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--parts", default=",".join(parts), help="which, with commas; others' figures are kept")
        parser.add_argument("--threads", type=int, default=2)
        parser.add_argument("--work", help="folder in which RUNs are kept")

    return options


def run_parts(
    bench: Bench, name: str, parts: Mapping[str, Any], one: Callable[[Path, str], dict[str, Any]]
) -> dict[str, Any]:
    """The parts that were asked for, one after another; *one*: of (the folder of RUNs, a part's name). What
    name.json held of others stays beside them."""
    args = bench.args
    work = Path(args.work) if args.work else bench.work
    work.mkdir(parents=True, exist_ok=True)
    kept = Path(args.results or RESULTS) / f"{name}.json"
    found = json.loads(kept.read_text())["parts"] if kept.is_file() and not bench.quick else {}
    for part in args.parts.split(","):
        bench.say(part)
        found[part] = one(work, part)
    return {part: found[part] for part in parts if part in found}


def streamvec(words: list[str], text: str | None = None) -> str:
    """What the command line says to *words*, with *text* as its input; RuntimeError where it fails."""
    command = [streamvec_command(), *words]
    done = subprocess.run(command, input=text, env=environment(), cwd=REPOSITORY, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with status {done.returncode}:\n{done.stderr[-4000:]}")
    return done.stdout
