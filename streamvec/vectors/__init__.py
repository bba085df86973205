"""Floor 3: words and a matrix, looked up in place. A look-up needs neither the compiler nor the trainers."""

from streamvec.vectors.keyedvectors import KeyedVectors
from streamvec.vectors.sentences import SentenceVectors
from streamvec.vectors.store import VectorsWriter, write_vectors
from streamvec.vectors.summary import summarize
from streamvec.vectors.words import UnknownWord

__all__ = ["KeyedVectors", "SentenceVectors", "UnknownWord", "VectorsWriter", "summarize", "write_vectors"]
