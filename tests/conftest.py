"""What several test files share: small texts, RUNs of them that no test changes, and the command as a process."""

import contextlib
import gc
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import glove_runs
import lm_runs
import pytest
import run_states
import tally
from preparing import BATCH
from stanford_files import WORDS, entries_of, packed
from starting import OLD, Notes

import streamvec as sv
from streamvec.corpus import encoding, pairruns, remote, shardwriter
from streamvec.errors import Interrupted
from streamvec.training import loop, timing
from streamvec.training.progress import Silence
from streamvec.training.warming import warm

TOPICS = (
    ["river", "lake", "water", "fish", "boat", "shore", "stream", "bridge"],
    ["king", "queen", "crown", "throne", "court", "prince", "palace"],
)
EVERYWHERE = ["the", "a", "of", "and", "to", "in", "was", "it"]
TRAINING = ("--dim", "16", "--min-count", "2", "--epochs", "20", "--sample", "0", "--seed", "3")

Command = Callable[..., subprocess.CompletedProcess[str]]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--soak", action="store_true", help="Run all of what holds RELIABILITY.md, and the tests marked soak."
    )
    parser.addoption("--keep-counts", metavar="FILE", help="Keep what was tried, and how often, as JSON.")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "soak: takes minutes; runs with --soak (make soak) only")
    if not hasattr(config, "workerinput") and not config.option.collectonly:
        warm(Silence())  # once, before workers meet in numba's cache
        handle, os.environ[tally.VARIABLE] = tempfile.mkstemp(prefix="streamvec-tally-")
        os.close(handle)


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    if hasattr(config, "workerinput") or config.option.collectonly or tally.VARIABLE not in os.environ:
        return
    if lines := tally.report():
        terminalreporter.section("tried")
        terminalreporter.write_line("\n".join(lines))
    if config.option.keep_counts:
        passed, failed = (len(terminalreporter.stats.get(name, [])) for name in ("passed", "failed"))
        kept = json.dumps(tally.result(passed, failed), indent=2) + "\n"
        Path(config.option.keep_counts).write_text(kept, encoding="utf-8")
    Path(os.environ.pop(tally.VARIABLE)).unlink()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--soak"):
        promises = (config.rootpath / "RELIABILITY.md").read_text(encoding="utf-8")
        others = [item for item in items if "soak" not in item.keywords and f"tests/{item.path.name}" not in promises]
        left = set(others)
        items[:] = [item for item in items if item not in left]
        config.hook.pytest_deselected(items=others)
        return
    for item in items:
        if "soak" in item.keywords:
            item.add_marker(pytest.mark.skip(reason="takes minutes: make soak runs it"))


@pytest.fixture(scope="session", autouse=True)
def frozen() -> None:
    """All that was imported is not looked through again whenever a training gives memory back, which took most of a
    short one's time."""
    gc.collect()
    gc.freeze()


def two_topics(lines: int, seed: int = 0) -> str:
    """A document a line, each about one of two topics; some words come once, and one line comes twice."""
    draw = random.Random(seed)
    documents = []
    for number in range(lines):
        topic = TOPICS[draw.randrange(2)]
        words = [draw.choice(topic if draw.random() < 0.6 else EVERYWHERE) for _ in range(draw.randrange(8, 20))]
        documents.append(" ".join(words) + (f" once{number}" if number % 50 == 0 else ""))
    return "\n".join([*documents, documents[1]]) + "\n"


def topics_file(path: Path, lines: int) -> Path:
    """A file of so many documents of `two_topics`, and one more."""
    path.write_text(two_topics(lines), encoding="utf-8")
    return path


def vectors_of(kind: str, text: Path, run: Path, **options: Any) -> bytes:
    """The vectors.arrow of a training of *kind*."""
    getattr(sv, f"train_{kind}")(text, run, **options)
    return (run / "vectors.arrow").read_bytes()


