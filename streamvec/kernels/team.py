"""A team of long-lived threads in nogil kernels, kept in step by a barrier that costs about a microsecond.

numba's own parallel regions cost ten microseconds each; a batch of training has one or two barriers in 20 microseconds.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.core.extending import intrinsic

from streamvec.kernels.memory import aligned_zeros

BARRIER_WORDS = 16  # int64[16]: arrivals at 0; on another cache line the generation at 8, and at 9 that one has failed
_SPINS = 2000


@intrinsic
def atomic_add(typing, address, value):
    """Adds to the int64 at an address; returns what was there. Sequentially consistent."""

    def codegen(context, builder, signature, args):
        pointer = builder.inttoptr(args[0], ir.IntType(64).as_pointer())
        return builder.atomic_rmw("add", pointer, args[1], "seq_cst")

    return types.int64(types.intp, types.int64), codegen


@intrinsic
def atomic_load(typing, address):
    """The int64 at an address, with acquire order."""

    def codegen(context, builder, signature, args):
        pointer = builder.inttoptr(args[0], ir.IntType(64).as_pointer())
        return builder.load_atomic(pointer, "acquire", 8)

    return types.int64(types.intp), codegen


@intrinsic
def atomic_store(typing, address, value):
    """Sets the int64 at an address, with release order."""

    def codegen(context, builder, signature, args):
        pointer = builder.inttoptr(args[0], ir.IntType(64).as_pointer())
        builder.store_atomic(args[1], pointer, "release", 8)
        return context.get_dummy_value()

    return types.void(types.intp, types.int64), codegen


@intrinsic
def yield_processor(typing):
    """Lets another thread run (POSIX sched_yield)."""

    def codegen(context, builder, signature, args):
        kind = ir.FunctionType(ir.IntType(32), [])
        builder.call(cgutils.get_or_insert_function(builder.module, kind, "sched_yield"), [])
        return context.get_dummy_value()

    return types.void(), codegen


@njit(nogil=True, cache=True)
def wait_for_team(barrier, threads):
    """Returns when all *threads* have called it, or one of them has failed.

    barrier: address of int64[BARRIER_WORDS], zero at first (updated).
    """
    if threads == 1:
        return
    generation = atomic_load(barrier + 64)
    if atomic_add(barrier, 1) == threads - 1:
        atomic_store(barrier, 0)
        atomic_store(barrier + 64, generation + 1)
        return
    spins = 0
    while atomic_load(barrier + 64) == generation and atomic_load(barrier + 72) == 0:
        spins += 1
        if spins > _SPINS:
            yield_processor()


class Team:
    """Threads that run one kernel together: the caller's own and, where there are more, a pool's."""

    def __init__(self, threads: int) -> None:
        """RuntimeError where the system does not give so many threads: none of them then waits for the others."""
        self.threads = threads
        self._words = aligned_zeros((BARRIER_WORDS,), np.int64)
        self.barrier = int(self._words.ctypes.data)
        self._pool = ThreadPoolExecutor(threads - 1, "streamvec") if threads > 1 else None
        if self._pool is not None:
            started = Event()
            try:
                for _ in range(threads - 1):
                    self._pool.submit(started.wait)
            except RuntimeError:
                self._pool.shutdown(wait=False)
                raise
            finally:
                started.set()

    def run(self, work: Callable[[int], None]) -> None:
        """Calls work(thread) for each thread number at once; when all have ended, raises what one of them raised."""
        if self._pool is None:
            work(0)
            return

        if self._words[9]:
            self._words[:] = 0

        def guarded(thread: int) -> None:
            try:
                work(thread)
            except BaseException:
                self._words[9] = 1  # the others wait for nobody
                raise

        others = [self._pool.submit(guarded, thread) for thread in range(1, self.threads)]
        try:
            guarded(0)
        finally:
            problems = [problem for problem in (other.exception() for other in others) if problem is not None]
        if problems:
            raise problems[0]

    def close(self) -> None:
        """Ends the threads."""
        if self._pool is not None:
            self._pool.shutdown()
