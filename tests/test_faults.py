"""Each call to the disk fails in turn, for every verb that writes: it is told, and gone on with to the same bytes.

`make test` tries some calls of each verb, `make soak` all of them, and all states of the disk after a power cut.
"""

import errno
import gc
import random
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import tally
from faulty_disk import FaultyDisk
from power_cut import STATES, Disk, write_out
from verbs import VERBS, Verb, call, copied, made, result, small_parts

from streamvec.training.checking import DAMAGED
from streamvec.training.checkpoint import Checkpoints
from streamvec.training.run import CHECKPOINTS
from streamvec.training.verify import verify

ERRORS = (errno.ENOSPC, errno.EIO, errno.EINTR)
SOME = 5  # faults, and cuts, of each verb in `make test`

pytestmark = pytest.mark.timeout(3600)


@pytest.fixture(autouse=True)
def small() -> Iterator[None]:
    with small_parts():
        yield


@pytest.fixture(params=VERBS, ids=lambda verb: verb.name)
def verb(request: pytest.FixtureRequest) -> Verb:
    found: Verb = request.param
    return found


def check_and_go_on(verb: Verb, folder: Path, whole: dict[str, bytes], what: str) -> None:
    """What is there is whole or said to be unfinished, and the next command ends with the bytes of *whole*."""
    for name in ("run", "other"):
        if (folder / name / "run.json").exists():
            damaged = [f"{file.path}: {file.what}" for file in verify(folder / name) if file.state == DAMAGED]
            assert not damaged, (what, damaged)
    ended = call(folder, verb.again(folder), verb.stdin)
    assert ended.status == 0, (what, ended.said)
    check_same(folder, whole, what)


def check_same(folder: Path, whole: dict[str, bytes], what: str) -> None:
    found = result(folder)
    assert found.keys() == whole.keys(), (what, found.keys() ^ whole.keys())
    assert found == whole, (what, [name for name in whole if found[name] != whole[name]])


def fail(verb: Verb, base: Path, folder: Path, whole: dict[str, bytes], number: int, error: int) -> bool:
    """Call *number* fails with *error*: whether there was such a call."""
    copied(base, folder)
    with FaultyDisk(folder, number, error) as disk:
        ended = call(folder, verb.command, verb.stdin)
    what = f"{verb.name}: call {number}, {disk.failed}, {errno.errorcode[error]}"
    if not disk.failed:
        assert ended.status == 0, (what, ended.said)
        return False
    kind = disk.failed.split()[0]
    tally.count(f"faults injected: {kind} fails with {errno.errorcode[error]}")
    if ended.status:
        last = ended.said.splitlines()[-1]
        assert ended.status == 1 and last.startswith("streamvec: error: "), (what, ended.said)
        check_and_go_on(verb, folder, whole, f"{what}, {last}")
    else:
        check_same(folder, whole, what)
    return True


def whole_of(verb: Verb, base: Path, folder: Path) -> tuple[dict[str, bytes], int]:
    """(the result of an undisturbed run, how many calls it made)."""
    copied(base, folder)
    with FaultyDisk(folder) as disk:
        ended = call(folder, verb.command, verb.stdin)
    assert ended.status == 0, ended.said
    found = result(folder)
    assert not [name for name in found if ".partial" in name]
    gc.collect()
    gc.freeze()  # all that was imported: to look through it each time would take most of a call
    return found, disk.calls


@pytest.mark.parametrize("name", ["skipgram of a pipe", "glove", "export npy", "index"])
def test_signals_that_interrupt_all_the_time_change_nothing(name: str, tmp_path: Path) -> None:
    verb = next(one for one in VERBS if one.name == name)
    base = made(verb, tmp_path / "base")
    whole, _ = whole_of(verb, base, tmp_path / "ws")
    copied(base, tmp_path / "ws")
    heard = []
    before = signal.signal(signal.SIGALRM, lambda *_: heard.append(1))
    signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
    try:
        ended = call(tmp_path / "ws", verb.command, verb.stdin)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert ended.status == 0 and heard, ended.said
    check_same(tmp_path / "ws", whole, name)


