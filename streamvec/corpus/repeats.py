"""Counts repeated documents in bounded memory: exactly up to half a million different ones, then by a fair sample.

Every document has a 64-bit hash over its tokens. As long as there are at most 2**19 different ones, all are remembered
with how often they came. Beyond that only hashes that begin with a zero bit are kept, then with two, and so on: one in
2, one in 4 of all different documents, whatever their order. What is found among those stands for all; with 2**18 to
2**19 of them the estimate is good to about half a percent. Two documents with the same hash by chance are too rare to
matter.
"""

from pathlib import Path

import numpy as np

from streamvec.disk.tensors import load_tensors, save_tensors
from streamvec.kernels.repeats import add_hashes

MOST = 1 << 19
SHORTEST = 10  # tokens; shorter documents, such as headings, repeat in any text


class Repeats:
    """The hashes seen so far; the same for any order of the documents."""

    def __init__(self, most: int = MOST) -> None:
        self.level = 0  # leading zero bits of the hashes that are kept
        self._most = most
        self._size = 0
        self._keys = np.zeros(1 << 10, np.uint64)
        self._times = np.zeros(self._keys.size, np.int64)

    def add(self, hashes: np.ndarray, times: np.ndarray | None = None) -> None:
        """Adds documents by their hashes, uint64[n], each *times* (int64[n], default 1)."""
        hashes = np.maximum(hashes, np.uint64(1))
        numbers = np.ones(hashes.size, np.int64) if times is None else times
        done = 0
        while True:
            room = min(self._most, self._keys.size // 2) - self._size
            new, done = add_hashes(self._keys, self._times, hashes, numbers, done, self.level, room)
            self._size += new
            if done == hashes.size:
                return
            if self._size == self._most:
                self.level += 1
                self._rebuild(self._keys.size)
            else:
                self._rebuild(self._keys.size * 4)

    def _rebuild(self, slots: int) -> None:
        used = self._keys != 0
        keys, times = self._keys[used], self._times[used]
        self._keys, self._times = np.zeros(slots, np.uint64), np.zeros(slots, np.int64)
        self._size, _ = add_hashes(self._keys, self._times, keys, times, 0, self.level, self._most)

    @property
    def repeated(self) -> int:
        """How many documents were equal to an earlier one: exact at level 0, otherwise an estimate."""
        return int(self._times.sum() - self._size) << self.level

    def save(self, path: Path) -> str:
        """Writes the hashes to a safetensors file; returns the checksum of its bytes."""
        used = self._keys != 0
        level = np.array([self.level], np.int64)
        return save_tensors(path, {"keys": self._keys[used].view(np.int64), "times": self._times[used], "level": level})

    @classmethod
    def load(cls, path: Path) -> "Repeats":
        """Reads what `save` wrote; StreamvecError when it is damaged."""
        arrays = load_tensors(path)
        repeats = cls()
        repeats.level = int(arrays["level"][0])
        repeats.add(arrays["keys"].view(np.uint64), arrays["times"])
        return repeats
