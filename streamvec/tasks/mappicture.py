"""A map of words as a picture for paper: a point a word, and as many names as there is room for."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from streamvec.tasks.fonts import fonts_for
from streamvec.tasks.labels import Label, place_labels
from streamvec.tasks.pictures import checked, group_colours, needs_matplotlib, new_figure, save, visible
from streamvec.tasks.wordmap import METHODS, WordMap

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_WIDTH, _FLATTEST = 10.0, 0.6  # inches; height by width, at the least
_FEW = 250  # so few words all deserve a name, if it stands away from its point
_INK, _SOFT = "#1c2330", "#5d6673"
_HEAD = 0.35  # inches that the title takes
_COLUMNS = 4  # of the legend of clusters
_PAD = 1.5  # pixels round a name


class Drawn(NamedTuple):
    """What came of it."""

    labels: int  # words that bear their names
    missing: int  # words with a character that no font has


def draw_map(word_map: WordMap, path: Path | str) -> Drawn:
    """Writes the picture to *path*, which ends in .png, .svg or .pdf and appears whole, replacing what is there.

    Names never overlap: the most frequent words go first, and what finds no room has only its point. Raises
    StreamvecError for another ending, or where matplotlib is missing.
    """
    path = checked(path)
    with fonts_of(word_map) as missing:
        figure, labels = map_figure(word_map)
        save(figure, path)
    return Drawn(len(labels), sum(not missing.isdisjoint(visible(word)) for word in word_map.words))


@contextmanager
def fonts_of(word_map: WordMap) -> Iterator[set[str]]:
    """Draws with fonts that have the letters of the words while the block runs; yields those that no font has."""
    needs_matplotlib()
    from matplotlib import rc_context

    families, missing = fonts_for(map(visible, [*word_map.words, *word_map.cluster_names]))
    with rc_context({"font.family": families, "text.hinting": "none"}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from")  # it is counted and told
        yield missing


def map_figure(word_map: WordMap) -> tuple["Figure", list[Label]]:
    """(the picture, the names in it)."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    spread = np.ptp(word_map.places, axis=0)
    height = _WIDTH * float(np.clip(spread[1] / max(spread[0], 1e-12), _FLATTEST, 1.0))
    figure = new_figure(_WIDTH, height + _HEAD + _foot(word_map))
    FigureCanvasAgg(figure)  # one renderer measures all names
    return figure, _draw(figure, word_map, [visible(word) for word in word_map.words])


def _draw(figure: "Figure", word_map: WordMap, names: list[str]) -> list[Label]:
    figure.set_layout_engine("none")
    foot, height = _foot(word_map), figure.get_figheight()
    ax = figure.add_axes((0.01, foot / height, 0.98, 1 - (foot + _HEAD) / height))
    ax.set_axis_off()
    n = len(names)
    x, y = word_map.places.T
    sizes = _sizes(n)
    colours = _colours(word_map)
    ax.scatter(x[::-1], y[::-1], s=sizes[::-1], c=colours[::-1], linewidths=0, alpha=0.9 if n < 2000 else 0.75)
    ax.set_aspect("equal", adjustable="datalim")
    ax.margins(0.06)
    title = f"{word_map.name}: {n:,} words by {METHODS[word_map.method]}"
    figure.text(0.015, 1 - 0.12 / height, visible(title), fontsize=9, color=_SOFT, va="top", parse_math=False)
    _legend(figure, word_map)
    figure.draw_without_rendering()  # from here on the axes stay as they are
    return _name(ax, word_map.places, names, colours)


