"""How fast this machine counts pairs and trains GloVe on them: some of either, a second or so."""

import time
from collections.abc import Sequence

import numpy as np

from streamvec.corpus.cooccurrences import BATCH_ENTRIES, Counted, Entries, bands_of
from streamvec.corpus.nearby import Nearby, one_band
from streamvec.corpus.shards import TokenBatch
from streamvec.kernels.pairs import add_pairs, clear_pairs, new_pairs
from streamvec.models.glove import Glove
from streamvec.models.gloveconfig import GloveConfig
from streamvec.models.step import Position
from streamvec.training import timing
from streamvec.training.pairneeds import PairNeeds

_SLOTS = 1 << 22  # of a table that is larger than any cache
_FIRST = 1 << 14  # entries of the step that compiles and warms


def pairs_a_second(counted: Counted, batches: Sequence[TokenBatch]) -> float:
    """Pairs within windows that one thread finds and counts in a second."""
    nearby, table = Nearby(counted, one_band(batches)), new_pairs(_SLOTS)
    table.slots[::256] = 0  # memory is given on the first write
    done: list[float] = []
    spent = 0.0
    while True:
        for batch in batches:
            number, began = 0, time.perf_counter()
            for pairs, sums, _ in nearby.of(batch):
                if add_pairs(table, pairs, sums, 0, pairs.size) < pairs.size:
                    clear_pairs(table)
                number += pairs.size
            seconds = time.perf_counter() - began
            spent += seconds
            done.append(number / max(seconds, 1e-9))
            if spent > timing.SECONDS / 4:
                return float(np.quantile(done, 0.7))  # what else the machine does can only slow
        if not any(done):
            return 1e6


def entries_a_second(config: GloveConfig, words: int, pairs: PairNeeds, counts: np.ndarray, threads: int) -> float:
    """Entries of the matrix that *threads* threads train on in a second, of *pairs*.

    counts: int64[n], falling, of the most frequent of the *words* words. The entries are made: as many in a block, and
    these of words as frequent, as will be.
    """
    most = max(1, min(words, timing.MOST_MODEL // (config.record * 4)))
    known = np.ones(most, np.int64)
    known[: counts.size] = counts[:most]
    bands = _bands(known, config.window, words, pairs.rounds)
    model = Glove(config, most, threads, bands, config.counted.symmetric)
    try:
        for array in model.arrays.values():
            array[::1024] += 0
        neighbours = np.minimum(float(words), 2.0 * config.window * known)
        size = max(1, min(BATCH_ENTRIES, pairs.stored // pairs.rounds))
        done: list[float] = []
        number, until = 0, time.perf_counter() + timing.SECONDS
        while not done or time.perf_counter() < until:
            batch = _made(bands, neighbours, min(size, _FIRST) if number < 2 else size, number)
            began = time.perf_counter()
            result = model.step(batch, Position(0, number))
            seconds = time.perf_counter() - began
            number += 1
            if number > 2:
                done.append(result.tokens / seconds)
        return float(np.quantile(done, 0.7))
    finally:
        model.close()


def _bands(known: np.ndarray, window: int, words: int, rounds: int) -> np.ndarray:
    """Where bands begin: those of the whole vocabulary, of which *known* may be the first part, and as wide."""
    if known.size == words:
        return bands_of(known, window).starts
    width = -(-words // rounds)
    starts = [*range(0, known.size, width), known.size]
    return np.array(starts if len(starts) % 2 == 0 else [*starts, known.size], np.int64)


def _made(bands: np.ndarray, neighbours: np.ndarray, size: int, number: int) -> Entries:
    """About *size* entries of round *number*: in each block words are drawn by how many *neighbours* they have."""
    draw, count = np.random.default_rng(number), len(bands) - 1
    turn = number % count
    blocks = [(low, (turn - low) % count) for low in range(count) if low <= (turn - low) % count]
    sums = np.concatenate([[0.0], np.cumsum(neighbours)])
    held = np.array([(sums[bands[a + 1]] - sums[bands[a]]) * (sums[bands[b + 1]] - sums[bands[b]]) for a, b in blocks])
    if not held.sum():  # the last band may be empty
        return _made(bands, neighbours, size, number + 1)
    rows: list[np.ndarray] = []
    columns: list[np.ndarray] = []
    for (low, high), many in zip(blocks, draw.multinomial(size, held / held.sum()).tolist(), strict=True):
        for band, into in ((low, rows), (high, columns)):
            drawn = draw.uniform(sums[bands[band]], sums[bands[band + 1]], many)
            ids = np.searchsorted(sums, drawn, side="right") - 1
            into.append(np.minimum(ids, bands[band + 1] - 1).astype(np.int32))
    values = draw.pareto(1.0, size).astype(np.float32) + np.float32(0.1)
    return Entries(np.concatenate(rows), np.concatenate(columns), values, 0)
