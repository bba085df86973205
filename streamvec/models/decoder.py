"""A decoder that writes step by step: a sequence for each text that was read, or several hypotheses about one."""

from collections.abc import Sequence

import numpy as np

from streamvec.models.attention import Attention
from streamvec.models.beam import Hypothesis
from streamvec.models.network import Parameters
from streamvec.models.packedweights import PackedWeights
from streamvec.models.stack import Stack
from streamvec.models.wordinput import EMBEDDING
from streamvec.models.wordsoftmax import WordSoftmax


class Decoder:
    """The state of some sequences that are being written, and what is to come next."""

    def __init__(
        self,
        parameters: Parameters,
        stack: Stack,
        state: Sequence[np.ndarray],
        attention: Attention | None,
        softmax: WordSoftmax,
        begin: int,
        unknown: int,
    ) -> None:
        """state: before the first step; attention: that has what was read; begin: the token before the first;
        unknown: the one that is never written. *stack* and *attention* serve nobody else meanwhile."""
        self._parameters, self._stack, self._attention, self._softmax = parameters, stack, attention, softmax
        self.begin, self._unknown = begin, unknown
        self._first = [each.copy() for each in state]
        self._packed = PackedWeights(stack.shape, False)
        self._packed.fill(parameters, 0, 1)
        self.forget()

    @property
    def lanes(self) -> int:
        """How many texts were read."""
        return len(self._first[0])

    def forget(self) -> None:
        """Begins anew."""
        self._state = self._first

    def step(self, tokens: np.ndarray) -> np.ndarray:
        """Reads a token int32[lanes] of each sequence; the logarithms of the chances of the next, float32[lanes, V]."""
        out = self._out(tokens)
        if self._attention is not None:
            out = self._attention.attend(self._parameters, out)
        return self._scores(out[0])

    def go_on(self, tokens: np.ndarray, parents: np.ndarray) -> np.ndarray:
        """A step of hypotheses about the one text that was read; see `streamvec.models.beam.Step`."""
        self._state = [each[parents] for each in self._state]
        out = self._out(tokens)
        if self._attention is not None:  # to attention, hypotheses about one text are steps
            out = self._attention.attend(self._parameters, out.transpose(1, 0, 2)).transpose(1, 0, 2)
        return self._scores(out[0])

    def read(self, token: int) -> np.ndarray:
        """As `step`, of the one text that was read: float32[V]."""
        scores: np.ndarray = self.step(np.array([token], np.int32))[0]
        return scores

    def _out(self, tokens: np.ndarray) -> np.ndarray:
        """What the layers give, float32[1, lanes, columns]; the state moves on."""
        self._stack.fit(1, len(tokens))
        for held, given in zip(self._stack.state(), self._state, strict=True):
            held[:] = given
        x = self._parameters[EMBEDDING][tokens][None]
        out = self._stack.forward(self._parameters, x, packed=self._packed)
        self._stack.carry_on(1)
        self._state = [each.copy() for each in self._stack.state()]
        return out

    def _scores(self, hidden: np.ndarray) -> np.ndarray:
        scores = self._softmax.scores(self._parameters, hidden)
        scores[:, self._unknown] = -np.inf
        return scores


def greedy(decoder: Decoder, most: np.ndarray, end: int) -> list[Hypothesis]:
    """Of each text what the decoder writes, taking the likeliest token each time, up to *most* int64[lanes] of them.

    That is what `streamvec.models.beam.beam_search` finds with a beam of 1: the first of tokens as likely is taken.
    """
    decoder.forget()
    lanes = np.arange(decoder.lanes)
    tokens = np.full(decoder.lanes, decoder.begin, np.int32)
    written: list[np.ndarray] = []
    lengths, chances = np.full(decoder.lanes, -1), np.zeros(decoder.lanes)
    cut = np.zeros(decoder.lanes, bool)
    for step in range(int(most.max(initial=0)) + 1):
        scores = decoder.step(tokens)
        tokens = scores.argmax(axis=1).astype(np.int32)
        is_last = (lengths < 0) & (most == step)
        cut |= is_last & (tokens != end)
        tokens[is_last] = end
        is_on = lengths < 0
        chances[is_on] += scores[lanes, tokens].astype(np.float64)[is_on]
        lengths[is_on & (tokens == end)] = step
        if (lengths >= 0).all():
            break
        written.append(tokens)
    rows = np.stack(written, axis=1) if written else np.zeros((decoder.lanes, 0), np.int32)
    return [
        Hypothesis(row[:length], float(chance), float(chance), bool(was_cut))
        for row, length, chance, was_cut in zip(rows, lengths, chances, cut, strict=True)
    ]
