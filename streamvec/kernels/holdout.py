"""Which documents are held out of training: a function of the seed and of where the document stands."""

import numpy as np
from numba import njit

from streamvec.kernels.random import bits

_S32 = np.uint64(32)


@njit(nogil=True, cache=True)
def choose_held_out(offsets, place, key, share):
    """uint8[documents]: 1 for a document held out, with probability *share*.

    offsets: int32[documents + 1] (read); place: the place of the first token in the corpus; key: stream of HOLDOUT.
    """
    chosen = np.empty(len(offsets) - 1, np.uint8)
    limit = share * 4294967296.0
    for document in range(len(chosen)):
        chosen[document] = np.float64(bits(key, place + offsets[document]) >> _S32) < limit
    return chosen
