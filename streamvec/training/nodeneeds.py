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


class Room(NamedTuple):
    """What a node has."""

    address: str
    cores: int
    memory: int  # bytes


def rooms_of(cluster: Cluster, machine: MachineOptions) -> list[Room]:
    """What the nodes have that are alive; --memory is a ceiling for a node's workers, too."""
    most = machine.memory or 1 << 62
    return [Room(node.address, node.cores, min(node.memory, most)) for node in cluster.nodes()]


def node_bytes(config: Config, load: Load, nodes: int, cores: int) -> int:
    """Peak memory of the workers on each of so many nodes of so many processors, those that have most to do."""
    if isinstance(config, LmConfig):
        groups = shares(len(config.groups(config.batch)), [cores] * nodes)[0]
        return PROCESS_BYTES + LmSizes(config, load.words).node_bytes(groups)
    if isinstance(config, GloveConfig):
        return PROCESS_BYTES + config.model_bytes(load.words) + config.scratch_bytes(cores)
    if config.lanes > 1:
        lanes, one = -(-config.lanes // nodes), replace(config, lanes=1)
        threads = max(1, cores // lanes)
        each = config.lane_bytes(load.words, load.ngrams) + one.scratch_bytes(threads)
        return lanes * (PROCESS_BYTES + each)
    arrays = config.array_bytes(load.words, load.ngrams)
    most = largest_part(config, nodes) * arrays // config.columns[-1][1]
    rest = config.model_bytes(load.words, load.ngrams) - arrays + config.scratch_bytes(cores)
    return PROCESS_BYTES + most + rest


def leading_bytes(config: SkipGramConfig, machine: MachineOptions, load: Load) -> int:
    """Peak memory of the process that has nodes train word vectors: it holds no model, but what lanes send at once."""
    together = min(load.words + load.ngrams.rows, COMBINED_ROWS) * config.vectors * LANES * 4
    lanes = (2 * config.lanes + 2) * together if config.lanes > 1 else 0
    batches = BATCH_TOKENS * 4 * (AHEAD + 2) * config.lanes
    return prepared_bytes(machine, load) + batches + lanes + rows_bytes(load, config.answer_dim)


def largest_part(config: SkipGramConfig, nodes: int) -> int:
    """Columns, padding included, that one of so many nodes has at most."""
    edges = [0, *(high for _, high in config.columns)]
    parts = min(nodes, config.slices)
    ends = [edges[config.slices * part // parts] for part in range(parts + 1)]
    return max(high - low for low, high in pairwise(ends))


def nodes_at_work(config: Config, nodes: Sequence[int]) -> int:
    """How many of the *nodes*, each of so many processors, have something to do in training."""
    if isinstance(config, LmConfig):
        return sum(some > 0 for some in shares(len(config.groups(config.batch)), nodes))
    if isinstance(config, GloveConfig):
        return len(nodes)
    return min(len(nodes), config.lanes if config.lanes > 1 else config.slices)


def refuse_too_large_for_nodes(config: Config, load: Load, nodes: Sequence[Room]) -> None:
    """StreamvecError when training on *nodes* would not fit on one of them; it gives the figures."""
    at_work = nodes_at_work(config, [node.cores for node in nodes])
    for address, cores, memory in nodes[:at_work]:  # as they are dealt
        needed = node_bytes(config, load, len(nodes), cores)
        if needed > memory:
            raise StreamvecError(
                f"training needs {needed / 1e6:,.0f} MB on each of {len(nodes)} nodes for {load.words:,} words of "
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
