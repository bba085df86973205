"""Vectors of 16 (or 8) floats as values in numba code: explicit loads, fused multiply-adds and stores at addresses.

Plain loops over ``a[i, j]`` lose a factor of 3 to 5 here to negative-index checks, alias checks and scalar remainders.
These intrinsics say exactly what the machine should do, and in which order it adds: the same bytes on every machine.
An address is an ``intp``; nothing checks it.
"""

import operator
import os

import llvmlite.binding as llvm
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.datamodel import models
from numba.core.extending import intrinsic, overload, register_model

LANES = 16
_F32 = ir.FloatType()
I32 = ir.IntType(32)


class Floats(types.Type):
    """Numba's type of a vector of float32 lanes."""

    def __init__(self, lanes: int) -> None:
        self.lanes = lanes
        self.vector = ir.VectorType(_F32, lanes)
        super().__init__(name=f"f32x{lanes}")


f32x16, f32x8 = Floats(16), Floats(8)
f32x64, f32x32 = Floats(64), Floats(32)  # several registers under one name: neighbouring columns of a row


@register_model(Floats)
class _FloatsModel(models.PrimitiveModel):
    def __init__(self, manager, kind):
        super().__init__(manager, kind, kind.vector)


def has_wide_registers() -> bool:
    """Whether kernels are compiled for 32 registers of 16 floats (AVX-512), so that bigger blocks stay in them."""
    features = os.environ.get("NUMBA_CPU_FEATURES")  # code for another machine than this
    if features is not None:
        return "+avx512f" in features
    return bool(llvm.get_host_cpu_features().get("avx512f"))


def pointer_to(builder, address, pointee):
    """An address as LLVM's pointer to *pointee*."""
    return builder.inttoptr(address, pointee.as_pointer())


def _load(kind):
    def codegen(context, builder, signature, args):
        return builder.load(pointer_to(builder, args[0], kind.vector), align=4)

    return codegen


@intrinsic
def load16(typing, address):
    """16 floats from an address."""
    return f32x16(address), _load(f32x16)


@intrinsic
def load8(typing, address):
    """8 floats from an address."""
    return f32x8(address), _load(f32x8)


@intrinsic
def store(typing, address, value):
    """Writes all lanes of *value* to an address."""

    def codegen(context, builder, signature, args):
        builder.store(args[1], pointer_to(builder, args[0], signature.args[1].vector), align=4)
        return context.get_dummy_value()

    return types.void(address, value), codegen


@intrinsic
def load_i32(typing, address):
    """One int32 from an address, as an intp."""

    def codegen(context, builder, signature, args):
        value = builder.load(pointer_to(builder, args[0], I32), align=4)
        return builder.sext(value, context.get_value_type(types.intp))

    return types.intp(address), codegen


@intrinsic
def load_i64(typing, address):
    """One int64 from an address, as an intp."""

    def codegen(context, builder, signature, args):
        return builder.load(pointer_to(builder, args[0], ir.IntType(64)), align=8)

    return types.intp(address), codegen


@intrinsic
def store_i64(typing, address, value):
    """Writes an integer as int64 to an address."""

    def codegen(context, builder, signature, args):
        builder.store(args[1], pointer_to(builder, args[0], ir.IntType(64)), align=8)
        return context.get_dummy_value()

    return types.void(address, types.int64), codegen


@intrinsic
def store_i32(typing, address, value):
    """Writes the low 32 bits of an integer to an address."""

    def codegen(context, builder, signature, args):
        builder.store(builder.trunc(args[1], I32), pointer_to(builder, args[0], I32), align=4)
        return context.get_dummy_value()

    return types.void(address, types.int64), codegen


@intrinsic
def store_f32(typing, address, value):
    """Writes a number as float32 to an address."""

    def codegen(context, builder, signature, args):
        builder.store(args[1], pointer_to(builder, args[0], _F32), align=4)
        return context.get_dummy_value()

    return types.void(address, types.float32), codegen


@intrinsic
def load_f32(typing, address):
    """One float32 from an address."""

    def codegen(context, builder, signature, args):
        return builder.load(pointer_to(builder, args[0], _F32), align=4)

    return types.float32(address), codegen


def _prefetch(for_writing):
    def codegen(context, builder, signature, args):
        byte = ir.IntType(8).as_pointer()
        kind = ir.FunctionType(ir.VoidType(), [byte, I32, I32, I32])
        function = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
        builder.call(function, [builder.inttoptr(args[0], byte), I32(for_writing), I32(3), I32(1)])
        return context.get_dummy_value()

    return codegen


@intrinsic
def prefetch(typing, address):
    """Asks for the cache line at an address, for writing."""
    return types.void(address), _prefetch(1)


@intrinsic
def prefetch_read(typing, address):
    """Asks for the cache line at an address, for reading: another core may keep it too."""
    return types.void(address), _prefetch(0)


def _splat(builder, vector, scalar):
    single = builder.insert_element(ir.Constant(vector, ir.Undefined), scalar, I32(0))
    return builder.shuffle_vector(
        single, ir.Constant(vector, ir.Undefined), ir.Constant(ir.VectorType(I32, vector.count), None)
    )


def _broadcast(kind):
    def codegen(context, builder, signature, args):
        return _splat(builder, kind.vector, builder.load(pointer_to(builder, args[0], _F32), align=4))

    return codegen


@intrinsic
def load_like(typing, kind, address):
    """As many floats from an address as *kind* has."""
    return kind(kind, address), lambda context, builder, signature, args: _load(signature.return_type)(
        context, builder, signature, args[1:]
    )


@intrinsic
def broadcast_like(typing, kind, address):
    """The float at an address, in as many lanes as *kind* has."""
    return kind(kind, address), lambda context, builder, signature, args: _broadcast(signature.return_type)(
        context, builder, signature, args[1:]
    )


