"""Exact neighbours: against the plain formula in float64, and the same whatever the blocks."""

import itertools

import numpy as np
import pyarrow as pa
import pytest

from streamvec.vectors import neighbours
from streamvec.vectors.cosmul import nearest_by_products
from streamvec.vectors.neighbours import nearest, nearest_euclidean, unit_rows
from streamvec.vectors.store import Chunk, norms_of


def chunks_of(matrix: np.ndarray, *cuts: int) -> list[Chunk]:
    edges = [0, *cuts, len(matrix)]
    return [
        Chunk(pa.array(["w"] * (b - a), pa.utf8()), np.zeros(b - a, np.int64), matrix[a:b], norms_of(matrix[a:b]))
        for a, b in itertools.pairwise(edges)
    ]


def naive(matrix: np.ndarray, queries: np.ndarray, topn: int) -> tuple[np.ndarray, np.ndarray]:
    """All cosines in float64, sorted by falling similarity and then by rank."""
    with np.errstate(invalid="ignore", divide="ignore"):
        rows = np.nan_to_num(matrix / np.sqrt((matrix.astype(float) ** 2).sum(axis=1))[:, None])
        units = np.nan_to_num(queries / np.sqrt((queries.astype(float) ** 2).sum(axis=1))[:, None])
    scores = units @ rows.T
    order = np.array([np.lexsort((np.arange(len(matrix)), -np.round(line, 12)))[:topn] for line in scores])
    return order, np.take_along_axis(scores, order, axis=1)


@pytest.mark.parametrize("queries", [1, 7, 8, 300])
@pytest.mark.parametrize(("rows", "dim", "topn"), [(9000, 17, 10), (40, 1, 3), (5, 4, 10), (1, 3, 1)])
def test_the_same_as_the_plain_formula(queries: int, rows: int, dim: int, topn: int) -> None:
    rng = np.random.default_rng(rows + queries)
    matrix = rng.standard_normal((rows, dim)).astype(np.float32)
    matrix[rows // 2] = 0
    asked = rng.standard_normal((queries, dim))
    ranks, similarities = nearest(chunks_of(matrix, rows // 3), asked, topn)
    expected_ranks, expected = naive(matrix, asked, topn)
    assert np.array_equal(ranks, expected_ranks)
    np.testing.assert_allclose(similarities, expected, atol=1e-12)


def test_blocks_and_company_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(1)
    matrix = rng.standard_normal((3000, 50)).astype(np.float32)
    asked = matrix[:200].astype(float)
    ranks, similarities = nearest(chunks_of(matrix), asked, 10)
    alone = [nearest(chunks_of(matrix, 1, 700, 2999), asked[i : i + 1], 10) for i in range(20)]
    assert all(np.array_equal(ranks[i], alone[i][0][0]) for i in range(20))
    assert all(np.array_equal(similarities[i], alone[i][1][0]) for i in range(20))
    monkeypatch.setattr(neighbours, "_TILE", 997)
    monkeypatch.setattr(neighbours, "_QUERIES", 13)
    monkeypatch.setattr(neighbours, "_SLICE", 501)
    again = nearest(chunks_of(matrix, 5), asked, 10)
    assert np.array_equal(ranks, again[0]) and np.array_equal(similarities, again[1])


def test_ties_go_to_the_more_frequent_word() -> None:
    matrix = np.tile(np.array([[1, 2, 3], [3, 2, 1]], np.float32), (500, 1))
    ranks, similarities = nearest(chunks_of(matrix, 100), np.array([[1.0, 2.0, 3.0]] * 9), 4)
    assert ranks.tolist() == [[0, 2, 4, 6]] * 9
    assert np.all(similarities == 1.0)


@pytest.mark.parametrize("number", [1, 9])
def test_zeros_and_extremes_give_no_nan(number: int) -> None:
    matrix = np.array([[0, 0], [1e30, 1e30], [-1, -1], [1e-30, 0], [0, 0], [1e-42, 1e-42]], np.float32)
    ranks, similarities = nearest(chunks_of(matrix), np.array([[1.0, 1.0]] * number), 6)
    assert sorted(ranks[0, :2].tolist()) == [1, 5]
    assert ranks[0, 2:].tolist() == [3, 0, 4, 2]
    np.testing.assert_allclose(similarities[0], [1, 1, 0.5**0.5, 0, 0, -1], rtol=1e-6)
    ranks, similarities = nearest(chunks_of(matrix), np.array([[0.0, 0.0], [1.0, 1.0]]), 3)
    assert ranks[0].tolist() == [0, 1, 2] and similarities[0].tolist() == [0, 0, 0]
    assert sorted(ranks[1, :2].tolist()) == [1, 5]


def test_a_limit_leaves_out_the_rare() -> None:
    matrix = np.array([[1, 0], [0.9, 0.1], [1, 0.01], [1, 0.001]], np.float32)
    ranks, _ = nearest(chunks_of(matrix, 2), np.array([[1.0, 0.0]]), 3, limit=3)
    assert ranks.tolist() == [[0, 2, 1]]
    assert nearest(chunks_of(matrix[:0]), np.array([[1.0, 0.0]]), 3)[0].shape == (1, 0)


@pytest.mark.parametrize("queries", [1, 9, 140])
@pytest.mark.parametrize("scale", [1.0, 1e-20, 1e17, 1e30])
def test_distances_are_those_of_the_plain_formula(queries: int, scale: float) -> None:
    rng = np.random.default_rng(queries)
    matrix = (rng.standard_normal((5000, 12)) * scale * rng.uniform(0.1, 9, (5000, 1))).astype(np.float32)
    asked = np.concatenate([matrix[:queries].astype(float)[: queries // 2], rng.standard_normal((queries, 12)) * scale])
    ranks, found = nearest_euclidean(chunks_of(matrix, 1, 1700), asked, 10)
    every = np.sqrt(((asked[:, None, :] - matrix.astype(float)) ** 2).sum(axis=2))
    order = np.argsort(every, axis=1, kind="stable")[:, :10]
    assert np.array_equal(ranks, order)
    np.testing.assert_allclose(found, np.take_along_axis(every, order, axis=1), rtol=1e-9)
    few, near = nearest_euclidean(chunks_of(matrix, 1, 1700), asked[:1], 3, limit=20)
    assert np.array_equal(few[0], np.argsort(every[0, :20], kind="stable")[:3]) and len(near[0]) == 3


@pytest.mark.parametrize(("plus", "minus"), [(1, 0), (2, 1), (0, 2), (3, 2)])
def test_products_are_those_of_the_plain_formula(plus: int, minus: int) -> None:
    rng = np.random.default_rng(plus)
    matrix = rng.standard_normal((4000, 6)).astype(np.float32)
    matrix[77] = 0
    units = unit_rows(rng.standard_normal((plus + minus, 6)))
    matrix[5] = -units[-1] * 3  # the cosine to what is taken away is -1: the largest scores
    matrix[6] = -units[-1] * 2
    ranks, scores = nearest_by_products(chunks_of(matrix, 3, 2000), units[:plus], units[plus:], 12)
    shifted = (1 + unit_rows(matrix) @ units.T) / 2
    every = shifted[:, :plus].prod(axis=1) / (shifted[:, plus:].prod(axis=1) + 1e-6)
    order = np.lexsort((np.arange(len(every)), -every))[:12]
    np.testing.assert_allclose(scores, every[order], rtol=1e-6)
    assert np.array_equal(ranks[2:], order[2:]) and set(ranks[:2]) == set(order[:2])
    assert len(nearest_by_products(chunks_of(matrix), units[:plus], units[plus:], 50, limit=9)[0]) == 9
