"""What the parameters of a language model begin with, as a function of the seed and of each one's place.

Nothing bounds the states of rnn-relu, and what a network learns first is how often each token comes: it would do so by
states that grow, in a few steps of Adam without end. It begins with that known, in the output's bias, and with small
recurrent weights (as Le et al. 2015, arXiv:1504.00941, but smaller: a state also goes on from one step to the next).
"""

import math
from collections.abc import Mapping
from itertools import pairwise

import numpy as np

from streamvec.kernels import random
from streamvec.models.lmconfig import LmConfig
from streamvec.models.shape import Shape, padded

_FORGET = 1  # the place of an lstm's forget gate
_RECURRENT = 0.5  # times as large are the recurrent weights of rnn-relu


def start(config: LmConfig, parameters: Mapping[str, np.ndarray], counts: np.ndarray | None = None) -> None:
    """Uniform weights of words in +-0.1, and those of `start_layer`; with rnn-relu, an output that knows the *counts*,
    int64[V], where these are given. Fills zeros."""
    for number, (name, array) in enumerate(parameters.items()):
        key = config.seed * 1_000_003 + number
        if name in ("embedding", "output"):
            width = config.dim if name == "embedding" else config.hidden
            random.uniform_rows(array, width, -0.1, 0.1, key)
        elif name.startswith("tail.") and array.ndim == 2:
            rows, width = (config.hidden, array.shape[1]) if name.endswith("down") else array.shape
            random.uniform_rows(array[:rows], width, -0.1, 0.1, key)
        elif name[0].isdigit():
            start_layer(config.shape, name, array, key)
    if config.cell == "rnn-relu" and counts is not None:
        _know_counts(parameters, config.cuts_of(len(counts)), counts)


def start_layer(shape: Shape, name: str, array: np.ndarray, key: int) -> None:
    """A layer's parameter *name*: uniform weights in +-1/sqrt(hidden), of rnn-relu's U in half of that; forget gates of
    either direction begin open. Fills zeros."""
    hidden, units = padded(shape.hidden), shape.hidden
    layer, _, part = name.split(".")
    if part == "b" and shape.cell == "lstm":
        array.reshape(-1, hidden)[_FORGET, :units] = 1
    if part not in "WU":
        return
    reach = 1 / math.sqrt(units) * (_RECURRENT if part == "U" and shape.cell == "rnn-relu" else 1)
    lowest = np.arange(shape.inputs) if layer == "0" else shape.units  # what each direction of the layer below gives
    places = np.arange(units) if part == "U" else lowest
    gates = array.reshape(len(array), -1, hidden)
    for gate in range(gates.shape[1]):
        values = np.zeros((places.size, units), np.float32)
        random.uniform_rows(values, units, -reach, reach, key + 7_919 * (gate + 1))
        gates[places, gate, :units] = values


def _know_counts(parameters: Mapping[str, np.ndarray], cuts: list[int], counts: np.ndarray) -> None:
    """Writes how likely each token is before anything was read into the biases of the output and its clusters."""
    met = np.maximum(counts, 1).astype(np.float64)
    head = met[: cuts[0]] if cuts else met
    tails = [met[low:high] for low, high in pairwise([*cuts, len(met)])]
    parameters["output.b"][:] = _log_chances(np.append(head, [tail.sum() for tail in tails]))
    for number, tail in enumerate(tails):
        parameters[f"tail.{number}.b"][:] = _log_chances(tail)


def _log_chances(met: np.ndarray) -> np.ndarray:
    """log(V p), as noise-contrastive estimation wants scores to be; a softmax takes them as it takes log p."""
    return np.log(met * (len(met) / met.sum()))
