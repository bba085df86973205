"""--memory is a ceiling: each verb that takes it runs under a limit of the operating system a little above, on a text
and on one ten times as long, and is never seen to hold more than it may."""

import gzip
import os
import re
import resource
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import tally
from limiting import Ended, limited

import streamvec as sv

COMMAND = [sys.executable, "-m", "streamvec_cli.main"]
MB = 10**6
NOTHING = "not enough memory: "
LETTERS = "abcdefghijklmnopqrstuvwxyz"
EVERY = ("--threads", "2", "--epochs", "1", "--seed", "1")


def a_little_above(memory: int) -> int:
    """What the operating system allows a process that is told to take *memory*."""
    return memory * 105 // 100 + (16 << 20)


def lines_of(size: int) -> Iterator[str]:
    """At least *size* characters of text whose words go by Zipf's law, and never end: ten times the text, six times the
    words."""
    draw, made = np.random.default_rng(1), 0
    while made < size:
        ranks, places = np.unique((draw.pareto(0.25, 20_000)).clip(0, 2e9).astype(np.int64), return_inverse=True)
        words = np.array([spelt(rank) for rank in ranks.tolist()], object)[places]
        for begin in range(0, words.size, 20):
            line = " ".join(words[begin : begin + 20])
            made += len(line) + 1
            yield line


def spelt(rank: int) -> str:
    """The number of a word in letters."""
    rest, last = divmod(rank, 26)
    return (spelt(rest) if rest else "") + LETTERS[last]


def text(path: Path, lines: Iterator[str]) -> Path:
    path.write_text("".join(f"{line}\n" for line in lines))
    return path


def gz(path: Path, lines: Iterator[str]) -> Path:
    path = path.with_suffix(".gz")
    with gzip.open(path, "wt") as file:
        file.writelines(f"{line}\n" for line in lines)
    return path


def labelled(path: Path, lines: Iterator[str]) -> Path:
    return text(path, (f"{'yes' if ' b ' in line else 'no'}\t{line}" for line in lines))


def translated(path: Path, lines: Iterator[str]) -> Path:
    return text(path, (f"{line}\t{' '.join(reversed(line.split()))}" for line in lines))


def tagged(path: Path, lines: Iterator[str]) -> Path:
    return text(
        path,
        (
            "\n".join(f"{word} {'B-X' if word < 'c' else 'O'}" for word in f"{line} ".split(" ")[:-1]) + "\n"
            for line in lines
        ),
    )


class Case(NamedTuple):
    """A command, and what it is told to take."""

    words: str  # of the command; FILE is the text, EARLIER a RUN of the short one
    memory: int  # in MB
    size: int = 3  # of the short text, in MB; the long one is ten times as long
    write: Callable[[Path, Iterator[str]], Path] = text
    stdin: bool = False


WORD = "--dim 16 --max-vocab 5000"
CASES = {
    "train skipgram": Case(f"train skipgram FILE {WORD}", 270),
    "train skipgram, hs": Case(f"train skipgram FILE {WORD} --objective hs", 290),
    "train skipgram, softmax": Case("train skipgram FILE --dim 8 --objective softmax --max-vocab 200", 320, 1),
    "train skipgram, subwords": Case(f"train skipgram FILE {WORD} --subwords 3-6 --buckets 20000", 290),
    "train skipgram, phrases": Case(f"train skipgram FILE {WORD} --phrases 2", 290),
    "train skipgram, from": Case("train skipgram FILE --from EARLIER --max-vocab 6000", 330),
    "train skipgram, stdin": Case(f"train skipgram - {WORD}", 270, stdin=True),
    "train skipgram, compressed": Case(f"train skipgram FILE {WORD}", 270, write=gz),
    "train cbow": Case(f"train cbow FILE {WORD}", 270),
    "train glove": Case(f"train glove FILE {WORD}", 290),
    "train lm": Case("train lm FILE --hidden 16 --batch 64 --layers 1 --max-vocab 2000 --output sampled", 400, 1),
    "train classifier": Case(f"train classifier --train FILE --columns 2,1 {WORD}", 330, 1, labelled),
    "train tagger": Case(f"train tagger --train FILE {WORD} --hidden 16", 370, 1, tagged),
    "train translator": Case("train translator --train FILE --dim 16 --hidden 16 --max-vocab 500", 400, 1, translated),
}


