"""A picture of gradients against their distance in time: falling lines vanish, rising ones explode.

A training has one kind of marker and grey, a layer one kind of line: all can be told apart without colours.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from streamvec.errors import StreamvecError
from streamvec.tasks.pictures import COLOURS, MARKERS, checked, new_figure, plain, save

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_DASHES: tuple[tuple[int, tuple[float, ...]], ...] = (
    (0, ()),
    (0, (6, 2)),
    (0, (1.5, 1.5)),
    (0, (6, 2, 1.5, 2)),
    (0, (3, 1, 1, 1, 1, 1)),
)
_MARKED = 12  # markers on a line, about
_VANISHED = 1e-12  # of the largest norm: the axis ends there, lest one line that falls for ever flattens the others
_STATES = {"h": "hidden state h", "c": "memory c (lstm)"}


class Line(NamedTuple):
    """One line of the picture."""

    training: int  # lines of one training look alike
    name: str  # of it: its cell
    layer: int  # from 0
    state: str  # "h" or "c"
    norms: np.ndarray  # float64[steps], by distance in time

    @property
    def label(self) -> str:
        """As it stands in the legend."""
        return f"{self.name}, layer {self.layer + 1}"


def draw_gradients(lines: Sequence[Line], path: Path | str) -> None:
    """Writes the picture to *path*, which ends in .png, .svg or .pdf and appears whole, replacing what is there.

    h and, where there is any, c have a half of it each, with one logarithmic axis of at most 12 powers of ten. Raises
    StreamvecError for another ending, where matplotlib is missing, or nothing can be drawn.
    """
    path = checked(path)
    if not any((line.norms > 0).any() for line in lines):
        raise StreamvecError("no gradient is above 0 and finite: there is nothing to draw on a logarithmic axis")
    states = [state for state in _STATES if any(line.state == state for line in lines)]
    figure = new_figure(3.2 + 4.4 * len(states), 4.6)
    axes = figure.subplots(1, len(states), sharey=True, squeeze=False)[0]
    for state, ax in zip(states, axes, strict=True):
        _draw(ax, [line for line in lines if line.state == state])
        ax.set_title(_STATES[state], fontsize=11)
        ax.set_xlabel("time steps back from the loss")
    axes[0].set_ylabel("norm of the gradient")
    low, high = axes[0].get_ylim()
    axes[0].set_ylim(max(low, high * _VANISHED), high)
    handles = axes[0].get_legend_handles_labels()
    figure.legend(*handles, loc="outside right center", frameon=False, fontsize=9, handlelength=4)
    save(figure, path)


def _draw(ax: "Axes", lines: Sequence[Line]) -> None:
    from matplotlib.ticker import MaxNLocator

    for line in lines:
        steps, look = len(line.norms), line.training % len(COLOURS)
        every = max(1, round(steps / _MARKED))
        ax.plot(
            np.arange(steps),
            np.where(line.norms > 0, line.norms, np.nan),  # 0 has no place on a logarithmic axis
            color=COLOURS[look],
            linestyle=_DASHES[line.layer % len(_DASHES)],
            linewidth=1.5,
            marker=MARKERS[look],
            markersize=5,
            markerfacecolor=COLOURS[look] if line.layer % 2 == 0 else "white",
            markevery=(line.layer * every // 2 % every, every),  # layers do not hide each other's
            label=line.label,
        )
    ax.set_yscale("log")
    ax.margins(x=0.02)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    plain(ax)
