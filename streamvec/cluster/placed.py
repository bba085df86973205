"""Workers of one kind on the nodes of a cluster, which are begun anew on those that are left where one is lost."""

import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from streamvec.cluster.nodes import Cluster, Lost, Node, Worker
from streamvec.errors import StreamvecError

_TRIES = 7  # one after another, until all workers have begun
_PAUSE = 1.0  # seconds before another try, times how many there have been: Ray must see that a node is gone


class Place(NamedTuple):
    """A worker that is to be begun."""

    node: Node
    arguments: tuple[Any, ...]  # of what makes the object that it holds


class PlacedWorkers:
    """Workers of one kind; their objects have a method `ready`, whose answers `begin` gives."""

    are_elsewhere = True

    def __init__(
        self, cluster: Cluster, kind: Callable[..., Any], deal: Callable[[Sequence[Node]], list[Place]]
    ) -> None:
        """deal: says which workers there are to be on the nodes there are."""
        self._cluster, self._kind, self._deal = cluster, kind, deal
        self.workers: list[Worker] = []

    def begin(self) -> list[Any]:
        """Ends the workers there are, and begins others on the nodes that are left; what each says when it is ready.

        Raises StreamvecError where there is no node, or workers do not stay.
        """
        lost = Lost()
        for tried in range(_TRIES):
            time.sleep(_PAUSE * tried)
            self.end()
            nodes = self._cluster.nodes()
            if not nodes:
                raise StreamvecError(
                    "the cluster has no node left that has a processor: start Ray on some, then go on with streamvec "
                    "resume, or without --cluster on this machine alone"
                )
            try:
                self.workers = [
                    self._cluster.start(place.node, self._kind, *place.arguments) for place in self._deal(nodes)
                ]
                return [call.result() for call in [worker.call("ready") for worker in self.workers]]
            except Lost as again:
                lost = again
        raise StreamvecError(f"workers of the cluster are lost as soon as they begin ({lost}): look after its nodes")

    def share(self, value: Any) -> Any:
        """As `Cluster.share`."""
        return self._cluster.share(value)

    def end(self) -> None:
        """Ends the workers' processes."""
        for worker in self.workers:
            worker.end()
        self.workers = []
