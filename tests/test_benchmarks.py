"""Every benchmark runs in its quick form, without data or a network, and keeps JSON that holds its figures."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent
FIGURES = {  # program -> what its record must hold, and how many
    "vectors_vs_peers": ("words_per_second", 3),
    "softmax_perplexity": ("objectives", 3),
    "subwords": ("words_per_second", 1),
    "glove": ("growth", 3),
    "threads_and_vocabulary": ("cells", 12),
    "prepare_rate": ("cells", 4),
    "cluster_preparation": ("cells", 3),
    "cluster_words": ("cells", 1),
    "lanes": ("cells", 2),
    "phrases": ("cells", 3),
    "bounded_memory": ("stages", 3),
    "lookup": ("sizes", 2),
    "bias": ("direct_bias", 3),
    "reproducible": ("threads", 3),
    "lm_perplexity": ("parts", 9),
    "lm_vs_torch": ("repetitions", 5),
    "tasks": ("parts", 9),
    "tagger_vs_torch": ("repetitions", 3),
}


def run(program: str, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", f"benchmarks.{program}", *options]
    return subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True)


QUICK = ("bias", "lookup", "phrases", "prepare_rate", "tagger_vs_torch")  # the others take half a minute each


@pytest.mark.parametrize(
    "program", [one if one in QUICK else pytest.param(one, marks=pytest.mark.soak) for one in FIGURES]
)
def test_quick_run_keeps_figures(program: str, tmp_path: Path) -> None:
    if program in ("vectors_vs_peers", "softmax_perplexity", "prepare_rate", "phrases"):
        pytest.importorskip("gensim")
    done = run(program, "--quick", "--results", str(tmp_path), "--data", str(tmp_path))
    assert done.returncode == 0, done.stderr
    (kept,) = tmp_path.glob("*.json")
    record: dict[str, Any] = json.loads(kept.read_text())
    assert record["command"] == f"python -m benchmarks.{program} --quick"
    assert record["quick"] and record["machine"]["cores"] >= 1 and record["machine"]["versions"]["numpy"]
    key, number = FIGURES[program]
    assert len(record[key]) == number, record[key]
    lowest = min(_numbers(record[key]))
    # What a network has not learnt in a moment scores 0; who is alone sends no byte.
    assert lowest >= 0 if program in ("tasks", "lanes", "cluster_words") else lowest > 0


def _numbers(found: Any) -> list[float]:
    if isinstance(found, dict):
        return [number for value in found.values() for number in _numbers(value)]
    if isinstance(found, list):
        return [number for value in found for number in _numbers(value)]
    return [found] if isinstance(found, int | float) else []


def test_without_data_a_benchmark_is_skipped_and_keeps_nothing(tmp_path: Path) -> None:
    done = run("run", "--only", "prepare_rate", "--data", str(tmp_path), "--results", str(tmp_path / "results"))
    assert done.returncode == 0, done.stderr
    assert "prepare_rate: skipped:" in done.stdout and "--data" in done.stdout
    assert not (tmp_path / "results").exists()


def test_peak_memory_is_the_childs_own(tmp_path: Path) -> None:
    from benchmarks.memory import measured

    held = bytearray(b"x") * 300_000_000  # a parent's peak, which fork would hand down
    code = "b = bytearray(b'x') * 60_000_000; print('done')"
    done = measured([sys.executable, "-c", code], {})
    assert len(held) == 300_000_000 and done.status == 0 and done.stdout == "done\n"
    assert 60_000_000 < done.peak_bytes < 150_000_000


def test_peak_memory_without_gnu_time(monkeypatch: pytest.MonkeyPatch) -> None:
    from benchmarks import memory

    monkeypatch.setattr(memory, "_GNU_TIME", Path("/no/such/time"))
    done = memory.measured([sys.executable, "-c", "b = bytearray(b'x') * 60_000_000; raise SystemExit(3)"], {})
    assert done.status == 3 and done.by.startswith("getrusage")
    assert 60_000_000 < done.peak_bytes < 150_000_000
