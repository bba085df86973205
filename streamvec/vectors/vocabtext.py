"""vocab.txt of Stanford's GloVe: a word and its count a line, in the order of ids, which begin at 1.

Words that a line cannot carry are escaped (escapes.py).
"""

from collections.abc import Iterable
from typing import IO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from streamvec.errors import StreamvecError
from streamvec.vectors.blocks import Seen
from streamvec.vectors.escapes import escaped, unescaped
from streamvec.vectors.rows import line_blocks

_LINE = r"^(?P<word>.*[^ \t])[ \t]+(?P<count>[0-9]{1,18})[ \t\r]*$"
_SHAPE = "expected a word and its count, such as: the 1061396"
_MOST = 1 << 62  # occurrences of all words
_ROWS = 1 << 16  # words written at once


def read_vocab(pieces: Iterable[bytes], name: str) -> tuple[pa.LargeStringArray, np.ndarray]:
    """(words[V], counts int64[V]) of plain bytes, in their order.

    Raises StreamvecError, naming the line, for one that is no word and a count above 0, is not UTF-8 or repeats a word;
    and where there is none.
    """
    words: list[pa.StringArray] = []
    counts: list[np.ndarray] = []
    seen, line = Seen(), 1
    for block in line_blocks(_text(pieces, name), name):
        some, numbers = _parse(block, name, line)
        again = np.flatnonzero(~seen.new(some))
        if again.size:
            here = int(again[0])
            raise StreamvecError(
                f"{name}, line {line + here:,}: the word {some[here].as_py()!r} comes again: ids would mean two words; "
                "make vocab.txt anew"
            )
        words.append(some)
        counts.append(numbers)
        line += len(some)
    if not words:
        raise StreamvecError(f"{name}: empty: there are no words in it")
    whole = np.concatenate(counts)
    if not whole.sum(dtype=np.float64) < _MOST:
        raise StreamvecError(f"{name}: its counts add up to more than {_MOST:.0e}: the file is damaged")
    return pa.concat_arrays([some.cast(pa.large_string()) for some in words]), whole


def write_vocab(words: pa.LargeStringArray, counts: np.ndarray, file: IO[bytes]) -> None:
    """Writes words and counts int64[V] a line each, words escaped."""
    for start in range(0, len(words), _ROWS):
        some = escaped(words.slice(start, _ROWS).cast(pa.string()))
        numbers = pa.array(counts[start : start + _ROWS]).cast(pa.string())
        lines = pc.binary_join_element_wise(some, numbers, " ").to_pylist()
        file.write("".join(f"{line}\n" for line in lines).encode())


def _text(pieces: Iterable[bytes], name: str) -> Iterable[bytes]:
    for piece in pieces:
        if b"\0" in piece:
            raise StreamvecError(f"{name}: not vocab.txt of Stanford's GloVe: {_SHAPE}, found bytes that are no text")
        yield piece


def _parse(block: bytes, name: str, line: int) -> tuple[pa.StringArray, np.ndarray]:
    """The words and counts of whole lines, the first of which is number *line*."""
    raw = block.split(b"\n")[:-1]
    try:
        lines = pa.array(raw, pa.binary()).cast(pa.string())
    except pa.ArrowInvalid:
        wrong = next(number for number, one in enumerate(raw) if not _is_utf8(one))
        raise StreamvecError(
            f"{name}, line {line + wrong:,}: not UTF-8: convert the file, or find out what it is"
        ) from None
    found = pc.extract_regex(lines, _LINE)
    fields = found.flatten()
    numbers = fields[1].cast(pa.int64(), safe=True) if not found.null_count else None
    if numbers is None or pc.min(numbers).as_py() < 1:
        bad = found.is_null() if numbers is None else pc.less(numbers, 1)
        here = int(np.flatnonzero(bad.to_numpy(zero_copy_only=False))[0])
        text = raw[here][:60].decode("utf-8", "replace")
        raise StreamvecError(f"{name}, line {line + here:,}: {_SHAPE}, found {text!r}")
    return unescaped(fields[0]), numbers.to_numpy()


def _is_utf8(raw: bytes) -> bool:
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
