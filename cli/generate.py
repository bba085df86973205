"""``streamvec generate``: what a language model writes, or a translator of a label."""

from collections.abc import Iterator

import click

from .options import json_option
from .terminal import say_json, say_text
from .watching import Lines


@click.command("generate")
@click.argument("run", type=click.Path())
@click.option("--prompt", default="", help="What it goes on from; of a translator, what it reads.")
@click.option("--length", type=click.IntRange(1), default=200, show_default=True, help="Most tokens, or characters.")
@click.option("--temperature", type=float, default=1.0, show_default=True, help="Below 1 it dares less; 0 never.")
@click.option("--top-k", type=int, default=0, show_default=True, help="Only so many of the likeliest tokens; 0 is all.")
@click.option(
    "--top-p", type=float, default=1.0, show_default=True, help="Only the likeliest, as much as this together."
)
@click.option("--seed", type=int, default=1, show_default=True, help="Another seed, another text.")
@json_option
def generate_(
    run: str, prompt: str, length: int, temperature: float, top_k: int, top_p: float, seed: int, as_json: bool
) -> None:
    """Text from a language model, token after token, until the end of a sentence or --length.

    A model of --level char goes on to --length, if it was not trained with --separate. A translator that was trained
    on labels, and names or texts of each, writes another one for the label that is its --prompt.

    \b
    Example:
      streamvec generate novel-lm --prompt "The ship" --temperature 0.8
      streamvec generate names --prompt Italian --seed 7
    """
    from streamvec.tasks import fromlabel
    from streamvec.tasks.generation import Sampling
    from streamvec.tasks.lm import TrainedModel
    from streamvec.tasks.trained import TrainedTask
    from streamvec.training.run import Run

    try:
        sampling = Sampling(temperature, top_k, top_p, seed)
    except ValueError as problem:
        raise click.UsageError(str(problem), click.get_current_context()) from None
    opened = Run.open(run)
    if opened.kind == "translator":
        with TrainedTask(opened, report=Lines()) as task:
            _show("", fromlabel.write(task, prompt, sampling, length), prompt if as_json else None)
        return
    with TrainedModel(opened, report=Lines()) as trained:
        _show(prompt, trained.write(prompt, sampling, length), prompt if as_json else None)


def _show(before: str, pieces: Iterator[str], json_of: str | None) -> None:
    """Prints text piece by piece, as it comes, behind *before*; or as JSON of the prompt *json_of*."""
    if json_of is not None:
        say_json({"prompt": json_of, "text": "".join(pieces)})
        return
    say_text(before, nl=False)
    for piece in pieces:
        say_text(piece, nl=False)
    say_text("")
