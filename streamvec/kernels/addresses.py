"""Where rows begin: several addresses computed and written at once."""

from llvmlite import ir
from numba import types
from numba.core.extending import intrinsic

from streamvec.kernels.simd import I32, pointer_to

ROWS_AT_ONCE = 8
_I64 = ir.IntType(64)


def _in_all_lanes(builder, value, kind):
    vector = ir.VectorType(kind, ROWS_AT_ONCE)
    single = builder.insert_element(ir.Constant(vector, ir.Undefined), value, I32(0))
    lanes = ir.Constant(ir.VectorType(I32, ROWS_AT_ONCE), None)
    return builder.shuffle_vector(single, ir.Constant(vector, ir.Undefined), lanes)


@intrinsic
def store_rows(typing, address, rows, width, base):
    """Writes base + row * width as int64 for each of 8 rows, int32 at the address *rows*; width is below 2**32."""

    def codegen(context, builder, signature, args):
        to, at, width, base = args
        wide = ir.VectorType(_I64, ROWS_AT_ONCE)
        numbers = builder.load(pointer_to(builder, at, ir.VectorType(I32, ROWS_AT_ONCE)), align=4)
        factor = builder.zext(_in_all_lanes(builder, builder.trunc(width, I32), I32), wide)
        offsets = builder.mul(builder.zext(numbers, wide), factor)
        addresses = builder.add(offsets, _in_all_lanes(builder, base, _I64))
        builder.store(addresses, pointer_to(builder, to, wide), align=8)
        return context.get_dummy_value()

    return types.void(address, types.intp, types.intp, types.intp), codegen