@intrinsic
def splat_like(typing, kind, scalar):
    """A number, as float32 in as many lanes as *kind* has."""

    def codegen(context, builder, signature, args):
        number = context.cast(builder, args[1], signature.args[1], types.float32)
        return _splat(builder, signature.return_type.vector, number)

    return kind(kind, scalar), codegen


def _number(kind):
    def codegen(context, builder, signature, args):
        return _splat(builder, kind.vector, context.cast(builder, args[0], signature.args[0], types.float32))

    return codegen


@intrinsic
def splat16(typing, scalar):
    """A number, as float32 in 16 lanes."""
    return f32x16(scalar), _number(f32x16)


def _zero(kind):
    def codegen(context, builder, signature, args):
        return ir.Constant(kind.vector, None)

    return codegen


@intrinsic
def zero16(typing):
    """16 zeros."""
    return f32x16(), _zero(f32x16)


@intrinsic
def zero8(typing):
    """8 zeros."""
    return f32x8(), _zero(f32x8)


@intrinsic
def zero32(typing):
    """32 zeros."""
    return f32x32(), _zero(f32x32)


@intrinsic
def zero64(typing):
    """64 zeros."""
    return f32x64(), _zero(f32x64)


def _elementwise(name, operands):
    """An intrinsic's code that calls LLVM's *name* on whole vectors."""

    def codegen(context, builder, signature, args):
        vector = signature.return_type.vector
        kind = ir.FunctionType(vector, [vector] * operands)
        full_name = f"llvm.{name}.v{vector.count}f32"
        return builder.call(cgutils.get_or_insert_function(builder.module, kind, full_name), args)

    return codegen


@intrinsic
def fma(typing, a, b, c):
    """a * b + c in each lane, rounded once."""
    return a(a, b, c), _elementwise("fma", 3)


@intrinsic
def absolute(typing, a):
    """Magnitude of each lane."""
    return a(a), _elementwise("fabs", 1)


@intrinsic
def nearest(typing, a):
    """Each lane rounded to a whole number, halves to even."""
    return a(a), _elementwise("roundeven", 1)


@intrinsic
def minimum(typing, a, b):
    """The smaller of each lane; where a lane of *a* is not a number, it stays so."""

    def codegen(context, builder, signature, args):
        return builder.select(builder.fcmp_ordered(">", *args), args[1], args[0])

    return a(a, b), codegen


@intrinsic
def maximum(typing, a, b):
    """The larger of each lane; where a lane of *a* is not a number, it stays so."""

    def codegen(context, builder, signature, args):
        return builder.select(builder.fcmp_ordered("<", *args), args[1], args[0])

    return a(a, b), codegen


@intrinsic
def keep_above(typing, a, b):
    """Each lane of *a* where *b* is above 0, and 0 elsewhere."""

    def codegen(context, builder, signature, args):
        zero = ir.Constant(signature.return_type.vector, None)
        return builder.select(builder.fcmp_ordered(">", args[1], zero), args[0], zero)

    return a(a, b), codegen


@intrinsic
def keep_below(typing, a, b, limit):
    """Each lane of *a* where *b* is not above *limit*, and 0 elsewhere."""

    def codegen(context, builder, signature, args):
        above = builder.fcmp_ordered(">", args[1], args[2])
        return builder.select(above, ir.Constant(signature.return_type.vector, None), args[0])

    return a(a, b, limit), codegen


@intrinsic
def sign_of(typing, a):
    """+1 or -1 by the sign bit of each lane."""

    def codegen(context, builder, signature, args):
        vector = signature.return_type.vector
        kind = ir.FunctionType(vector, [vector, vector])
        function = cgutils.get_or_insert_function(builder.module, kind, f"llvm.copysign.v{vector.count}f32")
        return builder.call(function, [ir.Constant(vector, [1.0] * vector.count), args[0]])

    return a(a), codegen


@intrinsic
def times_two_to(typing, a, exponent):
    """a * 2**exponent for whole exponents that keep the result a normal number."""

    def codegen(context, builder, signature, args):
        integers = ir.VectorType(I32, signature.return_type.lanes)
        shift = ir.Constant(integers, [23] * integers.count)
        power = builder.shl(builder.fptosi(args[1], integers), shift)
        bits = builder.add(builder.bitcast(args[0], integers), power)
        return builder.bitcast(bits, signature.return_type.vector)

    return a(a, exponent), codegen


@intrinsic
def inverse_root_guess(typing, a):
    """1 / sqrt(a) to 3.5 % for normal a > 0: halves the exponent by a shift of the bits (Lomont 2003)."""

    def codegen(context, builder, signature, args):
        integers = ir.VectorType(I32, signature.return_type.lanes)
        halves = builder.lshr(builder.bitcast(args[0], integers), ir.Constant(integers, [1] * integers.count))
        bits = builder.sub(ir.Constant(integers, [0x5F375A86] * integers.count), halves)
        return builder.bitcast(bits, signature.return_type.vector)

    return a(a), codegen


def _overload_operator(function, instruction):
    @intrinsic
    def operation(typing, a, b):
        def codegen(context, builder, signature, args):
            return getattr(builder, instruction)(*args)

        return a(a, b), codegen

    @overload(function, inline="always")
    def choose(a, b):
        if isinstance(a, Floats) and a == b:
            return lambda a, b: operation(a, b)
        return None


for _function, _instruction in (
    (operator.add, "fadd"),
    (operator.sub, "fsub"),
    (operator.mul, "fmul"),
    (operator.truediv, "fdiv"),
):
    _overload_operator(_function, _instruction)


WIDE = has_wide_registers()  # where lanes are independent, fewer columns at a time give the same bytes
