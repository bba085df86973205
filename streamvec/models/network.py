"""What a task on labelled examples is to those who train it: a network that knows its parameters, loss and answers.

A network holds no parameters, only the room of a pass over one group of examples: groups of a batch have networks of
their own, and threads take whole groups. `streamvec.models.learner` gives parameters and gathers gradients.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Protocol

import numpy as np

from streamvec.corpus.examples import ExampleBatch
from streamvec.kernels import random
from streamvec.kernels.dropout import fill_mask
from streamvec.models.metrows import Part

Parameters = Mapping[str, np.ndarray]
KnownRows = Callable[[np.ndarray], np.ndarray]  # float32[n, dim] of rows int64[n]


class Chance(NamedTuple):
    """What dropout draws from in one pass over one group: a function of these alone."""

    dropout: float
    seed: int
    epoch: int
    batch: int
    group: int

    def mask(self, number: int, *shape: int) -> np.ndarray | None:
        """float32[shape] by which something is multiplied, another *number* for each thing; None without dropout."""
        if not self.dropout:
            return None
        key = random.stream(self.seed, self.epoch + 1, random.DROPOUT + number)
        key = random.stream(np.uint64(key), self.batch, self.group)
        flat = np.empty(-(-int(np.prod(shape)) // 4) * 4, np.float32)
        fill_mask(flat, np.uint64(key), 0, self.dropout)
        return flat[: int(np.prod(shape))].reshape(shape)


class Network(Protocol):
    """A task's network, and one pass through it."""

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of each parameter by its name; vectors of words: "embedding" float32[V, dim padded to 16]."""

    @property
    def met(self) -> frozenset[str]:
        """Names of the parameters of which a step meets some rows: `backward` returns their gradients."""

    @property
    def fixed(self) -> frozenset[str]:
        """Names of the parameters that are set once and not trained."""

    @property
    def loss_at_chance(self) -> float:
        """Loss of one example, as `loss` counts them, of a network that knows nothing."""

    def start(self, parameters: Parameters, seed: int) -> None:
        """Fills the parameters (zeros) with what they begin with."""

    def loss(self, parameters: Parameters, batch: ExampleBatch, chance: Chance | None) -> tuple[float, int]:
        """(the sum of losses, over how many) of a group of at least one example; chance: None where nothing trains."""

    def backward(
        self, parameters: Parameters, gradients: Mapping[str, np.ndarray], scale: float
    ) -> dict[str, list[Part]]:
        """Writes the gradients of `loss` just made times *scale* by the whole parameters, and returns the others."""

    def answers(self, parameters: Parameters, batch: ExampleBatch) -> Any:
        """What the network says of each example of a group, as a list with an entry an example."""
