"""Parsers of all that others write, given what nobody would write: a refusal in a line, or what the bytes say."""

import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
import tally
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from parsers import PARSERS, refused, seeds

QUICK = {"deadline": None, "suppress_health_check": list(HealthCheck), "database": None, "derandomize": True}
SECONDS = 12  # for a parser, beside what it takes to begin


def changed(name: str) -> st.SearchStrategy[bytes]:
    """Any bytes, and what comes of a seed when pieces are cut out of it, put in, or repeated."""

    @st.composite
    def drawn(draw: st.DrawFn) -> bytes:
        whole = draw(st.sampled_from(seeds(name)))
        for _ in range(draw(st.integers(0, 3))):
            a = draw(st.integers(0, len(whole)))
            b = draw(st.integers(a, len(whole)))
            piece = draw(st.one_of(st.binary(max_size=12), st.text(max_size=6).map(_utf8), st.just(whole[a:b] * 2)))
            whole = whole[:a] + piece + whole[b:]
        return whole

    return st.one_of(drawn(), st.binary(max_size=200))


def _utf8(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def fuzz(name: str, examples: int) -> int:
    """Gives a parser so many odd inputs, each of which it must read or refuse; returns how many there were."""
    counts = {"tried": 0, "refused": 0}
    with tempfile.TemporaryDirectory() as folder:

        @settings(max_examples=examples, **QUICK)
        @given(changed(name))
        def run(data: bytes) -> None:
            counts["tried"] += 1
            counts["refused"] += refused(PARSERS[name], data, Path(folder))

        run()
    for what, many in counts.items():
        tally.count(f"inputs {what}: hypothesis, {name}", many)
    return counts["tried"]


@pytest.mark.parametrize("name", PARSERS)
def test_each_seed(tmp_path: Path, name: str) -> None:
    found = [refused(PARSERS[name], seed, tmp_path) for seed in seeds(name)]
    if name in ("safetensors of a checkpoint", "pickle"):
        assert not found[0] and all(found[1:2])  # the first is whole; the second once was no refusal in a line


@pytest.mark.parametrize("name", PARSERS)
def test_odd_bytes(name: str) -> None:
    assert fuzz(name, 60) >= 50


@pytest.mark.soak
@pytest.mark.parametrize("name", PARSERS)
def test_very_many_odd_bytes(name: str) -> None:
    assert fuzz(name, 1000) >= 50  # some have few that differ


@pytest.mark.soak
@pytest.mark.parametrize("name", PARSERS)
def test_bytes_that_reach_new_code(tmp_path: Path, name: str) -> None:
    pytest.importorskip("atheris", reason="atheris has no wheel for this Python or machine")
    program = Path(__file__).with_name("fuzz_atheris.py")
    command = [sys.executable, str(program), name, str(SECONDS), str(tmp_path)]
    ended = subprocess.run(command, capture_output=True, encoding="utf-8", errors="replace", timeout=500, cwd=tmp_path)
    done = [line for line in ended.stderr.splitlines() if line.startswith("Done ")]
    assert ended.returncode == 0 and done, ended.stdout[-4000:] + ended.stderr[-2000:]  # stdout has the traceback
    tally.count(f"inputs fuzzed: atheris, {name}", int(done[-1].split()[1]))
