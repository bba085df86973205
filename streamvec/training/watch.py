"""What is looked at after each epoch: the loss on held-out documents, similarity sets, and what patience is left."""

import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from streamvec.corpus.shards import Shards, TokenBatch
from streamvec.corpus.vocabulary import Vocabulary
from streamvec.disk.tensors import Stored
from streamvec.errors import StreamvecError
from streamvec.models.step import Position, StepResult
from streamvec.training.checkpoint import Checkpoints
from streamvec.training.run import Run
from streamvec.vectors.evaluation import evaluate_similarity
from streamvec.vectors.keyedvectors import KeyedVectors
from streamvec.vectors.testsets import read_pairs

_HELD_OUT_BATCHES = 128  # record batches, evenly spread, whose held-out documents the loss is measured on


class Watched(Protocol):
    """A model whose words have vectors."""

    def vectors(self, start: int, stop: int) -> np.ndarray:
        """Those of words start .. stop-1."""


class Judged(Watched, Protocol):
    """A model that --patience may end the training of."""

    @property
    def config(self) -> Any:
        """Its options, ``patience`` among them."""

    @property
    def arrays(self) -> Mapping[str, Stored]:
        """All that its best epoch's checkpoint must hold."""


class Measured(Judged, Protocol):
    """A model that can be measured on documents that it is not trained on."""

    @property
    def steps(self) -> int:
        """Record batches of one epoch."""

    def held_out_loss(self, numbered: Iterable[tuple[int, TokenBatch]]) -> float | None:
        """Mean loss a pair on the held-out documents of (number, batch)es."""


class Watch:
    """Looks at a model at the end of each epoch: the loss of the whole epoch, and similarity sets."""

    def __init__(self, model: Watched, run: Run, vocabulary: Vocabulary) -> None:
        self._watched = model
        self._sets = [_SimilaritySet(Path(path), vocabulary) for path in run.about.get("evaluate", [])]
        self._loss, self._examples = 0.0, 0  # of this epoch

    @property
    def is_done(self) -> bool:
        """Whether further epochs are not wanted."""
        return False

    def state(self) -> dict[str, Any]:
        """What a checkpoint must hold so that the next record says the same after going on."""
        return {"epoch_loss": self._loss, "epoch_examples": self._examples}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Takes up a checkpoint's state."""
        self._loss, self._examples = state.get("epoch_loss", 0.0), state.get("epoch_examples", 0)

    def see(self, result: StepResult) -> None:
        """Takes note of a step."""
        self._loss, self._examples = self._loss + result.loss, self._examples + result.examples

    def look(self, position: Position) -> dict[str, Any]:
        """What the record of this epoch says besides the loss since the record before."""
        found: dict[str, Any] = {"epoch_loss": self._loss / self._examples if self._examples else None}
        self._loss, self._examples = 0.0, 0
        if self._sets:
            found["similarity"] = {one.path.name: one.spearman(self._watched) for one in self._sets}
        return found


