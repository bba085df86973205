"""Rows of a matrix that a step met, and their gradients: what it did not meet stays as it is, and so do its sums.

Vectors of words that go in are such rows, and so are those of an output that scores only some words. A step then costs
what it met, however large the vocabulary is.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple, Self

import numpy as np

from streamvec.kernels.rows import add_rows, pick, put

Part = tuple[np.ndarray, np.ndarray]  # rows int32[n], perhaps some of them twice, and gradients float32[n, columns]
Follow = Callable[[np.ndarray, np.ndarray, list[np.ndarray]], None]  # numbers, their gradients, sums of the optimizer


class MetRows(NamedTuple):
    """Different rows, rising, and the gradient by each."""

    ids: np.ndarray  # int32[n]
    gradients: np.ndarray  # float32[n, columns]

    @classmethod
    def of(cls, parts: Sequence[Part]) -> Self:
        """All *parts* added up, in their order."""
        ids, places = np.unique(np.concatenate([ids for ids, _ in parts]), return_inverse=True)
        total = np.zeros((ids.size, parts[0][1].shape[1]), np.float32)
        first, numbers = 0, places.reshape(-1).astype(np.int32)
        for some, gradients in parts:
            add_rows(total, numbers[first : first + some.size], gradients)
            first += some.size
        return cls(ids.astype(np.int32), total)

    def update(self, arrays: Sequence[np.ndarray], follow: Follow, thread: int, threads: int) -> None:
        """One thread's share of an optimizer's step: *follow* gets the rows' numbers end to end.

        arrays: the parameter and its sums, float32[V, columns] or float32[V] where columns is 1 (updated).
        """
        low, high = (self.ids.size * part // threads for part in (thread, thread + 1))
        ids, gradients = self.ids[low:high], self.gradients[low:high]
        wide = [array.reshape(len(array), -1) for array in arrays]
        rows = [np.empty(gradients.shape, np.float32) for _ in wide]
        for array, some in zip(wide, rows, strict=True):
            pick(array, ids, some)
        numbers, *sums = [some.reshape(-1) for some in rows]
        follow(numbers, gradients.reshape(-1), sums)
        for array, some in zip(wide, rows, strict=True):
            put(array, ids, some)
