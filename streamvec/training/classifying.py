"""The classifier as a task: a label and a text a line, told by the text's words."""

import numpy as np

from streamvec.corpus.examples import Examples
from streamvec.corpus.lines import Lines
from streamvec.corpus.sources import inspect
from streamvec.corpus.tsv import TsvRows
from streamvec.models.bagclassifier import BagClassifier
from streamvec.models.classifierconfig import ClassifierConfig
from streamvec.models.learner import Learner
from streamvec.models.network import Network
from streamvec.models.network import Rows as KnownRows
from streamvec.models.sequenceclassifier import SequenceClassifier
from streamvec.training.labelled import Ids, Shape
from streamvec.training.labelledrows import Rows
from streamvec.training.options import LabelledOptions
from streamvec.training.task import Scores, Task, answered


def _shape(config: ClassifierConfig) -> Shape:
    return Shape(words_are_given=False, is_spelled=False, targets="label")


def _rows(path: str, options: LabelledOptions) -> Rows:
    lines = Lines(inspect(path), options.encoding)
    return TsvRows(lines, path, ("text", "label"), (1, 0), options.column_names)


def _network(config: ClassifierConfig, ids: Ids, known: KnownRows | None) -> Network:
    kind = SequenceClassifier if config.is_recurrent else BagClassifier
    return kind(config, ids.words.size, ids.targets, known)


def score(learner: Learner, ids: Ids, examples: Examples) -> Scores:
    """Accuracy, F1 and the confusion of labels."""
    true, told = [], []
    for batch, answers in answered(learner, examples):
        true.append(batch.targets.values)
        told.append(np.argmax(np.stack(answers), axis=1))
    right = float(np.mean(np.concatenate(true) == np.concatenate(told)))
    return Scores(right, {"accuracy": right}, [f"accuracy {right:.4f}"])


CLASSIFIER = Task("classifier", ClassifierConfig, _shape, _rows, _network, score)
