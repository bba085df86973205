"""Reads record batches one step ahead of training, in a thread of its own."""

import queue
import threading
from collections.abc import Iterable, Iterator
from typing import Protocol, TypeVar

from streamvec.models.step import Position

_AHEAD = 2
Batch = TypeVar("Batch")
Batch_co = TypeVar("Batch_co", covariant=True)


class Batches(Protocol[Batch_co]):
    """What is trained on, a record batch at a time."""

    def at(self, epoch: int, batch: int) -> Batch_co:
        """What an epoch's step number *batch* trains on."""


def read_ahead(batches: Batches[Batch], positions: Iterable[Position]) -> Iterator[tuple[Position, Batch]]:
    """(position, its record batch) for each position, in order; raises what reading raised."""
    ready: queue.Queue[tuple[Position, Batch] | BaseException | None] = queue.Queue(_AHEAD)
    left = threading.Event()

    def put(item: tuple[Position, Batch] | BaseException | None) -> None:
        while not left.is_set():
            try:
                return ready.put(item, timeout=0.1)
            except queue.Full:
                continue

    def read() -> None:
        try:
            for position in positions:
                put((position, batches.at(*position)))
                if left.is_set():
                    return
            put(None)
        except BaseException as problem:
            put(problem)

    thread = threading.Thread(target=read, name="streamvec-reader", daemon=True)
    thread.start()
    try:
        while True:
            item = ready.get()
            if item is None:
                return
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        left.set()
        thread.join()
