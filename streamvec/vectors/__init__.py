"""Floor 3: words and a matrix, looked up in place. A look-up needs neither the compiler nor the trainers."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from streamvec.vectors.keyedvectors import KeyedVectors
from streamvec.vectors.store import VectorsWriter, write_vectors
from streamvec.vectors.words import UnknownWord

if TYPE_CHECKING:
    from streamvec.vectors.sentences import SentenceVectors
    from streamvec.vectors.summary import summarize

__all__ = ["KeyedVectors", "SentenceVectors", "UnknownWord", "VectorsWriter", "summarize", "write_vectors"]
_LATER = {"SentenceVectors": "sentences", "summarize": "summary"}  # a look-up does not wait for these


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_LATER[name]}"), name)
