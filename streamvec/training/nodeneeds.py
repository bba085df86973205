"""How much memory training takes on each node of a cluster, and the refusal of what fits on none.

What follows from the layout of arrays is exact; every worker is a process of its own (`needs.PROCESS_BYTES`).
"""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import NamedTuple

from streamvec.cluster.lanegroups import shares
from streamvec.cluster.nodes import Cluster
from streamvec.corpus.pipeline import AHEAD
from streamvec.corpus.shards import BATCH_TOKENS
from streamvec.errors import StreamvecError
from streamvec.models.gloveconfig import GloveConfig
from streamvec.models.kinds import Config
from streamvec.models.lmconfig import LmConfig
from streamvec.models.lmsizes import LmSizes
from streamvec.models.wordconfig import COMBINED_ROWS, LANES, SkipGramConfig
from streamvec.training.needs import PROCESS_BYTES, Load, prepared_bytes, rows_bytes
from streamvec.training.options import MachineOptions

RACING = (
    "threads that race (--mode hogwild) share one memory: leave --cluster out, or train with --mode exact or --lanes"
)


class Room(NamedTuple):
    """What a node has."""

    address: str
    cores: int
    memory: int  # bytes


def rooms_of(cluster: Cluster, machine: MachineOptions) -> list[Room]:
    """What the nodes have that are alive; --memory is a ceiling for a node's workers, too."""
    most = machine.memory or 1 << 62
    return [Room(node.address, node.cores, min(node.memory, most)) for node in cluster.nodes()]


def held_by_nodes(config: Config, load: Load, cores: Sequence[int]) -> list[int]:
    """Peak memory of the workers on each of the nodes of so many processors; 0 where training has none."""
    nodes = range(len(cores))
    if isinstance(config, LmConfig):
        sizes = LmSizes(config, load.words)
        groups = shares(len(config.groups(config.batch)), cores)
        return [PROCESS_BYTES + sizes.node_bytes(some) if some else 0 for some in groups]
    if isinstance(config, GloveConfig):
        return [PROCESS_BYTES + config.model_bytes(load.words) + config.scratch_bytes(some) for some in cores]
    if config.lanes > 1:
        one, each = replace(config, lanes=1), config.lane_bytes(load.words, load.ngrams)
        lanes = [len(range(node, config.lanes, len(cores))) for node in nodes]  # dealt in turn
        return [
            some * (PROCESS_BYTES + each + one.scratch_bytes(max(1, cores[node] // some))) if some else 0
            for node, some in zip(nodes, lanes, strict=True)
        ]
    arrays = config.array_bytes(load.words, load.ngrams)
    rest = config.model_bytes(load.words, load.ngrams) - arrays
    parts = columns_of_nodes(config, len(cores))
    return [
        PROCESS_BYTES + part * arrays // config.columns[-1][1] + rest + config.scratch_bytes(cores[node]) if part else 0
        for node, part in zip(nodes, parts, strict=True)
    ]


def leading_bytes(config: SkipGramConfig, machine: MachineOptions, load: Load) -> int:
    """Peak memory of the process that has nodes train word vectors: it holds no model, but what lanes send at once."""
    together = min(load.words + load.ngrams.rows, COMBINED_ROWS) * config.vectors * LANES * 4
    lanes = (2 * config.lanes + 2) * together if config.lanes > 1 else 0
    batches = BATCH_TOKENS * 4 * (AHEAD + 2) * config.lanes
    return prepared_bytes(machine, load) + batches + lanes + rows_bytes(load, config.answer_dim)


def columns_of_nodes(config: SkipGramConfig, nodes: int) -> list[int]:
    """Columns, padding included, that each of so many nodes has; 0 for those beyond the slices."""
    edges = [0, *(high for _, high in config.columns)]
    parts = min(nodes, config.slices)
    ends = [edges[config.slices * part // parts] for part in range(parts + 1)]
    return [high - low for low, high in pairwise(ends)] + [0] * (nodes - parts)


def refuse_too_large_for_nodes(config: Config, load: Load, nodes: Sequence[Room]) -> None:
    """StreamvecError when training on *nodes* would not fit on one of them; it gives the figures."""
    held = held_by_nodes(config, load, [node.cores for node in nodes])
    for (address, _, memory), needed in zip(nodes, held, strict=True):
        if needed > memory:
            raise StreamvecError(
                f"training needs {needed / 1e6:,.0f} MB on one of {len(nodes)} nodes for {load.words:,} words of "
                f"{config.dim} numbers ({_held(config)}), and {memory / 1e6:,.0f} MB are there at {address}: "
                f"{_ways(config)}"
            )


def _held(config: Config) -> str:
    if isinstance(config, LmConfig):
        return "each holds the layers, and what its lanes go through"
    if isinstance(config, GloveConfig):
        return "each has room for the records of all words"
    if config.lanes > 1:
        return "each lane holds a whole"
    return f"up to {config.slices} nodes share the columns"


def _ways(config: Config) -> str:
    if isinstance(config, LmConfig):
        return "lower --hidden, --bptt or --batch"
    if isinstance(config, GloveConfig):
        return "lower --dim, or keep fewer words (--max-vocab)"
    return "add nodes, lower --dim, or keep fewer words (--max-vocab)"
