"""How many bytes a language model takes, told from its options and the number of tokens that it knows.

What follows from the shapes of arrays is exact; arrays that come and go within a step are counted at their largest.
"""

from dataclasses import dataclass
from itertools import pairwise

from streamvec.models import exactsoftmax
from streamvec.models.adaptivehead import rows_at_once, width_of
from streamvec.models.cells import CELLS
from streamvec.models.following import SUMS
from streamvec.models.lmconfig import LmConfig
from streamvec.models.shape import padded
from streamvec.models.wordconfig import LANES, SOFTMAX_BLOCK

_FLOAT = 4


@dataclass(frozen=True)
class LmSizes:
    """The sizes of a model of *config* that knows *words* tokens."""

    config: LmConfig
    words: int

    @property
    def _most(self) -> int:
        """Time steps of all lanes together, in one step."""
        return self.config.batch * self.config.bptt

    @property
    def stack(self) -> int:
        """Numbers of the layers' parameters."""
        total = 0
        for shape in self.config.shape.parameters().values():
            total += shape[0] * (shape[1] if len(shape) > 1 else 1)
        return total

    @property
    def _cuts(self) -> list[int]:
        cuts = self.config.cuts_of(self.words)
        return [*cuts, self.words] if cuts else []

    @property
    def _clusters(self) -> list[tuple[int, int]]:
        """(words, columns) of each cluster of an adaptive softmax."""
        edges = pairwise(self._cuts)
        return [(high - low, width_of(number, self.config.shape.outputs)) for number, (low, high) in enumerate(edges)]

    @property
    def _samples(self) -> int:
        """Words that are drawn for a step; none where all are scored."""
        return padded(self.config.samples) if self.config.output in ("sampled", "nce") else 0

    @property
    def _scored(self) -> int:
        """Words that every hidden vector is scored against."""
        return self._cuts[0] + len(self._clusters) if self._cuts else self.words

    @property
    def _head(self) -> int:
        """Numbers of the output's parameters, tied ones included."""
        columns = self.config.shape.outputs
        tails = sum(words * (width + 1) + columns * width for words, width in self._clusters)
        return self._scored * (columns + 1) + tails

    @property
    def _embedding(self) -> int:
        """Numbers of the vectors that go in, where the output does not share them."""
        return 0 if self.config.tied else self.words * padded(self.config.dim)

    @property
    def stack_share(self) -> float:
        """Of the products of a training step, those of the layers: the others are of the output."""
        columns = self.config.shape.outputs
        scored = self._samples or self._scored + sum(width for _, width in self._clusters)
        return self.stack / (self.stack + scored * columns)

    def checkpoint_bytes(self) -> int:
        """All that a checkpoint holds: parameters, sums of the optimizer, states."""
        config = self.config
        parameters = self.stack + self._head + self._embedding
        states = config.layers * (2 if CELLS[config.cell].has_memory else 1) * config.batch * padded(config.hidden)
        frozen = self.words if config.freeze else 0
        return _FLOAT * (parameters * (1 + len(SUMS[config.optimizer])) + states) + frozen

    def training_bytes(self, threads: int) -> int:
        """Memory of the model while it is trained by so many threads."""
        config, most = self.config, self._most
        gradients = self.stack * len(config.groups(config.batch)) + (0 if self._samples else self._head)
        rows = most * padded(config.dim) + (most + self._samples) * config.shape.outputs * (self._samples > 0)
        met = rows * (4 + len(SUMS[config.optimizer]))  # rows of the words that a step meets
        per_block = threads * SOFTMAX_BLOCK * config.shape.outputs if self._cuts else 0
        return self.checkpoint_bytes() + _FLOAT * (gradients + met + per_block) + self._pass(trains=True)

    def measuring_bytes(self) -> int:
        """Memory of what measures beside it, on parameters that are there already."""
        return self._pass(trains=False)

    def node_bytes(self, groups: int) -> int:
        """Memory of a worker that takes so many groups of lanes through the layers, when they are trained."""
        config, edges = self.config, self.config.groups(self.config.batch)
        lanes = max((edges[last - 1][1] - edges[last - groups][0] for last in range(groups, len(edges) + 1)), default=0)
        steps = lanes * config.bptt
        held = self._held(trains=True) + 3 * padded(config.dim) + 4 * config.shape.outputs  # with what comes and goes
        return _FLOAT * ((3 + groups) * self.stack + steps * held + self._packed(trains=True))

    def _pass(self, trains: bool) -> int:
        """What one step of all lanes is held in, on its way through the layers and the softmax."""
        return _FLOAT * (self._most * self._held(trains) + self._scores(trains) + self._packed(trains))

    def _packed(self, trains: bool) -> int:
        """Numbers of the weights in another order, for products."""
        config, cell = self.config, CELLS[self.config.cell]
        return config.layers * cell.gates * padded(config.hidden) ** 2 * (2 if trains else 1)

    def _held(self, trains: bool) -> int:
        """Numbers that one time step of a lane is held in, on its way through the layers."""
        config = self.config
        hidden, cell = padded(config.hidden), CELLS[config.cell]
        layer = cell.gates * hidden * (2 if cell.has_recurrent_bias else 1) + (2 if cell.has_memory else 1) * hidden
        held = config.layers * layer + padded(config.dim) + 2 * hidden
        if trains:
            masks = padded(config.dim) + 2 * config.layers * hidden if config.dropout else 0
            held += masks + 4 * max(hidden, padded(config.dim))
            if config.separate:  # gradients by what the last layer gives, padding included
                held += config.shape.outputs
        if config.separate:  # where lanes are within their lengths
            held += 8
        return held

    def _scores(self, trains: bool) -> int:
        """Numbers that the softmax over some hidden vectors is held in."""
        columns, most = self.config.shape.outputs, self._most
        if not self._cuts and (self._samples or not trains):
            blocks = -(-self.words // SOFTMAX_BLOCK)
            total = exactsoftmax.rows_at_once(self.words, most) * (2 * blocks + SOFTMAX_BLOCK)
            if trains:  # scores of the samples, rows of these and of targets; the sampler, while it is made
                total += most * (self._samples + 2 * columns) + self._samples * columns + 8 * self.words
            return total
        total = _head_numbers(self._scored, columns, most, trains)
        for words, width in self._clusters:
            some = rows_at_once(words, most)
            total += _head_numbers(words, width, some, trains) + some * (width + 2 * columns)
        return total + (most * columns if self._clusters else 0)


def _head_numbers(words: int, columns: int, most: int, trains: bool) -> int:
    """Numbers that a softmax over *words* words holds for *most* hidden vectors."""
    blocks = -(-words // SOFTMAX_BLOCK)
    return most * (words + LANES + blocks * (2 + (columns if trains else 0)) + 2 * columns)
