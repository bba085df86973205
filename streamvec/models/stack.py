"""A stack of recurrent layers over some sequences at once: forward, and backpropagation through time.

Depth and direction are loops over names of parameters: ``layer.direction.part``, such as "0.forward.W". Of each layer
and direction, with C gates and H hidden units: W float32[inputs, C H], U float32[H, C H], b float32[C H], and of cells
that have one, d float32[C H]. H and inputs are rounded up to 16; what pads them is zero and stays so.

Products over all time steps are one matrix product; only h U is made step by step (`streamvec.kernels.recurrence`).
Sequences are rows of a batch: arrays are [time, sequence, unit]. Inputs that are few different rows, again and again,
are `Picked`: each row is multiplied once.
"""

from collections.abc import Mapping, MutableMapping
from typing import NamedTuple, Protocol

import numpy as np

from streamvec.kernels.memory import Room
from streamvec.kernels.products import pack, pack_transposed
from streamvec.kernels.rows import add_rows, pick
from streamvec.models.cells import CELLS
from streamvec.models.shape import FORWARD, Shape, padded

_NOTHING = np.zeros(0, np.float32)


class Picked(NamedTuple):
    """Inputs of a stack that are rows of a matrix: rows[ids]."""

    rows: np.ndarray  # float32[n, inputs]
    ids: np.ndarray  # int32[steps, lanes]


Inputs = np.ndarray | Picked  # float32[steps, lanes, inputs], or where these come from


class Packed(Protocol):
    """Every U as `streamvec.kernels.products` takes it, by its name; it pays where more than one time step is made."""

    forward: Mapping[str, np.ndarray]
    back: Mapping[str, np.ndarray]  # the transposes


