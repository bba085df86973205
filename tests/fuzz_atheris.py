"""Fuzzes one parser, led by which code is reached: python fuzz_atheris.py PARSER SECONDS FOLDER."""

import importlib
import pkgutil
import sys
from pathlib import Path

import atheris

import streamvec.kernels

for found in pkgutil.iter_modules(streamvec.kernels.__path__):  # compiled: not to be changed by what follows
    importlib.import_module(f"streamvec.kernels.{found.name}")

with atheris.instrument_imports(include=["streamvec"]):
    from parsers import PARSERS, refused, seeds


def main(name: str, seconds: int, folder: Path) -> None:
    corpus = folder / "corpus"
    corpus.mkdir(exist_ok=True)
    for number, seed in enumerate(seeds(name)):
        (corpus / str(number)).write_bytes(seed)
    place = folder / "place"
    place.mkdir(exist_ok=True)
    limits = [
        f"-max_total_time={seconds}",
        "-timeout=20",
        "-rss_limit_mb=3000",
        "-max_len=4096",
        "-print_final_stats=0",
    ]
    atheris.Setup([sys.argv[0], *limits, str(corpus)], lambda data: refused(PARSERS[name], data, place) and None)
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]))
