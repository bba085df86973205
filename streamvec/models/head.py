"""What a language model asks of its output, whatever that scores: losses of hidden vectors, and gradients."""

from collections.abc import Mapping
from typing import NamedTuple, Protocol

import numpy as np

from streamvec.models.metrows import Part
from streamvec.models.step import Position


class Given(NamedTuple):
    """Hidden vectors that a head is to score, and what for."""

    parameters: Mapping[str, np.ndarray]  # by name (read)
    gradients: Mapping[str, np.ndarray] | None  # by name (written); None where nothing is trained
    hidden: np.ndarray  # float32[n, columns]
    targets: np.ndarray  # int32[n]: the words to predict
    scale: float  # of the gradients


class Head(Protocol):
    """Scores of V words behind hidden vectors, by threads that work as a team."""

    losses: np.ndarray  # float32[most]: of each target, as the last `work` found it

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of each parameter by its name."""

    def begin(self, targets: np.ndarray, position: Position | None = None) -> None:
        """To be called by one thread before all call `work` with these targets. position: of a step of training, which
        decides what is random; where it is not given, the first."""

    def work(self, given: Given, thread: int) -> None:
        """One thread's part: writes `losses`; with gradients also scale times the gradients, there or, of rows that
        were met, in `met`; and then `d_hidden` has those by the hidden vectors. All threads of the team call it.
        Without gradients losses are exact.
        """

    def d_hidden(self, first: int, last: int) -> np.ndarray:
        """The gradients by hidden vectors first .. last-1: float32[last - first, columns]."""

    def log_chances(self, parameters: Mapping[str, np.ndarray], hidden: np.ndarray) -> np.ndarray:
        """The logarithm of each word's probability behind one hidden vector: float64[V]."""

    def met(self) -> dict[str, list[Part]]:
        """Of parameters of which a step meets some rows only: the gradients by these (empty lists before a step)."""

    @property
    def loss_at_chance(self) -> float:
        """The mean loss in training when all words are as likely."""
