"""How fast this machine is: a few steps of the real training on sampled text, a second or so."""

import time
from collections.abc import Sequence

import numpy as np

from streamvec.corpus.shards import BATCH_TOKENS, TokenBatch
from streamvec.models.skipgram import SkipGram
from streamvec.models.step import Position
from streamvec.models.subwords import WordBytes, ngrams_of
from streamvec.models.wordconfig import SkipGramConfig
from streamvec.training.needs import Corpus

MOST_MODEL = 192 << 20  # bytes: several times any cache, and made in no time
SECONDS = 1.0
_FIRST = 4096  # tokens of the step that compiles and warms


def tokens_a_second(
    config: SkipGramConfig,
    corpus: Corpus,
    counts: np.ndarray,
    batches: Sequence[TokenBatch],
    shown: WordBytes,
    threads: int,
) -> float:
    """The rate of training, in tokens of the vocabulary.

    counts: int64[n], falling, of the most frequent words; *batches*: of ids; *shown*: with subwords, the most frequent
    words, of which alone there are ids.
    """
    most = max(1, min(corpus.words, MOST_MODEL // (config.model_bytes(1000) // 1000)))
    known = np.ones(most, np.int64)
    some = min(most, counts.size)
    known[:some] = counts[:some]
    pieces = [piece for batch in batches if (piece := _known(batch, most)).values.size]
    if not pieces:
        return 1e6
    is_full = config.objective == "softmax"  # its cost is that of all words, and a few tokens show it
    offsets = np.pad(shown[1][: most + 1], (0, max(0, most + 1 - len(shown[1]))), "edge")
    ngrams = ngrams_of(config, (shown[0], offsets))
    model, fewest = SkipGram(config, known, 1 << 20, threads, ngrams), 256 if is_full else _FIRST
    try:
        for array in model.arrays.values():
            array[::1024] += 0  # memory is given on the first write
        began = time.perf_counter()
        first = _beginning(pieces[0], fewest)
        for _ in range(2):
            began = time.perf_counter()
            model.step(first, Position(0, 0))
        rate = first.values.size / (time.perf_counter() - began)
        size = max(fewest, min(BATCH_TOKENS, int(rate * SECONDS / 4)))
        pieces = [_beginning(piece, size) for piece in pieces]
        best, spent, number = rate if pieces[0].values.size <= fewest else 0.0, 0.0, 0
        done: list[float] = []
        while spent < SECONDS:
            piece = pieces[number % len(pieces)]
            began = time.perf_counter()
            model.step(piece, Position(0, number))
            seconds = time.perf_counter() - began
            spent, number = spent + seconds, number + 1
            done.append(piece.values.size / seconds)
        found = max(best, float(np.quantile(done, 0.7)))  # what else the machine does can only slow
        return found * most / corpus.words if is_full else found
    finally:
        model.close()


def batches_of(found: Sequence[tuple[np.ndarray, np.ndarray]], words: int, is_marked: bool = False) -> list[TokenBatch]:
    """Record batches of (ids, lengths of documents): ids of *words* and above are left out, as rare words are, or with
    *is_marked* are -2 there."""
    batches = []
    for ids, lengths in found:
        ends = np.cumsum(lengths, dtype=np.int64)
        ids = ids[: ends[-1] if ends.size else 0]
        inside = (ids < words) | is_marked
        kept = np.concatenate([[0], np.cumsum(inside)])
        offsets = np.unique(np.concatenate([[0], kept[ends]])).astype(np.int32)
        batches.append(TokenBatch(np.where(ids < words, ids, -2)[inside].astype(np.int32), offsets))
    return [_beginning(batch, BATCH_TOKENS) for batch in _joined(batches)]


def _joined(batches: list[TokenBatch]) -> list[TokenBatch]:
    """Small ones become larger ones; large ones are divided."""
    values = np.concatenate([batch.values for batch in batches]) if batches else np.zeros(0, np.int32)
    lengths = np.concatenate([np.diff(batch.offsets) for batch in batches]) if batches else np.zeros(0, np.int32)
    ends, result, start = np.cumsum(lengths, dtype=np.int64), [], 0
    while start < values.size:
        stop = min(values.size, start + BATCH_TOKENS)
        inside = ends[(ends > start) & (ends < stop)] - start
        offsets = np.concatenate([[0], inside, [stop - start]]).astype(np.int32)
        result.append(TokenBatch(values[start:stop], offsets))
        start = stop
    return result


def _beginning(batch: TokenBatch, tokens: int) -> TokenBatch:
    if batch.values.size <= tokens:
        return batch
    inside = batch.offsets[batch.offsets < tokens]
    return TokenBatch(batch.values[:tokens], np.concatenate([inside, [tokens]]).astype(np.int32))


def _known(batch: TokenBatch, words: int) -> TokenBatch:
    """A batch without words that the model made for timing lacks."""
    if not batch.values.size or batch.values.max() < words:
        return batch
    inside = batch.values < words
    kept = np.concatenate([[0], np.cumsum(inside)])
    return TokenBatch(batch.values[inside], kept[batch.offsets].astype(np.int32))
