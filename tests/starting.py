"""What tests of trainings that begin from something share: options, rows of checkpoints, what was noted."""

from pathlib import Path
from typing import Any

import numpy as np

from streamvec.corpus.vocabulary import Vocabulary
from streamvec.disk.tensors import Tensors
from streamvec.models.wordconfig import SkipGramConfig
from streamvec.training.checkpoint import ARRAYS
from streamvec.training.startrun import _rows

OLD = {"dim": 40, "epochs": 3, "min_count": 2, "sample": 0.0, "threads": 1}  # 48 columns in two slices
NEW = {"epochs": 2, "min_count": 2, "sample": 0.0, "threads": 1}
FIRST = "checkpoints/0000-000000000"


class Notes:
    """A reporter that remembers."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def progress(self, progress: Any) -> None:
        pass

    def note(self, text: str) -> None:
        self.said.append(text)


def words_of(run: Path) -> list[str]:
    return Vocabulary.load(run / "vocabulary.arrow").words.to_pylist()


def rows_of(run: Path, position: str, name: str, dim: int = 40) -> dict[str, np.ndarray]:
    """The row of each word in a checkpoint."""
    words = words_of(run)
    with Tensors(run / position / ARRAYS) as tensors:
        rows = _rows(tensors, name, SkipGramConfig(dim=dim), 0, len(words))
    return dict(zip(words, rows, strict=True))
