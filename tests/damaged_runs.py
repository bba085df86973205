"""Damages every file of RUNs of every kind, in a process of its own: python damaged_runs.py FOLDER SEED MOST [KIND...].

Each file in turn is cut short, has a bit flipped in each of its regions, becomes noise, states lengths that no machine
has, or gives its place to a symbolic link or a folder: up to MOST of these a file, drawn by SEED. Then the RUN is
verified, told of, asked, and gone on with. It prints a JSON object a kind: how many were tried and refused, and what
went wrong. FOLDER/current says what is being tried, should the process die.
"""

import itertools
import json
import os
import resource
import signal
import sys
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from click.testing import CliRunner
from damaged_files import ROOM
from damaged_kinds import KINDS, copied, many_files
from streamvec_cli.inspect import info_, verify_

from streamvec.errors import StreamvecError
from streamvec.tasks.generation import Sampling
from streamvec.tasks.lm import TrainedModel
from streamvec.tasks.predicting import predictions
from streamvec.tasks.trained import TrainedTask
from streamvec.training.checking import DAMAGED, OK
from streamvec.training.run import LABELLED, Run
from streamvec.training.verify import verify
from streamvec.training.words import resume
from streamvec.vectors import KeyedVectors

SECONDS = 60  # for one damaged file and all that is asked of it
BYSTANDER = b"not to be touched\n"
HUGE = (10**18).to_bytes(8, "little")
DEEP = b"[" * 200_000  # what a parser that calls itself does not come back from

Change = Callable[[Path], None]


