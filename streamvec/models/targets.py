"""What a center word is told from: itself and noise words, or the nodes on its path through a Huffman tree."""

import math

import numpy as np

from streamvec.errors import StreamvecError
from streamvec.kernels import layout, windows
from streamvec.kernels.alias import alias_table
from streamvec.kernels.huffman import huffman_paths, paths_in_blocks
from streamvec.models.wordconfig import LONGEST_PATH, SkipGramConfig


class Noise:
    """The targets of negative sampling: the center and noise words."""

    def __init__(self, config: SkipGramConfig, counts: np.ndarray) -> None:
        self.negative, self.nothing = config.negative, len(counts)
        self.loss_at_chance = (1 + config.negative) * math.log(2)
        self.table = alias_table(counts.astype(np.float64) ** config.noise_power)
        self._power = config.noise_power

    def met(self, centers: np.ndarray, counts: np.ndarray) -> np.ndarray:
        """How often each row is a target, on average, where words are so often centers: float64[V + 1]."""
        drawn = counts.astype(np.float64) ** self._power
        return np.append(centers + centers.sum() * self.negative * drawn / drawn.sum(), 0.0)

    def draw(self, step: layout.Step, first: int, last: int, key: np.uint64) -> None:
        """Writes the targets of tokens first .. last-1."""
        windows.draw_noise(step, first, last, self.negative, self.table, key, self.nothing)


class Tree:
    """The targets of hierarchical softmax: the nodes on the center's path."""

    def __init__(self, config: SkipGramConfig, counts: np.ndarray) -> None:
        if len(counts) < 2:
            raise StreamvecError("a Huffman tree needs at least two words: use --objective ns, or lower --min-count")
        starts, nodes = huffman_paths(counts)
        lengths, nothing = np.diff(starts), len(counts)
        self.loss_at_chance = float((counts * lengths).sum() / counts.sum()) * math.log(2)
        if lengths.max(initial=0) > config.target_blocks * layout.TARGETS:
            raise StreamvecError(
                f"the counts of this vocabulary give a Huffman path of {lengths.max()} nodes, at most {LONGEST_PATH} "
                "are allowed: use --objective ns, or raise --min-count"
            )
        self.starts, self.blocks = paths_in_blocks(starts, nodes, nothing)
        self._nothing = nothing

    def met(self, centers: np.ndarray, counts: np.ndarray) -> np.ndarray:
        """As `Noise.met`, of nodes."""
        rows = self.blocks[: self.starts[-1], : layout.TARGETS] >> 1
        weights = np.repeat(centers, np.diff(self.starts))
        found = np.zeros(self._nothing + 1)
        for place in range(layout.TARGETS):
            found += np.bincount(rows[:, place], weights, self._nothing + 1)
        found[-1] = 0
        return found

    def draw(self, step: layout.Step, first: int, last: int, key: np.uint64) -> None:
        """Writes the targets of tokens first .. last-1."""
        windows.take_paths(step, first, last, self.starts, self.blocks)
