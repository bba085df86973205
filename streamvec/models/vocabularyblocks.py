"""Hidden vectors meet the vocabulary in blocks of words of a fixed size, which threads share.

What is said of a hidden vector by blocks is put together in their order, so that the bytes are the same for any number
of threads. All softmaxes over every word are made of these: that of word vectors, and those of language models.
"""

from typing import NamedTuple

import numpy as np

from streamvec.kernels import softmax
from streamvec.models.wordconfig import SOFTMAX_BLOCK


class Targets(NamedTuple):
    """Which words each hidden vector is to predict: of vector r, words[starts[r]:starts[r + 1]]."""

    starts: np.ndarray  # int32[>= count + 1]
    words: np.ndarray  # int32[targets]
    logits: np.ndarray  # float32[targets], written: their scores


class Scores(NamedTuple):
    """What one block says of some hidden vectors."""

    values: np.ndarray  # float32[>= count, words rounded up to 16]: exponentials of scores less the peak
    peaks: np.ndarray  # float32[>= count]: the largest score
    totals: np.ndarray  # float32[>= count]: the sum of the exponentials


def blocks_of(words: int) -> list[tuple[int, int]]:
    """(first word, last word + 1) of each block."""
    return [(low, min(low + SOFTMAX_BLOCK, words)) for low in range(0, words, SOFTMAX_BLOCK)]


def score_block(
    hidden: np.ndarray,
    weights: np.ndarray,
    bias: np.ndarray | None,
    block: tuple[int, int],
    targets: Targets,
    scores: Scores,
) -> None:
    """Writes *scores* of a block, and the logits of those targets that lie in it.

    hidden: float32[count, columns], weights: float32[V, columns], bias: float32[V].
    """
    (low, high), count = block, len(hidden)
    wanted = scores.values[:count, : high - low]
    np.matmul(hidden, weights[low:high].T, out=wanted)
    if bias is not None:
        wanted += bias[low:high]
    softmax.take_logits(scores.values, count, targets.starts, targets.words, low, high, targets.logits)
    wanted.max(axis=1, out=scores.peaks[:count])
    scores.values[:count, high - low :] = -np.inf
    softmax.exponentials(scores.values, count, scores.peaks, scores.totals)
