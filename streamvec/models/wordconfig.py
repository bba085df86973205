"""What decides the bytes of word vectors besides the text: options of skip-gram and CBOW, checked on construction."""

import math
import re
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

from streamvec.corpus.shards import BATCH_TOKENS
from streamvec.kernels import layout
from streamvec.models.options import check, option

LANES = 16
_RANGE = re.compile(r"(\d{1,3})-(\d{1,3})", re.ASCII)
COMBINED_ROWS = 1 << 17  # rows of an array that are combined at once at the end of a step of several lanes
SOFTMAX_BLOCK = 512  # words of the vocabulary that one thread scores at a time in a full softmax
LONGEST_PATH = 42  # nodes: a Huffman path of n nodes needs a corpus of Fibonacci(n + 2) tokens, here 7e8, to exist


class NGramSizes(NamedTuple):
    """What a vocabulary has of n-grams: rows of the model, and entries in the lists of rows of all its words."""

    rows: int
    entries: int


NO_NGRAMS = NGramSizes(0, 0)


@dataclass(frozen=True)
class SkipGramConfig:
    """Everything that decides the bytes of the vectors, besides the text. ValueError for what can never be right."""

    dim: int = option(100, "Length of the vectors.")
    window: int = option(5, "Largest distance of a context word.")
    reach: str = option(
        "dynamic",
        "dynamic: each window's reach is drawn from 1 to --window. fixed: it is --window.",
        choices=("dynamic", "fixed"),
    )
    sides: str = option("both", "On which side of a word its contexts lie.", choices=("both", "left", "right"))
    objective: str = option(
        "ns",
        "ns: negative sampling. hs: hierarchical softmax (a Huffman tree). softmax: over every word, if they are few.",
        choices=("ns", "hs", "softmax"),
    )
    subwords: str | None = option(
        None, "Lengths of n-grams, such as 3-6: a word is the mean of its own row and its n-grams', as in fastText."
    )
    buckets: int = option(2_000_000, "Rows that n-grams are hashed into (--subwords).")
    negative: int = option(5, "Noise words for each window (--objective ns).")
    sample: float = option(1e-3, "Frequency above which words are subsampled; 0 keeps all.")
    noise_power: float = option(0.75, "Noise words are drawn by count to this power.")
    epochs: int = option(5, "Passes over the text.")
    learning_rate: float = option(0.025, "Learning rate at the start; it falls linearly to --final-learning-rate.")
    final_learning_rate: float = option(1e-4, "Learning rate at the end.")
    batch: int = option(
        0, "Most center words scored before their updates are applied; 0 is 256, and 32 with --objective hs or softmax."
    )
    holdout: float = option(0.0, "Share of documents held out of training, to report the loss on.")
    patience: int = option(
        0, "Stop after so many epochs without a lower held-out loss, and take the best epoch; 0 never stops early."
    )
    seed: int = option(1, "Seed of everything random.")
    lanes: int = option(
        1,
        "Replicas that train on different parts of the text at once and are combined as they go, for the speed of a "
        "cluster; the result depends on how many there are.",
    )
    mode: str = option(
        "exact",
        "exact: the same bytes on any number of threads. hogwild: threads race; not repeatable.",
        choices=("exact", "hogwild"),
    )

    def __post_init__(self) -> None:
        if self.batch == 0:  # every path begins at the root of the tree, whose errors go stale the sooner
            object.__setattr__(self, "batch", 256 if self.objective == "ns" else 32)
        check(self, ("dim", "window", "negative", "epochs", "batch", "lanes"))
        if self.lanes > 1 and (self.objective == "softmax" or self.mode == "hogwild"):
            raise ValueError(f"lanes need objective ns or hs and mode exact, got {self.objective} and {self.mode}")
        for name in ("sample", "noise_power", "final_learning_rate"):
            if not 0 <= getattr(self, name) < float("inf"):
                raise ValueError(f"{name} must be at least 0 and finite, got {getattr(self, name)}")
        if not 0 < self.learning_rate < float("inf"):
            raise ValueError(f"learning_rate must be above 0 and finite, got {self.learning_rate}")
        if self.final_learning_rate > self.learning_rate:
            low, high = self.final_learning_rate, self.learning_rate
            raise ValueError(f"final_learning_rate must be at most learning_rate, got {low} above {high}")
        if not 0 <= self.holdout < 1:
            raise ValueError(f"holdout must be at least 0 and below 1, got {self.holdout}")
        if self.patience < 0:
            raise ValueError(f"patience must be at least 0, got {self.patience}")
        if self.patience and not self.holdout:
            raise ValueError("patience needs a share of documents held out (holdout above 0), got none")
        if self.objective == "softmax" and self.mode == "hogwild":
            raise ValueError("mode must be exact with objective softmax, got hogwild: its matrix products do not race")
        if self.ngrams and self.objective == "softmax":  # asking for them refuses what is no range
            raise ValueError("subwords need objective ns or hs, got softmax")
        if not 1 <= self.buckets <= 2**30:
            raise ValueError(f"buckets must be at least 1 and at most 2**30, got {self.buckets}")

    @property
    def averaged(self) -> bool:
        """Whether the contexts of a word are averaged into one (CBOW)."""
        return False

    @property
    def ngrams(self) -> tuple[int, int] | None:
        """The shortest and the longest n-gram, in characters of <word>; None where words have none."""
        if self.subwords is None:
            return None
        found = _RANGE.fullmatch(self.subwords)
        if not found or not 1 <= int(found[1]) <= int(found[2]):
            raise ValueError(
                f"subwords must be the lengths of the shortest and the longest n-gram, like 3-6, got {self.subwords!r}"
            )
        return int(found[1]), int(found[2])

    @property
    def ring(self) -> int:
        """Hidden rows with subwords: a power of two that holds a batch and the windows at its ends."""
        return 1 << (self.batch + 2 * self.window - 1).bit_length()

    @property
    def target_blocks(self) -> int:
        """Blocks of six targets that a center may have; of a Huffman path, more than any but absurd counts need."""
        most = {"ns": self.negative + 1, "hs": LONGEST_PATH, "softmax": 1}[self.objective]
        return -(-most // layout.TARGETS)

    @property
    def vectors(self) -> int:
        """Groups of 16 floats in a row."""
        return -(-self.dim // LANES)

    @property
    def slices(self) -> int:
        """Slices of the columns in which scores are added up: fixed by dim, so that threads change nothing.

        Two cost little on few threads; longer rows can feed four.
        """
        if self.vectors == 1 or self.objective == "softmax":
            return 1
        return 2 if self.vectors < LANES else 4

    @property
    def columns(self) -> list[tuple[int, int]]:
        """(first column, last column + 1) of each slice, padding included: how rows lie in arrays and checkpoints."""
        edges = [(self.vectors * piece + self.slices - 1) // self.slices * LANES for piece in range(self.slices + 1)]
        return list(pairwise(edges))

    @property
    def answer_dim(self) -> int:
        """Length of the vectors of the result."""
        return self.dim

    def numbering_bytes(self) -> int:
        """Memory in which n-grams get their numbers before training, mostly given back, in bytes."""
        return 4 * self.buckets if self.ngrams else 0

    def array_bytes(self, words: int, ngrams: NGramSizes = NO_NGRAMS) -> int:
        """The matrices, and so a checkpoint of them, in bytes."""
        return (2 * (words + 1) + ngrams.rows) * self.vectors * LANES * 4

    def model_bytes(self, words: int, ngrams: NGramSizes = NO_NGRAMS) -> int:
        """Memory that grows with the vocabulary, in bytes."""
        if self.lanes == 1:
            return self.replica_bytes(words, ngrams)
        return self.lanes * self.lane_bytes(words, ngrams)

    def lane_bytes(self, words: int, ngrams: NGramSizes = NO_NGRAMS) -> int:
        """The same of one lane: a replica, its rows as they were, which of them changed, and the changes of all."""
        changed = 2 * (words + 1) + ngrams.rows
        together = min(changed, 2 * COMBINED_ROWS) * self.vectors * LANES * 4
        return self.replica_bytes(words, ngrams) + self.array_bytes(words, ngrams) + 17 * changed + 3 * together

    def replica_bytes(self, words: int, ngrams: NGramSizes = NO_NGRAMS) -> int:
        """The same of one replica alone."""
        arrays = self.array_bytes(words, ngrams) + words * 4
        if self.ngrams:
            arrays += 8 * words + 4 * (ngrams.entries + ngrams.rows)
        if self.objective == "ns":
            return arrays + words * (8 + 8)
        if self.objective == "hs":  # while it is made: the tree, its paths, and the same in blocks
            nodes = math.log2(words + 1) + 1
            return arrays + round(words * (40 + 4 * nodes + (nodes / layout.TARGETS + 1) * layout.BLOCK * 4))
        blocks = -(-words // SOFTMAX_BLOCK)
        return arrays + blocks * self.batch * (SOFTMAX_BLOCK + self.vectors * LANES) * 4

    def scratch_bytes(self, threads: int) -> int:
        """Memory that does not grow with the vocabulary, in bytes."""
        blocks = self.target_blocks
        drawn = BATCH_TOKENS * (4 * 8 + 8 + 1 + blocks * layout.BLOCK * 4)
        if self.objective == "softmax":
            pairs = 2 * self.window * self.batch * 4
            return drawn + threads * SOFTMAX_BLOCK * self.vectors * LANES * 4 + pairs * (threads + 1)
        drawn += threads * layout.GROUP * self.window * blocks * LANES * 4  # errors
        copies = threads if self.mode == "hogwild" else 1
        if self.ngrams:
            drawn += 4 * BATCH_TOKENS + copies * 2 * (self.ring + 1) * self.vectors * LANES * 4
        scores = 2 * copies * self.slices * self.batch * self.window * blocks * LANES * 4
        return self.lanes * (drawn + scores)


@dataclass(frozen=True)
class CbowConfig(SkipGramConfig):
    """The same for CBOW: the average of a window's words predicts the word in its middle."""

    learning_rate: float = option(0.1, "Learning rate at the start; it falls linearly to --final-learning-rate.")

    @property
    def averaged(self) -> bool:
        """Whether the contexts of a word are averaged into one (CBOW)."""
        return True
