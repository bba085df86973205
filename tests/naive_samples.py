"""Losses over a target and a sample of words in plain float64, a token at a time."""

import numpy as np


def chances(counts, power):
    weights = np.maximum(counts, 1).astype(float) ** power
    return weights / weights.sum()


def full(scores, target):
    """-log softmax at the target."""
    return np.log(np.exp(scores - scores.max()).sum()) + scores.max() - scores[target]


def sampled(scores, target, drawn, q):
    """A softmax over the target and the other words drawn, each less the logarithm of its chance to be drawn at all."""
    corrected = scores - np.log(1 - (1 - q) ** len(drawn))
    words = [target, *(word for word in set(drawn.tolist()) if word != target)]
    return full(corrected[words], 0)


def nce(scores, target, drawn, q):
    """Whether a word is the target or noise; the probability of a word is exp(score) / V."""

    def is_target(word):
        model = np.exp(scores[word]) / len(scores)
        return model / (model + len(drawn) * q[word])

    return -np.log(is_target(target)) - np.log(1 - is_target(drawn)).sum()


LOSSES = {"sampled": sampled, "nce": nce}
