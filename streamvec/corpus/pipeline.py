"""Work on the blocks of a corpus by several threads, with its results taken in the order of the blocks."""

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Generic, NamedTuple, Self, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

AHEAD = 2  # blocks that wait, done or not yet begun, beyond those that are worked on


class Progress(NamedTuple):
    """How far a stage is."""

    stage: str  # "counting" or "encoding"
    bytes_read: int  # of plain text
    documents: int
    tokens: int


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
