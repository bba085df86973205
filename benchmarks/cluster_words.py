"""Skip-gram whose columns lie on one and two nodes of a Ray cluster: words a second, and bytes sent a word."""

import time
from typing import Any

import numpy as np

from benchmarks.bench import Bench, benchmark, median, show
from benchmarks.clusters import nodes, shards_of
from streamvec.cluster.columnshards import ColumnShards, SharedBatches
from streamvec.cluster.nodes import Cluster
from streamvec.corpus.shards import Shards, TokenBatch
from streamvec.models.skipgram import SkipGram
from streamvec.models.step import Position
from streamvec.models.wordconfig import SkipGramConfig
from streamvec.training.loop import Schedule
from streamvec.training.reading import read_ahead

STEPS = 60  # record batches that are timed, after one that is not
SHAPES = ((100, 256), (100, 1024), (300, 256), (300, 1024))  # length of vectors, most centers of a batch


def run(bench: Bench) -> dict[str, Any]:
    """One process, then nodes of one processor each, in turns; all must make the same bytes."""
    shapes, steps = (SHAPES[:1], 2) if bench.quick else (SHAPES, STEPS)
    vocabulary, shards = shards_of(bench)
    cells = []
    for dim, batch in shapes:
        config = SkipGramConfig(dim=dim, batch=batch, epochs=1)
        cell: dict[str, Any] = {"dim": dim, "batch": batch}
        rates: dict[str, list[float]] = {}
        for _ in range(1 if bench.quick else bench.args.repeat):
            alone = SkipGram(config, vocabulary.counts, shards.batches, 1)
            rate, vectors = _timed(alone, shards, steps)
            alone.close()
            rates.setdefault("one_process", []).append(rate)
            for number in (1, 2):
                bench.say(f"dim {dim}, batch {batch}, {number} nodes")
                with nodes(number) as address, Cluster(address) as cluster:
                    model = ColumnShards(cluster, config, vocabulary.counts, shards.batches)
                    rate, others = _timed(model, shards, steps, cluster)
                    sent = model.sent() / _tokens(shards, range(steps + 1))
                    model.close()
                if not np.array_equal(vectors, others):
                    raise RuntimeError(f"{number} nodes: other vectors")
                rates.setdefault(f"nodes_{number}", []).append(rate)
                cell[f"bytes_a_word_{number}"] = round(sent, 1)
        cells.append({**cell, **{name: round(median(found)) for name, found in rates.items()}})
    names = list(cells[0])
    show("words a second", names, [[cell[name] for name in names] for cell in cells])
    return {"steps": steps, "cells": cells}


def _timed(
    model: SkipGram | ColumnShards, shards: Shards, steps: int, cluster: Cluster | None = None
) -> tuple[float, np.ndarray]:
    """Words a second, and what some vectors then are."""
    schedule = Schedule(1, steps + 1)
    batches: Any = Repeated(shards)
    if cluster is not None:
        batches = SharedBatches(cluster, batches)
    begin = 0.0
    for position, batch in read_ahead(batches, schedule.from_(Position(0, 0))):
        model.step(batch, position)
        begin = begin or time.perf_counter()  # behind the first
    return _tokens(shards, range(1, steps + 1)) / (time.perf_counter() - begin), model.vectors(0, 100)


class Repeated:
    """Record batches, from the first again behind the last."""

    def __init__(self, shards: Shards) -> None:
        self._shards = shards

    def at(self, epoch: int, batch: int) -> TokenBatch:
        """Number *batch*, modulo how many there are."""
        return self._shards.batch(batch % self._shards.batches)


def _tokens(shards: Shards, numbers: range) -> int:
    return sum(len(shards.batch(number % shards.batches).values) for number in numbers)


if __name__ == "__main__":
    benchmark("cluster_words", __doc__, run)
