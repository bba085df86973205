"""``streamvec resume``: goes on exactly where a RUN stopped."""

from typing import Any

import click

from streamvec.training.options import ClusterOptions

from .options import json_option, options_of
from .train import announce
from .traintask import announce_task
from .watching import StopRequest, watching


@click.command("resume")
@click.argument("run", type=click.Path())
@options_of(ClusterOptions)
@json_option
def resume_(run: str, as_json: bool, **options: Any) -> None:
    """Go on exactly where RUN stopped: the result is the same, byte for byte, as if it had never stopped.

    The number of threads and the memory may be others than before.

    \b
    Example:
      streamvec resume wiki-run
    """
    from streamvec.training.run import Run
    from streamvec.training.words import resume

    try:
        ClusterOptions(**options)
    except ValueError as problem:
        raise click.UsageError(str(problem), click.get_current_context()) from None
    with watching() as report, StopRequest(report.note).listening() as stop:
        vectors = resume(run, report=report, stop=stop, **options)
    if Run.open(run).is_labelled:
        announce_task(run, as_json)
    else:
        announce(run, vectors, as_json)
