"""Finds the tokens in a block of text: a table says what each byte is, a bitmap what each character beyond ASCII is.

The text is valid UTF-8 (`repair` makes it so) in which every document ends with a byte of class END.
"""

from typing import NamedTuple

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.core.extending import intrinsic

SEPARATOR, TOKEN, LEAD, END = 0, 1, 2, 4  # what a byte is; LEAD: a byte of a character of several bytes
LAST = END | TOKEN  # a token that ends its document, where each character is one
CODE_POINTS = 0x110000
WINDOW = 1 << 14  # bytes that are split at a time: what is found of them stays in the nearest cache


class Alphabet(NamedTuple):
    """What a tokenizer takes for a token, as tables."""

    classes: np.ndarray  # uint8[256]: SEPARATOR, TOKEN, LEAD, END or LAST
    inside: np.ndarray  # uint64[CODE_POINTS / 64]: one bit a character, set where it belongs to tokens
    single: bool  # each character is a token of its own


class Spans(NamedTuple):
    """Room for what `split` finds in a window."""

    begins: np.ndarray  # int64[WINDOW + 64]: where tokens begin
    ends: np.ndarray  # int64[WINDOW + 64]: where they end
    stops: np.ndarray  # int64[WINDOW + 64]: where documents end
    prefixes: np.ndarray  # uint64[WINDOW + 64]: first 8 bytes of tokens
    hashes: np.ndarray  # uint64[WINDOW + 64]


def new_spans() -> Spans:
    """Room for one thread."""
    return Spans(*np.empty((3, WINDOW + 64), np.int64), *np.empty((2, WINDOW + 64), np.uint64))


def _load(bits, kind):
    def codegen(context, builder, signature, args):
        return builder.load(builder.inttoptr(args[0], ir.IntType(bits).as_pointer()), align=1)

    return kind(types.int64), codegen


@intrinsic
def load8(typing, address):
    """The 8 bytes at an address (array.ctypes.data plus a place) as a little-endian uint64; nothing is checked.

    An address, because an array costs two atomic counts of its references in each function that is not inlined.
    """
    return _load(64, types.uint64)


@intrinsic
def load1(typing, address):
    """The byte at an address; nothing is checked."""
    return _load(8, types.uint8)


@intrinsic
def fetch(typing, address):
    """Asks for the cache line at an address, which will soon be read."""

    def codegen(context, builder, signature, args):
        place = builder.inttoptr(args[0], ir.IntType(8).as_pointer())
        kind = ir.FunctionType(ir.VoidType(), [place.type, *[ir.IntType(32)] * 3])
        function = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
        builder.call(function, [place, *[ir.Constant(ir.IntType(32), value) for value in (0, 3, 1)]])
        return context.get_dummy_value()

    return types.void(types.int64), codegen


@intrinsic
def byte(typing, array, place):
    """array[place] of a uint8[n]; nothing checks that it is there. Unlike `load1` it is read by vectors in loops."""

    def codegen(context, builder, signature, args):
        data = context.make_array(signature.args[0])(context, builder, args[0]).data
        return builder.load(builder.gep(data, [args[1]]))

    return types.uint8(array, types.int64), codegen


@intrinsic
def lowest_bit(typing, word):
    """The place of the lowest bit that is set in a uint64; 64 when none is."""

    def codegen(context, builder, signature, args):
        return builder.cttz(args[0], ir.Constant(ir.IntType(1), 0))

    return types.int64(types.uint64), codegen


@njit(nogil=True, cache=True)
def _character(inside, data, place):
    """(bytes, whether it belongs to tokens) of the character of several bytes that begins at data[place]."""
    lead = np.int64(data[place])
    if lead < 0xE0:
        width, code = 2, lead & 0x1F
    elif lead < 0xF0:
        width, code = 3, lead & 0x0F
    else:
        width, code = 4, lead & 0x07
    for step in range(1, width):
        code = code << 6 | np.int64(data[place + step]) & 0x3F
    return width, (inside[code >> 6] >> np.uint64(code & 63)) & np.uint64(1) != np.uint64(0)


@njit(nogil=True, cache=True)
def _mark(alphabet, data, first, size, covered):
    """Which of the bytes data[first : first + size], size <= 64, belong to tokens.

    Returns (a bit a byte; all classes met; until where a character that reaches beyond covers the bytes, and if it
    belongs to tokens then negative). *covered* is that last value of the bytes before.
    """
    bits, met = np.uint64(0), 0
    if size == 64:
        for step in range(64):
            kind = byte(alphabet.classes, np.int64(byte(data, first + step)))
            bits |= np.uint64(kind & 1) << np.uint64(step)
            met |= kind
    else:
        for step in range(size):
            kind = byte(alphabet.classes, np.int64(byte(data, first + step)))
            bits |= np.uint64(kind & 1) << np.uint64(step)
            met |= kind
    if met & LEAD:
        place = first
        while place < abs(covered):
            if covered < 0:
                bits |= np.uint64(1) << np.uint64(place - first)
            place += 1
        while place < first + size:
            if alphabet.classes[data[place]] != LEAD:
                place += 1
                continue
            width, belongs = _character(alphabet.inside, data, place)
            if belongs:
                ones = (np.uint64(1) << np.uint64(width)) - np.uint64(1)
                bits |= ones << np.uint64(place - first)
            place += width
            covered = -place if belongs else place
    return bits, met, covered


