"""Synchronous batches of center words: the same bytes for any number of threads.

A center word's window has up to 2w context rows of ``inputs``; its targets are rows of ``outputs``: the center and
noise words drawn once for the window (HogBatch: Ji et al. 2016, arXiv:1604.04661), or the nodes on its path through a
Huffman tree. A batch is up to a few hundred centers. First all scores are computed from the rows as they stood; then,
center by center, the updates are applied.

Threads divide columns, 16 floats (one cache line) at a time. The update of a column depends on no other column, so any
deal of columns to threads gives the same bytes. A score is a sum over columns: it is added up within each of a fixed
number of slices of the columns, by whichever thread has the slice, and then over the slices in their order. Slices may
also lie with other processes, with which partial scores are exchanged (`streamvec.kernels.exchange`).
"""

from numba import njit

from streamvec.kernels.cbow import score_average, update_average
from streamvec.kernels.exchange import exchange, has_failed
from streamvec.kernels.folds import first_half, signs_of, sum16
from streamvec.kernels.layout import (
    BLOCK_BYTES,
    GROUP,
    VECTOR_BYTES,
    count_contexts,
    places_of,
    slice_edge,
    target_row,
    targets_of,
    write_contexts,
)
from streamvec.kernels.manytargets import update_many
from streamvec.kernels.nonlinear import error_of, loss_of
from streamvec.kernels.simd import load16, load_i32, prefetch_read, splat16, store, store_f32, zero16
from streamvec.kernels.skipgram import score_center, update_center
from streamvec.kernels.subwords import compose, distribute, tokens_near
from streamvec.kernels.team import wait_for_team

_AHEAD, _AHEAD_ON_PATHS = 6, 3  # centers between the prefetch of a row and its use: paths hold more rows


@njit(nogil=True, cache=True, inline="always")
def ask_ahead(places, i, end, inputs, outputs, width):
    """Asks early for the rows that center i will be the first to read: its targets, and its window's last word.

    Of a path's blocks the first holds the top of a Huffman tree, which is always near; a path does not fill all blocks.
    """
    used = load_i32(places.used + 4 * i)
    for block in range(1 if 1 < used < places.blocks else 0, used):
        targets = targets_of(places, i) + block * BLOCK_BYTES
        t0, t1 = outputs + target_row(targets) * width, outputs + target_row(targets + 4) * width
        t2, t3 = outputs + target_row(targets + 8) * width, outputs + target_row(targets + 12) * width
        t4, t5 = outputs + target_row(targets + 16) * width, outputs + target_row(targets + 20) * width
        for c in range(0, width, VECTOR_BYTES):
            prefetch_read(t0 + c)
            prefetch_read(t1 + c)
            prefetch_read(t2 + c)
            prefetch_read(t3 + c)
            prefetch_read(t4 + c)
            prefetch_read(t5 + c)
    if i + places.window < end:
        row = inputs + load_i32(places.inputs + 4 * (i + places.window)) * width
        for c in range(0, width, VECTOR_BYTES):
            prefetch_read(row + c)


@njit(nogil=True, cache=True)
def score(rows, places, first, last, piece, end):
    """Partial scores of centers first .. last-1 over slice *piece*; asks early for rows of centers before *end*."""
    edge = slice_edge(rows, piece)
    width = slice_edge(rows, piece + 1) - edge
    inputs, outputs = rows.inputs + rows.input_height * edge, rows.outputs + rows.height * edge
    ahead = _AHEAD if places.blocks <= 2 else _AHEAD_ON_PATHS
    for i in range(first, last):
        if i + ahead < end:
            ask_ahead(places, i + ahead, end, inputs, outputs, width)
        count = write_contexts(places, i, inputs, width, rows.input_height - 1)
        scores = places.scores + piece * places.slice_bytes + load_i32(places.pairs + 4 * i) * places.pair_bytes
        targets = targets_of(places, i)
        for _ in range(load_i32(places.used + 4 * i)):
            if rows.averaged == 0:
                score_center(outputs, width, targets, places.contexts, count, scores, places.pair_bytes)
            elif count > 0:
                score_average(outputs, width, targets, places.contexts, count, scores)
            scores, targets = scores + VECTOR_BYTES, targets + BLOCK_BYTES


