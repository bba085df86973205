"""What a long piece of work tells whoever watches: how far it is, and notes that must not be missed."""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Progress:
    """How far the work is. Fields that do not apply yet are None."""

    stage: str  # "counting", "encoding", "training"; with phrases "numbering", "phrases N", "phrases counted", too;
    # of GloVe "cooccurrences" and "blocks"
    done: float | None  # share of the stage, 0 to 1
    rate: float | None = None  # a second, in units
    megabytes_per_second: float | None = None
    epoch: int | None = None  # from 1
    epochs: int | None = None
    loss: float | None = None
    unit: str = "words"


class Reporter(Protocol):
    """Somebody who watches."""

    def progress(self, progress: Progress) -> None:
        """Called often; must be cheap."""

    def note(self, text: str) -> None:
        """Something the user must be able to read afterwards: a sentence."""


class Silence:
    """The reporter of those who do not watch."""

    def progress(self, progress: Progress) -> None:
        """Says nothing."""

    def note(self, text: str) -> None:
        """Says nothing."""
