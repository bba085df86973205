"""The promise of resuming, with real processes: killed at ten random moments, and the bytes are the same."""

import random
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

# A regular expression is the slow tokenizer: preparation then takes long enough to be killed in, too.
TEXT = ["--tokens", "regex", "--token-pattern", r"[a-z]+", "--min-count", "2"]
BATCHES = 5  # record batches of the corpus below
TRAINING = ["--dim", "64", "--epochs", "40", "--sample", "0", "--checkpoint-batches", "2", "--memory", "500MB"]


def command(*arguments):
    return [sys.executable, "-m", "streamvec_cli.main", *map(str, arguments)]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    path = tmp_path_factory.mktemp("corpus") / "text.txt"
    rng = random.Random(7)
    words = ["".join(rng.choices("abcdefghij", k=rng.randint(2, 7))) for _ in range(3000)]
    weights = [1 / (n + 1) for n in range(len(words))]
    with path.open("w") as file:
        for _ in range(12_000):
            file.write(" ".join(rng.choices(words, weights, k=25)) + "\n")
    return path


def steps_saved(run) -> int:
    """How many steps of training the newest checkpoint holds."""
    names = [path.name for path in (run / "checkpoints").glob("*-*") if path.suffix == ""]
    return max((int(name[:4]) * BATCHES + int(name[5:]) for name in names), default=0)


@pytest.mark.parametrize("times", [3, pytest.param(10, marks=pytest.mark.soak)])
def test_killed_at_random_moments_and_the_same_bytes(corpus, tmp_path, times):
    arguments = [*TEXT, *TRAINING]
    subprocess.run(command("train", "skipgram", corpus, "--out", tmp_path / "whole", *arguments), check=True)
    expected = (tmp_path / "whole" / "vectors.arrow").read_bytes()

    rng = random.Random(3)
    run, moments = tmp_path / "killed", []
    # A third while the text is prepared (so long after run.json appears), the others while it trains (after so many
    # steps and a moment more): wherever each process has come to by then.
    waits = [("preparing", rng.uniform(0, 0.8)) for _ in range(times // 3)]
    waits += [("training", step + rng.randint(0, 15)) for step in np.linspace(10, 130, times - times // 3).astype(int)]
    for stage, amount in waits:
        new = not (run / "run.json").exists()
        start = ["train", "skipgram", corpus, "--out", run, *arguments] if new else ["resume", run]
        process = subprocess.Popen(command(*start, "--threads", rng.choice([1, 2, 4])), stderr=subprocess.DEVNULL)
        while not (run / "run.json").exists() or (stage == "training" and steps_saved(run) < amount):
            assert process.poll() is None, f"ended before it was killed, {moments}"
            time.sleep(0.002)
        time.sleep(amount if stage == "preparing" else rng.uniform(0, 0.05))
        process.kill()
        process.wait()
        assert process.returncode == -signal.SIGKILL
        moments.append((stage, steps_saved(run)))
    subprocess.run(command("resume", run, "--threads", 2), check=True)
    assert (run / "vectors.arrow").read_bytes() == expected, moments
    assert sum(stage == "preparing" and steps == 0 for stage, steps in moments) >= max(1, times // 3 - 1), moments


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_saves_and_prints_the_command_that_goes_on(corpus, tmp_path, number):
    run = tmp_path / "run"
    arguments = ["train", "skipgram", corpus, "--out", run, "--dim", 64, "--epochs", 2000, "--checkpoint-batches", 1]
    process = subprocess.Popen(command(*arguments), stderr=subprocess.PIPE, text=True)
    while not (run / "checkpoints").exists() or not any((run / "checkpoints").iterdir()):
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(number)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert f"go on with: streamvec resume {run}" in errors and "Traceback" not in errors


def test_a_second_interrupt_ends_at_once_and_leaves_what_can_be_gone_on_with(corpus, tmp_path):
    run = tmp_path / "run"
    arguments = ["train", "skipgram", corpus, "--out", run, "--dim", 32, "--epochs", 3, "--checkpoint-batches", 1]
    process = subprocess.Popen(command(*arguments), stderr=subprocess.PIPE, text=True)
    while not (run / "run.json").exists():
        assert process.poll() is None
        time.sleep(0.002)
    process.send_signal(signal.SIGINT)
    time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130 and "Traceback" not in errors
    subprocess.run(command("resume", run), check=True, capture_output=True)
    assert (run / "vectors.arrow").exists()
