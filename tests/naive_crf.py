"""A conditional random field by its definition: every path of a sequence, one after another, in float64."""

import itertools

import numpy as np


def score(transitions, first, last, scores, path):
    """Of one path through one sequence, scores [steps, T]."""
    total = first[path[0]] + last[path[-1]]
    total += sum(scores[step, tag] for step, tag in enumerate(path))
    return total + sum(transitions[before, tag] for before, tag in itertools.pairwise(path))


def all_paths(transitions, first, last, scores):
    """(every path, the chance of each, the logarithm of the sum over all)."""
    paths = list(itertools.product(range(len(first)), repeat=len(scores)))
    values = np.array([score(transitions, first, last, scores, path) for path in paths])
    peak = values.max()
    total = peak + np.log(np.exp(values - peak).sum())
    return paths, np.exp(values - total), total


def loss(transitions, first, last, scores, tags):
    """The negative log likelihood of the path *tags*; 0 of a sequence without steps."""
    if not len(scores):
        return 0.0
    return all_paths(transitions, first, last, scores)[2] - score(transitions, first, last, scores, tags)


def marginals(transitions, first, last, scores):
    """The chance of each tag at each step, [steps, T]."""
    found = np.zeros(scores.shape)
    paths, chances, _ = all_paths(transitions, first, last, scores)
    for path, chance in zip(paths, chances, strict=True):
        for step, tag in enumerate(path):
            found[step, tag] += chance
    return found


def best_path(transitions, first, last, scores):
    """The path with the highest score; of equal ones that with the lower tags, from the end."""
    paths = itertools.product(range(len(first)), repeat=len(scores))
    return max(
        sorted(paths, key=lambda path: path[::-1]), key=lambda path: score(transitions, first, last, scores, path)
    )
