"""JSON objects that carry their own checksum, as their last entry, so that a flipped bit shows."""

import json
from pathlib import Path
from typing import Any

import xxhash

from streamvec.disk.jsontext import parsed
from streamvec.disk.reading import opened
from streamvec.disk.writing import whole_file
from streamvec.errors import StreamvecError


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Writes *content*, and the checksum of its canonical form, whole or not at all."""
    with whole_file(path) as file:
        file.write(sealed_json(content) + b"\n")


def sealed_json(content: dict[str, Any]) -> bytes:
    """The bytes of *content* and its checksum."""
    text = json.dumps({**content, "checksum": json_checksum(content)}, indent=2, ensure_ascii=False)
    return text.encode("utf-8", "surrogatepass")  # names of files need not be UTF-8


def read_json(path: Path) -> dict[str, Any]:
    """Reads what write_json wrote, without its checksum; StreamvecError when it is missing or damaged."""
    with opened(path) as file:
        return unsealed_json(file.read(), path)


def unsealed_json(raw: bytes, path: Path) -> dict[str, Any]:
    """The inverse of `sealed_json`, of bytes that stand in *path*; StreamvecError where they are damaged."""
    try:
        content = parsed(raw)
        checksum = content.pop("checksum")
    except (ValueError, AttributeError, KeyError, TypeError) as problem:
        raise StreamvecError(f"{path}: damaged: not JSON with a checksum as streamvec writes it") from problem
    if checksum != json_checksum(content):
        raise StreamvecError(f"{path}: damaged: its checksum does not match its content")
    found: dict[str, Any] = content
    return found


def json_checksum(content: dict[str, Any]) -> str:
    """The xxh3-128 of the canonical form of *content*: its keys in order, no white space, in UTF-8."""
    canonical = json.dumps(content, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return xxhash.xxh3_128_hexdigest(canonical.encode("utf-8", "surrogatepass"))
