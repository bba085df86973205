"""The whole command line as a person meets it: processes, what they say where, and their exit status."""

import gzip
import json
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import TOPICS, TRAINING, Command, two_topics
from streamvec_cli.main import VERBS

from streamvec.corpus.compression import zstd
from streamvec.vectors import KeyedVectors

Ended = subprocess.CompletedProcess[str]
PROGRAM = [sys.executable, "-m", "streamvec_cli.main"]


def assert_refused(ended: Ended, status: int, *parts: str) -> None:
    """The command said in one line what is wrong, and nothing else but how far it had come."""
    assert ended.returncode == status, ended.stderr
    *before, last = ended.stderr.splitlines()
    assert last.startswith("streamvec: error: ")
    assert all(line.startswith("streamvec: ") and not line.startswith("streamvec: error") for line in before)
    assert "Traceback" not in ended.stderr and ended.stdout == ""
    for part in parts:
        assert part in last


def test_training_says_what_it_did_and_where_the_vectors_are(trained: tuple[Path, Ended]) -> None:
    run, ended = trained
    assert ended.returncode == 0
    assert str(run / "vectors.arrow") in ended.stdout and f"streamvec nn {run}" in ended.stdout
    assert len(ended.stdout.splitlines()) == 2
    assert all(line.startswith("streamvec: ") for line in ended.stderr.splitlines())
    for said in ("counting words", "writing shards", "epoch 20 of 20, 100%", "M words/s", "loss"):
        assert said in ended.stderr
    assert "40 tokens" in ended.stderr and "1 documents repeat" in ended.stderr
    assert not [path for path in run.rglob("*") if path.suffix == ".partial"]


def test_neighbours_are_of_the_same_topic(finished_run: Path, streamvec: Command) -> None:
    for topic in TOPICS:
        ended = streamvec("nn", finished_run, topic[0], "-n", len(topic) - 2)
        assert (ended.returncode, ended.stderr) == (0, "")
        found = [line.split()[0] for line in ended.stdout.splitlines()]
        assert set(found) < set(topic)


def test_the_suggested_command_works(trained: tuple[Path, Ended]) -> None:
    command = trained[1].stdout.splitlines()[-1].removeprefix("try: ")
    ended = subprocess.run([*PROGRAM, *shlex.split(command)[1:]], capture_output=True, encoding="utf-8", timeout=60)
    assert ended.returncode == 0 and len(ended.stdout.splitlines()) == 10


def test_resuming_a_finished_run_trains_nothing(run_copy: Path, streamvec: Command) -> None:
    before = {path: path.stat().st_mtime_ns for path in run_copy.rglob("*") if path.is_file() and path.name != "lock"}
    ended = streamvec("resume", run_copy)
    assert ended.returncode == 0 and "epoch" not in ended.stderr
    assert str(run_copy / "vectors.arrow") in ended.stdout
    assert {path: path.stat().st_mtime_ns for path in before} == before


@pytest.mark.parametrize(
    "arguments",
    [("resume",), ("info",), ("verify",), ("nn", "river", "king"), ("analogy", "king", "crown", "river")],
    ids=lambda arguments: arguments[0],
)
def test_json_is_one_object_a_line_and_nothing_else(
    run_copy: Path, streamvec: Command, arguments: tuple[str, ...]
) -> None:
    verb, *words = arguments
    ended = streamvec(verb, run_copy, *words, "--json")
    assert ended.returncode == 0
    records = [json.loads(line) for line in ended.stdout.splitlines()]
    assert records and all(isinstance(record, dict) for record in records)


def test_training_with_json(corpus: Path, tmp_path: Path, streamvec: Command) -> None:
    ended = streamvec("train", "skipgram", corpus, "--out", tmp_path / "run", *TRAINING, "--epochs", "1", "--json")
    (line,) = ended.stdout.splitlines()
    vectors = str(tmp_path / "run" / "vectors.arrow")
    words = len(KeyedVectors.load(vectors))
    assert json.loads(line) == {"run": str(tmp_path / "run"), "vectors": vectors, "words": words, "dim": 16}
    assert "epoch 1 of 1" in ended.stderr


def test_standard_input_trains_the_same_bytes(
    corpus: Path, finished_run: Path, tmp_path: Path, streamvec: Command
) -> None:
    run = tmp_path / "run"
    ended = streamvec("train", "skipgram", "-", "--out", run, *TRAINING, stdin=corpus.read_text(encoding="utf-8"))
    assert ended.returncode == 0, ended.stderr
    assert (run / "vectors.arrow").read_bytes() == (finished_run / "vectors.arrow").read_bytes()
    assert not (run / "input.zst").exists()


def test_a_finished_run_as_input_reads_no_text(finished_run: Path, tmp_path: Path, streamvec: Command) -> None:
    run = tmp_path / "run"
    ended = streamvec("train", "skipgram", finished_run, "--out", run, *TRAINING)
    assert ended.returncode == 0 and "counting" not in ended.stderr
    assert (run / "vectors.arrow").read_bytes() == (finished_run / "vectors.arrow").read_bytes()


