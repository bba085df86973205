"""JSON Lines: an object a line, of which one value is the document."""

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any

from streamvec.corpus.compression import PIECE
from streamvec.corpus.records import Records, records_of
from streamvec.corpus.streams import Stream
from streamvec.corpus.text import BOM
from streamvec.errors import StreamvecError

LONGEST_LINE = 1 << 28  # bytes: an object must be in memory whole, and a file without newlines is not JSON Lines
_LISTED = 20  # keys named in an error


def read_json_lines(
    opened: Callable[[], AbstractContextManager[Stream]], name: str, column: str | None, offset: int
) -> Iterator[Records]:
    """The documents of a JSON Lines file from byte *offset* (a line's start) on; empty lines are passed over.

    *opened* opens the file from its beginning. The document is the value of key *column*: a string, a list of strings
    (joined by spaces) or null (an empty document). Without *column* it is "text", or the only string there is in the
    first object. Bytes and surrogates that are no UTF-8 become U+FFFD.
    Raises StreamvecError with the line's number when it is not such an object.
    """
    key = column or ""
    if column is None:
        with opened() as stream:
            for _, line in _lines(stream, name, 0):
                key = _text_key(_object(line, name, opened, 0), name)
                break
    with opened() as stream:
        stream.skip(offset)
        documents: list[bytes] = []
        offsets: list[int] = []
        size = 0
        for start, line in _lines(stream, name, offset):
            value = _object(line, name, opened, start)
            try:
                found = value[key]
            except KeyError:
                listed = ", ".join(list(value)[:_LISTED]) or "none"
                raise StreamvecError(f"{_where(name, opened, start)}: no key {key!r}; there are {listed}") from None
            if isinstance(found, list) and all(isinstance(part, str) for part in found):
                found = " ".join(found)
            elif found is None:
                found = ""
            elif not isinstance(found, str):
                raise StreamvecError(
                    f"{_where(name, opened, start)}: {key!r} is not text, but {json.dumps(found)[:40]}"
                )
            documents.append(_encoded(found).replace(b"\n", b" "))
            offsets.append(start + len(line) + 1)
            size += len(documents[-1]) + 1
            if size > PIECE:
                yield records_of(documents, offsets)
                documents, offsets, size = [], [], 0
        if documents:
            yield records_of(documents, offsets)


def _encoded(text: str) -> bytes:
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError:  # JSON may name half a surrogate pair
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace").encode("utf-8")


def _lines(stream: Stream, name: str, offset: int) -> Iterator[tuple[int, bytes]]:
    """Lines that are not blank, each with its offset."""
    parts: list[bytes] = []
    held = 0
    while piece := stream.read(PIECE):
        *lines, rest = piece.split(b"\n")
        for line in lines:
            if parts:
                line = b"".join([*parts, line])
                parts, held = [], 0
            if not line.isspace() and line and line != BOM:
                yield offset, line
            offset += len(line) + 1
        if rest:
            parts.append(rest)
            held += len(rest)
            if held > LONGEST_LINE:
                raise StreamvecError(f"{name}: a line of more than {LONGEST_LINE} bytes: this is not JSON Lines")
    line = b"".join(parts)
    if line and not line.isspace():
        yield offset, line


def _object(line: bytes, name: str, opened: Callable[[], AbstractContextManager[Stream]], start: int) -> dict[str, Any]:
    if start == 0:
        line = line.removeprefix(BOM)
    try:
        value = json.loads(str(line, "utf-8", "replace"))
    except (ValueError, RecursionError) as problem:
        raise StreamvecError(f"{_where(name, opened, start)}: not JSON ({problem})") from problem
    if not isinstance(value, dict):
        raise StreamvecError(
            f"{_where(name, opened, start)}: not a JSON object, but {line[:40].decode(errors='replace')}"
        )
    return value


def _where(name: str, opened: Callable[[], AbstractContextManager[Stream]], start: int) -> str:
    """The file and the number of the line at byte *start*; counted only now, when there is something to say."""
    number = 1
    with opened() as stream:
        while start:
            piece = stream.read(min(start, PIECE))
            number += piece.count(b"\n")
            start -= len(piece)
    return f"{name}, line {number}"


def _text_key(value: dict[str, Any], name: str) -> str:
    strings = [key for key, found in value.items() if isinstance(found, str)]
    if isinstance(value.get("text"), (str, list)):
        return "text"
    if len(strings) == 1:
        return strings[0]
    listed = ", ".join(list(value)[:_LISTED]) or "none"
    raise StreamvecError(f"{name}: which key holds the text? say --column; there are {listed}")
