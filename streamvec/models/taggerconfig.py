"""What decides a tagger besides its data: its options, checked on construction."""

from dataclasses import dataclass

from streamvec.corpus.tags import SCHEMES
from streamvec.models.cells import CELLS
from streamvec.models.learning import Learning
from streamvec.models.options import check, check_idle, option
from streamvec.models.shape import Shape, padded

OUTPUTS = ("crf", "softmax")


@dataclass(frozen=True)
class TaggerConfig(Learning):
    """Everything that decides the model's bytes, besides the data. ValueError for what can never be right."""

    output: str = option(
        "crf",
        "How tags are chosen: the likeliest sequence by a conditional random field, or each by itself.",
        choices=OUTPUTS,
    )
    cell: str = option("lstm", "The cell of the recurrent layers.", choices=tuple(CELLS))
    layers: int = option(1, "Recurrent layers, each of which reads in both directions.")
    hidden: int = option(100, "Units of each layer, in each direction.")
    dim: int = option(100, "Length of the vectors of words.")
    char_hidden: int = option(
        25, "Units, in each direction, of a network that reads how each word is spelt (UTF-8, case as it is); 0: none."
    )
    char_dim: int = option(25, "Length of the vectors of its bytes.")
    scheme: str = option(
        "BIOES",
        "How entities are learnt, in whatever scheme the files have them; plain takes each tag as it is, as those that "
        "name no entities (parts of speech) are taken anyway.",
        choices=SCHEMES,
    )
    freeze: bool = option(False, "Words found in --vectors keep these as they are.")
    dropout: float = option(0.5, "Share of what goes into each layer, and into the output, that is left out.")
    learning_rate: float = option(
        0.0,
        "Learning rate; 0 suits --optimizer: 1 with sgd, 0.1 with momentum, 0.02 with adagrad, 0.005 with adam.",
    )
    batch: int = option(32, "Sentences that a step trains on.")
    epochs: int = option(20, "Passes over the training data.")

    def __post_init__(self) -> None:
        super().__post_init__()
        check(self, ("dim", "layers", "hidden", "char_dim"))
        if self.char_hidden < 0:
            raise ValueError(f"char_hidden must be at least 0, got {self.char_hidden}")
        if not self.char_hidden:
            check_idle(self, ("char_dim",), "without a network of letters (char_hidden)")

    def suited_rate(self) -> float:
        """The learning rate that suits the optimizer: short sentences bear more than texts."""
        return 0.005 if self.optimizer == "adam" else super().suited_rate()

    @property
    def letters(self) -> Shape | None:
        """The stack that reads the bytes of a word, if there is one."""
        return Shape(self.cell, self.char_dim, self.char_hidden, 1, True) if self.char_hidden else None

    @property
    def inputs(self) -> int:
        """Columns of what the layers read of a word: its vector's, then those of its spelling, each padded."""
        return padded(self.dim) + (self.letters.outputs if self.letters is not None else 0)

    @property
    def shape(self) -> Shape:
        """The stack over the words of a sentence."""
        return Shape(self.cell, self.inputs, self.hidden, self.layers, True)
