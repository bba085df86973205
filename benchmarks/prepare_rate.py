"""How fast text becomes vocabulary and shards, and what memory that takes; gensim's vocabulary pass as context."""

import argparse
import json
import shutil
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks import corpora
from benchmarks.bench import REPOSITORY, Bench, benchmark, environment, median, show, worker
from benchmarks.memory import measured
from streamvec.corpus.compression import zstd

THREADS = (1, 2)


def options(parser: argparse.ArgumentParser) -> None:
    """What can be chosen."""
    parser.add_argument("--bytes", type=int, help="only so many bytes of the corpus")
    parser.add_argument("--memory", type=int, help="bytes, as --memory of the command line")


def run(bench: Bench) -> dict[str, Any]:
    """Plain and .zst on one and two threads, and gensim's build_vocab, in turns."""
    if bench.quick:
        bench.args.repeat = 1
    plain = corpora.corpus(bench, corpora.WIKI, bench.args.bytes)
    inputs = {"plain": plain, "zst": corpora.compressed(plain)}
    tokens = bench.work / "tokens.txt"
    corpora.tokenised(plain, tokens)
    warm = bench.work / "warm.txt"
    corpora.made_text(warm, 100_000, seed=2)
    size = plain.stat().st_size
    kept: dict[str, list[dict[str, Any]]] = {}
    gensim: list[dict[str, Any]] = []
    for repetition in range(bench.args.repeat):
        for form, threads in ((form, threads) for form in inputs for threads in THREADS):
            bench.say(f"repetition {repetition + 1}: {form}, {threads} threads")
            folder = bench.work / "run"
            settings = {"input": str(inputs[form]), "run": str(folder), "threads": threads, "warm": str(warm)}
            kept.setdefault(f"{form}, {threads} threads", []).append(_prepare(settings, bench.args.memory))
            for made in bench.work.glob("run*"):
                shutil.rmtree(made)
        bench.say(f"repetition {repetition + 1}: gensim build_vocab")
        gensim.append(_gensim(tokens))
    _check([found for some in kept.values() for found in some], gensim, size)
    cells = [_cell(name, found, size) for name, found in kept.items()]
    reading = {form: round(size / _read_seconds(path) / 1e6) for form, path in inputs.items()}
    context = median([size / found["seconds"] / 1e6 for found in gensim])
    rows = [[c["input"], c["mb_per_second"], c["counting"], c["shards"], c["peak_mb"]] for c in cells]
    rows.append(["gensim build_vocab (already tokenised, no shards)", context, context, None, None])
    show("preparing, MB/s of plain text", ["", "all", "counting", "shards", "peak MB"], rows)
    return {
        "corpus": {"file": "made up" if bench.quick else corpora.WIKI, "bytes": size, **_facts(kept)},
        "cells": cells,
        "gensim_build_vocab_mb_per_second": context,
        "gensim_repetitions": gensim,
        "reading_alone_mb_per_second": reading,
    }


def _prepare(settings: dict[str, Any], memory: int | None) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.ours", "prepare", json.dumps({**settings, "memory": memory})]
    done = measured(command, environment(), REPOSITORY)
    if done.status:
        raise RuntimeError(f"preparing failed:\n{done.stderr[-4000:]}")
    return {**json.loads(done.stdout.splitlines()[-1]), "peak_bytes": done.peak_bytes, "peak_by": done.by}


def _gensim(tokens: Path) -> dict[str, Any]:
    config = {"dim": 1, "window": 5, "negative": 5, "sample": 1e-3, "learning_rate": 0.025}
    config |= {"final_learning_rate": 1e-4, "seed": 1}
    settings = {"text": str(tokens), "config": config, "min_count": 5, "threads": 1}
    return worker("peers", "gensim-vocabulary", settings)


def _check(ours: list[dict[str, Any]], gensim: list[dict[str, Any]], size: int) -> None:
    """Everybody must have read the same text and found the same words."""
    for found in ours:
        same = (found["tokens"], found["words"]) == (gensim[0]["tokens"], gensim[0]["words"])
        if found["bytes_of_text"] != size or not same:
            raise RuntimeError(f"another vocabulary than gensim's: {found}, {gensim[0]}, {size} bytes")


def _cell(name: str, found: list[dict[str, Any]], size: int) -> dict[str, Any]:
    def rate(key: str) -> float:
        return round(median([size / one[key] / 1e6 for one in found]), 1)

    return {
        "input": name,
        "mb_per_second": rate("seconds"),
        "counting": rate("counting_seconds"),
        "shards": rate("shards_seconds"),
        "peak_mb": round(max(one["peak_bytes"] for one in found) / 1e6),
        "peak_by": found[0]["peak_by"],
        "repetitions": [round(size / one["seconds"] / 1e6, 1) for one in found],
    }


def _facts(kept: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    one = next(iter(kept.values()))[0]
    return {key: one[key] for key in ("documents", "tokens", "words", "distinct_words")}


def _read_seconds(path: Path) -> float:
    """Reading the file from the page cache, and decompressing it, with nothing else done."""
    begin = time.perf_counter()
    with zstd.ZstdFile(path) if path.suffix == ".zst" else path.open("rb") as file:
        while file.read(1 << 20):
            pass
    return time.perf_counter() - begin


if __name__ == "__main__":
    benchmark("prepare_rate", __doc__, run, options)
