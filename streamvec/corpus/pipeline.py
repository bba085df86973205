"""Work on the blocks of a corpus by a crew, with its results taken in the order of the blocks.

One thread reads and decompresses, workers work, and the caller takes the results: none waits for another longer than a
few blocks allow.
"""

import contextlib
import queue
import threading
from collections import deque
from collections.abc import Generator, Iterator
from typing import Any, Generic, NamedTuple, TypeVar

from streamvec.corpus.crew import Answer, Crew

Item = TypeVar("Item")

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


class Pipeline(Generic[Item]):
    """Hands items to *method* of what the workers of a crew hold; never holds more than workers + AHEAD of them."""

    def __init__(self, crew: Crew, method: str) -> None:
        self._crew, self._method = crew, method
        self._most = crew.size + AHEAD
        self._waiting: deque[tuple[Item, Answer]] = deque()

    def submit(self, item: Item) -> Iterator[tuple[Item, Any]]:
        """Takes one more item in; yields the oldest (item, result) where otherwise too many would wait."""
        while len(self._waiting) >= self._most:
            yield self._oldest()
        self._waiting.append((item, self._crew.submit(self._method, item)))

    def drain(self) -> Iterator[tuple[Item, Any]]:
        """Yields all that is still waiting."""
        while self._waiting:
            yield self._oldest()

    def _oldest(self) -> tuple[Item, Any]:
        item, answer = self._waiting.popleft()
        return item, answer.result()
