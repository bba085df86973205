"""What decides the bytes of GloVe's vectors besides the text: its options, checked on construction."""

from dataclasses import dataclass

from streamvec.corpus.cooccurrences import BATCH_ENTRIES, ENTRY_BYTES, SIDES, WEIGHTINGS, Counted
from streamvec.kernels.records import HEAD, PIECE
from streamvec.models.options import check, option
from streamvec.models.wordconfig import LANES, NO_NGRAMS, NGramSizes

_LARGEST = 1e30  # kernels have float32
ANSWERS = ("sum", "word", "context", "both")


@dataclass(frozen=True)
class GloveConfig:
    """Everything that decides the bytes of the vectors, besides the text. ValueError for what can never be right."""

    dim: int = option(100, "Length of the vectors.")
    window: int = option(10, "Largest distance of a neighbour.")
    sides: str = option("both", "On which side of a word its neighbours lie.", choices=SIDES)
    weighting: str = option(
        "distance", "distance: a neighbour n words away counts 1/n. flat: each counts 1.", choices=WEIGHTINGS
    )
    x_max: float = option(10.0, "Co-occurrences from which on all weigh the same.")
    alpha: float = option(0.75, "Rarer ones weigh (x / x_max) to this power.")
    epochs: int = option(25, "Passes over the co-occurrences.")
    learning_rate: float = option(0.05, "Learning rate of AdaGrad.")
    answer: str = option(
        "sum",
        "Which vectors are the result: word + context vectors, either, or both one after the other.",
        choices=ANSWERS,
    )
    seed: int = option(1, "Seed of everything random.")

    def __post_init__(self) -> None:
        check(self, ("dim", "window", "epochs"))
        if self.window > 1000:
            raise ValueError(f"window must be at most 1000, got {self.window}")
        for name in ("x_max", "learning_rate"):
            if not 0 < getattr(self, name) <= _LARGEST:
                raise ValueError(f"{name} must be above 0 and at most {_LARGEST:g}, got {getattr(self, name)}")
        if not 0 <= self.alpha <= 100:
            raise ValueError(f"alpha must be at least 0 and at most 100, got {self.alpha}")

    @property
    def counted(self) -> Counted:
        """Which neighbours count, and how much."""
        return Counted(self.window, self.sides, self.weighting)

    @property
    def vectors(self) -> int:
        """Groups of 16 floats in a vector."""
        return -(-self.dim // LANES)

    @property
    def answer_dim(self) -> int:
        """Length of the vectors of the result."""
        return 2 * self.dim if self.answer == "both" else self.dim

    @property
    def record(self) -> int:
        """Floats that training holds of a word."""
        return HEAD + 4 * self.vectors * LANES

    def numbering_bytes(self) -> int:
        """None are numbered."""
        return 0

    def array_bytes(self, words: int, ngrams: NGramSizes = NO_NGRAMS) -> int:
        """All that is trained, and so a checkpoint, in bytes."""
        return words * self.record * 4

    def model_bytes(self, words: int, ngrams: NGramSizes = NO_NGRAMS) -> int:
        """Memory that grows with the vocabulary, in bytes."""
        return self.array_bytes(words) + words * 4

    def scratch_bytes(self, threads: int) -> int:
        """Memory of training that does not, in bytes: batches that are read ahead, and each thread's room."""
        return 5 * BATCH_ENTRIES * ENTRY_BYTES + threads * PIECE * 16
