"""Groups of lanes on their way through the stack, forward and back, which threads take; in between stands the head.

A sum over groups has one order, theirs, so the bytes are the same for any number of threads. Groups are also what is
dealt out where there are more machines than one: what a pass needs of a model is all in `Pass`.
"""

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple, Protocol

import numpy as np

from streamvec.kernels.memory import aligned_zeros
from streamvec.kernels.team import Team, wait_for_team
from streamvec.models.blas import one_thread_a_product
from streamvec.models.lanegroup import LaneGroup, within
from streamvec.models.lmconfig import LmConfig
from streamvec.models.metrows import Part
from streamvec.models.packedweights import PackedWeights
from streamvec.models.step import Position

Edges = Sequence[tuple[int, int]]  # (first lane, last lane + 1) of each group, one behind the other
ByHidden = Callable[[int, int], np.ndarray]  # gradients by hidden vectors first .. last-1, of `Head.d_hidden`
_OfGroup = Callable[[int, LaneGroup], None]  # what is done with a group, by its number


class Pass(NamedTuple):
    """What groups of lanes take through the stack; arrays have these lanes alone."""

    parameters: Mapping[str, np.ndarray]  # of the stack, by name
    words: np.ndarray  # float32[n, columns]: the vectors that inputs are rows of
    inputs: np.ndarray  # int32[steps, lanes]
    lengths: np.ndarray | None  # int64[lanes], of separate sequences, whose states are not carried on
    position: Position | None  # of a step that trains
    states: Sequence[np.ndarray]  # float32[lanes, hidden] of each layer (updated)
    hidden: np.ndarray  # float32[n, outputs]: what goes into the head, group after group (written)


class Passed(NamedTuple):
    """What a pass that trains has found."""

    gradients: Mapping[str, np.ndarray]  # of the stack's parameters
    met: list[Part]  # of each group: the rows of words that it met, and the gradients by them


class Through(Protocol):
    """Who takes all groups through the stack when a model is trained."""

    def run(self, taken: Pass, head: Callable[[int], None], by_hidden: ByHidden) -> Passed:
        """All groups forward, then *head* by all threads of the model's team, by number, then all groups back."""


