"""What a trained task says of lines that somebody asks about, as a line of text or as JSON."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, NamedTuple

import numpy as np

from streamvec.tasks.trained import TrainedTask


class Prediction(NamedTuple):
    """One answer."""

    line: str
    said: dict[str, Any]  # the same, for --json


def predictions(trained: TrainedTask, lines: Iterable[str], at_once: int = 64) -> Iterator[Prediction]:
    """An answer for each line, in order, *at_once* lines read before the first of their answers comes."""
    waiting = iter(lines)
    while some := list(islice(waiting, at_once)):
        yield from _OF[trained.run.kind](trained, some)


def _labels(trained: TrainedTask, texts: list[str]) -> Iterator[Prediction]:
    """The likeliest label of each text, and its probability."""
    assert trained.ids.labels is not None
    names = trained.ids.labels.names
    for text, chances in zip(texts, trained.answers(texts), strict=True):
        place = int(np.argmax(chances))
        all_of_them = {name: round(float(chance), 6) for name, chance in zip(names, chances, strict=True)}
        said = {"text": text, "label": names[place], "probability": float(chances[place]), "labels": all_of_them}
        yield Prediction(f"{names[place]}\t{chances[place]:.4f}", said)


_OF = {"classifier": _labels}
