"""``streamvec plan``: peak memory, disk and time, before anything starts."""

import json
from dataclasses import fields
from typing import TYPE_CHECKING, Any

import click

from streamvec.models.kinds import CONFIGS
from streamvec.training.options import MachineOptions, TextOptions

from .options import from_option, given, json_option, options_of, options_of_kinds, vectors_option
from .train import usage_checked

if TYPE_CHECKING:
    from streamvec.training.plan import Plan


@click.command("plan")
@click.argument("inputs", nargs=-1, required=True, metavar="INPUT...")
@click.option("--out", default=".", show_default=True, type=click.Path(), help="Where the RUN would be: on which disk.")
@click.option("--kind", type=click.Choice(list(CONFIGS)), default="skipgram", show_default=True, help="What to train.")
@from_option
@vectors_option
@options_of_kinds(CONFIGS)
@options_of(TextOptions, MachineOptions)
@json_option
@click.pass_context
def plan_(
    context: click.Context,
    /,
    inputs: tuple[str, ...],
    out: str,
    kind: str,
    start_from: str | None,
    vectors: str | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Peak memory, disk and time of `train` with the same options, before anything starts.

    Reads some of each INPUT, and trains on it for a second: nothing is written. Standard input cannot be planned; a
    finished RUN can.

    \b
    Example:
      streamvec plan wiki.txt.zst --dim 300 --memory 2GB
    """
    from streamvec.training.plan import plan_training

    asked = given(context, options)
    _refuse_others(kind, asked, start_from)
    usage_checked(asked, CONFIGS[kind], start_from, vectors)
    plan = plan_training(inputs, out, kind=kind, start_from=start_from, vectors=vectors, **asked)
    click.echo(json.dumps(plan.to_json()) if as_json else "\n".join(_lines(plan, options)))
    for warning in plan.warnings:
        click.echo(f"streamvec: warning: {warning}", err=True)


def _refuse_others(kind: str, asked: dict[str, Any], start_from: str | None) -> None:
    """Refuses what only other kinds have, as wrong usage."""
    its = {field.name for each in (CONFIGS[kind], TextOptions, MachineOptions) for field in fields(each)}
    wrong = [name for name in asked if name not in its]
    wrong += ["from"] if kind == "glove" and start_from is not None else []
    if wrong:
        having = [
            other for other in CONFIGS if other != kind and (wrong[0] == "from" or hasattr(CONFIGS[other], wrong[0]))
        ]
        flag = "--" + wrong[0].replace("_", "-")
        raise click.UsageError(
            f"{flag} is an option of {' and '.join(having)}, not of {kind}: leave it out, or plan another --kind",
            click.get_current_context(),
        )


def _lines(plan: "Plan", options: dict[str, Any]) -> list[str]:
    corpus, told = plan.corpus, "" if plan.corpus["is_whole"] else "about "
    sampled = "all of it read" if corpus["is_whole"] else f"{_size(corpus['sampled_bytes'])} sampled"
    if not corpus["sampled_bytes"]:
        sampled = "in finished shards"
    held = f"twice, and {told}{corpus['ngrams']:,} n-grams" if "ngrams" in corpus else "twice"
    pairs = []
    if "pairs" in corpus:
        held = "twice, and as many sums of squares"
        pairs = [("pairs", f"{corpus['pairs']:,}", f"stored, about; {corpus['entries']:,} co-occurrences")]
    rows = [
        ("text", _size(corpus["text_bytes"]), f"{sampled}; {told}{corpus['tokens']:,} tokens"),
        ("vocabulary", f"{corpus['words']:,}", f"words; {told}{corpus['known_tokens']:,} tokens are of these"),
        *pairs,
        ("memory", _size(plan.peak_memory), _made_of({name: _size(size) for name, size in plan.memory.items()})),
        ("", "", f"the model {_size(plan.model_bytes)}: {corpus['words']:,} words of {plan.dim} numbers, {held}"),
        ("", "", f"allowed {_size(plan.allowed_bytes)}{'' if options['memory'] else ' (half of what is free)'}"),
        ("disk", _size(plan.peak_disk), _made_of({name: _size(size) for name, size in plan.disk.items() if size})),
        ("time", _time(plan.total_seconds), _made_of({name: _time(time) for name, time in plan.seconds.items()})),
        ("", "", f"training at {plan.rate / 1e6:.2f} M {plan.unit}/s, {plan.epochs} epochs"),
    ]
    width = max(len(value) for _, value, _ in rows)
    return [f"{name:<10}  {value:>{width}}  {note}".rstrip() for name, value, note in rows]


def _made_of(parts: dict[str, str]) -> str:
    return ", ".join(f"{name} {value}" for name, value in parts.items())


def _size(size: int) -> str:
    for unit, factor in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6)):
        if size >= factor:
            return f"{size / factor:,.1f} {unit}" if size < 100 * factor else f"{size / factor:,.0f} {unit}"
    return f"{size / 1e3:,.0f} KB"


def _time(seconds: float) -> str:
    if seconds < 1:
        return "1 s" if seconds > 0.5 else "under 1 s"
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return (
        f"{minutes} min"
        if minutes < 120
        else f"{minutes / 60:,.1f} h"
        if minutes < 2880
        else f"{minutes / 1440:,.1f} d"
    )
