"""A full disk and other refusals in the middle of preparation: one clear line, nothing half-written, and on it goes."""

import contextlib
import gzip
import io
import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import only
from stopping import content_of

from streamvec.corpus import counting as counting_module
from streamvec.corpus import encoding as encoding_module
from streamvec.corpus import pairruns, shardwriter
from streamvec.corpus import prepare as prepare_module
from streamvec.corpus.compression import zstd
from streamvec.corpus.crew import ThreadCrews
from streamvec.corpus.phrases import PhraseOptions
from streamvec.corpus.pipeline import Progress
from streamvec.corpus.prepare import NO_PHRASES, prepare
from streamvec.corpus.shares import Shares
from streamvec.corpus.sources import resolve, spool
from streamvec.corpus.tokens import Tokenizer
from streamvec.disk.arrow import ArrowWriter
from streamvec.disk.writing import whole_file, whole_folder
from streamvec.errors import StreamvecError


def prepared(
    inputs: Path,
    folder: Path,
    column: str | None = None,
    report: Callable[[Progress], None] = lambda _: None,
    phrases: PhraseOptions = NO_PHRASES,
) -> None:
    prepare(
        resolve([str(inputs)], column),
        folder,
        Tokenizer(),
        column=column,
        min_count=2,
        phrases=phrases,
        crews=ThreadCrews(2, 1),
        report=report,
        stop=lambda: False,
    )


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prepare_module, "shares", lambda *_: Shares(20_000, 1))
    monkeypatch.setattr(shardwriter, "BATCH_TOKENS", 2000)
    monkeypatch.setattr(encoding_module, "SHARD_BATCHES", 4)


def many_words(path: Path) -> Path:
    draw = random.Random(1)
    text = "\n".join(
        " ".join(f"w{int(20_000 * draw.random() ** 2):x}-{'x' * draw.randrange(9)}" for _ in range(20))
        for _ in range(3000)
    )
    path.write_text(text)
    return path


def gone_on_with(
    source: Path, disk: Path, moment: int, room: int, whole: dict[str, bytes], phrases: PhraseOptions = NO_PHRASES
) -> set[str] | None:
    """Prepares on a disk that has *room* bytes from report number *moment* on, then on one that has enough.

    Returns what stood in the RUN when the disk was full, or None where it never was.
    """
    run, reports, found = disk / "run", 0, None
    with contextlib.ExitStack() as filled:

        def report(_: Progress) -> None:
            nonlocal reports
            reports += 1
            if reports == moment:
                filled.enter_context(only(disk, room))

        try:
            prepared(source, run, report=report, phrases=phrases)
        except StreamvecError as problem:
            assert "no space left on the disk: free some" in str(problem) and "\n" not in str(problem)
            assert str(disk) in str(problem)
            found = {path.relative_to(run).parts[0] for path in run.rglob("*")} if run.exists() else set()
        assert not list(disk.rglob("*.partial"))
    prepared(source, run, phrases=phrases)
    assert content_of(run) == whole
    subprocess.run(["rm", "-r", str(run)], check=True)
    return found


@pytest.mark.parametrize("interval", [0.0, 180.0])
def test_a_disk_that_is_full_at_any_moment(
    tmp_path: Path, small_disk: Path, small_parts: None, monkeypatch: pytest.MonkeyPatch, interval: float
) -> None:
    monkeypatch.setattr(counting_module, "INTERVAL", interval)
    source = many_words(tmp_path / "corpus.txt")
    seen: list[str] = []
    prepared(source, tmp_path / "whole", report=lambda progress: seen.append(progress.stage))
    whole = content_of(tmp_path / "whole")
    last = seen.count("counting")
    moments = [(1, 0), (1, 100_000), (20, 0), (20, 50_000), *((last, room) for room in range(0, 600_000, 50_000))]
    moments += [(last + 1, 0), (last + 1, 20_000), (last + 1, 60_000), (last + 20, 0), (last + 20, 40_000)]
    stages = set()
    for moment, room in moments:
        names = gone_on_with(source, small_disk, moment, room, whole)
        if names is not None:
            stages.add(" ".join(sorted(names - {"prepared.json"})))
    expected = {"counting" if interval == 0.0 else "", "vocabulary.arrow", "shards vocabulary.arrow"}
    assert stages >= expected, stages


def test_a_disk_that_is_full_while_phrases_are_found(
    tmp_path: Path, small_disk: Path, small_parts: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pairruns, "_FEWEST_SLOTS", 4000)
    source, phrases = many_words(tmp_path / "corpus.txt"), PhraseOptions(1, "word2vec", 5.0, 2)
    seen: list[str] = []
    prepared(source, tmp_path / "whole", report=lambda progress: seen.append(progress.stage), phrases=phrases)
    whole = content_of(tmp_path / "whole")
    stages = set()
    for stage, rooms in {
        "numbering": (0, 20_000, 200_000),
        "phrases 1": (0, 100_000, 400_000, 800_000),
        "phrases counted": (0, 40_000, 100_000),
        "encoding": (0, 100_000),
    }.items():
        for moment, room in ((moment, room) for moment in (seen.index(stage), seen.index(stage) + 3) for room in rooms):
            if gone_on_with(source, small_disk, moment, room, whole, phrases) is not None:
                stages.add(stage)
    assert stages == {"numbering", "phrases 1", "phrases counted", "encoding"}


