"""What the spelling of a word tells: recurrent layers read its bytes in both directions, and their ends are kept.

After Lample et al. 2016 (arXiv:1603.01360). Each different spelling of a pass is read once. Of a word of more than 64
bytes the first and the last 32 are read.
"""

from collections.abc import Mapping

import numpy as np

from streamvec.corpus.examples import Ragged, places_of
from streamvec.kernels import random
from streamvec.kernels.rows import add_rows
from streamvec.models.ends import ends_of, spread_ends
from streamvec.models.lmstart import start_layer
from streamvec.models.network import Parameters
from streamvec.models.shape import Shape, padded
from streamvec.models.stack import Picked, Stack

LETTERS = "letters"
_MOST = 64  # bytes of a word that are read


class Letters:
    """One pass over the words of some sentences; *parameters* are all of a network, of which some are its own."""

    def __init__(self, shape: Shape) -> None:
        self._shape, self._stack = shape, Stack(shape, 1, 1)
        self._own = {f"{LETTERS}.{name}": name for name in shape.parameters()}

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The vectors of bytes, float32[256, columns], and the layers' parameters."""
        layers = self._shape.parameters()
        return {LETTERS: (256, padded(self._shape.inputs)), **{name: layers[own] for name, own in self._own.items()}}

    def start(self, parameters: Parameters, key: int) -> None:
        """Small uniform weights."""
        random.uniform_rows(parameters[LETTERS], self._shape.inputs, -0.1, 0.1, key)
        for number, (name, own) in enumerate(self._own.items()):
            start_layer(self._shape, own, parameters[name], key + number + 1)

    def forward(self, parameters: Parameters, spelled: np.ndarray, letters: np.ndarray) -> np.ndarray:
        """What each word's spelling tells: float32[words, outputs], of their lengths int[words] and all bytes uint8."""
        spellings, self._which = different(spelled, letters)
        ids, lengths = spellings.padded(), spellings.lengths
        self._stack.fit(*ids.shape)
        out = self._stack.forward(self._parts(parameters), Picked(parameters[LETTERS], ids), lengths)
        self._lengths, self._steps = lengths, len(out)
        return ends_of(self._shape, out, lengths)[self._which]

    def backward(self, parameters: Parameters, gradients: Mapping[str, np.ndarray], d_told: np.ndarray) -> None:
        """Writes the gradients of all its parameters, from those by what `forward` gave."""
        d_each = np.zeros((len(self._lengths), d_told.shape[1]), np.float32)
        add_rows(d_each, self._which, np.ascontiguousarray(d_told))
        d_out = spread_ends(self._shape, d_each, self._steps, self._lengths)
        gradients[LETTERS][:] = self._stack.backward(self._parts(parameters), self._parts(gradients), d_out)

    def _parts(self, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Those of the layers, by the names that these know."""
        return {own: arrays[name] for name, own in self._own.items()}


def different(spelled: np.ndarray, letters: np.ndarray) -> tuple[Ragged, np.ndarray]:
    """(the different spellings of some words, by their bytes; which of them each word has, int32[words])."""
    lengths = spelled.astype(np.int64)
    starts = np.cumsum(lengths) - lengths
    heads = np.where(lengths > _MOST, _MOST // 2, lengths)
    tails = np.where(lengths > _MOST, _MOST // 2, 0)
    both = places_of(
        np.stack([starts, starts + lengths - tails], axis=1).reshape(-1), np.stack([heads, tails], axis=1).reshape(-1)
    )
    words = Ragged(letters[both], heads + tails)
    table = np.zeros((len(lengths), _MOST + 1), np.uint8)  # its length stands behind a word, which may end with zeros
    table[:, :-1][np.arange(_MOST) < words.lengths[:, None]] = words.values
    table[:, -1] = words.lengths
    _, first, which = np.unique(table.view(f"V{_MOST + 1}")[:, 0], return_index=True, return_inverse=True)
    return words.take(first), which.reshape(-1).astype(np.int32)
