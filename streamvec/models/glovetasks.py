"""The tasks of a step of GloVe, blocks that share no word: threads take them, or whoever a model has for it."""

from typing import Protocol

import numpy as np

from streamvec.kernels import glove
from streamvec.kernels.memory import aligned_zeros
from streamvec.kernels.records import HEAD, Batch, Cost, Records
from streamvec.kernels.team import Team
from streamvec.models.wordconfig import LANES


class Trainer(Protocol):
    """Who trains the records of words on the tasks of a step."""

    def train(self, batch: Batch, cost: Cost, key: np.uint64) -> np.ndarray:
        """Trains on each task; float64[tasks, 2], see `streamvec.kernels.glove.train_task`. *key* and each task's place
        decide the order within it, and nothing else does."""

    def give_back(self) -> None:
        """Has the model hold all records again, as they are now."""


class TaskTeam:
    """Threads that take tasks, each whoever is free."""

    def __init__(self, records: np.ndarray, team: Team) -> None:
        """records: float32[V, record], see `streamvec.kernels.glove` (updated by `train`)."""
        self._held = records
        self._records = Records(int(records.ctypes.data), (records.shape[1] - HEAD) // (4 * LANES))
        self._team = team
        self._pieces = [glove.new_piece() for _ in range(team.threads)]
        self._turn = aligned_zeros((16,), np.int64)

    def train(self, batch: Batch, cost: Cost, key: np.uint64) -> np.ndarray:
        """As `Trainer.train`."""
        losses = np.zeros((batch.places.size, 2))
        self._turn[0] = 0
        turn = int(self._turn.ctypes.data)

        def work(thread: int) -> None:
            glove.train_batch(self._records, batch, cost, self._pieces[thread], key, losses, turn)

        self._team.run(work)
        return losses

    def give_back(self) -> None:
        """They have not been anywhere else."""