class LaneGroups:
    """Groups of lanes, which a team of threads takes through the stack."""

    def __init__(self, config: LmConfig, edges: Edges, team: Team, is_trained: bool) -> None:
        """edges: of all groups, or of some that follow each other."""
        self.groups = [LaneGroup(config, first, last) for first, last in edges]
        self._first, self._team = edges[0][0], team
        self.packed = PackedWeights(config.shape, is_trained)
        shapes = config.shape.parameters() if is_trained else {}
        self.partial = [{name: aligned_zeros(size) for name, size in shapes.items()} for _ in edges]
        self._lengths: list[np.ndarray | None] = []
        self._inputs: list[np.ndarray] = []
        self.edges: list[tuple[int, int]] = []  # of each group's hidden vectors

    def states(self) -> int:
        """How many states each lane carries on."""
        return len(self.groups[0].stack.state())

    def run(self, taken: Pass, head: Callable[[int], None], by_hidden: ByHidden) -> Passed:
        """As `Through.run`; where no position says that it trains, groups are not taken back."""
        self._deal(taken)
        self.through(
            taken.parameters,
            lambda number, group: self._forward(taken, number, group),
            head,
            lambda number, group: self._back(taken, number, group, by_hidden),
        )
        return Passed({}, []) if taken.position is None else Passed(self.add_to(None), self.met())

    def forward(self, taken: Pass) -> None:
        """The way there alone, of a pass that `back` ends."""
        self._deal(taken)
        self._run(
            lambda thread: self._each(
                thread, taken.parameters, lambda number, group: self._forward(taken, number, group)
            )
        )

    def back(self, taken: Pass, by_hidden: ByHidden) -> None:
        """The way back of the pass that went there last."""
        self._run(lambda thread: self._each(thread, None, lambda n, group: self._back(taken, n, group, by_hidden)))

    def through(
        self, parameters: Mapping[str, np.ndarray], forward: _OfGroup, head: Callable[[int], None], back: _OfGroup
    ) -> None:
        """All groups forward, all threads through *head*, all groups back."""

        def work(thread: int) -> None:
            self._each(thread, parameters, forward)
            wait_for_team(self._team.barrier, self._team.threads)
            head(thread)
            self._each(thread, None, back)

        self._run(work)

    def add_to(self, before: Mapping[str, np.ndarray] | None) -> Mapping[str, np.ndarray]:
        """The sum of the groups' gradients in their order, behind those of the groups *before*, if there are some."""

        def work(thread: int) -> None:
            for number, (name, total) in enumerate(self.partial[0].items()):
                if number % self._team.threads == thread:
                    if before is not None:
                        total += before[name]
                    for partial in self.partial[1:]:
                        total += partial[name]

        self._team.run(work)
        return self.partial[0]

    def met(self) -> list[Part]:
        """Of each group: the rows of words that it met, and the gradients by them."""
        return [(group.met, group.d_x) for group in self.groups]

    def divided(self, tokens: np.ndarray) -> list[np.ndarray]:
        """[steps, lanes] as those of each group."""
        return [np.ascontiguousarray(tokens[:, self.lanes_of(group)]) for group in self.groups]

    def divided_lengths(self, lengths: np.ndarray | None) -> list[np.ndarray | None]:
        """int64[lanes] of each group; None where nothing ends before the last step."""
        return [None if lengths is None else lengths[self.lanes_of(group)] for group in self.groups]

    def in_order(self, tokens: np.ndarray, lengths: np.ndarray | None) -> list[np.ndarray]:
        """[steps, lanes] of each group end to end, without what stands behind *lengths*, as hidden vectors are."""
        return list(map(within, self.divided(tokens), self.divided_lengths(lengths)))

    def lanes_of(self, group: LaneGroup) -> slice:
        """Where the lanes of a group stand among those of all."""
        return slice(group.first - self._first, group.last - self._first)

    def _deal(self, taken: Pass) -> None:
        """Deals what is taken out to the groups."""
        self._inputs, self._lengths = self.divided(taken.inputs), self.divided_lengths(taken.lengths)
        sizes = [
            part.size if some is None else int(some.sum())
            for part, some in zip(self._inputs, self._lengths, strict=True)
        ]
        self.edges = list(pairwise(np.cumsum([0, *sizes]).tolist()))

    def _run(self, work: Callable[[int], None]) -> None:
        with one_thread_a_product():
            self._team.run(work)

    def _each(self, thread: int, parameters: Mapping[str, np.ndarray] | None, work: _OfGroup) -> None:
        """One thread's groups; before a way there, its share of packing the *parameters*."""
        threads = self._team.threads
        if parameters is not None:
            self.packed.fill(parameters, thread, threads)
            wait_for_team(self._team.barrier, threads)
        for number in range(thread, len(self.groups), threads):
            work(number, self.groups[number])

    def _forward(self, taken: Pass, number: int, group: LaneGroup) -> None:
        group.take([state[self.lanes_of(group)] for state in taken.states])
        hidden = taken.hidden[slice(*self.edges[number])]
        inputs, lengths = self._inputs[number], self._lengths[number]
        group.forward(taken.parameters, taken.words, inputs, taken.position, hidden, lengths, self.packed)

    def _back(self, taken: Pass, number: int, group: LaneGroup, by_hidden: ByHidden) -> None:
        steps = len(taken.inputs)
        if taken.position is not None:
            group.backward(taken.parameters, self.partial[number], by_hidden(*self.edges[number]), steps)
        if taken.lengths is None:
            group.give([state[self.lanes_of(group)] for state in taken.states], steps)
