"""Command line options made from the library's dataclasses, so that the two cannot drift apart."""

import os
import re
import typing
from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, fields
from inspect import get_annotations
from types import UnionType
from typing import Any

import click

_UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([KMGT]?)(I?B)?", re.IGNORECASE)

Command = Callable[..., Any]


class _Word(click.ParamType):
    """A word of a text: UTF-8 whatever the terminal's encoding is (LC_ALL=C)."""

    name = "word"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        return os.fsencode(value).decode("utf-8", "surrogateescape")


WORD = _Word()


class Size(click.ParamType):
    """A number of bytes, like 500MB, 2GB, 1.5G or 4GiB."""

    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        match = _SIZE.fullmatch(str(value).strip())
        if not match:
            self.fail(f"expected a size like 500MB or 2GB, got {value!r}", param, ctx)
        number, unit, suffix = match.groups()
        binary = (suffix or "").upper() == "IB"
        factor = 1024 ** " KMGT".index(unit.upper()) if binary and unit else _UNITS[unit.upper()]
        return int(float(number) * factor)


def options_of(*kinds: type) -> Callable[[Command], Command]:
    """A decorator that adds an option for each field of the dataclasses *kinds*, in their order."""

    def decorate(command: Command) -> Command:
        for kind in reversed(kinds):
            hints = typing.get_type_hints(kind)
            for field in reversed(_own_first(kind)):
                assert field.default is not MISSING
                command = _option(field.name, hints[field.name], field.default, field.metadata)(command)
        return command

    return decorate


def _own_first(kind: type) -> list[Field[Any]]:
    """The fields of a dataclass, those that it shares with others behind its own."""
    own = [name for each in reversed(kind.__mro__[:-1]) for name in get_annotations(each)]
    shared = {name for each in kind.__mro__[1:-1] for name in get_annotations(each)}
    return sorted(fields(kind), key=lambda field: (field.name in shared, own.index(field.name)))


def options_of_kinds(kinds: Mapping[str, type]) -> Callable[[Command], Command]:
    """A decorator that adds an option for each field of any of the dataclasses, which are *kinds* by name.

    Help says which kinds have it, where not all, and what each of them means by it; what was not given is None.
    """
    names = {field.name: None for config in kinds.values() for field in fields(config)}

    def decorate(command: Command) -> Command:
        for name in reversed(names):
            having = {kind: field for kind, config in kinds.items() for field in fields(config) if field.name == name}
            first = next(iter(having))
            hint = typing.get_type_hints(kinds[first])[name]
            text = "; ".join(_differing({kind: field.metadata["help"].rstrip(".") for kind, field in having.items()}))
            notes = [", ".join(having)] if len(having) < len(kinds) else []
            if hint is not bool and any(field.default is not None for field in having.values()):
                notes.append("default: " + ", ".join(_differing({kind: each.default for kind, each in having.items()})))
            told = f"{text}.{'  [' + '; '.join(notes) + ']' if notes else ''}"
            command = _option(name, hint, None, {**having[first].metadata, "help": told})(command)
        return command

    return decorate


def _differing(told: Mapping[str, Any]) -> list[str]:
    """What is told of the first kind, and of each other that differs."""
    first, *others = told
    return [str(told[first]), *(f"{kind}: {told[kind]}" for kind in others if told[kind] != told[first])]


def _option(name: str, hint: Any, default: Any, metadata: Any) -> Callable[[Command], Command]:
    flag = "--" + name.replace("_", "-")
    settings: dict[str, Any] = {"default": default, "help": metadata["help"], "show_default": default is not None}
    hint = next(t for t in typing.get_args(hint) if t is not type(None)) if isinstance(hint, UnionType) else hint
    if name == "memory":
        settings["type"] = Size()
    elif hint is bool:
        settings |= {"is_flag": True, "show_default": False}
        if default is True:  # what is on unless it is switched off
            flag += f"/--no-{flag[2:]}"
    elif "choices" in metadata:
        settings["type"] = click.Choice(metadata["choices"])
    else:
        settings["type"] = hint
    return click.option(flag, name, **settings)


def given(context: click.Context, options: dict[str, Any]) -> dict[str, Any]:
    """Those of *options* that stood on the command line: others may follow from what a training begins from."""
    default = click.core.ParameterSource.DEFAULT
    return {name: value for name, value in options.items() if context.get_parameter_source(name) is not default}


def refuse_idle(context: click.Context, needed: Mapping[str, str]) -> None:
    """click.UsageError where an option is given whose other, by *needed*, is not, so that it would do nothing."""
    asked, names = given(context, context.params), {one.name: one.opts[-1] for one in context.command.params}
    for name, other in needed.items():
        if name in asked and not context.params[other]:
            raise click.UsageError(f"{names[name]} does nothing without {names[other]}", context)


json_option = click.option("--json", "as_json", is_flag=True, help="One JSON object a line on stdout.")
overwrite_option = click.option("--overwrite", is_flag=True, help="Replace what is there already.")
vectors_option = click.option(
    "--vectors", type=click.Path(), help="VECTORS that words found among them begin with; the others begin at random."
)
vocab_option = click.option(
    "--vocab", type=click.Path(), help="The vocab.txt of Stanford's GloVe: INPUT is its cooccurrence.bin."
)
valid_option = click.option(
    "--valid", metavar="TEXT", help="Text whose perplexity is measured after each epoch (--patience)."
)
gradients_option = click.option(
    "--report-gradients",
    is_flag=True,
    help="Write how far back in time gradients reach, for streamvec plot RUN --gradients.",
)
from_option = click.option(
    "--from",
    "start_from",
    type=click.Path(),
    help="A finished RUN to go on from: its words keep their rows, counts add up.",
)
out_option = click.option("--out", required=True, type=click.Path(), help="The folder of the RUN.")
