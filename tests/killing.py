"""What tests of kills share: a command that is killed again and again until it goes through, and what must then hold.

After each kill nothing is damaged, and what stands under a final name is whole; at the end the bytes are those of a
command that was left alone, and no temporary file is left, in the RUN or beside it.
"""

import contextlib
import itertools
import json
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, Self

import tally
from stopping import content_of

from streamvec.training.checking import DAMAGED
from streamvec.training.verify import verify

SERVER = Path(__file__).with_name("killing_server.py")
PROGRAM = [sys.executable, "-m", "streamvec_cli.main"]
TOOK_PLACE = "exists already"  # what is said where a kill came after the last rename, before the end of the process


class Ended(NamedTuple):
    """What became of a process."""

    code: int
    operations: int
    seconds: float
    said: str


@dataclass(frozen=True)
class Case:
    """A command to be killed; its words name files of the data folder, and ``OUT`` where it writes."""

    name: str
    words: Sequence[str]
    out: str = "run"
    stages: frozenset[str] = frozenset()  # each must be hit, where hits are looked for
    stdin: str | None = None
    before: Callable[[Path, Path], None] | None = None  # makes what is there before: (data, folder that OUT lies in)
    also: Callable[[Path], None] = field(default=lambda folder: None)  # must hold after each kill

    @property
    def is_run(self) -> bool:
        return self.out == "run"


