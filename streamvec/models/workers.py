"""Workers that hold parts or replicas of a model, in this process or on other machines, as who leads them sees them."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

import numpy as np

_BLOCK = 4 << 20  # numbers of an array that are sent at once
_WAITING = 8  # blocks that are on their way


class Answer(Protocol):
    """What a worker will have answered."""

    def result(self) -> Any:
        """The answer, waited for; raises what the worker raised."""


class Worker(Protocol):
    """Something whose methods are called in order, and which works while nobody waits for it."""

    def call(self, method: str, *arguments: Any) -> Answer:
        """Begins a call."""


class _Here:
    """An answer that is there."""

    def __init__(self, value: Any) -> None:
        self._value = value

    def result(self) -> Any:
        return self._value


class LocalWorker:
    """An object of this process as a worker."""

    def __init__(self, held: Any) -> None:
        self.held = held

    def call(self, method: str, *arguments: Any) -> Answer:
        """Calls it at once."""
        return _Here(getattr(self.held, method)(*arguments))


class Dealt:
    """A flat float32 array that lies with workers: `streamvec.disk.tensors.Elsewhere`."""

    dtype = np.dtype(np.float32)

    def __init__(self, name: str, size: int, parts: Callable[[], Sequence[tuple[Sequence[Worker], int]]]) -> None:
        """*parts* tells who holds it, one part after another: workers that all have that part, and how many numbers.

        Workers answer ``block(name, first, last)`` with numbers of their part, and take them by ``put(name, first,
        numbers)``.
        """
        self.shape = (size,)
        self._name, self._parts = name, parts

    def blocks(self) -> Iterator[np.ndarray]:
        """All of it, in order; one block is on its way while the one before is used."""
        before: Answer | None = None
        for workers, size in self._parts():
            for first in range(0, size, _BLOCK):
                answer = workers[0].call("block", self._name, first, min(first + _BLOCK, size))
                if before is not None:
                    yield before.result()
                before = answer
        if before is not None:
            yield before.result()

    def fill(self, blocks: Iterator[np.ndarray]) -> None:
        """Takes all of it, in order."""
        rest, waiting = np.zeros(0, np.float32), []
        for workers, size in self._parts():
            done = 0
            while done < size:
                rest = rest if rest.size else next(blocks)
                some, rest = rest[: size - done], rest[size - done :]
                waiting += [worker.call("put", self._name, done, some) for worker in workers]
                done += some.size
                while len(waiting) > _WAITING * len(workers):
                    waiting.pop(0).result()
        for answer in waiting:
            answer.result()
