"""Names beside points: none over another, the important ones first, none where there is no room."""

import numpy as np
import pytest

from streamvec.tasks.labels import Label, place_labels

BOUNDS = (0.0, 0.0, 1000.0, 800.0)


def overlaps(a: Label, b: Label) -> bool:
    (left, bottom, right, top), (other_left, other_bottom, other_right, other_top) = a.box, b.box
    return left < other_right and right > other_left and bottom < other_top and top > other_bottom


@pytest.mark.parametrize("far", [False, True])
def test_names_are_disjoint_and_within_bounds(far: bool) -> None:
    draw = np.random.default_rng(1)
    points = draw.uniform((0, 0), (1000, 800), size=(400, 2))
    widths = draw.uniform(20, 90, size=400)
    labels = place_labels(points, lambda number: (widths[number], 14), BOUNDS, 4, far)
    assert len(labels) > 150
    for place, label in enumerate(labels):
        left, bottom, right, top = label.box
        assert left >= 0 and bottom >= 0 and right <= 1000 and top <= 800
        assert right - left == pytest.approx(widths[label.point]) and top - bottom == pytest.approx(14)
        assert not any(overlaps(label, other) for other in labels[:place])
        x, y = points[label.point]
        aside = max(left - x, x - right, bottom - y, y - top)
        assert 0 < aside <= (6 * 14 if far else 5) or (far and aside <= 6 * 14)
        assert label.far <= far
    assert [label.point for label in labels] == sorted(label.point for label in labels)


def test_the_first_names_have_the_first_choice() -> None:
    points = np.array([[500.0, 400.0]] * 30)
    labels = place_labels(points, lambda number: (40, 14), BOUNDS, 4, far=False)
    assert [label.point for label in labels] == list(range(len(labels))) and 2 <= len(labels) <= 8
    more = place_labels(points, lambda number: (40, 14), BOUNDS, 4, far=True)
    assert len(more) > len(labels) and any(label.far for label in more)


def test_after_enough_failures_no_more_are_tried() -> None:
    asked: list[int] = []

    def size_of(number: int) -> tuple[float, float]:
        asked.append(number)
        return 2000, 14  # wider than the picture

    assert place_labels(np.full((500, 2), 100.0), size_of, BOUNDS, 4, far=False, give_up=20) == []
    assert asked == list(range(20))


def test_a_name_hides_as_few_points_as_it_can() -> None:
    points = np.array([[500.0, 400.0], [520.0, 400.0], [480.0, 400.0], [500.0, 415.0]])
    (first, *_) = place_labels(points, lambda number: (40, 14), BOUNDS, 4, far=False)
    left, bottom, right, top = first.box
    assert not any(left <= x <= right and bottom <= y <= top for x, y in points)
