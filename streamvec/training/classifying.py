"""The classifier as a task: a label and a text a line, told by the text's words."""

from typing import Any

import numpy as np

from streamvec.corpus.classscores import ClassCounts, ClassScores
from streamvec.corpus.examples import Examples
from streamvec.corpus.lines import Lines
from streamvec.corpus.sources import inspect
from streamvec.corpus.tsv import TsvRows
from streamvec.models.bagclassifier import BagClassifier
from streamvec.models.classifierconfig import ClassifierConfig
from streamvec.models.learner import Learner
from streamvec.models.network import KnownRows, Network
from streamvec.models.sequenceclassifier import SequenceClassifier
from streamvec.training.exampleids import Ids, Shape
from streamvec.training.labelledrows import Rows
from streamvec.training.options import LabelledOptions
from streamvec.training.task import Scores, Task, answered

_SHOWN = 12  # labels of which the table says what each was told as


def _shape(config: ClassifierConfig) -> Shape:
    return Shape(words_are_given=False, is_spelled=False, targets="label")


def _rows(path: str, config: ClassifierConfig, options: LabelledOptions) -> Rows:
    lines = Lines(inspect(path), options.encoding)
    return TsvRows(lines, path, ("text", "label"), (1, 0), options.column_names, are_labels=True)


def _network(config: ClassifierConfig, ids: Ids, known: KnownRows | None) -> Network:
    kind = SequenceClassifier if config.is_recurrent else BagClassifier
    return kind(config, ids.words.size, ids.targets, known)


def score(learner: Learner, ids: Ids, examples: Examples) -> Scores:
    """Accuracy, F1 and the confusion of labels."""
    assert ids.labels is not None
    counts = ClassCounts(ids.labels.names)
    for batch, answers in answered(learner, examples):
        counts.add(batch.targets.values, np.argmax(np.stack(answers), axis=1))
    found = counts.scores()
    said: dict[str, Any] = {"accuracy": found.accuracy, "macro_f1": found.macro_f1, "examples": found.examples}
    said |= {"labels": [label._asdict() for label in found.labels]}
    if found.confusion is not None:
        said["confusion"] = found.confusion.tolist()
    return Scores(found.accuracy or 0.0, "accuracy", said, _lines(found))


def _lines(found: ClassScores) -> list[str]:
    """The scores as a table for people: how each label is told, and as which others."""
    confusion = found.confusion if len(found.labels) <= _SHOWN else None
    width = max(5, *(len(label.label) for label in found.labels))
    heads = [label.label[:8] for label in found.labels] if confusion is not None else []
    lines = [
        f"accuracy {_number(found.accuracy)}, macro F1 {_number(found.macro_f1)}, {found.examples:,} examples"
        + (f", of {found.unknown:,} the label is not known" if found.unknown else ""),
        f"{'label':<{width}}  precision  recall      F1  examples"
        + "".join(f" {head:>8}" for head in heads)
        + ("  (told as)" if confusion is not None else ""),
    ]
    for number, label in enumerate(found.labels):
        told = [f" {count:>8,}" for count in confusion[number].tolist()] if confusion is not None else []
        lines.append(
            f"{label.label:<{width}}  {_number(label.precision):>9}  {_number(label.recall):>6}  {_number(label.f1):>6}"
            f"  {label.true:>8,}" + "".join(told)
        )
    return lines


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"


CLASSIFIER = Task("classifier", ClassifierConfig, _shape, _rows, _network, score)
