"""A network that learns from labelled examples: groups of a batch go through it, gradients are added up in one order.

How a batch is divided into groups depends on its size alone, threads take whole groups, and each sum has one order: the
bytes are the same for any number of threads.
"""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from streamvec.corpus.examples import ExampleBatch
from streamvec.kernels.memory import aligned_zeros
from streamvec.models.blas import one_thread_a_product
from streamvec.models.following import SUMS, Gradients, follow, learning_rate
from streamvec.models.learning import Learning
from streamvec.models.metrows import MetRows, Part
from streamvec.models.network import Chance, Network, Parameters
from streamvec.models.skipgram import new_team
from streamvec.models.step import Position, StepResult, first_not_finite

EMBEDDING, FROZEN = "embedding", "frozen"
_MOST = 32  # examples that one thread works on at a time
Ask = Callable[[Any, Parameters, ExampleBatch], list[Any]]  # of a network and a group of examples: an entry an example


class Learner:
    """Parameters by name and sums of the optimizer, all in ``arrays``; "frozen" uint8[V] is 1 for vectors that stay."""

    unit = "tokens"  # what the rate of training counts
    has_even_steps = False  # examples are sorted by length

    def __init__(
        self,
        config: Learning,
        network: Callable[[], Network],
        steps: int,
        threads: int = 1,
        *,
        dim: int,
        shift: int = 0,
        trains: bool = True,
        freezes: bool = False,
    ) -> None:
        """network: makes one for a group; steps: of one epoch; dim: of the vectors of words, of which the first
        *shift* are none of the vocabulary's; freezes: whether words that are given vectors keep them."""
        self.config, self.steps, self.team = config, steps, new_team(threads)
        self._dim, self._shift = dim, shift
        self._networks = [network() for _ in range(groups_of(config.batch))]
        self._network = network  # for more of them, where a batch to be answered is larger
        first = self._networks[0]
        self.parameters = {name: aligned_zeros(shape) for name, shape in first.shapes().items()}
        self.arrays = dict(self.parameters)
        self._gradients: list[dict[str, np.ndarray]] = []
        if not trains:
            return
        first.start(self.parameters, config.seed)
        trained = {name: array for name, array in self.parameters.items() if name not in first.fixed}
        for name, parameter in trained.items():
            for part in SUMS[config.optimizer]:
                self.arrays[f"{name}.{part}"] = aligned_zeros(parameter.shape)
        if freezes:
            self.arrays[FROZEN] = np.zeros(len(self.parameters[EMBEDDING]), np.uint8)
        whole = [name for name in trained if name not in first.met]
        self._gradients = [{name: aligned_zeros(self.parameters[name].shape) for name in whole} for _ in self._networks]

    @property
    def loss_at_chance(self) -> float:
        """Loss of a network that knows nothing."""
        return self._networks[0].loss_at_chance

    def step(self, batch: ExampleBatch, position: Position) -> StepResult:
        """Trains on some examples; what dropout leaves out is a function of (seed, position)."""
        parts = _dealt(batch, groups_of(len(batch)))
        found: list[tuple[float, int]] = [(0.0, 0)] * len(parts)
        met: list[dict[str, list[Part]]] = [{} for _ in parts]

        def work(thread: int) -> None:
            for number in range(thread, len(parts), self.team.threads):
                network, config = self._networks[number], self.config
                chance = Chance(config.dropout, config.seed, *position, number)
                found[number] = network.loss(self.parameters, parts[number], chance)
                met[number] = network.backward(self.parameters, self._gradients[number], 1 / len(batch))

        self._run(work)
        self._add_up(len(parts))
        rows = {
            name: self._met(name, [part for each in met for part in each.get(name, [])])
            for name in sorted(self._networks[0].met)
        }
        number = position.epoch * self.steps + position.batch + 1
        follow(self.config, self.arrays, Gradients(self._gradients[0], rows), position, number, self.team)
        return StepResult(sum(loss for loss, _ in found), sum(count for _, count in found), batch.words.values.size)

    def standardise(self, batches: Iterable[ExampleBatch]) -> None:
        """Where the network has something to standardise, does so by some examples, before anything is trained."""
        standardise = getattr(self._networks[0], "standardise", None)
        if standardise is not None:
            standardise(self.parameters, batches)

    def learning_rate(self, position: Position) -> float:
        """The learning rate at a position."""
        return learning_rate(self.config, position)

    def loss(self, batch: ExampleBatch) -> tuple[float, int]:
        """(the sum of losses, over how many), without dropout."""
        found = self._each(batch, lambda network, part: network.loss(self.parameters, part, None))
        return sum(loss for loss, _ in found), sum(count for _, count in found)

    def answers(self, batch: ExampleBatch, ask: Ask | None = None) -> list[Any]:
        """What the network says of each example; *ask*: by another question than its own."""
        found = self._each(
            batch,
            lambda network, part: (
                network.answers(self.parameters, part) if ask is None else ask(network, self.parameters, part)
            ),
        )
        return [found[place % len(found)][place // len(found)] for place in range(len(batch))]

    def vectors(self, start: int, stop: int) -> np.ndarray:
        """The vectors of words start .. stop-1: float32[stop - start, dim], a copy."""
        return self.parameters[EMBEDDING][start:stop, : self._dim].copy()

    def set_rows(self, name: str, words: np.ndarray, rows: np.ndarray) -> None:
        """Has the words int64[n], by rank in the vocabulary, begin with *rows* float32[n, dim] as their vectors."""
        self.parameters[EMBEDDING][self._shift + words, : self._dim] = rows
        if FROZEN in self.arrays:
            self.arrays[FROZEN][self._shift + words] = 1

    def set_ngrams(self, buckets: np.ndarray, rows: np.ndarray) -> None:
        """There are none."""

    def not_finite(self) -> str | None:
        """The name of an array with a NaN or an infinity in it, if there is one."""
        return first_not_finite(self.arrays)

    def close(self) -> None:
        """Ends the threads."""
        self.team.close()

    def _each(self, batch: ExampleBatch, ask: Callable[[Network, ExampleBatch], Any]) -> list[Any]:
        parts = _dealt(batch, groups_of(len(batch)))
        self._networks += [self._network() for _ in parts[len(self._networks) :]]
        found: list[Any] = [None] * len(parts)

        def work(thread: int) -> None:
            for number in range(thread, len(parts), self.team.threads):
                found[number] = ask(self._networks[number], parts[number])

        self._run(work)
        return found

    def _run(self, work: Callable[[int], None]) -> None:
        with one_thread_a_product():
            self.team.run(work)

    def _add_up(self, groups: int) -> None:
        """The gradients of the first *groups* groups, into those of the first."""
        total, *others = self._gradients[:groups]

        def work(thread: int) -> None:
            for name, array in total.items():
                flat = array.reshape(-1)
                low, high = (flat.size * part // self.team.threads for part in (thread, thread + 1))
                for other in others:
                    flat[low:high] += other[name].reshape(-1)[low:high]

        self.team.run(work)

    def _met(self, name: str, parts: list[Part]) -> MetRows:
        if name == EMBEDDING and FROZEN in self.arrays:
            trained = [self.arrays[FROZEN][ids] == 0 for ids, _ in parts]
            parts = [(ids[some], rows[some]) for (ids, rows), some in zip(parts, trained, strict=True)]
        return MetRows.of(parts)


def groups_of(examples: int) -> int:
    """How many groups a batch of so many examples is divided into: an even number, for two threads."""
    return min(examples, 2 * -(-examples // (2 * _MOST)))


def _dealt(batch: ExampleBatch, groups: int) -> list[ExampleBatch]:
    """The examples dealt out one by one, so that long and short ones are in each group."""
    return [batch.take(np.arange(group, len(batch), groups)) for group in range(groups)]
