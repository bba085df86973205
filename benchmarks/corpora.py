"""The text that benchmarks read: excerpts, made-up zipfian text, and one sample stretched to any size."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from benchmarks.bench import Bench
from streamvec.corpus.compression import zstd
from streamvec.corpus.shards import BATCH_TOKENS, Shards, TokenBatch
from streamvec.corpus.tokens import Tokenizer
from streamvec.corpus.vocabulary import Vocabulary

WIKI = "corpora/wiki-en-17m.txt.zst"
NOVELS = "corpora/novels-en-4m.txt.zst"
_MADE_WORDS = 3000
_SHIFT = 2.7  # of the Zipf-Mandelbrot law: p(rank) ~ 1 / (rank + shift)


def corpus(bench: Bench, name: str, size: int | None = None) -> Path:
    """A corpus as plain text in the work folder: the first *size* bytes of a stored one; made up with --quick."""
    path = bench.work / "corpus.txt"
    if bench.quick:
        made_text(path, size or 600_000, seed=1)
    else:
        excerpt(bench.data(name), path, size)
    return path


def excerpt(stored: Path, plain: Path, size: int | None) -> None:
    """Decompresses the whole lines within the first *size* bytes."""
    left = size if size is not None else 1 << 62
    with zstd.ZstdFile(stored) as source, plain.open("wb") as out:
        for line in source:
            left -= len(line)
            if left < 0:
                break
            out.write(line)


def compressed(plain: Path) -> Path:
    """The file as .zst beside it, at zstd's usual level."""
    path = plain.with_name(plain.name + ".zst")
    with plain.open("rb") as source, zstd.ZstdFile(path, "wb", level=3) as out:
        while piece := source.read(1 << 20):
            out.write(piece)
    return path


def made_text(path: Path, size: int, seed: int) -> None:
    """About *size* bytes of made-up words, zipfian, documents of 5 to 200 words, a line each."""
    draw = np.random.default_rng(seed)
    words = np.array([_made_word(number) for number in range(_MADE_WORDS)])
    written = 0
    with path.open("w", encoding="utf-8") as out:
        while written < size:
            ids = draw.choice(_MADE_WORDS, int(draw.integers(5, 200)), p=zipf(_MADE_WORDS))
            written += out.write(" ".join(words[ids]) + ".\n")


def _made_word(number: int) -> str:
    syllables = ["ba", "di", "ko", "lu", "me", "na", "po", "ri", "su", "ta"]
    return "".join(syllables[int(digit)] for digit in str(number))


def zipf(words: int) -> np.ndarray:
    """float64[words]: probabilities by rank."""
    weights = 1.0 / (np.arange(words) + 1 + _SHIFT)
    return weights / weights.sum()


class Drawn:
    """Record batches of ids drawn from a zipfian vocabulary, in memory: what Shards are to a trainer.

    ``counts`` are those of a corpus of *tokens* tokens, at least 5 each, as a vocabulary of --min-count 5 has.
    """

    def __init__(self, words: int, batches: int, tokens: int, seed: int = 1) -> None:
        draw = np.random.default_rng(seed)
        p = zipf(words)
        self.counts = np.maximum(5, np.round(p * tokens)).astype(np.int64)
        edges = np.cumsum(p)
        self.batches = batches
        self.held = []
        for _ in range(batches):
            ids = np.searchsorted(edges, draw.random(BATCH_TOKENS) * edges[-1], "right").astype(np.int32)
            ends = np.cumsum(draw.integers(20, 300, BATCH_TOKENS // 100))
            offsets = np.concatenate([[0], ends[ends < BATCH_TOKENS], [BATCH_TOKENS]]).astype(np.int32)
            self.held.append(TokenBatch(np.minimum(ids, words - 1), offsets))

    def at(self, epoch: int, batch: int) -> TokenBatch:
        """What step number *batch* of an epoch trains on."""
        return self.held[batch]


def tokenised(plain: Path, out: Path) -> tuple[int, int]:
    """Writes what streamvec's tokeniser makes of each line, spaces between; for tools that split at white space.

    Returns (documents, tokens of the longest document). A document without tokens is left out.
    """
    tokenizer = Tokenizer()
    documents = longest = 0
    with plain.open(encoding="utf-8", newline="\n") as source, out.open("w", encoding="utf-8") as target:
        for line in source:
            tokens = tokenizer.tokens(line)
            if tokens:
                target.write(" ".join(tokens) + "\n")
                documents, longest = documents + 1, max(longest, len(tokens))
    return documents, longest


def stretched(sample: Path, out: Path, size: int) -> None:
    """Repeats *sample*, each time perturbed in another way that depends on nothing but the copy and the line.

    Each line is turned round at another word, so that no document comes twice; one line in 48 is spelt in an
    alphabet of its copy's own, so that the vocabulary grows; every line ends in a word that occurs nowhere else, as
    numbers and misspellings do in a dump: what counting must hold, and the vocabulary leaves out.
    """
    written = 0
    with out.open("wb") as target:
        for copy in range(1 << 30):
            for line in _copy(sample, copy):
                written += target.write(line)
                if written >= size:
                    return


def _copy(sample: Path, copy: int) -> Iterator[bytes]:
    letters = b"abcdefghijklmnopqrstuvwxyz"
    order = np.random.default_rng(copy).permutation(26)
    spelling = bytes.maketrans(letters, bytes(letters[place] for place in order))
    with sample.open("rb") as lines:
        for number, line in enumerate(lines):
            parts = line.rstrip(b"\n").split(b" ", copy)
            turned = b" ".join([parts[-1], *parts[:-1]])
            if (number + copy) % 48 == 0 and copy:
                turned = turned.translate(spelling)
            yield b"%s x%xy%x\n" % (turned, copy, number)


def chained(run: Path, out: Path, tokens: int, seed: int = 1) -> None:
    """About *tokens* tokens that read like a RUN's text: now and then a line goes on where a word stands elsewhere.

    One word in five is such a place, drawn among all occurrences of the word. Frequencies stay, and ever new pairs of
    words come near each other: what repeating a text does not give.
    """
    shards, words = Shards.open(run / "shards"), Vocabulary.load(run / "vocabulary.arrow").words.to_numpy(False)
    ids = np.concatenate([shards.batch(number).values for number in range(shards.batches)])
    places = np.argsort(ids, kind="stable")
    counts = np.bincount(ids, minlength=len(words))
    firsts = np.cumsum(counts) - counts
    draw, length = np.random.default_rng(seed), 500
    with out.open("w", encoding="utf-8") as file:
        while tokens > 0:
            at = draw.integers(0, ids.size - 1, 4096)
            lines = np.empty((4096, length), np.int32)
            for column in range(length):
                here = ids[at]
                lines[:, column] = here
                other = places[firsts[here] + (draw.random(4096) * counts[here]).astype(np.int64)]
                at = np.where(draw.random(4096) < 0.2, other, at) + 1
                at[at == ids.size] = 0
            for line in lines:
                file.write(" ".join(words[line]) + "\n")
            tokens -= lines.size
