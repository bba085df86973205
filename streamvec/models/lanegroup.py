"""Some lanes of a language model, which one thread takes through the stack of cells, forward and back."""

from collections.abc import Mapping, Sequence

import numpy as np

from streamvec.kernels import random
from streamvec.kernels.dropout import fill_mask
from streamvec.kernels.rows import pick
from streamvec.models.lmconfig import LmConfig
from streamvec.models.shape import padded
from streamvec.models.stack import Inputs, Packed, Picked, Stack
from streamvec.models.step import Position

_REPEATED = 2  # times that each word occurs, on average, where it is worth to multiply each only once


class LaneGroup:
    """Some lanes, and their way through the stack."""

    def __init__(self, config: LmConfig, first: int, last: int) -> None:
        self.config, self.first, self.last = config, first, last
        self.stack = Stack(config.shape, config.bptt, last - first)
        self.met, self.d_x = np.zeros(0, np.int32), np.zeros((0, 0), np.float32)
        self._masks: list[np.ndarray] = []
        self._inside: np.ndarray | None = None  # which time steps of which lanes are within lengths, end to end

    def take(self, states: Sequence[np.ndarray]) -> None:
        """Has these lanes go on from their *states*: of each layer float32[lanes, hidden]."""
        for state, held in zip(states, self.stack.state(), strict=True):
            held[:] = state

    def give(self, states: Sequence[np.ndarray], steps: int) -> None:
        """Writes the state after *steps* steps; not before `backward`, which needs that before the first."""
        self.stack.carry_on(steps)
        for state, held in zip(states, self.stack.state(), strict=True):
            state[:] = held

    def forward(
        self,
        parameters: Mapping[str, np.ndarray],
        words: np.ndarray,
        inputs: np.ndarray,
        position: Position | None,
        hidden: np.ndarray,
        lengths: np.ndarray | None = None,
        packed: Packed | None = None,
    ) -> None:
        """Writes what goes into the softmax: float32[steps * lanes, outputs], or less by what stands behind *lengths*.

        inputs: int32[steps, lanes]; lengths: int64[lanes]; packed: the layers' U, where more than one step is made.
        """
        self._inside = None if lengths is None else inside(lengths, len(inputs))
        self._masks = self._draw(len(inputs), position) if position is not None and self.config.dropout else []
        x = self._picked(words, inputs)
        out = self.stack.forward(parameters, x, lengths, list(self._masks[1:-1]) or None, packed)
        if self._inside is not None:
            np.take(out.reshape(-1, out.shape[2]), self._inside, axis=0, out=hidden, mode="clip")
            if self._masks:
                hidden *= self._masks[-1].reshape(-1, out.shape[2])[self._inside]
            return
        into = hidden.reshape(out.shape)
        if self._masks:
            np.multiply(out, self._masks[-1], out=into)
        else:
            into[:] = out

    def backward(
        self,
        parameters: Mapping[str, np.ndarray],
        gradients: Mapping[str, np.ndarray],
        d_hidden: np.ndarray,
        steps: int,
    ) -> None:
        """Writes the gradients of this group's lanes, and *d_x* float32[n, columns], those by the vectors of the words
        *met* int32[n], one of which may be there several times."""
        if self._inside is not None:
            wide = np.zeros((steps * (self.last - self.first), d_hidden.shape[1]), np.float32)
            wide[self._inside] = d_hidden
            d_hidden = wide
        d_out = d_hidden.reshape(steps, self.last - self.first, -1)
        if self._masks:
            d_out *= self._masks[-1]
        d_x = self.stack.backward(parameters, gradients, d_out)
        if self._masks:
            d_x *= self._masks[0]
        self.d_x = d_x.reshape(self.met.size, -1)

    def _picked(self, words: np.ndarray, inputs: np.ndarray) -> Inputs:
        """What goes into the first layer; also writes *met*."""
        if not self._masks:
            self.met, places = np.unique(inputs, return_inverse=True)
            if _REPEATED * self.met.size <= inputs.size:
                return Picked(words[self.met], places.astype(np.int32).reshape(inputs.shape))
        self.met = inputs.reshape(-1)
        x = np.empty((inputs.size, words.shape[1]), np.float32)
        pick(words, self.met, x)
        x = x.reshape(*inputs.shape, -1)
        if self._masks:
            x *= self._masks[0]
        return x

    def _draw(self, steps: int, position: Position) -> list[np.ndarray]:
        """Masks of what goes into each layer and into the softmax: float32[steps, lanes, columns]."""
        config, lanes = self.config, self.last - self.first
        widths = [padded(config.dim), *[config.shape.outputs] * config.layers]
        masks = []
        for number, width in enumerate(widths):
            key = random.stream(config.seed, position.epoch + 1, random.DROPOUT + number)
            mask = np.empty((steps, lanes, width), np.float32)
            place = (position.batch * config.batch + self.first) * config.bptt * width
            fill_mask(mask.reshape(-1), np.uint64(key), place, config.dropout)
            masks.append(mask)
        return masks


def inside(lengths: np.ndarray, steps: int) -> np.ndarray:
    """Numbers of the time steps of lanes [steps, lanes], end to end, that are within *lengths*: int64[n], rising."""
    return np.flatnonzero(np.arange(steps)[:, None] < lengths)


def within(tokens: np.ndarray, lengths: np.ndarray | None) -> np.ndarray:
    """int32[steps, lanes], end to end, without what stands behind *lengths*."""
    flat = tokens.reshape(-1)
    return flat if lengths is None else flat[inside(lengths, len(tokens))]
