"""What the training loop and a model say to each other: a position, and the result of a step."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np


class Position(NamedTuple):
    """How far training is: the next step reads record batch *batch* in pass *epoch*, both from 0."""

    epoch: int
    batch: int


def first_not_finite(arrays: Mapping[str, np.ndarray]) -> str | None:
    """The name of an array with a NaN or an infinity in it, if there is one."""
    for name, array in arrays.items():
        flat = array.reshape(-1)
        for start in range(0, flat.size, 1 << 20):
            if not np.isfinite(flat[start : start + (1 << 20)].sum(dtype=np.float64)):
                return name
    return None


class StepResult(NamedTuple):
    """What one step saw and how it did."""

    loss: float  # summed over examples; NaN or infinite when the model has diverged
    examples: int  # what the loss is a sum over: for skip-gram, pairs of center and context
    tokens: int  # of the corpus, before subsampling
