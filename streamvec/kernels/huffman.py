"""Huffman's tree over word counts, as the path of each word: frequent words have short ones."""

import numpy as np
from numba import njit

from streamvec.kernels.layout import BLOCK, TARGETS


@njit(nogil=True, cache=True)
def huffman_paths(counts):
    """Paths from the root to each word, for hierarchical softmax (Morin and Bengio 2005; Mikolov et al. 2013).

    counts: int64[V] by falling count, V >= 2 (read). Returns starts: int64[V + 1] and nodes: int32[starts[V]]: the path
    of word w is nodes[starts[w]:starts[w + 1]], each node * 2 + label, with nodes numbered 0 .. V-2 from the root and
    label 1 where the path turns left.
    """
    words = len(counts)
    weight = np.empty(2 * words - 1, np.int64)
    parent = np.zeros(2 * words - 1, np.int64)
    left = np.zeros(2 * words - 1, np.uint8)
    weight[:words] = counts
    rarest, made = words - 1, words  # the next leaf (from the rarest up) and the next inner node to be joined
    for node in range(words, 2 * words - 1):
        total = np.int64(0)
        for side in range(2):
            if rarest >= 0 and (made >= node or weight[rarest] <= weight[made]):
                chosen = rarest
                rarest -= 1
            else:
                chosen = made
                made += 1
            parent[chosen] = node
            left[chosen] = side
            total += weight[chosen]
        weight[node] = total
    root = 2 * words - 2
    starts = np.zeros(words + 1, np.int64)
    for word in range(words):
        node, length = word, 0
        while node != root:
            node = parent[node]
            length += 1
        starts[word + 1] = starts[word] + length
    nodes = np.empty(starts[words], np.int32)
    for word in range(words):
        node, place = word, starts[word + 1]
        while node != root:
            place -= 1
            nodes[place] = 2 * (root - parent[node]) + left[node]
            node = parent[node]
    return starts, nodes


@njit(nogil=True, cache=True)
def paths_in_blocks(starts, nodes, nothing):
    """The same paths as blocks of targets (kernels/layout.py), so that one is copied at once.

    starts, nodes: of `huffman_paths` (read). Returns first: int64[V + 1] and blocks: int32[first[V] + 2, BLOCK]:
    word w has blocks first[w] .. first[w + 1] - 1, with *nothing* * 2 in the places left; two more may be read after
    the last.
    """
    words = len(starts) - 1
    first = np.zeros(words + 1, np.int64)
    for word in range(words):
        first[word + 1] = first[word] + (starts[word + 1] - starts[word] + TARGETS - 1) // TARGETS
    blocks = np.full((first[words] + 2, BLOCK), 2 * nothing, np.int32)
    for word in range(words):
        for n in range(starts[word + 1] - starts[word]):
            blocks[first[word] + n // TARGETS, n % TARGETS] = nodes[starts[word] + n]
    return first, blocks
