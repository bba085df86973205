"""Plain Python and float64 versions of the kernels, slow and short enough to be read at a glance."""

import numpy as np

MASK = 2**64 - 1
KEEP, WINDOW, NOISE = 1, 2, 3


def mixed(counter: int) -> int:
    z = counter * 0x9E3779B97F4A7C15 & MASK
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9 & MASK
    z = (z ^ z >> 27) * 0x94D049BB133111EB & MASK
    return z ^ z >> 31


def stream(seed: int, epoch: int, purpose: int) -> int:
    return mixed(mixed(mixed(seed + 1) ^ epoch) ^ purpose)


def bits(key: int, place: int) -> int:
    return mixed(key + place & MASK)


def below(word: int, n: int) -> int:
    return (word >> 32) * n >> 32


def sigmoid(x: float) -> float:
    return 1 / (1 + np.exp(-x))


def kept_tokens(documents, place, keep, key):
    """Documents after subsampling, as lists of (token, place)."""
    kept = []
    for document in documents:
        kept.append([])
        for token in document:
            if bits(key, place) & 0xFFFFFFFF <= keep[token]:
                kept[-1].append((token, place))
            place += 1
    return kept


def window_of(document, i, window, window_key):
    """The context words of token i of a document of (token, place)."""
    reach = 1 + below(bits(window_key, document[i][1]), window)
    return [document[j][0] for j in range(max(0, i - reach), min(len(document), i + reach + 1)) if j != i]


def noise_targets(token, place, negative, table, noise_key):
    """(row, label, place among the targets) of the center and of the noise words that are not the center."""
    targets = [(token, 1, 0)]
    for j in range(negative):
        random = bits(noise_key, place * negative + j)
        row = below(random, len(table))
        threshold, other = int(table[row]) >> 32, int(table[row]) & 0xFFFFFFFF
        row = row if random & 0xFFFFFFFF < threshold else other
        if row != token:
            targets.append((row, 0, 1 + j))
    return targets


def huffman_codes(counts):
    """{word: (inner nodes as frozensets of the words below them, code)} of some Huffman tree."""
    heap = [(int(count), n, frozenset([n])) for n, count in enumerate(counts)]
    paths = {n: [] for n in range(len(counts))}
    made = len(counts)
    while len(heap) > 1:
        heap.sort()
        (a, _, low), (b, _, high), *heap = heap
        for side, words in ((0, low), (1, high)):
            for word in words:
                paths[word].insert(0, side)
        heap.append((a + b, made, low | high))
        made += 1
    return paths


def loss(inputs, outputs, contexts, targets, averaged=False):
    """-sum log sigmoid(+-score) over targets and contexts (Mikolov et al. 2013, eq. 3 and 4)."""
    rows = [inputs[contexts].mean(axis=0)] if averaged else inputs[contexts]
    return -sum(np.log(sigmoid((2 * label - 1) * (outputs[row] @ x))) for x in rows for row, label, _ in targets)


def train_batch(inputs, outputs, batch, rate, averaged=False, together=None):
    """All scores from the rows as they stood, then the updates center by center. Returns each center's loss.

    batch: of (contexts, targets); together: where there may be many targets, so many contexts are updated at once, and
    each target in its turn. Otherwise each context is updated in its turn, and all targets at once.
    """
    losses = [loss(inputs, outputs, contexts, targets, averaged) if contexts else 0.0 for contexts, targets in batch]
    batch = [(contexts, targets) for contexts, targets in batch if contexts]
    scores = []
    for contexts, targets in batch:
        rows = [inputs[contexts].mean(axis=0)] if averaged else inputs[contexts]
        scores.append([[outputs[row] @ x for x in rows] for row, _, _ in targets])
    for (contexts, targets), score in zip(batch, scores, strict=True):
        errors = [
            [rate * (label - sigmoid(one)) * (abs(one) <= 8) for one in of_target]
            for of_target, (_, label, _) in zip(score, targets, strict=True)
        ]
        if averaged:
            average, pulled = inputs[contexts].mean(axis=0), 0.0
            for (row, _, _), (error,) in zip(targets, errors, strict=True):  # each target in its turn
                pulled = pulled + error * outputs[row]
                outputs[row] += error * average
            for context in contexts:
                inputs[context] += pulled / len(contexts)
            continue
        if together is None:
            before = [outputs[row].copy() for row, _, _ in targets]
            changes = [np.zeros_like(row) for row in before]
            for c, context in enumerate(contexts):
                x = inputs[context].copy()
                for n, change in enumerate(changes):
                    change += errors[n][c] * x
                    inputs[context] += errors[n][c] * before[n]
            for (row, _, _), change in zip(targets, changes, strict=True):
                outputs[row] += change
            continue
        for first in range(0, len(contexts), together):
            some = contexts[first : first + together]
            before, gains = inputs[some].copy(), np.zeros((len(some), inputs.shape[1]))
            for (row, _, _), error in zip(targets, errors, strict=True):
                error = np.array(error[first : first + together])
                gains += np.outer(error, outputs[row])
                outputs[row] += error @ before
            for context, gain in zip(some, gains, strict=True):
                inputs[context] += gain
    return losses


def softmax_rows(centers, averaged):
    """[(inputs averaged, words they predict)] of [(place, word, its contexts' places)], by place: skip-gram's tokens
    predict the centers whose contexts they are, CBOW's contexts together their center."""
    if averaged:
        return {place: (contexts, [word]) for place, word, contexts in centers if contexts}
    predicted = {}
    for _, word, contexts in centers:
        for context in contexts:
            predicted.setdefault(context, ([context], []))[1].append(word)
    return predicted


def softmax_loss(inputs, outputs, row):
    """-sum log softmax(outputs h)[word] over the words that a row predicts (Mikolov et al. 2013, eq. 2)."""
    tokens, words = row
    scores = outputs @ inputs[tokens].mean(axis=0)
    return sum(np.log(np.exp(scores).sum()) - scores[word] for word in words)


def softmax_batch(inputs, outputs, batch, rate):
    """One step of gradient descent on the sum of the losses of a batch of rows (tokens, words)."""
    d_inputs, d_outputs = np.zeros_like(inputs), np.zeros_like(outputs)
    for tokens, words in batch:
        hidden = inputs[tokens].mean(axis=0)
        probabilities = np.exp(outputs @ hidden) / np.exp(outputs @ hidden).sum()
        errors = len(words) * probabilities - np.bincount(words, minlength=len(outputs))
        d_outputs += np.outer(errors, hidden)
        for token in tokens:
            d_inputs[token] += errors @ outputs / len(tokens)
    inputs -= rate * d_inputs
    outputs -= rate * d_outputs


def gradients(loss, arrays, tiny=1e-5):
    """The gradient of loss(*arrays) by each of the arrays, by central differences in float64."""
    found = []
    for which, array in enumerate(arrays):
        slopes = np.zeros_like(array)
        for place in np.ndindex(array.shape):
            sides = []
            for move in (tiny, -tiny):
                moved = [one.copy() for one in arrays]
                moved[which][place] += move
                sides.append(loss(*moved))
            slopes[place] = (sides[0] - sides[1]) / (2 * tiny)
        found.append(slopes)
    return found
