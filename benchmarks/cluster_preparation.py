"""How much faster text becomes vocabulary, shards and co-occurrences on two nodes of a Ray cluster than on one."""

import argparse
import shutil
import time
from pathlib import Path
from typing import Any

from benchmarks import corpora
from benchmarks.bench import Bench, benchmark, median, show
from benchmarks.clusters import nodes
from streamvec.cluster.crew import NodeCrews
from streamvec.cluster.nodes import Cluster
from streamvec.corpus.cooccurrences import Counted
from streamvec.corpus.cooccurrencestage import CooccurrenceStage, TokenSource
from streamvec.corpus.crew import Crews, ThreadCrews
from streamvec.corpus.prepare import prepare
from streamvec.corpus.sources import resolve
from streamvec.corpus.tokens import Tokenizer

STAGES = ("counting", "encoding", "cooccurrences", "blocks")  # the last merges runs: threads of this process do
NODES = (1, 2)
_WINDOW = 10
_MEMORY = 1 << 30  # bytes, for this process and for each node


def options(parser: argparse.ArgumentParser) -> None:
    """What can be chosen."""
    parser.add_argument("--input", help="a text; by default the excerpt of Wikipedia in the folder of data")
    parser.add_argument("--min-count", type=int, default=5, help="as that of the command line")


def run(bench: Bench) -> dict[str, Any]:
    """One thread here, then one and two nodes of one processor each, in turns; all must make the same bytes."""
    if bench.quick:
        bench.args.repeat = 1
    text = Path(bench.args.input) if bench.args.input else None
    if text is None:
        text = corpora.corpus(bench, corpora.WIKI) if bench.quick else bench.data(corpora.WIKI)
    warm = bench.work / "warm.txt"
    corpora.made_text(warm, 100_000, seed=2)
    kept: dict[str, list[dict[str, float]]] = {}
    made: dict[str, bytes] = {}

    def measure(name: str, crews: Crews) -> None:
        bench.say(name)
        _prepared(warm, bench.work / "warm", crews, 1)
        seconds, content = _prepared(text, bench.work / "run", crews, bench.args.min_count)
        kept.setdefault(name, []).append(seconds)
        made.update(content if not made else {})
        if content != made:
            raise RuntimeError(f"{name}: other bytes: {sorted(key for key in made if content.get(key) != made[key])}")

    for _ in range(bench.args.repeat):
        measure("one thread", ThreadCrews(1, _MEMORY))
        for number in NODES:
            with nodes(number) as address, Cluster(address) as cluster:
                begin = time.perf_counter()
                with NodeCrews(cluster, ThreadCrews(1, _MEMORY)) as crews:
                    started = time.perf_counter() - begin
                    measure(_name(number), crews)
                kept[_name(number)][-1]["starting"] = started
    cells = [{"workers": name, **_medians(found)} for name, found in kept.items()]
    one, two = (next(cell for cell in cells if cell["workers"] == _name(number)) for number in NODES)
    speed_up = {stage: round(one[stage] / two[stage], 2) for stage in (*STAGES, "all")}
    rows = [[cell["workers"], *(cell[stage] for stage in (*STAGES, "all"))] for cell in cells]
    show("preparing, seconds", ["", *STAGES, "all"], [*rows, ["two nodes, times one", *speed_up.values()]])
    return {"corpus": {"file": text.name, "bytes": text.stat().st_size}, "cells": cells, "speed_up": speed_up}


def _name(number: int) -> str:
    return f"{number} node{'s' * (number > 1)}"


def _prepared(text: Path, folder: Path, crews: Crews, min_count: int) -> tuple[dict[str, float], dict[str, bytes]]:
    """(seconds of each stage and of all, what was made)."""
    shutil.rmtree(folder, ignore_errors=True)
    last: dict[str, float] = {}

    def told(stage: str) -> None:
        last[stage] = time.perf_counter()

    begin = time.perf_counter()
    vocabulary, shards = prepare(
        resolve([str(text)]),
        folder,
        Tokenizer(),
        min_count=min_count,
        crews=crews,
        report=lambda now: told(now.stage),
        stop=lambda: False,
    )
    stage = CooccurrenceStage(folder / "pairs", vocabulary, TokenSource(shards, Counted(_WINDOW)), _WINDOW)
    stage.run(crews, lambda name, _: told(name), lambda: False)
    seconds = {"all": time.perf_counter() - begin}
    for name in STAGES:
        seconds[name] = last[name] - begin
        begin = last[name]
    content = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*.arrow")}
    return seconds, content


def _medians(found: list[dict[str, float]]) -> dict[str, float]:
    return {name: median([one[name] for one in found]) for name in found[0]}


if __name__ == "__main__":
    benchmark("cluster_preparation", __doc__, run, options)
