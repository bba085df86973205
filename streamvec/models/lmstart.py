"""What the parameters of a language model begin with, as a function of the seed and of each one's place."""

import math
from collections.abc import Mapping

import numpy as np

from streamvec.kernels import random
from streamvec.models.lmconfig import LmConfig
from streamvec.models.stack import padded


def start(config: LmConfig, parameters: Mapping[str, np.ndarray]) -> None:
    """Uniform weights: of words in +-0.1, of a layer in +-1/sqrt(hidden); forget gates begin open. Fills zeros."""
    hidden = padded(config.hidden)
    for number, (name, array) in enumerate(parameters.items()):
        key = config.seed * 1_000_003 + number
        if name in ("embedding", "output"):
            width = config.dim if name == "embedding" else config.hidden
            random.uniform_rows(array, width, -0.1, 0.1, key)
        elif name.startswith("tail.") and array.ndim == 2:
            rows, width = (config.hidden, array.shape[1]) if name.endswith("down") else array.shape
            random.uniform_rows(array[:rows], width, -0.1, 0.1, key)
        elif name.endswith(("W", "U")):
            layer, gates = int(name.split(".")[0]), array.reshape(len(array), -1, hidden)
            rows = config.hidden if layer or name.endswith("U") else config.dim
            reach = 1 / math.sqrt(config.hidden)
            for gate in range(gates.shape[1]):
                part = np.zeros((rows, config.hidden), np.float32)
                random.uniform_rows(part, config.hidden, -reach, reach, key + 7_919 * (gate + 1))
                gates[:rows, gate, : config.hidden] = part
        elif name.endswith("forward.b") and config.cell == "lstm":
            array.reshape(-1, hidden)[1, : config.hidden] = 1
