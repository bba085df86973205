"""The loop: for each position after the checkpoint's, read a batch, step, report; now and then a checkpoint.

It is one loop for every model. Its parts know nothing of each other: reading ahead, the model, checkpoints, metrics.
"""

import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from streamvec.disk.tensors import Stored
from streamvec.errors import Interrupted, StreamvecError
from streamvec.models.step import Position, StepResult
from streamvec.training.checkpoint import Checkpoints
from streamvec.training.metrics import Metrics
from streamvec.training.options import MachineOptions
from streamvec.training.progress import Progress, Reporter
from streamvec.training.reading import Batches, read_ahead

_TELL_SECONDS = 1.0  # between words to the one who waits; records are as often in the first minute, then once a minute
_RECORD_SECONDS = 60.0
_NOTHING = (
    "nothing is left to train on: no two words stand near each other in a document that is not held out; give "
    "documents of several words, or a lower --holdout"
)
SomeBatch = TypeVar("SomeBatch")
SomeBatch_contra = TypeVar("SomeBatch_contra", contravariant=True)
_DIVERGED = 20.0  # times the loss of knowing nothing


class Model(Protocol[SomeBatch_contra]):
    """What can be trained."""

    @property
    def unit(self) -> str:
        """What the rate of training counts: "words", "entries" (of a matrix of co-occurrences) or "tokens"."""

    @property
    def arrays(self) -> Mapping[str, Stored]:
        """Everything that a checkpoint must hold."""

    @property
    def loss_at_chance(self) -> float:
        """Mean loss of a model that knows nothing: far above it, training has diverged."""

    @property
    def has_even_steps(self) -> bool:
        """Whether each step's examples are like another's, so that this shows in a step, and not only in an epoch."""

    def step(self, batch: SomeBatch_contra, position: Position) -> StepResult:
        """Trains on one record batch."""

    def learning_rate(self, position: Position) -> float:
        """The learning rate at a position."""

    def not_finite(self) -> str | None:
        """The name of an array that holds a NaN or an infinity."""


class Watching(Protocol):
    """Who looks at the model after each epoch."""

    @property
    def is_done(self) -> bool:
        """Whether further epochs are not wanted."""

    def see(self, result: StepResult) -> None:
        """Takes note of a step."""

    def look(self, position: Position) -> Mapping[str, Any]:
        """What the record of an epoch says besides the loss since the record before."""

    def state(self) -> Mapping[str, Any]:
        """What a checkpoint must hold of it."""


@dataclass(frozen=True)
class Schedule:
    """How long to train and when to save."""

    epochs: int
    batches: int  # of one epoch
    checkpoint_seconds: float = 180.0
    checkpoint_batches: float = math.inf

    @classmethod
    def of(cls, epochs: int, batches: int, machine: MachineOptions) -> "Schedule":
        """With checkpoints as often as *machine* says."""
        return cls(epochs, batches, machine.checkpoint_seconds, machine.checkpoint_batches or math.inf)

    @property
    def end(self) -> Position:
        """The position after the last step."""
        return Position(self.epochs, 0)

    def after(self, position: Position) -> Position:
        """The position after a step."""
        last = position.batch + 1 == self.batches
        return Position(position.epoch + 1, 0) if last else Position(position.epoch, position.batch + 1)

    def from_(self, position: Position) -> Iterator[Position]:
        """All positions from *position* on."""
        while position < self.end:
            yield position
            position = self.after(position)

    def steps(self, first: Position, last: Position) -> int:
        """How many steps lie between two positions."""
        return (last.epoch - first.epoch) * self.batches + last.batch - first.batch

    def done(self, position: Position) -> float:
        """Share of all steps that lie before a position."""
        return self.steps(Position(0, 0), position) / (self.epochs * self.batches)


def no_look(batch: object, position: Position) -> None:
    """What is done before a step, usually."""


def train(
    model: Model[SomeBatch],
    batches: Batches[SomeBatch],
    start: Position,
    schedule: Schedule,
    checkpoints: Checkpoints,
    metrics: Metrics,
    report: Reporter,
    stop: Callable[[], bool],
    watch: Watching,
    before: Callable[[SomeBatch, Position], None] = no_look,
) -> None:
    """Trains from *start* to the schedule's end, or until *watch* is done, and leaves a checkpoint there.

    before: is called with each batch before the model trains on it.
    Raises Interrupted after a checkpoint when *stop* says so, StreamvecError when the model diverges (the last good
    checkpoint stays) or the disk is full.
    """
    began = saved_at = recorded_at = told_at = time.monotonic()
    saved, seen = start, 0
    loss, examples, tokens = 0.0, 0, 0  # since the record before
    if watch.is_done:
        return
    for position, batch in read_ahead(batches, schedule.from_(start)):
        before(batch, position)
        result = model.step(batch, position)
        if result.examples:
            _refuse_divergence(model, result.loss / result.examples, position, checkpoints, model.has_even_steps)
        watch.see(result)
        loss, examples, tokens = loss + result.loss, examples + result.examples, tokens + result.tokens
        here, now, seen = schedule.after(position), time.monotonic(), seen + result.examples
        if here == Position(1, 0) and start == Position(0, 0) and not seen:
            raise StreamvecError(_NOTHING)

        if here.batch == 0 or now - told_at >= _TELL_SECONDS:
            rate, mean, done = tokens / (now - recorded_at), loss / examples if examples else None, schedule.done(here)
            told = Progress("training", done, rate, None, position.epoch + 1, schedule.epochs, mean, model.unit)
            report.progress(told)
            told_at = now
            if here.batch == 0 or now - recorded_at >= _RECORD_SECONDS or now - began < _RECORD_SECONDS:
                extra = watch.look(here) if here.batch == 0 else {}
                _refuse_divergence(model, extra.get("epoch_loss"), position, checkpoints)
                if here == Position(1, 0) and extra.get("epoch_loss", 0.0) is None:  # also where it was gone on with
                    raise StreamvecError(_NOTHING)
                metrics.write(
                    here,
                    progress=round(done, 6),
                    **{f"{model.unit}_per_second": round(rate)},
                    learning_rate=model.learning_rate(position),
                    loss=mean,
                    **extra,
                )
                loss, examples, tokens, recorded_at = 0.0, 0, 0, time.monotonic()

        stopping = stop()
        due = (
            now - saved_at >= schedule.checkpoint_seconds or schedule.steps(saved, here) >= schedule.checkpoint_batches
        )
        ends = here == schedule.end or watch.is_done
        if stopping or due or ends:
            _save(model, checkpoints, here, watch)
            saved_at, saved = time.monotonic(), here
        if ends:
            return
        if stopping:
            raise Interrupted(f"stopped in epoch {here.epoch + 1} of {schedule.epochs}, {schedule.done(here):.1%} done")


def _save(model: Model, checkpoints: Checkpoints, position: Position, watch: Watching) -> None:
    name = model.not_finite()
    if name:
        _diverged(model, f"array {name!r} holds numbers that are not finite", position, checkpoints)
    checkpoints.save(position, model.arrays, watch.state())


def _refuse_divergence(
    model: Model, mean: float | None, position: Position, checkpoints: Checkpoints, compares: bool = True
) -> None:
    """StreamvecError for a mean loss that is no number or, where one can be compared, far above that of chance."""
    if mean is None:
        return
    if not math.isfinite(mean) or (compares and mean > _DIVERGED * model.loss_at_chance):
        what = f"the loss is {mean:.4g}, and {model.loss_at_chance:.4g} would be chance"
        _diverged(model, what, position, checkpoints)


def _diverged(model: Model, what: str, position: Position, checkpoints: Checkpoints) -> None:
    paths, lower = checkpoints.paths(), model.learning_rate(Position(0, 0)) * 0.4
    kept = f"the last good checkpoint is {paths[0]}" if paths else "there is no checkpoint yet"
    raise StreamvecError(
        f"training diverged in epoch {position.epoch + 1}, batch {position.batch}: {what}; {kept}; "
        f"train again with --overwrite and a lower --learning-rate, such as {lower:.2g}"
    )
