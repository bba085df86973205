"""How good vectors of several lanes are beside those of one, and what lanes send and get for each token of text."""

import argparse
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.bench import Bench, benchmark, show
from benchmarks.clusters import shards_of
from streamvec.corpus.shards import Shards
from streamvec.corpus.vocabulary import Vocabulary
from streamvec.models.replicas import InSteps, Replicas
from streamvec.models.skipgram import SkipGram
from streamvec.models.step import Position
from streamvec.models.wordconfig import SkipGramConfig
from streamvec.vectors.analogies import evaluate_analogies
from streamvec.vectors.evaluation import evaluate_similarity
from streamvec.vectors.keyedvectors import KeyedVectors
from streamvec.vectors.store import write_vectors

THREADS = 2
SIMILARITY = ("EN-WS-353-ALL.txt", "EN-SIMLEX-999.txt")


def options(parser: argparse.ArgumentParser) -> None:
    """What can be chosen."""
    parser.add_argument("--lanes", type=int, nargs="+", default=[1, 2, 4, 8], help="how many, one after another")


def trained(shards: Shards, vocabulary: Vocabulary, lanes: int, seed: int, out: Path) -> tuple[KeyedVectors, float]:
    """The vectors, and bytes exchanged a token."""
    config = SkipGramConfig(lanes=lanes, seed=seed)
    exchanged = 0.0
    if lanes == 1:
        one = SkipGram(config, vocabulary.counts, shards.batches, THREADS)
        for epoch in range(config.epochs):
            for number in range(shards.batches):
                one.step(shards.batch(number), Position(epoch, number))
        rows = one.vectors
    else:
        model, batches = Replicas.here(config, vocabulary.counts, shards.batches, THREADS), InSteps(shards, lanes)
        for epoch in range(config.epochs):
            for number in range(batches.steps):
                model.step(batches.at(epoch, number), Position(epoch, number))
        exchanged = model.exchanged / (shards.tokens * config.epochs)
        rows = model.vectors
    write_vectors(out, vocabulary.words, vocabulary.counts, rows, {})
    return KeyedVectors.load(out), exchanged


def scores(vectors: KeyedVectors, similarity: list[Path], analogies: Path | None) -> dict[str, float]:
    """By file; of a made text there are none."""
    found: dict[str, float] = {}
    for path in similarity:
        found[path.stem] = round(evaluate_similarity(vectors, path).spearman or 0.0, 4)
    if analogies is None:
        return found
    total = evaluate_analogies(vectors, analogies, top=30_000).total
    found["analogies"] = round(total.right_add / total.found, 4)
    return found


def run(bench: Bench) -> dict[str, Any]:
    """Each number of lanes, in this process, with some seeds."""
    vocabulary, shards = shards_of(bench)
    similarity = [] if bench.quick else [bench.data(f"intrinsic/{name}") for name in SIMILARITY]
    analogies = None if bench.quick else bench.data("intrinsic/questions-words.txt")
    cells, all_lanes = [], (1, 2) if bench.quick else bench.args.lanes
    for lanes in all_lanes:
        lines = []
        for seed in range(1, (1 if bench.quick else bench.args.repeat) + 1):
            bench.say(f"{lanes} lanes, seed {seed}")
            path = bench.work / f"{lanes}-{seed}.arrow"
            vectors, exchanged = trained(shards, vocabulary, lanes, seed, path)
            lines.append({**scores(vectors, similarity, analogies), "bytes_a_token": round(exchanged, 1)})
        means = {name: round(float(np.mean([line[name] for line in lines])), 4) for name in lines[0]}
        cells.append({"lanes": lanes, **means, "seeds": lines})
    names = [name for name in cells[0] if name != "seeds"]
    show("means over seeds", names, [[cell[name] for name in names] for cell in cells])
    return {"tokens": shards.tokens, "words": len(vocabulary), "cells": cells}


if __name__ == "__main__":
    benchmark("lanes", __doc__, run, options)
