"""Groups of lanes of a language model, taken through the stack by the nodes of a cluster: the bytes of one machine.

A worker has groups that follow each other, and holds nothing from one step to the next: this process has all
parameters, states and sums of the optimizer, and does what stands between the ways there and back, the head, and what
comes behind, the optimizer. So a step whose worker is lost is made again by those that are left.

Gradients are added up along the chain of workers, each adding its groups' to what the worker before has sent it: the
order is that of the groups, as on one machine, and only one sum comes back.

Sent in a step, in bytes, for a worker of n time steps of lanes (of d words that are different, D columns each), P
parameters of the stack, H outputs and S numbers of state a lane, in L lanes:

    to it      4 P + 4 d D + 4 n + 4 S L, and behind the head 4 n H
    from it    4 n H, and behind the way back 4 P (to the next worker, or here) + 4 m (D + 1) + 4 S L

where m is n with dropout, else the number of different words in each group, added up (n where they hardly repeat).
"""

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from streamvec.cluster.nodes import Cluster, Lost, Node
from streamvec.cluster.placed import Place, PlacedWorkers
from streamvec.errors import StreamvecError
from streamvec.kernels.memory import aligned_zeros
from streamvec.kernels.team import Team
from streamvec.models.blas import one_thread_a_product, products
from streamvec.models.lanegroups import ByHidden, Edges, LaneGroups, Pass, Passed
from streamvec.models.lmconfig import LmConfig
from streamvec.models.metrows import Part
from streamvec.models.skipgram import new_team

_LOSSES = 3  # of workers in one step, after which no more are begun


class NodeGroups:
    """A `streamvec.models.lanegroups.Through`: workers on the nodes of a cluster."""

    def __init__(self, cluster: Cluster, config: LmConfig, team: Team, note: Callable[[str], None]) -> None:
        """team: the threads of the model, which the head is for. StreamvecError where there is no node."""
        self._cluster, self._config, self._team, self._note = cluster, config, team, note
        self._lanes: list[slice] = []  # of each worker
        self._gradients = {name: aligned_zeros(size) for name, size in config.shape.parameters().items()}
        self._placed = PlacedWorkers(cluster, StackWorker, self._dealt)
        self._begin()

    def run(self, taken: Pass, head: Callable[[int], None], by_hidden: ByHidden) -> Passed:
        """As `Through.run`. StreamvecError where workers are lost again and again, or no node is left."""
        losses = 0
        while True:
            try:
                return self._run(taken, head, by_hidden)
            except Lost as lost:
                losses += 1
                if losses == _LOSSES:
                    raise StreamvecError(
                        f"workers of the cluster were lost {losses} times in one step ({lost}): look after its nodes, "
                        "then go on with streamvec resume"
                    ) from None
                self._note(f"a worker of the cluster is gone ({lost}): its lanes go to the nodes that are left")
                self._begin()

    def _run(self, taken: Pass, head: Callable[[int], None], by_hidden: ByHidden) -> Passed:
        shared = self._cluster.share({name: taken.parameters[name] for name in self._gradients})
        known, calls = [], []
        for worker, lanes in zip(self._placed.workers, self._lanes, strict=True):
            here = taken.inputs[:, lanes]
            ids, places = np.unique(here, return_inverse=True)
            inputs = places.astype(np.int32).reshape(here.shape)
            lengths = None if taken.lengths is None else taken.lengths[lanes]
            states = [state[lanes] for state in taken.states]
            known.append(ids)
            calls.append(worker.call("forward", shared, taken.words[ids], inputs, lengths, taken.position, states))
        edges: list[Edges] = []
        first = 0
        for call in calls:
            hidden, sizes = call.result()
            taken.hidden[first : first + len(hidden)] = hidden
            edges.append(list(pairwise(np.cumsum([first, *sizes]).tolist())))
            first += len(hidden)
        given = self._through_head(head, by_hidden, [edge for each in edges for edge in each])
        calls, total = [], None
        for worker, each in zip(self._placed.workers, edges, strict=True):
            calls.append(worker.call("back", [given[edge] for edge in each]))
            total = worker.call("add", total)
        assert total is not None
        answers, gradients = [call.result() for call in calls], total.result()
        for name, gradient in self._gradients.items():
            gradient[:] = gradients[name]
        met: list[Part] = []
        for (parts, states), ids, lanes in zip(answers, known, self._lanes, strict=True):
            met += [(ids[rows].astype(np.int32), by_rows) for rows, by_rows in parts]
            if taken.lengths is None:  # written when nothing can be lost any more
                for state, held in zip(taken.states, states, strict=True):
                    state[lanes] = held
        return Passed(self._gradients, met)

    def _through_head(
        self, head: Callable[[int], None], by_hidden: ByHidden, edges: Edges
    ) -> dict[tuple[int, int], np.ndarray]:
        """The gradients by each group's hidden vectors, once all are there, by their *edges*."""
        given: dict[tuple[int, int], np.ndarray] = {}

        def work(thread: int) -> None:
            head(thread)
            for edge in edges[thread :: self._team.threads]:
                given[edge] = by_hidden(*edge)

        with one_thread_a_product():
            self._team.run(work)
        return given

    def _begin(self) -> None:
        for there, worker in zip(self._placed.begin(), self._placed.workers, strict=True):
            if there != products():
                self._note(
                    f"matrix products are made by {products()} here and by {there} on the node {worker.node.address}: "
                    "the last bits will differ from those of one machine"
                )

    def _dealt(self, nodes: Sequence[Node]) -> list[Place]:
        edges = self._config.groups(self._config.batch)
        places, first = [], 0
        self._lanes = []
        for node, some in zip(nodes, shares(len(edges), [node.cores for node in nodes]), strict=True):
            if some:
                these = edges[first : first + some]
                self._lanes.append(slice(these[0][0], these[-1][1]))
                places.append(Place(node, (self._config, these, min(node.cores, some))))
                first += some
        if len(places) < len(nodes):
            self._note(
                f"{len(places)} of {len(nodes)} nodes of the cluster take part: {self._config.batch} lanes (--batch) "
                f"are {len(edges)} groups, each for one core"
            )
        return places


