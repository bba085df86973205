"""Word lists as people keep them: words, sets of words such as pairs, and the four lists of an association test.

Plain text holds a word or a set a line; JSON holds a list of words or a list of lists, as debiaswe publishes them. A
file is JSON when it begins with [ or {.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from streamvec.errors import StreamvecError
from streamvec.vectors.blocks import plain_bytes
from streamvec.vectors.keyedvectors import KeyedVectors
from streamvec.vectors.words import forms_of

_LARGEST = 1 << 26  # bytes of a list: 64 MB are some million words
_SHOWN = 60  # characters of a wrong line in a message
_COMMENTS = ("# ", "// ")  # without a space they may be words, like #tag
_MARK = "\ufeff"  # some editors begin a file with it

Sets = list[tuple[str, ...]]


class NamedWords(NamedTuple):
    """A list of words and what it is called, like flowers."""

    name: str
    words: tuple[str, ...]


class Association(NamedTuple):
    """What a WEAT compares: two lists of targets by two lists of attributes."""

    targets: tuple[NamedWords, NamedWords]
    attributes: tuple[NamedWords, NamedWords]


class Place(NamedTuple):
    """Where a word of a list was found: its rank, and the form that stands there."""

    rank: int
    form: str


def read_words(path: Path | str) -> list[str]:
    """The distinct words of a file, in its order: a word a line (what follows a tab is passed over), or JSON.

    JSON is a list whose entries are words, or lists that begin with a word, such as ["nurse", 0.0, -0.9]; of a list of
    words all count. Lines that begin with # or // and a space are passed over. Raises StreamvecError, naming the place.
    """
    text = _text(path)
    if not _is_json(text):
        return _distinct(line.split("\t")[0].strip() for _, line in _lines(text, path))
    words: list[str] = []
    for number, entry in enumerate(_listed(_json(text, path), path), 1):
        several = entry if isinstance(entry, list) and entry else [entry]
        if any(isinstance(one, int | float) for one in several[1:]):
            several = several[:1]
        words += [_word(one, f"{path}, entry {number}", "a word or a list that begins with one") for one in several]
    return _distinct(words)


def read_sets(path: Path | str) -> Sets:
    """The sets of a file, each of two words or more: a set a line, with tabs, commas or spaces between its words.

    JSON is a list of lists of words. Raises StreamvecError, naming the place, for anything else.
    """
    text = _text(path)
    if _is_json(text):
        found = []
        for number, entry in enumerate(_listed(_json(text, path), path), 1):
            where = f"{path}, entry {number}"
            if not isinstance(entry, list) or len(entry) < 2:
                raise StreamvecError(f'{where}: expected a pair like ["she", "he"], got {_short(entry)}: correct it')
            found.append(tuple(_word(one, where, "words") for one in entry))
        return found
    found = []
    for place, line in _lines(text, path):
        words = _fields(line)
        if len(words) < 2 or not all(words):
            raise StreamvecError(
                f"{place}: expected two words or more with a tab, a comma or spaces between them, got "
                f"{line[:_SHOWN]!r}: correct the line"
            )
        found.append(tuple(words))
    return found


def read_association(path: Path | str) -> Association:
    """The four lists of a WEAT: lines of ``name: word, word, ...``, the two targets first and then the two attributes.

    JSON is an object of four lists in that order, or {"targets": {...}, "attributes": {...}} of two lists each. Raises
    StreamvecError, naming the place, for anything else.
    """
    text = _text(path)
    lists: list[NamedWords] = []
    if _is_json(text):
        content = _json(text, path)
        if isinstance(content, dict) and set(content) == {"targets", "attributes"}:
            halves = [content["targets"], content["attributes"]]
            if not all(isinstance(half, dict) and len(half) == 2 for half in halves):
                raise StreamvecError(f"{path}: expected two lists by name in each of targets and attributes")
            content = [(name, words) for half in halves for name, words in half.items()]
        elif isinstance(content, dict):
            content = list(content.items())
        else:
            raise StreamvecError(f"{path}: expected an object of four lists of words by name, got {_short(content)}")
        for name, words in content:
            if not isinstance(words, list):
                raise StreamvecError(f"{path}, {name!r}: expected a list of words, got {_short(words)}")
            lists.append(NamedWords(name, tuple(_distinct(_word(one, f"{path}, {name!r}", "words") for one in words))))
    else:
        for place, line in _lines(text, path):
            name, colon, rest = line.partition(":")
            if not colon or not name.strip():
                raise StreamvecError(
                    f"{place}: expected name: word, word, ..., got {line[:_SHOWN]!r}: a list stands on one line"
                )
            lists.append(NamedWords(name.strip(), tuple(_distinct(filter(None, _fields(rest.strip()))))))
    if len(lists) != 4:
        raise StreamvecError(f"{path}: expected four lists (two of targets, two of attributes), got {len(lists)}")
    for each in lists:
        if not each.words:
            raise StreamvecError(f"{path}: {each.name!r} holds no words")
    return Association((lists[0], lists[1]), (lists[2], lists[3]))


def find_words(vectors: KeyedVectors, words: Iterable[str]) -> dict[str, Place]:
    """Where each of *words* is, in one pass over the vocabulary; what is not there is left out.

    A word stands for itself; where it is not there, the first of its other forms (`forms_of`) that is does, and then
    each of them with _ for spaces.
    """
    wanted = {word: _forms(word) for word in dict.fromkeys(words)}
    ranks = find_ranks(vectors, {form for forms in wanted.values() for form in forms})
    found = {}
    for word, forms in wanted.items():
        form = next((form for form in forms if form in ranks), None)
        if form is not None:
            found[word] = Place(ranks[form], form)
    return found


def read_as(found: Mapping[str, Place]) -> dict[str, str]:
    """Those of the words found that stand there in another form, and the form."""
    return {word: place.form for word, place in found.items() if place.form != word}


def find_ranks(vectors: KeyedVectors, words: Iterable[str]) -> dict[str, int]:
    """The rank of each of *words*, exactly as written, in one pass over the vocabulary; what is missing is left out."""
    keys = sorted(set(words))
    wanted = pa.array(keys, pa.utf8())
    ranks: dict[str, int] = {}
    base = 0
    for chunk in vectors.chunks() if keys else ():
        found = pc.index_in(chunk.words, value_set=wanted)
        rows = np.flatnonzero(found.is_valid().to_numpy(zero_copy_only=False))
        for row, number in zip(rows.tolist(), found.drop_null().to_pylist(), strict=True):
            ranks.setdefault(keys[number], base + row)
        base += len(chunk.words)
    return ranks


def sets_in_every_case(sets: Sequence[Sequence[str]]) -> Sets:
    """*sets* as they are, then in lower case, capitalised and in upper case: (she, he), (She, He), (SHE, HE)."""
    cases: list[Callable[[str], str]] = [str, str.lower, _capitalised, str.upper]
    return list(dict.fromkeys(tuple(map(case, words)) for case in cases for words in sets))


def _forms(word: str) -> list[str]:
    forms = forms_of(word)
    return list(dict.fromkeys([*forms, *("_".join(one.split()) for one in forms)]))


def _capitalised(word: str) -> str:
    return word[:1].upper() + word[1:]


def _distinct(words: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(words))


def _text(path: Path | str) -> str:
    pieces = []
    size = 0
    for piece in plain_bytes(Path(path)):
        size += len(piece)
        if size > _LARGEST:
            raise StreamvecError(f"{path}: more than {_LARGEST >> 20} MB: not a list of words")
        pieces.append(piece)
    try:
        text = b"".join(pieces).decode("utf-8").removeprefix(_MARK)
    except UnicodeDecodeError as problem:
        raise StreamvecError(
            f"{path}, byte {problem.start}: not UTF-8 text: convert the file (iconv -t utf-8), or correct it"
        ) from None
    if not text.strip():
        raise StreamvecError(f"{path}: the file is empty: expected a list of words")
    return text


def _is_json(text: str) -> bool:
    return text.lstrip()[0] in "[{"


def _json(text: str, path: Path | str) -> Any:
    def distinct_names(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        names = [name for name, _ in pairs]
        if len(set(names)) < len(names):
            raise StreamvecError(f"{path}: the same name twice among {', '.join(map(repr, names))}: rename one")
        return dict(pairs)

    try:
        return json.loads(text, object_pairs_hook=distinct_names)
    except json.JSONDecodeError as problem:
        raise StreamvecError(
            f"{path}, line {problem.lineno}: begins like JSON, but is none ({problem.msg}): correct it"
        ) from None
    except (RecursionError, ValueError):
        raise StreamvecError(f"{path}: begins like JSON, but is none that holds words: correct it") from None


def _listed(content: Any, path: Path | str) -> list[Any]:
    if not isinstance(content, list):
        raise StreamvecError(f"{path}: expected a list of words or pairs, got {_short(content)}")
    if not content:
        raise StreamvecError(f"{path}: the list is empty: expected words")
    return content


def _word(one: Any, where: str, expected: str) -> str:
    if not isinstance(one, str) or not one.strip():
        raise StreamvecError(f"{where}: expected {expected}, got {_short(one)}: correct it")
    try:
        one.encode()
    except UnicodeEncodeError:
        raise StreamvecError(f"{where}: {_short(one)} is half a character: correct it") from None
    return one.strip()


def _short(content: Any) -> str:
    text = json.dumps(content)
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "..."


def _lines(text: str, path: Path | str) -> Iterator[tuple[str, str]]:
    """(where it stands, the line) of each line that is neither empty nor a comment; StreamvecError when all are."""
    some = False
    for number, raw in enumerate(text.split("\n"), 1):
        line = raw.strip()
        if line and not line.startswith(_COMMENTS):
            some = True
            yield f"{path}, line {number}", line
    if not some:
        raise StreamvecError(f"{path}: there are no words in it")


def _fields(line: str) -> list[str]:
    for separator in ("\t", ","):
        if separator in line:
            return [field.strip() for field in line.split(separator)]
    return line.split()
