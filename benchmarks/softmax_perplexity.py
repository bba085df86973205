"""Perplexity of held-out text, exact, after training with each objective on a vocabulary of 10,000 words.

The perplexity is exp of the mean of -log p(center | context) over all pairs of held-out documents. The full and the
hierarchical softmax are such a probability. Of negative sampling it is made as its optimum has it (Levy and Goldberg
2014): p is in proportion to exp(score) times the noise distribution.
"""

import argparse
import math
import time
from dataclasses import replace
from typing import Any

import numpy as np

from benchmarks import corpora
from benchmarks.bench import Bench, answer, benchmark, show, worker
from benchmarks.vectors_vs_peers import ANALOGIES, PAIRS, RESTRICT
from streamvec.corpus.shards import Shards
from streamvec.corpus.vocabulary import Vocabulary
from streamvec.models.skipgram import SkipGram
from streamvec.models.softmax import FullSoftmax
from streamvec.models.step import Position
from streamvec.models.wordconfig import SkipGramConfig
from streamvec.training.loop import Schedule
from streamvec.training.reading import read_ahead
from streamvec.training.run import Run

OBJECTIVES = ("ns", "hs", "softmax")


def options(parser: argparse.ArgumentParser) -> None:
    """What can be chosen."""
    parser.add_argument("--words", type=int, default=10_000)
    parser.add_argument("--dim", type=int, default=100)
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--bytes", type=int, help="only so many bytes of the corpus")


def run(bench: Bench) -> dict[str, Any]:
    """Trains with each objective in turn on the same shards."""
    args = bench.args
    if bench.quick:
        args.words, args.dim = 300, 16
    plain = corpora.corpus(bench, corpora.WIKI, args.bytes)
    prepared, words = bench.work / "run", bench.work / "words.txt"
    bench.say("preparing the text")
    made = {"input": str(plain), "run": str(prepared), "threads": args.threads, "max_vocab": args.words}
    corpus = worker("ours", "prepare", made)
    worker("ours", "words", {"prepared": str(prepared), "out": str(words)})
    config = {"dim": args.dim, "epochs": args.epochs, "holdout": 0.01}
    found: dict[str, dict[str, Any]] = {}
    for objective in OBJECTIVES:
        bench.say(objective)
        vectors = bench.work / f"{objective}.npy"
        settings = {"prepared": str(prepared), "threads": args.threads, "vectors": str(vectors)}
        settings["config"] = {**config, "objective": objective}
        found[objective] = worker("softmax_perplexity", "measure", settings)
        if not bench.quick:
            pairs = {key: str(bench.data(path)) for key, path in PAIRS.items()}
            asked = {"vectors": str(vectors), "words": str(words), "pairs": pairs, "restrict": RESTRICT}
            found[objective]["scores"] = worker("peers", "score", {**asked, "analogies": str(bench.data(ANALOGIES))})
    head = ["", "words/s", "perplexity", "WordSim-353", "analogies"]
    rows = []
    for objective, one in found.items():
        scores = one.get("scores", {})
        spearman = scores.get("wordsim353", {}).get("spearman")
        analogies = scores.get("analogies", {}).get("accuracy")
        rows.append([objective, one["words_per_second"], one["perplexity"], spearman, analogies])
    show(f"{corpus['words']:,} words, dim {args.dim}, {args.epochs} epochs, {args.threads} threads", head, rows)
    return {"corpus": corpus, "config": config, "threads": args.threads, "objectives": found}


def measure(settings: dict[str, Any]) -> dict[str, Any]:
    """Trains on the shards of settings["prepared"], and measures on the documents held out."""
    config = SkipGramConfig(**settings["config"])
    source = Run.open(settings["prepared"])
    vocabulary, shards = Vocabulary.load(source.vocabulary), Shards.open(source.shards)
    model = SkipGram(config, vocabulary.counts, shards.batches, settings["threads"])
    begin = time.perf_counter()
    for position, batch in read_ahead(shards, Schedule(config.epochs, shards.batches).from_(Position(0, 0))):
        model.step(batch, position)
    seconds = time.perf_counter() - begin
    exact = model if config.objective != "ns" else _as_softmax(model, vocabulary.counts)
    loss = exact.held_out_loss((number, shards.batch(number)) for number in range(shards.batches))
    assert loss is not None
    np.save(settings["vectors"], model.vectors(0, len(vocabulary)))
    return {
        "words_per_second": shards.tokens * config.epochs / seconds,
        "seconds": seconds,
        "perplexity": math.exp(loss),
        "learning_rate": config.learning_rate,
    }


def _as_softmax(model: SkipGram, counts: np.ndarray) -> SkipGram:
    """The same vectors under the full softmax, with the noise distribution for a prior."""
    exact = SkipGram(replace(model.config, objective="softmax", batch=32), counts, 1, model.team.threads)
    found = []
    for name in ("inputs", "outputs"):
        ((_, whole),) = exact.slices(name)
        for column, part in model.slices(name):
            whole[:, column : column + part.shape[1]] = part
        found.append(whole)
    noise = counts**model.config.noise_power
    exact._softmax = FullSoftmax(exact.config, *found, exact.team, np.log(noise / noise.sum()).astype(np.float32))
    return exact


if __name__ == "__main__":
    import sys

    if sys.argv[1:2] == ["measure"]:
        answer({"measure": measure})
    else:
        benchmark("softmax_perplexity", __doc__, run, options)
