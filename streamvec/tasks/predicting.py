"""What a trained task says of lines that somebody asks about, as text or as JSON."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, NamedTuple

import numpy as np

from streamvec.tasks.taggedtext import tagged_columns, tagged_texts
from streamvec.tasks.trained import TrainedTask
from streamvec.training.tagging import tag_labels


class Prediction(NamedTuple):
    """One answer."""

    line: str  # of a tagger several lines, the last one empty
    said: dict[str, Any]  # the same, for --json


def predictions(
    trained: TrainedTask, lines: Iterable[str], at_once: int = 64, as_text: bool = False
) -> Iterator[Prediction]:
    """An answer for each line (of a tagger each sentence), in order, *at_once* of them read before the first comes.

    A tagger reads columns, and sentences a line with *as_text*. Raises ValueError for *as_text* of another task,
    StreamvecError for lines that are no columns.
    """
    if trained.run.kind == "tagger":
        yield from _tags(trained, lines, at_once, as_text)
        return
    if as_text:
        raise ValueError(f"as_text must be False but for a tagger, got True for a {trained.run.kind}")
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


def _tags(trained: TrainedTask, lines: Iterable[str], at_once: int, as_text: bool) -> Iterator[Prediction]:
    """A tag for each word, and an empty line behind each sentence; those before it stay."""
    are_entities = not tag_labels(trained.ids).is_plain
    read = tagged_texts if as_text else tagged_columns
    for sentence, empty in read(trained, lines, at_once):
        yield Prediction("\n" * empty + sentence.lines, sentence.said(are_entities))


_OF = {"classifier": _labels}
