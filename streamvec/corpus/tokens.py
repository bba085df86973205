"""Says what a token is: words, what is between white space, characters or a regular expression, in any script.

The work on whole blocks is done by the kernels in `streamvec.kernels.scan`; here the tables are made that they follow,
and text is made ready for them: valid UTF-8, lower-cased, each document ended by one byte.
"""

import functools
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from streamvec.kernels.scan import CODE_POINTS, END, LAST, LEAD, SEPARATOR, TOKEN, Alphabet, new_spans, repair, split

KINDS = ("words", "whitespace", "characters", "text", "regex")
REPLACEMENT = "\ufffd"
# Where a regular expression was used, these bytes, which no UTF-8 text holds, stand behind tokens and documents.
_TOKEN_END, _DOCUMENT_END = "\udcff", "\udcfe"


@dataclass(frozen=True)
class Tokenizer:
    """How text is divided into tokens.

    words: runs of letters, digits, marks and underscores of any script (Python's ``\\w`` and category M);
    whitespace: what stands between white space, as it is; characters: every character but line breaks, spaces too;
    text: every character, the line break that ends a document being its last token (a carriage return is none);
    regex: all matches of *pattern* (Python's ``re``) that do not overlap, in each document, after lower-casing.
    Raises ValueError for another kind, and for a pattern that is missing, superfluous, or no regular expression.
    """

    kind: str = "words"
    keep_case: bool = False
    pattern: str | None = None

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"kind of tokens must be one of {', '.join(KINDS)}, got {self.kind!r}")
        if (self.kind == "regex") != (self.pattern is not None):
            raise ValueError(f"pattern must be given with kind 'regex' and only there, got {self.pattern!r}")
        if self.pattern is not None:
            try:
                re.compile(self.pattern)
            except re.error as problem:
                raise ValueError(f"pattern must be a regular expression, got {self.pattern!r}: {problem}") from None

    @property
    def alphabet(self) -> Alphabet:
        """The tables for the kernels."""
        return _alphabet(self.kind)

    @property
    def between(self) -> str:
        """What stands between two tokens where they are written as text again: nothing between characters."""
        return "" if self.kind in ("characters", "text") else " "

    def ready(self, data: bytes) -> tuple[np.ndarray, int]:
        """*data* as the kernels take it (uint8[n], read-only), and how many bytes had to be replaced.

        A newline ends a document; bytes that are not UTF-8 become U+FFFD.
        """
        text, replaced = valid_utf8(data)
        if not self.keep_case:
            lower = pc.utf8_lower(_one_string(text))
            size = int(np.frombuffer(lower.buffers()[1], np.int64)[1])
            text = lower.buffers()[2][:size] if size else b""
        if self.pattern is not None:
            text = _matches(re.compile(self.pattern), bytes(text).decode())
        ready = np.frombuffer(text, np.uint8)
        ready.flags.writeable = False  # always: kernels would be compiled a second time for the other kind
        return ready, replaced

    def tokens(self, text: str) -> list[str]:
        """The tokens of *text*, in order, exactly as a corpus is divided."""
        data, _ = self.ready(text.encode("utf-8", "replace"))
        found = new_spans()
        result = []
        place = 0
        while place < data.size:
            count, _, place = split(self.alphabet, data, place, found)
            result += [
                data[begin:end].tobytes().decode()
                for begin, end in zip(found.begins[:count], found.ends[:count], strict=True)
            ]
        return result

    def to_json(self) -> dict[str, Any]:
        """What the tokens of a corpus depend on, the version of Unicode included."""
        return {
            "kind": self.kind,
            "keep_case": self.keep_case,
            "pattern": self.pattern,
            "unicode": unicodedata.unidata_version,
        }


def valid_utf8(data: bytes) -> tuple[Any, int]:
    """*data* with U+FFFD for what is not UTF-8, and how many bytes that were."""
    try:
        _one_string(data).validate(full=True)
        return data, 0
    except pa.ArrowInvalid:
        out = np.empty(3 * len(data), np.uint8)
        size, replaced = repair(np.frombuffer(data, np.uint8), out)
        return pa.py_buffer(out[:size].copy()), replaced


def _one_string(data: Any) -> pa.LargeStringArray:
    buffer = data if isinstance(data, pa.Buffer) else pa.py_buffer(data)
    return pa.LargeStringArray.from_buffers(1, pa.py_buffer(np.array([0, buffer.size], np.int64)), buffer)


def _matches(pattern: re.Pattern[str], text: str) -> bytes:
    documents = (line.removesuffix("\r") for line in text.split("\n"))
    marked = _DOCUMENT_END.join(
        _TOKEN_END.join(found for match in pattern.finditer(document) if (found := match.group()))
        for document in documents
    )
    return marked.encode("utf-8", "surrogateescape")


@functools.cache
def _alphabet(kind: str) -> Alphabet:
    classes = np.full(256, LEAD, np.uint8)
    if kind == "regex":
        classes[:] = TOKEN
        classes[0xFF], classes[0xFE] = SEPARATOR, END
        inside = np.zeros(CODE_POINTS, bool)
    else:
        inside = np.ones(CODE_POINTS, bool)
        if kind == "words":
            inside = _word_characters()
        elif kind == "whitespace":
            inside[[place for start, end in _runs(r"\s+") for place in range(start, end)]] = False
        else:
            inside[ord("\r")] = False
        classes[:128] = np.where(inside[:128], TOKEN, SEPARATOR)
        classes[ord("\n")] = LAST if kind == "text" else END
    bits = np.packbits(inside, bitorder="little").view("<u8")
    return Alphabet(classes, bits, kind in ("characters", "text"))


def _word_characters() -> np.ndarray:
    inside = np.zeros(CODE_POINTS, bool)
    for start, end in _runs(r"\w+"):
        inside[start:end] = True
    others = np.flatnonzero(~inside[: _LAST_USED + 1])
    others = np.concatenate([others[others < 0x20000], others[others >= 0xE0000]])  # planes 2 and 3 hold letters only
    inside[[place for place in others.tolist() if unicodedata.category(chr(place))[0] == "M"]] = True
    return inside


_LAST_USED = 0xE01EF  # the last character that is neither unassigned nor private


def _runs(pattern: str) -> Iterator[tuple[int, int]]:
    """The stretches of code points that match *pattern*."""
    for first, last in ((0, 0x40000), (0xE0000, _LAST_USED + 1)):
        text = np.arange(first, last, dtype="<u4").tobytes().decode("utf-32-le", "surrogatepass")
        for match in re.finditer(pattern, text):
            yield first + match.start(), first + match.end()
