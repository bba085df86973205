"""Skip-gram's updates where a center has many targets, as on the path through a Huffman tree: these stream past.

`skipgram.update_center` keeps six targets in registers and lets contexts pass. A path has a dozen nodes, more than fit
and seldom a multiple of six; a window of the usual size has at most ten contexts. So here the contexts, ten at once,
and what each gains stay in registers, while each target is read and written once for them.
"""

from numba import njit

from streamvec.kernels.layout import BLOCK_BYTES, TARGETS, VECTOR_BYTES, target_row
from streamvec.kernels.simd import (
    WIDE,
    broadcast_like,
    fma,
    load_i64,
    load_like,
    store,
    zero8,
    zero16,
    zero32,
)

AT_ONCE = 10  # contexts


@njit(nogil=True, cache=True, inline="always")
def _stream_columns(kind, pairs, outputs, width, targets, blocks, last, contexts, count, c, errors, between):
    """`update_many` for *pairs* pairs of contexts, a literal, in as many columns from *c* on as *kind* has."""
    p0 = load_i64(contexts + 0) + c
    p1 = load_i64(contexts + 8) + c
    p2 = load_i64(contexts + 16) + c if pairs > 1 else 0
    p3 = load_i64(contexts + 24) + c if pairs > 1 else 0
    p4 = load_i64(contexts + 32) + c if pairs > 2 else 0
    p5 = load_i64(contexts + 40) + c if pairs > 2 else 0
    p6 = load_i64(contexts + 48) + c if pairs > 3 else 0
    p7 = load_i64(contexts + 56) + c if pairs > 3 else 0
    p8 = load_i64(contexts + 64) + c if pairs > 4 else 0
    p9 = load_i64(contexts + 72) + c if pairs > 4 else 0
    x0, x1 = load_like(kind, p0), load_like(kind, p1)
    x2 = x3 = x4 = x5 = x6 = x7 = x8 = x9 = kind
    if pairs > 1:
        x2, x3 = load_like(kind, p2), load_like(kind, p3)
    if pairs > 2:
        x4, x5 = load_like(kind, p4), load_like(kind, p5)
    if pairs > 3:
        x6, x7 = load_like(kind, p6), load_like(kind, p7)
    if pairs > 4:
        x8, x9 = load_like(kind, p8), load_like(kind, p9)
    y0 = y1 = y2 = y3 = y4 = y5 = y6 = y7 = y8 = y9 = kind
    for block in range(blocks):
        for j in range(TARGETS if block + 1 < blocks else last):
            row = outputs + target_row(targets + block * BLOCK_BYTES + 4 * j) * width + c
            w = g = load_like(kind, row)
            error = errors + block * VECTOR_BYTES + 4 * j
            e = broadcast_like(kind, error)
            g, y0 = fma(e, x0, g), fma(e, w, y0)
            e = broadcast_like(kind, error + 32)
            g, y1 = fma(e, x1, g), fma(e, w, y1)
            if pairs > 1:
                e = broadcast_like(kind, error + between)
                g, y2 = fma(e, x2, g), fma(e, w, y2)
                e = broadcast_like(kind, error + between + 32)
                g, y3 = fma(e, x3, g), fma(e, w, y3)
            if pairs > 2:
                e = broadcast_like(kind, error + 2 * between)
                g, y4 = fma(e, x4, g), fma(e, w, y4)
                e = broadcast_like(kind, error + 2 * between + 32)
                g, y5 = fma(e, x5, g), fma(e, w, y5)
            if pairs > 3:
                e = broadcast_like(kind, error + 3 * between)
                g, y6 = fma(e, x6, g), fma(e, w, y6)
                e = broadcast_like(kind, error + 3 * between + 32)
                g, y7 = fma(e, x7, g), fma(e, w, y7)
            if pairs > 4:
                e = broadcast_like(kind, error + 4 * between)
                g, y8 = fma(e, x8, g), fma(e, w, y8)
                e = broadcast_like(kind, error + 4 * between + 32)
                g, y9 = fma(e, x9, g), fma(e, w, y9)
            store(row, g)
    whole = 2 * pairs == count  # otherwise the last context is none, and the zero row stays zero
    store(p0, load_like(kind, p0) + y0)  # read again: a word may stand there twice
    if pairs > 1 or whole:
        store(p1, load_like(kind, p1) + y1)
    if pairs > 1:
        store(p2, load_like(kind, p2) + y2)
        if pairs > 2 or whole:
            store(p3, load_like(kind, p3) + y3)
    if pairs > 2:
        store(p4, load_like(kind, p4) + y4)
        if pairs > 3 or whole:
            store(p5, load_like(kind, p5) + y5)
    if pairs > 3:
        store(p6, load_like(kind, p6) + y6)
        if pairs > 4 or whole:
            store(p7, load_like(kind, p7) + y7)
    if pairs > 4:
        store(p8, load_like(kind, p8) + y8)
        if whole:
            store(p9, load_like(kind, p9) + y9)


