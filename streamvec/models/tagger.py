"""A tagger: vectors of words and what their spelling tells, deep recurrent layers both ways, a tag for each word."""

import math
from collections.abc import Mapping

import numpy as np

from streamvec.corpus.examples import ExampleBatch
from streamvec.kernels import random
from streamvec.models.letters import Letters
from streamvec.models.lmstart import start_layer
from streamvec.models.metrows import Part
from streamvec.models.network import Chance, KnownRows, Parameters
from streamvec.models.sequenceinput import SequenceEncoder
from streamvec.models.shape import padded
from streamvec.models.stack import Stack
from streamvec.models.taggerconfig import TaggerConfig
from streamvec.models.tagoutputs import CrfOutput, SoftmaxOutput, TagOutput, chance_loss
from streamvec.models.wordinput import EMBEDDING

WEIGHTS, BIASES = "tags", "tags.b"


class Tagger:
    """One pass of a group of sentences; see `streamvec.models.network`. Losses are counted a word."""

    met = frozenset([EMBEDDING])
    fixed: frozenset[str] = frozenset()

    def __init__(self, config: TaggerConfig, words: int, tags: int, known: KnownRows | None = None) -> None:
        self._config, self._words, self._tags = config, words, tags
        self._encoder = SequenceEncoder(Stack(config.shape, 1, 1), words, config.dim, known)
        self._letters = Letters(config.letters) if config.letters is not None else None
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
        part = self._encoder.backward(parameters, gradients, d_out)
        if self._letters is not None:
            self._letters.backward(parameters, gradients, self._encoder.d_beside)
        return {EMBEDDING: [part]}

    def answers(self, parameters: Parameters, batch: ExampleBatch) -> list[tuple[np.ndarray, np.ndarray]]:
        """(the tag of each word int32[n], its probability float32[n]) of each sentence."""
        lengths = batch.words.lengths
        tags, chances = self._output.tags(parameters, self._scores(parameters, batch, None), lengths)
        return [(tags[:length, lane], chances[:length, lane]) for lane, length in enumerate(lengths)]

    def _scores(self, parameters: Parameters, batch: ExampleBatch, chance: Chance | None) -> np.ndarray:
        """float32[steps, sentences, tags]."""
        told = None
        if self._letters is not None:
            told = self._letters.forward(parameters, batch.spelled.values, batch.letters.values)
        self._out = self._encoder.forward(parameters, batch.words, chance, beside=told)
        steps, lanes = self._out.shape[:2]
        scores = self._out.reshape(steps * lanes, -1) @ parameters[WEIGHTS] + parameters[BIASES]
        return scores.reshape(steps, lanes, self._tags)
