"""The tasks on labelled examples, by the kind of their RUNs."""

from streamvec.training.classifying import CLASSIFIER
from streamvec.training.tagging import TAGGER
from streamvec.training.task import Task
from streamvec.training.translating import TRANSLATOR

TASKS: dict[str, Task] = {task.kind: task for task in (CLASSIFIER, TAGGER, TRANSLATOR)}
