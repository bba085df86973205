"""The full softmax's arithmetic beside its matrix products: who predicts what, exponentials, gradients.

A row of a batch is a hidden vector h with n target words: its loss is the sum over them of -log softmax(outputs h) at
the target, and the gradient of that by the scores is n * softmax - (how often each word is a target).
"""

import numpy as np
from numba import njit

from streamvec.kernels.folds import sum16
from streamvec.kernels.nonlinear import exp_minus
from streamvec.kernels.simd import load16, splat16, store, zero16


@njit(nogil=True, cache=True)
def list_pairs(step, first, last, kept, window, averaged, rows, starts, words):
    """Lists who predicts what in a batch of tokens first .. last-1; returns how many rows there are.

    Row r is place rows[r] and predicts words[starts[r]:starts[r + 1]]. Skip-gram: each token predicts those centers in
    whose window it stands; CBOW (*averaged*): the contexts of a center predict it. Places without any are left out.
    rows: int32[last - first], starts: int32[last - first + 1], words: int32[2 window (last - first)] (written).
    """
    count, pairs = 0, 0
    starts[0] = 0
    for i in range(first, last):
        if averaged:
            if step.left[i] + step.right[i] > 0:
                words[pairs] = step.tokens[i]
                pairs += 1
        else:
            for j in range(max(i - window, step.begin[i]), min(i + window + 1, step.end[i], kept)):
                if (j > i and step.left[j] >= j - i) or (j < i and step.right[j] >= i - j):
                    words[pairs] = step.tokens[j]
                    pairs += 1
        if pairs > starts[count]:
            rows[count] = i
            count += 1
            starts[count] = pairs
    return count


@njit(nogil=True, cache=True)
def gather(inputs, step, rows, count, averaged, low, high, hidden):
    """Writes columns [low, high) of the hidden vectors: a token's row of *inputs*, or the average of its contexts'.

    inputs: float32[V + 1, columns], rows: int32[>= count] (read); hidden: float32[>= count, columns] (written).
    """
    for r in range(count):
        i = np.intp(rows[r])
        if averaged == 0:
            for c in range(low, high):
                hidden[r, c] = inputs[step.tokens[i], c]
            continue
        share = np.float32(1.0) / np.float32(step.left[i] + step.right[i])
        for c in range(low, high):
            total = np.float32(0.0)
            for j in range(i - step.left[i], i + step.right[i] + 1):
                if j != i:
                    total += inputs[step.tokens[j], c]
            hidden[r, c] = total * share


@njit(nogil=True, cache=True)
def spread(inputs, step, rows, count, averaged, low, high, changes):
    """Adds the changes of hidden vectors to the rows that they came from, in columns [low, high), in order.

    changes: float32[parts, >= count, columns] (read): what each block of the vocabulary says; inputs (updated).
    """
    parts = len(changes)
    for r in range(count):
        i = np.intp(rows[r])
        share = np.float32(1.0) / np.float32(max(1, step.left[i] + step.right[i])) if averaged else np.float32(1.0)
        for c in range(low, high):
            total = np.float32(0.0)
            for part in range(parts):
                total += changes[part, r, c]
            total *= share
            if averaged:
                for j in range(i - step.left[i], i + step.right[i] + 1):
                    if j != i:
                        inputs[step.tokens[j], c] += total
            else:
                inputs[step.tokens[i], c] += total


@njit(nogil=True, cache=True)
def take_logits(scores, count, starts, words, block_first, block_last, logits):
    """Writes the scores of those targets that lie in a block of the vocabulary.

    scores: float32[>= count, words of the block], starts, words: of `list_pairs` (read); logits: float32[pairs].
    """
    for r in range(count):
        for pair in range(starts[r], starts[r + 1]):
            word = np.intp(words[pair])
            if block_first <= word < block_last:
                logits[pair] = scores[r, word - block_first]


@njit(nogil=True, cache=True)
def exponentials(scores, count, peaks, totals):
    """scores = exp(scores - peak) for each row, and the sum of these.

    scores: float32[>= count, a multiple of 16] (updated); peaks: float32[>= count] (read): at least each row's largest;
    totals: float32[>= count] (written).
    """
    width = 4 * scores.shape[1]
    for r in range(count):
        row, peak, total = np.intp(scores[r].ctypes.data), splat16(peaks[r]), zero16()
        for c in range(0, width, 64):
            value = exp_minus(peak - load16(row + c))
            store(row + c, value)
            total = total + value
        totals[r] = sum16(total)


@njit(nogil=True, cache=True)
def normalisers(peaks, totals, count, peak, total):
    """Joins the blocks' sums: total[r] = sum over the vocabulary of exp(score - peak[r]), in the blocks' order.

    peaks, totals: float32[blocks, >= count] (read); peak: float32[>= count], total: float64[>= count] (written).
    """
    for r in range(count):
        highest = peaks[0, r]
        for block in range(1, len(peaks)):
            if not peaks[block, r] <= highest:  # also where it is not a number, so that this is not lost
                highest = peaks[block, r]
        peak[r], total[r] = highest, 0.0
        for block in range(len(peaks)):
            total[r] += np.float64(totals[block, r]) * np.exp(np.float64(peaks[block, r] - highest))


@njit(nogil=True, cache=True)
def gradients(scores, count, starts, words, block_first, block_last, peaks, peak, total, rate):
    """Turns a block's exponentials into -rate times the loss's gradient by the scores.

    scores: float32[>= count, words of the block] (updated: exp(score - peaks[r]) before); peaks: float32[>= count], the
    block's; peak, total: of `normalisers` (read).
    """
    for r in range(count):
        pairs = starts[r + 1] - starts[r]
        scale = np.float32(-rate * pairs * np.exp(np.float64(peaks[r] - peak[r])) / total[r])
        for c in range(scores.shape[1]):
            scores[r, c] *= scale
        for pair in range(starts[r], starts[r + 1]):
            word = np.intp(words[pair])
            if block_first <= word < block_last:
                scores[r, word - block_first] += rate


@njit(nogil=True, cache=True)
def write_losses(rows, count, starts, logits, peak, total, losses):
    """losses[rows[r]] = the loss of row r, over all its pairs. losses: float32[kept tokens] (written)."""
    for r in range(count):
        loss = (starts[r + 1] - starts[r]) * (np.log(total[r]) + peak[r])
        for pair in range(starts[r], starts[r + 1]):
            loss -= logits[pair]
        losses[rows[r]] = loss


@njit(nogil=True, cache=True)
def add(rows, changes):
    """rows += changes: float32[n, columns], float32[n, columns]."""
    for r in range(len(rows)):
        for c in range(rows.shape[1]):
            rows[r, c] += changes[r, c]
