"""Names beside points, none over another: the most important first, and none where there is no room.

Each name tries the places round its point, and takes the free one that hides fewest points. Where it may stand further
away, a line leads to it.
"""

from collections.abc import Callable, Iterator
from math import cos, pi, sin
from typing import NamedTuple

import numpy as np

_NEAR = ((1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (-1, 1), (1, -1), (-1, -1))  # sides of the point
_RINGS = (1.6, 2.6, 3.8, 5.2)  # heights of a name from the point to the name's middle
_ANGLES = 16
_CLEAR = 0.03  # of a name's height, squared: how near a line may come to the points of others
_STEPS = np.linspace(0.1, 1.0, 24)[:, None]  # places on a line that must not cross a name


class Label(NamedTuple):
    """A name that has found its place."""

    point: int  # whose name
    box: tuple[float, float, float, float]  # left, bottom, right, top
    far: bool  # a line is needed


def place_labels(
    points: np.ndarray,
    size_of: Callable[[int], tuple[float, float]],
    bounds: tuple[float, float, float, float],
    gap: float,
    far: bool,
    give_up: int = 400,
) -> list[Label]:
    """Places for the names of float64[n, 2] points, the most important first; boxes are disjoint and within *bounds*.

    *size_of* tells the width and height of a name; *gap* is kept between a point and its name. *far*: a name may stand
    away from its point. After *give_up* names in a row that found no room, no more are tried.
    """
    labels: list[Label] = []
    boxes = np.empty((0, 4))
    failed = 0
    for number, point in enumerate(points):
        width, height = size_of(number)
        near = np.array([_beside(point, side, width, height, gap) for side in _NEAR])
        free = near[_free(near, boxes, bounds)]
        found = None
        if len(free):
            covered = _covered(free, points)
            found = Label(number, tuple(free[int(covered.argmin())].tolist()), False)
            if far and covered.min() > 2:  # rather away from a crowd than on top of it
                found = _away(number, point, points, width, height, boxes, bounds, int(covered.min())) or found
        elif far:
            found = _away(number, point, points, width, height, boxes, bounds, len(points))
        failed = 0 if found else failed + 1
        if found:
            labels.append(found)
            boxes = np.concatenate([boxes, [found.box]])
        if failed >= give_up:
            break
    return labels


def _beside(point: np.ndarray, side: tuple[int, int], width: float, height: float, gap: float) -> list[float]:
    reach = gap if 0 in side else gap * 0.6
    x = point[0] + side[0] * (reach + width / 2)
    y = point[1] + side[1] * (reach + height / 2)
    return [x - width / 2, y - height / 2, x + width / 2, y + height / 2]


def _away(
    number: int,
    point: np.ndarray,
    points: np.ndarray,
    width: float,
    height: float,
    boxes: np.ndarray,
    bounds: tuple[float, float, float, float],
    most: int,
) -> Label | None:
    """The nearest free place that hides fewer than *most* points, and to which a line leads past all names."""
    for box in _around(point, width, height):
        tried = np.array([box])
        end = np.clip(point, tried[0, :2], tried[0, 2:])  # where the line meets the name
        line = point + (end - point) * _STEPS
        crossed = ((line[:, None] >= boxes[:, :2]) & (line[:, None] <= boxes[:, 2:])).all(axis=2).any()
        passed = np.square(line[:, None] - points).sum(axis=2) < _CLEAR * height * height
        passed[:, number] = False
        if not crossed and not passed.any() and _free(tried, boxes, bounds)[0] and _covered(tried, points)[0] < most:
            return Label(number, box, True)
    return None


def _around(point: np.ndarray, width: float, height: float) -> Iterator[tuple[float, float, float, float]]:
    for ring in _RINGS:
        for angle in range(_ANGLES):
            turn = 2 * pi * angle / _ANGLES
            x = float(point[0]) + cos(turn) * (ring * height + width / 2)
            y = float(point[1]) + sin(turn) * ring * height
            yield x - width / 2, y - height / 2, x + width / 2, y + height / 2


def _free(tried: np.ndarray, boxes: np.ndarray, bounds: tuple[float, float, float, float]) -> np.ndarray:
    """bool[m]: which of the boxes float64[m, 4] overlap none that is taken, and are within bounds."""
    inside = (tried[:, :2] >= bounds[:2]).all(axis=1) & (tried[:, 2:] <= bounds[2:]).all(axis=1)
    overlaps = (tried[:, None, :2] < boxes[:, 2:]) & (tried[:, None, 2:] > boxes[:, :2])
    free: np.ndarray = inside & ~np.any(np.all(overlaps, axis=2), axis=1)
    return free


def _covered(tried: np.ndarray, points: np.ndarray) -> np.ndarray:
    """int64[m]: how many points each box hides."""
    inside = (points >= tried[:, None, :2]) & (points <= tried[:, None, 2:])
    counts: np.ndarray = inside.all(axis=2).sum(axis=1)
    return counts
