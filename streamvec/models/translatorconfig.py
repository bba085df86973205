"""What decides a translator besides its data: its options, checked on construction."""

from dataclasses import dataclass

from streamvec.models.cells import CELLS
from streamvec.models.learning import Learning
from streamvec.models.options import check, option
from streamvec.models.shape import Shape

LEVELS = ("word", "char")


@dataclass(frozen=True)
class TranslatorConfig(Learning):
    """Everything that decides the model's bytes, besides the data. ValueError for what can never be right."""

    level: str = option(
        "word",
        "What a token is, where --tokens does not say: a word or punctuation mark, or a character, spaces included.",
        choices=LEVELS,
    )
    cell: str = option("gru", "The recurrent cell, of encoder and decoder.", choices=tuple(CELLS))
    dim: int = option(128, "Length of the vectors of words, of both sides.")
    layers: int = option(1, "Recurrent layers of the encoder, and as many of the decoder.")
    hidden: int = option(256, "Units of each layer; the encoder's in each direction.")
    bidirectional: bool = option(True, "The encoder reads in both directions.")
    attention: bool = option(True, "Each step of the decoder looks at all that was read, not at its end alone.")
    freeze: bool = option(False, "Words of the source found in --vectors keep these as they are.")
    from_label: bool = option(
        False,
        "What is read is the label of a class, in words between spaces, whatever a token of what is written is; epochs "
        "are judged by their loss, as much may be written of one class.",
    )
    dropout: float = option(0.2, "Share of what goes into each layer, and into the output, that is left out.")
    batch: int = option(64, "Examples that a step trains on.")

    def __post_init__(self) -> None:
        super().__post_init__()
        check(self, ("dim", "layers", "hidden"))

    @property
    def encoder(self) -> Shape:
        """The stack that reads."""
        return Shape(self.cell, self.dim, self.hidden, self.layers, self.bidirectional)

    @property
    def decoder(self) -> Shape:
        """The stack that writes."""
        return Shape(self.cell, self.dim, self.hidden, self.layers)
