"""How a person follows long work: a bar on a terminal, a line now and then elsewhere, and Ctrl-C."""

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from streamvec.training.progress import Progress

from .terminal import say, shown

_LINE_SECONDS = 10.0
_STAGES = {"counting": "counting words", "numbering": "words to numbers", "encoding": "writing shards"}
_STAGES |= {"checking": "looking over pairs", "cooccurrences": "counting pairs", "blocks": "writing pairs"}


class StopRequest:
    """Whether somebody asked to stop: the first SIGINT, SIGTERM or SIGHUP asks, a second SIGINT insists."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self.asked = False
        self._say = say

    def __call__(self) -> bool:
        return self.asked

    def _ask(self, number: int, frame: FrameType | None) -> None:
        if self.asked and number == signal.SIGINT:  # as after kill -9, everything on disk is whole
            sys.stderr.write("\x1b[?25h\n" if sys.stderr.isatty() else "")  # the bar had hidden the cursor
            sys.stderr.write("streamvec: stopped without saving: the last checkpoint is what there is\n")
            sys.stderr.flush()
            os._exit(130)  # an exception would leave threads in the middle of a kernel, and wait for them
        self.asked = True
        self._say("stopping after this batch, and saving (Ctrl-C again: stop without saving)")

    @contextmanager
    def listening(self) -> Iterator["StopRequest"]:
        """Handles the signals while the block runs."""
        stopping = [signal.SIGINT, signal.SIGTERM]
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # nohup
            stopping.append(signal.SIGHUP)  # the terminal was closed
        before = {number: signal.signal(number, self._ask) for number in stopping}
        try:
            yield self
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def describe(progress: Progress) -> str:
    """Progress in words."""
    parts = [_STAGES.get(progress.stage, progress.stage)]
    if progress.epoch is not None:
        parts.append(f"epoch {progress.epoch} of {progress.epochs}")
    if progress.done is not None:
        parts.append(f"{progress.done:.0%}")
    if progress.rate:
        parts.append(f"{progress.rate / 1e6:.2f} M {progress.unit}/s")
    if progress.megabytes_per_second:
        parts.append(f"{progress.megabytes_per_second:.0f} MB/s")
    if progress.loss is not None:
        parts.append(f"loss {progress.loss:.4f}")
    return ", ".join(parts)


class Lines:
    """For logs and pipes: the first report of a stage, then one every ten seconds, on stderr."""

    def __init__(self) -> None:
        self._stage: tuple[str, int | None] = "", None
        self._at = 0.0

    def progress(self, progress: Progress) -> None:
        """Prints a line if it is time."""
        now = time.monotonic()
        stage = progress.stage, progress.epoch
        if stage != self._stage or progress.done == 1.0 or now - self._at >= _LINE_SECONDS:
            self._stage, self._at = stage, now
            say(f"streamvec: {describe(progress)}", err=True)

    def note(self, text: str) -> None:
        """Prints a sentence."""
        say(f"streamvec: {text}", err=True)


class Bar:
    """For terminals: one bar a stage, with rate, loss and time left."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
        from rich.progress import Progress as RichProgress

        self._rich = RichProgress(
            TextColumn("{task.description:>15}"),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f}%"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[detail]}"),
            console=Console(stderr=True),
        )
        self._tasks: dict[str, Any] = {}

    def __enter__(self) -> "Bar":
        self._rich.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._rich.stop()

    def progress(self, progress: Progress) -> None:
        """Moves the bar of the stage."""
        if progress.stage not in self._tasks:
            name = _STAGES.get(progress.stage, progress.stage)
            self._tasks[progress.stage] = self._rich.add_task(name, total=None, detail="")
        detail = describe(progress).split(", ", 1)[-1]
        total = None if progress.done is None else 1.0
        self._rich.update(self._tasks[progress.stage], completed=progress.done or 0, total=total, detail=detail)

    def note(self, text: str) -> None:
        """Prints a sentence above the bars."""
        self._rich.console.print(shown(text), highlight=False, markup=False)


@contextmanager
def watching() -> Iterator[Lines | Bar]:
    """The reporter that fits stderr."""
    if sys.stderr.isatty():
        with Bar() as bar:
            yield bar
    else:
        yield Lines()
