"""What a token is, for a few lines at a time and without the compiler: the rules of ``streamvec.corpus.tokens``.

The kernels that divide a corpus need numba, which a look-up must not wait for. These are the same rules in plain
Python; the tests compare the two.
"""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

KINDS = ("words", "whitespace", "characters", "text", "regex")
_WORD = re.compile(r"\w+")


@dataclass(frozen=True)
class LineTokenizer:
    """How a line is divided: *kind*, *keep_case* and *pattern* as in ``Tokenizer``; *phrases* passes joined words."""

    kind: str = "words"
    keep_case: bool = False
    pattern: str | None = None
    phrases: int = 0

    @classmethod
    def of(cls, info: Mapping[str, Any]) -> "LineTokenizer | None":
        """What ``vectors.arrow`` says of the text it was trained with; None where it does not say sensibly."""
        text = info.get("text")
        if not isinstance(text, Mapping):
            return None
        kind, pattern, phrases = text.get("tokens"), text.get("token_pattern"), text.get("phrases") or 0
        if kind not in KINDS or (kind == "regex") != isinstance(pattern, str) or not isinstance(phrases, int):
            return None
        try:
            re.compile(pattern or "")
        except re.error:
            return None
        return cls(kind, bool(text.get("keep_case")), pattern, phrases)

    def tokens(self, lines: Sequence[str]) -> list[list[str]]:
        """The tokens of each line, in order, exactly as a corpus is divided."""
        return [self._divided(line) for line in (lines if self.keep_case else _lower(lines))]

    def _divided(self, line: str) -> list[str]:
        line = line if line.isascii() else _valid(line)
        if self.kind == "words":
            return _words(line)
        if self.kind == "whitespace":
            return line.split()
        if self.kind == "regex":
            pattern = re.compile(self.pattern or "")
            documents = (document.removesuffix("\r") for document in line.split("\n"))
            return [found for document in documents for one in pattern.finditer(document) if (found := one.group())]
        left_out = "\r" if self.kind == "text" else "\r\n"
        return [character for character in line if character not in left_out]


def _lower(lines: Sequence[str]) -> list[str]:
    """By Arrow, as a corpus is: ``str.lower`` makes two characters of a dotted capital I."""
    if all(map(str.isascii, lines)):  # Arrow's functions take a tenth of a second to load
        return [line.lower() for line in lines]
    import pyarrow.compute as pc

    lower: list[str] = pc.utf8_lower(pa.array(map(_valid, lines), pa.large_utf8())).to_pylist()
    return lower


def _valid(line: str) -> str:
    """The line with a question mark for each half of a surrogate pair."""
    return line.encode("utf-8", "replace").decode()


def _words(line: str) -> list[str]:
    """Runs of letters, digits, underscores and marks (category M, most of which ``\\w`` leaves out)."""
    if line.isascii():
        return _WORD.findall(line)
    marks = "".join(sorted(one for one in set(line) if unicodedata.category(one)[0] == "M"))
    return re.findall(rf"[\w{re.escape(marks)}]+", line) if marks else _WORD.findall(line)
