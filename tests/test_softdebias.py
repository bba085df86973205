"""Soft debiasing finds the least of the paper's objective: its gradient vanishes, and a plain minimiser agrees."""

from pathlib import Path

import numpy as np
import pytest
from biased import DIM, FEMALE, JOBS, MALE, PAIRS, biased_vectors

from streamvec.errors import StreamvecError
from streamvec.vectors import KeyedVectors
from streamvec.vectors.debias import debias, measure_bias
from streamvec.vectors.softdebias import GramMatrix, SoftTransform, soft_transform


def objective(x: np.ndarray, words: np.ndarray, neutral: np.ndarray, basis: np.ndarray, strength: float) -> float:
    """The paper's, with X = T^T T; words and neutral words as rows."""
    kept = words @ x @ words.T - words @ words.T
    return float((kept**2).sum() + strength * ((neutral @ x @ basis.T) ** 2).sum())


def slope(t: np.ndarray, words: np.ndarray, neutral: np.ndarray, basis: np.ndarray, strength: float) -> np.ndarray:
    """Its gradient by T."""
    x = t.T @ t
    gram, pull, square = words.T @ words, neutral.T @ neutral, basis.T @ basis
    by_x = 2 * gram @ (x - np.eye(len(x))) @ gram + strength * (pull @ x @ square + square @ x @ pull)
    return 2 * t @ by_x


def example(seed: int, words: int = 40, dim: int = 5, components: int = 1, skew: float = 1.0) -> tuple[np.ndarray, ...]:
    rng = np.random.default_rng(seed)
    rows = rng.standard_normal((words, dim)) * skew ** np.arange(dim)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return rows, rows[rng.random(words) < 0.7], np.linalg.qr(rng.standard_normal((dim, components)))[0].T


@pytest.mark.parametrize("strength", [0.0, 0.2, 5.0, 1000.0])
@pytest.mark.parametrize("components", [1, 2])
def test_the_gradient_vanishes_and_every_step_away_is_worse(components: int, strength: float) -> None:
    for seed in range(5):
        words, neutral, basis = example(seed, components=components)
        found = soft_transform(words.T @ words, neutral.T @ neutral, basis, strength)
        t = found.matrix
        least = objective(t.T @ t, words, neutral, basis, strength)
        gradient = slope(t, words, neutral, basis, strength)
        assert np.abs(gradient).max() < 1e-7 * (1 + strength)
        assert least <= objective(np.eye(5), words, neutral, basis, strength) + 1e-12
        rng = np.random.default_rng(seed)
        for size in (1e-4, 1e-2, 1.0):
            other = t + size * rng.standard_normal(t.shape)
            assert objective(other.T @ other, words, neutral, basis, strength) >= least - 1e-12
        assert len(found.axes) <= 2 * components
        if strength == 0:
            assert np.allclose(t, np.eye(5), atol=1e-9)


@pytest.mark.parametrize(("seed", "skew", "strength"), [(0, 1.0, 3.0), (1, 1.5, 50.0), (2, 3.0, 1e4)])
def test_a_plain_minimiser_finds_no_less(seed: int, skew: float, strength: float) -> None:
    minimize = pytest.importorskip("scipy.optimize").minimize
    words, neutral, basis = example(seed, skew=skew)
    t = soft_transform(words.T @ words, neutral.T @ neutral, basis, strength).matrix
    plain = minimize(
        lambda flat: objective(flat.reshape(5, 5).T @ flat.reshape(5, 5), words, neutral, basis, strength),
        (np.eye(5) + 0.01).ravel(),
        jac=lambda flat: slope(flat.reshape(5, 5), words, neutral, basis, strength).ravel(),
        method="BFGS",
        options={"maxiter": 20_000, "gtol": 1e-9},
    )
    naive = plain.x.reshape(5, 5)
    assert objective(t.T @ t, words, neutral, basis, strength) == pytest.approx(plain.fun, rel=1e-6)
    assert np.allclose(t.T @ t, naive.T @ naive, atol=1e-3)


def indefinite() -> tuple[np.ndarray, ...]:
    """Neutral words so few, and on so skew an axis, that the stationary X is not positive semidefinite."""
    for seed in range(2000):
        rng = np.random.default_rng(seed)
        words = rng.standard_normal((30, 3)) * [1, 0.2, 0.05]
        words /= np.linalg.norm(words, axis=1, keepdims=True)
        neutral, basis = words[:1], np.linalg.qr(rng.standard_normal((3, 1)))[0].T
        gram, pull = words.T @ words, neutral.T @ neutral
        root = np.linalg.cholesky(np.kron(gram, gram))
        side = np.kron(pull, basis.T @ basis) + np.kron(basis.T @ basis, pull)
        x = np.linalg.solve(root @ root.T + 1e3 * side / 2, (gram @ gram).ravel()).reshape(3, 3)
        if np.linalg.eigvalsh(x)[0] < -1e-2:
            return words, neutral, basis
    raise AssertionError("no example")


