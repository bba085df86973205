"""A tagger: vectors of words and what their spelling tells, deep recurrent layers both ways, a tag for each word."""

import math
from collections.abc import Mapping

import numpy as np

from streamvec.corpus.examples import ExampleBatch
from streamvec.kernels import random
from streamvec.kernels.rows import add_rows
from streamvec.models.letters import Letters
from streamvec.models.lmstart import start_layer
from streamvec.models.metrows import Part
from streamvec.models.network import Chance, Parameters, Rows
from streamvec.models.stack import Stack, padded
from streamvec.models.taggerconfig import TaggerConfig
from streamvec.models.tagoutputs import CrfOutput, SoftmaxOutput, TagOutput, chance_loss
from streamvec.models.wordinput import EMBEDDING, WordInput

WEIGHTS, BIASES = "tags", "tags.b"


class Tagger:
    """One pass of a group of sentences; see `streamvec.models.network`. Losses are counted a word."""

    met = frozenset([EMBEDDING])
    fixed: frozenset[str] = frozenset()

    def __init__(self, config: TaggerConfig, words: int, tags: int, known: Rows | None = None) -> None:
        self._config, self._words, self._tags = config, words, tags
        self._input = WordInput(words, config.dim, known)
        self._letters = Letters(config.letters) if config.letters is not None else None
        self._stack = Stack(config.shape, 1, 1)
        self._output: TagOutput = CrfOutput(tags) if config.output == "crf" else SoftmaxOutput()

    @property
    def loss_at_chance(self) -> float:
        """Loss of a word when all tags are as likely."""
        return chance_loss(self._tags)

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The vectors of words, the layers', the letters', and the output's."""
        shape = self._config.shape
        return {
            EMBEDDING: (self._words, padded(self._config.dim)),
            **shape.parameters(),
            **(self._letters.shapes() if self._letters is not None else {}),
            WEIGHTS: (shape.outputs, self._tags),
            BIASES: (self._tags,),
            **self._output.shapes(),
        }

    def start(self, parameters: Parameters, seed: int) -> None:
        """Small uniform weights; what meets nothing but padding is zero."""
        config, key = self._config, seed * 1_000_003
        random.uniform_rows(parameters[EMBEDDING], config.dim, -0.1, 0.1, key)
        for number, name in enumerate(config.shape.parameters()):
            start_layer(config.shape, name, parameters[name], key + number + 1)
            if name.startswith("0.") and name.endswith("W"):
                parameters[name][self._unread()] = 0
        if self._letters is not None:
            self._letters.start(parameters, key + 2000)
        used = config.shape.units
        reach = math.sqrt(6 / (used.size + self._tags))  # Glorot and Bengio 2010
        weights = np.empty((used.size, self._tags), np.float32)
        random.uniform_rows(weights, self._tags, -reach, reach, key + 1000)
        parameters[WEIGHTS][used] = weights

    def _unread(self) -> np.ndarray:
        """Which columns of what the layers read are padding: int64[n]."""
        config = self._config
        used = np.arange(config.dim)
        if config.letters is not None:
            used = np.append(used, padded(config.dim) + config.letters.units)
        return np.setdiff1d(np.arange(config.inputs), used)

    def loss(self, parameters: Parameters, batch: ExampleBatch, chance: Chance | None) -> tuple[float, int]:
        """The losses of all words whose tag is known (of a random field: in sentences whose tags all are)."""
        scores = self._scores(parameters, batch, chance)
        targets = batch.targets.padded(-1)
        loss, count, self._d_scores = self._output.loss(parameters, scores, targets, batch.words.lengths)
        return loss, count

    def backward(
        self, parameters: Parameters, gradients: Mapping[str, np.ndarray], scale: float
    ) -> dict[str, list[Part]]:
        """The gradients of that loss."""
        self._output.backward(gradients, scale)
        steps, lanes, tags = self._d_scores.shape
        d_scores = self._d_scores.reshape(-1, tags)
        d_scores *= np.float32(scale)
        np.matmul(self._out.reshape(steps * lanes, -1).T, d_scores, out=gradients[WEIGHTS])
        np.sum(d_scores, axis=0, out=gradients[BIASES])
        d_out = (d_scores @ parameters[WEIGHTS].T).reshape(steps, lanes, -1)
        if self._out_mask is not None:
            d_out *= self._out_mask
        d_x = self._stack.backward(parameters, gradients, d_out)
        if self._in_mask is not None:
            d_x *= self._in_mask
        width = padded(self._config.dim)
        if self._letters is not None:
            self._letters.backward(parameters, gradients, d_x.transpose(1, 0, 2)[self._is_word][:, width:])
        d_rows = np.zeros(self._rows_shape, np.float32)
        d_words = np.ascontiguousarray(d_x[:, :, :width]).reshape(-1, width)
        add_rows(d_rows, self._input.places.reshape(-1), d_words)
        return {EMBEDDING: [self._input.gradients(d_rows)]}

    def answers(self, parameters: Parameters, batch: ExampleBatch) -> list[tuple[np.ndarray, np.ndarray]]:
        """(the tag of each word int32[n], its probability float32[n]) of each sentence."""
        lengths = batch.words.lengths
        tags, chances = self._output.tags(parameters, self._scores(parameters, batch, None), lengths)
        return [(tags[:length, lane], chances[:length, lane]) for lane, length in enumerate(lengths)]

    def _scores(self, parameters: Parameters, batch: ExampleBatch, chance: Chance | None) -> np.ndarray:
        """float32[steps, sentences, tags]."""
        x, shape = self._read(parameters, batch), self._config.shape
        steps, lanes = x.shape[:2]
        mask = chance.mask if chance is not None else _no_mask
        self._in_mask = mask(0, *x.shape)
        if self._in_mask is not None:
            x *= self._in_mask
        self._stack.fit(steps, lanes)
        between = [mask(layer, steps, lanes, shape.outputs) for layer in range(1, shape.layers)]
        out = self._stack.forward(parameters, x, batch.words.lengths, between)
        self._out_mask = mask(shape.layers, *out.shape)
        self._out = out if self._out_mask is None else out * self._out_mask
        scores = self._out.reshape(steps * lanes, -1) @ parameters[WEIGHTS] + parameters[BIASES]
        return scores.reshape(steps, lanes, self._tags)

    def _read(self, parameters: Parameters, batch: ExampleBatch) -> np.ndarray:
        """What the layers read: float32[steps, sentences, inputs]."""
        ids, width = batch.words.padded(), padded(self._config.dim)
        rows = self._input.rows(parameters, ids)
        self._rows_shape = rows.shape
        x = np.zeros((*ids.shape, self._config.inputs), np.float32)
        x[:, :, :width] = rows[self._input.places]
        if self._letters is not None:
            self._is_word = np.arange(len(ids)) < batch.words.lengths[:, None]  # of each sentence, of each step
            told = self._letters.forward(parameters, batch.spelled.values, batch.letters.values)
            x.transpose(1, 0, 2)[self._is_word, width:] = told
        return x


def _no_mask(number: int, *shape: int) -> None:
    """Nothing is left out."""