def streamvec_command(
    *words: str | Path, stdin: str | None = None, env: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Runs ``streamvec WORDS...`` in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "streamvec_cli.main", *map(str, words)],
        input=stdin,
        stdin=None if stdin is not None else subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        env={**os.environ, "PYTHONUTF8": "1", **(env or {})},
        timeout=300,
    )


@pytest.fixture(scope="session")
def streamvec() -> Command:
    """The command line as a person runs it."""
    return streamvec_command


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A text file of 2,001 short documents."""
    return topics_file(tmp_path_factory.mktemp("corpus") / "text.txt", 2000)


@pytest.fixture(scope="session")
def trained(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """A finished RUN and what the command that made it said; not to be changed."""
    run = tmp_path_factory.mktemp("trained") / "run"
    return run, streamvec_command("train", "skipgram", corpus, "--out", run, *TRAINING)


@pytest.fixture(scope="session")
def finished_run(trained: tuple[Path, subprocess.CompletedProcess[str]]) -> Path:
    """A finished RUN; not to be changed."""
    run, ended = trained
    assert ended.returncode == 0, ended.stderr
    return run


@pytest.fixture
def run_copy(finished_run: Path, tmp_path: Path) -> Path:
    """A finished RUN to change at will."""
    return Path(shutil.copytree(finished_run, tmp_path / "run"))


@pytest.fixture(scope="session")
def old_and_new(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Text of an old and a new time: the new one has other words for some things, and lacks some."""
    folder = tmp_path_factory.mktemp("texts")
    old, new = folder / "old.txt", folder / "new.txt"
    old.write_text(two_topics(1000))
    later = two_topics(6000, seed=5)
    for word, other in (("fish", "trout"), ("boat", "steamer"), ("palace", "castle")):
        later = later.replace(word, other)
    new.write_text(later)
    return old, new


