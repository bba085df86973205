"""Tasks of streamvec's language models that benchmarks run in processes of their own: steps of training alone."""

import threading
import time
from typing import Any

import numpy as np

from benchmarks.bench import answer
from streamvec.corpus.lanes import LaneBatch, Lanes
from streamvec.corpus.shards import MarkedShards
from streamvec.corpus.symbols import Symbols
from streamvec.corpus.vocabulary import Vocabulary
from streamvec.models.blas import one_thread_a_product
from streamvec.models.languagemodel import LanguageModel
from streamvec.models.lmconfig import LmConfig
from streamvec.models.step import Position
from streamvec.training.run import Run


def tokens(settings: dict[str, Any]) -> dict[str, Any]:
    """Writes what the lanes of a RUN's text read, int32[time steps, lanes], to settings["tokens"]."""
    run = Run.open(settings["run"])
    vocabulary = Vocabulary.load(run.vocabulary)
    symbols = Symbols.of(vocabulary)
    lanes = Lanes(MarkedShards.open(run.shards), symbols, settings["batch"], settings["bptt"])
    steps = min(lanes.batches - 1, settings["steps"])
    read = [lanes.at(0, number) for number in range(steps)]
    whole = np.concatenate([batch.inputs for batch in read] + [read[-1].targets[-1:]])
    np.save(settings["tokens"], whole)
    return {"words": len(symbols.names), "steps": steps}


def train(settings: dict[str, Any]) -> dict[str, Any]:
    """Seconds of settings["steps"] steps behind some that warm up; which products BLAS makes."""
    s = settings
    names = ("hidden", "layers", "batch", "bptt", "tied", "dropout", "output", "optimizer")
    config = LmConfig(**{name: s[name] for name in names}, cutoffs=",".join(map(str, s["cutoffs"])))
    whole, size = np.load(s["tokens"]), s["bptt"]
    counts = np.bincount(whole.reshape(-1), minlength=s["words"])
    model = LanguageModel(config, s["words"], s["warm"] + s["steps"], s["threads"], counts=counts)
    begin, result = 0.0, None
    for step in range(s["warm"] + s["steps"]):
        if step == s["warm"]:
            begin = time.perf_counter()
        first = step * size
        inputs, targets = whole[first : first + size], whole[first + 1 : first + size + 1]
        result = model.step(LaneBatch(inputs, targets, step == 0), Position(0, step))
    seconds = time.perf_counter() - begin
    model.close()
    assert result is not None
    return {"seconds": seconds, "loss": result.loss / result.examples}


def peak(settings: dict[str, Any]) -> dict[str, Any]:
    """GFLOP/s of BLAS on square matrices, all threads at once, each with its own."""
    size, best = 1024, 0.0
    draw = np.random.default_rng(1)
    matrices = [draw.random((3, size, size), np.float32) for _ in range(settings["threads"])]
    with one_thread_a_product():
        for _ in range(5):
            spent = [0.0] * len(matrices)

            def multiply(number: int, spent: list[float] = spent) -> None:
                a, b, out = matrices[number]
                begin = time.perf_counter()
                for _ in range(10):
                    np.matmul(a, b, out=out)
                spent[number] = time.perf_counter() - begin

            threads = [threading.Thread(target=multiply, args=(number,)) for number in range(len(matrices))]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            best = max(best, len(matrices) * 20 * size**3 / max(spent) / 1e9)
    return {"gflops": best}


if __name__ == "__main__":
    answer({"tokens": tokens, "train": train, "peak": peak})
