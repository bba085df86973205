"""Work in order: results, exceptions and the end of threads, however the reader, the workers or the caller stop."""

import contextlib
import threading
import time
from collections.abc import Iterator

import pytest

from streamvec.corpus.crew import ThreadCrews
from streamvec.corpus.pipeline import AHEAD, Pipeline, read_ahead


def threads() -> set[str]:
    return {thread.name for thread in threading.enumerate() if thread.name.startswith("streamvec")}


def test_items_come_in_order_and_no_thread_is_left() -> None:
    assert list(read_ahead(iter(range(1000)))) == list(range(1000))
    assert list(read_ahead(iter([None, 0, ""]))) == [None, 0, ""]
    assert list(read_ahead(iter([]))) == [] and not threads()


def test_an_exception_comes_after_the_items_before_it() -> None:
    def failing() -> Iterator[int]:
        yield from range(5)
        raise ValueError("here")

    ahead = read_ahead(failing())
    assert [next(ahead) for _ in range(5)] == list(range(5))
    with pytest.raises(ValueError, match="here"):
        next(ahead)
    assert not threads()


@pytest.mark.parametrize("used", [0, 1, 7])
def test_whoever_stops_early_leaves_no_thread_and_a_closed_source(used: int) -> None:
    made, closed = [], []

    def numbers() -> Iterator[int]:
        try:
            for number in range(10**9):
                made.append(number)
                yield number
        finally:
            closed.append(True)

    with pytest.raises(RuntimeError), contextlib.closing(read_ahead(numbers())) as ahead:
        for _ in range(used):
            next(ahead)
        if used:
            time.sleep(0.05)
        raise RuntimeError
    assert not threads() and bool(closed) == bool(used)
    assert len(made) <= used + 3  # bounded: one waits, one is being made, one more while closing


def test_the_pipeline_keeps_order_holds_few_and_passes_exceptions_on() -> None:
    draws = [0.003, 0.0, 0.001, 0.002, 0.0] * 10
    held, most = 0, 0

    class Squares:
        def of(self, item: int) -> int:
            time.sleep(draws[item])
            if item == 40:
                raise ValueError("in a thread")
            return item * item

    found = []
    with pytest.raises(ValueError, match="in a thread"), ThreadCrews(3).hire(Squares) as crew:
        pipeline: Pipeline[int] = Pipeline(crew, "of")
        for item in range(50):
            held += 1
            for done, result in pipeline.submit(item):
                held -= 1
                assert result == done * done
                found.append(done)
            most = max(most, held)
    assert found == list(range(40)) and most <= 3 + AHEAD and not threads()
