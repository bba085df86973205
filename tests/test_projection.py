"""Places in two dimensions: against plain linear algebra, against what the vectors say, and always the same."""

import numpy as np
import pytest
from maps import TOPICS, topical

from streamvec.tasks.projection import clusters, principal_components, tsne
from streamvec.vectors.neighbours import unit_rows


def test_principal_components_are_those_of_a_plain_svd() -> None:
    rows, _ = topical(300)
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    centered = unit - unit.mean(axis=0)
    left, values, right = np.linalg.svd(centered.astype(np.float64), full_matrices=False)
    expected = (left * values)[:, :2]
    for column in range(2):
        if right[column, np.abs(right[column]).argmax()] < 0:
            expected[:, column] *= -1
    np.testing.assert_allclose(principal_components(rows), expected, atol=1e-6)


@pytest.mark.parametrize("method", [principal_components, lambda rows: tsne(rows, None, 1)], ids=["pca", "tsne"])
@pytest.mark.parametrize("words", [1, 2, 4, 5, 9])
def test_few_words_have_places(method, words: int) -> None:
    if words > 4:
        pytest.importorskip("openTSNE", reason="openTSNE is not installed: pip install 'streamvec[plot]'")
    rows, _ = topical(words)
    places = method(rows)
    assert places.shape == (words, 2) and np.isfinite(places).all()
    one = np.ones((words, 1), np.float32)
    assert np.isfinite(method(one)).all()  # a single direction, and no differences in it


def nearest_of(points: np.ndarray) -> np.ndarray:
    """int[n]: the other point nearest to each."""
    apart = np.square(points[:, None] - points).sum(axis=2)
    np.fill_diagonal(apart, np.inf)
    return apart.argmin(axis=1)


def test_tsne_keeps_near_what_is_near_and_is_turned_to_be_wide() -> None:
    pytest.importorskip("openTSNE", reason="openTSNE is not installed: pip install 'streamvec[plot]'")
    rows, topics = topical(300)
    told: list[float] = []
    places = tsne(rows, 20, 1, told.append)
    assert (topics[nearest_of(places)] == topics).mean() > 0.95
    np.testing.assert_allclose(places.mean(axis=0), 0, atol=1e-9)
    covariance = places.T @ places
    assert covariance[0, 0] >= covariance[1, 1] and abs(covariance[0, 1]) < 1e-6 * covariance[0, 0]
    assert told == sorted(told) and told[-1] == 1.0
    np.testing.assert_array_equal(places, tsne(rows, 20, 1))
    assert (places != tsne(rows, 20, 2)).any()
    twice = np.concatenate([rows[:50], rows[:50], np.zeros((2, rows.shape[1]), np.float32)])
    assert np.isfinite(tsne(twice, None, 1)).all()


def test_perplexity_has_bounds() -> None:
    rows, _ = topical(31)
    with pytest.raises(ValueError, match=r"from 1 to a third of the other words \(10 of 31 words\), got 11"):
        tsne(rows, 11, 1)
    with pytest.raises(ValueError, match=r"got 0\.5"):
        tsne(rows, 0.5, 1)


def test_clusters_are_the_topics_the_largest_first() -> None:
    pytest.importorskip("sklearn", reason="scikit-learn is not installed: pip install 'streamvec[plot]'")
    rows, topics = topical(400)
    found = clusters(rows, TOPICS, 1)
    sizes = np.bincount(found.numbers)
    assert len(sizes) == TOPICS and (np.diff(sizes) <= 0).all()
    agree = np.zeros((TOPICS, TOPICS), int)
    np.add.at(agree, (found.numbers, topics), 1)
    assert agree.max(axis=1).sum() > 0.98 * len(rows)
    for number, center in enumerate(found.centers):
        np.testing.assert_allclose(center, unit_rows(rows)[found.numbers == number].mean(axis=0), atol=1e-9)
    np.testing.assert_array_equal(found.numbers, clusters(rows, TOPICS, 1).numbers)
    assert len(clusters(rows[[0, 0, 1]], 12, 1).centers) == 2  # not more than there are different words