class _Layer:
    """One direction of one layer: its values at all time steps."""

    def __init__(self, shape: Shape, steps: int, lanes: int) -> None:
        self.cell = CELLS[shape.cell]
        self._hidden = padded(shape.hidden)
        self._rooms = [Room() for _ in range(9)]
        self.fit(steps, lanes)

    def fit(self, steps: int, lanes: int) -> None:
        """Has it hold so many time steps of so many sequences, with a state of zeros before the first."""
        hidden, columns = self._hidden, self.cell.gates * self._hidden
        pre, recurrent, h, c, d_h, d_c, room, *_ = self._rooms
        self.pre = pre.shaped(steps, lanes, columns)
        many = steps if self.cell.has_recurrent_bias else 1  # what h U is at each step is needed again
        self.recurrent = recurrent.shaped(many, lanes, columns)
        self.h = h.shaped(steps + 1, lanes, hidden)
        self.c = c.shaped(steps + 1, lanes, hidden) if self.cell.has_memory else self.h
        self.h[0], self.c[0] = 0, 0
        self.d_h, self.d_c = d_h.shaped(lanes, hidden), d_c.shaped(lanes, hidden)
        self.room = room.shaped(lanes, hidden)

    def forward(
        self,
        parameters: Mapping[str, np.ndarray],
        name: str,
        x: Inputs,
        lengths: np.ndarray | None = None,
        packed: Packed | None = None,
    ) -> np.ndarray:
        """The states after each step; h[0] and c[0] are those before the first. They are zero behind *lengths*."""
        steps, cell = _steps(x), self.cell
        pre = self.pre[:steps]
        if isinstance(x, Picked):
            product = x.rows @ parameters[name + "W"]
            product += parameters[name + "b"]
            pick(product, x.ids.reshape(-1), flat(pre))
        else:
            np.matmul(flat(x), parameters[name + "W"], out=flat(pre))
            pre += parameters[name + "b"]
        weights, is_packed = parameters[name + "U"].reshape(-1), packed is not None or steps > 1
        if packed is not None:
            weights = packed.forward[name + "U"]
        elif is_packed:
            weights = self._rooms[7].shaped(weights.size)
            pack(parameters[name + "U"], weights)
        bias = parameters[name + "d"] if cell.has_recurrent_bias else _NOTHING
        ends = np.full(pre.shape[1], steps) if lengths is None else lengths
        cell.forward(pre, self.recurrent, self.h, self.c, weights, is_packed, bias, ends)
        return self.h[1 : steps + 1]

    def backward(
        self,
        parameters: Mapping[str, np.ndarray],
        gradients: Mapping[str, np.ndarray],
        name: str,
        x: Inputs,
        d_out: np.ndarray,
        norms: MutableMapping[str, np.ndarray] | None = None,
        packed: Packed | None = None,
    ) -> np.ndarray:
        """Writes the gradients of this layer's parameters; returns that of its inputs. d_out: by each step's state.

        After it *d_h* and *d_c* hold the gradients by the state before the first step. norms: see `Stack.backward`.
        """
        steps, cell = _steps(x), self.cell
        if packed is not None:
            back = packed.back[name + "U"]
        else:
            back = self._rooms[8].shaped(parameters[name + "U"].size)
            pack_transposed(parameters[name + "U"], back)
        self.d_h[:], self.d_c[:] = 0, 0
        arrays = self.pre, self.recurrent, self.h, self.c, back, d_out, self.d_h, self.d_c, self.room
        if norms is None:
            cell.backward(*arrays, 0, steps)
        else:
            for step in reversed(range(steps)):
                self._note(norms, name, step, d_out[step], steps)
                cell.backward(*arrays, step, step + 1)
        by_pre = flat(self.pre[:steps])
        by_recurrent = flat(self.recurrent[:steps]) if cell.has_recurrent_bias else by_pre
        if isinstance(x, Picked):
            rows, by_w = x.rows, np.zeros((len(x.rows), by_pre.shape[1]), np.float32)
            add_rows(by_w, x.ids.reshape(-1), by_pre)
        else:
            rows, by_w = flat(x), by_pre
        np.matmul(rows.T, by_w, out=gradients[name + "W"])
        np.matmul(flat(self.h[:steps]).T, by_recurrent, out=gradients[name + "U"])
        np.sum(by_pre, axis=0, out=gradients[name + "b"])
        if cell.has_recurrent_bias:
            np.sum(by_recurrent, axis=0, out=gradients[name + "d"])
        d_x = by_w @ parameters[name + "W"].T
        return d_x if isinstance(x, Picked) else d_x.reshape(x.shape)

    def _note(
        self, norms: MutableMapping[str, np.ndarray], name: str, step: int, d_out: np.ndarray, steps: int
    ) -> None:
        found = {"h": self.d_h + d_out}
        if self.cell.by_memory is not None:
            found["c"] = self.cell.by_memory(self.pre[step], self.c[step + 1], found["h"], self.d_c)
        for state, gradient in found.items():
            each = norms.setdefault(name + state, np.zeros((steps, len(gradient))))
            each[steps - 1 - step] = np.linalg.norm(gradient.astype(np.float64), axis=1)


