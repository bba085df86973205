"""Ray clusters on this machine, for tests: nodes of one processor each, which can be taken away."""

import contextlib
import os
from collections.abc import Iterator

import pytest

_STORE = 96 << 20  # bytes of each node's object store


class SomeNodes:
    """A cluster whose head has no processor."""

    def __init__(self, nodes: int) -> None:
        from ray.cluster_utils import Cluster

        head = {"num_cpus": 0, "include_dashboard": False, "object_store_memory": _STORE}
        self._cluster = Cluster(initialize_head=True, head_node_args=head)
        self._nodes: list[object] = []
        self.address: str = self._cluster.address
        self.at_least(nodes)

    def at_least(self, nodes: int) -> None:
        """Adds nodes until there are so many."""
        while len(self._nodes) < nodes:
            self._nodes.append(self._cluster.add_node(num_cpus=1, object_store_memory=_STORE))
        self._cluster.wait_for_nodes()

    def remove_node(self) -> None:
        """Kills the processes of a node, its workers too."""
        self._cluster.remove_node(self._nodes.pop(), allow_graceful=False)

    def close(self) -> None:
        self._cluster.shutdown()


@contextlib.contextmanager
def cluster_of(nodes: int) -> Iterator[SomeNodes]:
    """A cluster with so many nodes; the test is skipped where Ray is not installed."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    pytest.importorskip("ray", reason="Ray is not installed: pip install 'streamvec[ray]'")
    cluster = SomeNodes(nodes)
    try:
        yield cluster
    finally:
        cluster.close()
