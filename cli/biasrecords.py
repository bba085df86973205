"""What bias and debias say, as objects for --json."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from streamvec.vectors.bias import BiasDirection, Projections
    from streamvec.vectors.debias import Debiased, Measures
    from streamvec.vectors.weat import Weat


def outermost(found: "Projections", number: int) -> list[int]:
    """Places of the words to be told: so many of each end; all where *number* is 0."""
    rows = list(range(len(found.words)))
    return rows if not number or 2 * number >= len(rows) else rows[:number] + rows[-number:]


def direction_record(path: str | None, direction: "BiasDirection") -> dict[str, Any]:
    return {
        "pairs": path,
        "ends": list(direction.ends),
        "found": len(direction.sets),
        "of": direction.of,
        "missing": list(direction.missing),
        "read_as": direction.read_as,
        "shares": list(direction.shares),
        "random_shares": list(direction.random_shares),
    }


def words_record(path: str | None, found: "Projections", strictness: float) -> dict[str, Any]:
    return {
        "words": path,
        "direct_bias": found.direct_bias(strictness),
        "strictness": strictness,
        "found": len(found.words),
        "missing": list(found.missing),
        "read_as": found.read_as,
    }


def projection_records(found: "Projections", number: int) -> list[dict[str, Any]]:
    return [{"word": found.words[row], "projection": float(found.values[row])} for row in outermost(found, number)]


def weat_record(path: str, one: "Weat") -> dict[str, Any]:
    return {
        "weat": path,
        "targets": list(one.lists[:2]),
        "attributes": list(one.lists[2:]),
        "effect_size": one.effect_size,
        "statistic": one.statistic,
        "p": one.p,
        "method": one.method,
        "partitions": one.partitions,
        "found": list(one.found),
        "of": list(one.of),
        "missing": list(one.missing),
        "read_as": one.read_as,
    }


def debiased_record(out: str, done: "Debiased", measured: Sequence["Measures"]) -> dict[str, Any]:
    before, after = (
        {
            "direct_bias": each.direct_bias,
            "similarity": {score.path: score.spearman for score in each.similarity},
            "analogies": {
                scores.path: {"accuracy_add": scores.total.accuracy_add, "accuracy_mul": scores.total.accuracy_mul}
                for scores in each.analogies
            },
        }
        for each in measured
    )
    return {
        "debiased": out,
        "method": done.method,
        "lambda": done.strength,
        "words": done.words,
        "neutral": done.neutral,
        "specific": done.specific_words,
        "emptied": done.emptied,
        "equalized": [list(words) for words in done.equalized],
        "not_equalized": [list(words) for words in done.unused],
        "unknown": list(done.unknown),
        "read_as": done.read_as,
        "before": before,
        "after": after,
    }
