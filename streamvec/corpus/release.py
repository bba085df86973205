"""Gives back to the system what was freed and allocators still hold: the next stage needs it within the ceiling."""

import ctypes
import gc

import pyarrow as pa

_MMAP_THRESHOLD = -3  # M_MMAP_THRESHOLD of malloc.h


def give_memory_back() -> None:
    """To be called between stages; objects that know each other, and all they hold, go first."""
    gc.collect()
    pa.default_memory_pool().release_unused()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # of glibc
    if trim is not None:
        trim(0)


def return_large_blocks() -> None:
    """From now on has glibc ask the system for each block of 1 MB and more, and give it back when it is freed.

    By itself it raises that size to that of any block that was freed, and keeps all smaller ones: what one stage of a
    training has freed would still be held in the next (80 MB of 400, seen with GloVe).
    """
    set_option = getattr(ctypes.CDLL(None), "mallopt", None)  # of glibc
    if set_option is not None:
        set_option(_MMAP_THRESHOLD, 1 << 20)
