"""GloVe in processes of their own: training, and the textbook loop on the same entries."""

import math
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numba import njit

from benchmarks import corpora
from benchmarks.bench import answer
from benchmarks.memory import own_peak
from streamvec.corpus.cooccurrences import Cooccurrences
from streamvec.corpus.vocabulary import Vocabulary
from streamvec.models.glove import Glove, InRandomOrder
from streamvec.models.gloveconfig import GloveConfig
from streamvec.models.step import Position
from streamvec.training.checkpoint import Checkpoints
from streamvec.training.loop import Schedule, train
from streamvec.training.progress import Silence
from streamvec.training.run import Run
from streamvec.training.watch import Watch


def fit(settings: dict[str, Any]) -> dict[str, Any]:
    """Trains on settings["cooccurrences"] as `streamvec train` does: reading, checking, metrics, a checkpoint."""
    config, threads = GloveConfig(**settings["config"]), settings["threads"]
    vocabulary = Vocabulary.load(Run.open(settings["prepared"]).vocabulary)
    found = Cooccurrences.open(Path(settings["cooccurrences"]))
    folder = Path(settings["run"])
    folder.mkdir()
    run, schedule = Run(folder, {}), Schedule(config.epochs, found.batches)
    checkpoints = Checkpoints(folder / "checkpoints")
    warm = Glove(config, len(vocabulary), threads, found.bands, found.mirrored)
    warm.step(found.batch(0), Position(0, 0))
    warm.close()
    model = Glove(config, len(vocabulary), threads, found.bands, found.mirrored)
    watch, batches = Watch(model, run, vocabulary), InRandomOrder(found, config.seed)
    begin = time.perf_counter()
    train(model, batches, Position(0, 0), schedule, checkpoints, run.metrics, Silence(), lambda: False, watch)
    seconds = time.perf_counter() - begin
    np.save(settings["vectors"], model.vectors(0, len(vocabulary)))
    model.close()
    return {
        "seconds": seconds,
        "entries_per_second": found.entries * config.epochs / seconds,
        "words": len(vocabulary),
        "peak_mb": round(own_peak() / 1e6, 1),
    }


@njit(nogil=True, cache=True, fastmath={"reassoc", "contract", "arcp", "nsz"})
def _plain(rows, columns, values, words, contexts, squares, context_squares, x_max, alpha, rate):
    """The textbook loop over entries in the order given: float64[V, dim + 1], the bias last; sums of squares alike."""
    dim = words.shape[1] - 1
    loss = 0.0
    for index in range(rows.size):
        w, c = words[rows[index]], contexts[columns[index]]
        w2, c2 = squares[rows[index]], context_squares[columns[index]]
        difference = w[dim] + c[dim] - math.log(values[index])
        for column in range(dim):
            difference += w[column] * c[column]
        weighed = difference * min(1.0, (values[index] / x_max) ** alpha)
        loss += 0.5 * weighed * difference
        error = rate * weighed
        for column in range(dim):
            gradient, other = error * c[column], error * w[column]
            w[column] -= gradient / math.sqrt(w2[column])
            c[column] -= other / math.sqrt(c2[column])
            w2[column] += gradient * gradient
            c2[column] += other * other
        w[dim] -= error / math.sqrt(w2[dim])
        c[dim] -= error / math.sqrt(c2[dim])
        w2[dim] += error * error
        c2[dim] += error * error
    return loss


def plain(settings: dict[str, Any]) -> dict[str, Any]:
    """The textbook program in its usual form: all entries in a random order, in memory, float64, threads that race."""
    from concurrent.futures import ThreadPoolExecutor

    config, threads = GloveConfig(**settings["config"]), settings["threads"]
    found = Cooccurrences.open(Path(settings["cooccurrences"]))
    batches = [found.batch(number) for number in range(found.batches)]
    rows, columns = (np.concatenate([getattr(batch, name) for batch in batches]) for name in ("rows", "columns"))
    values = np.concatenate([batch.values for batch in batches]).astype(np.float64)
    mirrored = rows != columns
    rows, columns = np.concatenate([rows, columns[mirrored]]), np.concatenate([columns, rows[mirrored]])
    values = np.concatenate([values, values[mirrored]])
    draw = np.random.default_rng(1)
    order = draw.permutation(rows.size)
    rows, columns, values = rows[order], columns[order], values[order]
    shape = found.vocabulary_size, config.dim + 1
    arrays = [(draw.random(shape) - 0.5) / config.dim for _ in range(2)] + [np.ones(shape) for _ in range(2)]
    hyper = config.x_max, config.alpha, config.learning_rate
    _plain(rows[:10], columns[:10], values[:10], *arrays, *hyper)
    edges = np.linspace(0, rows.size, threads + 1).astype(int)
    begin = time.perf_counter()
    with ThreadPoolExecutor(threads) as pool:
        parts = [slice(edges[thread], edges[thread + 1]) for thread in range(threads)]
        losses = list(pool.map(lambda part: _plain(rows[part], columns[part], values[part], *arrays, *hyper), parts))
    seconds = time.perf_counter() - begin
    return {"seconds": seconds, "entries_per_second": rows.size / seconds, "loss": sum(losses) / rows.size}


def chained(settings: dict[str, Any]) -> dict[str, Any]:
    """Makes a longer text out of a RUN's: a large process, which no measured one may have as its parent."""
    corpora.chained(Path(settings["prepared"]), Path(settings["out"]), settings["tokens"])
    return {"bytes": Path(settings["out"]).stat().st_size}


def loss_of(settings: dict[str, Any]) -> dict[str, Any]:
    """What a fresh model's first pass says, so that the textbook loop can be seen to do the same."""
    config = GloveConfig(**{**settings["config"], "epochs": 1})
    found = Cooccurrences.open(Path(settings["cooccurrences"]))
    model = Glove(config, found.vocabulary_size, settings["threads"], found.bands, found.mirrored)
    batches, loss, examples = InRandomOrder(found, config.seed), 0.0, 0
    for number in range(found.batches):
        result = model.step(batches.at(0, number), Position(0, number))
        loss, examples = loss + result.loss, examples + result.examples
    model.close()
    return {"loss": loss / examples, "config": asdict(config)}


if __name__ == "__main__":
    answer({"fit": fit, "plain": plain, "loss": loss_of, "chained": chained})
