"""How a corpus is divided into lanes, in numbers alone: whoever asks how far training is needs no text for it.

A lane is one of some stretches of the stream, all of one length; a step takes the next few tokens of each.
"""

from typing import Any

from streamvec.corpus.shards import MarkedShards


def has_ends(tokenizer: dict[str, Any]) -> bool:
    """Whether an end token stands behind each document: not where its line break is a token."""
    return tokenizer["kind"] != "text"


def stream_tokens(shards: MarkedShards, ends: bool) -> int:
    """Tokens of all documents, with the *ends* of these where there are some."""
    return shards.tokens + (shards.whole_documents if ends else 0)


def lane_length(tokens: int, lanes: int) -> int:
    """Tokens of a lane that are read, each with the next one as its target."""
    return (tokens - 1) // lanes


def steps_of(tokens: int, lanes: int, steps: int) -> int:
    """Batches of up to *steps* time steps in one pass over all lanes."""
    return -(-lane_length(tokens, lanes) // steps)
