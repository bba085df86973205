"""Skip-gram on nodes of a Ray cluster on this machine, of one processor each: words a second, and bytes sent a word.

    python -m benchmarks.cluster_words RUN

RUN is a finished RUN, whose shards are trained on once by one process, then with the columns on one and on two nodes.
All have the same bytes, which is looked at. Needs the extra [ray], and as many free processors as nodes.
"""

import argparse
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from streamvec.cluster.columnshards import ColumnShards
from streamvec.cluster.nodes import Cluster
from streamvec.corpus.shards import Shards
from streamvec.corpus.vocabulary import Vocabulary
from streamvec.models.skipgram import SkipGram
from streamvec.models.step import Position
from streamvec.models.wordconfig import SkipGramConfig

STEPS = 60  # record batches that are timed, after one that is not
_STORE = 200 << 20


def timed(model: Any, shards: Shards) -> tuple[float, np.ndarray]:
    """Million words a second over some steps, and what the vectors then are."""
    model.step(shards.batch(0), Position(0, 0))
    began, tokens = time.perf_counter(), 0
    for number in range(1, STEPS + 1):
        tokens += model.step(shards.batch(number % shards.batches), Position(0, number)).tokens
    return tokens / (time.perf_counter() - began) / 1e6, model.vectors(0, 1000)


def measured(shards: Shards, vocabulary: Vocabulary, dims: list[int], batches: list[int]) -> Iterator[dict[str, Any]]:
    """A line for each length of vectors and size of batch."""
    from ray.cluster_utils import Cluster as Machines

    head = {"num_cpus": 0, "include_dashboard": False, "object_store_memory": _STORE}
    machines = Machines(initialize_head=True, head_node_args=head)
    for _ in range(2):
        machines.add_node(num_cpus=1, object_store_memory=_STORE)
    with Cluster(machines.address) as cluster:
        for dim in dims:
            for batch in batches:
                config = SkipGramConfig(dim=dim, batch=batch, epochs=1)
                one = SkipGram(config, vocabulary.counts, shards.batches, 1)
                alone, vectors = timed(one, shards)
                one.close()
                line: dict[str, Any] = {"dim": dim, "batch": batch, "one process": round(alone, 3)}
                for nodes in (1, 2):
                    found = ColumnShards(Few(cluster, nodes), config, vocabulary.counts, shards.batches)  # type: ignore[arg-type]
                    rate, others = timed(found, shards)
                    assert np.array_equal(vectors, others), "the bytes differ"
                    words = sum(len(shards.batch(number % shards.batches).values) for number in range(STEPS + 1))
                    line[f"{nodes} nodes"] = round(rate, 3)
                    line[f"bytes a word, {nodes} nodes"] = round(found.sent() / words, 1)
                    found.close()
                yield line
    machines.shutdown()


class Few:
    """The first nodes of a cluster."""

    def __init__(self, cluster: Cluster, nodes: int) -> None:
        self._cluster, self._nodes = cluster, nodes

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cluster, name)

    def nodes(self) -> list[Any]:
        return self._cluster.nodes()[: self._nodes]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--out", type=Path, help="Where the figures are kept, as JSON.")
    parser.add_argument("--dims", type=int, nargs="+", default=[100, 300])
    parser.add_argument("--batches", type=int, nargs="+", default=[256])
    asked = parser.parse_args()
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    shards, vocabulary = Shards.open(asked.run / "shards"), Vocabulary.load(asked.run / "vocabulary.arrow")
    lines = []
    for line in measured(shards, vocabulary, asked.dims, asked.batches):
        print(json.dumps(line), flush=True)
        lines.append(line)
    if asked.out:
        about = {"unit": "million words a second of text", "processors": os.cpu_count(), "steps": STEPS}
        asked.out.write_text(json.dumps({**about, "lines": lines}, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
