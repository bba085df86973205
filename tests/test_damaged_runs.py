"""Damage to every file of RUNs of every kind, finished and stopped: verify names it, and nothing else is hurt."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import tally
from damaged_kinds import KINDS

FAST = (  # each kind of RUN once, in one of its states
    *("skipgram", "skipgram counting", "glove writing pairs", "lm training"),
    *("classifier training", "tagger training", "translator training"),
)
ROOM = 1800  # seconds for one kind


def damage(folder: Path, most: int, seed: int, *names: str) -> list[dict[str, Any]]:
    """Does *most* damages to each file of these kinds, in a process of its own, which must not die: what came of it."""
    command = [sys.executable, str(Path(__file__).with_name("damaged_runs.py")), str(folder), str(seed), str(most)]
    environment = {**os.environ, "ARROW_DEFAULT_MEMORY_POOL": "system", "PYTHONFAULTHANDLER": "1"}
    ended = subprocess.run([*command, *names], capture_output=True, encoding="utf-8", timeout=ROOM, env=environment)
    current = folder / "current"
    at = current.read_text(encoding="utf-8") if current.exists() else "nothing yet"
    assert ended.returncode == 0, f"{at}: {ended.stderr[-4000:]}"
    found = [json.loads(line) for line in ended.stdout.splitlines()]
    assert [one["kind"] for one in found] == list(names)
    for one in found:
        tally.count(f"damaged files tried: RUN, {one['kind']}", one["tried"])
        tally.count(f"damaged files named by verify: RUN, {one['kind']}", one["named"])
        tally.count(f"damaged files refused: RUN, {one['kind']}", one["refused"])
    return found


def problems(found: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """(kind, what) of all that went wrong: also where verify named too little, or nothing was refused."""
    wrong = [(one["kind"], what) for one in found for what in one["wrong"]]
    few = [one["kind"] for one in found if one["named"] <= one["tried"] / 2 or not one["refused"]]
    return wrong + [(kind, "hardly anything was noticed") for kind in few]


def test_damage_to_each_file_of_some_kinds(tmp_path: Path) -> None:
    assert not problems(damage(tmp_path, 1, 1, *FAST))


@pytest.mark.soak
@pytest.mark.timeout(ROOM)
@pytest.mark.parametrize("kind", KINDS)
def test_damage_to_each_file_of_every_kind(tmp_path: Path, kind: str) -> None:
    assert not problems(damage(tmp_path, 12, 2, kind))
