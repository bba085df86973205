"""What the tests of networks share: small examples, parameters that are all different, and central differences."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from streamvec.corpus.examples import ExampleBatch, Ragged
from streamvec.kernels.memory import aligned_zeros
from streamvec.models.network import Chance, Network

NO_LETTERS = Ragged(np.zeros(0, np.uint8), np.zeros(0, np.int64))


def ragged(rows: Sequence[Sequence[int]], dtype: type = np.int32) -> Ragged:
    """Rows of ids."""
    return Ragged.of([np.array(row, dtype) for row in rows], dtype)


def examples(words: Sequence[Sequence[int]], targets: Sequence[Sequence[int]], spelling: Any = None) -> ExampleBatch:
    """A batch; spelling: for each example the words as bytes."""
    if spelling is None:
        none = np.zeros(len(words), np.int64)
        spelled, letters = Ragged(np.zeros(0, np.int32), none), Ragged(np.zeros(0, np.uint8), none)
    else:
        spelled = ragged([[len(word) for word in row] for row in spelling])
        letters = ragged([list(b"".join(row)) for row in spelling], np.uint8)
    return ExampleBatch(ragged(words), ragged(targets), spelled, letters)


def random_parameters(network: Network, seed: int = 1, scale: float = 0.3) -> dict[str, np.ndarray]:
    """Values that differ everywhere, but for what pads a network to whole vectors: it starts with zeros there."""
    parameters = {name: aligned_zeros(shape) for name, shape in network.shapes().items()}
    network.start(parameters, 1)
    rng = np.random.default_rng(seed)
    for name, array in parameters.items():
        if name in network.fixed:
            continue
        used = array != 0 if array.any() else np.ones(array.shape, bool)
        array[used] = rng.normal(0, scale, int(used.sum()))
    return parameters


def check_gradients(
    network: Network,
    parameters: dict[str, np.ndarray],
    batch: ExampleBatch,
    chance: Chance | None = None,
    entries: int = 12,
    step: float = 1e-2,
) -> None:
    """Compares gradients with central differences of the loss, at the *entries* largest and some random others of each
    parameter; what is met and what is whole are treated alike."""

    def loss() -> float:
        return network.loss(parameters, batch, chance)[0]

    found = gradients_of(network, parameters, batch, chance)
    rng = np.random.default_rng(3)
    for name, gradient in found.items():
        flat, values = gradient.reshape(-1), parameters[name].reshape(-1)
        largest = np.argsort(-np.abs(flat))[:entries]
        chosen = np.unique(np.concatenate([largest, rng.integers(0, flat.size, entries)]))
        assert np.abs(flat).max() > 0, f"nothing reaches {name}"
        for place in chosen:
            kept = values[place]
            sides = []
            for sign in (1, -1):
                values[place] = kept + sign * step
                sides.append(loss())
            values[place] = kept
            expected = (sides[0] - sides[1]) / (2 * step)
            np.testing.assert_allclose(flat[place], expected, rtol=0.02, atol=3e-3, err_msg=f"{name}[{place}]")


def gradients_of(
    network: Network, parameters: dict[str, np.ndarray], batch: ExampleBatch, chance: Chance | None = None
) -> dict[str, np.ndarray]:
    """The gradient by each parameter, as whole arrays."""
    gradients = {name: np.zeros_like(array) for name, array in parameters.items() if name not in network.fixed}
    network.loss(parameters, batch, chance)
    for name, parts in network.backward(parameters, gradients, 1.0).items():
        for ids, rows in parts:
            np.add.at(gradients[name], ids, rows)
    return gradients


def check_padding(network: Network, parameters: dict[str, np.ndarray], batch: ExampleBatch) -> None:
    """An example's answer does not depend on what stands beside it."""
    together = network.answers(parameters, batch)
    for place in range(len(batch)):
        alone = network.answers(parameters, batch.take(np.array([place])))[0]
        _close(alone, together[place])


def _close(one: Any, other: Any) -> None:
    if isinstance(one, np.ndarray):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)
    else:
        for left, right in zip(one, other, strict=True):
            np.testing.assert_allclose(left, right, rtol=1e-4, atol=1e-5)


Make = Callable[..., Network]
