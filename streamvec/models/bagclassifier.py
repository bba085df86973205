"""A classifier that tells a text by the mean, or the sum, of its words' vectors (Joulin et al. 2016, arXiv:1607.01759).

With n-grams, neighbouring words together have vectors, too: rows of a table that they share by hash.

Vectors that were learnt elsewhere have much in common, beside which what tells texts apart is small: where training
begins with some, the means of texts are standardised, by the mean and deviation of each number over training texts.
"""

from collections.abc import Iterable, Mapping

import numpy as np

from streamvec.corpus.examples import ExampleBatch, Ragged
from streamvec.kernels import random
from streamvec.kernels.bags import add_bags, hash_ngrams, spread_bags
from streamvec.models.classes import Classes
from streamvec.models.classifierconfig import ClassifierConfig
from streamvec.models.metrows import Part
from streamvec.models.network import Chance, KnownRows, Parameters
from streamvec.models.shape import padded
from streamvec.models.wordinput import EMBEDDING, WordInput

NGRAMS = "ngrams"
CENTER, SCALE = "means.center", "means.scale"  # of each number of a text's mean; nothing trains them


class BagClassifier:
    """One pass of a group of texts; see `streamvec.models.network`."""

    fixed = frozenset([CENTER, SCALE])

    def __init__(self, config: ClassifierConfig, words: int, labels: int, known: KnownRows | None = None) -> None:
        self._config, self._words, self._labels = config, words, labels
        self._input = WordInput(words, config.dim, known)
        self._classes = Classes(padded(config.dim), labels, np.arange(config.dim))
        self.met = frozenset([EMBEDDING, NGRAMS] if config.ngrams > 1 else [EMBEDDING])

    @property
    def loss_at_chance(self) -> float:
        """Loss of a text when all classes are as likely."""
        return self._classes.loss_at_chance

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The vectors of words and of n-grams, and the classes'."""
        columns = padded(self._config.dim)
        tables = {EMBEDDING: (self._words, columns)}
        if self._config.ngrams > 1:
            tables[NGRAMS] = (self._config.buckets, columns)
        return {**tables, CENTER: (columns,), SCALE: (columns,), **self._classes.shapes()}

    def start(self, parameters: Parameters, seed: int) -> None:
        """Small uniform vectors; those of n-grams begin with zeros."""
        random.uniform_rows(parameters[EMBEDDING], self._config.dim, -0.1, 0.1, seed * 1_000_003)
        self._classes.start(parameters, seed * 1_000_003 + 1)
        parameters[SCALE][: self._config.dim] = 1

    def standardise(self, parameters: Parameters, batches: Iterable[ExampleBatch]) -> None:
        """Has the numbers of the means of these texts have a mean of 0 and a deviation of 1."""
        total, squares, count = np.zeros(padded(self._config.dim)), np.zeros(padded(self._config.dim)), 0
        for batch in batches:
            found = self._hidden(parameters, batch.words).astype(np.float64)
            total, squares, count = total + found.sum(axis=0), squares + (found**2).sum(axis=0), count + len(found)
        mean = total / max(1, count)
        deviation = np.sqrt(np.maximum(squares / max(1, count) - mean**2, 0))
        parameters[CENTER][:] = mean
        parameters[SCALE][:] = np.where(deviation > 1e-6 * np.abs(mean), 1 / np.maximum(deviation, 1e-30), 0)

    def loss(self, parameters: Parameters, batch: ExampleBatch, chance: Chance | None) -> tuple[float, int]:
        """The cross-entropies of all texts whose label is known."""
        known = np.flatnonzero(batch.targets.values >= 0)
        if known.size < len(batch):
            batch = batch.take(known)
        hidden = self._hidden(parameters, batch.words)
        self._mask = chance.mask(0, *hidden.shape) if chance is not None else None
        self._dropped = hidden if self._mask is None else hidden * self._mask
        loss, self._d_scores = self._classes.loss(parameters, self._dropped, batch.targets.values)
        return loss, known.size

    def backward(
        self, parameters: Parameters, gradients: Mapping[str, np.ndarray], scale: float
    ) -> dict[str, list[Part]]:
        """The gradients of that loss."""
        self._d_scores *= np.float32(scale)
        d_hidden = self._classes.backward(parameters, gradients, self._dropped, self._d_scores)
        if self._mask is not None:
            d_hidden *= self._mask
        d_hidden *= parameters[SCALE]
        d_hidden *= self._shares[:, None]
        d_rows = np.zeros(self._rows.shape, np.float32)
        spread_bags(d_rows, self._input.places, self._lengths, d_hidden)
        found = {EMBEDDING: [self._input.gradients(d_rows)]}
        if self._config.ngrams > 1:
            met, places = np.unique(self._hashed.values, return_inverse=True)
            d_rows = np.zeros((met.size, d_hidden.shape[1]), np.float32)
            spread_bags(d_rows, places.astype(np.int32).reshape(-1), self._hashed.lengths, d_hidden)
            found[NGRAMS] = [(met, d_rows)]
        return found

    def answers(self, parameters: Parameters, batch: ExampleBatch) -> list[np.ndarray]:
        """The probability of each class, float32[labels], of each text."""
        return list(self._classes.chances(parameters, self._hidden(parameters, batch.words)))

    def _hidden(self, parameters: Parameters, words: Ragged) -> np.ndarray:
        """The mean or sum of each text's vectors, standardised: float32[texts, dim rounded up]."""
        config, self._lengths = self._config, words.lengths
        self._rows = self._input.rows(parameters, words.values)
        out = np.zeros((len(words.lengths), padded(config.dim)), np.float32)
        add_bags(out, self._rows, self._input.places, words.lengths)
        number = words.lengths
        if config.ngrams > 1:
            self._hashed = _hashed(words, config.ngrams, config.buckets)
            add_bags(out, parameters[NGRAMS], self._hashed.values, self._hashed.lengths)
            number = number + self._hashed.lengths
        self._shares = np.ones(len(number), np.float32)
        if config.encoder == "mean":
            self._shares /= np.maximum(number, 1).astype(np.float32)
        out *= self._shares[:, None]
        out -= parameters[CENTER]
        out *= parameters[SCALE]
        out[number == 0] = 0  # a text without words is told by the biases
        return out


def _hashed(words: Ragged, most: int, buckets: int) -> Ragged:
    """The buckets of all runs of 2 to *most* words of each text, int32."""
    counts = sum(np.maximum(words.lengths - size + 1, 0) for size in range(2, most + 1))
    out = np.empty(int(np.sum(counts)), np.int32)
    hash_ngrams(words.values, words.lengths, most, buckets, out)
    return Ragged(out, np.asarray(counts, np.int64))
