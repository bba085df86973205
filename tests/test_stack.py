"""Cells, deep and in both directions, against a naive reference and PyTorch; gradients against central differences."""

import numpy as np
import pytest
import pytorch_cells
from naive_recurrent import central_differences, run

from streamvec.models.cells import CELLS
from streamvec.models.shape import Shape, padded
from streamvec.models.stack import Picked, Stack

LENGTHS = np.array([5, 3, 1])


def plain(shape, seed):
    """Unpadded float64 parameters by layer and direction, all different."""
    draw, gates = np.random.default_rng(seed), CELLS[shape.cell].gates
    found = {}
    for layer in range(shape.layers):
        inputs = shape.inputs if layer == 0 else shape.hidden * len(shape.directions)
        for direction in shape.directions:
            sizes = {"W": (inputs, gates * shape.hidden), "U": (shape.hidden, gates * shape.hidden)}
            sizes["b"] = (gates * shape.hidden,)
            if CELLS[shape.cell].has_recurrent_bias:
                sizes["d"] = (gates * shape.hidden,)
            found[f"{layer}.{direction}"] = {name: draw.normal(0, 0.7, size) for name, size in sizes.items()}
    return found


def rows_of(shape, layer):
    """Which padded rows of W a layer's inputs are."""
    if layer == 0:
        return np.arange(shape.inputs)
    return np.concatenate([np.arange(shape.hidden) + padded(shape.hidden) * n for n in range(len(shape.directions))])


def columns_of(shape):
    """Which padded columns the gates are."""
    return np.concatenate([np.arange(shape.hidden) + padded(shape.hidden) * n for n in range(CELLS[shape.cell].gates)])


def pad(shape, plain_parameters):
    """The same as the stack holds them."""
    arrays = {name: np.zeros(size, np.float32) for name, size in shape.parameters().items()}
    for name, part in each(shape):
        places = places_of(shape, name, part)
        arrays[f"{name}.{part}"][places] = plain_parameters[name][part]
    return arrays


def each(shape):
    return [(name.rpartition(".")[0], name.rpartition(".")[2]) for name in shape.parameters()]


def places_of(shape, name, part):
    """The numbers of a padded parameter that the unpadded one has."""
    columns = columns_of(shape)
    if part in "bd":
        return columns
    rows = rows_of(shape, int(name.split(".")[0])) if part == "W" else np.arange(shape.hidden)
    return np.ix_(rows, columns)


def batch(shape, seed=5):
    xs = np.random.default_rng(seed).normal(0, 1, (LENGTHS.max(), len(LENGTHS), shape.inputs))
    wide = np.zeros((*xs.shape[:2], padded(shape.inputs)), np.float32)
    wide[:, :, : shape.inputs] = xs
    return xs, wide


SHAPES = [
    Shape(cell, inputs, hidden, layers, bidirectional)
    for cell in CELLS
    for inputs, hidden, layers, bidirectional in ((3, 4, 1, False), (2, 3, 2, False), (3, 2, 1, True), (2, 3, 2, True))
] + [Shape("lstm", 17, 18, 2, True)]


@pytest.mark.parametrize(
    "shape", SHAPES, ids=lambda s: f"{s.cell}-{s.layers}-{'both' if s.bidirectional else 'one'}-{s.hidden}"
)
def test_forward_and_gradients_are_those_of_the_reference(shape):
    parameters = plain(shape, 1)
    arrays, (xs, wide) = pad(shape, parameters), batch(shape)
    weights = np.random.default_rng(9).normal(0, 1, (LENGTHS.max(), len(LENGTHS), shape.hidden * len(shape.directions)))

    def outputs(lane):
        return run(shape.cell, xs[: LENGTHS[lane], lane], parameters, shape.layers, shape.directions, shape.hidden)

    def loss():
        return sum((outputs(lane) * weights[: LENGTHS[lane], lane]).sum() for lane in range(len(LENGTHS)))

    stack = Stack(shape, int(LENGTHS.max()), len(LENGTHS))
    found = stack.forward(arrays, wide, LENGTHS)
    columns = np.concatenate([np.arange(shape.hidden) + padded(shape.hidden) * n for n in range(len(shape.directions))])
    for lane, length in enumerate(LENGTHS):
        np.testing.assert_allclose(found[:length, lane][:, columns], outputs(lane), atol=2e-6)
    d_out = np.zeros_like(found)
    for lane, length in enumerate(LENGTHS):
        d_out[:length, lane, columns] = weights[:length, lane]
    gradients = {name: np.full_like(array, np.nan) for name, array in arrays.items()}
    d_x = stack.backward(arrays, gradients, d_out)
    if shape.hidden > 4:
        return  # the same code; central differences would take minutes
    np.testing.assert_allclose(d_x[:, :, : shape.inputs], central_differences(loss, xs), atol=2e-5)
    for name, part in each(shape):
        places = places_of(shape, name, part)
        expected = np.zeros_like(arrays[f"{name}.{part}"], np.float64)
        expected[places] = central_differences(loss, parameters[name][part])
        np.testing.assert_allclose(gradients[f"{name}.{part}"], expected, atol=3e-5, err_msg=f"{name}.{part}")


