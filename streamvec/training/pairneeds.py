"""What GloVe takes before it trains: memory, disk and time of counting pairs, and of writing them block by block."""

import math
from typing import NamedTuple

import numpy as np

from streamvec.corpus.cooccurrences import BATCH_ENTRIES, ENTRY_BYTES, Counted, bands_of
from streamvec.corpus.nearby import AT_ONCE
from streamvec.corpus.pairgrowth import Frequencies, PairGrowth, pair_growth
from streamvec.corpus.pairpass import INTERVAL
from streamvec.corpus.pairroom import FILES, READING, WRITING, files_at_once, room_of, table_bytes
from streamvec.corpus.shards import SHARD_BATCHES, Shards, TokenBatch
from streamvec.training.needs import Load, prepared_bytes
from streamvec.training.options import MachineOptions
from streamvec.training.tableneeds import PAIR_BYTES, Runs, most_pairs, pair_table_bytes, runs_of

PAIR_RATE = 1.3e7  # pairs a second that a thread counts, where that has not been tried
_SHARDS, _BATCHES = 4, 8  # that are looked into, and record batches of each
_BAND_WORDS, _MOST_BANDS, _FREQUENT = 256, 895, 30  # bands are narrower where words are frequent: so many more
_UNSURE = tuple(more << 20 for more in range(-36, 49, 12))  # that is taken beyond what is told, when tables are made
_FEW = 1 << 17  # words whose bands are told one by one
_BATCH_BYTES, _FILE_BYTES = 300, 950  # what Arrow adds


class PairNeeds(NamedTuple):
    """What both steps take; sizes in bytes."""

    stored: int  # entries in files
    entries: int  # of the matrix
    rounds: int  # of blocks
    batches: int  # record batches, and so steps of an epoch
    counting_memory: int
    writing_memory: int
    runs: Runs
    runs_disk: int  # most at any time
    disk: int  # of what is written
    at_once: int  # files that are written side by side

    @property
    def peak_disk(self) -> int:
        """Most disk that both steps take."""
        return max(self.runs_disk, self.merged_disk)

    @property
    def merged_disk(self) -> int:
        """Disk when all is written, and all runs are still there."""
        return round(self.runs.kept * PAIR_BYTES) + self.disk


def pair_needs(
    machine: MachineOptions, growth: PairGrowth, load: Load, tokens: int, rate: float = PAIR_RATE
) -> PairNeeds:
    """What the pairs of *tokens* tokens of the vocabulary take; *rate*: pairs that a thread counts in a second."""
    threads, taken = machine.cores, prepared_bytes(machine, load)
    taken += 8 * load.words  # which band a word is in
    room = room_of(machine.memory_bytes, threads, taken, load.words)
    each = table_bytes(room, threads)
    longest = INTERVAL * rate / max(growth.near, 1e-9)  # then all tables are written
    # A few runs more or less may be merged once more: the most that tables of about this size can make.
    tables = {
        most_pairs(table_bytes(room_of(machine.memory_bytes, threads, taken + more, load.words), threads))
        for more in _UNSURE
    }
    found = [runs_of(growth.stored, tokens, threads, most, longest) for most in sorted(tables)]
    runs = Runs(*(max(values) for values in zip(*found, strict=True)))
    table = pair_table_bytes(each, growth.stored(min(tokens / threads, longest)))
    at_once = files_at_once(room, threads, runs.number)
    stored = math.ceil(growth.stored(tokens))
    rounds = rounds_of(growth, load.words, tokens)
    batches = rounds * max(1, math.ceil(stored / rounds / BATCH_ENTRIES))
    return PairNeeds(
        stored,
        max(stored, round(growth.entries(tokens))),
        rounds,
        batches,
        taken + threads * (table + 16 * AT_ONCE),
        taken + at_once * (WRITING + READING * runs.number),
        runs,
        round(runs.peak * PAIR_BYTES),
        ENTRY_BYTES * stored + _BATCH_BYTES * batches + _FILE_BYTES * min(FILES, rounds),
        at_once,
    )


def most_disk(tokens: int, window: int) -> int:
    """Disk that is enough whatever the pairs are: runs, their merging, and what is written of them."""
    return tokens * window * (2 * PAIR_BYTES + ENTRY_BYTES) + _MOST_BANDS * (_BATCH_BYTES + _FILE_BYTES)


def rounds_of(growth: PairGrowth, words: int, tokens: int) -> int:
    """About how many rounds of blocks a vocabulary is cut into: as many as bands."""
    if words > _FEW:
        return min(_MOST_BANDS, -(-words // _BAND_WORDS)) + _FREQUENT | 1
    number, rates = growth.frequencies
    counts = np.repeat(np.maximum(1, rates * tokens).astype(np.int64), np.rint(number).astype(np.int64))
    return bands_of(counts, growth.window).starts.size - 1


def some_batches(shards: Shards) -> list[TokenBatch]:
    """Record batches from a few shards spread over all, and spread over these: the first of each, then the second."""
    files = -(-shards.batches // SHARD_BATCHES)
    numbers = set()
    for shard in np.linspace(0, files - 1, _SHARDS).astype(int).tolist():
        first, last = shard * SHARD_BATCHES, min(shards.batches, (shard + 1) * SHARD_BATCHES)
        numbers |= set(np.linspace(first, last - 1, _BATCHES).astype(int).tolist())
    spread = sorted(numbers, key=lambda number: (number % SHARD_BATCHES * (5**0.5 - 1) / 2 % 1, number))
    return [shards.batch(number) for number in spread]


def growth_of_shards(shards: Shards, counts: np.ndarray, counted: Counted) -> PairGrowth:
    """How the pairs in shards grow, told from some of these; counts: int64[V] of the words."""
    return pair_growth(some_batches(shards), Frequencies.of_counts(counts), counted)