class Stack:
    """The layers of one group of sequences, with room for *steps* time steps of *lanes* sequences, or as many as `fit`
    is told."""

    def __init__(self, shape: Shape, steps: int, lanes: int) -> None:
        self.shape = shape
        self._layers = [[_Layer(shape, steps, lanes) for _ in shape.directions] for _ in range(shape.layers)]
        self._inputs: list[Inputs] = []  # of each layer
        self._lengths: np.ndarray | None = None
        self._packed: Packed | None = None
        self._masks: list[np.ndarray | None] = []

    def fit(self, steps: int, lanes: int) -> None:
        """Has it hold so many time steps of so many sequences, with states of zeros before the first."""
        for directions in self._layers:
            for layer in directions:
                layer.fit(steps, lanes)

    def state(self) -> list[np.ndarray]:
        """The state before the first step, of each layer and direction: h float32[lanes, H], and an lstm's c; views."""
        return [
            array[0]
            for directions in self._layers
            for layer in directions
            for array in ([layer.h, layer.c] if layer.cell.has_memory else [layer.h])
        ]

    def d_state(self) -> list[np.ndarray]:
        """After `backward`, the gradients by the states before the first step, as `state` gives these; views."""
        return [
            array
            for directions in self._layers
            for layer in directions
            for array in ([layer.d_h, layer.d_c] if layer.cell.has_memory else [layer.d_h])
        ]

    def forward(
        self,
        parameters: Mapping[str, np.ndarray],
        x: Inputs,
        lengths: np.ndarray | None = None,
        masks: list[np.ndarray | None] | None = None,
        packed: Packed | None = None,
    ) -> np.ndarray:
        """What the last layer gives, float32[steps, lanes, outputs], of inputs x.

        lengths: int64[lanes], of sequences that end before the last step: a reverse direction begins at their ends,
        and what stands behind is zero. masks: of dropout, float32[steps, lanes, outputs], by which what each
        layer but the last gives is multiplied. packed: every U, where it was packed.
        """
        self._inputs, self._lengths, self._packed = [], lengths, packed
        self._masks = masks or [None] * (self.shape.layers - 1)
        for number, directions in enumerate(self._layers):
            self._inputs.append(x)
            given = []
            for direction, layer in zip(self.shape.directions, directions, strict=True):
                taken = x if direction == FORWARD else _turned(x, lengths)
                out = layer.forward(parameters, f"{number}.{direction}.", taken, lengths, packed)
                given.append(out if direction == FORWARD else turned(out, lengths))
            x = out = given[0] if len(given) == 1 else np.concatenate(given, axis=2)
            if number < self.shape.layers - 1 and (mask := self._masks[number]) is not None:
                x = out * mask
        return out

    def backward(
        self,
        parameters: Mapping[str, np.ndarray],
        gradients: Mapping[str, np.ndarray],
        d_out: np.ndarray,
        norms: MutableMapping[str, np.ndarray] | None = None,
    ) -> np.ndarray:
        """Writes the gradients of all parameters, of the pass `forward` has just made; returns that of its inputs:
        float32[steps, lanes, inputs], or of each row that they were picked from float32[n, inputs].

        norms: is given, for each layer, direction and state ("0.forward.h", of an lstm also "0.forward.c"), the
        Euclidean norm of each sequence's gradient by that state, float64[steps, lanes]: row k is that after the k-th
        step before the last that the direction makes. All ways count on which the state has a part in the loss: through
        time, through the layers above, and of c also through h of the same step.
        """
        hidden, lengths = padded(self.shape.hidden), self._lengths
        for number in reversed(range(self.shape.layers)):
            if number < self.shape.layers - 1 and (mask := self._masks[number]) is not None:
                d_out = d_out * mask
            x, d_x = self._inputs[number], None
            for place, direction in enumerate(self.shape.directions):
                part = np.ascontiguousarray(d_out[:, :, place * hidden : (place + 1) * hidden])
                name, layer = f"{number}.{direction}.", self._layers[number][place]
                if direction == FORWARD:
                    found = layer.backward(parameters, gradients, name, x, part, norms, self._packed)
                else:
                    part, taken = turned(part, lengths), _turned(x, lengths)
                    found = layer.backward(parameters, gradients, name, taken, part, norms, self._packed)
                    found = found if isinstance(x, Picked) else turned(found, lengths)
                d_x = found if d_x is None else d_x + found
            assert d_x is not None
            d_out = d_x
        return d_out

    def carry_on(self, steps: int) -> None:
        """Makes the state after *steps* steps the one that the next pass begins with."""
        for directions in self._layers:
            for layer in directions:
                layer.h[0] = layer.h[steps]
                if layer.cell.has_memory:
                    layer.c[0] = layer.c[steps]


def turned(x: np.ndarray, lengths: np.ndarray | None) -> np.ndarray:
    """[steps, lanes, ...] with each sequence's time turned round within its length; what stands behind stays."""
    if lengths is None:
        return np.ascontiguousarray(x[::-1])
    steps = np.arange(len(x))[:, None]
    places = np.where(steps < lengths, lengths - 1 - steps, steps)
    return x[places, np.arange(x.shape[1])]


def _turned(x: Inputs, lengths: np.ndarray | None) -> Inputs:
    return Picked(x.rows, turned(x.ids, lengths)) if isinstance(x, Picked) else turned(x, lengths)


def _steps(x: Inputs) -> int:
    return len(x.ids) if isinstance(x, Picked) else len(x)


def flat(x: np.ndarray) -> np.ndarray:
    """[steps, lanes, n] as [steps * lanes, n], a view."""
    return x.reshape(-1, x.shape[-1])