def test_some_calls_fail(verb: Verb, tmp_path: Path) -> None:
    base = made(verb, tmp_path / "base")
    whole, calls = whole_of(verb, base, tmp_path / "ws")
    draw = random.Random(verb.name)
    for number in sorted(draw.sample(range(1, calls + 1), SOME)):
        assert fail(verb, base, tmp_path / "ws", whole, number, draw.choice(ERRORS))


@pytest.mark.soak
def test_every_call_fails(verb: Verb, tmp_path: Path) -> None:
    base = made(verb, tmp_path / "base")
    whole, calls = whole_of(verb, base, tmp_path / "ws")
    number = 1
    while fail(verb, base, tmp_path / "ws", whole, number, ERRORS[number % len(ERRORS)]):
        number += 1
    assert abs(number - calls) < 20  # how often is asked or told depends on how fast it went


class Recording:
    """The journal of an undisturbed run, in which it also stands when a checkpoint was said to be saved."""

    def __init__(self, verb: Verb, base: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        copied(base, folder)
        self._start = Disk(folder)
        save = Checkpoints.save

        def saved(checkpoints: Checkpoints, *about: Any) -> Path:
            path = save(checkpoints, *about)
            if path.parent.name == CHECKPOINTS:
                disk.wrote("saved", str(path))
            return path

        with FaultyDisk(folder) as disk, monkeypatch.context() as patch:
            patch.setattr(Checkpoints, "save", saved)
            ended = call(folder, verb.command, verb.stdin)
        assert ended.status == 0, ended.said
        self.whole = result(folder)
        self.journal = disk.journal

    def cuts(self, chosen: set[tuple[int, str]] | None, seed: int) -> Iterator[tuple[str, str, dict[str, Any]]]:
        """(what was done last, the newest checkpoint that was saved, what a cut then leaves), each state once."""
        draw, seen, saved = random.Random(seed), set(), ""
        for number, change in enumerate(self.journal):
            if change[0] == "saved":
                saved = change[1]
            else:
                self._start.apply(*change)
            for state in STATES:
                if chosen is None or (number, state) in chosen:
                    left = self._start.left(state, draw)
                    known = hash(tuple((name, content and content[0]) for name, content in left.items())), saved
                    if known not in seen:
                        seen.add(known)
                        yield f"cut after change {number}, {change[:2]}, {state}", saved, left


def cut(verb: Verb, recording: Recording, folder: Path, what: str, saved: str, left: dict[str, Any]) -> bool:
    """A power cut left this: whether nothing that was said to be saved is lost, and one goes on to the same bytes."""
    shutil.rmtree(folder)
    write_out(left, folder)
    kept = [path.name for path in Checkpoints(folder / "run" / CHECKPOINTS).paths()]
    if saved and verb.trains:
        assert kept and kept[0] >= Path(saved).name, (what, saved, kept)
    tally.count(f"power cuts survived: {what.split()[-1]} is left")
    check_and_go_on(verb, folder, recording.whole, f"{verb.name}: {what}")
    return result(folder) == recording.whole


def test_the_power_is_cut_at_some_moments(verb: Verb, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    base = made(verb, tmp_path / "base")
    recording = Recording(verb, base, tmp_path / "ws", monkeypatch)
    draw = random.Random(verb.name)
    chosen = {(draw.randrange(len(recording.journal)), draw.choice(STATES)) for _ in range(SOME)}
    survived = [cut(verb, recording, tmp_path / "ws", *one) for one in recording.cuts(chosen, 1)]
    assert survived and all(survived)


@pytest.mark.soak
def test_the_power_is_cut_at_every_moment(verb: Verb, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    base = made(verb, tmp_path / "base")
    recording = Recording(verb, base, tmp_path / "ws", monkeypatch)
    survived = [cut(verb, recording, tmp_path / "ws", *one) for one in recording.cuts(None, 2)]
    assert len(survived) >= len(recording.journal) // 2 and all(survived)
