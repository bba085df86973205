"""The bias direction is numpy's eigenvector, direct bias and projections are what the formulas say."""

from pathlib import Path

import numpy as np
import pytest
from biased import DIM, JOBS, PAIRS, biased_vectors, units_of

import streamvec
from streamvec.errors import StreamvecError
from streamvec.tasks.biasplot import draw_projections
from streamvec.vectors import KeyedVectors
from streamvec.vectors.bias import bias_direction, projections


def naive_scatter(vectors: KeyedVectors, sets: list[tuple[str, ...]]) -> np.ndarray:
    """C as the paper has it, a word at a time."""
    total = np.zeros((vectors.dim, vectors.dim))
    for words in sets:
        rows = units_of(vectors, words)
        for row in rows:
            total += np.outer(row - rows.mean(axis=0), row - rows.mean(axis=0)) / len(words)
    return total


@pytest.mark.parametrize("sets", [PAIRS, [("she", "he", "king"), ("woman", "man"), ("queen", "lord", "monk", "nun")]])
def test_the_direction_is_the_first_eigenvector(sets: list[tuple[str, ...]]) -> None:
    vectors = biased_vectors()
    values, axes = np.linalg.eigh(naive_scatter(vectors, sets))
    found = bias_direction(vectors, sets, components=2)
    assert found.basis.shape == (2, DIM) and np.allclose(found.basis @ found.basis.T, np.eye(2), atol=1e-12)
    for number in (0, 1):
        assert abs(found.basis[number] @ axes[:, -1 - number]) == pytest.approx(1, abs=1e-9)
        ahead = sum(
            (units_of(vectors, words) - units_of(vectors, words).mean(0))[0] / len(words) ** 0.5 for words in sets
        )
        assert ahead @ found.basis[number] >= 0
    shares = values[::-1] / values.sum()
    assert np.allclose(found.shares, shares[: len(found.shares)], atol=1e-9)
    assert len(found.shares) == len(found.random_shares) == sum(len(words) - 1 for words in sets)
    assert sum(found.shares) == pytest.approx(1) and sum(found.random_shares) == pytest.approx(1)


def test_the_first_words_are_on_the_positive_side() -> None:
    vectors = biased_vectors()
    found = bias_direction(vectors, PAIRS)
    turned = bias_direction(vectors, [(he, she) for she, he in PAIRS])
    assert found.basis[0, 0] > 0.9 and found.shares[0] > 0.5 > 2 * found.random_shares[0] - 0.5
    assert np.allclose(turned.basis, -found.basis)
    assert found.ends == ("she", "he") and turned.ends == ("he", "she")


def test_shares_of_random_pairs_depend_on_the_seed_alone() -> None:
    vectors = biased_vectors()
    same = [bias_direction(vectors, PAIRS, seed=seed).random_shares for seed in (1, 1, 2)]
    assert same[0] == same[1] != same[2]
    assert list(same[0]) == sorted(same[0], reverse=True)


@pytest.mark.parametrize("components", [1, 2])
def test_direct_bias_and_projections(components: int) -> None:
    vectors = biased_vectors()
    direction = bias_direction(vectors, PAIRS, components)
    found = projections(vectors, direction, [*JOBS, "JOB3", "nobody", "Nobody else"])
    assert sorted(found.words) == sorted(JOBS) and found.missing == ("nobody", "Nobody else")
    assert (np.diff(found.values) >= 0).all()
    parts = units_of(vectors, found.words) @ direction.basis.T
    assert np.allclose(found.values, parts[:, 0])
    for strictness in (0.0, 0.5, 1.0, 2.0):
        expected = np.mean(np.linalg.norm(parts, axis=1) ** strictness)
        assert found.direct_bias(strictness) == pytest.approx(expected, rel=1e-12)
    with pytest.raises(ValueError, match="strictness must be at least 0"):
        found.direct_bias(-1)


def test_words_are_counted_and_too_few_pairs_refused() -> None:
    vectors = biased_vectors()
    found = bias_direction(vectors, [*PAIRS, ("Mary", "John"), ("She", "HE"), ("her", "Her")])
    assert found.missing == ("Mary", "John") and found.of == 7
    assert found.sets == tuple(PAIRS)  # (She, HE) is (she, he) here, and her is no pair with itself
    assert bias_direction(vectors, PAIRS[:1]).shares == (1.0,)
    with pytest.raises(StreamvecError, match=r"1 of 3 definitional pairs .* too few .*'a', 'b', 'c', 'd'"):
        bias_direction(vectors, [PAIRS[0], ("a", "b"), ("c", "d")])
    with pytest.raises(StreamvecError, match="0 of 1 definitional pairs"):
        bias_direction(vectors, [("a", "b")])
    with pytest.raises(StreamvecError, match="do not span 5 direction"):
        bias_direction(vectors, PAIRS, components=5)
    with pytest.raises(StreamvecError, match="none of the 1 words"):
        projections(vectors, found, ["nobody"])
    with pytest.raises(ValueError, match="components must be at least 1"):
        bias_direction(vectors, PAIRS, 0)
    with pytest.raises(ValueError, match="got none"):
        bias_direction(vectors, [])


def test_pairs_that_do_not_differ_are_refused() -> None:
    vectors = KeyedVectors.from_arrays(["a", "b", "c", "d"], np.ones((4, 3), np.float32))
    with pytest.raises(StreamvecError, match="do not span 1 direction"):
        bias_direction(vectors, [("a", "b"), ("c", "d")])
    zeros = KeyedVectors.from_arrays(["a", "b", "c", "d"], np.zeros((4, 3), np.float32))
    with pytest.raises(StreamvecError, match="do not span 1 direction"):
        bias_direction(zeros, [("a", "b"), ("c", "d")])


@pytest.mark.parametrize("number", [1, 7, 44])
@pytest.mark.parametrize("ending", ["png", "svg"])
def test_pictures(tmp_path: Path, number: int, ending: str) -> None:
    vectors = biased_vectors()
    direction = bias_direction(vectors, PAIRS)
    found = projections(vectors, direction, [*JOBS, "queen", "king", *[f"word{one}" for one in range(12)]][:number])
    path = tmp_path / f"bias.{ending}"
    draw_projections(found, ("$she$", "h\te"), found.direct_bias(), path)
    start = path.read_bytes()[:100]
    assert start.startswith(b"\x89PNG" if ending == "png" else b"<?xml")
    with pytest.raises(StreamvecError, match=r"pictures end in \.png"):
        draw_projections(found, ("she", "he"), 0.1, tmp_path / "bias.gif")


def test_from_python() -> None:
    vectors = biased_vectors()
    direction = streamvec.bias_direction(vectors, PAIRS)
    assert streamvec.measure_bias(vectors, direction, JOBS).direct_bias == pytest.approx(
        streamvec.projections(vectors, direction, JOBS).direct_bias()
    )
