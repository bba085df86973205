"""Crews: some workers that each hold an object, and take pieces of a corpus in any order.

Here workers are threads of this process; those on other machines (`streamvec.cluster.crew`) look the same from outside,
so that no stage knows where its work is done.
"""

import queue
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Any, Protocol, Self

import pyarrow as pa

from streamvec.corpus.runfiles import RunFiles

Keep = Callable[[pa.Schema, Iterable[pa.RecordBatch]], None]  # takes over a run, before it returns


class Answer(Protocol):
    """What a worker finds, which may not be there yet."""

    def result(self) -> Any:
        """It, waited for; raises what the worker raised."""


class Crew(Protocol):
    """Workers that each hold an object; to be used in a ``with`` block, at the end of which they are gone."""

    @property
    def size(self) -> int:
        """How many they are."""

    def submit(self, method: str, item: Any) -> Answer:
        """Has a worker that is free, or will be soonest, call *method* of its object with *item*."""

    def each(self, method: str) -> None:
        """Has all workers call *method*, and waits for them; nothing that was submitted may be waiting."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class Crews(Protocol):
    """Where crews come from, one after another; all have as many workers. To be used in a ``with`` block."""

    @property
    def here(self) -> "ThreadCrews":
        """Threads of this process, for what no other can do, and the memory that it may hold."""

    @property
    def size(self) -> int:
        """Workers of a crew."""

    @property
    def memory(self) -> int:
        """Bytes that a process with workers may hold, all in all."""

    @property
    def threads(self) -> int:
        """Workers of a process: they share its memory."""

    def hire(self, kind: Callable[..., Any], *arguments: Any, runs: RunFiles | None = None) -> Crew:
        """Workers that hold ``kind(*arguments)``.

        Without *runs*, workers of a process share one object, whose methods several call at once. With them each has
        one of its own, ``kind(*arguments, keep)``: a function that makes sorted record batches one of *runs*, which is
        there by the time that `Crew.each` returns.
        """

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class ThreadCrews:
    """Crews of threads of this process."""

    def __init__(self, threads: int, memory: int = 1 << 30) -> None:
        """threads: at least 1, beside the one that reads; memory: bytes that the whole process may hold."""
        for name, value in (("threads", threads), ("memory", memory)):
            if value < 1:
                raise ValueError(f"{name} must be at least 1, got {value}")
        self.size = self.threads = threads
        self.memory = memory

    @property
    def here(self) -> Self:
        """These."""
        return self

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        """There is nothing to end: threads are those of a crew."""

    def hire(self, kind: Callable[..., Any], *arguments: Any, runs: RunFiles | None = None) -> "ThreadCrew":
        """As `Crews.hire`; a run is written by the thread that filled it."""
        if runs is None:
            return ThreadCrew([kind(*arguments)] * self.size)
        return ThreadCrew([kind(*arguments, runs.keep) for _ in range(self.size)])


class ThreadCrew:
    """A thread for each of the objects *held*, any of which it takes when it is free."""

    def __init__(self, held: Sequence[Any]) -> None:
        self.size = len(held)
        self._held = list(held)
        self._free: queue.SimpleQueue[Any] = queue.SimpleQueue()
        for one in held:
            self._free.put(one)
        self._pool = ThreadPoolExecutor(self.size, "streamvec")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._held, self._free = [], queue.SimpleQueue()  # the next stage needs their memory

    def submit(self, method: str, item: Any) -> Answer:
        """As `Crew.submit`."""
        return self._pool.submit(self._call, method, item)

    def each(self, method: str) -> None:
        """As `Crew.each`."""
        for called in [self._pool.submit(getattr(one, method)) for one in self._held]:
            called.result()

    def _call(self, method: str, item: Any) -> Any:
        one = self._free.get()
        try:
            return getattr(one, method)(item)
        finally:
            self._free.put(one)
