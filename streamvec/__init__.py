"""Word vectors from text that does not fit in memory: fast, resumable, the same bytes on any number of threads.

    import streamvec
    vectors = streamvec.train_skipgram("wiki.txt.zst", "wiki-run", dim=100)
    vectors.most_similar("river")
    streamvec.KeyedVectors.load("wiki-run").analogy("man", "king", "woman")

Names are imported when they are first used: a look-up must not wait for the trainers.
"""

from importlib import import_module
from typing import Any

from streamvec.processor import choose_products

choose_products()  # before anything imports numpy
_HOMES = {
    "KeyedVectors": "streamvec.vectors",
    "SentenceVectors": "streamvec.vectors",
    "summarize": "streamvec.vectors",
    "bias_direction": "streamvec.vectors.bias",
    "projections": "streamvec.vectors.bias",
    "weat": "streamvec.vectors.weat",
    "debias": "streamvec.vectors.debias",
    "measure_bias": "streamvec.vectors.debias",
    "read_words": "streamvec.vectors.wordlists",
    "read_sets": "streamvec.vectors.wordlists",
    "read_association": "streamvec.vectors.wordlists",
    "StreamvecError": "streamvec.errors",
    "Interrupted": "streamvec.errors",
    "train_skipgram": "streamvec.training.words",
    "train_cbow": "streamvec.training.words",
    "train_glove": "streamvec.training.words",
    "train_lm": "streamvec.training.words",
    "train_task": "streamvec.training.words",
    "resume": "streamvec.training.words",
    "SkipGramConfig": "streamvec.models.wordconfig",
    "CbowConfig": "streamvec.models.wordconfig",
    "GloveConfig": "streamvec.models.gloveconfig",
}
__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import PackageNotFoundError, version

        try:
            return version("streamvec")
        except PackageNotFoundError:
            return "unknown"
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'streamvec' has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
