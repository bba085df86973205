"""What a task on labelled examples is to the trainer: how its files are read, its network, and its score."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from streamvec.corpus.examples import ExampleBatch, Examples
from streamvec.corpus.shuffled import InOrder
from streamvec.models.learner import Learner
from streamvec.models.learning import Learning
from streamvec.models.network import KnownRows, Network
from streamvec.training.exampleids import Ids, Shape
from streamvec.training.labelledrows import Rows
from streamvec.training.options import LabelledOptions

MEASURED = 64  # examples that are asked about at once


class Scores(NamedTuple):
    """How well examples are told."""

    judged: float  # the higher the better: what --patience looks at, and the best epoch is chosen by
    name: str  # its name in *said*; "loss" where that judges
    said: dict[str, Any]  # by name, as metrics.jsonl and --json have it
    lines: list[str]  # the same to a person


class Task(NamedTuple):
    """One kind of task."""

    kind: str
    config: type[Learning]
    shape: Callable[[Any], Shape]  # of a config
    rows: Callable[[str, Any, LabelledOptions], Rows]  # of the file at a path, with a config
    network: Callable[[Any, Ids, KnownRows | None], Network]
    score: Callable[[Learner, Ids, Examples], Scores]
    tokens: Callable[[dict[str, Any]], dict[str, Any]] = dict  # options, with what a token is where it is not said


def answered(learner: Learner, examples: Examples) -> Iterator[tuple[ExampleBatch, list[Any]]]:
    """Some examples after others, as they are on disk, with what the network says of each."""
    batches = InOrder(examples, MEASURED)
    for number in range(batches.batches):
        batch = batches.at(0, number)
        if len(batch):
            yield batch, learner.answers(batch)
