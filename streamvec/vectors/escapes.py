"""Words that a line of text cannot carry, written so that our reader gets them back and other tools get one word.

``␛`` (U+241B, symbol for escape) and one more letter stand for what would break the line: ``␛␠`` a space, ``␛␉`` a
tab, ``␛␊`` a line feed, ``␛␋`` ``␛␌`` ``␛␍`` the other ASCII white space, ``␛∅`` the empty word, ``␛␛`` the symbol
itself. "new york" becomes "new␛␠york". Anything else, a lone ``␛`` included, is read as it stands.
"""

import re
from collections.abc import Callable

import pyarrow as pa
import pyarrow.compute as pc

_SIGN = "␛"
_EMPTY = _SIGN + "∅"
_PAIRS = {" ": "␠", "\t": "␉", "\n": "␊", "\v": "␋", "\f": "␌", "\r": "␍", _SIGN: _SIGN}
_BACK = {picture: letter for letter, picture in _PAIRS.items()}
_SPECIAL = "[ \\t\\n\\v\\f\\r␛]"
_ESCAPED = re.compile(f"{_SIGN}([{''.join(_BACK)}])")


def escape(word: str) -> str:
    """One word without ASCII white space, and never empty, that ``unescape`` turns back into *word*."""
    return re.sub(_SPECIAL, lambda found: _SIGN + _PAIRS[found[0]], word) or _EMPTY


def unescape(word: str) -> str:
    """What ``escape`` was given."""
    return "" if word == _EMPTY else _ESCAPED.sub(lambda found: _BACK[found[1]], word)


def escaped(words: pa.StringArray) -> pa.StringArray:
    """``escape`` of each word; only the few that need it are touched."""
    return _mapped(words, pc.or_(pc.match_substring_regex(words, _SPECIAL), pc.equal(words, "")), escape)


def unescaped(words: pa.StringArray) -> pa.StringArray:
    """``unescape`` of each word."""
    return _mapped(words, pc.match_substring(words, _SIGN), unescape)


def _mapped(words: pa.StringArray, chosen: pa.BooleanArray, change: Callable[[str], str]) -> pa.StringArray:
    if not pc.any(chosen).as_py():
        return words
    changed = [change(word) for word in words.filter(chosen).to_pylist()]
    return pc.replace_with_mask(words, chosen, pa.array(changed, pa.utf8()))