@njit(nogil=True, cache=True, inline="always")
def _errors_of_center(rows, places, i, errors, learning_rate, with_loss):
    """Adds up the partial scores of center i and writes learning rate * (label - sigmoid(score)) to address *errors*.

    Where *with_loss*, writes the center's loss too: -log sigmoid of each score with its sign, over all its pairs.
    """
    count = count_contexts(places, i)
    count = min(count, 1) if rows.averaged else count
    scores = places.scores + load_i32(places.pairs + 4 * i) * places.pair_bytes
    targets = targets_of(places, i)
    total = zero16()
    for block in range(load_i32(places.used + 4 * i)):
        sign = signs_of(targets + block * BLOCK_BYTES, rows.height - 1)
        for k in range(0, count, 2):
            here = (k >> 1) * places.pair_bytes + block * VECTOR_BYTES
            s = load16(scores + here)
            for piece in range(1, rows.slices):
                s = s + load16(scores + piece * places.slice_bytes + here)
            store(errors + here, learning_rate * error_of(s, sign))
            if with_loss:
                total = total + loss_of(s, first_half(sign) if k + 1 == count else sign)
    if with_loss:
        store_f32(places.losses + 4 * i, sum16(total))


@njit(nogil=True, cache=True)
def update(rows, places, first, last, low, high, rate, every, loss_from, loss_to):
    """Turns the scores of a batch into errors, and applies them to the columns [low, high) in bytes.

    Losses are written for every *every*-th center of loss_from .. loss_to-1: two threads must not share a line.
    Errors are made for several centers before the first of them is applied, or each would wait for its own.
    """
    learning_rate = splat16(rate)
    for group in range(first, last, GROUP):
        end = min(group + GROUP, last)
        for i in range(group, end):
            errors = places.errors + (i - group) * places.center_bytes
            _errors_of_center(rows, places, i, errors, learning_rate, i % every == 0 and loss_from <= i < loss_to)
        for i in range(group, end):
            apply(rows, places, i, low, high, places.errors + (i - group) * places.center_bytes)


@njit(nogil=True, cache=True, inline="always")
def apply(rows, places, i, low, high, errors):
    """Applies the errors of center i, at an address, to the columns [low, high) in bytes."""
    count, targets = count_contexts(places, i), targets_of(places, i)
    blocks = load_i32(places.used + 4 * i) if count > 0 else 0
    for piece in range(rows.slices):
        edge, next_edge = slice_edge(rows, piece), slice_edge(rows, piece + 1)
        if low < next_edge and high > edge:
            width, outputs, contexts = next_edge - edge, rows.outputs + rows.height * edge, places.contexts
            from_byte, to_byte = max(low, edge) - edge, min(high, next_edge) - edge
            write_contexts(places, i, rows.inputs + rows.input_height * edge, width, rows.input_height - 1)
            if rows.averaged:
                if count > 0:
                    update_average(outputs, width, targets, blocks, contexts, count, from_byte, to_byte, errors)
                continue
            between, nothing = places.pair_bytes, rows.height - 1
            if places.blocks == 1:
                update_center(outputs, width, targets, contexts, count, from_byte, to_byte, errors, between)
            elif count > 0:
                update_many(
                    outputs, width, targets, blocks, nothing, contexts, count, from_byte, to_byte, errors, between
                )


@njit(nogil=True, cache=True, inline="always")
def batch_end(step, first, last):
    """One past the last center of the batch that begins at *first*."""
    end = first + 1
    while end < last and step.starts[end] == 0:
        end += 1
    return end


@njit(nogil=True, cache=True, inline="always")
def _score_bytes(rows, places, last):
    """Bytes of the scores of a batch that ends before center *last*, over one slice."""
    count = count_contexts(places, last - 1)
    pairs = min(count, 1) if rows.averaged else (count + 1) // 2
    return (load_i32(places.pairs + 4 * (last - 1)) + pairs) * places.pair_bytes


