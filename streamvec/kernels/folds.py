"""What moves between the lanes of vectors: horizontal sums in one fixed order, and signs from labels."""

from llvmlite import ir
from numba import types
from numba.core.extending import intrinsic

from streamvec.kernels.simd import I32, f32x8, f32x16, pointer_to


def _mix(builder, a, b, lanes):
    return builder.shuffle_vector(a, b, ir.Constant(ir.VectorType(I32, len(lanes)), lanes))


def _fold(builder, vectors, low, high):
    """Halves the number of vectors: each pair's *low* lanes plus its *high* lanes."""
    pairs = zip(vectors[::2], vectors[1::2], strict=True)
    return [builder.fadd(_mix(builder, a, b, low), _mix(builder, a, b, high)) for a, b in pairs]


def _quarters(chosen):
    return [4 * quarter + lane for quarter in chosen for lane in range(4)]


# What one shuffle instruction can do in 16 lanes; each fold adds lanes that stood 8, 4, 2, 1 apart.
_FOLDS = (
    (_quarters([0, 1, 4, 5]), _quarters([2, 3, 6, 7])),
    (_quarters([0, 2, 4, 6]), _quarters([1, 3, 5, 7])),
    *(
        ([q + lane for q in range(0, 16, 4) for lane in low], [q + lane for q in range(0, 16, 4) for lane in high])
        for low, high in (((0, 1, 16, 17), (2, 3, 18, 19)), ((0, 2, 16, 18), (1, 3, 17, 19)))
    ),
)
# Which input's sum the folds leave in which lane.
_ORDER = [0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15]


@intrinsic
def sums_of_12(typing, a0, a1, a2, a3, a4, a5, b0, b1, b2, b3, b4, b5):
    """[sum(a0) ... sum(a5), 0, 0, sum(b0) ... sum(b5), 0, 0]: twelve horizontal sums by one tree of shuffles."""

    def codegen(context, builder, signature, args):
        zero = ir.Constant(f32x16.vector, None)
        wanted = [*args[:6], zero, zero, *args[6:], zero, zero]
        vectors = [wanted[0]] * 16
        for lane, place in enumerate(_ORDER):
            vectors[place] = wanted[lane]
        for low, high in _FOLDS:
            vectors = _fold(builder, vectors, low, high)
        return vectors[0]

    return f32x16(a0, a1, a2, a3, a4, a5, b0, b1, b2, b3, b4, b5), codegen


@intrinsic
def sum16(typing, a):
    """The sum of 16 lanes, folding halves: lanes 8 apart, then 4, 2, 1."""

    def codegen(context, builder, signature, args):
        value = args[0]
        for half in (8, 4, 2, 1):
            low = _mix(builder, value, value, list(range(half)))
            high = _mix(builder, value, value, list(range(half, 2 * half)))
            value = builder.fadd(low, high)
        return builder.extract_element(value, I32(0))

    return types.float32(a), codegen


@intrinsic
def signs_of(typing, targets, nothing):
    """From 8 int32 targets (row * 2 + label) at an address: +1 for label 1, -1 for 0, 0 where the row is *nothing*.

    Twice over, for two contexts.
    """

    def codegen(context, builder, signature, args):
        integers = ir.VectorType(I32, 8)
        ones = ir.Constant(integers, [1] * 8)
        row = builder.load(pointer_to(builder, args[0], integers), align=4)
        scalar = builder.trunc(args[1], I32)
        other = builder.insert_element(ir.Constant(integers, ir.Undefined), scalar, I32(0))
        other = builder.shuffle_vector(other, other, ir.Constant(integers, None))
        labels = builder.sitofp(builder.sub(builder.shl(builder.and_(row, ones), ones), ones), f32x8.vector)
        absent = builder.icmp_signed("==", builder.ashr(row, ones), other)
        signs = builder.select(absent, ir.Constant(f32x8.vector, None), labels)
        return _mix(builder, signs, signs, [*range(8), *range(8)])

    return f32x16(targets, nothing), codegen


@intrinsic
def first_half(typing, a):
    """Lanes 8 to 15 set to zero."""

    def codegen(context, builder, signature, args):
        return _mix(builder, args[0], ir.Constant(f32x16.vector, None), list(range(8)) + [16] * 8)

    return a(a), codegen
