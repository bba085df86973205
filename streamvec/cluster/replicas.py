"""The lanes of a word model on the nodes of a cluster, dealt in turn: which lane is where changes no byte."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from streamvec.cluster.nodes import Cluster, Node
from streamvec.cluster.placed import Place, PlacedWorkers
from streamvec.models.replica import Replica
from streamvec.models.skipgram import SkipGram
from streamvec.models.subwords import NGrams
from streamvec.models.wordconfig import SkipGramConfig


class Told(NamedTuple):
    """What every lane must know."""

    config: SkipGramConfig
    counts: np.ndarray
    record_batches: int
    ngrams: NGrams | None


def new_replica(told: Told, threads: int) -> Replica:
    """A lane as training begins with it."""
    return Replica(SkipGram(told.config, told.counts, told.record_batches, threads, told.ngrams), told.counts)


def replicas_on(
    cluster: Cluster, config: SkipGramConfig, counts: np.ndarray, record_batches: int, ngrams: NGrams | None
) -> PlacedWorkers:
    """The lanes on the nodes that there are, begun anew where one is lost."""
    told = cluster.share(Told(config, counts, record_batches, ngrams))

    def deal(nodes: Sequence[Node]) -> list[Place]:
        places = []
        for lane in range(config.lanes):
            node = nodes[lane % len(nodes)]
            lanes = len(range(lane % len(nodes), config.lanes, len(nodes)))  # on this node
            places.append(Place(node, (told, max(1, node.cores // lanes))))
        return places

    return PlacedWorkers(cluster, new_replica, deal)
