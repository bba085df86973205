"""How a corpus is divided into lanes or sequences, in numbers alone: who asks how far training is needs no text for it.

A lane is one of some stretches of the stream, all of one length; a step takes the next few tokens of each. A sequence
is a document with its end, or a piece of one that is longer than a sequence may be; a step takes the next few.
"""

from typing import Any, NamedTuple, Protocol

import numpy as np

from streamvec.corpus.shards import MarkedShards


def has_ends(tokenizer: dict[str, Any]) -> bool:
    """Whether an end token stands behind each document: not where its line break is a token."""
    return tokenizer["kind"] != "text"


class Read(Protocol):
    """The sizes of a text that is read in lanes or sequences: of `MarkedShards`, or told before there are any."""

    @property
    def tokens(self) -> int:
        """Its tokens, rare ones included."""

    @property
    def whole_documents(self) -> int:
        """Its documents that have a token."""


def stream_tokens(text: Read, ends: bool) -> int:
    """Tokens of all documents, with the *ends* of these where there are some."""
    return text.tokens + (text.whole_documents if ends else 0)


def too_few(tokens: int, lanes: int) -> str:
    """What is wrong where a lane would have no token, and what to do."""
    return f"{tokens:,} tokens are too few for {lanes} sequences side by side: give more text, or a smaller --batch"


def lane_length(tokens: int, lanes: int) -> int:
    """Tokens of a lane that are read, each with the next one as its target."""
    return (tokens - 1) // lanes


def steps_of(tokens: int, lanes: int, steps: int) -> int:
    """Batches of up to *steps* time steps in one pass over all lanes."""
    return -(-lane_length(tokens, lanes) // steps)


class Division(NamedTuple):
    """The stream of a corpus divided into sequences: 20 bytes for each record batch that there is."""

    begins: np.ndarray  # int64[batches + 1]: tokens of the stream before each record batch; the last is all of them
    firsts: np.ndarray  # int64[batches + 1]: sequences that begin before each; the last is all of them
    opened: np.ndarray  # int32[batches]: tokens in earlier record batches of a piece that goes on in this one
    documents: int
    longer: int  # of them, those that are cut into pieces

    def starts(self, number: int, lengths: np.ndarray, most: int) -> np.ndarray:
        """Where in the stream the sequences begin that begin in record batch *number*, int64[n]."""
        return self.begins[number] + sequence_starts(lengths, int(self.opened[number]), most)


def division(shards: MarkedShards, ends: bool, most: int) -> Division:
    """How *shards* are divided into sequences of at most *most* tokens, *ends* of documents included."""
    batches = shards.batches
    begins, firsts = np.zeros(batches + 1, np.int64), np.zeros(batches + 1, np.int64)
    opened = np.zeros(batches, np.int32)
    documents = longer = before = 0  # before: tokens in earlier record batches of the document that goes on
    for number, offsets in enumerate(shards.offsets()):
        goes_on = number in shards.cuts
        lengths = stream_lengths(offsets, goes_on, ends)
        opened[number] = before % most
        begins[number + 1] = begins[number] + lengths.sum()
        firsts[number + 1] = firsts[number] + _pieces(lengths, before % most, most).sum()
        lengths[0] += before
        ended = lengths[: lengths.size - goes_on]
        documents, longer = documents + ended.size, longer + int((ended > most).sum())
        before = int(lengths[-1]) if goes_on else 0
    return Division(begins, firsts, opened, documents, longer)


def stream_lengths(offsets: np.ndarray, goes_on: bool, ends: bool) -> np.ndarray:
    """How many tokens each document of a record batch has in the stream, int64[documents]."""
    lengths = np.diff(offsets).astype(np.int64) + ends
    lengths[-1] -= ends and goes_on
    return lengths


def sequence_starts(lengths: np.ndarray, opened: int, most: int) -> np.ndarray:
    """Where sequences begin in documents of such *lengths* end to end, int64[n]; *opened*: as of `_pieces`."""
    counts, places = _pieces(lengths, opened, most), np.cumsum(lengths) - lengths
    places[0] += -opened % most
    before = np.cumsum(counts) - counts
    return np.repeat(places - most * before, counts) + most * np.arange(counts.sum())


def _pieces(lengths: np.ndarray, opened: int, most: int) -> np.ndarray:
    """How many sequences begin in each document, of which the first may go on with a piece of *opened* tokens."""
    counts = -(-lengths // most)
    counts[0] = -(-(opened + lengths[0]) // most) - (opened > 0)
    return counts