def _name(ax: "Axes", places: np.ndarray, names: list[str], colours: np.ndarray) -> list[Label]:
    from matplotlib.patheffects import AbstractPathEffect, withStroke

    figure, n = ax.get_figure(root=True), len(names)
    assert figure is not None
    few = n <= _FEW
    texts = {}
    points = ax.transData.transform(places)
    inside = ax.get_window_extent()
    size = 9.5 if n <= 80 else 8.5 if few else 7.0
    halo: list[AbstractPathEffect] = [withStroke(linewidth=2, foreground="white", alpha=0.85)]

    def size_of(number: int) -> tuple[float, float]:
        text = ax.text(0, 0, names[number], fontsize=size, color=_INK, parse_math=False, va="bottom", ha="left")
        texts[number] = text
        extent = text.get_window_extent()
        return extent.width + 2 * _PAD, extent.height + 2 * _PAD

    gap = 2.5 if n > 1000 else 4.0
    labels = place_labels(points, size_of, inside.extents, gap * figure.dpi / 72, far=few)
    placed = {label.point: label for label in labels}
    back = ax.transData.inverted()
    for number, text in texts.items():
        label = placed.get(number)
        if label is None:
            text.remove()
            continue
        x, y = back.transform((label.box[0] + _PAD, label.box[1] + _PAD))
        text.set_position((float(x), float(y)))
        text.set_path_effects(halo)
        text.set_gid(f"word-{number}")
        if label.far:
            end = back.transform(np.clip(points[number], label.box[:2], label.box[2:]))
            ax.plot(*zip(places[number], end, strict=True), color=colours[number], linewidth=0.6, alpha=0.8, zorder=0.9)
    return labels


def _sizes(n: int) -> np.ndarray:
    """Areas of points, in square points: the most frequent words have the largest."""
    base = float(np.clip(9000 / n, 2.0, 34.0))
    return base * (0.7 + 0.9 * (1 - np.log1p(np.arange(n)) / np.log1p(max(n, 2))))


def _colours(word_map: WordMap) -> np.ndarray:
    """float64[n, 4]"""
    from matplotlib import colormaps
    from matplotlib.colors import to_rgba_array

    if word_map.colour == "cluster" and word_map.clusters is not None:
        return np.asarray(to_rgba_array(group_colours(len(word_map.cluster_names))))[word_map.clusters]
    return np.asarray(colormaps["viridis"](_shade(len(word_map.words))))


def _shade(n: int) -> np.ndarray:
    """float64[n], 0 for the most frequent word to 0.9 for the rarest, by the logarithm of the place."""
    return 0.9 * np.log1p(np.arange(n)) / np.log1p(max(n - 1, 1))


def _foot(word_map: WordMap) -> float:
    """Inches that the legend takes."""
    rows = -(-len(word_map.cluster_names) // _COLUMNS) if word_map.colour == "cluster" else 1
    return 0.17 * rows + 0.12


def _legend(figure: "Figure", word_map: WordMap) -> None:
    from matplotlib.lines import Line2D

    if word_map.colour == "cluster":
        colours = group_colours(len(word_map.cluster_names))
        handles = [Line2D([], [], color=colour, marker="o", linestyle="", markersize=6) for colour in colours]
        shown = [_short(visible(name)) for name in word_map.cluster_names]
    else:
        from matplotlib import colormaps

        marks = sorted({0, *(10**power - 1 for power in range(1, 9) if 10**power < len(word_map.words))})
        marks.append(len(word_map.words) - 1)
        shades = _shade(len(word_map.words))
        handles = [
            Line2D([], [], color=colormaps["viridis"](shades[mark]), marker="o", linestyle="", markersize=6)
            for mark in marks
        ]
        shown = [f"{mark + 1:,}" for mark in marks]
        shown[0] = "most frequent"
        shown[-1] += " (rarest)"
    legend = figure.legend(
        handles,
        shown,
        loc="lower center",
        bbox_to_anchor=(0.5, 0.05 / figure.get_figheight()),
        ncols=_COLUMNS if word_map.colour == "cluster" else len(marks),
        frameon=False,
        fontsize=8,
        labelcolor=_SOFT,
        handletextpad=0.2,
        columnspacing=1.6,
        borderpad=0.0,
    )
    for text in legend.get_texts():
        text.set_parse_math(False)


def _short(name: str, most: int = 44) -> str:
    return name if len(name) <= most else name[: most - 1] + "…"
