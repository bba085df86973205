"""A classifier that reads a text word by word: recurrent layers, then the last, mean or largest of what they give."""

from collections.abc import Mapping

import numpy as np

from streamvec.corpus.examples import ExampleBatch, Ragged
from streamvec.kernels import random
from streamvec.models.classes import Classes
from streamvec.models.classifierconfig import ClassifierConfig
from streamvec.models.ends import ends_of, spread_ends
from streamvec.models.lmstart import start_layer
from streamvec.models.metrows import Part
from streamvec.models.network import Chance, KnownRows, Parameters
from streamvec.models.sequenceinput import SequenceEncoder
from streamvec.models.shape import padded
from streamvec.models.stack import Stack
from streamvec.models.wordinput import EMBEDDING


class SequenceClassifier:
    """One pass of a group of texts; see `streamvec.models.network`."""

    met = frozenset([EMBEDDING])
    fixed: frozenset[str] = frozenset()

    def __init__(self, config: ClassifierConfig, words: int, labels: int, known: KnownRows | None = None) -> None:
        self._config, self._words = config, words
        self._encoder = SequenceEncoder(Stack(config.shape, 1, 1), words, config.dim, known)
        self._classes = Classes(config.shape.outputs, labels, config.shape.units)

    @property
    def loss_at_chance(self) -> float:
        """Loss of a text when all classes are as likely."""
        return self._classes.loss_at_chance

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The vectors of words, the layers', and the classes'."""
        columns = padded(self._config.dim)
        return {EMBEDDING: (self._words, columns), **self._config.shape.parameters(), **self._classes.shapes()}

    def start(self, parameters: Parameters, seed: int) -> None:
        """Small uniform weights, as a language model's."""
        random.uniform_rows(parameters[EMBEDDING], self._config.dim, -0.1, 0.1, seed * 1_000_003)
        for number, name in enumerate(self._config.shape.parameters()):
            start_layer(self._config.shape, name, parameters[name], seed * 1_000_003 + number + 1)
        self._classes.start(parameters, seed * 1_000_003 + 1000)

    def loss(self, parameters: Parameters, batch: ExampleBatch, chance: Chance | None) -> tuple[float, int]:
        """The cross-entropies of all texts whose label is known."""
        known = np.flatnonzero(batch.targets.values >= 0)
        if known.size < len(batch):
            batch = batch.take(known)
        if not known.size:
            return 0.0, 0
        hidden = self._hidden(parameters, batch.words, chance)
        loss, self._d_scores = self._classes.loss(parameters, hidden, batch.targets.values)
        return loss, known.size

    def backward(
        self, parameters: Parameters, gradients: Mapping[str, np.ndarray], scale: float
    ) -> dict[str, list[Part]]:
        """The gradients of that loss."""
        self._d_scores *= np.float32(scale)
        d_hidden = self._classes.backward(parameters, gradients, self._hidden_of_texts, self._d_scores)
        return {EMBEDDING: [self._encoder.backward(parameters, gradients, self._spread(d_hidden))]}

    def answers(self, parameters: Parameters, batch: ExampleBatch) -> list[np.ndarray]:
        """The probability of each class, float32[labels], of each text."""
        return list(self._classes.chances(parameters, self._hidden(parameters, batch.words, None)))

    def _hidden(self, parameters: Parameters, words: Ragged, chance: Chance | None) -> np.ndarray:
        """One vector of each text, float32[texts, outputs]; zeros for one without words."""
        out, lengths = self._encoder.forward(parameters, words, chance), words.lengths
        self._lengths, self._out_shape = lengths, out.shape
        pool = self._config.pool
        if pool == "mean":
            hidden = out.sum(axis=0) / np.maximum(lengths, 1)[:, None].astype(np.float32)
        elif pool == "max":
            behind = np.arange(len(out))[:, None] >= np.maximum(lengths, 1)
            out = np.where(behind[:, :, None], np.float32(-np.inf), out)
            self._largest = out.argmax(axis=0)
            hidden = np.take_along_axis(out, self._largest[None], axis=0)[0]
        else:
            hidden = ends_of(self._config.shape, out, lengths)
        self._hidden_of_texts = hidden
        return hidden

    def _spread(self, d_hidden: np.ndarray) -> np.ndarray:
        """The gradient of `_hidden` by what the layers give, zeros behind a text's end."""
        d_out, lengths, pool = np.zeros(self._out_shape, np.float32), self._lengths, self._config.pool
        if pool == "last":
            return spread_ends(self._config.shape, d_hidden, len(d_out), lengths)
        if pool == "mean":
            d_out += d_hidden / np.maximum(lengths, 1)[:, None].astype(np.float32)
        else:
            np.put_along_axis(d_out, self._largest[None], d_hidden[None], axis=0)
        d_out[np.arange(len(d_out))[:, None] >= lengths] = 0
        return d_out
