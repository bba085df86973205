"""What a RUN of a task says of itself: its examples, its labels, how far it is, and how well its best epoch tells."""

from pathlib import Path
from typing import Any

from streamvec.corpus.examples import Examples
from streamvec.corpus.labels import Labels
from streamvec.corpus.layout import COUNTING
from streamvec.corpus.shardfiles import INDEX
from streamvec.training.checking import steps_told
from streamvec.training.run import HELD_OUT, LABELS, Run


def about_examples(examples: Examples) -> dict[str, Any]:
    """How many there are, and what of them was cut, passed over or unknown."""
    return {
        "words": examples.vocabulary_size,
        "examples": examples.examples,
        "tokens": examples.tokens,
        "longest": examples.longest,
        "counts": examples.counts,
    }


def about_task(run: Run) -> dict[str, Any]:
    """Its stage until it trains, and what it trains on; "steps" of an epoch where a checkpoint tells."""
    said: dict[str, Any] = {"stage": "counting" if (run.folder / COUNTING).exists() else "reading"}
    if run.vocabulary.exists():
        said["stage"] = "numbering"
    if (vectors := run.about.get("vectors")) is not None:
        said["start"] = {"what": "vectors", **vectors}
    if not run.is_prepared:
        return said
    said |= {"stage": "training", **about_examples(Examples.open(run.examples))}
    labels: Path = run.folder / LABELS
    if labels.exists():
        found = Labels.load(labels)
        said["labels"] = dict(zip(found.names, found.counts, strict=True))
    if (run.folder / HELD_OUT / INDEX).exists():
        said["heldout"] = about_examples(Examples.open(run.folder / HELD_OUT))
    if scores := run.best_scores():
        said["best"] = scores
    steps = steps_told(run.checkpoints)
    return said | ({"steps": steps} if steps else {})
