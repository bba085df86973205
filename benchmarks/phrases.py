"""How fast phrases are found and joined, beside gensim's Phrases on the same tokens, and whether both find the same."""

import argparse
import shutil
from pathlib import Path
from typing import Any

from benchmarks import corpora
from benchmarks.bench import Bench, benchmark, median, show, worker
from streamvec.disk.arrow import read_batches

THREADS = (1, 2)
_SHOWN = 5  # phrases that only one of them finds


def options(parser: argparse.ArgumentParser) -> None:
    """What can be chosen."""
    parser.add_argument("--bytes", type=int, default=50_000_000, help="only so many bytes of the corpus")
    parser.add_argument("--memory", type=int, default=2_000_000_000, help="bytes, as --memory of the command line")
    parser.add_argument("--score", choices=("word2vec", "npmi"), default="word2vec")
    parser.add_argument("--threshold", type=float, help="by default 10, or 0.5 with npmi")


def run(bench: Bench) -> dict[str, Any]:
    """gensim, and streamvec on one and two threads, in turns, from the same tokenised file."""
    args = bench.args
    if bench.quick:
        args.repeat = 1
    threshold = {"word2vec": 10.0, "npmi": 0.5}[args.score] if args.threshold is None else args.threshold
    threshold = min(threshold, 0.4) if bench.quick else threshold  # made-up text has no phrases
    plain = corpora.corpus(bench, corpora.WIKI, None if bench.quick else args.bytes)
    text, warm = bench.work / "tokens.txt", bench.work / "warm.txt"
    corpora.tokenised(plain, text)
    corpora.made_text(warm, 100_000, seed=2)
    shared = {"score": args.score, "threshold": threshold, "min_count": 5}
    theirs, joins = bench.work / "gensim.txt", bench.work / "joins.arrow"
    kept: dict[str, list[dict[str, Any]]] = {}
    for repetition in range(args.repeat):
        bench.say(f"repetition {repetition + 1}: gensim")
        settings: dict[str, Any] = {**shared, "text": str(text), "found": str(theirs)}
        kept.setdefault("gensim", []).append(worker("peers", "gensim-phrases", settings))
        for threads in THREADS:
            bench.say(f"repetition {repetition + 1}: streamvec, {threads} threads")
            settings = {**shared, "input": str(text), "run": str(bench.work / "run"), "found": str(joins)}
            settings |= {"memory": args.memory, "threads": threads, "warm": str(warm)}
            kept.setdefault(f"streamvec, {threads} threads", []).append(worker("ours", "phrases", settings))
            for made in bench.work.glob("run*"):
                shutil.rmtree(made)
    same = _compared(theirs, joins)
    cells = [_cell(name, found, kept["gensim"]) for name, found in kept.items()]
    head = ["", "finding s", "M tokens/s", "x gensim", "and joining s", "x gensim", "from text s", "x gensim"]
    keys = ("finding_seconds", "million_tokens_per_second", "finding_ratio", "both_seconds", "both_ratio")
    show("phrases", head, [[c["who"], *(c.get(key) for key in (*keys, "all_seconds", "all_ratio"))] for c in cells])
    print(
        f"  found by both {same['both']:,}, by gensim alone {same['gensim_alone']}, by streamvec alone {same['alone']}"
    )
    one = kept["gensim"][0]
    return {
        "corpus": {"file": "made up" if bench.quick else corpora.WIKI, "tokens": one["tokens"]},
        "options": {**shared, "memory": args.memory},
        "cells": cells,
        "found": same,
        "joined": {name: found[0]["joined"] for name, found in kept.items()},
        "gensim_pruned_nothing": one["complete"],
        "repetitions": kept,
    }


def _cell(name: str, found: list[dict[str, Any]], gensim: list[dict[str, Any]]) -> dict[str, Any]:
    """Medians, and ratios within a repetition. gensim reads no text: all it does is finding and joining."""

    def both(one: dict[str, Any]) -> float:
        return float(one["finding_seconds"] + one["joining_seconds"])

    finding = median([one["finding_seconds"] for one in found])
    cell = {
        "who": name,
        "finding_seconds": finding,
        "million_tokens_per_second": median([one["tokens"] / one["finding_seconds"] / 1e6 for one in found]),
        "both_seconds": median([both(one) for one in found]),
    }
    pairs = list(zip(gensim, found, strict=True))
    cell["finding_ratio"] = median([peer["finding_seconds"] / one["finding_seconds"] for peer, one in pairs])
    cell["both_ratio"] = median([both(peer) / both(one) for peer, one in pairs])
    if "seconds" in found[0]:
        cell["all_seconds"] = median([one["seconds"] for one in found])
        cell["all_ratio"] = median([both(peer) / one["seconds"] for peer, one in pairs])
    return cell


def _compared(theirs: Path, joins: Path) -> dict[str, Any]:
    """The phrases that each found. gensim alone takes a word of the text that is spelt like a phrase for one."""
    gensim = set(theirs.read_text(encoding="utf-8").split("\n")) - {""}
    ours = {word for batch in read_batches(joins) for word in batch.column("word").to_pylist()}
    both = gensim & ours
    if not both:
        raise RuntimeError(f"no phrase in common: gensim found {len(gensim)}, streamvec {len(ours)}")
    return {
        "both": len(both),
        "overlap": round(len(both) / len(gensim | ours), 5),
        "gensim_alone": len(gensim - ours),
        "alone": len(ours - gensim),
        "examples_gensim": sorted(gensim - ours)[:_SHOWN],
        "examples_alone": sorted(ours - gensim)[:_SHOWN],
    }


if __name__ == "__main__":
    benchmark("phrases", __doc__, run, options)
