"""Which numbers dropout keeps: a function of a key and of their place, so that nothing random is saved or shared."""

import numpy as np
from numba import njit

from streamvec.kernels.random import bits

_S16, _LOW = np.uint64(16), np.uint64(0xFFFF)


@njit(nogil=True, cache=True)
def fill_mask(mask, key, place, drop):
    """Writes 1 / (1 - drop) with probability 1 - drop (to 2**-16), otherwise 0: float32[n], n a multiple of 4.

    place: the number of the first among all that are drawn with *key*, a multiple of 4.
    """
    limit, kept = np.uint64(np.round((1.0 - drop) * 65536.0)), np.float32(1.0 / (1.0 - drop))
    first = place // 4
    for draw in range(mask.size // 4):
        word = bits(key, first + draw)
        for part in range(4):
            mask[4 * draw + part] = kept if (word & _LOW) < limit else np.float32(0.0)
            word >>= _S16