@njit(nogil=True, cache=True, inline="always")
def _stream(pairs, outputs, width, targets, blocks, last, contexts, count, low, high, errors, between):
    c = low
    if WIDE and pairs <= 3:  # two lines of a row at a time: 24 of 32 registers hold contexts and what they gain
        while c + 2 * VECTOR_BYTES <= high:
            _stream_columns(zero32(), pairs, outputs, width, targets, blocks, last, contexts, count, c, errors, between)
            c += 2 * VECTOR_BYTES
    while c < high:
        if WIDE:
            _stream_columns(zero16(), pairs, outputs, width, targets, blocks, last, contexts, count, c, errors, between)
            c += VECTOR_BYTES
        else:
            _stream_columns(zero8(), pairs, outputs, width, targets, blocks, last, contexts, count, c, errors, between)
            c += VECTOR_BYTES // 2


@njit(nogil=True, cache=True)
def _of_1(outputs, width, targets, blocks, last, contexts, count, low, high, errors, between):
    _stream(1, outputs, width, targets, blocks, last, contexts, count, low, high, errors, between)


@njit(nogil=True, cache=True)
def _of_2(outputs, width, targets, blocks, last, contexts, count, low, high, errors, between):
    _stream(2, outputs, width, targets, blocks, last, contexts, count, low, high, errors, between)


@njit(nogil=True, cache=True)
def _of_3(outputs, width, targets, blocks, last, contexts, count, low, high, errors, between):
    _stream(3, outputs, width, targets, blocks, last, contexts, count, low, high, errors, between)


@njit(nogil=True, cache=True)
def _of_4(outputs, width, targets, blocks, last, contexts, count, low, high, errors, between):
    _stream(4, outputs, width, targets, blocks, last, contexts, count, low, high, errors, between)


@njit(nogil=True, cache=True)
def _of_5(outputs, width, targets, blocks, last, contexts, count, low, high, errors, between):
    _stream(5, outputs, width, targets, blocks, last, contexts, count, low, high, errors, between)


@njit(nogil=True, cache=True)
def update_many(outputs, width, targets, blocks, nothing, contexts, count, low, high, errors, between):
    """Applies the errors of all blocks of targets to the columns [low, high) of a slice, in bytes.

    inputs[context] += sum over targets of error * outputs[target]; outputs[target] += sum over contexts of error *
    inputs[context], with these as they were. Targets come in their order, and one that is there twice is met again as
    it then is; contexts go ten at once, and the next ten meet targets as these left them. Arguments as those of
    `skipgram.update_center`; nothing: the row of no target.
    """
    last, end = 1, targets + (blocks - 1) * BLOCK_BYTES  # how many places of the last block are taken
    for j in range(1, TARGETS):
        last = j + 1 if target_row(end + 4 * j) != nothing else last
    for first in range(0, count, AT_ONCE):
        some, here = min(count - first, AT_ONCE), contexts + 8 * first
        error = errors + (first >> 1) * between
        if some > 8:
            _of_5(outputs, width, targets, blocks, last, here, some, low, high, error, between)
        elif some > 6:
            _of_4(outputs, width, targets, blocks, last, here, some, low, high, error, between)
        elif some > 4:
            _of_3(outputs, width, targets, blocks, last, here, some, low, high, error, between)
        elif some > 2:
            _of_2(outputs, width, targets, blocks, last, here, some, low, high, error, between)
        else:
            _of_1(outputs, width, targets, blocks, last, here, some, low, high, error, between)
