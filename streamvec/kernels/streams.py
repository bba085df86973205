"""Documents end to end, as a language model reads them: each followed by the token that ends a sentence."""

import numpy as np
from numba import njit


@njit(nogil=True, cache=True)
def write_stream(values, offsets, goes_on, end, unknown, shift, out):
    """Writes the tokens of documents and *end* behind each; returns how many.

    values: int32[n], offsets: int32[documents + 1] (read). goes_on: 1 where the last document does not end here. end:
    below 0 where nothing stands behind a document.
    unknown: the id of words that have none (below 0); shift: what is added to those of others. out: int32[n +
    documents] (written).
    """
    at, documents = 0, offsets.size - 1
    for document in range(documents):
        for index in range(offsets[document], offsets[document + 1]):
            value = values[index]
            out[at] = value + shift if value >= 0 else unknown
            at += 1
        if end >= 0 and (document + 1 < documents or not goes_on):
            out[at] = end
            at += 1
    return at


def streamed(values: np.ndarray, offsets: np.ndarray, goes_on: bool, end: int, unknown: int, shift: int) -> np.ndarray:
    """`write_stream` into an array of its own: int32[tokens and ends]."""
    out = np.empty(values.size + offsets.size - 1, np.int32)
    return out[: write_stream(values, offsets, int(goes_on), end, unknown, shift, out)]
