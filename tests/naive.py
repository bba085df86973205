"""Plain Python and float64 versions of the kernels, slow and short enough to be read at a glance."""

import numpy as np

MASK = 2**64 - 1
KEEP, WINDOW, NOISE = 1, 2, 3


def mixed(counter: int) -> int:
    z = counter * 0x9E3779B97F4A7C15 & MASK
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9 & MASK
    z = (z ^ z >> 27) * 0x94D049BB133111EB & MASK
    return z ^ z >> 31


def stream(seed: int, epoch: int, purpose: int) -> int:
    return mixed(mixed(mixed(seed + 1) ^ epoch) ^ purpose)


def bits(key: int, place: int) -> int:
    return mixed(key + place & MASK)


def below(word: int, n: int) -> int:
    return (word >> 32) * n >> 32


def sigmoid(x: float) -> float:
    return 1 / (1 + np.exp(-x))


def kept_tokens(documents, place, keep, key):
    """Documents after subsampling, as lists of (token, place)."""
    kept = []
    for document in documents:
        kept.append([])
        for token in document:
            if bits(key, place) & 0xFFFFFFFF <= keep[token]:
                kept[-1].append((token, place))
            place += 1
    return kept


def centers_of(document, window, negative, noise, window_key, noise_key):
    """(center, contexts, negatives) of each token of a document of (token, place)."""
    for i, (token, place) in enumerate(document):
        reach = 1 + below(bits(window_key, place), window)
        contexts = [document[j][0] for j in range(max(0, i - reach), min(len(document), i + reach + 1)) if j != i]
        negatives = []
        for j in range(negative):
            random = bits(noise_key, place * negative + j)
            row = below(random, len(noise))
            threshold, other = int(noise[row]) >> 32, int(noise[row]) & 0xFFFFFFFF
            row = row if random & 0xFFFFFFFF < threshold else other
            if row != token:
                negatives.append((row, j))
        yield token, contexts, negatives


def loss(inputs, outputs, center, contexts, negatives):
    """-log sigmoid(positive) - sum log sigmoid(-negative), summed over the contexts (Mikolov et al. 2013, eq. 4)."""
    total = 0.0
    for context in contexts:
        total -= np.log(sigmoid(outputs[center] @ inputs[context]))
        for row, _ in negatives:
            total -= np.log(sigmoid(-outputs[row] @ inputs[context]))
    return total


def train_batch(inputs, outputs, batch, rate, block=6):
    """All scores from the rows as they stood, then the updates center by center. Returns the losses."""
    scores = []
    for center, contexts, negatives in batch:
        rows = [(center, 0), *((row, 1 + j) for row, j in negatives)]
        scores.append([[outputs[row] @ inputs[context] for context in contexts] for row, _ in rows])
    losses = [loss(inputs, outputs, *center) for center in batch]
    for (center, contexts, negatives), score in zip(batch, scores, strict=True):
        rows = [(center, 0), *((row, 1 + j) for row, j in negatives)]
        for first in range(0, max(place for _, place in rows) + 1, block):  # targets go in blocks of six
            some = [n for n, (_, place) in enumerate(rows) if first <= place < first + block]
            before = {rows[n][0]: outputs[rows[n][0]].copy() for n in some}
            changes = [np.zeros_like(outputs[0]) for _ in some]
            for c, context in enumerate(contexts):
                x = inputs[context].copy()
                for n, change in zip(some, changes, strict=True):
                    row, place = rows[n]
                    error = rate * ((place == 0) - sigmoid(score[n][c])) * (abs(score[n][c]) <= 8)
                    change += error * x
                    inputs[context] += error * before[row]
            for n, change in zip(some, changes, strict=True):
                outputs[rows[n][0]] += change
    return losses
