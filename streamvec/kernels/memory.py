"""Memory for kernels: zeroed, aligned to cache lines, and in huge pages where the array is large."""

import math
import mmap

import numpy as np

_HUGE = 1 << 21
_LINE = 128  # two cache lines: processors fetch them in pairs


def aligned_zeros(shape: tuple[int, ...], dtype: type = np.float32) -> np.ndarray:
    """A zeroed C-contiguous array whose first byte lies on a 128-byte boundary.

    From 2 MB on it lies in private pages of its own, for which huge pages are asked: random rows of a large matrix
    otherwise miss the translation cache at almost every access (a factor of 1.3 to 1.6 in skip-gram).
    """
    size = max(1, math.prod(shape)) * np.dtype(dtype).itemsize
    if size < _HUGE:
        raw = np.zeros(size + _LINE, np.uint8)
        start = -raw.ctypes.data % _LINE
    else:
        pages = mmap.mmap(-1, size + _HUGE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        raw = np.frombuffer(pages, np.uint8)
        start = -raw.ctypes.data % _HUGE
        if hasattr(mmap, "MADV_HUGEPAGE"):
            pages.madvise(mmap.MADV_HUGEPAGE)
    return raw[start : start + size].view(dtype)[: math.prod(shape)].reshape(shape)


class Room:
    """Memory for one array at a time, of a shape that changes: it grows to the largest, with some to spare."""

    def __init__(self) -> None:
        self._flat = aligned_zeros((0,))

    def shaped(self, *shape: int) -> np.ndarray:
        """A float32 array of *shape*, which holds what was there before: nothing is zeroed."""
        size = math.prod(shape)
        if size > self._flat.size:
            self._flat = aligned_zeros((size + size // 8,))
        return self._flat[:size].reshape(shape)
