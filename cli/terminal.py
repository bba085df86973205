"""All that the command line prints: what stands in data or in a name can neither move the cursor nor break a line.

An argument of `say` is a line. Control characters and others that cannot be seen (Unicode calls them not printable) are
written out, as ``\\x1b`` or ``\\u202e``; so are the bytes of names that are no UTF-8. That is so on terminals and in
pipes alike; JSON has them exactly, by its own escapes.
"""

import json
import sys
from collections.abc import Mapping
from typing import Any

import click

_JOINERS = "\u200c\u200d"  # that words of many scripts are written with; a terminal only shapes letters by them


def shown(text: str) -> str:
    """*text* on one line of a terminal: control characters are written out."""
    if text.isprintable():
        return text
    kept = (one.isprintable() or one in _JOINERS for one in text)
    return "".join(one if keep else one.encode("unicode_escape").decode() for one, keep in zip(text, kept, strict=True))


def say(*lines: object, err: bool = False) -> None:
    """Prints each of *lines* on a line of its own."""
    click.echo("\n".join(shown(str(line)) for line in lines), err=err)


def say_json(record: Mapping[str, Any]) -> None:
    """Prints an object as JSON, on a line."""
    click.echo(json_text(record))


def json_text(value: Any) -> str:
    """*value* as JSON: what cannot be seen, or not be written to stdout, by JSON's escapes."""
    is_wide = (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
    text = json.dumps(value, ensure_ascii=not is_wide)
    return text if text.isprintable() else "".join(c if c.isprintable() else json.dumps(c)[1:-1] for c in text)


def say_text(text: str, nl: bool = True) -> None:
    """Prints what a model wrote or somebody's text says: as it is in a pipe; on a terminal only its lines and tabs."""
    if sys.stdout.isatty():
        text = "".join(one if one in "\n\t" else shown(one) for one in text)
    click.echo(text, nl=nl, color=True)  # or click would take some of it away in a pipe


def write_all_of_it() -> None:
    """Lets stdout and stderr write characters that their encoding lacks (LANG=C) by their numbers."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
