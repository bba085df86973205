"""PyTorch as a peer: an environment of its own, in which a program is told what to do and answers with JSON."""

import json
import subprocess
import venv
from pathlib import Path
from typing import Any

from benchmarks.bench import Bench, Skip, environment


def torch_python(bench: Bench) -> str:
    """A python that has torch; Skip where there is none."""
    if bench.args.torch:
        return str(bench.args.torch)
    if bench.quick:
        raise Skip("a quick run has no network")
    bench.say("installing torch beside")
    folder = bench.work / "torch"
    venv.create(folder, with_pip=True, clear=True)
    python = str(folder / "bin" / "python")
    done = subprocess.run([python, "-m", "pip", "install", "-q", "torch", "numpy"], capture_output=True, text=True)
    if done.returncode:
        raise Skip(f"torch: {(done.stderr.strip().splitlines() or ['?'])[-1]}")
    return python


def torch_answer(python: str, program: Path, settings: dict[str, Any]) -> dict[str, Any]:
    """What *program* says in PyTorch's environment."""
    done = subprocess.run(
        [python, str(program), json.dumps(settings)], env=environment(), capture_output=True, text=True
    )
    if done.returncode:
        raise RuntimeError(f"torch failed with status {done.returncode}:\n{done.stderr[-4000:]}")
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer
