"""The loop, with a model small enough to see through: it remembers what it was given."""

import json
import math
from types import SimpleNamespace

import numpy as np
import pytest

from streamvec.corpus.shards import TokenBatch
from streamvec.errors import Interrupted, StreamvecError
from streamvec.models.step import Position, StepResult
from streamvec.training.checkpoint import Checkpoints
from streamvec.training.loop import Schedule, train
from streamvec.training.metrics import Metrics
from streamvec.training.progress import Silence
from streamvec.training.reading import read_ahead


class Diary:
    """A model whose array is a running hash of the steps it made."""

    loss_at_chance = 1.0
    unit = "words"
    has_even_steps = True

    def __init__(self, losses=lambda position: 1.0):
        self.arrays = {"hash": np.zeros(1, np.int64)}
        self.steps = []
        self.losses = losses

    def step(self, batch, position):
        self.steps.append(position)
        self.arrays["hash"][0] = (self.arrays["hash"][0] * 31 + int(batch.values[0]) + position.epoch) % 1_000_003
        return StepResult(self.losses(position), 1, len(batch.values))

    def learning_rate(self, position):
        return 0.5

    def not_finite(self):
        return None


SHARDS = SimpleNamespace(
    at=lambda epoch, batch: TokenBatch(np.array([batch + 1], np.int32), np.array([0, 1], np.int32))
)


START = Position(0, 0)


class Watched:
    """Counts epochs, and is done after as many as it was told."""

    def __init__(self, epochs=math.inf):
        self.epochs, self.seen = epochs, 0

    @property
    def is_done(self):
        return self.seen >= self.epochs

    def see(self, result):
        self.losses = [*getattr(self, "losses", []), result.loss]

    def look(self, position):
        self.seen += 1
        return {"heldout_loss": 2.0}

    def state(self):
        return {"seen": self.seen}


def run(folder, model, start=START, stop=lambda: False, watch=None, **schedule):
    plan = Schedule(epochs=3, batches=4, **schedule)
    checkpoints, metrics = Checkpoints(folder / "checkpoints"), Metrics(folder / "metrics.jsonl")
    train(model, SHARDS, start, plan, checkpoints, metrics, Silence(), stop, watch or Watched())
    return checkpoints


def test_every_position_once_and_in_order(tmp_path):
    model = Diary()
    checkpoints = run(tmp_path, model)
    assert model.steps == [Position(epoch, batch) for epoch in range(3) for batch in range(4)]
    assert checkpoints.paths()[0].name == "0003-000000000"


@pytest.mark.parametrize("after", range(1, 12))
def test_stopping_anywhere_and_going_on_is_the_same(tmp_path, after):
    whole, first, second = Diary(), Diary(), Diary()
    run(tmp_path / "whole", whole)
    with pytest.raises(Interrupted, match="stopped in epoch"):
        run(tmp_path / "parts", first, stop=lambda: len(first.steps) == after)
    checkpoints = Checkpoints(tmp_path / "parts" / "checkpoints")
    start, _ = checkpoints.load(second.arrays, pytest.fail)
    run(tmp_path / "parts", second, start)
    assert first.steps + second.steps == whole.steps
    assert second.arrays["hash"] == whole.arrays["hash"]


@pytest.fixture(autouse=True)
def folders(tmp_path):
    for name in ("whole", "parts"):
        (tmp_path / name).mkdir()


def test_checkpoints_come_by_batches(tmp_path):
    seen = []

    class Watched(Diary):
        def step(self, batch, position):
            seen.append([path.name for path in Checkpoints(tmp_path / "checkpoints").paths()])
            return super().step(batch, position)

    run(tmp_path, Watched(), checkpoint_batches=3)
    assert seen[2] == [] and seen[3] == ["0000-000000003"] and seen[6] == ["0001-000000002", "0000-000000003"]


def test_checkpoints_come_by_time(tmp_path):
    model = Diary()
    checkpoints = run(tmp_path, model, checkpoint_seconds=0.0)
    assert [path.name for path in checkpoints.paths()] == ["0003-000000000", "0002-000000003"]


@pytest.mark.parametrize("loss", [math.nan, math.inf, 21.0])
def test_divergence_stops_and_names_the_batch_and_the_last_good_checkpoint(tmp_path, loss):
    model = Diary(lambda position: loss if position == (1, 2) else 1.0)
    with pytest.raises(StreamvecError, match=r"diverged in epoch 2, batch 2: .*0001-000000001.*--learning-rate"):
        run(tmp_path, model, checkpoint_batches=5)
    assert len(Checkpoints(tmp_path / "checkpoints").paths()) == 1


def test_arrays_that_are_not_finite_are_never_saved(tmp_path):
    model = Diary()
    model.not_finite = lambda: "hash" if len(model.steps) >= 6 else None
    with pytest.raises(StreamvecError, match="'hash' holds numbers that are not finite"):
        run(tmp_path, model, checkpoint_batches=3)
    assert [path.name for path in Checkpoints(tmp_path / "checkpoints").paths()] == ["0000-000000003"]


def test_metrics_are_json_lines_and_forget_what_will_be_done_again(tmp_path):
    run(tmp_path, Diary())
    path = tmp_path / "metrics.jsonl"
    records = [json.loads(line) for line in path.read_text().splitlines()]
    assert [(r["epoch"], r["batch"]) for r in records] == [(1, 0), (2, 0), (3, 0)]
    assert records[-1]["progress"] == 1.0 and records[0]["heldout_loss"] == 2.0
    assert {"time", "words_per_second", "learning_rate", "loss"} <= set(records[0])
    with path.open("a") as file:
        file.write('{"epoch":3,"batch":1,"cut sho')
    Metrics(path).forget_after(Position(1, 0))
    assert [json.loads(line)["epoch"] for line in path.read_text().splitlines()] == [1]


def test_watching_ends_the_training_and_stands_in_the_checkpoint(tmp_path):
    model, again = Diary(), Diary()
    checkpoints = run(tmp_path, model, watch=Watched(epochs=2))
    assert model.steps[-1] == (1, 3) and checkpoints.paths()[0].name == "0002-000000000"
    start, state = checkpoints.load(again.arrays, pytest.fail)
    assert state["seen"] == 2
    done = Watched(epochs=2)
    done.seen = state["seen"]
    run(tmp_path, again, start, watch=done)
    assert again.steps == []


def test_text_without_a_single_example_is_refused(tmp_path):
    class Idle(Diary):
        def step(self, batch, position):
            return super().step(batch, position)._replace(examples=0)

    with pytest.raises(StreamvecError, match="nothing is left to train on"):
        run(tmp_path, Idle())


def test_what_reading_raises_arrives(tmp_path):
    def broken(epoch, number):
        if number == 2:
            raise StreamvecError("shard 7 is damaged")
        return SHARDS.at(epoch, number)

    positions = [Position(0, number) for number in range(4)]
    seen = []
    with pytest.raises(StreamvecError, match="shard 7"):
        for position, _ in read_ahead(SimpleNamespace(at=broken), positions):
            seen.append(position)
    assert seen == positions[:2]
