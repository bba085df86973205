"""Tasks of streamvec's tagger that benchmarks run in processes of their own: batches of a RUN, steps of training."""

import time
from typing import Any

import numpy as np

from benchmarks.bench import answer
from streamvec.corpus.examples import Examples
from streamvec.corpus.shuffled import Shuffled
from streamvec.models.letters import different
from streamvec.models.step import Position
from streamvec.training.exampleids import load_ids
from streamvec.training.labelled import Prepared
from streamvec.training.options import LabelledOptions
from streamvec.training.run import EXAMPLES, Run
from streamvec.training.tasks import TASKS
from streamvec.training.tasktraining import new_learner


def batches(settings: dict[str, Any]) -> dict[str, Any]:
    """Writes the first batches that are trained on, as PyTorch takes them, to settings["batches"]."""
    examples, prepared, config = _opened(settings)
    arrays: dict[str, np.ndarray] = {}
    words = 0
    steps = min(settings["steps"], examples.batches)
    for number in range(steps):
        batch = examples.at(0, number)
        spellings, which = different(batch.spelled.values, batch.letters.values)
        places = np.zeros_like(batch.words.padded())
        places.T[np.arange(len(places)) < batch.words.lengths[:, None]] = which
        kept = {
            "ids": batch.words.padded(),
            "tags": batch.targets.padded(),
            "lengths": batch.words.lengths,
            "which": places,
            "letters": spellings.padded(),
            "spelled": spellings.lengths,
        }
        arrays |= {f"{number}.{name}": array for name, array in kept.items()}
        words += batch.words.values.size if number >= settings["warm"] else 0
    np.savez(settings["batches"], **arrays)
    names = ("dim", "hidden", "layers", "char_dim", "char_hidden", "dropout", "output")
    about = {name: getattr(config, name) for name in names}
    sizes = {"words": prepared.ids.words.size, "tags": prepared.ids.targets}
    return {"steps": steps, "trained": words, **about, **sizes}


def train(settings: dict[str, Any]) -> dict[str, Any]:
    """Seconds of the batches behind those that warm up."""
    examples, prepared, config = _opened(settings)
    read = [examples.at(0, number) for number in range(settings["steps"])]
    learner = new_learner(TASKS["tagger"], config, prepared, examples.batches, settings["threads"])
    begin, result = 0.0, None
    for number, batch in enumerate(read):
        if number == settings["warm"]:
            begin = time.perf_counter()
        result = learner.step(batch, Position(0, number))
    seconds = time.perf_counter() - begin
    learner.close()
    assert result is not None
    return {"seconds": seconds, "loss": result.loss / len(read[-1])}


def _opened(settings: dict[str, Any]) -> tuple[Shuffled, Prepared, Any]:
    run, task = Run.open(settings["run"]), TASKS["tagger"]
    config = task.config(**run.about["config"])
    vocabulary, ids, known = load_ids(run, task.shape(config), LabelledOptions(**run.about["text"]))
    stored = Examples.open(run.folder / EXAMPLES)
    return (
        Shuffled(stored, config.batch, config.seed),
        Prepared(vocabulary, ids, stored, None, known),
        config,
    )


if __name__ == "__main__":
    answer({"batches": batches, "train": train})
