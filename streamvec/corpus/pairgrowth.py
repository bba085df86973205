"""How many different pairs of words near each other a whole corpus will have, told from a sample of its ids.

Were words strewn at random, a pair of probability p would be among t pairs of neighbours with a probability of
1 - exp(-t p). Summed over all pairs of words, this grows with t much as in a real text, to the end, where every word
has met every other. A real text repeats itself: its t pairs are worth a share of as many random ones, about 0.7 in
English. The sample, and a quarter of it, tell this share and how slowly it falls.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from streamvec.corpus.cooccurrences import Counted
from streamvec.corpus.growth import Sample
from streamvec.corpus.nearby import Nearby, one_band
from streamvec.corpus.shards import TokenBatch
from streamvec.kernels.pairs import PAIR, SUM, add_pairs, clear_pairs, new_pairs

_MOST_MET = 1 << 25  # pairs of the sample that are looked at: a second's work
_SLOTS = 1 << 18  # of the table of those that stand for all
_MIX = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_SINGLE, _GROUPS = 64, 192  # the most frequent words, each alone, and groups of the others
_CERTAIN = 64  # occurrences in a sample that tell a word's frequency
_LEAST_SLOPE = -0.15
_ONE = np.ones(1, np.int64)


class Frequencies(NamedTuple):
    """Words of a vocabulary in groups of like frequency."""

    words: np.ndarray  # float64[groups]: how many
    rates: np.ndarray  # float64[groups]: the share of all tokens that each of them has

    @classmethod
    def of_groups(cls, words: Sequence[float] | np.ndarray, counts: Sequence[float] | np.ndarray) -> "Frequencies":
        """Groups of *words* words that occur *counts* times each."""
        number, each = np.asarray(words, np.float64), np.asarray(counts, np.float64)
        return cls(number, each / max(1.0, float(number @ each)))

    @classmethod
    def of_counts(cls, counts: np.ndarray) -> "Frequencies":
        """Of a whole vocabulary: int64[V], falling."""
        return cls.of_groups(*groups_of(counts))

    @classmethod
    def of_sample(cls, sample: Sample, words: int, min_count: int) -> "Frequencies":
        """Of the *words* most frequent words of the corpus, which occur *min_count* times or more."""
        if sample.is_whole:
            return cls.of_counts(sample.counts[:words])
        total = sample.all_tokens()
        certain = min(words, int(np.searchsorted(-sample.counts, -_CERTAIN, side="right")))
        sizes, each = groups_of(sample.counts[:certain])
        numbers, counts, known = sizes.tolist(), (each * sample.scale).tolist(), float(certain)
        above = max(float(min_count), _CERTAIN * sample.scale)
        while known < words and above > min_count:
            below = max(float(min_count), above / 2**0.25)
            upto = min(float(words), sample.words(total, below)) if below > min_count else float(words)
            numbers.append(max(0.0, upto - known))
            counts.append(math.sqrt(above * below))
            known, above = max(known, upto), below
        return cls.of_groups(numbers, counts)

    def different(self, pairs: float, directed: bool) -> float:
        """How many different ones are expected among *pairs* pairs of words drawn at random."""
        words, rates = self
        turns = 1.0 if directed else 2.0  # without direction either word may come first
        numbers = np.outer(words, words) / turns
        np.fill_diagonal(numbers, words * np.maximum(0.0, words - 1) / turns)
        found = -np.expm1(-turns * pairs * np.outer(rates, rates))
        return float((numbers * found).sum()) + self.beside_themselves(pairs)

    def beside_themselves(self, pairs: float) -> float:
        """How many words are expected to be in a pair with themselves."""
        return float(self.words @ -np.expm1(-pairs * self.rates**2))


@dataclass(frozen=True)
class PairGrowth:
    """How many different pairs any part of a corpus has."""

    frequencies: Frequencies
    window: int
    directed: bool
    near: float  # pairs of each token with words before it
    met: float  # pairs of the sample, the same one counted as often as it comes
    share: float  # of these, as many at random would hold as many different ones
    slope: float  # of the logarithm of the share over that of the pairs

    def stored(self, tokens: float) -> float:
        """Different pairs in so many tokens of the vocabulary: of a symmetric matrix, half."""
        return min(tokens * self.near, self.frequencies.different(self._random(tokens), self.directed))

    def entries(self, tokens: float) -> float:
        """Numbers above 0 in the matrix of co-occurrences of so many tokens."""
        stored = self.stored(tokens)
        if self.directed:
            return stored
        return 2 * stored - min(stored, self.frequencies.beside_themselves(self._random(tokens)))

    def _random(self, tokens: float) -> float:
        met = tokens * self.near
        return met * min(1.0, self.share * (max(met, 1.0) / max(self.met, 1.0)) ** self.slope)


def pair_growth(batches: Sequence[TokenBatch], frequencies: Frequencies, counted: Counted) -> PairGrowth:
    """Counts the different pairs of a sample of ids of the vocabulary whose words have these *frequencies*."""
    nearby = Nearby(counted, one_band(batches))
    different, met, tokens = _Different(), 0, 0
    total = sum(batch.values.size for batch in batches)
    part = (0, 0.0)
    for batch in batches:
        for pairs, _, passed in nearby.of(batch) if met < _MOST_MET else ():
            different.add(pairs)
            met, tokens = met + pairs.size, tokens + passed
            if not part[0] and 4 * max(tokens, met * total // _MOST_MET) >= total:
                part = met, different.number
            if met >= _MOST_MET:
                break
    directed = not counted.symmetric
    share = _share(frequencies, directed, different.number, met)
    slope = 0.0
    if 0 < part[0] < met:
        slope = math.log(share / _share(frequencies, directed, part[1], part[0])) / math.log(met / part[0])
    slope = min(0.0, max(_LEAST_SLOPE, slope))
    return PairGrowth(frequencies, counted.window, directed, met / max(1, tokens), float(met), share, slope)


def _share(frequencies: Frequencies, directed: bool, number: float, met: int) -> float:
    """What share of *met* pairs would at random hold *number* different ones, at most all."""
    low, high = 1e-6, 1.0
    for _ in range(30):
        middle = math.sqrt(low * high)
        low, high = (low, middle) if frequencies.different(middle * met, directed) >= number else (middle, high)
    return high


def groups_of(counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(how many words, how often each occurs on the average) of groups of counts, int64[n], falling."""
    if not counts.size:
        return np.zeros(0), np.zeros(0)
    later = np.geomspace(_SINGLE, max(_SINGLE, counts.size), _GROUPS).astype(np.int64)
    edges = np.unique(np.minimum(np.concatenate([np.arange(_SINGLE), later]), counts.size))
    edges = edges[edges < counts.size]
    sizes = np.diff(np.append(edges, counts.size))
    return sizes.astype(np.float64), np.add.reduceat(counts, edges) / sizes


class _Different:
    """How many different numbers have been added: those with a small hash are kept, and stand for all."""

    def __init__(self) -> None:
        self._table = new_pairs(_SLOTS)
        self._halvings = 0

    @property
    def number(self) -> float:
        """Different numbers, to half a percent."""
        return float(int(self._table.used[0]) << self._halvings)

    def add(self, pairs: np.ndarray) -> None:
        """Adds pairs, uint64[n]."""
        some = self._kept(pairs)
        place = 0
        while (place := add_pairs(self._table, some, _ONE, place, some.size)) < some.size:
            self._halvings += 1
            slots = self._table.slots
            held = self._kept(slots[slots[:, SUM] > 0, PAIR])
            clear_pairs(self._table)
            add_pairs(self._table, held, _ONE, 0, held.size)
            some, place = self._kept(some[place:]), 0

    def _kept(self, pairs: np.ndarray) -> np.ndarray:
        if not self._halvings:
            return pairs
        mixed = pairs * _MIX[0]
        mixed ^= mixed >> np.uint64(31)
        mixed *= _MIX[1]
        return pairs[mixed >> np.uint64(64 - self._halvings) == 0]
