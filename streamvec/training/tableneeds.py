"""How much memory tables take in which words and neighbours are counted, and disk the runs that full ones become.

A table takes what is met first; full, it is written as a run, and runs become one now and then
(`streamvec.corpus.runfiles`). How often is told from how many different things so many tokens hold.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

from streamvec.corpus.counting import BYTES_PER_SLOT
from streamvec.corpus.pairruns import BYTES_PER_SLOT as PAIR_BYTES_PER_SLOT
from streamvec.corpus.pairruns import table_sizes
from streamvec.corpus.runfiles import AT_ONCE
from streamvec.corpus.shards import BATCH_TOKENS
from streamvec.corpus.shares import shares
from streamvec.kernels.pairs import SLOT_BYTES as PAIR_SLOT_BYTES
from streamvec.kernels.wordtable import SLOT_BYTES
from streamvec.training.needs import LEFT, PROCESS_BYTES, blocks_bytes
from streamvec.training.options import MachineOptions

FULL = 0.7  # of the places of a table
PAIR_BYTES = 16  # of a pair and its sum in a run
_COUNTING = 0.9  # times the blocks in hand
_LARGEST_SLOTS_AT_FIRST = 1 << 18
_PAIR_ROOM = 2.5  # a table of pairs grows by fours: so many times what is used, half of the time
_RUN_WORD, _SORTING = 12, 40  # bytes beside a word in a run; and for each word of a table while it is sorted
_LEVELS = 6  # merges of merges that are looked at
_UNSURE = 0.2  # share of the runs: whether there are enough for a merge in the end is told no better


class Runs(NamedTuple):
    """What tables become, in words or pairs."""

    number: int  # in the end
    peak: float  # in all files, where it is most
    kept: float  # in the end
    written: float  # over all the time


def runs_of(
    different: Callable[[float], float], tokens: float, threads: int, most: float, longest: float = math.inf
) -> Runs:
    """The runs of *tokens* tokens, of which n have *different* (n) words or pairs.

    most: how many of these fill a table; longest: tokens of a thread after which all that is counted is written.
    """
    each = tokens / threads
    full = _tokens_of(different, min(each, longest), most)
    # When there are 32 new runs, all tables are written, most of them half full; 32 runs of a kind then become one.
    rounds = min(AT_ONCE / threads, longest / full)
    little = min(full, full / 2 * (threads - 1) / threads + BATCH_TOKENS / 2) if full < longest else 0.0
    between, files = rounds * full + little, round((rounds + (little > 0)) * threads)
    records = int(each / between)
    rest = each - records * between
    sizes = [threads * (rounds * different(full) + different(little)) / files]
    sizes += [different(min(tokens, between * threads / files * AT_ONCE**level)) for level in range(1, _LEVELS)]

    def resting(runs: int, first: int = 0) -> float:
        """Words or pairs in what so many runs have become, of levels from *first* on."""
        return sum(runs // AT_ONCE**level % AT_ONCE * sizes[level] for level in range(first, _LEVELS))

    number, last = records * files, threads * math.ceil(rest / full)
    in_last = threads * (int(rest / full) * different(full) + different(rest % full))
    peak = resting(number) + in_last
    for record in range(max(1, records - AT_ONCE), records + 1):  # runs stay until those they have become are there
        new = (record - 1) * files % AT_ONCE + files
        if new >= AT_ONCE:
            peak = max(peak, resting(record * files, 1) + new * sizes[0])
    for level in range(2, _LEVELS):
        if merges := number // AT_ONCE**level:
            peak = max(peak, resting(merges * AT_ONCE**level) + AT_ONCE * sum(sizes[:level]))
    kept, new = resting(number) + in_last, number % AT_ONCE + last
    if new >= (1 - _UNSURE) * AT_ONCE and records:
        peak = max(peak, kept + sizes[1])
    if new >= (1 + _UNSURE) * AT_ONCE:
        kept += sizes[1] - AT_ONCE * sizes[0]
        number, last = number + AT_ONCE, last - AT_ONCE
    merged = sum(number // AT_ONCE**level * sizes[level] for level in range(1, _LEVELS))
    there = sum(number // AT_ONCE**level % AT_ONCE for level in range(_LEVELS)) + last
    return Runs(there, peak, kept, each / between * files * sizes[0] + merged)


def _tokens_of(different: Callable[[float], float], tokens: float, most: float) -> float:
    """How many tokens hold *most* different words or pairs, *tokens* at most."""
    if different(tokens) <= most:
        return tokens
    low, high = 1.0, tokens
    for _ in range(50):
        middle = math.sqrt(low * high)
        low, high = (middle, high) if different(middle) < most else (low, middle)
    return low


def counting_bytes(machine: MachineOptions, text: int, words_each: float, word_bytes: float) -> int:
    """Peak memory of counting; *words_each*: different words that one thread meets, of *word_bytes* bytes."""
    slots, most = first_slots(machine)
    while slots < most and words_each > FULL * slots:
        slots = min(most, slots * 4)
    words = min(words_each, FULL * slots)
    table = slots * SLOT_BYTES + words * (max(0.0, word_bytes - 4) + _SORTING)
    return round(PROCESS_BYTES + _COUNTING * blocks_bytes(machine, text) + machine.cores * table)


def counting_disk(
    machine: MachineOptions, words: Callable[[float], float], tokens: int, word_bytes: float, documents: int
) -> int:
    """Disk for runs of words of *word_bytes* bytes, and hashes of documents; *words*: different ones in n tokens."""
    runs = runs_of(words, tokens, machine.cores, FULL * first_slots(machine)[1])
    return round(runs.peak * (word_bytes + _RUN_WORD)) + 16 * min(documents, 1 << 19)


def first_slots(machine: MachineOptions) -> tuple[int, int]:
    """How many places a thread's table of words has at first, and at most."""
    most = max(1 << 12, shares(machine.memory_bytes, machine.cores).table_bytes // machine.cores // BYTES_PER_SLOT)
    slots = most
    while slots > _LARGEST_SLOTS_AT_FIRST:
        slots = -(-slots // 4)
    return slots, most


def phrases_bytes(machine: MachineOptions, text: int, words: int, word_bytes: float, pairs_each: float) -> int:
    """Peak memory of finding phrases; *pairs_each*: different neighbours that one thread meets."""
    table = max(machine.cores << 20, shares(machine.memory_bytes, machine.cores).table_bytes)
    tables = machine.cores * pairs_each / FULL * _PAIR_ROOM * (PAIR_SLOT_BYTES + 11)
    left = PROCESS_BYTES + LEFT * blocks_bytes(machine, text)
    return round(left + min(table, tables) + words * (8 * (machine.cores + 1) + 3 * (word_bytes + 8)))


def neighbours_disk(machine: MachineOptions, pairs: Callable[[float], float], tokens: int) -> int:
    """Disk for the runs of neighbours; *pairs*: how many different ones are in so many tokens."""
    each = shares(machine.memory_bytes, machine.cores).table_bytes // machine.cores
    most = FULL * max(1 << 14, each // PAIR_BYTES_PER_SLOT)
    return round(runs_of(pairs, tokens, machine.cores, most).peak * PAIR_BYTES)


def most_pairs(table_bytes: int) -> float:
    """How many pairs fill a table of so many bytes."""
    return FULL * table_sizes(table_bytes)[-1]


def pair_table_bytes(table_bytes: int, pairs: float) -> int:
    """Most memory of a table that may have *table_bytes* and meets *pairs* different pairs, until they are written."""
    sizes = table_sizes(table_bytes)
    slots = next((slots for slots in sizes if FULL * slots >= pairs), sizes[-1])
    old = slots // 4 if slots > sizes[0] else 0  # that it grew from
    used = min(pairs, FULL * slots)  # are sorted in as much room again
    return round(PAIR_SLOT_BYTES * (slots + max(used, old)))
