"""Names of files as a shell takes them, in commands that people are told to paste."""

import os
import shlex
from pathlib import Path


def pasted(path: Path | str) -> str:
    """*path* as one word of a command, whatever stands in it; never an option, and nothing that a terminal obeys.

    What cannot be seen is written as ``$'...'``, which bash, zsh and ksh read.
    """
    text = str(path)
    if text.startswith("-"):
        text = f"./{text}"
    if text.isprintable():
        return shlex.quote(text)
    return f"$'{''.join(map(_written, os.fsencode(text)))}'"


def _written(byte: int) -> str:
    return chr(byte) if 0x20 <= byte < 0x7F and byte not in b"'\\" else f"\\x{byte:02x}"