@njit(nogil=True, cache=True)
def train(rows, subwords, step, scratch, first, kept, rate, every, thread, threads, barrier, peers):
    """Trains on centers first .. kept-1 of a drawn step as one of *threads*; all must call it. Rows, subwords.table and
    step.losses are updated.

    scratch: this thread's, its scores shared by all; rate: learning rate, float32; every: one center in so many has its
    loss measured; barrier: see kernels/team.py; peers: who holds the slices that are not here. Where `has_failed` says
    so afterwards, the step is not done.
    """
    slices = rows.last - rows.first
    first_piece, last_piece = rows.first + slices * thread // threads, rows.first + slices * (thread + 1) // threads
    low, high = slice_edge(rows, first_piece), slice_edge(rows, last_piece)
    share, shares = 0, 1
    if threads > slices:  # threads of one slice divide its centers for scores, and columns anew for updates
        last_piece = first_piece + 1
        for other in range(threads):
            if other != thread and rows.first + slices * other // threads == first_piece:
                share += other < thread
                shares += 1
        edge = slice_edge(rows, rows.first) // VECTOR_BYTES
        vectors = slice_edge(rows, rows.last) // VECTOR_BYTES - edge
        low = (edge + vectors * thread // threads) * VECTOR_BYTES
        high = (edge + vectors * (thread + 1) // threads) * VECTOR_BYTES
    this, other = places_of(step, scratch, 0), places_of(step, scratch, 1)
    lowest = highest = 0
    while first < kept:
        last = batch_end(step, first, kept)
        size = last - first
        if subwords.ring:
            lowest, highest = tokens_near(step, first, last)
            compose(rows, subwords, this.tokens, lowest, highest, low, high)
            if threads > slices:  # others will score these columns
                wait_for_team(barrier, threads)
        for piece in range(first_piece, last_piece):
            from_center, to_center = first + size * share // shares, first + size * (share + 1) // shares
            score(rows, this, from_center, to_center, piece, kept)
        wait_for_team(barrier, threads)
        if peers.others:
            if thread == 0:
                size_here = _score_bytes(rows, this, last)
                exchange(peers, this.scores, this.slice_bytes, rows.first, rows.last, size_here)
            wait_for_team(barrier, threads)
            if has_failed(peers):
                return
        loss_from, loss_to = first + size * thread // threads, first + size * (thread + 1) // threads
        update(rows, this, first, last, low, high, rate, every, loss_from, loss_to)
        if subwords.ring:
            distribute(rows, subwords, this.tokens, lowest, highest, low, high)
        if threads > slices:  # the next scores are of columns that others are updating
            wait_for_team(barrier, threads)
        this, other = other, this  # nobody can come to write these scores again before all have read them
        first = last


@njit(nogil=True, cache=True)
def train_racing(rows, subwords, step, scratch, kept, rate, every, thread, threads):
    """The same without barriers (Hogwild): each thread takes whole batches, and rows are whoever's writes them last.

    scratch: this thread's alone, scores and hidden rows too.
    """
    places = places_of(step, scratch, 0)
    first, batch, whole = 0, 0, rows.vectors * VECTOR_BYTES
    while first < kept:
        last = batch_end(step, first, kept)
        if batch % threads == thread:
            lowest, highest = tokens_near(step, first, last)
            if subwords.ring:
                compose(rows, subwords, places.tokens, lowest, highest, 0, whole)
            for piece in range(rows.slices):
                score(rows, places, first, last, piece, last)
            update(rows, places, first, last, 0, whole, rate, every, first, last)
            if subwords.ring:
                distribute(rows, subwords, places.tokens, lowest, highest, 0, whole)
        first, batch = last, batch + 1


@njit(nogil=True, cache=True)
def measure(rows, subwords, step, scratch, kept, peers):
    """Writes step.losses of a drawn step and leaves the rows as they are, but for hidden ones; peers as in `train`."""
    places = places_of(step, scratch, 0)
    first = 0
    while first < kept:
        last = batch_end(step, first, kept)
        if subwords.ring:
            lowest, highest = tokens_near(step, first, last)
            low, high = slice_edge(rows, rows.first), slice_edge(rows, rows.last)
            compose(rows, subwords, places.tokens, lowest, highest, low, high)
        for piece in range(rows.first, rows.last):
            score(rows, places, first, last, piece, last)
        if peers.others:
            size = _score_bytes(rows, places, last)
            exchange(peers, places.scores, places.slice_bytes, rows.first, rows.last, size)
            if has_failed(peers):
                return
        for i in range(first, last):
            _errors_of_center(rows, places, i, places.errors, zero16(), True)
        first = last
