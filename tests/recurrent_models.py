"""Language models beside their naive reference: the same parameters in float64 without padding, the same losses."""

import numpy as np
from naive_recurrent import go_on, log_chances

from streamvec.corpus.lanes import LaneBatch
from streamvec.models.cells import CELLS
from streamvec.models.languagemodel import LanguageModel
from streamvec.models.lmconfig import LmConfig
from streamvec.models.shape import padded


def places(config, name, shape):
    """The numbers of the parameter *name* that are not padding, as an index."""
    gates = CELLS[config.cell].gates
    columns = np.concatenate([np.arange(config.hidden) + padded(config.hidden) * gate for gate in range(gates)])
    if name in ("embedding", "output"):
        return np.ix_(np.arange(shape[0]), np.arange(config.dim if name == "embedding" else config.hidden))
    if name.endswith(".down"):
        return np.ix_(np.arange(config.hidden), np.arange(shape[1]))
    if name.startswith(("tail", "output")):
        return np.ix_(*map(np.arange, shape))
    if name.endswith(("b", "d")):
        return (columns,)
    rows = config.dim if name == "0.forward.W" else config.hidden
    return np.ix_(np.arange(rows), columns)


def plain(model):
    """Its parameters in float64, unpadded."""
    return {
        name: array[places(model.config, name, array.shape)].astype(np.float64)
        for name, array in model.parameters.items()
    }


def scattered(config, words=11, seed=4, spread=0.6, **more):
    """A model whose numbers are all large and different, and whose states are not zero."""
    model, draw = LanguageModel(config, words, 5, **more), np.random.default_rng(seed)
    for name, array in model.parameters.items():
        where = places(config, name, array.shape)
        array[where] = draw.normal(0, spread, array[where].shape)
    for state in states(model):
        state[:, : config.hidden] = draw.normal(0, 0.5, (len(state), config.hidden))
    return model


def states(model):
    """The arrays of the state, in order."""
    number, found = 0, []
    while f"state.{number}" in model.arrays:
        found.append(model.arrays[f"state.{number}"])
        number += 1
    return found


def states_of_lane(model, lane):
    """(h, c) of each layer, in float64."""
    config = model.config
    flat = [state[lane, : config.hidden].astype(np.float64) for state in states(model)]
    if CELLS[config.cell].has_memory:
        return [(flat[2 * layer], flat[2 * layer + 1]) for layer in range(config.layers)]
    return [(h, np.zeros(config.hidden)) for h in flat]


def zeros(config):
    """(h, c) of each layer before anything was read."""
    return [(np.zeros(config.hidden), np.zeros(config.hidden))] * config.layers


def layers_of(config, p):
    """Parameters by layer, as the naive reference takes them."""
    parts = ("W", "U", "b", "d") if CELLS[config.cell].has_recurrent_bias else ("W", "U", "b")
    return {f"{n}.forward": {part: p[f"{n}.forward.{part}"] for part in parts} for n in range(config.layers)}


def cuts_of(config, words):
    """Where the clusters of an adaptive softmax begin, and V; none with a softmax over every word."""
    cuts = [cut for cut in config.cuts if cut < words]
    return [*cuts, words] if cuts else []


def naive_losses(config, p, inputs, targets, state=None, masks=()):
    """(the loss of each step of one lane, the state after it): inputs, targets: int[steps]."""
    xs = p["embedding"][inputs]
    hidden, after = go_on(config.cell, xs, layers_of(config, p), config.layers, state or zeros(config), masks)
    chances = log_chances(p, hidden, config.tied, cuts_of(config, len(p["embedding"])))
    return -chances[np.arange(len(targets)), targets], after


def some_batch(config, words, steps=None, seed=7, begins=False, lanes=None):
    """Random tokens for all lanes."""
    draw = np.random.default_rng(seed)
    taken = draw.integers(0, words, ((steps or config.bptt) + 1, lanes or config.batch)).astype(np.int32)
    return LaneBatch(taken[:-1], taken[1:], begins)


def small(cell="lstm", **options):
    """Options of a model that is tried in no time: plain steps of size 1, no clipping."""
    usual = {"hidden": 4, "dim": 4, "layers": 1, "batch": 2, "bptt": 3, "learning_rate": 1.0, "clip": 0.0}
    return LmConfig(cell=cell, **{**usual, **options})
