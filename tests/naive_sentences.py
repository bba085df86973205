"""Vectors of sentences and maximal marginal relevance as plain programs, after the formulas of the papers."""

import math
from collections.abc import Mapping, Sequence


def sentence_vector(
    words: Sequence[str], vectors: Mapping[str, Sequence[float]], shares: Mapping[str, float], smoothing: float
) -> list[float]:
    """(1 / |s|) sum over its known words of a / (a + p(w)) v(w); zeros where none is known."""
    known = [word for word in words if word in vectors]
    dim = len(next(iter(vectors.values())))
    total = [0.0] * dim
    for word in known:
        weight = smoothing / (smoothing + shares[word])
        for column in range(dim):
            total[column] += weight * vectors[word][column]
    return [value / max(1, len(known)) for value in total]


def cosine(left: Sequence[float], right: Sequence[float]) -> float:
    lengths = math.sqrt(sum(a * a for a in left)) * math.sqrt(sum(b * b for b in right))
    return sum(a * b for a, b in zip(left, right, strict=True)) / lengths if lengths else 0.0


def mmr(
    candidates: Sequence[Sequence[float]], query: Sequence[float], number: int, diversity: float
) -> list[tuple[int, float]]:
    """(row, score) in the order of choice."""
    chosen: list[tuple[int, float]] = []
    while len(chosen) < min(number, len(candidates)):
        best, highest = -1, -math.inf
        taken = [row for row, _ in chosen]
        for row, candidate in enumerate(candidates):
            if row in taken:
                continue
            likeness = max((cosine(candidate, candidates[other]) for other in taken), default=0.0)
            score = (1 - diversity) * cosine(candidate, query) - diversity * likeness
            if score > highest:
                best, highest = row, score
        chosen.append((best, highest))
    return chosen
