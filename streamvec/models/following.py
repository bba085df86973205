"""How the parameters of a recurrent network follow their gradients: clipped, by an optimizer, all threads together."""

import math
from collections.abc import Mapping
from functools import partial
from typing import NamedTuple

import numpy as np

from streamvec.kernels import optimizers
from streamvec.kernels.team import Team, wait_for_team
from streamvec.models.learning import Learning
from streamvec.models.metrows import MetRows
from streamvec.models.shape import LANES
from streamvec.models.step import Position

_STRETCH = 1 << 16  # numbers whose squares one thread adds up
SUMS = {"sgd": (), "momentum": ("velocity",), "adagrad": ("squares",), "adam": ("means", "squares")}


class Gradients(NamedTuple):
    """Of all that a step trains."""

    whole: Mapping[str, np.ndarray]  # by the parameter's name
    met: Mapping[str, MetRows]  # of parameters of which the step met some rows

    def stretches(self) -> list[np.ndarray]:
        """All of them, in stretches of one length that threads share."""
        arrays = [*self.whole.values(), *(met.gradients for met in self.met.values())]
        flat = [array.reshape(-1) for array in arrays]
        return [array[first : first + _STRETCH] for array in flat for first in range(0, array.size, _STRETCH)]


def learning_rate(config: Learning, position: Position) -> float:
    """The learning rate at a position."""
    return config.learning_rate * config.decay ** max(0, position.epoch + 1 - config.decay_after)


def follow(
    config: Learning,
    arrays: Mapping[str, np.ndarray],
    gradients: Gradients,
    position: Position,
    number: int,
    team: Team,
) -> None:
    """Makes step *number*, from 1, of the optimizer; *arrays* holds parameters and the optimizer's sums (updated)."""
    rate, parts = learning_rate(config, position), SUMS[config.optimizer]
    stretches = gradients.stretches() if config.clip else []
    squares = np.zeros(len(stretches))

    def one(array: np.ndarray, gradient: np.ndarray, sums: list[np.ndarray], scale: float) -> None:
        if config.optimizer == "sgd":
            optimizers.sgd(array, gradient, scale, rate)
        elif config.optimizer == "momentum":
            optimizers.momentum(array, gradient, sums[0], scale, rate, config.momentum)
        elif config.optimizer == "adagrad":
            optimizers.adagrad(array, gradient, sums[0], scale, rate)
        else:
            optimizers.adam(array, gradient, sums[0], sums[1], scale, rate, number)

    def work(thread: int) -> None:
        for place in range(thread, len(stretches), team.threads):
            squares[place] = optimizers.sum_of_squares(stretches[place])
        wait_for_team(team.barrier, team.threads)
        norm = math.sqrt(sum(squares))  # of all gradients together; each thread adds in the same order
        follow_clipped = partial(one, scale=min(1.0, config.clip / norm) if norm > 0 else 1.0)
        for name, gradient in gradients.whole.items():
            low, high = (gradient.size * part // team.threads // LANES * LANES for part in (thread, thread + 1))
            here = slice(low, high if thread + 1 < team.threads else gradient.size)
            array, *sums = [arrays[each].reshape(-1)[here] for each in (name, *(f"{name}.{part}" for part in parts))]
            follow_clipped(array, gradient.reshape(-1)[here], sums)
        for name, met in gradients.met.items():
            names = name, *(f"{name}.{part}" for part in parts)
            met.update([arrays[each] for each in names], follow_clipped, thread, team.threads)

    team.run(work)
