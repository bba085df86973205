"""What decides a recurrent language model besides its text: its options, checked on construction."""

from dataclasses import dataclass

from streamvec.models.cells import CELLS
from streamvec.models.learning import OPTIMIZERS, Learning
from streamvec.models.options import check, option
from streamvec.models.shape import Shape

# The learning rates that suit each cell, in the order of OPTIMIZERS: the largest of a few that learn steadily on Penn
# Treebank, with two layers of 200. Cells without gates bear less, and one without bounds the least.
_RATES = {
    "lstm": (1.0, 0.1, 0.1, 0.002),
    "gru": (0.5, 0.1, 0.05, 0.002),
    "gru-simple": (0.5, 0.05, 0.05, 0.001),
    "rnn": (0.25, 0.025, 0.03, 0.002),
    "rnn-relu": (0.1, 0.03, 0.005, 0.001),
}
_MOST = 32  # lanes that one thread works on at a time


@dataclass(frozen=True)
class LmConfig(Learning):
    """Everything that decides the model's bytes, besides the text. ValueError for what can never be right."""

    level: str = option("word", "What the model predicts one after another.", choices=("word", "char"))
    cell: str = option(
        "lstm",
        "rnn: tanh. rnn-relu. gru-simple: an update gate. gru: also a relevance gate. lstm.",
        choices=tuple(CELLS),
    )
    layers: int = option(2, "Recurrent layers.")
    hidden: int = option(200, "Units of each layer.")
    dim: int = option(0, "Length of the vectors of words that go in; 0 is --hidden.")
    tied: bool = option(False, "The vectors of words are also the weights of the output; --dim is --hidden then.")
    output: str = option(
        "softmax",
        "softmax: over every word. For large vocabularies: adaptive: rare words are in clusters; sampled, nce: only "
        "--samples words are scored while training, and the loss is that of an estimate (sampled softmax, "
        "noise-contrastive estimation), but what is measured is exact.",
        choices=("softmax", "adaptive", "sampled", "nce"),
    )
    cutoffs: str = option(
        "4000,20000,100000",
        "The first word of each cluster of --output adaptive. A lower first one is faster, but a cluster that is met "
        "often needs a lower --learning-rate.",
    )
    samples: int = option(1000, "Words that --output sampled or nce draws for each batch.")
    noise_power: float = option(1.0, "They are drawn by count to this power.")
    freeze: bool = option(
        False,
        "Words found in --vectors keep these as they are; those of all other words begin at random and are trained.",
    )
    optimizer: str = option("sgd", "How weights follow gradients.", choices=OPTIMIZERS)
    learning_rate: float = option(
        0.0,
        "Learning rate; 0 is what suits --cell and --optimizer: of an lstm 1 with sgd, 0.1 with momentum or adagrad, "
        "0.002 with adam, of other cells less.",
    )
    separate: bool = option(
        False,
        "Each document (a line of plain text) is a sequence by itself, such as a name: it begins with a state of zeros "
        "and ends with </s> (with --level char, the line break). Otherwise all are one stream.",
    )
    batch: int = option(20, "Stretches of text, or separate sequences, that are read side by side.")
    bptt: int = option(
        35,
        "Time steps after which backpropagation is cut off; with --separate, the most of a sequence, its end among "
        "them: longer documents are cut into pieces.",
    )
    patience: int = option(
        0, "Stop after so many epochs without a lower held-out perplexity, and keep the best; 0 never stops early."
    )

    def __post_init__(self) -> None:
        if self.dim == 0:
            object.__setattr__(self, "dim", self.hidden)
        check(self, ("layers", "hidden", "dim", "samples", "bptt"))
        super().__post_init__()
        if not 0 <= self.noise_power < float("inf"):
            raise ValueError(f"noise_power must be at least 0 and finite, got {self.noise_power}")
        if self.tied and self.dim != self.hidden:
            raise ValueError(f"dim must be hidden ({self.hidden}) where vectors are tied, got {self.dim}")
        if self.tied and self.output == "adaptive":
            raise ValueError("tied vectors need an output that gives all words the same length, got adaptive")
        if self.tied and self.freeze:
            raise ValueError("tied vectors are also the weights of the output, which are trained: freeze must be off")
        _ = self.cuts  # refuses what is no list of numbers

    def suited_rate(self) -> float:
        """The learning rate that suits the cell and the optimizer."""
        return _RATES[self.cell][OPTIMIZERS.index(self.optimizer)]

    @property
    def cuts(self) -> list[int]:
        """The first word of each cluster; none with a softmax over every word."""
        if self.output != "adaptive":
            return []
        try:
            found = [int(cut) for cut in self.cutoffs.split(",")]
        except ValueError:
            found = []
        if not found or found[0] < 1 or found != sorted(set(found)):
            raise ValueError(f"cutoffs must be rising numbers from 1 on, like 4000,20000, got {self.cutoffs!r}")
        return found

    def cuts_of(self, words: int) -> list[int]:
        """The cuts that divide a vocabulary of so many words."""
        return [cut for cut in self.cuts if cut < words]

    @property
    def shape(self) -> Shape:
        """The stack of layers."""
        return Shape(self.cell, self.dim, self.hidden, self.layers)

    def groups(self, lanes: int) -> list[tuple[int, int]]:
        """(first lane, last lane + 1) of each group of lanes that one thread works on: fixed by how many there are.

        An even number of groups, for two threads; the more lanes in one, the faster are its matrix products.
        """
        number = min(lanes, 2 * -(-lanes // (2 * _MOST)))
        return [(lanes * group // number, lanes * (group + 1) // number) for group in range(number)]
