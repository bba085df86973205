"""Counting pairs in a process of its own, which imports nothing that counting does not need: its memory is measured."""

import time
from pathlib import Path
from typing import Any

from benchmarks.bench import answer
from benchmarks.memory import own_peak
from streamvec.corpus.compiling import compile_cooccurrences
from streamvec.corpus.cooccurrences import Counted
from streamvec.corpus.cooccurrencestage import CooccurrenceStage, TokenSource
from streamvec.corpus.crew import ThreadCrews
from streamvec.corpus.layout import SHARDS, VOCABULARY
from streamvec.corpus.release import return_large_blocks
from streamvec.corpus.shards import Shards
from streamvec.corpus.vocabulary import Vocabulary


def count(settings: dict[str, Any]) -> dict[str, Any]:
    """Pairs of settings["prepared"], counted and written as blocks to settings["out"]."""
    source, window = Path(settings["prepared"]), settings["window"]
    vocabulary, shards = Vocabulary.load(source / VOCABULARY), Shards.open(source / SHARDS)
    compile_cooccurrences()
    return_large_blocks()  # as every training does
    last: dict[str, float] = {}

    def told(stage: str, done: float) -> None:
        last[stage] = time.perf_counter()

    begin = time.perf_counter()
    stage = CooccurrenceStage(Path(settings["out"]), vocabulary, TokenSource(shards, Counted(window)), window)
    found = stage.run(ThreadCrews(settings["threads"], settings["memory"]), told, lambda: False)
    seconds = time.perf_counter() - begin
    counted = last["cooccurrences"] - begin
    return {
        "seconds": seconds,
        "counting_seconds": counted,  # to the last record batch of tokens, runs written on the way included
        "merging_seconds": seconds - counted,  # runs, and files
        "tokens": shards.tokens,
        "stored": found.stored,
        "entries": found.entries,
        "bytes": sum(path.stat().st_size for path in Path(settings["out"]).iterdir()),
        "peak_mb": round(own_peak() / 1e6, 1),
    }


if __name__ == "__main__":
    answer({"count": count})
