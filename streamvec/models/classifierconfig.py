"""What decides a classifier besides its data: its options, checked on construction."""

from dataclasses import dataclass

from streamvec.models.cells import CELLS
from streamvec.models.learning import Learning
from streamvec.models.options import check, check_idle, option
from streamvec.models.shape import Shape

ENCODERS = ("mean", "sum", *CELLS)


@dataclass(frozen=True)
class ClassifierConfig(Learning):
    """Everything that decides the model's bytes, besides the data. ValueError for what can never be right."""

    encoder: str = option(
        "mean",
        "What a text becomes before it is told: the mean or sum of its words' vectors, or what recurrent layers of a "
        "cell make of them.",
        choices=ENCODERS,
    )
    dim: int = option(100, "Length of the vectors of words.")
    ngrams: int = option(
        1, "With --encoder mean or sum: up to so many words together also have a vector, shared by hash (--buckets)."
    )
    buckets: int = option(200_000, "Vectors that n-grams of words share.")
    layers: int = option(1, "Recurrent layers.")
    hidden: int = option(100, "Units of each layer, in each direction.")
    bidirectional: bool = option(False, "Recurrent layers read in both directions.")
    pool: str = option(
        "max",
        "Of recurrent layers, what goes on: the last state of each direction, or the mean or maximum over all words.",
        choices=("max", "mean", "last"),
    )
    freeze: bool = option(False, "Words found in --vectors keep these as they are.")
    dropout: float = option(0.3, "Share of what goes into each layer, and into the output, that is left out.")
    epochs: int = option(5, "Passes over the training data.")

    def __post_init__(self) -> None:
        super().__post_init__()
        check(self, ("dim", "ngrams", "buckets", "layers", "hidden"))
        if self.ngrams > 1 and self.is_recurrent:
            raise ValueError(f"ngrams must be 1 where layers of {self.encoder} read word by word, got {self.ngrams}")
        if self.bidirectional and not self.is_recurrent:
            raise ValueError(f"bidirectional needs an encoder that reads word by word (lstm), got {self.encoder}")

        if not self.is_recurrent:
            check_idle(self, ("layers", "hidden", "pool"), f"with encoder {self.encoder}")
        if self.ngrams == 1:
            check_idle(self, ("buckets",), "without ngrams above 1")

    @property
    def is_recurrent(self) -> bool:
        """Whether the encoder reads word by word."""
        return self.encoder in CELLS

    @property
    def shape(self) -> Shape:
        """The stack of a recurrent encoder."""
        return Shape(self.encoder, self.dim, self.hidden, self.layers, self.bidirectional)
