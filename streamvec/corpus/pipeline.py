"""Work on the blocks of a corpus by several threads, with its results taken in the order of the blocks.

One thread reads and decompresses, some work, and the caller takes the results: none waits for another longer than a few
blocks allow.
"""

import contextlib
import queue
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Generic, NamedTuple, Self, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

AHEAD = 2  # blocks that wait, done or not yet begun, beyond those that are worked on
READ = 2  # blocks that are read and not yet handed on: one waits, one is being made


class Progress(NamedTuple):
    """How far a stage is."""

    stage: str  # "counting", "encoding"; with phrases "numbering", "phrases 1", ..., "phrases counted", too
    bytes_read: int  # of plain text
    documents: int
    tokens: int


def read_ahead(items: Iterator[Item]) -> Generator[Item, None, None]:
    """*items*, each made by a thread of its own while the one before is used; what it raises is raised here, in turn.

    The thread begins with the first item that is asked for, and ends with the last one or when the generator is
    closed: use it within ``contextlib.closing``.
    """
    made: queue.Queue[tuple[bool, Item | BaseException | None]] = queue.Queue(1)
    closed = threading.Event()

    def make() -> None:
        try:
            for item in items:
                made.put((True, item))
                if closed.is_set():
                    return
            made.put((False, None))
        except BaseException as problem:
            made.put((False, problem))

    thread = threading.Thread(target=make, name="streamvec-read")
    thread.start()
    try:
        while True:
            is_item, value = made.get()
            if is_item:
                yield value  # type: ignore[misc]
            elif value is None:
                return
            else:
                raise value  # type: ignore[misc]
    finally:
        closed.set()
        while thread.is_alive():
            with contextlib.suppress(queue.Empty):
                made.get_nowait()  # room for what it may be about to put
            thread.join(0.01)
        close = getattr(items, "close", None)
        if close is not None:
            close()


class Pipeline(Generic[Item, Result]):
    """Hands items to *threads* threads that release the interpreter; never holds more than threads + AHEAD of them."""

    def __init__(self, work: Callable[[Item], Result], threads: int) -> None:
        self._work = work
        self._pool = ThreadPoolExecutor(threads, "streamvec")
        self._most = threads + AHEAD
        self._waiting: deque[tuple[Item, Future[Result]]] = deque()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)

    def submit(self, item: Item) -> Iterator[tuple[Item, Result]]:
        """Takes one more item in; yields the oldest (item, result) where otherwise too many would wait."""
        while len(self._waiting) >= self._most:
            yield self._oldest()
        self._waiting.append((item, self._pool.submit(self._work, item)))

    def drain(self) -> Iterator[tuple[Item, Result]]:
        """Yields all that is still waiting."""
        while self._waiting:
            yield self._oldest()

    def _oldest(self) -> tuple[Item, Result]:
        item, future = self._waiting.popleft()
        return item, future.result()
