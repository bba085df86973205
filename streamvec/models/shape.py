"""What a stack of recurrent layers is made of: its cell, its sizes, and the shapes of its parameters by name.

Parameters are called ``layer.direction.part``, such as "0.forward.W": see `streamvec.models.stack`.
"""

from typing import NamedTuple

import numpy as np

from streamvec.models.cells import CELLS

LANES = 16
FORWARD, REVERSE = "forward", "reverse"


def padded(units: int) -> int:
    """Units rounded up to whole vectors of 16 floats."""
    return -(-units // LANES) * LANES


class Shape(NamedTuple):
    """What a stack is made of."""

    cell: str  # a name of CELLS
    inputs: int
    hidden: int
    layers: int
    bidirectional: bool = False

    @property
    def directions(self) -> tuple[str, ...]:
        """Their names."""
        return (FORWARD, REVERSE) if self.bidirectional else (FORWARD,)

    @property
    def outputs(self) -> int:
        """Columns of what the last layer gives: each direction's, padded."""
        return padded(self.hidden) * len(self.directions)

    @property
    def units(self) -> np.ndarray:
        """Which of these columns are no padding: int64[n]."""
        return np.concatenate(
            [np.arange(self.hidden) + padded(self.hidden) * number for number in range(len(self.directions))]
        )

    def inputs_of(self, layer: int) -> int:
        """Columns of what a layer takes, padded."""
        return self.outputs if layer else padded(self.inputs)

    def parameters(self) -> dict[str, tuple[int, ...]]:
        """The shape of each parameter by its name."""
        cell, hidden = CELLS[self.cell], padded(self.hidden)
        shapes: dict[str, tuple[int, ...]] = {}
        for layer in range(self.layers):
            for direction in self.directions:
                name = f"{layer}.{direction}."
                shapes[name + "W"] = self.inputs_of(layer), cell.gates * hidden
                shapes[name + "U"] = hidden, cell.gates * hidden
                shapes[name + "b"] = (cell.gates * hidden,)
                if cell.has_recurrent_bias:
                    shapes[name + "d"] = (cell.gates * hidden,)
        return shapes
