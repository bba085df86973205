"""A picture of how far words lie along a bias direction: the outermost as bars, all of them as dots above."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from streamvec.errors import StreamvecError
from streamvec.tasks.pictures import COLOURS, checked, new_figure, plain, save
from streamvec.vectors.bias import Projections

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_POSITIVE, _NEGATIVE = COLOURS[1], COLOURS[0]
_COLUMNS = 45  # of dots, on each side
_LONGEST = 24  # characters of a word


def draw_projections(
    found: Projections, ends: tuple[str, str], direct_bias: float, path: Path | str, outermost: int = 15
) -> None:
    """Writes the picture to *path*, which ends in .png, .svg or .pdf and appears whole, replacing what is there.

    *ends*: what stands at the positive and the negative side. *outermost*: so many words of each end get a bar, or all
    where they are not more than both. Raises StreamvecError for another ending, or where matplotlib is missing.
    """
    path = checked(path)
    if not found.words:
        raise StreamvecError("there are no words to draw")
    number = len(found.words)
    few = number <= 2 * outermost
    rows = np.arange(number) if few else np.r_[:outermost, number - outermost : number]
    figure = new_figure(7.2, 1.9 + 0.19 * len(rows))
    top, bars = figure.subplots(2, 1, sharex=True, height_ratios=[1.0, 0.19 * len(rows)])
    _dots(top, found.values)
    _bars(bars, [found.words[row] for row in rows], found.values[rows], gap=not few)
    reach = 1.08 * max(float(np.abs(found.values).max()), 1e-6)
    bars.set_xlim(-reach, reach)
    positive, negative = (_short(end) for end in ends)
    bars.set_xlabel(f"← {negative}        projection (cosine)        {positive} →")
    top.set_title(f"{number:,} words between {negative} and {positive}: direct bias {direct_bias:.3f}", fontsize=11)
    save(figure, path)


def _dots(ax: "Axes", values: np.ndarray) -> None:
    """Every word a dot, those of about the same value above each other: a histogram in which each can be seen."""
    width = max(float(np.abs(values).max()), 1e-6) / _COLUMNS
    bins = np.floor(values / width).astype(int)
    heights = np.zeros(len(values))
    for one in np.unique(bins):
        here = np.flatnonzero(bins == one)
        heights[here] = np.arange(len(here))
    ax.scatter(
        (bins + 0.5) * width,
        heights,
        s=7,
        linewidths=0,
        color=[_POSITIVE if value > 0 else _NEGATIVE for value in values],
        alpha=0.7,
    )
    ax.axvline(0, color="#444444", linewidth=0.8)
    ax.set_yticks([])
    plain(ax)
    ax.spines["left"].set_visible(False)


def _bars(ax: "Axes", words: list[str], values: np.ndarray, gap: bool) -> None:
    """A bar a word, its name on the other side of 0; with *gap* the two halves stand apart."""
    places = np.arange(len(words), dtype=float)
    if gap:
        places[len(words) // 2 :] += 1.4
    ax.barh(places, values, height=0.72, color=[_POSITIVE if value > 0 else _NEGATIVE for value in values])
    for half in (places[: len(words) // 2], places[len(words) // 2 :]) if gap else (places,):
        ax.vlines(0, half[0] - 0.5, half[-1] + 0.5, color="#444444", linewidth=0.8)
    for place, word, value in zip(places, words, values, strict=True):
        side = -3 if value > 0 else 3
        ax.annotate(
            _short(word),
            (0, place),
            xytext=(side, 0),
            textcoords="offset points",
            ha="right" if value > 0 else "left",
            va="center",
            fontsize=8,
        )
    if gap:
        middle = (places[len(words) // 2 - 1] + places[len(words) // 2]) / 2
        ax.text(0, middle, "⋮", ha="center", va="center", fontsize=11)
    ax.set_yticks([])
    ax.set_ylim(-0.8, places[-1] + 0.8)
    plain(ax)
    ax.spines["left"].set_visible(False)


def _short(word: str) -> str:
    """*word* as matplotlib may show it: no mathematics, no control characters, not too long."""
    shown = "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in word)
    cut = shown if len(shown) <= _LONGEST else shown[: _LONGEST - 1] + "…"
    return cut.replace("_", " ").replace("$", r"\$")
