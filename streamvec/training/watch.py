"""What is looked at after each epoch: the loss on held-out documents, similarity sets, and what patience is left."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from streamvec.corpus.shards import Shards
from streamvec.corpus.vocabulary import Vocabulary
from streamvec.errors import StreamvecError
from streamvec.models.skipgram import SkipGram
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


class HeldOut(Watch):
    """Also measures the loss on held-out documents, keeps the best epoch, and says when patience has run out."""

    def __init__(self, model: SkipGram, run: Run, shards: Shards, vocabulary: Vocabulary) -> None:
        super().__init__(model, run, vocabulary)
        self.model = model
        self.best = Checkpoints(run.best, kept=1)
        self._shards = shards.twin()  # the training loop reads in a thread of its own
        self._numbers = np.unique(np.linspace(0, shards.batches - 1, _HELD_OUT_BATCHES).astype(int))
        self._lowest: float | None = None
        self._waited = 0

    @property
    def is_done(self) -> bool:
        """Whether as many epochs as --patience allows have brought nothing better."""
        return 0 < self.model.config.patience <= self._waited

    def state(self) -> dict[str, Any]:
        """What a checkpoint must hold so that patience is the same after going on."""
        return {"lowest_heldout_loss": self._lowest, "epochs_without_better": self._waited, **super().state()}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Takes up a checkpoint's state."""
        super().restore(state)
        self._lowest, self._waited = state.get("lowest_heldout_loss"), state.get("epochs_without_better", 0)

    def look(self, position: Position) -> dict[str, Any]:
        """What the record of this epoch says besides the loss since the record before."""
        return {**super().look(position), **(self._measured(position) if self.model.config.holdout else {})}

    def take_best(self) -> int | None:
        """Gives the model the arrays of its best epoch, where patience kept them; returns which, from 1."""
        if not self.model.config.patience:
            return None
        found = self.best.load(self.model.arrays, note=lambda text: None)
        if found is None and self._lowest is not None:
            raise StreamvecError(
                f"{self.best.folder}: the best epoch's checkpoint is gone: train again with --overwrite"
            )
        return found[0].epoch if found else None

    def _measured(self, position: Position) -> dict[str, Any]:
        config = self.model.config
        batches = ((int(number), self._shards.batch(int(number))) for number in self._numbers)
        loss = self.model.held_out_loss(batches)
        found: dict[str, Any] = {"heldout_loss": loss}
        if loss is not None and config.objective != "ns":  # a probability of each word, all adding up to 1
            found["heldout_perplexity"] = math.exp(min(loss, 700.0))
        if config.patience and loss is None:
            raise StreamvecError(
                "nothing was held out that --patience could look at: no held-out document has two words near each "
                "other; give a larger --holdout, or no --patience"
            )
        if config.patience and loss is not None:
            self._judge(loss, position)
        return found

    def _judge(self, loss: float, position: Position) -> None:
        if self._lowest is None or loss < self._lowest:
            self._lowest, self._waited = loss, 0
            self.best.save(position, self.model.arrays, self.state())
        else:
            self._waited += 1


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
