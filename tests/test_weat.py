"""WEAT: the formulas, exact p against every partition, sampled p near it."""

from itertools import combinations

import numpy as np
import pytest
from biased import units_of

from streamvec.errors import StreamvecError
from streamvec.vectors import KeyedVectors
from streamvec.vectors.weat import at_least, weat
from streamvec.vectors.wordlists import Association, NamedWords


def vectors_of(seed: int = 0, lean: float = 0.5) -> KeyedVectors:
    """x words lean to a words."""
    rng = np.random.default_rng(seed)
    names = [f"{kind}{number}" for kind in "xyab" for number in range(30)]
    rows = rng.standard_normal((len(names), 6))
    rows[:30, 0] += lean
    rows[60:90, 0] += 1.5
    rows[90:, 0] -= 1.5
    return KeyedVectors.from_arrays(names, rows.astype(np.float32))


def lists(x: int, y: int, a: int = 5, b: int = 4) -> Association:
    four = [
        NamedWords(kind, tuple(f"{kind}{number}" for number in range(size)))
        for kind, size in zip("xyab", (x, y, a, b), strict=True)
    ]
    return Association((four[0], four[1]), (four[2], four[3]))


def naive(vectors: KeyedVectors, test: Association) -> tuple[float, float, float, int]:
    """(effect size, statistic, p, partitions), by loops."""
    x, y, a, b = (units_of(vectors, one.words) for one in (*test.targets, *test.attributes))

    def s(word: np.ndarray) -> float:
        return float(np.mean([word @ other for other in a]) - np.mean([word @ other for other in b]))

    left, right = [s(word) for word in x], [s(word) for word in y]
    both = left + right
    spread = (sum((one - sum(both) / len(both)) ** 2 for one in both) / (len(both) - 1)) ** 0.5
    effect = (sum(left) / len(left) - sum(right) / len(right)) / spread
    reached = [
        sum(both[one] for one in some) >= sum(left) - 1e-12 for some in combinations(range(len(both)), len(left))
    ]
    return effect, sum(left) - sum(right), sum(reached) / len(reached), len(reached)


@pytest.mark.parametrize(("x", "y"), [(2, 2), (4, 4), (5, 3), (2, 9), (8, 8)])
@pytest.mark.parametrize("lean", [0.0, 1.0, -1.0])
def test_exact(x: int, y: int, lean: float) -> None:
    vectors, test = vectors_of(x, lean), lists(x, y)
    effect, statistic, p, partitions = naive(vectors, test)
    found = weat(vectors, test)
    assert found.effect_size == pytest.approx(effect, rel=1e-9)
    assert found.statistic == pytest.approx(statistic, rel=1e-9)
    assert (found.p, found.partitions, found.method) == (p, partitions, "exact")
    assert 1 / partitions <= found.p <= 1


def test_equal_scores_count() -> None:
    assert at_least(np.array([1.0, 1.0, 1.0, 1.0]), 2) == (6, 6)
    assert at_least(np.array([0.1, 0.2, 0.3, 0.0]), 2) == (4, 6)  # .2 + .1, .3 + 0 are the same but for rounding
    assert at_least(np.array([3.0, 2.0, 1.0]), 2) == (1, 3)


def test_forty_targets_are_exact_and_more_are_sampled() -> None:
    vectors = vectors_of(3, 0.4)
    exact = weat(vectors, lists(20, 20))
    assert exact.method == "exact" and exact.partitions == 137_846_528_820
    sampled = weat(vectors, lists(21, 20), permutations=20_000)
    assert sampled.method == "sampled" and sampled.partitions == 20_000
    assert sampled == weat(vectors, lists(21, 20), permutations=20_000)
    assert sampled.p != weat(vectors, lists(21, 20), permutations=20_000, seed=2).p


def test_sampled_p_is_near_the_exact_one(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors = vectors_of(5, 0.3)
    exact = weat(vectors, lists(8, 8))
    monkeypatch.setattr("streamvec.vectors.weat.EXACT_WORDS", 0)
    sampled = weat(vectors, lists(8, 8), permutations=50_000)
    assert sampled.method == "sampled" and 0.01 < exact.p < 0.99
    assert abs(sampled.p - exact.p) < 5 * (exact.p * (1 - exact.p) / 50_000) ** 0.5
    assert weat(vectors_of(1, 50.0), lists(8, 8), permutations=10).p == pytest.approx(1 / 11)


def test_words_that_are_missing() -> None:
    vectors = vectors_of()
    test = lists(3, 3)
    more = test._replace(targets=(NamedWords("x", ("x0", "X0", "X1", "nobody")), test.targets[1]))
    found = weat(vectors, more)
    assert found.found == (2, 3, 5, 4) and found.of == (4, 3, 5, 4) and found.missing == ("nobody",)
    assert found.lists == ("x", "y", "a", "b")
    few = test._replace(targets=(NamedWords("flowers", ("x0", "rose")), test.targets[1]))
    with pytest.raises(StreamvecError, match=r"1 of the 2 words of 'flowers' .* too few"):
        weat(vectors, few)
    with pytest.raises(StreamvecError, match=r"0 of the 1 words of 'pleasant'"):
        weat(vectors, test._replace(attributes=(NamedWords("pleasant", ("joy",)), test.attributes[1])))
    with pytest.raises(ValueError, match="permutations must be at least 1"):
        weat(vectors, test, permutations=0)


def test_no_effect_where_nothing_differs() -> None:
    vectors = KeyedVectors.from_arrays(list("xyzwab"), np.ones((6, 3), np.float32))
    test = Association(
        (NamedWords("one", ("x", "y")), NamedWords("two", ("z", "w"))),
        (NamedWords("a", ("a",)), NamedWords("b", ("b",))),
    )
    found = weat(vectors, test)
    assert found.effect_size is None and found.p == 1.0
