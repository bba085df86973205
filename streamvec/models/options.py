"""What the options of all models share: how they are declared, and the checks that each of them needs."""

from collections.abc import Iterable
from dataclasses import field, fields
from typing import Any


def option(default: Any, help_text: str, **more: Any) -> Any:
    """A field of a frozen dataclass from which an option of the command line is made."""
    return field(default=default, metadata={"help": help_text, **more})


def check(config: Any, at_least_one: Iterable[str]) -> None:
    """ValueError for a count below 1, a seed that is none, and for what is not among an option's choices."""
    for name in at_least_one:
        if getattr(config, name) < 1:
            raise ValueError(f"{name} must be at least 1, got {getattr(config, name)}")
    if not 0 <= config.seed < 2**40:
        raise ValueError(f"seed must be at least 0 and below 2**40, got {config.seed}")
    for chosen in fields(config):
        choices = chosen.metadata.get("choices", ())
        if choices and getattr(config, chosen.name) not in choices:
            raise ValueError(f"{chosen.name} must be {' or '.join(choices)}, got {getattr(config, chosen.name)!r}")


def check_idle(config: Any, names: Iterable[str], why: str) -> None:
    """ValueError for an option among *names*, which do nothing as things are, that is not as it is by default."""
    for chosen in fields(config):
        if chosen.name in names and getattr(config, chosen.name) != chosen.default:
            raise ValueError(f"{chosen.name} does nothing {why}, got {getattr(config, chosen.name)!r}: leave it out")
