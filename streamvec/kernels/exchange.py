"""Partial scores of a batch, exchanged with other processes that hold other slices of the same rows.

Between scoring and updating, each process sends the scores over its own slices to every other one and takes theirs; as
all of them then add up the slices in the same order, the rows do not depend on how many processes there are. Sockets
are written and read here, within the kernel: a batch takes a tenth of a millisecond.
"""

from typing import NamedTuple

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.core.extending import intrinsic

from streamvec.kernels.simd import load_i32, load_i64, store_i64
from streamvec.kernels.team import atomic_load, atomic_store

SOCKET, FIRST, LAST, SENT, OUT, IN, PEER_WORDS = range(7)  # places in the table of peers; OUT and IN are scratch
_SPINS = 400  # rounds without a byte, before the process sleeps until there is one
_WAIT = 1000  # milliseconds that it then sleeps at most
_INPUT, _OUTPUT = 1, 4  # of poll.h, on all systems
_BROKEN = 8 | 16 | 32  # POLLERR, POLLHUP (both directions are closed), POLLNVAL


class Peers(NamedTuple):
    """The other processes; 0 of them where this one holds all slices."""

    others: int
    table: int  # address of int64[others, PEER_WORDS]: socket, its slices (first, one past the last), bytes sent to it
    polled: int  # address of int64[others], scratch
    failed: int  # address of an int64: 1 once a peer is gone (updated)
    flags: int  # of send and recv: not to wait, and no signal


NOBODY = Peers(0, 0, 0, 0, 0)


def _transfer(name):
    """An intrinsic that calls send or recv of the C library."""

    @intrinsic
    def transfer(typing, socket, address, size, flags):
        def codegen(context, builder, signature, args):
            i32, i64 = ir.IntType(32), ir.IntType(64)
            kind = ir.FunctionType(i64, [i32, i64.as_pointer(), i64, i32])
            function = cgutils.get_or_insert_function(builder.module, kind, name)
            socket, address, size, flags = args
            pointer = builder.inttoptr(address, i64.as_pointer())
            return builder.call(function, [builder.trunc(socket, i32), pointer, size, builder.trunc(flags, i32)])

        return types.int64(types.int64, types.intp, types.int64, types.int64), codegen

    return transfer


_send, _recv = _transfer("send"), _transfer("recv")


@intrinsic
def _poll(typing, address, count, milliseconds):
    """poll of the C library: *count* entries of (int32 socket, int16 events, int16 what happened)."""

    def codegen(context, builder, signature, args):
        i32, i64 = ir.IntType(32), ir.IntType(64)
        kind = ir.FunctionType(i32, [i64.as_pointer(), i64, i32])
        function = cgutils.get_or_insert_function(builder.module, kind, "poll")
        pointer = builder.inttoptr(args[0], i64.as_pointer())
        found = builder.call(function, [pointer, args[1], builder.trunc(args[2], i32)])
        return builder.sext(found, i64)

    return types.int64(types.intp, types.int64, types.int64), codegen


@njit(nogil=True, cache=True)
def _sleep(peers, own, size):
    """Waits until something can be sent or read; returns 1 where a socket is broken."""
    for number in range(peers.others):
        peer = peers.table + 8 * PEER_WORDS * number
        theirs = (load_i64(peer + 8 * LAST) - load_i64(peer + 8 * FIRST)) * size
        events = _INPUT if load_i64(peer + 8 * IN) < theirs else 0
        events |= _OUTPUT if load_i64(peer + 8 * OUT) < own * size else 0
        store_i64(peers.polled + 8 * number, load_i64(peer + 8 * SOCKET) | (events << 32))
    _poll(peers.polled, peers.others, _WAIT)
    for number in range(peers.others):
        if (load_i32(peers.polled + 8 * number + 4) >> 16) & _BROKEN:
            return 1
    return 0


@njit(nogil=True, cache=True)
def _trade(peers, scores, slice_bytes, first, last, size):
    """As `exchange`; returns whether all went well."""
    own = last - first
    for number in range(peers.others):
        peer = peers.table + 8 * PEER_WORDS * number
        store_i64(peer + 8 * OUT, 0)
        store_i64(peer + 8 * IN, 0)
    left, idle = 2 * peers.others, 0
    while left:
        left, moved = 0, 0
        for number in range(peers.others):
            peer = peers.table + 8 * PEER_WORDS * number
            socket, out, into = load_i64(peer + 8 * SOCKET), load_i64(peer + 8 * OUT), load_i64(peer + 8 * IN)
            if out < own * size:
                left += 1
                here = scores + (first + out // size) * slice_bytes + out % size
                done = _send(socket, here, size - out % size, peers.flags)
                if done > 0:
                    moved += done
                    store_i64(peer + 8 * OUT, out + done)
                    store_i64(peer + 8 * SENT, load_i64(peer + 8 * SENT) + done)
            their_first = load_i64(peer + 8 * FIRST)
            if into < (load_i64(peer + 8 * LAST) - their_first) * size:
                left += 1
                here = scores + (their_first + into // size) * slice_bytes + into % size
                done = _recv(socket, here, size - into % size, peers.flags)
                if done == 0:
                    return False
                if done > 0:
                    moved += done
                    store_i64(peer + 8 * IN, into + done)
        idle = 0 if moved else idle + 1
        if left and idle > _SPINS:
            if _sleep(peers, own, size):
                return False
            idle = 0
    return True


@njit(nogil=True, cache=True)
def exchange(peers, scores, slice_bytes, first, last, size):
    """Sends the scores over slices first .. last-1 to all peers, and writes theirs where they belong.

    scores: address of those of slice 0, *slice_bytes* from slice to slice, *size* bytes of each of this batch. Where a
    peer is gone, `peers.failed` says so, and nothing that follows in the step counts.
    """
    if size > 0 and not _trade(peers, scores, slice_bytes, first, last, size):
        atomic_store(peers.failed, np.int64(1))


@njit(nogil=True, cache=True)
def has_failed(peers):
    """Whether a peer is gone."""
    return peers.others > 0 and atomic_load(peers.failed) != 0