@pytest.fixture(scope="session")
def old_run(old_and_new: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished RUN of the old text; not to be changed."""
    run = tmp_path_factory.mktemp("old") / "run"
    sv.train_skipgram(old_and_new[0], run, **OLD)
    return run


@pytest.fixture(scope="session")
def long_text(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of which fingerprints see 64 KB at either end; not to be changed."""
    path = tmp_path_factory.mktemp("text") / "text.txt"
    path.write_text(two_topics(4000, seed=2))
    assert path.stat().st_size > 3 << 16
    return path


@pytest.fixture(scope="session")
def long_run(long_text: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The RUN of that text, never stopped; not to be changed."""
    run = tmp_path_factory.mktemp("whole") / "run"
    sv.train_skipgram(long_text, run, **run_states.OPTIONS)
    return run


@pytest.fixture(scope="module")
def small_glove_parts() -> Iterator[None]:
    """RUNs of kind glove have many parts, for all tests of a module."""
    with glove_runs.small_parts():
        yield


@pytest.fixture(scope="session")
def glove_text(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """60,000 tokens of 300 words."""
    path = tmp_path_factory.mktemp("glove") / "text.txt"
    draw = random.Random(1)
    path.write_text("\n".join(" ".join(f"w{int(300 * draw.random() ** 2)}" for _ in range(20)) for _ in range(3000)))
    return path


@pytest.fixture(scope="session")
def glove_run(glove_text: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished RUN of small parts; not to be changed."""
    run = tmp_path_factory.mktemp("whole") / "run"
    with glove_runs.small_parts():
        sv.train_glove(glove_text, run, **glove_runs.OPTIONS)
    return run


@pytest.fixture(scope="session")
def glove_counted(glove_text: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A RUN that was stopped while pairs were counted; not to be changed."""
    with glove_runs.small_parts():
        return glove_runs.stopped(glove_text, tmp_path_factory.mktemp("counted") / "run", "cooccurrences", 12)


@pytest.fixture(scope="session")
def glove_written(glove_text: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A RUN that was stopped while files were written; not to be changed."""
    with glove_runs.small_parts():
        return glove_runs.stopped(glove_text, tmp_path_factory.mktemp("written") / "run", "blocks", 3)


@pytest.fixture(scope="session")
def ray_nodes() -> Iterator[Any]:
    """A Ray cluster on this machine, which has as many nodes as a test says."""
    pytest.importorskip("ray", reason="a cluster needs Ray: pip install 'streamvec[ray]'")
    from clusters import Nodes

    nodes = Nodes()
    yield nodes
    nodes.close()


@pytest.fixture
def two_nodes(ray_nodes: Any) -> Any:
    """The same, with two nodes."""
    ray_nodes.have(2)
    return ray_nodes


@pytest.fixture(scope="session")
def lm_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Text to learn, text to measure on, and RUNs of language models; not to be changed."""
    return lm_runs.made(tmp_path_factory.mktemp("lm"))


@pytest.fixture
def begun(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A training that ends at its first checkpoint, before the first step."""

    def begin(*arguments: Any, **options: Any) -> Notes:
        def halt(*_: Any) -> None:
            raise Interrupted("halt")

        notes = Notes()
        with monkeypatch.context() as patch, pytest.raises(Interrupted):
            patch.setattr(loop, "train", halt)
            sv.train_skipgram(*arguments, report=notes, **options)
        return notes

    return begin


@pytest.fixture
def short_timings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Plans time their machine for moments only."""
    monkeypatch.setattr(timing, "SECONDS", 0.05)


@pytest.fixture
def vocab_txt(tmp_path: Path) -> Path:
    """A vocab.txt as Stanford's GloVe writes it, of a few words."""
    path = tmp_path / "vocab.txt"
    path.write_text("".join(f"{word} {100 - number}\n" for number, word in enumerate(WORDS)), encoding="utf-8")
    return path


@pytest.fixture
def cooccurrence_bin(tmp_path: Path) -> Path:
    """A cooccurrence.bin as Stanford's GloVe writes it, of the same words."""
    path = tmp_path / "cooccurrence.bin"
    path.write_bytes(packed(entries_of(500)))
    return path


@pytest.fixture
def small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    """Record batches so small, and so few a shard, that a little text has many."""
    monkeypatch.setattr(shardwriter, "BATCH_TOKENS", BATCH)
    monkeypatch.setattr(encoding, "SHARD_BATCHES", 4)


@pytest.fixture
def small_tables_of_pairs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tables of pairs so small that a little text fills many."""
    monkeypatch.setattr(pairruns, "_FEWEST_SLOTS", 100)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 4 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={4 << 20}", "tmpfs", str(folder)]
    try:
        made = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("there is no mount command here")
    if made.returncode:
        pytest.skip(f"a small file system cannot be mounted here: {made.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


@contextlib.contextmanager
def only(folder: Path, room: int) -> Iterator[None]:
    """Leaves about *room* bytes on the disk of *folder*."""
    ballast = folder / "ballast"
    free = os.statvfs(folder).f_bavail * 4096
    with contextlib.suppress(OSError), ballast.open("wb", buffering=0) as file:  # what fits of it is written
        file.write(bytes(max(0, free - room)))
        file.write(bytes(4096) if room == 0 else b"")
    try:
        yield
    finally:
        ballast.unlink()


@pytest.fixture(scope="module")
def bucket() -> Iterator[Any]:
    """A client of an S3 that runs here, with a bucket named books."""
    pytest.importorskip("boto3")
    server_module = pytest.importorskip("moto.server")
    server = server_module.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    with pytest.MonkeyPatch.context() as patch:
        host, port = server.get_host_and_port()
        patch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
        patch.setenv("NO_PROXY", "127.0.0.1")
        for name, value in (("ACCESS_KEY_ID", "x"), ("SECRET_ACCESS_KEY", "x"), ("DEFAULT_REGION", "us-east-1")):
            patch.setenv(f"AWS_{name}", value)
        patch.delenv("AWS_PROFILE", raising=False)
        remote._s3_client.cache_clear()
        import boto3

        client = boto3.client("s3")
        client.create_bucket(Bucket="books")
        yield client
        remote._s3_client.cache_clear()
    server.stop()
