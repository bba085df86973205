"""embed and summarize as a person runs them: a process, its output and its exit status."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from conftest import streamvec_command as streamvec

from streamvec.vectors import KeyedVectors, SentenceVectors, summarize

WORDS = ["the", "ship", "sea", "sailor", "cake", "bread", "king"]
DOCUMENT = "A title\n\nThe sailor ate bread. The ship at sea. The king was there! The sailor had a ship. A cake came."


@pytest.fixture(scope="module")
def vectors(tmp_path_factory: pytest.TempPathFactory) -> Path:
    matrix = np.random.default_rng(0).standard_normal((len(WORDS), 8)).astype(np.float32)
    path = tmp_path_factory.mktemp("vectors") / "v.arrow"
    KeyedVectors.from_arrays(WORDS, matrix, np.arange(len(WORDS), 0, -1)).save(path)
    return path


def test_one_line_in_one_vector_out(vectors: Path) -> None:
    lines = ["the ship", "", "nobody", "A King!"]
    expected = SentenceVectors(KeyedVectors.load(vectors)).embed(lines)
    ended = streamvec("embed", vectors, stdin="the ship\n\nnobody\nA King!")
    found = [np.array(line.split(), np.float32) for line in ended.stdout.splitlines()]
    assert ended.returncode == 0
    np.testing.assert_array_equal(found, expected.vectors)
    assert "2 of 5: words that are unknown" in ended.stderr and "2 of 4: lines without a known word" in ended.stderr
    objects = [
        json.loads(line)
        for line in streamvec("embed", vectors, "--json", stdin="\n".join(lines)).stdout.split("\n")[:-1]
    ]
    assert [one["text"] for one in objects] == lines and [one["unknown"] for one in objects] == [0, 0, 1, 1]
    np.testing.assert_array_equal(np.array([one["vector"] for one in objects], np.float32), expected.vectors)


def test_options_of_the_weights(vectors: Path) -> None:
    opened = KeyedVectors.load(vectors)
    for options, model in (
        (("--weighting", "mean"), SentenceVectors(opened, "mean")),
        (("--smoothing", "0.5"), SentenceVectors(opened, smoothing=0.5)),
        (("--normalize",), SentenceVectors(opened, normalize=True)),
    ):
        ended = streamvec("embed", vectors, *options, stdin="the ship\n")
        assert ended.stderr == ""
        np.testing.assert_array_equal(np.array(ended.stdout.split(), np.float32), model.embed(["the ship"]).vectors[0])


def test_vectors_without_counts_say_so(vectors: Path, tmp_path: Path) -> None:
    out = tmp_path / "v.vec"
    assert streamvec("export", vectors, "-o", out).returncode == 0
    ended = streamvec("embed", out, stdin="the ship\n")
    assert ended.returncode == 0 and "has no counts of its words" in ended.stderr
    assert streamvec("embed", out, "--weighting", "mean", stdin="the ship\n").stderr == ""


def test_files_to_a_file_and_nearest_lines(vectors: Path, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("the ship\nship sea\n\ncake\n")
    (tmp_path / "b.txt").write_text("bread cake")
    names = [tmp_path / "a.txt", tmp_path / "b.txt"]
    expected = SentenceVectors(KeyedVectors.load(vectors)).embed(["the ship", "ship sea", "", "cake", "bread cake"])
    for suffix in ("npy", "parquet"):
        out = tmp_path / f"v.{suffix}"
        ended = streamvec("embed", vectors, *names, "-o", out)
        assert (ended.returncode, ended.stdout) == (0, f"{out}: 5 lines, dim 8, {suffix}\n")
    np.testing.assert_array_equal(np.load(tmp_path / "v.npy"), expected.vectors)
    assert pq.read_table(tmp_path / "v.parquet")["text"].to_pylist() == [
        "the ship",
        "ship sea",
        "",
        "cake",
        "bread cake",
    ]
    near = streamvec("nn", tmp_path / "v.parquet", "bread cake", "-n", "1")
    assert near.stdout.startswith("cake ")
    again = streamvec("embed", vectors, *names, "-o", out)
    assert again.returncode == 1 and "exists already" in again.stderr and not again.stdout
    assert streamvec("embed", vectors, *names, "-o", out, "--overwrite").returncode == 0


def test_the_bytes_do_not_depend_on_how_stdin_comes(vectors: Path, tmp_path: Path) -> None:
    text = "".join(f"the ship {number} sea\n" for number in range(9000))
    (tmp_path / "a.txt").write_text(text)
    streamvec("embed", vectors, tmp_path / "a.txt", "-o", tmp_path / "file.parquet")
    streamvec("embed", vectors, "-o", tmp_path / "pipe.parquet", stdin=text)
    assert (tmp_path / "file.parquet").read_bytes() == (tmp_path / "pipe.parquet").read_bytes()


def test_a_summary(vectors: Path, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(DOCUMENT)
    expected = summarize(KeyedVectors.load(vectors), DOCUMENT, 2)
    for ended in (
        streamvec("summarize", vectors, tmp_path / "a.txt", "-n", "2"),
        streamvec("summarize", vectors, "-n", "2", stdin=DOCUMENT),
    ):
        assert (ended.returncode, ended.stderr) == (0, "")
        assert ended.stdout.splitlines() == [one.sentence for one in expected]
    objects = [
        json.loads(line)
        for line in streamvec("summarize", vectors, "-n", "2", "--json", stdin=DOCUMENT).stdout.splitlines()
    ]
    assert objects == [{"document": "-", **one._asdict()} for one in expected]
    assert [one["place"] for one in objects] == sorted(one["place"] for one in objects)
    other = streamvec("summarize", vectors, "--diversity", "1", "-n", "2", "--json", stdin=DOCUMENT)
    assert [json.loads(line)["place"] for line in other.stdout.splitlines()] == [
        one.place for one in summarize(KeyedVectors.load(vectors), DOCUMENT, 2, 1.0)
    ]


def test_several_documents_are_headed_and_one_without_a_summary_is_told(vectors: Path, tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"text": "The ship. The sea."}\n{"text": "Nichts."}\n{"text": "A cake."}\n')
    ended = streamvec("summarize", vectors, tmp_path / "a.jsonl", "-n", "1")
    assert ended.returncode == 0
    heads = ended.stdout.splitlines()[::2]
    assert heads == [f"{tmp_path / 'a.jsonl'}, document 1", f"{tmp_path / 'a.jsonl'}, document 3"]
    assert "document 2: none of its 1 words is known" in ended.stderr


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (("embed", "V", "--smoothing", "0"), 2, "smoothing must be above 0 and finite, got 0.0"),
        (("embed", "V", "--weighting", "tfidf"), 2, "'tfidf' is not one of"),
        (("embed", "V", "-o", "x.csv"), 2, "out must end in .npy, .parquet, .arrow"),
        (("embed", "V", "-o", "x.npy", "--json"), 2, "give one of them"),
        (("embed", "V", "missing.txt"), 1, "missing.txt: no such file"),
        (("embed", "missing"), 1, "missing: no such file"),
        (("summarize", "V", "--diversity", "2"), 2, "diversity must be from 0 to 1, got 2.0"),
        (("summarize", "V", "-n", "0"), 2, "-n"),
        (("summarize", "V"), 1, "none of its 3 words is known to"),
    ],
)
def test_problems_are_a_line_and_a_status(vectors: Path, arguments: tuple[str, ...], status: int, message: str) -> None:
    words = [str(vectors) if word == "V" else word for word in arguments]
    ended = streamvec(*words, stdin="Nur fremde Worte\n")
    assert ended.returncode == status and message in ended.stderr
    assert ended.stderr.startswith("streamvec: error: ") and ended.stderr.count("\n") == 1 and not ended.stdout


def test_an_empty_document(vectors: Path) -> None:
    ended = streamvec("summarize", vectors, stdin="\n")
    assert ended.returncode == 1 and "streamvec: error: -: no sentence to choose: the text is empty" in ended.stderr
    assert streamvec("embed", vectors, stdin="").stdout == ""


def wait_until_it_waits(number: int) -> None:
    """Comes back when a process reads, and nothing comes: a signal in the instant before is heard at the next line."""
    deadline, asleep = time.monotonic() + 30, 0
    while asleep < 5:
        assert time.monotonic() < deadline
        state = Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0]
        asleep = asleep + 1 if state == "S" else 0
        time.sleep(0.02)


def test_lines_are_answered_as_they_come_and_ctrl_c_ends(vectors: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "streamvec_cli.main", "embed", str(vectors)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdin and process.stdout and process.stderr
        for line in (b"the ship\n", b"cake\n"):
            process.stdin.write(line)
            process.stdin.flush()
            assert len(process.stdout.readline().split()) == 8
        wait_until_it_waits(process.pid)
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 130
        assert process.stderr.read() == b"streamvec: error: interrupted\n"


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_what_is_half_written_goes_when_a_signal_ends_it(
    vectors: Path, tmp_path: Path, number: signal.Signals, status: int
) -> None:
    command, out = [sys.executable, "-m", "streamvec_cli.main", "embed", str(vectors)], tmp_path / "v.npy"
    with subprocess.Popen([*command, "-o", str(out)], stdin=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        deadline = time.monotonic() + 30
        while not out.with_name("v.npy.partial").exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        process.send_signal(number)
        assert process.wait(30) == status
    assert not list(tmp_path.iterdir())


def test_a_closed_pipe_is_no_problem(vectors: Path, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("the ship\n" * 50_000)
    command = f"'{sys.executable}' -m streamvec_cli.main embed '{vectors}' '{tmp_path / 'a.txt'}' | head -n 1"
    ended = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command], capture_output=True, encoding="utf-8", env=os.environ
    )
    assert (ended.returncode, ended.stderr) == (0, "") and len(ended.stdout.splitlines()) == 1