def held(name: str, words: list[str | Path], memory: int, stdin: bytes = b"") -> Ended:
    """Runs a command with --memory under its limit, and notes its peak; whether it succeeds is the caller's matter."""
    ended = limited([*COMMAND, *words, "--memory", str(memory)], a_little_above(memory), stdin)
    share = -(-100 * ended.peak_bytes // memory)
    tally.count(f"runs under a limit of memory: {name}")
    tally.peak(f"% of --memory at the peak: {name}", share)
    return ended


def trained(name: str, folder: Path, size: int) -> int:
    """Trains on *size* bytes of text within its memory, and returns how many words the result has."""
    case = CASES[name]
    path = case.write(folder / f"text {size}", lines_of(size))
    run, memory = folder / f"run {size}", case.memory * MB
    words = [{"FILE": path, "EARLIER": folder / "earlier"}.get(word, word) for word in case.words.split()]
    valid = case.write(folder / "valid", iter(["a b a d", "a c b"]))
    words += ["--valid", valid] if "--train" in words else []
    stdin = path.read_bytes() if case.stdin else b""
    ended = held(name, [*words, *EVERY, "--out", run], memory, stdin)
    assert ended.status == 0, ended.stderr[-1000:]
    assert ended.peak_bytes <= memory
    return len(sv.KeyedVectors.load(run))


def both_sizes(name: str, folder: Path, size: int) -> tuple[int, int]:
    """How many words are known after *size* bytes of text, and after ten times as many, both within the memory."""
    if "EARLIER" in CASES[name].words:
        sv.train_skipgram(text(folder / "old", lines_of(size)), folder / "earlier", dim=16, epochs=1, max_vocab=2000)
    return trained(name, folder, size), trained(name, folder, 10 * size)


@pytest.mark.parametrize("name", ["train skipgram"])
def test_ten_times_the_text_within_the_same_memory(name: str, tmp_path: Path) -> None:
    small, large = both_sizes(name, tmp_path, MB // 4)
    assert 0 < small <= large


@pytest.mark.soak
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", CASES)
def test_ten_times_as_much_of_each_kind_within_the_same_memory(name: str, tmp_path: Path) -> None:
    small, large = both_sizes(name, tmp_path, CASES[name].size * MB)
    assert 0 < small <= large


@pytest.mark.soak
@pytest.mark.parametrize("kind", ["skipgram", "glove", "lm"])
def test_plan_keeps_to_its_memory(kind: str, tmp_path: Path) -> None:
    for size in (3 * MB, 30 * MB):
        path = text(tmp_path / "text", lines_of(size))
        ended = held("plan", ["plan", path, "--kind", kind, "--max-vocab", "2000", "--threads", "2"], 450 * MB)
        assert ended.status == 0, ended.stderr[-1000:]
        assert ended.peak_bytes <= 450 * MB


def needed(ended: Ended) -> int:
    """The bytes that a refused training says it needs."""
    found = re.search(r"raise --memory to (\d+)MB", ended.stderr)
    assert found, ended.stderr[-1000:]
    return int(found[1]) * MB


def test_what_a_refusal_says_is_needed_is_enough(tmp_path: Path) -> None:
    path, run = text(tmp_path / "text", lines_of(MB // 2)), tmp_path / "run"
    words = ["train", "skipgram", path, "--out", run, "--dim", "200", "--min-count", "1", *EVERY]
    refused = held("train skipgram, refused", words, 250 * MB)
    assert refused.status == 1
    memory = needed(refused)
    assert memory > 260 * MB  # so it is the model that is too large, not the process
    again = held("resume", ["resume", run, "--threads", "2"], memory)
    assert again.status == 0, again.stderr[-1000:]
    assert again.peak_bytes <= memory


@pytest.mark.soak
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", [name for name in CASES if not re.search("stdin|compressed|from", name)])
def test_what_any_refusal_says_is_needed_is_enough(name: str, tmp_path: Path) -> None:
    case, run = CASES[name], tmp_path / "run"
    path = case.write(tmp_path / "text", lines_of(MB))
    words = [path if word == "FILE" else word for word in case.words.split()]
    words += ["--valid", case.write(tmp_path / "valid", iter(["a b a d", "a c b"]))] if "--train" in words else []
    words += [*EVERY, "--out", run, "--overwrite"]
    memory = needed(held(f"{name}, refused", words, 200 * MB))
    ended = held(name, words, memory)
    if ended.status:  # language models are first told what is needed whatever the text
        memory = needed(ended)
        ended = held(name, words, memory)
    assert ended.status == 0, ended.stderr[-1000:]
    assert ended.peak_bytes <= memory


def test_a_limit_that_is_hit_ends_in_one_line(tmp_path: Path) -> None:
    path = text(tmp_path / "text", lines_of(MB // 4))
    words = ["train", "skipgram", path, "--out", tmp_path / "run", "--dim", "400", "--min-count", "1", *EVERY]
    ended = limited([*COMMAND, *words, "--memory", "1GB"], 230 * MB)
    tally.count("runs under a limit of memory: one that is too small")
    if ended.status != -9:  # a control group ends a process without a word
        last = ended.stderr.splitlines()[-1]
        assert ended.status == 1 and "Traceback" not in ended.stderr, ended.stderr[-1000:]
        assert last.startswith(f"streamvec: error: {NOTHING}"), last


@pytest.mark.parametrize("address_space", [40, 200, 350])
def test_libraries_that_cannot_be_mapped_are_told_in_one_line(address_space: int, tmp_path: Path) -> None:
    path = text(tmp_path / "text", lines_of(1000))

    def lower() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (address_space << 20, -1))

    command = [*COMMAND, "train", "skipgram", str(path), "--out", str(tmp_path / "run")]
    ended = subprocess.run(command, capture_output=True, text=True, preexec_fn=lower, env={**os.environ})
    assert ended.returncode == 1 and "Traceback" not in ended.stderr, ended.stderr
    assert ended.stderr.splitlines()[-1].startswith(f"streamvec: error: {NOTHING}")


def test_the_limit_is_one() -> None:
    """A process that holds what it may ends well; one that holds 100 MB more does not."""
    code = "import sys, numpy as np; import streamvec.training.words; print(np.ones(int(sys.argv[1]), np.uint8).sum())"
    fits, not_ = (limited([sys.executable, "-c", code, str(size)], 400 * MB) for size in (100 * MB, 380 * MB))
    assert fits.status == 0, fits.stderr
    assert fits.peak_bytes > 100 * MB
    assert not_.status != 0
