"""What a trained task says of lines that somebody asks about, as text or as JSON."""

import math
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, NamedTuple

import numpy as np

from streamvec.corpus.tsv import Row
from streamvec.models.beam import Hypothesis
from streamvec.tasks.fromlabel import refuse_unknown
from streamvec.tasks.taggedtext import tagged_columns, tagged_texts
from streamvec.tasks.trained import TrainedTask
from streamvec.training.tagging import tag_labels
from streamvec.training.translating import written


class Prediction(NamedTuple):
    """One answer."""

    line: str  # of a tagger several lines, the last one empty
    said: dict[str, Any]  # the same, for --json


def predictions(
    trained: TrainedTask, lines: Iterable[str], at_once: int = 64, as_text: bool = False, beam: int | None = None
) -> Iterator[Prediction]:
    """An answer for each line (of a tagger each sentence), in order, *at_once* of them read before the first comes.

    A tagger reads columns, and sentences a line with *as_text*. beam: how many beginnings of a translation are kept at
    each step; --json has as many translations, and of one that did not come to an end "cut". Raises ValueError for
    either where it means nothing, StreamvecError for lines that are no columns, and for a label that is not known.
    """
    kind = trained.run.kind
    if as_text and kind != "tagger":
        raise ValueError(f"as_text must be False but for a tagger, got True for a {kind}")
    if beam is not None and kind != "translator":
        raise ValueError(f"beam is for what a translator writes, and {trained.run.folder} is a {kind}")
    if kind == "tagger":
        yield from _tags(trained, lines, at_once, as_text)
        return
    waiting = iter(lines)
    while some := list(islice(waiting, at_once)):
        yield from _translations(trained, some, beam) if kind == "translator" else _labels(trained, some)


def lost(trained: TrainedTask, replaced: int) -> list[str]:
    """What was not read of all that somebody asked about, a sentence each. replaced: characters that were no text."""
    cut = trained.ids.words.counts["cut"]
    found = [f"{cut:,} texts were longer than {trained.options.max_length:,} words, and cut"] if cut else []
    return [*found, *([f"{replaced:,} characters were no text, and were replaced"] if replaced else [])]


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


def _translations(trained: TrainedTask, texts: list[str], beam: int | None) -> Iterator[Prediction]:
    """The translation of each text and its probability, of all its tokens together."""
    words = trained.ids.target_words
    assert words is not None
    if trained.ids.shape.words_are_given:  # a label is read, which is known or not
        for text in texts:
            refuse_unknown(trained, text, trained.ids.of([Row(text, "")], untold=True).words.values)
    if beam is None:
        found = [[one] for one in trained.answers(texts)]
    else:
        found = trained.answers(texts, lambda network, *group: network.found(*group, beam, beam))

    def told(one: Hypothesis) -> dict[str, Any]:
        said = {"translation": written(words, one.tokens), "probability": math.exp(one.log_chance)}
        return {**said, "cut": True} if one.cut else said

    for text, several in zip(texts, found, strict=True):
        all_of_them = [told(one) for one in several] or [{"translation": "", "probability": 0.0}]
        said: dict[str, Any] = {"text": text, **all_of_them[0]}
        if beam is not None:
            said["alternatives"] = all_of_them
        yield Prediction(f"{said['translation']}\t{said['probability']:.4f}", said)