def shares(groups: int, cores: Sequence[int]) -> list[int]:
    """How many of the *groups* each node of so many *cores* is dealt: all are done when they can be soonest, by as few
    nodes as that takes, since each of these is sent all parameters."""
    turns = -(-groups // sum(cores))  # groups that a core takes one after another
    dealt: list[int] = []
    for number in cores:
        dealt.append(min(groups - sum(dealt), turns * number))
    return dealt


class StackWorker:
    """Some groups of lanes, on a node: what it knows of a step comes with the call."""

    def __init__(self, config: LmConfig, edges: Edges, threads: int) -> None:
        self._config = config
        self._parameters = {name: aligned_zeros(size) for name, size in config.shape.parameters().items()}
        self._groups = LaneGroups(config, edges, new_team(threads), is_trained=True)
        self._taken: Pass | None = None

    def ready(self) -> str:
        """What makes matrix products here."""
        return products()

    def forward(
        self,
        parameters: Mapping[str, np.ndarray],
        words: np.ndarray,
        inputs: np.ndarray,
        lengths: np.ndarray | None,
        position: Any,
        states: Sequence[np.ndarray],
    ) -> tuple[np.ndarray, list[int]]:
        """The way there, of a `Pass` of these: what goes into the head, and how much of it is each group's.

        What came lies in memory of Ray that cannot be written, and is copied to where one machine has it.
        """
        for name, array in self._parameters.items():
            array[:] = parameters[name]
        count = inputs.size if lengths is None else int(lengths.sum())
        hidden = aligned_zeros((count, self._config.shape.outputs))
        own = [state.copy() for state in states]
        self._taken = Pass(self._parameters, words.copy(), inputs.copy(), _copied(lengths), position, own, hidden)
        self._groups.forward(self._taken)
        return hidden, [last - first for first, last in self._groups.edges]

    def back(self, by_hidden: Sequence[np.ndarray]) -> tuple[list[Part], Sequence[np.ndarray]]:
        """The way back, from the gradients by each group's hidden vectors: what each group met, and lanes' states."""
        assert self._taken is not None
        given = dict(zip(self._groups.edges, by_hidden, strict=True))
        self._groups.back(self._taken, lambda first, last: given[first, last].copy())
        return self._groups.met(), self._taken.states

    def add(self, before: Mapping[str, np.ndarray] | None) -> Mapping[str, np.ndarray]:
        """The gradients of the groups *before*, if there are some, and of these."""
        return self._groups.add_to(before)


def _copied(array: np.ndarray | None) -> np.ndarray | None:
    return None if array is None else array.copy()
