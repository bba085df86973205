"""How much memory and disk each stage of a training takes, told from its sizes alone.

Plans add these up before anything starts, and a training that would not fit is refused by the same sums. What follows
from the layout of arrays and files is exact; what the process itself and the handling of blocks take was measured
(with python 3.11, numpy 2.4, pyarrow 26, numba 0.68 on Linux), in `benchmarks` and `tests` against real runs.
"""

import math
from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple, Protocol, TypeVar

from streamvec.corpus.counting import BYTES_PER_SLOT
from streamvec.corpus.lookup import lookup_bytes
from streamvec.corpus.pairruns import BYTES_PER_SLOT as PAIR_BYTES_PER_SLOT
from streamvec.corpus.pipeline import AHEAD
from streamvec.corpus.prepare import shares
from streamvec.corpus.runfiles import AT_ONCE
from streamvec.corpus.shards import BATCH_TOKENS, SHARD_BATCHES
from streamvec.errors import StreamvecError
from streamvec.kernels.batches import train, train_racing
from streamvec.kernels.pairs import SLOT_BYTES as PAIR_SLOT_BYTES
from streamvec.kernels.wordtable import SLOT_BYTES, count_tokens
from streamvec.models.gloveconfig import GloveConfig
from streamvec.models.subwords import WordBytes, ngrams_of
from streamvec.models.wordconfig import NO_NGRAMS, NGramSizes, SkipGramConfig
from streamvec.training.options import MachineOptions
from streamvec.vectors.store import ROWS

PROCESS_BYTES = 235 << 20  # the interpreter, pyarrow, numba and the kernels
COMPILING_BYTES = 130 << 20  # more, in a process that compiled the kernels; the next one finds them in numba's cache
_ENCODING, _COUNTING, _LEFT = 1.75, 0.9, 0.3  # times the blocks in hand: in each stage, and what stays of it
_WRITING = 12  # bytes for each number of the rows that are written to vectors.arrow at once
_STARTING = 32 << 20  # readers of other words and rows, and what they leave
_LARGEST_SLOTS_AT_FIRST = 1 << 18
_MERGED_AT_ONCE = AT_ONCE
_SHARED = 0.8  # n-grams grow as words to this power
_PAIR_ROOM = 2.5  # a table of pairs grows by fours: so many times what is used, half of the time
_RUN_WORD, _SORTING = 12, 40  # bytes beside a word in a run; and for each word of a table while it is sorted


SomeConfig = TypeVar("SomeConfig", SkipGramConfig, GloveConfig)


class Corpus(NamedTuple):
    """The sizes of a corpus that decide what its training takes."""

    text_bytes: int
    documents: int
    tokens: int  # that are words of the vocabulary
    words: int  # of the vocabulary
    word_bytes: float  # mean length of these
    ngrams: NGramSizes = NO_NGRAMS  # of these, with subwords


class Load(NamedTuple):
    """What a training has to hold in memory, besides what its options and the machine decide."""

    words: int
    word_bytes: float  # mean length of these
    text: int = 0  # bytes of it that the process has just prepared; 0 where the shards were there already
    ngrams: NGramSizes = NO_NGRAMS  # of the words, with subwords
    started: bool = False  # whether rows are first taken from a RUN or a file

    def with_words(self, words: int) -> "Load":
        """The same for another number of words."""
        return self._replace(words=words, ngrams=scaled(self.ngrams, words / max(1, self.words)))


class Config(Protocol):
    """What the options of any model tell of its size."""

    @property
    def dim(self) -> int:
        """Length of the vectors that --dim says."""

    @property
    def answer_dim(self) -> int:
        """Length of the vectors of the result."""

    def array_bytes(self, words: int, ngrams: NGramSizes = NO_NGRAMS) -> int:
        """Bytes of a checkpoint."""

    def model_bytes(self, words: int, ngrams: NGramSizes = NO_NGRAMS) -> int:
        """Bytes that grow with the vocabulary."""

    def scratch_bytes(self, threads: int) -> int:
        """Bytes that do not."""

    def numbering_bytes(self) -> int:
        """Bytes that are taken before training, and mostly given back."""


