"""``streamvec plan``: peak memory, disk and time, before anything starts."""

from dataclasses import fields
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from streamvec.models.kinds import CONFIGS
from streamvec.training.options import MachineOptions, TextOptions

from .options import (
    from_option,
    given,
    gradients_option,
    json_option,
    options_of,
    options_of_kinds,
    valid_option,
    vectors_option,
)
from .terminal import json_text, say
from .train import usage_checked

if TYPE_CHECKING:
    from streamvec.training.planned import Plan

_OF_SOME = {"from": ("skipgram", "cbow"), "valid": ("lm",), "report_gradients": ("lm",)}  # options of no model


@click.command("plan")
@click.argument("inputs", nargs=-1, required=True, metavar="INPUT...")
@click.option("--out", default=".", show_default=True, type=click.Path(), help="Where the RUN would be: on which disk.")
@click.option("--kind", type=click.Choice(list(CONFIGS)), default="skipgram", show_default=True, help="What to train.")
@from_option
@vectors_option
@valid_option
@gradients_option
@options_of_kinds(CONFIGS)
@options_of(TextOptions, MachineOptions)
@click.option(
    "--cluster",
    type=click.IntRange(min=1),
    metavar="NODES",
    help="Tell what as many nodes would take, each like this machine with --threads and --memory.",
)
@click.option("--bandwidth", type=float, default=10.0, show_default=True, help="Gigabits a second between the nodes.")
@click.option(
    "--round-trip", type=float, default=100.0, show_default=True, help="Microseconds from one node to another and back."
)
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
    valid: str | None,
    report_gradients: bool,
    cluster: int | None,
    bandwidth: float,
    round_trip: float,
    as_json: bool,
    **options: Any,
) -> None:
    """Peak memory, disk and time of `train` with the same options, before anything starts.

    Reads some of each INPUT, and trains on it for a second: nothing is written. Standard input cannot be planned; a
    finished RUN can. The time of measuring on --valid is not in it.

    \b
    Example:
      streamvec plan wiki.txt.zst --dim 300 --memory 2GB
      streamvec plan novel.txt --kind lm --level char --hidden 512
      streamvec plan wiki.txt.zst --dim 300 --cluster 4 --bandwidth 25
    """
    from streamvec.training.clusterplan import Machines
    from streamvec.training.plan import plan_training

    asked = given(context, options)
    of_some = {"from": start_from, "valid": valid, "report_gradients": report_gradients or None}
    _refuse_others(kind, [*asked, *(name for name, value in of_some.items() if value is not None)])
    usage_checked(asked, CONFIGS[kind], start_from, vectors)
    if cluster is None:
        for name in ("bandwidth", "round_trip"):
            if context.get_parameter_source(name) is not ParameterSource.DEFAULT:
                flag = "--" + name.replace("_", "-")
                raise click.UsageError(f"{flag} is of the network between nodes: give --cluster NODES, too", context)
    try:
        machines = Machines(cluster, bandwidth, round_trip) if cluster is not None else None
        plan = plan_training(
            inputs,
            out,
            kind=kind,
            start_from=start_from,
            vectors=vectors,
            valid=valid,
            report_gradients=report_gradients,
            machines=machines,
            **asked,
        )
    except ValueError as problem:
        raise click.UsageError(str(problem), context) from None
    say(json_text(plan.to_json())) if as_json else say(*_lines(plan, options))
    for warning in plan.warnings:
        say(f"streamvec: warning: {warning}", err=True)


def _refuse_others(kind: str, asked: list[str]) -> None:
    """Refuses what only other kinds have, as wrong usage."""
    its = {
        other: {field.name for each in (config, TextOptions, MachineOptions) for field in fields(each)}
        | {name for name, having in _OF_SOME.items() if other in having}
        for other, config in CONFIGS.items()
    }
    wrong = [name for name in asked if name not in its[kind]]
    if wrong:
        having = [other for other in CONFIGS if wrong[0] in its[other]]
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
    model = f"{corpus['words']:,} words of {plan.dim} numbers, {held}"
    if network := plan.network:
        layers = f"{network['layers']} layer{'s' if network['layers'] > 1 else ''}"
        model = (
            f"{told}{network['tokens']:,} tokens of {plan.dim} numbers, {layers} of {network['hidden']} units "
            f"({network['cell']})"
        )
    rows = [
        ("text", _size(corpus["text_bytes"]), f"{sampled}; {told}{corpus['tokens']:,} tokens"),
        ("vocabulary", f"{corpus['words']:,}", f"words; {told}{corpus['known_tokens']:,} tokens are of these"),
        *pairs,
        ("memory", _size(plan.peak_memory), _made_of({name: _size(size) for name, size in plan.memory.items()})),
        ("", "", f"the model {_size(plan.model_bytes)}: {model}"),
        ("", "", f"allowed {_size(plan.allowed_bytes)}{'' if options['memory'] else ' (half of what is free)'}"),
        ("disk", _size(plan.peak_disk), _made_of({name: _size(size) for name, size in plan.disk.items() if size})),
        ("time", _time(plan.total_seconds), _made_of({name: _time(time) for name, time in plan.seconds.items()})),
        ("", "", f"training at {_rate(plan.rate)} {plan.unit}/s, {plan.epochs} epochs"),
        *(_cluster_rows(plan.cluster) if plan.cluster else []),
    ]
    width = max(len(value) for _, value, _ in rows)
    return [f"{name:<10}  {value:>{width}}  {note}".rstrip() for name, value, note in rows]


def _cluster_rows(cluster: dict[str, Any]) -> list[tuple[str, str, str]]:
    number, at_work, cores = (cluster[name] for name in ("nodes", "nodes_that_train", "cores_of_a_node"))
    network = f"{cluster['bandwidth_gigabits']:g} Gbit/s, {cluster['round_trip_microseconds']:g} us there and back"
    idle = f"; {at_work} of them train" if at_work < number else ""
    sent = {name: _size(size) for name, size in cluster["sent_bytes"].items()}
    return [
        ("nodes", f"{number}", f"of {cores} core{'s' * (cores > 1)}{idle}; {network}"),
        ("", "", f"each needs {_size(cluster['node_memory_bytes'])} for training"),
        ("", "", f"this machine alone would take {_time(cluster['seconds_on_one_machine'])}"),
        ("sent", _size(sum(cluster["sent_bytes"].values())), _made_of(sent)),
        ("", "", f"most time goes to: {_made_of({f'{name}:': why for name, why in cluster['waits_for'].items()})}"),
    ]


def _made_of(parts: dict[str, str]) -> str:
    return ", ".join(f"{name} {value}" for name, value in parts.items())


def _size(size: int) -> str:
    for unit, factor in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6)):
        if size >= factor:
            return f"{size / factor:,.1f} {unit}" if size < 100 * factor else f"{size / factor:,.0f} {unit}"
    return f"{size / 1e3:,.0f} KB"


def _rate(rate: int) -> str:
    return f"{rate / 1e6:.2f} M" if rate >= 10**5 else f"{rate:,}"


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