@pytest.mark.parametrize("verb", [*VERBS, "train skipgram", ""])
def test_every_verb_helps_with_an_example(verb: str, streamvec: Command) -> None:
    ended = streamvec(*verb.split(), "--help")
    assert (ended.returncode, ended.stderr) == (0, "")
    example = ended.stdout.split("Example:\n")[1].split("\n\n")[0]
    assert re.search(rf"\bstreamvec {verb}\b".replace(" \\b", r"\b"), example)


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (("trian", "x"), "Did you mean train?"),
        (("nn", "--jsno", "x"), "--json"),
        (("nn", "x", "river", "-n", "many"), "many"),
        (("train", "skipgram", "x"), "--out"),
        (("train", "skipgram", "--out", "run"), "INPUT"),
        (("train", "skipgram", "x", "--out", "run", "--window", "0"), "window must be at least 1, got 0"),
        (("train", "skipgram", "x", "--out", "run", "--memory", "lots"), "2GB"),
        (("train", "skipgram", "x", "--out", "run", "--threads", "-1"), "threads must be at least 0"),
        (("train", "skipgarm", "x"), "skipgarm"),
        (("resume", "run", "--threads", "-1"), "threads must be at least 0"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_wrong_usage_is_told_in_one_line(arguments: tuple[str, ...], part: str, streamvec: Command) -> None:
    assert_refused(streamvec(*arguments), 2, part, "--help")


def test_an_unknown_word_is_told_with_those_that_are_near(finished_run: Path, streamvec: Command) -> None:
    assert_refused(streamvec("nn", finished_run, "rivr"), 1, "'rivr'", "river")


def test_the_traceback_is_shown_on_demand(finished_run: Path, streamvec: Command) -> None:
    ended = streamvec("nn", finished_run, "rivr", "--debug")
    assert ended.returncode == 1 and "Traceback" in ended.stderr
    assert ended.stderr.splitlines()[-1].startswith("streamvec: error: ")


BAD_INPUTS = {
    "empty": "the input holds no words",
    "no words": "the input holds no words",
    "rare": "--min-count 1",
    "missing": "no such file",
    "gz cut short": "cut short",
    "gz damaged": "damaged",
    "zst cut short": "cut short",
    "zst damaged": "damaged",
    "no column of text": "no-column-of-text.parquet",
    "column missing": "no column 'body'",
    "empty folder": "a folder without files",
    "picture": "a picture",
}


def bad_input(kind: str, folder: Path) -> list[str | Path]:
    """Makes an input that cannot be trained on; returns the arguments that name it."""
    text = two_topics(3000).encode()
    path = folder / f"{kind.replace(' ', '-')}{'.' + kind[:3].strip() if kind[:3] in ('gz ', 'zst') else ''}"
    packed = gzip.compress(text) if kind.startswith("gz") else zstd.compress(text)
    middle = len(packed) // 2
    if kind == "missing":
        return [path]
    if kind == "empty folder":
        path.mkdir()
    elif kind.endswith("cut short"):
        path.write_bytes(packed[:middle])
    elif kind.endswith("damaged"):
        path.write_bytes(packed[:middle] + bytes(64) + packed[middle + 64 :])
    elif "column" in kind:
        path = path.with_suffix(".parquet")
        title = [3, 4] if kind == "no column of text" else ["a b", "c d"]
        pq.write_table(pa.table({"number": [1, 2], "title": title}), path)
        return [path, "--column", "body"] if kind == "column missing" else [path]
    else:
        contents = {
            "empty": b"",
            "no words": b"... !\n\n  \n",
            "rare": b"each word once\n",
            "picture": b"\x89PNG\r\n\x1a\n",
        }
        path.write_bytes(contents[kind])
    return [path]


@pytest.mark.parametrize("kind", BAD_INPUTS)
def test_bad_input_is_told_and_leaves_nothing(kind: str, tmp_path: Path, streamvec: Command) -> None:
    arguments = bad_input(kind, tmp_path)
    before = sorted(tmp_path.iterdir())
    ended = streamvec("train", "skipgram", *arguments, "--out", tmp_path / "run", "--memory", "500MB")
    assert_refused(ended, 1, BAD_INPUTS[kind])
    if kind not in ("empty", "no words", "rare"):
        assert str(arguments[0]) in ended.stderr
    assert sorted(tmp_path.iterdir()) == before


def test_a_run_that_exists_is_not_touched_unless_asked(run_copy: Path, corpus: Path, streamvec: Command) -> None:
    vectors = (run_copy / "vectors.arrow").read_bytes()
    train = ("train", "skipgram", corpus, "--out", run_copy, *TRAINING, "--dim", "8")
    assert_refused(streamvec(*train), 1, f"streamvec resume {run_copy}", "--overwrite")
    assert (run_copy / "vectors.arrow").read_bytes() == vectors
    assert streamvec(*train, "--overwrite").returncode == 0
    assert KeyedVectors.load(run_copy).dim == 8


def test_a_folder_that_is_no_run_is_never_replaced(tmp_path: Path, corpus: Path, streamvec: Command) -> None:
    precious = tmp_path / "photos" / "one.jpg"
    precious.parent.mkdir()
    precious.write_bytes(b"precious")
    for out in (precious.parent, precious):
        assert_refused(streamvec("train", "skipgram", corpus, "--out", out, "--overwrite"), 1, str(out), "--out")
    assert precious.read_bytes() == b"precious"


def test_look_ups_in_a_run_that_has_not_finished_say_to_resume(run_copy: Path, streamvec: Command) -> None:
    (run_copy / "vectors.arrow").unlink()
    assert_refused(streamvec("nn", run_copy, "river"), 1, f"streamvec resume {run_copy}")
    assert_refused(streamvec("resume", run_copy / "shards"), 1, "not a RUN")
    assert_refused(streamvec("resume", run_copy / "nothing"), 1, "no such folder")


# Root may write anywhere; without two capabilities (Linux: prctl PR_CAPBSET_DROP of CAP_DAC_OVERRIDE and
# CAP_DAC_READ_SEARCH, then exec) permissions hold for it as for everybody else.
UNPRIVILEGED = """import ctypes, os, sys
if os.geteuid() == 0:
    libc = ctypes.CDLL(None)
    assert libc.prctl(24, 1, 0, 0, 0) == 0 and libc.prctl(24, 2, 0, 0, 0) == 0
os.execv(sys.executable, [sys.executable, *sys.argv[1:]])"""


def unprivileged(*arguments: str | Path) -> Ended:
    """Runs Python as somebody for whom permissions hold."""
    command = [sys.executable, "-c", UNPRIVILEGED, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, encoding="utf-8", timeout=300)


@pytest.fixture
def closed_folder(corpus: Path, tmp_path: Path) -> Iterator[Path]:
    """A folder with a text in it, in which nothing can be made."""
    folder = tmp_path / "closed"
    folder.mkdir()
    (folder / "text.txt").write_bytes(corpus.read_bytes())
    folder.chmod(0o555)
    probe = unprivileged("-c", f"open({str(folder / 'probe')!r}, 'w')")
    if "PermissionError" not in probe.stderr:
        pytest.skip(f"permissions cannot be made to hold for this user: {probe.stderr.strip()}")
    yield folder
    folder.chmod(0o755)


def test_a_folder_without_permission(closed_folder: Path) -> None:
    train = ("-m", "streamvec_cli.main", "train", "skipgram", closed_folder / "text.txt")
    assert_refused(unprivileged(*train, "--out", closed_folder / "run"), 1, "permission denied", str(closed_folder))
    assert [path.name for path in closed_folder.iterdir()] == ["text.txt"]


def test_a_text_without_permission(closed_folder: Path, tmp_path: Path) -> None:
    (closed_folder / "text.txt").chmod(0)
    train = ("-m", "streamvec_cli.main", "train", "skipgram", closed_folder / "text.txt")
    assert_refused(unprivileged(*train, "--out", tmp_path / "run"), 1, "permission denied", "text.txt")
    assert not (tmp_path / "run").exists()


@pytest.fixture(scope="module")
def long_training(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[str], bytes]:
    """A training of some seconds, and the vectors it ends with when nobody stops it."""
    folder = tmp_path_factory.mktemp("long")
    (folder / "text.txt").write_text(two_topics(12_000, seed=5), encoding="utf-8")  # three record batches
    options = ["--dim", "32", "--epochs", "40", "--sample", "0", "--checkpoint-batches", "4"]
    command = [*PROGRAM, "train", "skipgram", str(folder / "text.txt"), *options]
    ended = subprocess.run([*command, "--out", str(folder / "run")], capture_output=True, encoding="utf-8", timeout=300)
    assert ended.returncode == 0, ended.stderr
    return command, (folder / "run" / "vectors.arrow").read_bytes()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
def test_a_signal_saves_and_says_how_to_go_on(
    number: signal.Signals, long_training: tuple[list[str], bytes], tmp_path: Path
) -> None:
    command, expected = long_training
    run = tmp_path / "run"
    started = subprocess.Popen(
        [*command, "--out", str(run)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8"
    )
    metrics = run / "metrics.jsonl"
    while not metrics.exists() or metrics.read_bytes().count(b"\n") < 3:
        assert started.poll() is None
        time.sleep(0.002)
    started.send_signal(number)
    stdout, stderr = started.communicate(timeout=60)
    assert started.returncode == 130, stderr
    assert stdout == "" and "Traceback" not in stderr and "streamvec: error" not in stderr
    last = stderr.splitlines()[-1]
    assert re.search(r"stopped in epoch \d+ of 40", last)
    assert list((run / "checkpoints").glob("*/state.json")) and not (run / "vectors.arrow").exists()

    resume = shlex.split(last[last.index("streamvec resume") :])[1:]
    ended = subprocess.run([*PROGRAM, *resume, "--threads", "1"], capture_output=True, encoding="utf-8", timeout=300)
    assert ended.returncode == 0, ended.stderr
    assert (run / "vectors.arrow").read_bytes() == expected
    epochs = [json.loads(line)["epoch"] for line in metrics.read_text(encoding="utf-8").splitlines()]
    assert epochs == sorted(epochs) and epochs[-1] == 40