def changes(path: Path, draws: np.random.Generator) -> Iterator[tuple[str, Change]]:
    """(what is done to a file, how) of all damages."""
    whole = path.read_bytes()
    for start, end in regions(path, whole):
        place, bit = int(draws.integers(start, end)), int(draws.integers(8))
        yield f"bit {bit} of byte {place} flipped", _bytes(_flipped(whole, place, bit))
    for length in {0, 1, 7, len(whole) // 3, len(whole) // 2, max(0, len(whole) - 1)} - {len(whole)}:
        yield f"the first {length} of {len(whole)} bytes", _bytes(whole[:length])
    yield "noise", _bytes(draws.integers(0, 256, max(64, len(whole)), dtype=np.uint8).tobytes())
    yield "zeros", _bytes(bytes(max(64, len(whole))))
    yield "brackets", _bytes(DEEP)
    for place in (0, *(int(place) for place in draws.integers(0, len(whole), 2)), max(0, len(whole) - 10)):
        yield f"10^18 at {place}", _bytes(whole[:place] + HUGE + whole[place + 8 :])
    yield "a line more", _bytes(whole + b"{}\n")
    yield "a folder", Path.mkdir
    yield "a link to itself", lambda path: path.symlink_to(path)
    yield "a link to nothing", lambda path: path.symlink_to("nothing")
    yield "a link to its folder", lambda path: path.symlink_to(path.parent)
    yield "a link to another file", lambda path: path.symlink_to(bystander())


def bystander() -> Path:
    """What must never be written over."""
    return Path(sys.argv[1]) / "bystander"


def regions(path: Path, whole: bytes) -> Iterator[tuple[int, int]]:
    """Where something else begins in a file: ends, twelfths, and of Arrow files some buffers of each column."""
    size = len(whole)
    if not size:
        return
    edges = [0, min(8, size), min(64, size), max(0, size - 64), max(0, size - 10), size]
    edges = sorted({*edges, *(size * part // 12 for part in range(12))})
    yield from ((a, b) for a, b in itertools.pairwise(edges) if a < b)
    if path.suffix == ".arrow":
        with pa.memory_map(os.fsencode(path)) as mapped:
            base = mapped.read_buffer(1).address
            reader = pa.ipc.open_file(mapped)
            for number in {0, reader.num_record_batches - 1} if reader.num_record_batches else ():
                for column in reader.get_batch(number).columns:
                    for buffer in column.buffers():
                        if buffer is not None and buffer.size:
                            yield buffer.address - base, buffer.address - base + buffer.size


def _bytes(content: bytes) -> Change:
    return lambda path: path.write_bytes(content) and None


def _flipped(whole: bytes, place: int, bit: int) -> bytes:
    changed = bytearray(whole)
    changed[place] ^= 1 << bit
    return bytes(changed)


def result_of(run: Path) -> dict[str, bytes]:
    """What a finished RUN comes to: its vectors and its last checkpoint."""
    newest = max((run / "checkpoints").glob("[0-9]*/arrays.safetensors"))
    return {path.name: path.read_bytes() for path in [*run.glob("vectors*.arrow"), newest] if path.is_file()}


def gone_on_with(run: Path) -> dict[str, bytes]:
    with many_files():
        resume(run, threads=1)
    return result_of(run)


def asked(run: Path, kind: str) -> None:
    """All that one asks a finished RUN."""
    vectors = KeyedVectors.load(run, index=True)
    if len(vectors):
        vectors.most_similar(vectors.words[0], topn=3)
    if kind == "lm":
        with TrainedModel(Run.open(run)) as model:
            list(model.write("the", Sampling(), 5))
    if kind in LABELLED:
        with TrainedTask(Run.open(run)) as trained:
            list(predictions(trained, ["a good movie"], as_text=kind == "tagger"))


def listed(run: Path) -> dict[str, str]:
    """What `verify` says of each file, by its name in the RUN."""
    return {str(file.path.relative_to(run)): file.state for file in verify(run)}


class Trials:
    """What came of the damage that was done to one RUN."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name, self.folder = name, folder
        self.place = folder / name.replace(" ", "-") / "run"
        self.whole = KINDS[name].made(self.place.parent).rename(self.place.with_name("whole"))
        run = copied(self.whole, self.place)
        self.states = listed(run)
        self.kind = Run.open(run).kind
        self.right = result_of(run) if KINDS[name].is_finished else gone_on_with(run)
        self.counts: Counter[str] = Counter()
        self.wrong: list[str] = []

    def tried(self, name: str, what: str, change: Change) -> None:
        """Damages one file of a copy, and asks all that can be asked."""
        self.counts["tried"] += 1
        (self.folder / "current").write_text(f"{self.name}: {name}: {what}", encoding="utf-8")
        run = copied(self.whole, self.place)
        path = run / name
        before = path.read_bytes()
        path.unlink()
        change(path)
        signal.alarm(SECONDS)
        try:
            self._say(name, what, self._verified(run, name, before))
            for ask in (lambda: _told(info_, run), lambda: _told(info_, path), lambda: _told(verify_, path)):
                self._refused(name, what, ask)
            if KINDS[self.name].is_finished:
                self._refused(name, what, lambda: asked(run, self.kind))
            found = self._refused(name, what, lambda: gone_on_with(run))
            is_result = KINDS[self.name].is_finished and not self.right.keys().isdisjoint({path.name})
            if found is not None and found != self.right and not is_result:
                self._say(name, what, "other bytes after resume")
        finally:
            signal.alarm(0)
        if bystander().read_bytes() != BYSTANDER:
            self._say(name, what, "wrote over what it leads to")
            bystander().write_bytes(BYSTANDER)

    def _verified(self, run: Path, name: str, before: bytes) -> str:
        """What is not true in what verify says; empty where all is."""
        try:
            states = listed(run)
        except StreamvecError as problem:
            return "" if name in ("run.json", "prepared.json") else f"verify: {problem}"
        except BaseException:
            return f"verify: {traceback.format_exc(limit=-4)}"
        path = run / name
        if self.states.get(name) != OK or (path.is_file() and _same(path, before)):
            return ""
        self.counts["named"] += 1
        if path.is_file() and not path.is_symlink():
            return "" if states.get(name) == DAMAGED else f"verify says {states.get(name)}"
        return f"verify says {OK}" if states.get(name) == OK else ""

    def _refused(self, name: str, what: str, ask: Callable[[], Any]) -> Any:
        """What *ask* gives; None where it was refused, which is counted."""
        try:
            return ask()
        except StreamvecError as problem:
            self.counts["refused"] += 1
            if "\n" in str(problem):
                self._say(name, what, f"more than a line: {problem}")
        except BaseException:
            self._say(name, what, traceback.format_exc(limit=-6))
        return None

    def _say(self, name: str, what: str, problem: str) -> None:
        if problem:
            self.wrong.append(f"{name}: {what}: {problem}")


def _told(command: Any, path: Path) -> None:
    ended = CliRunner().invoke(command, [str(path)])
    if ended.exception is not None and not isinstance(ended.exception, SystemExit):
        raise ended.exception


def _same(path: Path, before: bytes) -> bool:
    """Whether a JSON file says what it said: white space at its end may be gone."""
    return path.suffix == ".json" and path.read_bytes().strip() == before.strip()


def chosen(files: list[Path], draws: np.random.Generator) -> list[Path]:
    """Those files that damage is done to: of many that are alike (00000.arrow, ...) the first and another one."""
    alike: dict[tuple[Path, str], list[Path]] = {}
    for path in files:
        alike.setdefault((path.parent, path.name.lstrip("0123456789") or path.name), []).append(path)
    return [
        path
        for some in alike.values()
        for path in (some if len(some) < 3 else [some[0], some[int(draws.integers(1, len(some)))]])
    ]


def _too_long(*_: object) -> None:
    raise TimeoutError(f"more than {SECONDS} seconds")


def main(folder: Path, seed: int, most: int, names: list[str]) -> None:
    signal.signal(signal.SIGALRM, _too_long)
    warnings.filterwarnings("ignore", module="streamvec.vectors.neighbours")
    draws = np.random.default_rng(seed)
    bystander().write_bytes(BYSTANDER)
    for name in names or KINDS:
        resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        trials = Trials(name, folder)
        mapped = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (mapped + ROOM, resource.RLIM_INFINITY))
        files = [path for path in sorted(trials.whole.rglob("*")) if path.is_file() and path.name != "lock"]
        for path in chosen(files, draws):
            every = list(changes(path, draws))
            some = every if len(every) <= most else [every[one] for one in draws.choice(len(every), most, False)]
            for what, change in some:
                trials.tried(str(path.relative_to(trials.whole)), what, change)
        print(json.dumps({"kind": name, **trials.counts, "wrong": trials.wrong}), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4:])
