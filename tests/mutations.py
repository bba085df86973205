"""Takes the promises out of the code, one at a time, on a copy, and sees whether the tests notice.

    python tests/mutations.py [NAME...]

Prints a line a mutation; ends with 1 where one lived. A mutation names the tests that should fail; they must pass on
the copy as it is.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]


class Mutation(NamedTuple):
    """Some of the code, what is put in its place, and the tests that should notice."""

    name: str
    file: str
    old: str
    new: str
    tests: str


MUTATIONS = [Mutation(**one) for one in tomllib.loads((ROOT / "tests" / "mutations.toml").read_text())["mutation"]]


def copied(to: Path) -> Path:
    """The sources and tests, as they are in the folder of this one."""
    for name in ("streamvec", "cli", "tests", "benchmarks", "docs"):
        shutil.copytree(ROOT / name, to / name, ignore=shutil.ignore_patterns("__pycache__", "results"))
    for path in ROOT.iterdir():
        if path.is_file():
            shutil.copy2(path, to)
    (to / "streamvec_cli").symlink_to(to / "cli")  # as it is called where it is installed
    return to


def fails(folder: Path, tests: str) -> bool:
    """Whether some of the tests fail on the copy; RuntimeError where they could not be run."""
    words = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "--no-header", *shlex.split(tests)]
    environment = {**os.environ, "PYTHONPATH": str(folder)}  # before what is installed
    ended = subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if ended.returncode not in (0, 1) or re.search(r"(Name|Syntax|Import|Indentation)Error", ended.stdout):
        raise RuntimeError(ended.stdout[-2000:] + ended.stderr[-2000:])
    return ended.returncode == 1


def lived(mutation: Mutation, folder: Path) -> bool:
    """Whether no test noticed."""
    path = folder / mutation.file
    whole = path.read_text(encoding="utf-8")
    if whole.count(mutation.old) != 1:
        raise RuntimeError(f"{mutation.name}: {mutation.file} has its line {whole.count(mutation.old)} times")
    path.write_text(whole.replace(mutation.old, mutation.new), encoding="utf-8")
    try:
        return not fails(folder, mutation.tests)
    finally:
        path.write_text(whole, encoding="utf-8")


def main(names: list[str]) -> int:
    chosen = [one for one in MUTATIONS if not names or one.name in names]
    with tempfile.TemporaryDirectory() as scratch:
        folder = copied(Path(scratch))
        for tests in sorted({one.tests for one in chosen}):
            if fails(folder, tests):
                print(f"{tests}: fail without a mutation")
                return 2
        living = 0
        for one in chosen:
            alive = lived(one, folder)
            living += alive
            print(f"{'LIVED' if alive else 'caught'}: {one.name} ({one.file}, by {one.tests})", flush=True)
    print(f"{len(chosen) - living} of {len(chosen)} mutations caught")
    return int(living > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