class Server:
    """The process that runs commands, see killing_server.py."""

    def __init__(self, data: Path) -> None:
        self._data = data
        self._said = Path(tempfile.mkstemp(prefix="streamvec-said-")[1])

    def __enter__(self) -> Self:
        command = [sys.executable, str(SERVER)]
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, cwd=self._data)
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()
        self._said.unlink()

    def run(
        self,
        words: Sequence[str],
        watched: Path,
        stdin: str | None = None,
        kill_at: int | None = None,
        kill_after: float | None = None,
        kill_on: tuple[str, int] | None = None,
    ) -> Ended:
        """Runs ``streamvec WORDS``; it is killed before its operation number *kill_at* on files in *watched*, or
        *kill_after* seconds from the first of them, or before such a one on a name with what *kill_on* says in it."""
        assert self._process.stdin is not None and self._process.stdout is not None
        asked: dict[str, Any] = {
            "words": list(words),
            "watch": str(watched),
            "stdin": stdin,
            "said": str(self._said),
            "kill_on": kill_on,
        }
        self._process.stdin.write(json.dumps({**asked, "kill_at": kill_at, "kill_after": kill_after}) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        return Ended(answer["code"], answer["operations"], answer["seconds"], self._said.read_text())


def run_outside(
    words: Sequence[str], data: Path, folder: Path, stdin: Path | None, kill_after: float | None = None
) -> Ended:
    """Runs ``streamvec WORDS`` as a person does, and kills it so long after it has taken hold of its RUN."""
    lock = folder / "run" / "lock"
    with (stdin or Path(os.devnull)).open("rb") as given, tempfile.TemporaryFile("w+") as said:
        process = subprocess.Popen([*PROGRAM, *words], cwd=data, stdin=given, stdout=said, stderr=said)
        holder = f"{process.pid}\n"
        while process.poll() is None and not (lock.exists() and lock.read_text() == holder):
            time.sleep(0.001)
        began = time.monotonic()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(kill_after)
        process.kill()
        code = process.wait()
        said.seek(0)
        return Ended(code, 0, time.monotonic() - began, said.read())


def words_of(case: Case, folder: Path) -> list[str]:
    return [word.replace("OUT", str(folder / case.out)) for word in case.words]


def again(case: Case, folder: Path) -> list[str]:
    """What a person types after a kill: resume, once there is something to go on with."""
    run = folder / case.out
    if not case.is_run or not (run / "run.json").exists():
        return words_of(case, folder)
    if "--overwrite" in case.words and not (folder / "run.replaced").exists() and not is_new(run, case):
        return words_of(case, folder)  # the earlier RUN, not touched yet
    return ["resume", str(run), *kept_of(case.words)]


def kept_of(words: Sequence[str]) -> list[str]:
    """The options of the machine, which resume takes."""
    found = []
    for name, value in itertools.pairwise(words):
        if name in ("--threads", "--checkpoint-batches", "--memory"):
            found += [name, value]
    return found


def is_new(run: Path, case: Case) -> bool:
    """Whether a RUN is the one that *case* makes, told by its dim, where another stood before."""
    dim = int(case.words[list(case.words).index("--dim") + 1])
    found = json.loads((run / "run.json").read_text())["config"]["dim"]
    return bool(found == dim)


def stage_of(run: Path) -> str:
    """How far a RUN has come, by what stands in it."""
    has = lambda *names: any(list(run.glob(name)) for name in names)  # noqa: E731
    ladder = [
        ("before run.json", not has("run.json")),
        ("finished", has("vectors.arrow")),
        ("writing n-grams", has("vectors.ngrams.arrow.partial")),
        ("writing vectors", has("vectors.arrow.partial", "vectors.ngrams.arrow")),
        ("keeping the best", has("best/*.partial")),
        ("saving a checkpoint", has("checkpoints/*.partial")),
        ("training", has("checkpoints/*")),
        ("reading what is held out", has("heldout.partial")),
        ("writing examples", has("examples.partial")),
        ("before the first step", has("examples/index.json", "cooccurrences/index.json")),
        ("writing pairs", has("cooccurrences/00000.arrow*")),
        ("counting pairs", has("cooccurrences")),
        ("before the first step", has("shards/index.json")),
        ("encoding", has("shards")),
        ("passing over phrases", has("phrases/pairs", "phrases/joins-*")),
        ("numbering for phrases", has("phrases/ids")),
        ("counting", has("counting")),
        ("keeping vectors", has("known.arrow.partial")),
        ("reading rows", has("rows.arrow.partial")),
        ("keeping standard input", has("input.zst.partial")),
    ]
    return next((name for name, there in ladder if there), "between stages")


ON_THE_WAY = {  # what the names of files have in them that are written in a stage
    "writing n-grams": "vectors.ngrams.arrow.partial",
    "writing vectors": "vectors.arrow.partial",
    "keeping the best": "best/",
    "saving a checkpoint": "checkpoints/",
    "training": "metrics.jsonl",
    "reading what is held out": "heldout.partial/",
    "writing examples": "examples.partial/",
    "writing pairs": "cooccurrences/0",
    "counting pairs": "cooccurrences/runs/",
    "encoding": "shards/",
    "passing over phrases": "phrases/pairs/",
    "numbering for phrases": "phrases/ids/",
    "counting": "counting/",
    "keeping vectors": "known.arrow.partial",
    "reading rows": "rows.arrow.partial",
    "keeping standard input": "input.zst.partial",
}


def promised(run: Path) -> dict[str, Any]:
    """Of a finished RUN: all that must not depend on how often it was killed."""
    found: dict[str, Any] = dict(content_of(run))
    newest = max((path.name for path in (run / "checkpoints").iterdir()), default="")
    for name in list(found):
        if name == "lock" or (name.startswith("checkpoints/") and not name.startswith(f"checkpoints/{newest}/")):
            del found[name]
    if "prepared.json" in found:  # of standard input it names the copy in the RUN, and its date
        prepared = json.loads(found["prepared.json"])
        kept_of_sources = [{**one, "path": "", "modified": 0} for one in prepared["sources"]]
        found["prepared.json"] = {**prepared, "sources": kept_of_sources, "checksum": ""}
    lines = [json.loads(line) for line in found.pop("metrics.jsonl", b"").splitlines()]
    kept = re.compile("epoch|batch|progress|learning_rate|heldout_.*")
    ends = [{k: v for k, v in line.items() if kept.fullmatch(k)} for line in lines if line["batch"] == 0]
    return {**found, "ends of epochs": ends}


@contextlib.contextmanager
def fresh(data: Path, case: Case, name: str) -> Iterator[Path]:
    """A new folder for a case to write in, with what is to be there before."""
    with tempfile.TemporaryDirectory(prefix=name, dir=data.parent) as made:
        folder = Path(made)
        if case.before:
            case.before(data, folder)
        yield folder


def result_of(case: Case, folder: Path) -> dict[str, Any]:
    """All that a case leaves: its RUN, or its files, by their names."""
    beside = {name: content for name, content in content_of(folder).items() if not name.startswith("run/")}
    return {**beside, **promised(folder / "run")} if case.is_run else beside


Attempt = Callable[[Sequence[str], Path], Ended]
Draw = Callable[[random.Random, Ended], dict[str, Any]]


def expected_of(case: Case, data: Path, attempt: Attempt) -> tuple[dict[str, Any], Ended]:
    """What the command leaves when nothing happens, and how long that takes."""
    with fresh(data, case, "whole-") as folder:
        ended = attempt(words_of(case, folder), folder)
        assert ended.code == 0, ended.said
        return result_of(case, folder), ended


def kill_until_through(
    case: Case, folder: Path, expected: dict[str, Any], attempt: Callable[[Sequence[str], Path, int], Ended], most: int
) -> Counter[str]:
    """Kills the command *most* times at most, in *folder*, each time another one; returns in which stages."""
    hits: Counter[str] = Counter()
    for number in range(most + 1):
        words = again(case, folder)
        ended = attempt(words, folder, most - number)
        if ended.code != -signal.SIGKILL:
            there = not case.is_run and ended.code == 1 and TOOK_PLACE in ended.said
            assert ended.code == 0 or there, (words, ended.said, hits)
            break
        stage = stage_of(folder / "run") if case.is_run else "writing"
        hits[stage] += 1
        look_after_kill(case, folder, expected)
        case.also(folder)
    found = result_of(case, folder)
    differing = sorted(name for name in {*found, *expected} if found.get(name) != expected.get(name))
    assert not differing, (differing, hits)
    tally.count(f"kills survived: {case.name}", hits.total())
    for stage, times in hits.items():
        tally.count(f"stages hit by a kill: {stage}", times)
    return hits


def look_after_kill(case: Case, folder: Path, expected: dict[str, Any]) -> None:
    """Nothing that a kill leaves is damaged, and a file under its final name is whole."""
    if not case.is_run:
        for name, content in content_of(folder).items():
            assert ".partial" in name or content == expected[name], name
        return
    run = folder / "run"
    if (run / "run.json").exists():
        damaged = [f"{one.path.relative_to(run)}: {one.what}" for one in verify(run) if one.state == DAMAGED]
        assert damaged == [], (stage_of(run), damaged)
        tally.count("verified after a kill")
