"""Trains fastText and times it, in an environment that has fastText and not this project.

fastText reads the vocabulary and trains in one call; the time of a call with no epoch is taken off. Settings come as
JSON in the first argument: without "subwords" there are none; RAW.npy and RAW.words are written.
"""

import contextlib
import json
import sys
import time
from pathlib import Path

import fasttext
import numpy as np

settings = json.loads(sys.argv[1])
config = settings["config"]
subwords = settings.get("subwords", {"minn": 0, "maxn": 0, "bucket": 0})


def call(epochs: int) -> tuple[float, "fasttext.FastText._FastText"]:
    """(seconds, model) of a whole call."""
    begin = time.perf_counter()
    model = fasttext.train_unsupervised(
        settings["text"],
        model=settings.get("kind", "skipgram"),
        dim=config["dim"],
        ws=config["window"],
        neg=config["negative"],
        t=config["sample"],
        lr=config["learning_rate"],
        minCount=settings["min_count"],
        epoch=epochs,
        thread=settings["threads"],
        **subwords,
        verbose=0,
    )
    return time.perf_counter() - begin, model


begun = time.perf_counter()
with contextlib.suppress(RuntimeError):  # version 0.9.3 finds that the loss of no step is not a number
    call(0)
reading = time.perf_counter() - begun
whole, trained = call(config["epochs"])
words = [word for word in trained.words if word != "</s>"]
raw = Path(settings["raw"])
np.save(raw.with_suffix(".npy"), np.array([trained.get_word_vector(word) for word in words]))
raw.with_suffix(".words").write_text("\n".join(words), encoding="utf-8")
unseen = {
    word: [[other, round(cosine, 4)] for cosine, other in trained.get_nearest_neighbors(word, 5)]
    for word in settings.get("unseen", [])
}
print(
    json.dumps({"neighbours": unseen, "seconds": whole - reading, "vocabulary_seconds": reading, "words": len(words)})
)
