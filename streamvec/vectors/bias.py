"""In which direction vectors tell women from men, or any such pair of kinds, and how far words lie along it.

Bolukbasi, Chang, Zou, Saligrama and Kalai, Man is to Computer Programmer as Woman is to Homemaker? Debiasing Word
Embeddings (2016), section 5. All vectors are scaled to length 1 first, as there.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from streamvec.errors import StreamvecError
from streamvec.vectors.keyedvectors import KeyedVectors
from streamvec.vectors.neighbours import unit_rows
from streamvec.vectors.onethread import one_blas_thread
from streamvec.vectors.wordlists import find_words, read_as

_DRAWS = 100  # of random sets, whose shares are averaged
_RANDOM_TOP = 30_000  # random words are drawn from so many of the most frequent
_ROWS = 4096  # rows of sets looked at at once


@dataclass(frozen=True)
class BiasDirection:
    """The bias subspace of some definitional sets: what the words of a set differ in."""

    basis: np.ndarray  # float64[components, dim], orthonormal; the first words of the sets lie on the positive side
    shares: tuple[float, ...]  # of variance, of every component, largest first; they add up to 1
    random_shares: tuple[float, ...]  # the same for as many sets of random words, a mean over draws
    sets: tuple[tuple[str, ...], ...]  # those that were found, as they stand in the vocabulary
    ranks: tuple[tuple[int, ...], ...]  # and where
    missing: tuple[str, ...]  # words that the vectors lack, as written
    read_as: dict[str, str]  # words that stand there in another form, and the form
    of: int  # sets asked for

    @property
    def ends(self) -> tuple[str, str]:
        """A word of the positive and one of the negative side: those of the first set."""
        return self.sets[0][0], self.sets[0][-1]


@dataclass(frozen=True)
class Projections:
    """How far words lie along a bias direction, from the most negative to the most positive."""

    words: tuple[str, ...]  # as they stand in the vocabulary
    values: np.ndarray  # float64[n], rising: cosines with the first component
    sizes: np.ndarray  # float64[n], 0 to 1: the length of the part within the whole subspace
    missing: tuple[str, ...]  # words that the vectors lack, as written
    read_as: dict[str, str]  # words that stand there in another form, and the form

    def direct_bias(self, strictness: float = 1.0) -> float:
        """The mean of |cos(w, g)|^c over the words, c being *strictness* (equation in section 5.2): 0 is no bias."""
        if not strictness >= 0:
            raise ValueError(f"strictness must be at least 0, got {strictness}")
        return float((self.sizes**strictness).mean())


def bias_direction(
    vectors: KeyedVectors, pairs: Sequence[Sequence[str]], components: int = 1, seed: int = 1
) -> BiasDirection:
    """The principal components of the definitional *pairs* (or larger sets), each centred at its own mean.

    With D_i the sets and mu_i their means, the first *components* eigenvectors of
    C = sum over i, over w in D_i, of (w - mu_i)(w - mu_i)^T / |D_i|. A set with a word that the vectors lack is left
    out; two sets that stand for the same words count once. *seed* draws the random sets. Raises StreamvecError where
    fewer than two sets are left (of a single one: none), or they span fewer directions than *components*.
    """
    if components < 1:
        raise ValueError(f"components must be at least 1, got {components}")
    if not pairs:
        raise ValueError("pairs must hold at least one pair of words, got none")
    found = find_words(vectors, (word for words in pairs for word in words))
    missing = tuple(dict.fromkeys(word for words in pairs for word in words if word not in found))
    whole = {
        tuple(found[word].rank for word in words): tuple(found[word].form for word in words)
        for words in pairs
        if all(word in found for word in words)
    }
    kept = {ranks: forms for ranks, forms in whole.items() if len(set(ranks)) == len(ranks) > 1}
    if len(kept) < min(2, len(pairs)):
        lacking = f": not among the words of {vectors.name}: {', '.join(map(repr, missing[:5]))}" if missing else ""
        raise StreamvecError(
            f"{len(kept)} of {len(pairs)} definitional pairs can be used, which is too few for a direction{lacking}"
        )
    values, axes = _components(vectors, list(kept))
    if components > len(values) or values[components - 1] <= 1e-12 * max(values[0], 1e-300) or values[0] <= 1e-14:
        raise StreamvecError(
            f"the {len(kept)} definitional pairs do not span {components} direction(s): give more pairs that differ"
        )
    basis = np.array([_oriented(vectors, list(kept), axis) for axis in axes[:components]])
    return BiasDirection(
        basis=basis,
        shares=tuple((values / values.sum()).tolist()),
        random_shares=_random_shares(vectors, [len(ranks) for ranks in kept], seed),
        sets=tuple(kept.values()),
        ranks=tuple(kept),
        missing=missing,
        read_as=read_as(found),
        of=len(pairs),
    )


def projections(vectors: KeyedVectors, direction: BiasDirection, words: Sequence[str]) -> Projections:
    """How far each of *words* lies along *direction*; StreamvecError when the vectors know none of them."""
    found = find_words(vectors, words)
    places = list({place.rank: place for place in found.values()}.values())
    if not places:
        raise StreamvecError(f"none of the {len(words):,} words is among the words of {vectors.name}")
    parts = along(unit_rows(vectors.rows(np.array([place.rank for place in places]))), direction.basis)
    order = np.lexsort((np.array([place.rank for place in places]), parts[:, 0]))
    return Projections(
        words=tuple(places[row].form for row in order.tolist()),
        values=parts[order, 0],
        sizes=np.minimum(np.sqrt((parts * parts).sum(axis=1)), 1.0)[order],
        missing=tuple(word for word in dict.fromkeys(words) if word not in found),
        read_as=read_as(found),
    )


def along(units: np.ndarray, basis: np.ndarray) -> np.ndarray:
    """float64[n, k]: the part of float64[n, dim] along each row of *basis* float64[k, dim].

    Each row is summed on its own: not a product of matrices, whose last bits depend on how many rows there are.
    """
    out = np.empty((len(units), len(basis)))
    for number, axis in enumerate(basis):
        out[:, number] = (units * axis).sum(axis=1)
    return out


def _components(vectors: KeyedVectors, sets: list[tuple[int, ...]]) -> tuple[np.ndarray, np.ndarray]:
    """(variances float64[m], falling; axes float64[m, dim]) of the centred sets; m is how many there can be."""
    scatter = np.zeros((vectors.dim, vectors.dim))
    with one_blas_thread():
        for start in range(0, len(sets), _ROWS):
            centred = _centred(vectors, sets[start : start + _ROWS])
            scatter += centred.T @ centred
        values, axes = np.linalg.eigh(scatter)
    most = min(vectors.dim, sum(len(ranks) - 1 for ranks in sets))
    return np.maximum(values[::-1][:most], 0.0), axes.T[::-1][:most]


def _centred(vectors: KeyedVectors, sets: Sequence[tuple[int, ...]]) -> np.ndarray:
    """float64[words, dim]: (w - mu_i) / sqrt(|D_i|) of each word of each set."""
    units = unit_rows(vectors.rows(np.array([rank for ranks in sets for rank in ranks])))
    sizes = np.array([len(ranks) for ranks in sets])
    starts = np.cumsum(sizes) - sizes
    means = np.add.reduceat(units, starts, axis=0) / sizes[:, None]
    out: np.ndarray = (units - np.repeat(means, sizes, axis=0)) / np.sqrt(np.repeat(sizes, sizes))[:, None]
    return out


def _oriented(vectors: KeyedVectors, sets: list[tuple[int, ...]], axis: np.ndarray) -> np.ndarray:
    """*axis* or its opposite: the one along which the first words of the sets lie ahead of the others."""
    ahead = 0.0
    for start in range(0, len(sets), _ROWS):
        some = sets[start : start + _ROWS]
        sizes = np.array([len(ranks) for ranks in some])
        ahead += float((_centred(vectors, some)[np.cumsum(sizes) - sizes] * axis).sum())
    if abs(ahead) < 1e-9:  # neither side: then the largest number is positive
        ahead = float(axis[np.abs(axis).argmax()])
    return axis if ahead >= 0 else -axis


def _random_shares(vectors: KeyedVectors, sizes: list[int], seed: int) -> tuple[float, ...]:
    """The mean shares of variance of sets of these sizes whose words are drawn among the most frequent ones."""
    top = min(len(vectors), _RANDOM_TOP)
    rng = np.random.default_rng(seed)
    total = np.zeros(min(vectors.dim, sum(sizes) - len(sizes)))
    for _ in range(_DRAWS):
        drawn = rng.integers(0, top, sum(sizes)) if top < sum(sizes) else rng.choice(top, sum(sizes), replace=False)
        ends = np.cumsum(sizes)
        sets = [tuple(drawn[end - size : end].tolist()) for end, size in zip(ends, sizes, strict=True)]
        centred = _centred(vectors, sets)
        with one_blas_thread():
            small = centred @ centred.T if len(centred) < vectors.dim else centred.T @ centred
            values = np.maximum(np.linalg.eigvalsh(small)[::-1][: len(total)], 0.0)
        total += values / max(values.sum(), 1e-300)
    return tuple((total / _DRAWS).tolist())
