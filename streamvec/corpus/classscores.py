"""How well labels are told: accuracy, who is taken for whom, and precision, recall and F1 of each label.

A true label that the model does not know (-1) counts as wrong: it is among all examples, and whatever was predicted for
it is a false prediction of that label. How many there were is reported.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

MOST_CONFUSED = 1_000  # labels, up to which a confusion matrix is kept: 8 MB


class LabelScore(NamedTuple):
    """How well one label is told. What would be a division by zero is None."""

    label: str
    precision: float | None  # of the examples it was predicted for, the share that have it
    recall: float | None  # of the examples that have it, the share it was predicted for
    f1: float | None  # the harmonic mean of both; None where the label neither is nor was predicted
    true: int  # examples that have it
    predicted: int  # examples it was predicted for


@dataclass(frozen=True, eq=False)
class ClassScores:
    """How well labels are told in some examples. Shares are 0 to 1, and None where there are no examples."""

    examples: int
    correct: int
    unknown: int  # examples whose true label the model does not know: wrong, whatever was predicted
    accuracy: float | None  # correct of all examples
    macro_f1: float | None  # the mean F1 of all labels that are in the examples or were predicted
    micro_f1: float | None  # of all predictions together: with one label an example, that is the accuracy
    labels: tuple[LabelScore, ...]
    confusion: np.ndarray | None  # int64[labels, labels], [true, predicted], of known labels; None above MOST_CONFUSED


class ClassCounts:
    """Counts true and predicted labels, some examples at a time: memory depends on the number of labels alone."""

    def __init__(self, labels: Sequence[str]) -> None:
        """labels: their names, in the order of their ids."""
        if not labels:
            raise ValueError("labels must be at least one name, got none")
        self._labels, size = tuple(labels), len(labels)
        self._true, self._predicted, self._correct = (np.zeros(size, np.int64) for _ in range(3))
        self._confusion = np.zeros((size, size), np.int64) if size <= MOST_CONFUSED else None
        self._unknown = 0

    def add(self, true: np.ndarray, predicted: np.ndarray) -> None:
        """Counts examples: int[n] of the ids of their labels, true ones -1 where the model does not know them.

        ValueError where lengths differ or an id is none.
        """
        size = len(self._labels)
        if true.shape != predicted.shape or true.ndim != 1:
            raise ValueError(f"true and predicted must be of one length, got {true.shape} and {predicted.shape}")
        for name, ids, low in (("true", true, -1), ("predicted", predicted, 0)):
            if ids.size and not (low <= ids.min() and ids.max() < size):
                raise ValueError(f"{name} must be within {low} .. {size - 1}, got {ids.min()} .. {ids.max()}")
        self._predicted += np.bincount(predicted, minlength=size)
        known = true >= 0
        self._unknown += true.size - int(known.sum())
        true, predicted = true[known].astype(np.int64), predicted[known]
        self._true += np.bincount(true, minlength=size)
        self._correct += np.bincount(true[true == predicted], minlength=size)
        if self._confusion is not None:
            np.add.at(self._confusion, (true, predicted), 1)

    def scores(self) -> ClassScores:
        """The scores of all that was counted so far."""
        labels = tuple(
            LabelScore(
                label,
                _share(correct, predicted),
                _share(correct, true),
                _share(2 * correct, true + predicted),  # 2 p r / (p + r)
                true,
                predicted,
            )
            for label, correct, true, predicted in zip(
                self._labels, self._correct.tolist(), self._true.tolist(), self._predicted.tolist(), strict=True
            )
        )
        met = [label.f1 for label in labels if label.f1 is not None]
        examples, correct = int(self._predicted.sum()), int(self._correct.sum())
        return ClassScores(
            examples=examples,
            correct=correct,
            unknown=self._unknown,
            accuracy=_share(correct, examples),
            macro_f1=sum(met) / len(met) if met else None,
            micro_f1=_share(correct, examples),  # true and predicted are one each an example
            labels=labels,
            confusion=None if self._confusion is None else self._confusion.copy(),
        )


def class_scores(labels: Sequence[str], true: np.ndarray, predicted: np.ndarray) -> ClassScores:
    """How well int[n] *predicted* tell int[n] *true*, ids of *labels*; see `ClassCounts.add`."""
    counts = ClassCounts(labels)
    counts.add(true, predicted)
    return counts.scores()


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None
