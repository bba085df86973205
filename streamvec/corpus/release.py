"""Gives back to the system what was freed and allocators still hold: the next stage needs it within the ceiling."""

import ctypes
import gc

import pyarrow as pa


def give_memory_back() -> None:
    """To be called between stages; objects that know each other, and all they hold, go first."""
    gc.collect()
    pa.default_memory_pool().release_unused()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # of glibc
    if trim is not None:
        trim(0)
