"""GloVe in plain Python: counts by a dictionary, the loss by its formula, AdaGrad an entry at a time, in float64."""

from collections import defaultdict
from fractions import Fraction
from itertools import pairwise
from typing import NamedTuple

import naive
import numpy as np

ORDER, BATCHES = 6, 7
PIECE = 65_536


def cooccurrences(documents, window, sides="both", weighting="distance"):
    """{(row, column): value}, the whole matrix. Two sides: each neighbour counts for both, as in Stanford's cooccur."""
    found = defaultdict(Fraction)
    for document in documents:
        for place, word in enumerate(document):
            for distance in range(1, min(window, place) + 1):
                before = document[place - distance]
                weight = Fraction(1, distance) if weighting == "distance" else Fraction(1)
                if sides in ("both", "left"):
                    found[word, before] += weight
                if sides in ("both", "right"):
                    found[before, word] += weight
    return dict(found)


class Model(NamedTuple):
    """All that is trained, and sums of squared gradients of the same shapes."""

    words: np.ndarray  # [V, dim]
    contexts: np.ndarray  # [V, dim]
    word_biases: np.ndarray  # [V]
    context_biases: np.ndarray  # [V]
    squares: list[np.ndarray]  # of each of these


def new_model(words, contexts, word_biases, context_biases):
    arrays = [np.array(array, np.float64) for array in (words, contexts, word_biases, context_biases)]
    return Model(*arrays, [np.ones_like(array) for array in arrays])


def weight_of(value, x_max, alpha):
    """f(x) = min(1, (x / x_max)^alpha)"""
    return min(1.0, (value / x_max) ** alpha)


def loss(words, contexts, word_biases, context_biases, entries, x_max, alpha):
    """sum f(x) (w . c + b + b' - log x)^2 / 2 (Pennington et al. 2014, eq. 8) over entries (row, column, x)."""
    total = 0.0
    for row, column, value in entries:
        product = words[row] @ contexts[column] + word_biases[row] + context_biases[column]
        total += weight_of(value, x_max, alpha) * (product - np.log(value)) ** 2 / 2
    return total


def train(model, entries, rate, x_max, alpha):
    """A step of AdaGrad for each entry in its turn; returns the sum of their losses, each before its step.

    Gradients are scaled by the rate before they are squared, and a sum of squares holds the current one already.
    """
    losses = 0.0
    for row, column, value in entries:
        losses += loss(*model[:4], [(row, column, value)], x_max, alpha)
        product = model.words[row] @ model.contexts[column] + model.word_biases[row] + model.context_biases[column]
        error = rate * weight_of(value, x_max, alpha) * (product - np.log(value))
        gradients = [error * model.contexts[column], error * model.words[row], error, error]
        for array, squares, place, gradient in zip(
            model[:4], model.squares, (row, column, row, column), gradients, strict=True
        ):
            squares[place] += gradient**2
            array[place] -= gradient / np.sqrt(squares[place])
    return losses


def with_mirror_images(entries):
    """Entries and, right after each whose row is not its column, what it stands for too."""
    for row, column, value in entries:
        yield row, column, value
        if row != column:
            yield column, row, value


def shuffled(size, key, place):
    """0 .. size-1 in the order that (key, place) decides: Durstenfeld's from the end."""
    order = list(range(size))
    for index in range(size - 1, 0, -1):
        other = naive.below(naive.bits(key, place + index), index + 1)
        order[index], order[other] = order[other], order[index]
    return order


def in_order(entries, blocks, seed, epoch, first):
    """The entries of one record batch as they are trained on: block after block, pieces of each in random order.

    blocks: the block of each entry, in any form; first: the number of the first entry among all.
    """
    key = naive.stream(seed, epoch + 1, ORDER)
    edges = [0, *(n for n in range(1, len(entries)) if blocks[n] != blocks[n - 1]), len(entries)]
    for begin, end in pairwise(edges):
        for start in range(begin, end, PIECE):
            for place in shuffled(min(PIECE, end - start), key, first + start):
                yield entries[start + place]
