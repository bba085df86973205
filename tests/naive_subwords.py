"""Words made of rows, in plain Python: their n-grams, their means, and a batch that trains on these."""

import naive
import numpy as np


def ngrams(word: str, minn: int, maxn: int, buckets: int) -> list[int]:
    """The buckets of the n-grams of <word>, by start and then by length; the marks alone are none."""
    marked, found = f"<{word}>", []
    for start in range(len(marked)):
        for length in range(minn, maxn + 1):
            piece = marked[start : start + length]
            is_mark = length == 1 and start in (0, len(marked) - 1)
            if len(piece) == length and not is_mark:
                state = 2166136261
                for byte in piece.encode("utf-8", "surrogatepass"):
                    signed = byte - 256 if byte > 127 else byte
                    state = ((state ^ (signed & 0xFFFFFFFF)) * 16777619) & 0xFFFFFFFF
                found.append(state % buckets)
    return found


def row_lists(words: list[str], minn: int, maxn: int, buckets: int) -> tuple[list[list[int]], list[int]]:
    """(the rows of each word: its own, and V + the number of each n-gram's bucket; the buckets that are used)."""
    found = [ngrams(word, minn, maxn, buckets) for word in words]
    used = sorted(set().union(*found))
    number = {bucket: len(words) + place for place, bucket in enumerate(used)}
    return [[rank, *(number[bucket] for bucket in some)] for rank, some in enumerate(found)], used


def windows(documents: list[list[tuple[int, int]]], window: int, window_key: int) -> list[tuple[int, int, list[int]]]:
    """(token, place in the corpus, places among the kept tokens of its contexts) of each kept token."""
    found, first = [], 0
    for document in documents:
        for i, (token, place) in enumerate(document):
            reach = 1 + naive.below(naive.bits(window_key, place), window)
            inside = range(max(0, i - reach), min(len(document), i + reach + 1))
            found.append((token, place, [first + j for j in inside if j != i]))
        first += len(document)
    return found


def train_batch(table, outputs, lists, tokens, batch, rate, averaged=False, together=None):
    """Trains on the means of rows as on rows, then adds what each has gained to the rows it is made of.

    table: float64[rows, dim] and outputs: updated; tokens: the word at each place; batch: of (places, targets).
    Returns the losses.
    """
    near = sorted({place for contexts, _ in batch for place in contexts})
    hidden = np.array([table[lists[tokens[place]]].mean(axis=0) for place in near]).reshape(len(near), -1)
    before = hidden.copy()
    numbered = [([near.index(place) for place in contexts], targets) for contexts, targets in batch]
    losses = naive.train_batch(hidden, outputs, numbered, rate, averaged, together)
    for place, gain in zip(near, hidden - before, strict=True):
        for row in lists[tokens[place]]:
            table[row] += gain
    return losses


def loss(table, outputs, lists, contexts, targets, averaged=False):
    """The loss of one center whose contexts are words made of rows."""
    hidden = np.array([table[lists[word]].mean(axis=0) for word in contexts])
    return naive.loss(hidden, outputs, list(range(len(contexts))), targets, averaged)