class Patience(Watch):
    """Also measures a loss on what is not trained on, keeps the best epoch, and says when patience has run out."""

    def __init__(self, model: Judged, run: Run, vocabulary: Vocabulary) -> None:
        super().__init__(model, run, vocabulary)
        self._judged = model
        self.best = Checkpoints(run.best, kept=1)
        self._lowest: float | None = None
        self._waited = 0

    @property
    def is_done(self) -> bool:
        """Whether as many epochs as --patience allows have brought nothing better."""
        return 0 < self._judged.config.patience <= self._waited

    def state(self) -> dict[str, Any]:
        """What a checkpoint must hold so that patience is the same after going on."""
        return {"lowest_heldout_loss": self._lowest, "epochs_without_better": self._waited, **super().state()}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Takes up a checkpoint's state."""
        super().restore(state)
        self._lowest, self._waited = state.get("lowest_heldout_loss"), state.get("epochs_without_better", 0)

    def look(self, position: Position) -> dict[str, Any]:
        """What the record of this epoch says besides the loss since the record before."""
        found = super().look(position)
        if not self.has_more:
            return found
        loss, is_perplexity = self.measure()
        found["heldout_loss"] = loss
        if loss is not None and is_perplexity:
            found["heldout_perplexity"] = math.exp(min(loss, 700.0))
        more, judged = self.scores()
        found |= more
        judged = loss if judged is None else judged
        if self.keeps_best and judged is None:
            raise StreamvecError(
                "nothing was held out that --patience could look at: no held-out document has two words near each "
                "other; give a larger --holdout, or no --patience"
            )
        if self.keeps_best and judged is not None:
            self._judge(judged, position)
        return found

    def take_best(self) -> int | None:
        """Gives the model the arrays of its best epoch, where patience kept them; returns which, from 1."""
        if not self.keeps_best:
            return None
        found = self.best.load(self._judged.arrays, note=lambda text: None)
        if found is None and self._lowest is not None:
            raise StreamvecError(
                f"{self.best.folder}: the best epoch's checkpoint is gone: train again with --overwrite"
            )
        return found[0].epoch if found else None

    @property
    def keeps_best(self) -> bool:
        """Whether the best epoch is kept, and is the model in the end."""
        return self._judged.config.patience > 0

    @property
    def has_more(self) -> bool:
        """Whether there is anything that is not trained on."""
        raise NotImplementedError

    def scores(self) -> tuple[dict[str, Any], float | None]:
        """What else the record of an epoch says of it, and what the epoch is judged by, where that is not the loss: the
        lower the better."""
        return {}, None

    def measure(self) -> tuple[float | None, bool]:
        """The mean loss on it, if it holds anything to predict; and whether the loss is of probabilities that add up
        to 1, so that its exponential is a perplexity."""
        raise NotImplementedError

    def _judge(self, loss: float, position: Position) -> None:
        if self._lowest is None or loss < self._lowest:
            self._lowest, self._waited = loss, 0
            self.best.save(position, self._judged.arrays, self.state())
        else:
            self._waited += 1


class HeldOut(Patience):
    """Looks at the documents that --holdout keeps out of training."""

    def __init__(self, model: Measured, run: Run, shards: Shards, vocabulary: Vocabulary) -> None:
        super().__init__(model, run, vocabulary)
        self.model = model
        self._shards = shards.twin()  # the training loop reads in a thread of its own
        self._numbers = np.unique(np.linspace(0, shards.batches - 1, _HELD_OUT_BATCHES).astype(int))

    @property
    def has_more(self) -> bool:
        """Whether there are such documents."""
        return self.model.config.holdout > 0

    def measure(self) -> tuple[float | None, bool]:
        """The loss on those of some record batches; negative sampling is no probability of each word."""
        batches = ((int(number), self._shards.batch(int(number))) for number in self._numbers)
        return self.model.held_out_loss(batches), self.model.config.objective != "ns"


class _SimilaritySet:
    """A similarity set and the vocabulary's words in it, in any case."""

    def __init__(self, path: Path, vocabulary: Vocabulary) -> None:
        self.path = path
        plain = {word for pair in read_pairs(path) for word in (pair.left, pair.right)}
        forms = sorted({form for word in plain for form in (word, word.lower(), word.upper(), word.capitalize())})
        ranks = np.unique(vocabulary.index_of(forms))
        self._ranks = [int(rank) for rank in ranks if rank >= 0]
        self._words = [vocabulary.words[rank].as_py() for rank in self._ranks]

    def spearman(self, model: Watched) -> float | None:
        """Spearman's correlation of the model's similarities with people's; None where there is none."""
        if not self._words:
            return None
        rows = np.concatenate([model.vectors(rank, rank + 1) for rank in self._ranks])
        return evaluate_similarity(KeyedVectors.from_arrays(self._words, rows), self.path).spearman


def absolute(paths: Sequence[str | Path]) -> list[str]:
    """Similarity sets as they go into run.json, each read once now: a wrong one must not end an epoch."""
    for path in paths:
        for _ in read_pairs(Path(path)):
            pass
    return [str(Path(path).absolute()) for path in paths]
