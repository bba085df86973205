"""What tests on a Ray cluster share: a head without processors, and nodes of one processor that come and go."""

import contextlib
import os
import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from streamvec.cluster.nodes import Cluster, Node

pytest.importorskip("ray", reason="a cluster needs Ray: pip install 'streamvec[ray]'")
_STORE = 100 << 20  # bytes of an object store
_SOON = {  # a node that is gone is told of within two seconds, not twenty
    "health_check_initial_delay_ms": 500,
    "health_check_period_ms": 500,
    "health_check_failure_threshold": 3,
}


class Nodes:
    """Processes of this machine that take each other for machines of a cluster."""

    def __init__(self) -> None:
        from ray.cluster_utils import Cluster as Machines

        head = {"num_cpus": 0, "include_dashboard": False, "object_store_memory": _STORE, "_system_config": _SOON}
        self._machines = Machines(initialize_head=True, head_node_args=head)
        self._nodes: list[Any] = []

    @property
    def address(self) -> str:
        """Of the head."""
        return str(self._machines.address)

    def have(self, number: int) -> None:
        """Adds or removes nodes until there are so many."""
        while len(self._nodes) < number:
            self._nodes.append(self._machines.add_node(num_cpus=1, object_store_memory=_STORE))
        while len(self._nodes) > number:
            self.remove()

    def remove(self) -> None:
        """Ends all processes of a node at once, as when its machine stops."""
        node = self._nodes.pop()
        for worker in _workers(node):  # they would go on for a second or two when the node's own processes are gone
            os.kill(worker, signal.SIGKILL)
        self._machines.remove_node(node, allow_graceful=False)

    def kill_worker(self) -> None:
        """SIGKILL for the process of a worker."""
        os.kill(next(worker for node in self._nodes for worker in _workers(node)), signal.SIGKILL)

    def close(self) -> None:
        """Ends all of it."""
        self._machines.shutdown()


def _workers(node: Any) -> Iterator[int]:
    """The processes of the workers of a node."""
    own = {one.process.pid for some in node.all_processes.values() for one in some}
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # ended meanwhile
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            if parent in own and b"_Host" in (folder / "cmdline").read_bytes():
                yield int(folder.name)


class Some:
    """A cluster of which only the first nodes are seen."""

    def __init__(self, cluster: Cluster, number: int) -> None:
        self._cluster, self._number = cluster, number

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cluster, name)

    def nodes(self) -> list[Node]:
        return self._cluster.nodes()[: self._number]


def while_training(events: Mapping[int, Callable[[], None]]) -> Callable[[], bool]:
    """A stop that never comes, but has each of *events* happen after so many steps of training."""
    steps = 0

    def stop() -> bool:
        nonlocal steps
        if sys._getframe(1).f_code.co_name == "train":  # asked by the loop
            steps += 1
            events.get(steps, lambda: None)()
        return False

    return stop
