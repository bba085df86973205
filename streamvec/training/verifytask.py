"""What a RUN of a task holds besides checkpoints, read against checksums: words, labels, known vectors, examples."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from streamvec.corpus.layout import COUNTING, VOCABULARY
from streamvec.corpus.shardfiles import INDEX
from streamvec.disk.pasting import pasted
from streamvec.training.checking import AGAIN, Checked, check_arrow, check_json, unfinished
from streamvec.training.run import EXAMPLES, HELD_OUT, KNOWN, LABELS, ROWS, TARGETS
from streamvec.training.verifystages import check_counting, check_shards

_NEEDLESS = "the model is finished and does not need it: remove the folder {}"
_GONE = "not there, and not needed: training has finished"


def check_task(run: Path, about: dict[str, Any], done: bool) -> Iterator[Checked]:
    """Everything of a RUN of kind classifier, tagger or translator that comes before training."""
    has_examples = (run / EXAMPLES / INDEX).exists()
    was_read = has_examples or done or (run / HELD_OUT).exists()
    if (run / ROWS).exists():
        yield unfinished(run / ROWS, "all of it is in the examples: not needed" if has_examples else _still("numbered"))
    if (run / COUNTING).exists():
        yield from check_counting(run / COUNTING)
    words = [VOCABULARY, *([TARGETS] if about.get("kind") == "translator" else [])]
    for name in [*words, *([KNOWN] if about.get("vectors") else [])]:
        path = run / name
        yield check_arrow(path, AGAIN) if was_read or path.exists() else unfinished(path, _still("made"))
    if about.get("kind") != "translator":
        labels = run / LABELS
        yield check_json(labels, AGAIN) if was_read or labels.exists() else unfinished(labels, _still("counted"))
    yield from _examples(run / EXAMPLES, run, was_read, done, AGAIN)
    if about.get("valid") is not None or (run / HELD_OUT).exists():
        resume = f"streamvec resume {pasted(run)} makes it again"
        yield from _examples(run / HELD_OUT, run, False, done, f"remove the folder {run / HELD_OUT}, and {resume}")


def _examples(folder: Path, run: Path, is_due: bool, done: bool, advice: str) -> Iterator[Checked]:
    """Examples to train or to measure on, which appear whole; *is_due*: they must be there by now."""
    if folder.exists():
        yield from check_shards(folder, True, run / VOCABULARY, _NEEDLESS.format(folder) if done else advice)
    elif done:
        yield unfinished(folder, _GONE)
    elif is_due:
        yield from check_shards(folder, True, None, advice)
    else:
        yield unfinished(folder, _still("read"))


def _still(what: str) -> str:
    return f"still to be {what}"
