"""An adaptive softmax (Grave et al. 2017): rare words are in clusters, and only scored where one of them is met.

The head is a softmax over the most frequent words and one entry for each cluster; within a cluster there is a softmax
of its own, on a projection of the hidden vector that is the smaller the rarer its words. A word's probability is that
of its cluster times its own within: all add up to 1, and the cross-entropy is exact.
"""

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np

from streamvec.kernels.memory import aligned_zeros
from streamvec.kernels.team import Team, wait_for_team
from streamvec.models.head import Given
from streamvec.models.metrows import Part
from streamvec.models.shape import padded
from streamvec.models.softmaxhead import SoftmaxHead
from streamvec.models.step import Position

_SHRINKS = 4  # a cluster's projection has a quarter of the numbers of that before it
_ROOM = 32 << 20  # bytes for the scores of a cluster: so many vectors are scored at once


def width_of(cluster: int, columns: int) -> int:
    """Numbers of a cluster's projection of hidden vectors of *columns* numbers."""
    return padded(max(1, columns // _SHRINKS ** (cluster + 1)))


def rows_at_once(words: int, most: int) -> int:
    """How many of up to *most* hidden vectors a cluster of *words* words scores at once."""
    return min(most, max(16, _ROOM // (4 * words)))


class AdaptiveHead:
    """Scores of V words by falling frequency, cut at *cuts* (the first id of each cluster, and V).

    Parameters: "output" float32[head, columns], "output.b"; of cluster i "tail.i.down" float32[columns, n],
    "tail.i" float32[words, n], "tail.i.b".
    """

    def __init__(self, cuts: Sequence[int], columns: int, most: int, team: Team) -> None:
        """columns: of a hidden vector; most: of these at once. ValueError for cuts that do not rise."""
        if list(cuts) != sorted(set(cuts)) or cuts[0] < 1:
            raise ValueError(f"cuts must rise from at least 1 on, got {list(cuts)}")
        self._cuts, self._columns, self._team, self._most = list(cuts), columns, team, most
        clusters = len(cuts) - 1
        self._head = SoftmaxHead(cuts[0] + clusters, columns, most, team)
        self._tails: list[SoftmaxHead] = []
        self._small: list[np.ndarray] = []
        for number, (low, high) in enumerate(pairwise(cuts)):
            width, some = width_of(number, columns), rows_at_once(high - low, most)
            self._tails.append(SoftmaxHead(high - low, width, some, team, f"tail.{number}", f"tail.{number}.b"))
            self._small.append(aligned_zeros((some, width)))
        self._more = aligned_zeros((most, columns))  # gradients by hidden vectors, of clusters
        self.losses = np.zeros(most, np.float32)
        self._met: list[tuple[np.ndarray, np.ndarray]] = []  # of each cluster: which vectors, and their targets in it
        self._in_head = np.zeros(0, np.int32)

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of each parameter by its name."""
        found = self._head.shapes()
        for number, tail in enumerate(self._tails):
            found |= {f"tail.{number}.down": (self._columns, self._small[number].shape[1]), **tail.shapes()}
        return found

    def begin(self, targets: np.ndarray, position: Position | None = None) -> None:
        """Sorts out which targets are in which cluster."""
        clusters = np.searchsorted(self._cuts, targets, side="right") - 1
        self._in_head = np.where(clusters < 0, targets, self._cuts[0] + clusters).astype(np.int32)
        self._met = []
        for number, low in enumerate(self._cuts[:-1]):
            rows = np.flatnonzero(clusters == number)
            self._met.append((rows, (targets[rows] - low).astype(np.int32)))

    def work(self, given: Given, thread: int) -> None:
        """As `Head.work`."""
        parameters, gradients, hidden, targets, _ = given
        threads, barrier, count = self._team.threads, self._team.barrier, len(targets)
        self._head.work(given._replace(targets=self._in_head), thread)
        if thread == 0:
            self.losses[:count] = self._head.losses[:count]
            self._more[:count] = 0
            if gradients is not None:
                for number in range(len(self._tails)):
                    for name in (f"tail.{number}", f"tail.{number}.b", f"tail.{number}.down"):
                        gradients[name][:] = 0
        wait_for_team(barrier, threads)
        for number, tail in enumerate(self._tails):
            rows, within = self._met[number]
            for first in range(0, rows.size, tail.most):
                some, wanted = rows[first : first + tail.most], within[first : first + tail.most]
                small = self._small[number][: some.size]
                if thread == 0:
                    np.matmul(hidden[some], parameters[f"tail.{number}.down"], out=small)
                wait_for_team(barrier, threads)
                tail.work(given._replace(hidden=small, targets=wanted), thread, adds=True)
                if thread == 0:
                    self.losses[some] += tail.losses[: some.size]
                    if gradients is not None:
                        d_small = tail.d_hidden(0, some.size)
                        gradients[f"tail.{number}.down"] += hidden[some].T @ d_small
                        self._more[some] = d_small @ parameters[f"tail.{number}.down"].T
                wait_for_team(barrier, threads)

    def d_hidden(self, first: int, last: int) -> np.ndarray:
        """As `SoftmaxHead.d_hidden`."""
        return self._head.d_hidden(first, last) + self._more[first:last]

    def log_chances(self, parameters: Mapping[str, np.ndarray], hidden: np.ndarray) -> np.ndarray:
        """As `SoftmaxHead.log_chances`."""
        head = self._head.log_chances(parameters, hidden)
        parts = [head[: self._cuts[0]]]
        for number, tail in enumerate(self._tails):
            small = hidden @ parameters[f"tail.{number}.down"]
            parts.append(tail.log_chances(parameters, small) + head[self._cuts[0] + number])
        return np.concatenate(parts)

    def met(self) -> dict[str, list[Part]]:
        """None: gradients of clusters that are not met are zero."""
        return {}

    @property
    def loss_at_chance(self) -> float:
        """The mean loss when all words are as likely."""
        return math.log(self._cuts[-1])
