"""How good vectors of several lanes are, beside those of one: similarity and analogies, by lanes and seeds.

    python -m benchmarks.lanes RUN --similarity FILE... --analogies FILE [--lanes 1 2 4 8] [--seeds 1 2 3]

RUN is a finished RUN of skip-gram, whose shards and defaults are taken; lanes are trained in this process. Keeps, for
each, the scores, and how many bytes of rows all lanes sent and got for each token of text.
"""

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from streamvec.corpus.shards import Shards
from streamvec.corpus.vocabulary import Vocabulary
from streamvec.models.lanes import InLanes, Laned
from streamvec.models.skipgram import SkipGram
from streamvec.models.step import Position
from streamvec.models.wordconfig import SkipGramConfig
from streamvec.vectors.analogies import evaluate_analogies
from streamvec.vectors.evaluation import evaluate_similarity
from streamvec.vectors.keyedvectors import KeyedVectors
from streamvec.vectors.store import write_vectors

THREADS = 2


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
        model, batches = Laned.here(config, vocabulary.counts, shards.batches, THREADS), InLanes(shards, lanes)
        for epoch in range(config.epochs):
            for number in range(batches.steps):
                model.step(batches.at(epoch, number), Position(epoch, number))
        exchanged = model.exchanged / (shards.tokens * config.epochs)
        rows = model.vectors
    write_vectors(out, vocabulary.words, vocabulary.counts, rows, {})
    return KeyedVectors.load(out), exchanged


def scores(vectors: KeyedVectors, similarity: list[Path], analogies: Path) -> dict[str, float]:
    """By file."""
    found: dict[str, float] = {}
    for path in similarity:
        found[path.stem] = round(evaluate_similarity(vectors, path).spearman or 0.0, 4)
    total = evaluate_analogies(vectors, analogies, top=30_000).total
    found["analogies"] = round(total.right_add / total.found, 4)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--similarity", type=Path, nargs="+", required=True)
    parser.add_argument("--analogies", type=Path, required=True)
    parser.add_argument("--lanes", type=int, nargs="+", default=[1, 2, 4, 8])
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--out", type=Path, help="Where the figures are kept, as JSON.")
    asked = parser.parse_args()
    shards, vocabulary = Shards.open(asked.run / "shards"), Vocabulary.load(asked.run / "vocabulary.arrow")
    lines: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        for lanes in asked.lanes:
            for seed in asked.seeds:
                vectors, exchanged = trained(shards, vocabulary, lanes, seed, Path(folder) / f"{lanes}-{seed}.arrow")
                line = {"lanes": lanes, "seed": seed, **scores(vectors, asked.similarity, asked.analogies)}
                lines.append({**line, "bytes a token": round(exchanged, 1)})
                print(json.dumps(lines[-1]), flush=True)
                if asked.out:
                    means = [mean_of([one for one in lines if one["lanes"] == each]) for each in asked.lanes]
                    kept = {"tokens": shards.tokens, "words": len(vocabulary), "means": means, "lines": lines}
                    asked.out.write_text(json.dumps(kept, indent=2) + "\n", encoding="utf-8")


def mean_of(lines: list[dict[str, Any]]) -> dict[str, float]:
    """Of all seeds."""
    names = [name for name in (lines[0] if lines else {}) if name != "seed"]
    return {name: round(float(np.mean([line[name] for line in lines])), 4) for name in names}


if __name__ == "__main__":
    main()
