"""Hard debiasing: neutral words lose the bias subspace, and the words of a set differ in nothing else.

With w of length 1 and w_B its part within the subspace (Bolukbasi et al. 2016, section 6, step 2a):

    neutralize   w := (w - w_B) / |w - w_B|
    equalize     w := nu + sqrt(1 - |nu|^2) (w_B - mu_B) / |w_B - mu_B|, mu being the mean of a set, nu = mu - mu_B

So each word of an equalized set is as near to any neutral word as the others of its set are.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from streamvec.vectors.bias import along
from streamvec.vectors.keyedvectors import KeyedVectors
from streamvec.vectors.neighbours import unit_rows
from streamvec.vectors.wordlists import find_ranks, find_words, sets_in_every_case

_NOTHING = 1e-6  # what is shorter lies within the subspace, but for rounding


@dataclass(frozen=True)
class Equalized:
    """The new vectors of all words of equalized sets."""

    ranks: np.ndarray  # int64[n], rising
    rows: np.ndarray  # float64[n, dim], of length 1
    sets: tuple[tuple[str, ...], ...]  # as they stand in the vocabulary
    unused: tuple[tuple[str, ...], ...]  # sets as written of which a word is missing, or is in an earlier set
    #                                      or whose words do not differ within the subspace


def equalize(vectors: KeyedVectors, sets: Sequence[Sequence[str]], basis: np.ndarray) -> Equalized:
    """New vectors for the words of *sets*, and of their forms in other cases where all of a set are there.

    basis: float64[k, dim], orthonormal.
    """
    chosen: dict[tuple[int, ...], tuple[str, ...]] = {}
    taken: set[int] = set()
    found = find_words(vectors, (word for words in sets for word in words))
    unused = []
    for words in sets:
        places = [found[word] for word in words if word in found]
        ranks = tuple(place.rank for place in places)
        if ranks in chosen:
            continue  # its words in another case
        if len(places) < len(words) or len(set(ranks)) < len(ranks) or taken & set(ranks):
            unused.append(tuple(words))
            continue
        chosen[ranks] = tuple(place.form for place in places)
        taken |= set(ranks)
    more = sets_in_every_case(sets)
    exact = find_ranks(vectors, (word for words in more for word in words))
    for words in more:
        ranks = tuple(exact[word] for word in words if word in exact)
        if len(ranks) == len(words) == len(set(ranks)) and not taken & set(ranks):
            chosen[ranks] = tuple(words)
            taken |= set(ranks)
    every: dict[int, np.ndarray] = {}
    kept = []
    for ranks, forms in chosen.items():
        rows = equalized_rows(unit_rows(vectors.rows(np.array(ranks))), basis)
        if rows is None:
            unused.append(forms)
            continue
        kept.append(forms)
        every |= dict(zip(ranks, rows, strict=True))
    order = sorted(every)
    rows = np.array([every[rank] for rank in order]).reshape(len(order), vectors.dim)
    return Equalized(np.array(order, np.int64), rows, tuple(kept), tuple(unused))


def equalized_rows(units: np.ndarray, basis: np.ndarray) -> np.ndarray | None:
    """The new vectors float64[n, dim] of a set's; None where one does not differ from the mean within the subspace."""
    within = _within(units, basis)
    middle = within.mean(axis=0)
    beyond = units.mean(axis=0) - middle
    apart = within - middle
    lengths = np.sqrt((apart * apart).sum(axis=1))
    if (lengths < _NOTHING).any():
        return None
    out: np.ndarray = beyond + np.sqrt(max(0.0, 1.0 - float((beyond * beyond).sum()))) * apart / lengths[:, None]
    return out


def neutralized(units: np.ndarray, basis: np.ndarray) -> tuple[np.ndarray, int]:
    """(float64[n, dim] without the subspace and of length 1 again; how many had nothing else, and are zeros)."""
    rest = units - _within(units, basis)
    rest -= _within(rest, basis)  # what the first subtraction was off
    lengths = np.sqrt((rest * rest).sum(axis=1))
    gone = lengths < _NOTHING
    rest /= np.where(gone, 1.0, lengths)[:, None]
    rest[gone] = 0.0
    return rest, int((gone & units.any(axis=1)).sum())


def _within(rows: np.ndarray, basis: np.ndarray) -> np.ndarray:
    out = np.zeros_like(rows)
    for part, axis in zip(along(rows, basis).T, basis, strict=True):
        out += part[:, None] * axis
    return out
