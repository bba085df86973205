"""evaluate, of trained models: the perplexity of a language model, the scores of a task."""

import os
from typing import TYPE_CHECKING

from .terminal import say, say_json
from .watching import Lines

if TYPE_CHECKING:
    from streamvec.tasks.lm import TrainedModel
    from streamvec.tasks.trained import TrainedTask


def evaluate_run(folder: str, texts: tuple[str, ...], as_json: bool) -> None:
    """Says how well the model of a RUN tells, or expects, each of the *texts*."""
    from streamvec.training.run import Run

    run = Run.open(folder)
    if run.kind == "lm":
        from streamvec.tasks.lm import TrainedModel

        with TrainedModel(run, len(os.sched_getaffinity(0)), Lines()) as trained:
            for text in texts:
                _perplexity(trained, text, as_json)
        return
    from streamvec.tasks.trained import TrainedTask

    with TrainedTask(run, len(os.sched_getaffinity(0)), Lines()) as task:
        for text in texts:
            _scores(task, text, as_json)


def _perplexity(trained: "TrainedModel", text: str, as_json: bool) -> None:
    found = trained.perplexity(text)
    share = found.unknown / found.tokens
    if as_json:
        record = {"text": text, "perplexity": found.perplexity, "bits_per_character": found.bits_per_character}
        say_json({**record, "tokens": found.tokens, "unknown": found.unknown})
    else:
        say(
            f"{text}: perplexity {found.perplexity:.2f}, {found.bits_per_character:.3f} bits per character, "
            f"{found.tokens:,} tokens, {share:.1%} of them unknown"
        )


def _scores(task: "TrainedTask", text: str, as_json: bool) -> None:
    scores, counts, loss = task.score(text)
    if as_json:
        say_json({"text": text, "loss": loss, **scores.said, "counts": counts})
        return
    say(f"{text}: loss {loss:.4f}" if loss is not None else f"{text}: none of its labels is known")
    for line in scores.lines:
        say(line)
    lost = {name: many for name, many in counts.items() if many and name not in ("rows", "tokens", "unknown")}
    if lost:
        say("streamvec: " + ", ".join(f"{many:,} {name.replace('_', ' ')}" for name, many in lost.items()), err=True)
