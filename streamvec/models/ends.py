"""Where a stack of layers ends in both directions: at each sequence's last word, and of the reverse one at the first.

Both have then read the whole sequence, so these two states tell all that was read.
"""

import numpy as np

from streamvec.models.shape import Shape, padded


def ends_of(shape: Shape, out: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """float32[sequences, outputs], of all that the last layer gave, float32[steps, sequences, outputs], which is zero
    behind *lengths* int64[sequences]."""
    half = padded(shape.hidden)
    ends = np.empty(out.shape[1:], np.float32)
    ends[:, :half] = out[np.maximum(lengths, 1) - 1, np.arange(len(lengths)), :half]
    ends[:, half:] = out[0, :, half:]
    return ends


def spread_ends(shape: Shape, d_ends: np.ndarray, steps: int, lengths: np.ndarray) -> np.ndarray:
    """The gradient of `ends_of` by what the layer gave, float32[steps, sequences, outputs], from that by the ends:
    zeros behind a sequence's end, and of one that is empty everywhere."""
    half, d_out = padded(shape.hidden), np.zeros((steps, *d_ends.shape), np.float32)
    d_ends = np.where(lengths[:, None] > 0, d_ends, np.float32(0))
    d_out[np.maximum(lengths, 1) - 1, np.arange(len(lengths)), :half] = d_ends[:, :half]
    d_out[0, :, half:] = d_ends[:, half:]
    return d_out