def training_bytes(config: Config, machine: MachineOptions, load: Load) -> int:
    """Peak memory of training vectors and writing them."""
    words, word_bytes = load.words, load.word_bytes
    rows = min(words, ROWS) * config.answer_dim * _WRITING
    if load.started:
        rows = max(rows, ROWS * config.answer_dim * _WRITING + lookup_bytes(words, word_bytes) + 2 * words + _STARTING)
    vocabulary = round(words * (word_bytes + 16))
    batches = BATCH_TOKENS * 4 * (AHEAD + 2)
    fixed = PROCESS_BYTES + round(_LEFT * _blocks(machine, load.text)) + config.scratch_bytes(machine.cores) + batches
    return fixed + config.model_bytes(words, load.ngrams) + vocabulary + max(rows, config.numbering_bytes())


def words_that_fit(config: Config, machine: MachineOptions, load: Load) -> int:
    """The largest vocabulary whose training stays within the memory allowed, words like those of *load*."""
    allowed = machine.memory_bytes
    return _largest(lambda words: training_bytes(config, machine, load.with_words(words)) <= allowed)


def told_from(config: SkipGramConfig, shown: WordBytes, words: int) -> NGramSizes:
    """What a vocabulary of *words* words has of n-grams, told from its most frequent ones, which are *shown*.

    The rows grow on as they did from the first half of these to all of them.
    """
    content, offsets = shown
    seen, half = len(offsets) - 1, offsets[: (len(offsets) + 1) // 2]
    whole, part = (ngrams_of(config, (content, some)) for some in (offsets, half))
    if not whole or not part or not seen:
        return NO_NGRAMS
    slope = math.log2(max(1, len(whole.buckets)) / max(1, len(part.buckets))) if seen > 1 else 1.0
    factor = max(1.0, words / seen)
    rows = min(config.buckets, round(len(whole.buckets) * factor ** min(1.0, slope)))
    return NGramSizes(rows, round(len(whole.lists) * factor))


def scaled(ngrams: NGramSizes, share: float) -> NGramSizes:
    """What a vocabulary of other size has of n-grams: fewer words share fewer of them (as English and Korean do)."""
    return NGramSizes(round(ngrams.rows * share**_SHARED), round(ngrams.entries * share))


def _largest(fits: Callable[[int], bool]) -> int:
    """The largest number that *fits*, from 1 on; 0 where none does."""
    low, high = 0, 1 << 40
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if fits(middle) else (low, middle - 1)
    return low


def refuse_too_large(config: SomeConfig, machine: MachineOptions, load: Load, compiling: int = 0) -> None:
    """StreamvecError when training would take more memory than is allowed; it says what would help.

    compiling: bytes that this process took to compile kernels.
    """

    def needs(dim: int) -> int:
        return training_bytes(replace(config, dim=dim), machine, load)

    needed, allowed = needs(config.dim), machine.memory_bytes
    if needed <= allowed < needed + compiling:
        raise StreamvecError(
            f"training needs {needed / 1e6:,.0f} MB, and {compiling / 1e6:,.0f} MB more this once, as kernels had to "
            f"be compiled first; it is held to {allowed / 1e6:,.0f} MB: run the same command again"
        )
    if needed <= allowed:
        return
    ways = [f"raise --memory to {-(-needed // 10**7) * 10}MB"]
    dim = _largest(lambda dim: needs(dim) <= allowed)
    if dim and not load.started:  # which fixes it
        ways.append(f"lower --dim to {dim}")
    fits = words_that_fit(config, machine, load)
    if fits:
        ways.append(f"keep the {fits:,} most frequent words (--max-vocab {fits})")
    raise StreamvecError(
        f"training needs {needed / 1e6:,.0f} MB for {load.words:,} words of {config.dim} numbers, more than the "
        f"{allowed / 1e6:,.0f} MB it is held to: {', '.join(ways[:-1]) + ', or ' if ways[1:] else ''}{ways[-1]}"
    )


def compiling_bytes() -> int:
    """Bytes that this process took to compile kernels: none where they came from numba's cache."""
    kernels = [kernel for kernel in (count_tokens, train, train_racing) if hasattr(kernel, "stats")]
    return COMPILING_BYTES if any(kernel.stats.cache_misses for kernel in kernels) else 0


def counting_bytes(machine: MachineOptions, text: int, words_each: float, word_bytes: float) -> int:
    """Peak memory of counting; *words_each*: different words that one thread meets, of *word_bytes* bytes."""
    slots, most = first_slots(machine)
    while slots < most and words_each > 0.7 * slots:
        slots = min(most, slots * 4)
    words = min(words_each, 0.7 * slots)
    table = slots * SLOT_BYTES + words * (max(0.0, word_bytes - 4) + _SORTING)
    return round(PROCESS_BYTES + _COUNTING * _blocks(machine, text) + machine.cores * table)


def encoding_bytes(machine: MachineOptions, text: int, words: int, word_bytes: float) -> int:
    """Peak memory of writing shards."""
    table = (16 + words * 3 // 2) * SLOT_BYTES
    return round(
        PROCESS_BYTES + min(3.5 * text, _ENCODING * _blocks(machine, text)) + table + words * 2 * (word_bytes + 8)
    )


def phrases_bytes(machine: MachineOptions, text: int, words: int, word_bytes: float, pairs_each: float) -> int:
    """Peak memory of finding phrases; *pairs_each*: different neighbours that one thread meets."""
    table = max(machine.cores << 20, shares(machine.memory_bytes, machine.cores).table_bytes)
    tables = machine.cores * pairs_each / 0.7 * _PAIR_ROOM * (PAIR_SLOT_BYTES + 11)
    left = PROCESS_BYTES + _LEFT * _blocks(machine, text)
    return round(left + min(table, tables) + words * (8 * (machine.cores + 1) + 3 * (word_bytes + 8)))


def pairs_bytes(machine: MachineOptions, pairs: Callable[[float], float], tokens: int) -> int:
    """Disk for the runs of pairs; *pairs*: how many different ones are in so many tokens."""
    each = shares(machine.memory_bytes, machine.cores).table_bytes // machine.cores
    most = 0.7 * max(1 << 14, each // PAIR_BYTES_PER_SLOT)
    run_tokens = tokens / machine.cores
    if pairs(run_tokens) > most:
        low, high = 1.0, run_tokens
        for _ in range(60):  # tokens that fill a table
            middle = math.sqrt(low * high)
            low, high = (middle, high) if pairs(middle) < most else (low, middle)
        run_tokens = low
    merged = [pairs(min(tokens, run_tokens * _MERGED_AT_ONCE**level)) for level in range(1, 5)]
    return runs_bytes(pairs(run_tokens), max(machine.cores, tokens / run_tokens), merged, 16 - _RUN_WORD, 0)


def first_slots(machine: MachineOptions) -> tuple[int, int]:
    """How many places a thread's table of words has at first, and at most."""
    most = max(1 << 12, shares(machine.memory_bytes, machine.cores).table_bytes // machine.cores // BYTES_PER_SLOT)
    slots = most
    while slots > _LARGEST_SLOTS_AT_FIRST:
        slots = -(-slots // 4)
    return slots, most


def _blocks(machine: MachineOptions, text: int) -> int:
    """Bytes of the blocks in hand."""
    threads = machine.cores
    return min(2 * text, (2 * (threads + AHEAD + 2) + 2 * threads) * shares(machine.memory_bytes, threads).block_bytes)


def shards_bytes(corpus: Corpus) -> int:
    """Disk for the shards: four bytes a token and a document, and what Arrow adds to a batch and a file."""
    batches = -(-corpus.tokens // BATCH_TOKENS)
    return 4 * corpus.tokens + 4 * corpus.documents + 400 * batches + 4096 * (1 + batches // SHARD_BATCHES)


def vocabulary_bytes(corpus: Corpus) -> int:
    """Disk for vocabulary.arrow."""
    return round(corpus.words * (corpus.word_bytes + 4 + 8)) + 4096


def checkpoint_bytes(config: Config, words: int, ngrams: NGramSizes = NO_NGRAMS) -> int:
    """Disk for one checkpoint."""
    return config.array_bytes(words, ngrams) + 4096


def vectors_bytes(config: Config, corpus: Corpus) -> int:
    """Disk for vectors.arrow, and with subwords for the n-grams beside it."""
    words = round(corpus.words * (4 * config.answer_dim + 4 + 8 + 4 + corpus.word_bytes)) + 4096
    return words + (corpus.ngrams.rows * (4 * config.dim + 4) + 4096 if corpus.ngrams.rows else 0)


def runs_bytes(run_words: float, runs: float, merged: list[float], word_bytes: float, documents: int) -> int:
    """Disk while words are counted: *runs* of *run_words* words; *merged*: words of 32 in one, of 32 of these, ..."""
    total, left, most = 0.0, runs, 0.0
    for words in [run_words, *merged]:
        held = min(left, _MERGED_AT_ONCE)
        most = max(most, total + held * words)
        total += (left % _MERGED_AT_ONCE if left >= _MERGED_AT_ONCE else left) * words
        left = math.floor(left / _MERGED_AT_ONCE)
    hashes = 16 * min(documents, 1 << 19)
    return round(max(most, total) * (word_bytes + _RUN_WORD)) + hashes
