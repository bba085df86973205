"""Do two kinds of words differ in what they are associated with? The word embedding association test (WEAT).

With X and Y the targets (flowers, insects) and A and B the attributes (pleasant, unpleasant):

    s(w, A, B) = mean over a in A of cos(w, a) - mean over b in B of cos(w, b)
    effect size = (mean over X of s - mean over Y of s) / standard deviation of s over X and Y together (n - 1)
    p = the share of all partitions of X and Y into sets of these sizes in which the sum of s over the first set is at
        least as large as over X

Caliskan, Bryson and Narayanan, Semantics derived automatically from language corpora contain human-like biases
(2017). The paper counts sums that are larger only; here X and Y themselves count, so p is never 0.
"""

import math
from dataclasses import dataclass

import numpy as np

from streamvec.errors import StreamvecError
from streamvec.vectors.keyedvectors import KeyedVectors
from streamvec.vectors.neighbours import unit_rows
from streamvec.vectors.wordlists import Association, NamedWords, find_words, read_as

PERMUTATIONS = 100_000
EXACT_WORDS = 40  # so many targets and fewer: all partitions, of which there can be 1.4e11, are counted
_SAMPLED = 4096  # permutations drawn at once


@dataclass(frozen=True)
class Weat:
    """The outcome of one test."""

    lists: tuple[str, str, str, str]  # names: targets X and Y, attributes A and B
    found: tuple[int, int, int, int]  # words of each list that the vectors know
    of: tuple[int, int, int, int]  # of so many
    effect_size: float | None  # -2 to 2, positive where X goes with A; None where no word differs from another
    statistic: float  # sum of s over X less that over Y
    p: float  # one-sided
    method: str  # "exact": over all partitions; "sampled": over some of them, and the one that is
    partitions: int  # how many were looked at
    missing: tuple[str, ...]  # words that the vectors lack, as written
    read_as: dict[str, str]  # words that stand there in another form, and the form


def weat(vectors: KeyedVectors, lists: Association, permutations: int = PERMUTATIONS, seed: int = 1) -> Weat:
    """The test of *lists*; exact with at most 40 targets in all, otherwise by *permutations* drawn by *seed*.

    A word that the vectors lack is left out. Raises StreamvecError where fewer than two words are left of a list of
    targets, or none of one of attributes.
    """
    if permutations < 1:
        raise ValueError(f"permutations must be at least 1, got {permutations}")
    four = (*lists.targets, *lists.attributes)
    found = find_words(vectors, (word for each in four for word in each.words))
    units = []
    for each, least in zip(four, (2, 2, 1, 1), strict=True):
        ranks = list(dict.fromkeys(found[word].rank for word in each.words if word in found))
        if len(ranks) < least:
            raise StreamvecError(_too_few(each, len(ranks), vectors.name))
        units.append(unit_rows(vectors.rows(np.array(ranks))))
    away = units[2].mean(axis=0) - units[3].mean(axis=0)
    scores = [(one * away).sum(axis=1) for one in units[:2]]
    both = np.concatenate(scores)
    first = len(scores[0])
    if len(both) <= EXACT_WORDS:
        least, partitions = at_least(both, first)
        p, method = least / partitions, "exact"
    else:
        p, method = _sampled(both, first, permutations, seed), "sampled"
        partitions = permutations
    spread = float(both.std(ddof=1))
    difference = float(scores[0].mean() - scores[1].mean())
    return Weat(
        lists=(four[0].name, four[1].name, four[2].name, four[3].name),
        found=(first, len(scores[1]), len(units[2]), len(units[3])),
        of=(len(four[0].words), len(four[1].words), len(four[2].words), len(four[3].words)),
        effect_size=difference / spread if spread > 1e-12 else None,
        statistic=float(scores[0].sum() - scores[1].sum()),
        p=p,
        method=method,
        partitions=partitions,
        missing=tuple(dict.fromkeys(word for each in four for word in each.words if word not in found)),
        read_as=read_as(found),
    )


def at_least(scores: np.ndarray, first: int) -> tuple[int, int]:
    """(partitions whose first set of *first* scores adds up to at least what scores[:first] do, partitions there are).

    Not by looking at all of them: every set is one subset of the first half of the scores and one of the second. The
    sums of the 2^(n/2) subsets of each are sorted by size, and for each of one half those of the other that reach the
    sum are found by bisection (Horowitz and Sahni 1974).
    """
    least = _least(scores, first)
    middle = len(scores) // 2
    left, right = _subset_sums(scores[:middle]), _subset_sums(scores[middle:])
    count = 0
    for size in range(max(0, first - len(right) + 1), min(first, middle) + 1):
        rest = np.sort(right[first - size])
        reached = np.searchsorted(rest, least - left[size], "left")
        count += int(len(rest) * len(left[size]) - reached.sum())
    return count, math.comb(len(scores), first)


def _subset_sums(scores: np.ndarray) -> list[np.ndarray]:
    """The sums of all subsets, by how many scores they have: 0 to n."""
    sums = [np.zeros(1)]
    for score in scores:
        longer = [one + score for one in sums]
        sums = [np.concatenate(pair) for pair in zip([*sums, np.empty(0)], [np.empty(0), *longer], strict=True)]
    return sums


def _sampled(scores: np.ndarray, first: int, permutations: int, seed: int) -> float:
    """(those of the drawn partitions that reach the sum + 1) / (drawn + 1): the one that is counts among them."""
    least = _least(scores, first)
    rng = np.random.default_rng(seed)
    count = 0
    for start in range(0, permutations, _SAMPLED):
        some = min(_SAMPLED, permutations - start)
        sets = rng.random((some, len(scores))).argpartition(first - 1, axis=1)[:, :first]
        count += int((scores[sets].sum(axis=1) >= least).sum())
    return (count + 1) / (permutations + 1)


def _least(scores: np.ndarray, first: int) -> float:
    """The sum to be reached, less what additions in another order can be off."""
    return float(scores[:first].sum() - 1e-12 * (np.abs(scores).sum() + 1e-300))


def _too_few(each: NamedWords, found: int, where: str) -> str:
    return (
        f"{found} of the {len(each.words)} words of {each.name!r} are among the words of {where}, which is too few for "
        "a WEAT: give others"
    )
