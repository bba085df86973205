"""Tasks of a step of GloVe, taken by the nodes of a cluster, and where the record of each word is: the bytes of one
machine.

A word's record is at one place at a time: here, as all are at first and whenever the model is looked at, or with the
worker that had the word's last task. A step's tasks are dealt so that all workers have alike much to do for a core,
and, where that leaves a choice, to the worker that has most of a task's words; only words whose next task is elsewhere
move, and these from worker to worker. As tasks share no word, it matters to no byte who takes which.

Sent in a step of n entries, in bytes, R = 4 (16 + 4 columns) being those of a record: 12 n for the entries, 16 for each
task, and R + 8 for each word that moves: at most the words of the step, and about half of these with many workers. A
checkpoint has each worker send its records here, R for each word of the vocabulary, and later steps take them out
again. What workers trained since the last one is lost with any of them.
"""

from collections.abc import Sequence

import numpy as np

from streamvec.cluster.nodes import Call, Cluster, Node
from streamvec.cluster.placed import Place, PlacedWorkers
from streamvec.kernels.memory import aligned_zeros
from streamvec.kernels.records import Batch, Cost
from streamvec.models.glovetasks import TaskTeam
from streamvec.models.skipgram import new_team

_PIECE = 32 << 20  # bytes of records that a worker gives back at a time
_UNEVEN = 1.1  # times its even share that a worker may be dealt for the sake of words that it has


class NodeTasks:
    """A `streamvec.models.glovetasks.Trainer`: workers on the nodes of a cluster."""

    def __init__(self, cluster: Cluster, records: np.ndarray) -> None:
        """records: float32[V, record], those of the model. StreamvecError where there is no node."""
        self._records = records
        self._at = np.zeros(len(records), np.int64)  # of each word: 0 where its record is here, or the worker, from 1
        self._placed = PlacedWorkers(cluster, RecordWorker, self._places)
        self.begin()

    def begin(self) -> None:
        """Begins with new workers on the nodes that are left, and the records that are here."""
        self._at[:] = 0
        self._placed.begin()

    def train(self, batch: Batch, cost: Cost, key: np.uint64) -> np.ndarray:
        """As `Trainer.train`. Raises Lost where a worker is: then the model is to begin anew from a checkpoint."""
        workers, sizes = self._placed.workers, np.diff(batch.tasks)
        met, task_of = self._met(batch, sizes)
        there = np.bincount(task_of * (len(workers) + 1) + self._at[met], minlength=sizes.size * (len(workers) + 1))
        has = there.reshape(sizes.size, -1)[:, 1:]
        taker = dealt(sizes, has, [worker.node.cores for worker in workers])  # of each task
        goes_to = taker[task_of] + 1
        moves = self._moves(met, goes_to)
        takers, calls = np.unique(taker).tolist(), []
        for number in takers:
            ids, rows = zip(*moves[number], strict=True) if moves[number] else ((), ())
            part = _part_of(batch, sizes, taker == number)
            calls.append(workers[number].call("train", part, cost, key, ids, *rows))
        losses = np.zeros((sizes.size, 2))
        for number, call in zip(takers, calls, strict=True):
            losses[taker == number] = call.result()
        self._at[met] = goes_to
        return losses

    def give_back(self) -> None:
        """As `Trainer.give_back`. Raises Lost as `train` does."""
        some = max(1, _PIECE // self._records[:1].nbytes)
        for number, worker in enumerate(self._placed.workers):
            ids = np.flatnonzero(self._at == number + 1)
            for first in range(0, ids.size, some):
                here = ids[first : first + some]
                self._records[here] = worker.call("give", here).result()
        self._at[:] = 0

    def _met(self, batch: Batch, sizes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The words of a step int64[n], rising, and the task of each int64[n]."""
        of_entry = np.repeat(np.arange(sizes.size), sizes)
        of_word = np.full(len(self._records), -1)
        of_word[batch.rows] = of_entry
        of_word[batch.columns] = of_entry
        met = np.flatnonzero(of_word >= 0)
        return met, of_word[met]

    def _moves(self, met: np.ndarray, goes_to: np.ndarray) -> list[list[tuple[np.ndarray, np.ndarray | Call]]]:
        """For each worker the words that it lacks, and their records, by where they come from: all are told to give
        before one is told to train."""
        comes_from, workers = self._at[met], self._placed.workers
        moves: list[list[tuple[np.ndarray, np.ndarray | Call]]] = [[] for _ in workers]
        for to in range(1, len(workers) + 1):
            for place in range(len(workers) + 1):
                ids = met[(goes_to == to) & (comes_from == place)] if place != to else met[:0]
                if ids.size:
                    rows = workers[place - 1].call("give", ids) if place else self._records[ids]
                    moves[to - 1].append((ids, rows))
        return moves

    def _places(self, nodes: Sequence[Node]) -> list[Place]:
        return [Place(node, (*self._records.shape, node.cores)) for node in nodes]


def dealt(sizes: np.ndarray, has: np.ndarray, cores: Sequence[int]) -> np.ndarray:
    """Which worker takes each task: int64[tasks].

    sizes: int64[tasks], entries of each; has: int64[tasks, workers], how many of its words each worker has; cores: of
    each worker.
    """
    speeds = np.array(cores, np.float64)
    even = _UNEVEN * sizes.sum() / speeds.sum()
    load, found = np.zeros(len(cores)), np.zeros(sizes.size, np.int64)
    for task in np.argsort(-sizes, kind="stable").tolist():
        ends = load + sizes[task] / speeds
        if (ends <= even).any():
            most = np.where(ends <= even, has[task], -1)
            number = int(np.where(most == most.max(), ends, np.inf).argmin())
        else:
            number = int(ends.argmin())
        load[number], found[task] = ends[number], number
    return found


def _part_of(batch: Batch, sizes: np.ndarray, is_taken: np.ndarray) -> Batch:
    """Those tasks of *batch* that are taken: bool[tasks]."""
    entries = np.repeat(is_taken, sizes)
    tasks = np.concatenate([[0], np.cumsum(sizes[is_taken])])
    rows, columns, values = (array[entries] for array in (batch.rows, batch.columns, batch.values))
    return Batch(rows, columns, values, tasks, batch.places[is_taken], batch.mirrored)


class RecordWorker:
    """Records of words, on a node, and threads that train them."""

    def __init__(self, words: int, record: int, threads: int) -> None:
        """record: floats of each; there is room for those of all words."""
        self._records = aligned_zeros((words, record))
        self._team = TaskTeam(self._records, new_team(threads))

    def ready(self) -> None:
        """Returns."""

    def give(self, ids: np.ndarray) -> np.ndarray:
        """The records of the words int64[n]: float32[n, record]."""
        return self._records[ids]

    def train(
        self, batch: Batch, cost: Cost, key: np.uint64, ids: Sequence[np.ndarray], *records: np.ndarray
    ) -> np.ndarray:
        """Takes over the records of words *ids*, of which *records* has as many arrays, then as `Trainer.train`.

        What came lies in memory of Ray, and is copied to where one machine has it.
        """
        for some, own in zip(ids, records, strict=True):
            self._records[some] = own
        rows, columns, values, tasks, places = (array.copy() for array in batch[:5])
        for array in (rows, columns, values):
            array.setflags(write=False)  # as those of record batches are
        return self._team.train(Batch(rows, columns, values, tasks, places, batch.mirrored), cost, key)