@njit(nogil=True, cache=True)
def split(alphabet, data, place, found):
    """Finds the tokens of about WINDOW bytes of *data* (uint8[n], read) from *place* on, where no token is inside.

    found: written. Returns (tokens, documents' ends, where to go on: data.size at the end).
    """
    begins, ends, stops = found.begins, found.ends, found.stops
    limit = min(place + WINDOW, data.size)
    if alphabet.single:
        return _split_characters(alphabet, data, place, limit, begins, ends, stops)
    opened, closed, documents = 0, 0, 0
    covered, before = 0, np.uint64(0)
    one = np.uint64(1)
    while place < limit:
        size = min(64, data.size - place)
        bits, met, covered = _mark(alphabet, data, place, size, covered)
        if met & END:
            for step in range(size):
                if alphabet.classes[data[place + step]] == END:
                    stops[documents] = place + step
                    documents += 1
        # a token begins where a bit differs from a 0 before it, and ends where it differs from a 1
        earlier = bits << one | before
        edges, before = bits & ~earlier, bits >> np.uint64(63)
        while edges:
            begins[opened] = place + lowest_bit(edges)
            opened += 1
            edges &= edges - one
        edges = ~bits & earlier
        while edges:
            ends[closed] = place + lowest_bit(edges)
            closed += 1
            edges &= edges - one
        place += size
    if opened > closed:  # the last token may go on
        while place < data.size and _goes_on(alphabet, data, place, covered):
            place += 1
            while place < data.size and data[place] & 0xC0 == 0x80 and alphabet.classes[data[place]] == LEAD:
                place += 1
        ends[closed] = place
    elif abs(covered) > place:  # a character between tokens that reaches beyond the window
        place = min(abs(covered), data.size)
    return opened, documents, place


@njit(nogil=True, cache=True)
def _goes_on(alphabet, data, place, covered):
    """Whether the token that reaches data[place] takes that byte in, too."""
    if place < -covered:
        return True
    kind = alphabet.classes[data[place]]
    return kind == TOKEN or (kind == LEAD and _character(alphabet.inside, data, place)[1])


@njit(nogil=True, cache=True)
def _split_characters(alphabet, data, place, limit, begins, ends, stops):
    found, documents = 0, 0
    while place < limit:
        kind = alphabet.classes[data[place]]
        width, belongs = 1, kind & TOKEN != 0
        if kind & END:
            stops[documents] = place
            documents += 1
        elif kind == LEAD:
            width, belongs = _character(alphabet.inside, data, place)
        if belongs:
            begins[found], ends[found] = place, place + width
            found += 1
        place += width
    return found, documents, place


@njit(nogil=True, cache=True)
def repair(data, out):
    """Copies *data* (uint8[n]) to *out* (uint8[3 n], written) with U+FFFD for what is not UTF-8.

    One U+FFFD stands for each maximal piece that could have begun a character (Unicode standard, section 3.9), as in
    Python's errors="replace". Returns (bytes written, bytes that were replaced).
    """
    size, place, written, replaced = data.size, 0, 0, 0
    while place < size:
        lead = data[place]
        # width of the character, and between which values its second byte must lie
        width, low, high = 0, 0x80, 0xBF
        if lead < 0x80:
            width = 1
        elif 0xC2 <= lead <= 0xDF:
            width = 2
        elif 0xE0 <= lead <= 0xEF:
            width = 3
            if lead == 0xE0:
                low = 0xA0
            elif lead == 0xED:
                high = 0x9F
        elif 0xF0 <= lead <= 0xF4:
            width = 4
            if lead == 0xF0:
                low = 0x90
            elif lead == 0xF4:
                high = 0x8F
        good = 1
        while good < width and place + good < size and low <= data[place + good] <= high:
            good += 1
            low, high = 0x80, 0xBF
        if good >= width and width > 0:
            for step in range(width):
                out[written + step] = data[place + step]
            written += width
        else:
            out[written], out[written + 1], out[written + 2] = 0xEF, 0xBF, 0xBD
            written += 3
            replaced += good
        place += good
    return written, replaced


@njit(nogil=True, cache=True)
def open_token(alphabet, data):
    """Where the token begins that reaches the end of *data* (uint8[n], valid UTF-8); data.size when none does."""
    place = data.size
    while place > 0:
        first = place - 1
        while first > 0 and data[first] & 0xC0 == 0x80:
            first -= 1
        kind = alphabet.classes[data[first]]
        if kind != TOKEN and not (kind == LEAD and _character(alphabet.inside, data, first)[1]):
            break
        place = first
    return place
