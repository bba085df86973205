"""Writes vectors without their bias: hard or soft, a block at a time, and measures what it changed.

Every vector that is written has length 1 (one of zeros stays what it is): the paper scales all words first, and
lengths of what was taken apart and put together again would mean nothing. Counts and the order of words stay.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from streamvec.errors import StreamvecError
from streamvec.vectors.bias import BiasDirection, bias_direction, projections
from streamvec.vectors.evaluation import (
    TOP,
    AnalogyScores,
    SimilarityScore,
    evaluate_analogies,
    evaluate_similarity,
)
from streamvec.vectors.formats import may_write
from streamvec.vectors.harddebias import Equalized, equalize, neutralized
from streamvec.vectors.keyedvectors import KeyedVectors
from streamvec.vectors.ngramfile import CHECKSUM
from streamvec.vectors.softdebias import GramMatrix, SoftTransform, soft_transform
from streamvec.vectors.specific import Ruled, Specific, learnt, listed, unit_blocks
from streamvec.vectors.store import VectorsWriter

SOFT_SHARE = 0.1  # lambda, unless it is given, weighs the means of both sums like 1 and so much

_Sets = Sequence[Sequence[str]]


@dataclass(frozen=True)
class Debiased:
    """What debias() did."""

    direction: BiasDirection
    method: str  # "hard" or "soft"
    words: int
    neutral: int  # so many of them
    specific_words: int  # so many are specific by the rule
    emptied: int  # neutral words that had nothing but bias: they are zeros now
    equalized: tuple[tuple[str, ...], ...]  # sets, as they stand in the vocabulary
    unused: tuple[tuple[str, ...], ...]  # sets of equalize that could not be equalized
    unknown: tuple[str, ...]  # specific (or neutral) words that the vectors lack, as written
    read_as: dict[str, str]  # such words that stand there in another form, and the form
    strength: float | None  # the lambda of soft debiasing
    specific: Specific


@dataclass(frozen=True)
class Measures:
    """How biased vectors are, and how good."""

    direct_bias: float | None  # of a list of words; None without one
    similarity: tuple[SimilarityScore, ...]
    analogies: tuple[AnalogyScores, ...]


def debias(
    vectors: KeyedVectors,
    out: Path | str,
    pairs: _Sets,
    equalized: _Sets = (),
    specific: Sequence[str] | None = None,
    seeds: Sequence[str] | None = None,
    neutral: Sequence[str] | None = None,
    components: int = 1,
    soft: bool = False,
    strength: float | None = None,
    overwrite: bool = False,
) -> Debiased:
    """Writes *vectors* without their component along the bias direction of *pairs* to *out*, a vectors.arrow.

    Neutral are all words but *specific* ones, or those that a classifier learns from *seeds*, or just the words
    *neutral*: at most one of the three; without any, all. Words of *pairs* and of sets that are equalized never are.
    Hard debiasing neutralizes those and equalizes the sets *equalized*, also in other cases. Soft debiasing maps all
    words by one matrix; *strength* is the paper's lambda, by default V^2 / (10 N) of V words of which N are neutral.
    Raises StreamvecError when *out* exists (without *overwrite*), ValueError for arguments that exclude each other.
    """
    out = Path(out)
    if sum(given is not None for given in (specific, seeds, neutral)) > 1:
        raise ValueError("specific, seeds and neutral exclude each other: give one of them")
    if soft and equalized:
        raise ValueError("equalized is for hard debiasing: soft debiasing maps all words alike")
    if strength is not None and not soft:
        raise ValueError("strength is for soft debiasing")
    if out.is_dir():
        raise StreamvecError(f"{out}: a folder: name a file, like debiased.arrow")
    may_write(out, overwrite)
    direction = bias_direction(vectors, pairs, components)
    same = equalize(vectors, equalized, direction.basis)
    ruled = _rule(vectors, specific, seeds, neutral)
    kept = np.unique([rank for ranks in direction.ranks for rank in ranks] + same.ranks.tolist())
    plan = _Plan(direction.basis, ruled.rule, kept, same)
    if soft:
        plan, strength = _soft(vectors, plan, strength)
    told = {
        "method": "soft" if soft else "hard",
        "components": components,
        "pairs": len(direction.sets),
        "ends": [word[:100] for word in direction.ends],
        "equalized": len(same.sets),
        "specific": "listed"
        if specific is not None
        else "learnt"
        if seeds is not None
        else "all but neutral"
        if neutral is not None
        else "none but pairs",
        **({"lambda": strength} if soft else {}),
    }
    counts = _write(vectors, out, plan, told)
    return Debiased(
        direction=direction,
        method=str(told["method"]),
        words=len(vectors),
        neutral=counts.neutral,
        specific_words=counts.specific,
        emptied=counts.emptied,
        equalized=same.sets,
        unused=same.unused,
        unknown=ruled.missing,
        read_as=ruled.read_as,
        strength=strength,
        specific=ruled.rule,
    )


def measure_bias(
    vectors: KeyedVectors,
    direction: BiasDirection,
    words: Sequence[str] = (),
    similarity: Sequence[Path | str] = (),
    analogies: Sequence[Path | str] = (),
    strictness: float = 1.0,
    top: int = TOP,
) -> Measures:
    """The direct bias of *words* along *direction*, and the scores of files as ``streamvec evaluate`` has them."""
    return Measures(
        direct_bias=projections(vectors, direction, words).direct_bias(strictness) if words else None,
        similarity=tuple(evaluate_similarity(vectors, path) for path in similarity),
        analogies=tuple(evaluate_analogies(vectors, path, top) for path in analogies),
    )


class _Counts(NamedTuple):
    """What some words are."""

    neutral: int
    specific: int
    emptied: int  # neutral ones that became zeros


@dataclass(frozen=True)
class _Plan:
    """What happens to each row."""

    basis: np.ndarray  # float64[k, dim]
    specific: Specific
    kept: np.ndarray  # int64[n], rising: ranks of words of sets, which are never neutral
    equalized: Equalized
    transform: SoftTransform | None = None

    def neutral(self, ranks: np.ndarray, specific: np.ndarray) -> np.ndarray:
        """bool[n] of ranks int64[n] that are *specific* bool[n] or not."""
        mask: np.ndarray = ~specific & ~np.isin(ranks, self.kept, assume_unique=True)
        return mask

    def apply(self, ranks: np.ndarray, units: np.ndarray) -> tuple[np.ndarray, _Counts]:
        """New vectors float64[n, dim] of neighbouring ranks int64[n] with vectors float64[n, dim] of length 1."""
        specific = self.specific.mask(ranks, units)
        neutral = self.neutral(ranks, specific)
        if self.transform:
            return self.transform.apply(units), _Counts(int(neutral.sum()), int(specific.sum()), 0)
        rows = units.copy()
        rows[neutral], emptied = neutralized(units[neutral], self.basis)
        here = np.isin(self.equalized.ranks, ranks, assume_unique=True)
        rows[self.equalized.ranks[here] - ranks[0]] = self.equalized.rows[here]
        return rows, _Counts(int(neutral.sum()), int(specific.sum()), emptied)


def _rule(
    vectors: KeyedVectors, specific: Sequence[str] | None, seeds: Sequence[str] | None, neutral: Sequence[str] | None
) -> Ruled:
    if seeds is not None:
        return learnt(vectors, seeds)
    if neutral is not None:
        return listed(vectors, neutral, invert=True)
    return listed(vectors, specific or ())


def _soft(vectors: KeyedVectors, plan: _Plan, strength: float | None) -> tuple[_Plan, float]:
    every, neutral = GramMatrix(vectors.dim), GramMatrix(vectors.dim)
    number = 0
    for base, _, units in unit_blocks(vectors):
        ranks = np.arange(base, base + len(units))
        mask = plan.neutral(ranks, plan.specific.mask(ranks, units))
        every.add(units)
        neutral.add(units[mask])
        number += int(mask.sum())
    if not number:
        raise StreamvecError("no word is neutral: there is nothing to debias")
    if strength is None:
        strength = SOFT_SHARE * len(vectors) ** 2 / number
    transform = soft_transform(every.total, neutral.total, plan.basis, strength)
    return _Plan(plan.basis, plan.specific, plan.kept, plan.equalized, transform), strength


def _write(vectors: KeyedVectors, out: Path, plan: _Plan, told: dict[str, Any]) -> _Counts:
    info = {key: value for key, value in vectors.info.items() if key != CHECKSUM}  # n-grams stay behind
    counts = _Counts(0, 0, 0)
    with VectorsWriter(out, vectors.dim, {**info, "debiased": told}) as writer:
        for base, chunk, units in unit_blocks(vectors):
            rows, some = plan.apply(np.arange(base, base + len(units)), units)
            writer.write(chunk.words, rows.astype(np.float32), chunk.counts)
            counts = _Counts(*(one + more for one, more in zip(counts, some, strict=True)))
    return counts
