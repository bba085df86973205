"""Recurrent cells, stacks and their losses in plain float64, a sequence and a step at a time."""

import numpy as np


def sigmoid(a):
    return 1 / (1 + np.exp(-a))


def step(cell, x, h, c, p):
    """(h', c') of one sequence; p: W, U, b and perhaps d of one layer, unpadded, gates side by side."""
    pre, recurrent = x @ p["W"] + p["b"], h @ p["U"] + p.get("d", 0)
    size = len(h)

    def gate(number, a):
        return a[number * size : (number + 1) * size]

    both = pre + recurrent
    if cell == "rnn":
        return np.tanh(both), c
    if cell == "rnn-relu":
        return np.maximum(both, 0), c
    if cell == "gru-simple":
        u, n = sigmoid(gate(0, both)), np.tanh(gate(1, both))
        return u * n + (1 - u) * h, c
    if cell == "gru":
        u, r = sigmoid(gate(0, both)), sigmoid(gate(1, both))
        n = np.tanh(gate(2, pre) + r * gate(2, recurrent))
        return u * n + (1 - u) * h, c
    i, f, o = (sigmoid(gate(number, both)) for number in range(3))
    c = f * c + i * np.tanh(gate(3, both))
    return o * np.tanh(c), c


def run(cell, xs, parameters, layers, directions, hidden):
    """What the last layer gives, [steps, outputs], of one sequence [steps, inputs], from zero states."""
    for layer in range(layers):
        given = []
        for direction in directions:
            p = parameters[f"{layer}.{direction}"]
            h, c, out = np.zeros(hidden), np.zeros(hidden), []
            for x in xs if direction == "forward" else xs[::-1]:
                h, c = step(cell, x, h, c, p)
                out.append(h)
            given.append(np.array(out if direction == "forward" else out[::-1]))
        xs = np.concatenate(given, axis=1)
    return xs


def go_on(cell, xs, parameters, layers, states, masks=()):
    """(what the last layer gives [steps, hidden], new states) of one sequence that goes on from (h, c) of each layer.

    masks: of dropout, [steps, n] each: of what goes into each layer, and of what the last one gives.
    """
    after = []
    for layer in range(layers):
        (h, c), out = states[layer], []
        for x in xs * masks[layer] if len(masks) else xs:
            h, c = step(cell, x, h, c, parameters[f"{layer}.forward"])
            out.append(h)
        xs = np.array(out)
        after.append((h, c))
    return (xs * masks[-1] if len(masks) else xs), after


def log_softmax(scores):
    """The logarithms of the chances that scores [..., V] stand for."""
    scores = scores - scores.max(axis=-1, keepdims=True)
    return scores - np.log(np.exp(scores).sum(axis=-1, keepdims=True))


def log_chances(p, hidden, tied=False, cuts=()):
    """Those of each word behind hidden vectors [n, hidden]; cuts: of an adaptive softmax, V last."""
    head = log_softmax(hidden @ p["embedding" if tied else "output"].T + p["output.b"])
    if not cuts:
        return head
    parts = [head[:, : cuts[0]]]
    for number in range(len(cuts) - 1):
        small = hidden @ p[f"tail.{number}.down"]
        within = log_softmax(small @ p[f"tail.{number}"].T + p[f"tail.{number}.b"])
        parts.append(within + head[:, cuts[0] + number, None])
    return np.concatenate(parts, axis=1)


def central_differences(loss, array, epsilon=1e-5):
    """The gradient of loss() by each number of *array*, which is changed and put back."""
    found = np.zeros_like(array)
    for place in np.ndindex(array.shape):
        old = array[place]
        array[place] = old + epsilon
        up = loss()
        array[place] = old - epsilon
        found[place] = (up - loss()) / (2 * epsilon)
        array[place] = old
    return found
