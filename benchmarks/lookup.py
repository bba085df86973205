"""How long a look-up takes, cold from the shell and warm, by the index and without, and what the time goes into.

Two sizes: GloVe 6B 50d as it is (400,000 words), and a million words of 300 numbers made of it: rows by turns with
noise, turned into 300 dimensions, with noise there. gensim and finalfusion answer the same question of the same
vectors. Cold is a new process, its files in the page cache unless it says otherwise; peaks are the operating system's.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.bench import Bench, benchmark, environment, median, show, streamvec_command, worker
from benchmarks.glove6b import PACKAGE, glove_files, wheel_option
from benchmarks.memory import measured

WORD = "river"
_STEPS = Path(__file__).with_name("lookup_steps.py")
_BLOCK = 50_000
_PEERS = {
    "gensim, .kv mapped": "from gensim.models import KeyedVectors as K; kv = K.load({kv!r}, mmap='r'); "
    "print(*[word for word, _ in kv.most_similar({word!r})])",
    "gensim, word2vec binary": "from gensim.models import KeyedVectors as K; "
    "kv = K.load_word2vec_format({binary!r}, binary=True); print(*[word for word, _ in kv.most_similar({word!r})])",
    "finalfusion, mapped": "import finalfusion; kv = finalfusion.load_finalfusion({fifu!r}, mmap=True); "
    "print(*[one.word for one in kv.word_similarity({word!r}, k=10)])",
}
_CONVERT = "import finalfusion; finalfusion.load_word2vec({binary!r}).write({fifu!r})"


def options(parser: argparse.ArgumentParser) -> None:
    """What can be chosen."""
    parser.add_argument("--processes", type=int, default=10, help="cold processes timed")
    parser.add_argument("--queries", type=int, default=1000, help="words of warm queries, and of recall")
    wheel_option(parser)
    parser.add_argument("--finalfusion", help="an interpreter that has finalfusion, which is left out without")


def run(bench: Bench) -> dict[str, Any]:
    """Both sizes."""
    array, words = _made(bench) if bench.quick else glove_files(bench)
    glove = bench.work / "glove.arrow"
    _call([streamvec_command(), "import", str(array), "--words", str(words), "-o", str(glove)])
    found = {}
    for vectors in (glove, _larger(bench, array, glove)):
        record = _size(bench, vectors)
        found[f"{record['index']['rows']:,} x {record['index']['dim']}"] = record
    rows = [
        [size, name, one["seconds"], one["peak_mb"], one.get("milliseconds"), one.get("queries_per_second")]
        for size, record in found.items()
        for name, one in record["tools"].items()
    ]
    show("a look-up", ["", "", "cold s", "peak MB", "warm ms", "batch /s"], rows)
    return {"corpus": "made up" if bench.quick else PACKAGE, "sizes": found}


def _size(bench: Bench, vectors: Path) -> dict[str, Any]:
    bench.say(f"index of {vectors.name}")
    said = _call([streamvec_command(), "index", str(vectors), "--json"]).stdout
    built = {name: value for name, value in json.loads(said).items() if name != "path"}
    files = {
        "kv": str(vectors.with_suffix(".kv")),
        "binary": str(vectors.with_suffix(".bin")),
        "fifu": str(vectors.with_suffix(".fifu")),
    }
    _call([streamvec_command(), "export", str(vectors), "-o", files["kv"], "--format", "gensim"])
    _call([streamvec_command(), "export", str(vectors), "-o", files["binary"], "--format", "word2vec-binary"])
    look_up = [streamvec_command(), "nn", str(vectors), WORD]
    tools = {"streamvec, index": look_up, "streamvec, exact": [*look_up, "--exact"]}
    for name, code in _PEERS.items():
        python = bench.args.finalfusion if "finalfusion" in name else sys.executable
        if python:
            if "finalfusion" in name:
                _call([python, "-c", _CONVERT.format(**files)])
            tools[name] = [python, "-c", code.format(word=WORD, **files)]
    rounds = 2 if bench.quick else bench.args.processes
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in tools}
    for number in range(rounds):
        for name, command in tools.items():
            if number < 3 or "streamvec" in name:  # a peer that takes seconds need not take them so often
                taken[name].append(_timed(command, name, vectors))
    found: dict[str, dict[str, Any]] = {
        name: {
            "seconds": median([seconds for seconds, _ in each]),
            "repetitions": [round(seconds, 4) for seconds, _ in each],
            "peak_mb": median([peak for _, peak in each]),
        }
        for name, each in taken.items()
    }
    for name in [one for one in tools if "finalfusion" not in one]:
        settings = {"vectors": str(vectors), "queries": bench.args.queries, "tool": name, **files}
        found[name] |= worker("lookup_task", "warm", settings)
    steps = {how: _steps(vectors, how, rounds) for how in ("index", "exact")}
    for how, parts in steps.items():
        show(
            f"{vectors.name}, {how}: what a cold look-up goes into",
            ["", "ms"],
            [[name, 1000 * value] for name, value in parts.items()],
        )
    checked = json.loads(
        _call(
            [streamvec_command(), "index", str(vectors), "--check", "--json", "--queries", str(bench.args.queries)]
        ).stdout
    )
    from_disk = {name: _from_disk(bench, tools[name]) for name in ("streamvec, index", "streamvec, exact")}
    return {"index": built, "check": checked, "tools": found, "steps_seconds": steps, "from_disk": from_disk}


def _timed(command: list[str], name: str, vectors: Path) -> tuple[float, float]:
    """(seconds, peak MB) of a process, whose answer must be the neighbours by the plainest means."""
    done = measured(command, environment())
    said = done.stdout.split()[::2] if "streamvec" in name else done.stdout.split()
    right = len(set(said) & set(_expected(vectors)))
    if done.status or right < (8 if "index" in name else 10):
        raise RuntimeError(f"{name} answers {said}, a plain product of all rows {_expected(vectors)}")
    return done.seconds, round(done.peak_bytes / 1e6, 1)


_KNOWN: dict[Path, list[str]] = {}


def _expected(vectors: Path) -> list[str]:
    """The answer by the plainest means: all cosines in float64, sorted."""
    if vectors not in _KNOWN:
        from streamvec.vectors import KeyedVectors

        keyed = KeyedVectors.load(vectors)
        asked, scores = keyed[WORD].astype(np.float64), []
        for chunk in keyed.chunks():
            rows = chunk.vectors[:].astype(np.float64)
            scores.append(rows @ asked / np.maximum(np.linalg.norm(rows, axis=1), 1e-30))
        best = np.argsort(-np.concatenate(scores), kind="stable")
        _KNOWN[vectors] = [keyed.words[rank] for rank in best[:11].tolist() if keyed.words[rank] != WORD][:10]
    return _KNOWN[vectors]


def _steps(vectors: Path, how: str, rounds: int) -> dict[str, float]:
    """Seconds of the steps of a look-up, medians over processes with a clock between them."""
    each = []
    for _ in range(rounds):
        begin = time.perf_counter()
        done = _call([sys.executable, str(_STEPS), str(vectors), WORD, repr(begin), how])
        end = time.perf_counter()
        found = json.loads(done.stderr.splitlines()[-1])
        if found["heavy"]:
            raise RuntimeError(f"a look-up imports {found['heavy']}")
        each.append({**found["steps"], "leaving": end - found["end"]})
    return {name: median([one[name] for one in each]) for name in each[0]}


def _from_disk(bench: Bench, command: list[str]) -> list[float]:
    """Seconds of the command with the page cache dropped; empty where it may not be."""
    seconds = []
    for _ in range(0 if bench.quick else 3):
        os.sync()
        try:
            Path("/proc/sys/vm/drop_caches").write_text("3")
        except OSError:
            return []
        begin = time.perf_counter()
        _call(command)
        seconds.append(round(time.perf_counter() - begin, 4))
    return seconds


def _made(bench: Bench) -> tuple[Path, Path]:
    array, words = bench.work / "made.npy", bench.work / "words.txt"
    np.save(array, np.random.default_rng(1).standard_normal((2000, 50)).astype(np.float32))
    words.write_text("\n".join([*(f"word{number}" for number in range(1999)), WORD]) + "\n", encoding="utf-8")
    return array, words


def _larger(bench: Bench, array: Path, vectors: Path) -> Path:
    """Vectors of 300 numbers, two and a half times as many: the first rows keep their words."""
    from streamvec.vectors import KeyedVectors
    from streamvec.vectors.store import VectorsWriter

    bench.say("a million words of 300 numbers")
    small, words = np.load(array, mmap_mode="r"), KeyedVectors.load(vectors).words
    rng, number = np.random.default_rng(7), len(small) * 5 // 2
    turn = np.linalg.qr(rng.standard_normal((300, 50)))[0].T.astype(np.float32)
    spread = float(np.std(small[: min(len(small), _BLOCK)]))
    out = vectors.with_name("larger.arrow")
    with VectorsWriter(out, 300, {"made_of": PACKAGE}) as writer:
        for start in range(0, number, _BLOCK):
            ranks = np.arange(start, min(start + _BLOCK, number))
            rows = np.asarray(small[ranks % len(small)], np.float32)
            rows = rows + (ranks >= len(small))[:, None] * rng.standard_normal(rows.shape, np.float32) * spread / 2
            wide = rows @ turn + rng.standard_normal((len(rows), 300), np.float32) * spread / 10
            names = [words[rank] if rank < len(small) else f"made{rank}" for rank in ranks.tolist()]
            writer.write(names, wide.astype(np.float32))
    return out


def _call(command: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, env=environment(), capture_output=True, text=True, check=True)


if __name__ == "__main__":
    benchmark("lookup", __doc__, run, options)
