"""How the rate of training grows with threads and falls with the vocabulary and the length of the vectors."""

import argparse
import itertools
import time
from hashlib import md5
from typing import Any

import numpy as np

from benchmarks import corpora
from benchmarks.bench import Bench, answer, benchmark, median, show, worker

MODES = ("exact", "hogwild")
THREADS = (1, 2, 4)


def options(parser: argparse.ArgumentParser) -> None:
    """What can be chosen."""
    parser.add_argument("--batches", type=int, default=40, help="record batches of 65,536 tokens a measurement")
    parser.add_argument("--dims", default="100,300")
    parser.add_argument("--drawn", default="72000,1000000", help="sizes of made-up vocabularies")


def run(bench: Bench) -> dict[str, Any]:
    """A row for each vocabulary, dim and mode; a column for each number of threads."""
    args = bench.args
    if bench.quick:
        args.batches, args.dims, args.drawn, args.repeat = 1, "20", "3000", 1
    plain = corpora.corpus(bench, corpora.WIKI)
    bench.say("preparing the text")
    folder = bench.work / "run"
    made = worker("ours", "prepare", {"input": str(plain), "run": str(folder), "threads": 2})
    sources = [{"prepared": str(folder), "words": made["words"]}]
    sources += [{"prepared": None, "words": int(size)} for size in args.drawn.split(",")]
    rows = []
    for source, dim in itertools.product(sources, map(int, args.dims.split(","))):
        name = f"{source['words']:,} words, {'corpus' if source['prepared'] else 'drawn'}"
        bench.say(f"{name}, dim {dim}")
        cells = worker(
            "threads_and_vocabulary",
            "cells",
            {**source, "dim": dim, "batches": args.batches, "repeat": args.repeat},
        )
        rows += [{"vocabulary": name, "dim": dim, **cell} for cell in cells["cells"]]
    _show(rows)
    return {
        "corpus": {"file": "made up" if bench.quick else corpora.WIKI, **made},
        "drawn": "ids drawn independently from 1 / (rank + 2.7); counts as in a corpus of 1,000 tokens a word",
        "tokens_a_measurement": args.batches << 16,
        "cells": rows,
    }


def _show(rows: list[dict[str, Any]]) -> None:
    table = []
    for key, group in itertools.groupby(rows, lambda row: (row["vocabulary"], row["dim"], row["mode"])):
        rates = [row["words_per_second"] / 1e6 for row in group]
        table.append([" ".join([key[0], f"dim {key[1]}", key[2]]), *rates, rates[1] / rates[0]])
    show("M words/s", ["", *[f"{threads} threads" for threads in THREADS], "2 : 1"], table)


def cells(settings: dict[str, Any]) -> dict[str, Any]:
    """Rates of both modes on each number of threads, measured in turns on the same record batches."""
    from benchmarks.ours import warm_up
    from streamvec.models.wordconfig import SkipGramConfig

    source, counts, first = _source(settings)
    found: dict[tuple[str, int], list[float]] = {}
    digests: dict[str, set[str]] = {mode: set() for mode in MODES}
    losses: dict[str, float] = {}
    for mode in MODES:
        warm_up(SkipGramConfig(dim=settings["dim"], mode=mode), 2)
    for _ in range(settings["repeat"]):
        for mode, threads in itertools.product(MODES, THREADS):
            config = SkipGramConfig(dim=settings["dim"], mode=mode)
            seconds, tokens, loss, digest = _measure(config, source, counts, threads, first, settings["batches"])
            found.setdefault((mode, threads), []).append(tokens / seconds)
            digests[mode].add(digest)
            losses[mode] = loss
    if len(digests["exact"]) != 1:
        raise RuntimeError("the exact mode gave other bytes on another number of threads")
    if not losses["hogwild"] < 1.05 * losses["exact"]:
        raise RuntimeError(f"hogwild learns worse than exact: losses {losses}")
    rows = [
        {
            "mode": mode,
            "threads": threads,
            "words_per_second": median(rates),
            "repetitions": [round(rate) for rate in rates],
            "loss": losses[mode],
        }
        for (mode, threads), rates in found.items()
    ]
    return {"cells": rows}


def _source(settings: dict[str, Any]) -> tuple[Any, np.ndarray, int]:
    """(what holds record batches, the counts, how many warm up the caches first)."""
    from pathlib import Path

    from streamvec.corpus.shards import Shards
    from streamvec.corpus.vocabulary import Vocabulary

    warm = 1
    if settings["prepared"] is None:
        words = settings["words"]
        drawn = corpora.Drawn(words, settings["batches"] + warm, tokens=1000 * words)
        return drawn, drawn.counts, warm
    folder = Path(settings["prepared"])
    return Shards.open(folder / "shards"), Vocabulary.load(folder / "vocabulary.arrow").counts, warm


def _measure(
    config: Any, source: Any, counts: np.ndarray, threads: int, warm: int, batches: int
) -> tuple[float, int, float, str]:
    """(seconds, tokens, mean loss of the last batch, md5 of the arrays) of *batches* steps of a new model."""
    from streamvec.models.skipgram import SkipGram
    from streamvec.models.step import Position
    from streamvec.training.reading import read_ahead

    model = SkipGram(config, counts, source.batches, threads)
    tokens, loss, begin = 0, float("nan"), time.perf_counter()
    numbers = range(min(source.batches, warm + batches))
    for position, batch in read_ahead(source, (Position(0, number) for number in numbers)):
        if position.batch == warm:
            tokens, begin = 0, time.perf_counter()
        result = model.step(batch, position)
        tokens, loss = tokens + result.tokens, result.loss / result.examples
    seconds = time.perf_counter() - begin
    digest = md5()
    for array in model.arrays.values():
        digest.update(array.data)
    model.close()
    return seconds, tokens, loss, digest.hexdigest()


if __name__ == "__main__":
    import sys

    if sys.argv[1:2] == ["cells"]:
        answer({"cells": cells})
    else:
        benchmark("threads_and_vocabulary", __doc__, run, options)
