"""How the parameters of a language model follow their gradients: clipped, by an optimizer, all threads together."""

import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from streamvec.kernels import optimizers
from streamvec.kernels.team import Team
from streamvec.models.lmconfig import LmConfig
from streamvec.models.metrows import MetRows
from streamvec.models.stack import LANES
from streamvec.models.step import Position

SUMS = {"sgd": (), "momentum": ("velocity",), "adagrad": ("squares",), "adam": ("means", "squares")}


class Gradients(NamedTuple):
    """Of all that a step trains."""

    whole: Mapping[str, np.ndarray]  # by the parameter's name
    met: Mapping[str, MetRows]  # of parameters of which the step met some rows

    def norm(self) -> float:
        """The norm of all of them together."""
        found = sum(optimizers.sum_of_squares(array.reshape(-1)) for array in self.whole.values())
        found += sum(optimizers.sum_of_squares(met.gradients.reshape(-1)) for met in self.met.values())
        return math.sqrt(found)


def learning_rate(config: LmConfig, position: Position) -> float:
    """The learning rate at a position."""
    return config.learning_rate * config.decay ** max(0, position.epoch + 1 - config.decay_after)


def follow(
    config: LmConfig,
    arrays: Mapping[str, np.ndarray],
    gradients: Gradients,
    position: Position,
    number: int,
    team: Team,
) -> None:
    """Makes step *number*, from 1, of the optimizer; *arrays* holds parameters and the optimizer's sums (updated)."""
    norm, rate = gradients.norm(), learning_rate(config, position)
    scale = min(1.0, config.clip / norm) if config.clip and norm > 0 else 1.0
    parts = SUMS[config.optimizer]

    def one(array: np.ndarray, gradient: np.ndarray, sums: list[np.ndarray]) -> None:
        if config.optimizer == "sgd":
            optimizers.sgd(array, gradient, scale, rate)
        elif config.optimizer == "momentum":
            optimizers.momentum(array, gradient, sums[0], scale, rate, config.momentum)
        elif config.optimizer == "adagrad":
            optimizers.adagrad(array, gradient, sums[0], scale, rate)
        else:
            optimizers.adam(array, gradient, sums[0], sums[1], scale, rate, number)

    def work(thread: int) -> None:
        for name, gradient in gradients.whole.items():
            low, high = (gradient.size * part // team.threads // LANES * LANES for part in (thread, thread + 1))
            here = slice(low, high if thread + 1 < team.threads else gradient.size)
            array, *sums = [arrays[each].reshape(-1)[here] for each in (name, *(f"{name}.{part}" for part in parts))]
            one(array, gradient.reshape(-1)[here], sums)
        for name, met in gradients.met.items():
            names = name, *(f"{name}.{part}" for part in parts)
            met.update([arrays[each] for each in names], one, thread, team.threads)

    team.run(work)
