"""From scores of tags to losses and tags: a conditional random field over each sentence, or a softmax for each word.

Scores are float32[steps, sentences, tags], with *lengths* int64[sentences]; what stands behind a sentence's end counts
for nothing. Targets are int32[steps, sentences], -1 where a tag is not known.
"""

import math
from collections.abc import Mapping
from typing import Protocol

import numpy as np

from streamvec.kernels import crf
from streamvec.models.network import Parameters

TRANSITIONS, FIRST, LAST = "crf.transitions", "crf.first", "crf.last"


class TagOutput(Protocol):
    """What makes tags of scores, and holds what `backward` needs of the pass before."""

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of each of its parameters, which all begin with zeros."""

    def loss(
        self, parameters: Parameters, scores: np.ndarray, targets: np.ndarray, lengths: np.ndarray
    ) -> tuple[float, int, np.ndarray]:
        """(sum of the losses, of how many words, gradients by the scores)."""

    def backward(self, gradients: Mapping[str, np.ndarray], scale: float) -> None:
        """Writes the gradients of its parameters, of that loss times *scale*."""

    def tags(self, parameters: Parameters, scores: np.ndarray, lengths: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(the tag of each word int32[steps, sentences], the probability that it has it, float32)."""


class SoftmaxOutput:
    """Each word's tag by itself; words whose tag is not known have no part in the loss."""

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """None."""
        return {}

    def loss(
        self, parameters: Parameters, scores: np.ndarray, targets: np.ndarray, lengths: np.ndarray
    ) -> tuple[float, int, np.ndarray]:
        """The cross-entropies; see `TagOutput`."""
        known = (np.arange(len(scores))[:, None] < lengths) & (targets >= 0)
        chances = _softmax(scores)
        d_scores = chances * known[:, :, None].astype(np.float32)
        steps, sentences = np.nonzero(known)
        wanted = targets[steps, sentences]
        highest = scores.max(axis=2)
        sums = np.log(np.exp(scores - highest[:, :, None]).sum(axis=2)) + highest
        losses = sums[steps, sentences] - scores[steps, sentences, wanted]
        d_scores[steps, sentences, wanted] -= 1
        return float(losses.sum(dtype=np.float64)), steps.size, d_scores

    def backward(self, gradients: Mapping[str, np.ndarray], scale: float) -> None:
        """There is nothing to be learnt."""

    def tags(self, parameters: Parameters, scores: np.ndarray, lengths: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The likeliest tag of each word."""
        chances = _softmax(scores)
        tags = chances.argmax(axis=2).astype(np.int32)
        return tags, np.take_along_axis(chances, tags[:, :, None], axis=2)[:, :, 0]


class CrfOutput:
    """The likeliest sequence of tags; sentences in which a tag is not known have no part in the loss."""

    def __init__(self, tags: int) -> None:
        self._tags = tags
        self._room = crf.new_scratch(1, tags)
        self._gradients: dict[str, np.ndarray] = {}

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Scores of each pair of neighbours float32[tags, tags] (from, to), and of tags at either end float32[tags]."""
        return {TRANSITIONS: (self._tags, self._tags), FIRST: (self._tags,), LAST: (self._tags,)}

    def loss(
        self, parameters: Parameters, scores: np.ndarray, targets: np.ndarray, lengths: np.ndarray
    ) -> tuple[float, int, np.ndarray]:
        """The negative log likelihoods of the sentences' tags; see `TagOutput`."""
        unknown = ((targets < 0) & (np.arange(len(scores))[:, None] < lengths)).any(axis=0)
        counted = np.where(unknown, 0, lengths)
        d_scores, losses = np.empty_like(scores), np.empty(len(lengths))
        self._gradients = {name: np.zeros(shape, np.float32) for name, shape in self.shapes().items()}
        crf.loss_and_gradients(
            *_weights(parameters),
            scores,
            targets,
            counted,
            d_scores,
            *_weights(self._gradients),
            losses,
            self._scratch(len(scores)),
        )
        return float(losses.sum()), int(counted.sum()), d_scores

    def backward(self, gradients: Mapping[str, np.ndarray], scale: float) -> None:
        """Writes those of the pairs and of both ends."""
        for name, found in self._gradients.items():
            np.multiply(found, np.float32(scale), out=gradients[name])

    def tags(self, parameters: Parameters, scores: np.ndarray, lengths: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The best path through each sentence, and of each word's tag the sum of the chances of all paths with it."""
        paths, chances = np.empty(scores.shape[:2], np.int32), np.empty_like(scores)
        scratch = self._scratch(len(scores))
        crf.best_paths(*_weights(parameters), scores, lengths, paths, scratch)
        crf.marginals(*_weights(parameters), scores, lengths, chances, scratch)
        return paths, np.take_along_axis(chances, paths[:, :, None], axis=2)[:, :, 0]

    def _scratch(self, steps: int) -> crf.Scratch:
        if steps > len(self._room.alpha):
            self._room = crf.new_scratch(steps + steps // 8, self._tags)
        return self._room


def chance_loss(tags: int) -> float:
    """Loss of a word when all tags are as likely."""
    return math.log(max(2, tags))


def _weights(parameters: Mapping[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return parameters[TRANSITIONS], parameters[FIRST], parameters[LAST]


def _softmax(scores: np.ndarray) -> np.ndarray:
    chances = np.exp(scores - scores.max(axis=2, keepdims=True))
    return chances / chances.sum(axis=2, keepdims=True)
