"""Warm look-ups by one tool, in a process of its own."""

import time
from typing import Any

import numpy as np

from benchmarks.bench import answer, median


def warm(settings: dict[str, Any]) -> dict[str, Any]:
    """Milliseconds of a query of one word, and with our own tool queries a second of all of them together."""
    from streamvec.vectors import KeyedVectors

    ours = KeyedVectors.load(settings["vectors"], index="index" in settings["tool"])
    ranks = np.random.default_rng(3).choice(len(ours), min(settings["queries"], len(ours)), replace=False)
    words = [ours.words[rank] for rank in ranks.tolist()]
    if "gensim" in settings["tool"]:
        from gensim.models import KeyedVectors as Theirs

        if "binary" in settings["tool"]:
            theirs = Theirs.load_word2vec_format(settings["binary"], binary=True)
        else:
            theirs = Theirs.load(settings["kv"], mmap="r")
        ask: Any = theirs.most_similar
    else:
        ask = ours.most_similar
    ask(words[0])
    each = []
    for word in words[:100]:
        begin = time.perf_counter()
        ask(word)
        each.append(time.perf_counter() - begin)
    found = {"milliseconds": 1000 * median(each)}
    if "gensim" not in settings["tool"]:
        begin = time.perf_counter()
        ours.most_similar_batch(words)
        found["queries_per_second"] = round(len(words) / (time.perf_counter() - begin), 1)
    return found


if __name__ == "__main__":
    answer({"warm": warm})
