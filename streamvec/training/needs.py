"""How much memory training takes, and disk what it leaves, told from its sizes alone.

Plans add these up before anything starts, and a training that would not fit is refused by the same sums; what is taken
while something is counted is in `streamvec.training.tableneeds` and `streamvec.training.pairneeds`. What follows from
the layout of arrays and files is exact; what the process itself and the handling of blocks take was measured (with
python 3.11, numpy 2.4, pyarrow 26, numba 0.68 on Linux), in `benchmarks` and `tests` against real runs.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple, Protocol

from streamvec.corpus.lookup import lookup_bytes
from streamvec.corpus.pipeline import AHEAD
from streamvec.corpus.shards import BATCH_TOKENS, SHARD_BATCHES
from streamvec.corpus.shares import shares
from streamvec.errors import StreamvecError
from streamvec.kernels.batches import train, train_racing
from streamvec.kernels.wordtable import SLOT_BYTES, count_tokens
from streamvec.models.kinds import WordConfig
from streamvec.models.subwords import WordBytes, ngrams_of
from streamvec.models.wordconfig import NO_NGRAMS, NGramSizes, SkipGramConfig
from streamvec.training.options import MachineOptions
from streamvec.vectors.store import ROWS

PROCESS_BYTES = 240 << 20  # the interpreter, pyarrow, numba and the kernels
COMPILING_BYTES = 130 << 20  # more, in a process that compiled the kernels; the next one finds them in numba's cache
LEFT = 0.3  # times the blocks in hand: what stays of them in later stages
_ENCODING = 1.75  # times the blocks in hand
_WRITING = 12  # bytes for each number of the rows that are written to vectors.arrow at once
_STARTING = 32 << 20  # readers of other words and rows, and what they leave
_SHARED = 0.8  # n-grams grow as words to this power


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
    batches = BATCH_TOKENS * 4 * (AHEAD + 2)
    fixed = prepared_bytes(machine, load) + config.scratch_bytes(machine.cores) + batches
    rows = rows_bytes(load, config.answer_dim)
    return fixed + config.model_bytes(load.words, load.ngrams) + max(rows, config.numbering_bytes())


def rows_bytes(load: Load, dim: int) -> int:
    """Memory of the rows that are written at once, or of those that a training begins from."""
    rows = min(load.words, ROWS) * dim * _WRITING
    if not load.started:
        return rows
    known = lookup_bytes(load.words, load.word_bytes) + 2 * load.words
    return max(rows, ROWS * dim * _WRITING + known + _STARTING)


def prepared_bytes(machine: MachineOptions, load: Load) -> int:
    """Memory that is taken when the shards are there: the process, what preparation leaves, and the vocabulary."""
    left = round(LEFT * blocks_bytes(machine, load.text))
    return PROCESS_BYTES + left + round(load.words * (load.word_bytes + 16))


def words_that_fit(config: Config, machine: MachineOptions, load: Load) -> int:
    """The largest vocabulary whose training stays within the memory allowed, words like those of *load*."""
    allowed = machine.memory_bytes
    return largest_that(lambda words: training_bytes(config, machine, load.with_words(words)) <= allowed)


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


def largest_that(fits: Callable[[int], bool], below: int = 1 << 40) -> int:
    """The largest number from 1 on, and smaller than *below*, that *fits*; 0 where none does."""
    low, high = 0, max(0, below - 1)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if fits(middle) else (low, middle - 1)
    return low


def any_of(ways: Sequence[str]) -> str:
    """All that would help, one or more, as the end of a sentence."""
    return f"{', '.join(ways[:-1])}, or {ways[-1]}" if ways[1:] else ways[0]


def refuse_too_large(config: WordConfig, machine: MachineOptions, load: Load, compiling: int = 0) -> None:
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
    dim = largest_that(lambda dim: needs(dim) <= allowed)
    if dim and not load.started:  # which fixes it
        ways.append(f"lower --dim to {dim}")
    fits = words_that_fit(config, machine, load)
    if fits:
        ways.append(f"keep the {fits:,} most frequent words (--max-vocab {fits})")
    raise StreamvecError(
        f"training needs {needed / 1e6:,.0f} MB for {load.words:,} words of {config.dim} numbers, more than the "
        f"{allowed / 1e6:,.0f} MB it is held to: {any_of(ways)}"
    )


def compiling_bytes() -> int:
    """Bytes that this process took to compile kernels: none where they came from numba's cache."""
    kernels = [kernel for kernel in (count_tokens, train, train_racing) if hasattr(kernel, "stats")]
    return COMPILING_BYTES if any(kernel.stats.cache_misses for kernel in kernels) else 0


def encoding_bytes(machine: MachineOptions, text: int, words: int, word_bytes: float) -> int:
    """Peak memory of writing shards."""
    table = (16 + words * 3 // 2) * SLOT_BYTES
    return round(
        PROCESS_BYTES + min(3.5 * text, _ENCODING * blocks_bytes(machine, text)) + table + words * 2 * (word_bytes + 8)
    )


def blocks_bytes(machine: MachineOptions, text: int) -> int:
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


def checkpoint_bytes(arrays: int) -> int:
    """Disk for one checkpoint of so many bytes of arrays."""
    return arrays + 4096


def vectors_bytes(words: int, word_bytes: float, dim: int) -> int:
    """Disk for vectors.arrow."""
    return round(words * (4 * dim + 4 + 8 + 4 + word_bytes)) + 4096


def result_bytes(config: Config, corpus: Corpus) -> int:
    """Disk for vectors.arrow of word vectors, and with subwords for the n-grams beside it."""
    vectors = vectors_bytes(corpus.words, corpus.word_bytes, config.answer_dim)
    return vectors + (corpus.ngrams.rows * (4 * config.dim + 4) + 4096 if corpus.ngrams.rows else 0)