def test_the_best_semidefinite_matrix_where_the_stationary_one_is_not() -> None:
    minimize = pytest.importorskip("scipy.optimize").minimize
    words, neutral, basis = indefinite()
    found = soft_transform(words.T @ words, neutral.T @ neutral, basis, 1e3)
    t = found.matrix
    assert found.stretches.min() < 1e-5
    least = objective(t.T @ t, words, neutral, basis, 1e3)
    for start in range(3):
        plain = minimize(
            lambda flat: objective(flat.reshape(3, 3).T @ flat.reshape(3, 3), words, neutral, basis, 1e3),
            np.random.default_rng(start).standard_normal(9),
            jac=lambda flat: slope(flat.reshape(3, 3), words, neutral, basis, 1e3).ravel(),
            method="BFGS",
            options={"maxiter": 50_000, "gtol": 1e-10},
        )
        assert least == pytest.approx(plain.fun, rel=1e-4)


def test_directions_without_words_stay() -> None:
    words, neutral, basis = example(3)
    flat = np.pad(words, ((0, 0), (0, 2)))
    found = soft_transform(flat.T @ flat, np.pad(neutral, ((0, 0), (0, 2))).T @ np.pad(neutral, ((0, 0), (0, 2))),
                           np.pad(basis, ((0, 0), (0, 2))), 7.0)  # fmt: skip
    expected = soft_transform(words.T @ words, neutral.T @ neutral, basis, 7.0).matrix
    assert np.allclose(found.matrix[:5, :5], expected, atol=1e-8) and np.allclose(found.matrix[5:], np.eye(7)[5:])


def test_gram_matrices_are_exact_in_any_blocks() -> None:
    rng = np.random.default_rng(1)
    rows = rng.standard_normal((5000, 9)).astype(np.float32).astype(float)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    totals = []
    for size in (1, 7, 4096, 5000):
        gram = GramMatrix(9)
        for start in range(0, len(rows), size):
            gram.add(rows[start : start + size])
        totals.append(gram.total)
    assert all((total == totals[0]).all() for total in totals)
    assert np.allclose(totals[0], rows.T @ rows, atol=1e-4, rtol=1e-7)


def test_applying_it_is_the_matrix() -> None:
    words, neutral, basis = example(4, components=2)
    found = soft_transform(words.T @ words, neutral.T @ neutral, basis, 4.0)
    expected = words @ found.matrix
    assert np.allclose(found.apply(words), expected / np.linalg.norm(expected, axis=1, keepdims=True))
    assert found.apply(np.zeros((1, 5))).tolist() == [[0] * 5]
    nothing = SoftTransform(np.zeros((0, 5)), np.zeros(0))
    assert (nothing.matrix == np.eye(5)).all() and np.allclose(nothing.apply(words), words)


def test_refusals() -> None:
    for strength in (-1.0, np.inf, np.nan):
        with pytest.raises(ValueError, match="lambda must be at least 0"):
            soft_transform(np.eye(3), np.eye(3), np.eye(3)[:1], strength)
    with pytest.raises(StreamvecError, match="give at most 6"):
        soft_transform(np.eye(1000), np.eye(1000), np.eye(1000)[:7], 1.0)


def test_bias_falls_with_lambda(tmp_path: Path) -> None:
    vectors = biased_vectors()
    biases, out = [], tmp_path / "out.arrow"
    for strength in (0.0, 200.0, 2000.0, None, 1e6):
        done = debias(
            vectors,
            tmp_path / "out.arrow",
            PAIRS,
            specific=[*FEMALE, *MALE],
            soft=True,
            strength=strength,
            overwrite=True,
        )
        new = KeyedVectors.load(out)
        assert done.method == "soft" and np.allclose(new.norms, 1, atol=1e-6)
        biases.append(measure_bias(new, done.direction, JOBS).direct_bias)
        if strength is None:
            assert done.strength == pytest.approx(0.1 * len(vectors) ** 2 / done.neutral)
            assert new.info["debiased"]["lambda"] == done.strength
            default = biases.pop()
    assert biases == sorted(biases, reverse=True) and biases[-1] < 0.01
    assert biases[0] == pytest.approx(measure_bias(vectors, done.direction, JOBS).direct_bias, abs=1e-6)
    assert 0.1 * biases[0] < default < 0.9 * biases[0]
    assert new.dim == DIM
