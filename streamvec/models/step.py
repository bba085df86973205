"""What the training loop and a model say to each other: a position, and the result of a step."""

from typing import NamedTuple


class Position(NamedTuple):
    """How far training is: the next step reads record batch *batch* in pass *epoch*, both from 0."""

    epoch: int
    batch: int


class StepResult(NamedTuple):
    """What one step saw and how it did."""

    loss: float  # summed over examples; NaN or infinite when the model has diverged
    examples: int  # what the loss is a sum over: for skip-gram, pairs of center and context
    tokens: int  # of the corpus, before subsampling
