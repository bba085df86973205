"""Skip-gram's updates where a center has many targets, as on the path through a Huffman tree: these stream past.

`skipgram.update_center` keeps six targets in registers and lets contexts pass. A path has a dozen nodes, more than fit
and seldom a multiple of six; a window of the usual size has at most ten contexts. So here the contexts, ten at once,
and what each gains stay in registers, while each target is read and written once for them.

How many contexts there are is a matter of types: tuples of so many places. Numba compiles for each length once.
"""

from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.core.extending import intrinsic

from streamvec.kernels.layout import BLOCK_BYTES, TARGETS, VECTOR_BYTES, target_row
from streamvec.kernels.simd import I32, WIDE, pointer_to, zero8, zero16, zero32

AT_ONCE = 10  # contexts


def _rows(builder, contexts, column, count):
    """The addresses of *column* in the rows whose addresses stand at *contexts*."""
    places = pointer_to(builder, contexts, ir.IntType(64))
    for k in range(count):
        yield builder.add(builder.load(builder.gep(places, [I32(k)]), align=8), column)


@intrinsic
def load_rows(typing, kind, places, contexts, column):
    """A vector like *kind* for each place of a tuple: *column* of the rows whose addresses stand at *contexts*."""

    def codegen(context, builder, signature, args):
        vector = signature.return_type.dtype.vector
        rows = _rows(builder, args[2], args[3], signature.return_type.count)
        loaded = [builder.load(pointer_to(builder, row, vector), align=4) for row in rows]
        return cgutils.pack_array(builder, loaded)

    return types.UniTuple(kind, len(places))(kind, places, contexts, column), codegen


@intrinsic
def zeros_like(typing, rows):
    """A tuple of as many vectors, all zero."""

    def codegen(context, builder, signature, args):
        return ir.Constant(args[0].type, None)

    return rows(rows), codegen


@intrinsic
def bytes_of(typing, kind):
    """How many bytes a vector like *kind* takes."""

    def codegen(context, builder, signature, args):
        return ir.Constant(context.get_value_type(types.intp), 4 * signature.args[0].lanes)

    return types.intp(kind), codegen


@intrinsic
def add_to_rows(typing, gains, contexts, column, count):
    """Adds gains[k] to *column* of row k, for k below *count*: the last one may stand for no context.

    One after the other, each read again: a word may stand twice in a window.
    """

    def codegen(context, builder, signature, args):
        values = cgutils.unpack_tuple(builder, args[0])
        rows = list(_rows(builder, args[1], args[2], len(values)))

        def add(row, value):
            place = pointer_to(builder, row, value.type)
            builder.store(builder.fadd(builder.load(place, align=4), value), place, align=4)

        for row, value in zip(rows[:-1], values[:-1], strict=True):
            add(row, value)
        is_there = builder.icmp_signed("==", args[3], ir.Constant(args[3].type, len(values)))
        with builder.if_then(is_there):
            add(rows[-1], values[-1])
        return context.get_dummy_value()

    return types.void(gains, contexts, column, count), codegen


@intrinsic
def meet(typing, row, contexts, gains, errors, between):
    """One target meets the contexts: its row gains the sum of error * context, each context error * the row as it was.

    row: address; contexts, gains: tuples of vectors; errors: address of the target's float32 with the first context;
    they lie 32 bytes apart within a pair of contexts, *between* bytes from pair to pair. Returns the contexts' gains.
    """

    def codegen(context, builder, signature, args):
        vector = signature.return_type.dtype.vector
        name = f"llvm.fma.v{vector.count}f32"
        fma = cgutils.get_or_insert_function(builder.module, ir.FunctionType(vector, [vector] * 3), name)
        lanes = ir.Constant(ir.VectorType(I32, vector.count), None)
        nothing = ir.Constant(vector, ir.Undefined)
        place, error = pointer_to(builder, args[0], vector), args[3]
        before = after = builder.load(place, align=4)
        found = []
        pairs = zip(cgutils.unpack_tuple(builder, args[1]), cgutils.unpack_tuple(builder, args[2]), strict=True)
        for k, (x, gain) in enumerate(pairs):
            here = builder.add(error, ir.Constant(error.type, 32)) if k % 2 else error
            scalar = builder.load(pointer_to(builder, here, ir.FloatType()), align=4)
            e = builder.shuffle_vector(builder.insert_element(nothing, scalar, I32(0)), nothing, lanes)
            after = builder.call(fma, [e, x, after])
            found.append(builder.call(fma, [e, before, gain]))
            error = builder.add(error, args[4]) if k % 2 else error
        builder.store(after, place, align=4)
        return cgutils.pack_array(builder, found)

    return gains(row, contexts, gains, errors, between), codegen


@njit(nogil=True, cache=True)
def _stream(kind, places, outputs, width, targets, blocks, last, contexts, count, low, high, errors, between):
    """`update_many` for as many contexts as *places* has, as many columns at a time as *kind*, zeros, has lanes."""
    for c in range(low, high, bytes_of(kind)):
        rows = load_rows(kind, places, contexts, c)
        gains = zeros_like(rows)
        for block in range(blocks):
            here, error = targets + block * BLOCK_BYTES, errors + block * VECTOR_BYTES
            for j in range(TARGETS if block + 1 < blocks else last):
                gains = meet(outputs + target_row(here + 4 * j) * width + c, rows, gains, error + 4 * j, between)
        add_to_rows(gains, contexts, c, count)


@njit(nogil=True, cache=True, inline="always")
def _stream_some(kind, outputs, width, targets, blocks, last, contexts, count, low, high, errors, between):
    """`_stream` with as many places as hold *count* contexts, two by two."""
    some = (outputs, width, targets, blocks, last, contexts, count, low, high, errors, between)
    if count > 8:
        _stream(kind, (0, 0, 0, 0, 0, 0, 0, 0, 0, 0), *some)
    elif count > 6:
        _stream(kind, (0, 0, 0, 0, 0, 0, 0, 0), *some)
    elif count > 4:
        _stream(kind, (0, 0, 0, 0, 0, 0), *some)
    elif count > 2:
        _stream(kind, (0, 0, 0, 0), *some)
    else:
        _stream(kind, (0, 0), *some)


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
        error, edge = errors + (first >> 1) * between, low
        if not WIDE:
            _stream_some(zero8(), outputs, width, targets, blocks, last, here, some, low, high, error, between)
            continue
        if some <= 6:  # two lines of a row at a time: 24 of 32 registers hold contexts and what they gain
            edge = low + (high - low) // (2 * VECTOR_BYTES) * (2 * VECTOR_BYTES)
            _stream_some(zero32(), outputs, width, targets, blocks, last, here, some, low, edge, error, between)
        _stream_some(zero16(), outputs, width, targets, blocks, last, here, some, edge, high, error, between)
