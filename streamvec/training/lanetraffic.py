"""How often words, and so the rows of a model, occur, told from a sample, and what lanes send of these rows."""

from typing import NamedTuple

import numpy as np

from streamvec.corpus.shards import BATCH_TOKENS
from streamvec.models.replica import PARTS, Timetable, rounds_of
from streamvec.models.skipgram import expected_met, kept_of
from streamvec.models.subwords import NGrams, ngrams_of
from streamvec.models.wordconfig import LANES, SkipGramConfig
from streamvec.training.seen import Seen

ROW_HEAD = 8  # bytes that say which row is sent
_MOST_ROWS = 1 << 20  # of the most frequent words that are looked at one by one
_GROUPS = 64  # of the others

Tail = tuple[np.ndarray, np.ndarray]  # groups of rare words: how often each occurs, and how many they are
NO_TAIL: Tail = (np.zeros(0, np.int64), np.zeros(0, np.int64))


def words_of(seen: Seen) -> tuple[np.ndarray, Tail]:
    """How often the words of the corpus occur: the most frequent ones one by one, int64[n], and the others in groups.

    Where a sample does not show all, the others are told by Zipf's law from the rarest that it shows.
    """
    words, tokens = seen.corpus.words, seen.corpus.tokens
    shown = seen.counts[: min(words, _MOST_ROWS)].astype(np.float64)
    edges = np.unique(np.geomspace(shown.size, words, _GROUPS).astype(np.int64))
    times = np.diff(edges)
    rare = shown[-1] * shown.size / np.sqrt(edges[:-1].astype(np.float64) * edges[1:])
    scale = tokens / (shown.sum() + (rare * times).sum())
    counts: np.ndarray = np.maximum(1, np.rint(shown * scale)).astype(np.int64)
    return counts, (np.maximum(1, np.rint(rare * scale)).astype(np.int64), times)


def kept_share(config: SkipGramConfig, seen: Seen) -> float:
    """Of the tokens, those that subsampling keeps."""
    counts, (rare, times) = words_of(seen)
    tokens = seen.corpus.tokens
    kept = (counts * kept_of(counts, config.sample, tokens)).sum()
    return float(kept + (rare * kept_of(rare, config.sample, tokens) * times).sum()) / tokens


class Met(NamedTuple):
    """How often the rows of a model occur in a corpus, on average."""

    rows: dict[str, np.ndarray]  # of each array: float64[rows]
    times: dict[str, np.ndarray]  # how many rows each of these stands for
    tokens: int

    @classmethod
    def of(
        cls, config: SkipGramConfig, counts: np.ndarray, ngrams: NGrams | None = None, tail: Tail = NO_TAIL
    ) -> "Met":
        """counts: int64[n], falling, of words one by one; ngrams: of these; tail: the others, in groups."""
        rare, times = tail
        tokens = int(counts.sum() + (rare * times).sum())
        rows = expected_met(config, counts, ngrams, tokens)
        own, centers = counts * kept_of(counts, config.sample, tokens), rare * kept_of(rare, config.sample, tokens)
        outputs = centers
        if config.objective == "ns":
            drawn, others = (some.astype(np.float64) ** config.noise_power for some in (counts, rare))
            noise = config.negative * (own.sum() + (centers * times).sum()) / (drawn.sum() + (others * times).sum())
            rows["outputs"] = np.append(own + noise * drawn, 0.0)
            outputs = centers + noise * others
        ones = {name: np.ones(each.size) for name, each in rows.items()}
        return cls(
            {"inputs": np.append(rows["inputs"], centers), "outputs": np.append(rows["outputs"], outputs)},
            {name: np.append(each, times) for name, each in ones.items()},
            tokens,
        )


def lane_traffic(config: SkipGramConfig, met: Met, tokens: int) -> tuple[float, float, float]:
    """(bytes of rows that all lanes send in an epoch, bytes that all get, how often some are combined)."""
    lanes, row = config.lanes, config.vectors * LANES * 4 + ROW_HEAD
    batches = -(-tokens // BATCH_TOKENS)
    rounds = rounds_of(batches, lanes)
    table = Timetable.of(met.rows, met.tokens, rounds)
    up = down = 0.0
    for part in range(1, rounds * PARTS):
        due = table.after(part)
        rows = sum(met.times[name][some].sum() for name, some in due.items()) if due is not None else 0
        up, down = up + lanes * rows * row, down + lanes * rows * row
    for name, each in met.rows.items():
        often = each * (BATCH_TOKENS * rounds / met.tokens)
        up += lanes * row * float(-(np.expm1(-often) * met.times[name]).sum())
        down += lanes * row * float(-(np.expm1(-often * lanes) * met.times[name]).sum())
    steps = batches / (rounds * lanes)
    return steps * up, steps * down, steps * rounds * PARTS


def met_of(config: SkipGramConfig, seen: Seen) -> Met:
    """The same of the corpus that was looked at; of subwords, those of words whose names are known."""
    counts, tail = words_of(seen)
    if not config.ngrams:
        return Met.of(config, counts, None, tail)
    some = min(counts.size, len(seen.shown[1]) - 1)
    ngrams = ngrams_of(config, (seen.shown[0], seen.shown[1][: some + 1]))
    others = np.append(counts[some:], tail[0]), np.append(np.ones(counts.size - some, np.int64), tail[1])
    return Met.of(config, counts[:some], ngrams, others)
