"""The counting of pairs into files: the same bytes however it is made, and gone on with after any stop."""

import os
import random
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from cooccurring import Text, count, documents_of, matrix_of, open_files, prepared, runs_seen, tiny_tables
from stopping import content_of, stopped_after

import streamvec as sv
from streamvec.corpus import nearby, pairpass, pairruns
from streamvec.corpus.cooccurrences import Cooccurrences, Counted
from streamvec.corpus.runfiles import RunFiles
from streamvec.corpus.vocabulary import Vocabulary
from streamvec.disk.arrow import ArrowWriter
from streamvec.errors import Interrupted, StreamvecError

COUNTED = Counted(5)


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> Text:
    return prepared(tmp_path_factory.mktemp("text"), documents_of(2))


@pytest.fixture(scope="module")
def whole(text: Text, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """What one thread makes that is never stopped and has a large table."""
    folder = tmp_path_factory.mktemp("whole") / "counted"
    count(text, folder, COUNTED)
    content = content_of(folder)
    assert set(content) == {"index.json"} | {f"{number:05d}.arrow" for number in range(64)}
    return content


@pytest.mark.parametrize("threads", [1, 2, 4])
def test_the_same_bytes_for_any_threads_and_memory(
    text: Text, whole: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, threads: int
) -> None:
    for memory in (1, 1 << 30):
        count(text, tmp_path / f"{memory}", COUNTED, threads=threads, memory=memory)
        assert content_of(tmp_path / f"{memory}") == whole
    monkeypatch.setattr(nearby, "AT_ONCE", 50)
    monkeypatch.setattr(pairruns, "_FIRST_SLOTS", 100)
    count(text, tmp_path / "growing", COUNTED, threads=threads)
    assert content_of(tmp_path / "growing") == whole


def test_small_tables_spill_and_many_runs_are_merged(
    text: Text, whole: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny_tables(monkeypatch)
    written, merged = runs_seen(monkeypatch)
    count(text, tmp_path / "counted", COUNTED, threads=2)
    assert len(written) > 40 and len(merged) > 20 and set(merged) == {3}
    assert content_of(tmp_path / "counted") == whole


@pytest.mark.parametrize("wanted", [64, 31, 20])
@pytest.mark.parametrize("threads", [1, 4])
def test_at_most_64_files_are_open(
    text: Text, whole: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wanted: int, threads: int
) -> None:
    """However many runs are left in the end: as many as may be, or a half or a third of 64, which more threads read."""
    tiny_tables(monkeypatch, slots=150)
    opened: list[int] = []
    left: list[int] = []
    write = ArrowWriter.write

    def counting_open_files(writer: ArrowWriter, batch: Any) -> None:
        opened.append(open_files(tmp_path, text.folder))
        write(writer, batch)

    def leave_so_many(runs: RunFiles, most: int | None = None, *_: object) -> None:
        target = min(wanted, most) if most else 100
        while (more := len(runs.paths) - target) > 0:
            some, path = runs.paths[: min(32, more + 1)], runs.next_path()
            pairpass.merge_to_run(some, path)
            kept = [path.name for path in [*runs.paths[len(some) :], path]]
            runs.restore({"runs": [{"name": name, "level": 0} for name in kept], "runs_made": runs.made})
        left.append(len(runs.paths))

    monkeypatch.setattr(ArrowWriter, "write", counting_open_files)
    monkeypatch.setattr(RunFiles, "merge_some", leave_so_many)
    count(text, tmp_path / "counted", COUNTED, threads=threads)
    assert min(wanted, 60) == left[-1] < max(opened) <= 63  # and the lock of a RUN
    assert content_of(tmp_path / "counted") == whole


@pytest.mark.parametrize("seed", range(2))
def test_stopped_at_random_moments_and_gone_on_with(
    text: Text, whole: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    tiny_tables(monkeypatch)
    draw, stages = random.Random(seed), []
    for attempt in range(500):
        stop = stopped_after(draw.randrange(1, 12) if attempt < 6 else draw.randrange(60, 130))  # runs are read again
        now = ["cooccurrences"]
        try:
            report = lambda stage, done, now=now: now.__setitem__(0, stage)  # noqa: E731
            count(text, tmp_path / "counted", COUNTED, threads=draw.choice([1, 2, 3]), report=report, stop=stop)
            break
        except Interrupted:
            stages.append(now[0])
    assert {"cooccurrences", "blocks"} == set(stages) and len(stages) > 5
    assert content_of(tmp_path / "counted") == whole


KILLED = """
import os, sys
from pathlib import Path
import pytest
from cooccurring import Text, count, tiny_tables
from streamvec.corpus import pairpass
from streamvec.corpus.cooccurrences import Counted
tiny_tables(pytest.MonkeyPatch(), 300, 8)
pairpass.INTERVAL = 0.0
now, left = ["cooccurrences"], [int(sys.argv[4])]
def die(stage):
    left[0] -= stage == sys.argv[3]
    if left[0] == 0:
        os.kill(os.getpid(), 9)
def report(stage, done):
    now[0] = stage
    die(stage)
def stop():
    die("within " + now[0])
    return False
count(Text(Path(sys.argv[1]), []), Path(sys.argv[2]), Counted(5), threads=2, report=report, stop=stop)
"""


def test_killed_in_each_stage_and_gone_on_with(text: Text, whole: dict[str, bytes], tmp_path: Path) -> None:
    moments = [("cooccurrences", 5), ("within cooccurrences", 10), ("blocks", 9), ("within blocks", 12), ("none", -1)]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent)}
    for stage, left in moments:
        arguments = [sys.executable, "-c", KILLED, str(text.folder), str(tmp_path / "counted"), stage, str(left)]
        code = subprocess.run(arguments, env=environment, check=False).returncode
        assert code == (0 if stage == "none" else -signal.SIGKILL), stage
        if "blocks" in stage:
            assert (tmp_path / "counted/record.json").exists() and not (tmp_path / "counted/index.json").exists()
    assert content_of(tmp_path / "counted") == whole


def stopped(text: Text, folder: Path, counted: Counted, stage: str, after: int, **options: Any) -> None:
    """Counting that is stopped after as many reports of *stage*."""
    seen: list[str] = []
    with pytest.raises(Interrupted, match=r"stopped while (counting pairs|writing co-occurrences)"):
        count(
            text,
            folder,
            counted,
            report=lambda name, done: seen.append(name),
            stop=lambda: seen.count(stage) >= after,
            **options,
        )


@pytest.mark.parametrize(("stage", "after"), [("cooccurrences", 9), ("blocks", 5)])
def test_a_damaged_run_is_named(
    text: Text, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stage: str, after: int
) -> None:
    tiny_tables(monkeypatch, at_once=32)
    stopped(text, tmp_path / "counted", COUNTED, stage, after)
    path = sorted((tmp_path / "counted/runs").glob("run-*"))[-1]
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(StreamvecError, match=f"{path.name}: damaged"):
        count(text, tmp_path / "counted", COUNTED)
    assert not (tmp_path / "counted/index.json").exists()


@pytest.mark.parametrize(("stage", "after"), [("cooccurrences", 9), ("blocks", 5), ("none", 0)])
def test_what_other_options_or_another_vocabulary_left_is_not_gone_on_with(
    text: Text, whole: dict[str, bytes], tmp_path: Path, stage: str, after: int
) -> None:
    folder, vocabulary = tmp_path / "counted", text.vocabulary
    other = Vocabulary(vocabulary.words, vocabulary.counts + 1, vocabulary.about)
    for counted, named in (
        (Counted(4), None),
        (Counted(5, "left"), None),
        (Counted(5, "both", "flat"), None),
        (COUNTED, other),
    ):
        if stage == "none":
            count(text, folder, counted, vocabulary=named)
        else:
            stopped(text, folder, counted, stage, after, vocabulary=named)
        seen: list[tuple[str, float]] = []
        count(text, folder, COUNTED, report=lambda *told, seen=seen: seen.append(told))
        assert [stage for stage, _ in seen] == ["cooccurrences"] * text.shards.batches + ["blocks"] * 64
        assert content_of(folder) == whole
    count(text, folder, COUNTED, report=lambda *told: pytest.fail(f"counted again: {told}"))


def test_reports_are_shares_that_rise_to_one(text: Text, tmp_path: Path) -> None:
    seen: list[tuple[str, float]] = []
    stopped(text, tmp_path / "counted", COUNTED, "cooccurrences", 9)
    count(text, tmp_path / "counted", COUNTED, report=lambda *told: seen.append(told))
    counting = [done for stage, done in seen if stage == "cooccurrences"]
    writing = [done for stage, done in seen if stage == "blocks"]
    assert 9 < counting[0] * text.shards.batches == pytest.approx(text.shards.batches - len(counting) + 1)
    assert counting == sorted(counting) and writing == sorted(writing) and counting[-1] == writing[-1] == 1


def test_finished_files_that_are_damaged_are_named(text: Text, whole: dict[str, bytes], tmp_path: Path) -> None:
    folder = tmp_path / "counted"
    count(text, folder, COUNTED)
    path = max(folder.glob("*.arrow"), key=lambda path: path.stat().st_size)
    content = whole[path.name]
    path.write_bytes(content[:-1])
    with pytest.raises(StreamvecError, match=rf"{path.name}: damaged or cut short: .*remove the folder"):
        Cooccurrences.open(folder)
    path.write_bytes(content[:300] + bytes([content[300] ^ 1]) + content[301:])
    found = Cooccurrences.open(folder)
    with pytest.raises(StreamvecError, match=f"{path.name}: damaged"):
        found.verify()
    with pytest.raises(StreamvecError, match=f"{path.name}: damaged"):
        matrix_of(found)


def test_nothing_to_count_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    alone = prepared(tmp_path / "text", [["one"], ["two"], ["one"], ["two"]])
    for _ in range(2):
        with pytest.raises(StreamvecError, match=r"no two words .* give documents of several words, a larger --window"):
            count(alone, tmp_path / "counted", COUNTED)
        assert not (tmp_path / "counted").exists()
    path, run = tmp_path / "alone.txt", tmp_path / "run"
    path.write_text("one\ntwo\none\ntwo\n")
    with pytest.raises(StreamvecError, match="no two words"):
        sv.train_glove(path, run, min_count=1, dim=4, threads=1)
    with pytest.raises(StreamvecError, match="no two words"):
        sv.resume(run, threads=1)
    path.write_text("one two\none two\n")
    assert len(sv.train_glove(path, run, min_count=1, dim=4, threads=1, epochs=2, overwrite=True)) == 2


def test_one_word_that_is_its_own_neighbour(tmp_path: Path) -> None:
    alone = prepared(tmp_path / "text", [["one"] * 3])
    assert matrix_of(count(alone, tmp_path / "both", Counted(2))) == {(0, 0): 5.0}  # 2 (1 + 1 + 1/2)
    assert matrix_of(count(alone, tmp_path / "left", Counted(2, "left"))) == {(0, 0): 2.5}
