"""How many neighbours and phrases a whole corpus will have, told from a sample of its ids.

A quarter of the sample and the sample give the slope of each number over tokens, on logarithmic scales, prolonged.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from streamvec.corpus.phrases import SCORES, Joins, PhraseOptions
from streamvec.kernels.phrases import END, neighbours, select_pairs


class PhraseGrowth(NamedTuple):
    """Numbers of a sample, and their slopes over the logarithm of its tokens."""

    tokens: int
    pairs: int  # different neighbours
    pairs_slope: float
    phrases: int
    phrases_slope: float
    joined: float  # share of the tokens that are joined to the one before

    def all_pairs(self, tokens: float) -> float:
        """Different neighbours in so many tokens."""
        return min(tokens, self.pairs * (tokens / max(1, self.tokens)) ** self.pairs_slope)

    def all_phrases(self, tokens: float) -> float:
        """Phrases found in so many tokens."""
        return self.phrases * (tokens / max(1, self.tokens)) ** self.phrases_slope


def phrase_growth(found: Sequence[tuple[np.ndarray, np.ndarray]], options: PhraseOptions) -> PhraseGrowth:
    """Finds phrases in (ids int32[n], lengths of documents int32[documents]) of a sample, and in a part of it."""
    flat = _flat(found)
    part = flat[: flat.size // 4]
    (tokens, pairs, phrases, joined), few = _find(flat, options), _find(part, options)
    wider = math.log(max(1, tokens) / max(1, few[0])) if few[0] else 0.0
    if not wider:
        return PhraseGrowth(tokens, pairs, 1.0, phrases, 1.0, joined / max(1, tokens))

    def slope(whole: int, small: int) -> float:
        return min(1.0, max(0.0, math.log(whole / small) / wider)) if whole and small else 1.0

    slopes = slope(pairs, few[1]), slope(phrases, few[2])
    return PhraseGrowth(tokens, pairs, slopes[0], phrases, slopes[1], joined / max(1, tokens))


def _flat(found: Sequence[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    pieces = [np.zeros(0, np.int32)]
    for ids, lengths in found:
        ends = np.cumsum(lengths, dtype=np.int64)
        pieces.append(np.insert(ids[: ends[-1] if ends.size else 0], ends, END).astype(np.int32))
    return np.concatenate(pieces)


def _find(flat: np.ndarray, options: PhraseOptions) -> tuple[int, int, int, int]:
    """(tokens, different neighbours, phrases, tokens joined) of a stream."""
    flat, size, phrases = flat.copy(), flat.size, 0
    tokens, first = int(np.count_nonzero(flat != END)), 0
    for number in range(options.passes):
        used = flat[:size]
        counts = np.bincount(used[used != END], minlength=1).astype(np.int64)
        keys = np.empty(max(1, size), np.uint64)
        pairs, sums = np.unique(keys[: neighbours(flat, size, keys)], return_counts=True)
        first = pairs.size if number == 0 else first
        types, now = int(np.count_nonzero(counts)) + pairs.size, int(counts.sum())
        kind, scores = SCORES[options.score], np.empty(pairs.size)
        sums = sums.astype(np.int64)
        kept = select_pairs(
            pairs, sums, pairs.size, counts, kind, options.min_count, types, max(1, now), options.above, scores
        )
        if not kept:
            break
        ids = counts.size + np.arange(kept)
        size = Joins(pairs[:kept], ids, scores[:kept], counts.size).apply(flat, size)
        phrases += kept
    return tokens, first, phrases, tokens - int(np.count_nonzero(flat[:size] != END))
