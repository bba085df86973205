"""Killed at random moments, and at random operations on files, again and again: nothing lost, and the same bytes.

A process that is killed while it works says nothing: what a person does is type the command again, or streamvec resume.
"""

import random
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import killed_cases
import pytest
from killed_cases import FILES, RUNS
from killing import ON_THE_WAY, Case, Ended, Server, expected_of, fresh, kill_until_through, run_outside

QUICK = ("skip-gram, phrases", "classifier", "export: npy")  # of make test; make soak has all of them
ROUNDS = 12  # new beginnings, at most, until every stage was hit
KILLS = 14  # of each command, at least


def cases(of: Sequence[Case], quick: Sequence[str] = QUICK) -> list[object]:
    marks = [() if case.name in quick else (pytest.mark.soak,) for case in of]
    return [pytest.param(case, id=case.name, marks=mark) for case, mark in zip(of, marks, strict=True)]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the commands read; not to be changed."""
    return killed_cases.make(tmp_path_factory.mktemp("kills") / "data")


@pytest.fixture(scope="module")
def server(data: Path) -> Iterator[Server]:
    with Server(data) as running:
        yield running


@pytest.mark.parametrize("case", cases([*RUNS, *FILES]))
def test_killed_at_any_operation_or_moment(
    case: Case, data: Path, server: Server, request: pytest.FixtureRequest
) -> None:
    stdin = None if case.stdin is None else str(data / case.stdin)
    draw = random.Random(case.name)
    soaks = request.config.getoption("--soak")
    expected, whole = expected_of(case, data, lambda words, folder: server.run(words, folder, stdin))
    hits: Counter[str] = Counter()

    def attempt(words: Sequence[str], folder: Path, left: int) -> Ended:
        if not left:
            return server.run(words, folder, stdin)
        if missing and directed and not begun:
            begun.append(True)
            return server.run(words, folder, stdin, kill_on=(ON_THE_WAY[draw.choice(missing)], draw.randrange(2, 4)))
        if draw.random() < 0.3:
            return server.run(words, folder, stdin, kill_after=draw.uniform(0, whole.seconds))
        most = whole.operations // draw.choice([1, 2, 4, 8])
        return server.run(words, folder, stdin, kill_at=draw.randrange(1, max(3, most)))

    for _ in range(ROUNDS):
        missing, directed, begun = sorted(case.stages - hits.keys()), hits.total() >= KILLS, list[bool]()
        with fresh(data, case, "killed-") as folder:
            hits += kill_until_through(case, folder, expected, attempt, 8 if soaks else 4)
        if hits.total() >= (KILLS if soaks else 4) and (not soaks or case.stages <= hits.keys()):
            break
    assert hits.total() >= (KILLS if soaks else 4), hits
    assert not soaks or case.stages <= hits.keys(), (case.stages - hits.keys(), hits)


OUTSIDE = ("skip-gram, phrases", "GloVe", "language model of words", "tagger", "from standard input")


@pytest.mark.soak
@pytest.mark.parametrize("case", [pytest.param(case, id=case.name) for case in RUNS if case.name in OUTSIDE])
def test_processes_killed_from_outside(case: Case, data: Path) -> None:
    """As they are, without small parts, and without a word of what kills them in their own process."""
    stdin = None if case.stdin is None else data / case.stdin
    draw = random.Random(case.name)
    expected, whole = expected_of(case, data, lambda words, folder: run_outside(words, data, folder, stdin))
    hits: Counter[str] = Counter()

    def attempt(words: Sequence[str], folder: Path, left: int) -> Ended:
        return run_outside(words, data, folder, stdin, draw.uniform(0, whole.seconds) if left else None)

    while hits.total() < 8:
        with fresh(data, case, "killed-") as folder:
            hits += kill_until_through(case, folder, expected, attempt, 8)
    assert len(hits) > 1, hits