def of_pytorch(cell, found, layer, direction, prefix=""):
    """A layer's parameters by our names from PyTorch's, or (with "d ") the gradients by these."""
    end = f"_l{layer}{'_reverse' if direction == 'reverse' else ''}"
    names = {"W": "weight_ih", "U": "weight_hh", "b": "bias_ih", "d": "bias_hh"}
    parts = {part: found[f"{prefix}{name}{end}"].astype(np.float64).T for part, name in names.items()}
    if cell == "gru":
        # PyTorch has r, z, n and h' = (1 - z) n + z h: u is 1 - z, and sigmoid(-a) is 1 - sigmoid(a)
        r, z, n = (slice(gate * pytorch_cells.HIDDEN, (gate + 1) * pytorch_cells.HIDDEN) for gate in range(3))
        return {part: np.concatenate([-a[..., z], a[..., r], a[..., n]], axis=-1) for part, a in parts.items()}
    if not prefix:
        parts["b"] = parts["b"] + parts["d"]  # it has two of what is one here; their gradients are the same
    del parts["d"]
    if cell == "lstm":  # PyTorch has i, f, n, o
        i, f, n, o = (slice(gate * pytorch_cells.HIDDEN, (gate + 1) * pytorch_cells.HIDDEN) for gate in range(4))
        return {
            part: np.concatenate([a[..., i], a[..., f], a[..., o], a[..., n]], axis=-1) for part, a in parts.items()
        }
    return parts


@pytest.mark.parametrize("stack", pytorch_cells.SHAPES)
@pytest.mark.parametrize("cell", pytorch_cells.CELLS)
def test_outputs_states_and_gradients_are_those_of_pytorch(cell, stack):
    (layers, both), lengths = pytorch_cells.SHAPES[stack], np.array(pytorch_cells.LENGTHS)
    with np.load(pytorch_cells.PATH) as file:
        begin = f"{cell}/{stack}/"
        found = {name.removeprefix(begin): file[name] for name in file.files if name.startswith(begin)}
    shape = Shape(cell, pytorch_cells.INPUTS, pytorch_cells.HIDDEN, layers, both)
    each_layer = [(layer, direction) for layer in range(layers) for direction in shape.directions]
    theirs = {f"{layer}.{direction}": of_pytorch(cell, found, layer, direction) for layer, direction in each_layer}
    arrays, ours = pad(shape, theirs), Stack(shape, int(lengths.max()), len(lengths))
    names = ["h", "c"] if cell == "lstm" else ["h"]
    before, after = ([found[f"{name} {when}"] for name in names] for when in ("before", "after"))
    for number, state in enumerate(ours.state()):  # of each layer and direction h and, of an lstm, c
        state[:, : shape.hidden] = before[number % len(names)][number // len(names)]
    columns = rows_of(shape, 1)

    def wide(x, places, size):
        padded_x = np.zeros((*x.shape[:2], size), np.float32)
        padded_x[:, :, places] = x
        return padded_x

    out = ours.forward(arrays, wide(found["x"], np.arange(shape.inputs), padded(shape.inputs)), lengths)
    for lane, length in enumerate(lengths):
        np.testing.assert_allclose(out[:length, lane][:, columns], found["outputs"][:length, lane], atol=2e-6)
    gradients = {name: np.full_like(array, np.nan) for name, array in arrays.items()}
    d_x = ours.backward(arrays, gradients, wide(found["weights"], columns, shape.outputs))
    for lane, length in enumerate(lengths):
        np.testing.assert_allclose(d_x[:length, lane, : shape.inputs], found["d x"][:length, lane], atol=1e-5)
    for layer, direction in each_layer:
        for part, expected in of_pytorch(cell, found, layer, direction, "d ").items():
            name = f"{layer}.{direction}"
            got = gradients[f"{name}.{part}"][places_of(shape, name, part)]
            np.testing.assert_allclose(got, expected, atol=2e-5, err_msg=f"{name}.{part}")
    for lane, length in enumerate(lengths):
        ours.carry_on(int(length))
        for number, state in enumerate(ours.state()):
            expected = after[number % len(names)][number // len(names), lane]
            np.testing.assert_allclose(state[lane, : shape.hidden], expected, atol=2e-6)


@pytest.mark.parametrize("shape", [Shape("gru", 3, 4, 2, True), Shape("lstm", 3, 4, 1)], ids=lambda s: s.cell)
def test_inputs_picked_from_rows_are_those_rows(shape):
    """Each row is multiplied once, and its gradient is the sum over all places where it went in."""
    arrays, (_, wide) = pad(shape, plain(shape, 1)), batch(shape)
    ids = np.array([[0, 1, 0], [1, 1, 2], [2, 0, 0], [0, 2, 1], [1, 0, 2]], np.int32)
    rows = wide[:1].reshape(3, -1)
    stack = Stack(shape, int(LENGTHS.max()), len(LENGTHS))
    found, parts = [], []
    for inputs in (rows[ids], Picked(rows, ids)):
        gradients = {name: np.full_like(array, np.nan) for name, array in arrays.items()}
        out = stack.forward(arrays, inputs, LENGTHS).copy()
        d_out = np.random.default_rng(3).normal(0, 1, out.shape).astype(np.float32)
        d_out[np.arange(len(out))[:, None] >= LENGTHS] = 0
        parts.append(stack.backward(arrays, gradients, d_out))
        found.append({"out": out, **gradients})
    for name in found[0]:
        np.testing.assert_allclose(found[1][name], found[0][name], atol=2e-6, err_msg=name)
    summed = np.zeros_like(rows)
    np.add.at(summed, ids, parts[0])
    assert parts[1].shape == rows.shape
    np.testing.assert_allclose(parts[1], summed, atol=2e-6)
