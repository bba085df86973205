"""Phrases over lists of words, written as plainly as the definition: what the passes over ids are tested against."""

import math
from collections import Counter
from itertools import pairwise

Documents = list[list[str]]


def scores(documents: Documents, score: str, min_count: int) -> dict[tuple[str, str], float]:
    """The score of each pair of neighbours."""
    words = Counter(word for document in documents for word in document)
    pairs = Counter(pair for document in documents for pair in pairwise(document))
    tokens, types = words.total(), len(words) + len(pairs)
    found = {}
    for (left, right), both in pairs.items():
        if score == "word2vec":
            found[left, right] = (both - min_count) / (words[left] * words[right]) * types
        elif both >= min_count:
            chance = words[left] / tokens * (words[right] / tokens)
            found[left, right] = math.log(both / tokens / chance) / -math.log(both / tokens)
    return found


def joined(documents: Documents, phrases: set[tuple[str, str]]) -> Documents:
    """The documents with phrases joined, from left to right."""
    result = []
    for document in documents:
        new: list[str] = []
        place = 0
        while place < len(document):
            if tuple(document[place : place + 2]) in phrases:
                new.append("_".join(document[place : place + 2]))
                place += 2
            else:
                new.append(document[place])
                place += 1
        result.append(new)
    return result


def phrased(documents: Documents, passes: int, score: str, threshold: float, min_count: int) -> Documents:
    """The documents after some passes."""
    for _ in range(passes):
        found = scores(documents, score, min_count)
        documents = joined(documents, {pair for pair, value in found.items() if value > threshold})
    return documents