def test_a_full_disk_in_the_middle_of_one_file(small_disk: Path) -> None:
    schema = pa.schema([("number", pa.int64())])
    batch = pa.record_batch([pa.array(np.arange(50_000))], schema=schema)
    for room in (0, 4096, 100_000, 500_000, 900_000):
        with only(small_disk, room):
            before = content_of(small_disk)
            full = r"disk/[a-d].*: no space left on the disk"
            with pytest.raises(StreamvecError, match=full), whole_file(small_disk / "a") as file:
                for _ in range(1000):
                    file.write(bytes(1000))
            with pytest.raises(StreamvecError, match=full), ArrowWriter(small_disk / "b", schema) as writer:
                for _ in range(3):
                    writer.write(batch)
            with pytest.raises(StreamvecError, match=full), whole_folder(small_disk / "c") as folder:
                (folder / "file").write_bytes(bytes(1_000_000))
            with pytest.raises(StreamvecError, match=full):
                spool(io.BytesIO(random.Random(1).randbytes(2_000_000)), small_disk / "d")
            assert content_of(small_disk) == before and len(list(small_disk.iterdir())) == 1


def cut_gzip(folder: Path) -> Path:
    path = folder / "a.txt.gz"
    path.write_bytes(gzip.compress(b"some words " * 100_000)[:-20])
    return path


def cut_zstd(folder: Path) -> Path:
    draw = random.Random(1)
    path = folder / "a.txt.zst"
    content = zstd.compress(" ".join(f"{draw.random()}" for _ in range(100_000)).encode())
    path.write_bytes(content[: len(content) // 2])
    return path


def empty(folder: Path) -> Path:
    path = folder / "a.txt"
    path.write_bytes(b"")
    return path


def rare(folder: Path) -> Path:
    path = folder / "a.txt"
    path.write_bytes(b"each word once\n")
    return path


def parquet(folder: Path) -> Path:
    path = folder / "a.parquet"
    pq.write_table(pa.table({"body": ["a text", "another text"], "number": [1, 2]}), path)
    return path


def broken_parquet(folder: Path) -> Path:
    path = parquet(folder)
    content = bytearray(path.read_bytes())
    content[4:40] = bytes(36)
    path.write_bytes(content)
    return path


def vanished(folder: Path) -> Path:
    return folder / "a.txt"


@pytest.mark.parametrize(
    ("make", "column", "message"),
    [
        (cut_gzip, None, r"a\.txt\.gz: cut short: the gzip data ends in the middle"),
        (cut_zstd, None, r"a\.txt\.zst: cut short: the zstd data ends in the middle"),
        (empty, None, "the input holds no words: 0 bytes"),
        (rare, None, "no word occurs 2 times: .* the most frequent 1 times: give more text, or --min-count 1"),
        (parquet, "text", r"a\.parquet: no column 'text', .* there are body \(string\), number \(int64\)"),
        (parquet, "number", r"a\.parquet: column 'number' is int64, not text"),
        (broken_parquet, "body", r"a\.parquet: damaged or cut short"),
        (vanished, None, r"a\.txt: no such file or folder: check the spelling"),
    ],
)
def test_bad_input_is_named_and_leaves_nothing(
    tmp_path: Path, make: object, column: str | None, message: str, small_parts: None
) -> None:
    source = make(tmp_path)  # type: ignore[operator]
    before = {path.name for path in tmp_path.iterdir()}
    for folder in (tmp_path / "run", tmp_path / "deep" / "run"):
        with pytest.raises(StreamvecError, match=message) as found:
            prepared(source, folder, column)
        assert "\n" not in str(found.value)
        assert not folder.exists()
    assert {path.name for path in tmp_path.iterdir()} - before <= {"deep"}


def test_a_file_that_vanishes_while_it_is_prepared_is_named(tmp_path: Path, small_parts: None) -> None:
    source = many_words(tmp_path / "corpus.txt")
    sources = resolve([str(source)])
    source.unlink()
    options = {"crews": ThreadCrews(1, 1), "report": lambda _: None, "stop": lambda: False}
    with pytest.raises(StreamvecError, match=r"corpus\.txt: no such file or folder"):
        prepare(sources, tmp_path / "run", Tokenizer(), **options)  # type: ignore[arg-type]
    assert not list(tmp_path.iterdir())


NOBODY = """
import os, sys
from pathlib import Path
from streamvec.corpus.prepare import prepare
from streamvec.corpus.sources import resolve
from streamvec.corpus.crew import ThreadCrews
from streamvec.corpus.tokens import Tokenizer
from streamvec.errors import StreamvecError
source, *folders = map(Path, sys.argv[1:])
if os.geteuid() == 0:
    os.setgid(65534)
    os.setuid(65534)
for folder in folders:
    try:
        prepare(resolve([str(source)]), folder, Tokenizer(), min_count=1, crews=ThreadCrews(1, 1),
                report=lambda _: None, stop=lambda: False)
        print("no problem")
    except StreamvecError as problem:
        print(problem)
"""


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that other users may enter; pytest's own are closed again whenever a pytest starts."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def test_a_folder_without_permission_is_named(open_folder: Path) -> None:
    source = open_folder / "a.txt"
    source.write_text("some words\n")
    closed, inside = open_folder / "closed", open_folder / "closed" / "run"
    closed.mkdir(mode=0o555)
    arguments = [sys.executable, "-c", NOBODY, str(source), str(closed), str(inside)]
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(open_folder / "cache")}
    ended = subprocess.run(arguments, capture_output=True, text=True, check=False, env=environment)
    if "ModuleNotFoundError" in ended.stderr or "PermissionError" in ended.stderr:
        pytest.skip("another user may not read this installation of Python")
    lines = ended.stdout.splitlines()
    assert len(lines) == 2, ended.stderr
    for line in lines:
        assert str(closed) in line and "permission denied: choose another place, or change the permissions" in line
    assert not list(closed.iterdir())
