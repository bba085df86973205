"""Which slices of the columns a process holds, where a model is divided among several."""

from typing import NamedTuple

from streamvec.kernels.exchange import NOBODY, Peers
from streamvec.models.wordconfig import SkipGramConfig


class Columns(NamedTuple):
    """Slices first .. last-1 of a model's columns, and who has the others."""

    first: int
    last: int
    peers: Peers = NOBODY

    @classmethod
    def all_of(cls, config: SkipGramConfig) -> "Columns":
        """Every slice, and nobody else."""
        return cls(0, config.slices)

    def edges(self, config: SkipGramConfig) -> tuple[int, int]:
        """(first column, one past the last), padding included."""
        return config.columns[self.first][0], config.columns[self.last - 1][1]

    def wanted(self, config: SkipGramConfig) -> slice:
        """Which of the ``dim`` numbers of a vector are here."""
        low, high = self.edges(config)
        return slice(min(low, config.dim), min(high, config.dim))
