"""What tests of GloVe models share: entries of a few words in bands, and what a model trains, by name."""

import numpy as np

from streamvec.corpus.cooccurrences import Entries
from streamvec.kernels.cooccurrences import pair_number
from streamvec.kernels.records import HEAD
from streamvec.models.glove import Glove
from streamvec.models.gloveconfig import GloveConfig

BANDS = np.array([0, 3, 5, 12, 20, 31])  # of 31 words
ARRAYS = ("words", "contexts", "word_biases", "context_biases")


def numbered(bands: np.ndarray, pairs: list[tuple[int, int]], directed: int) -> list[int]:
    sizes, bits = np.diff(bands), 10
    numbers = np.repeat(np.arange(sizes.size), sizes)
    of = numbers << bits | np.arange(bands[-1]) - bands[numbers]
    return [int(pair_number(of, bits, sizes.size, *pair, directed)) for pair in pairs]


def round_of(bands: np.ndarray, row: int, column: int) -> int:
    first, second = np.searchsorted(bands, [row, column], side="right") - 1
    return int(first + second) % (len(bands) - 1)


def some_entries(mirrored: bool, seed: int = 0, count: int = 600) -> list[Entries]:
    """The entries of each round, with values around x_max and words beside themselves among them."""
    rng = np.random.default_rng(seed)
    words = int(BANDS[-1])
    pairs = {tuple(pair) for pair in np.minimum(rng.zipf(1.2, (count, 2)) - 1, words - 1).tolist()}
    pairs |= {(word, word) for word in range(0, words, 4)}
    if mirrored:
        pairs = {(min(pair), max(pair)) for pair in pairs}
    ordered = [pair for _, pair in sorted(zip(numbered(BANDS, list(pairs), 1), pairs, strict=True))]
    rounds, first = [], 0
    for number in range(len(BANDS) - 1):
        chosen = np.array([pair for pair in ordered if round_of(BANDS, *pair) == number], np.int32)
        values = rng.choice([0.05, 0.5, 1, 9.99, 10, 10.01, 1000], len(chosen)) * rng.choice([1, 1.3], len(chosen))
        rows, columns = chosen.T.copy()
        arrays = rows, columns, values.astype(np.float32)
        for array in arrays:
            array.setflags(write=False)
        rounds.append(Entries(*arrays, first))
        first += len(chosen)
    return rounds


def listed(batch: Entries) -> list[tuple[int, int, float]]:
    return list(zip(batch.rows.tolist(), batch.columns.tolist(), batch.values.tolist(), strict=True))


def blocks_of(batch: Entries) -> list[int]:
    band = np.searchsorted(BANDS, [batch.rows, batch.columns], side="right") - 1
    return band.min(axis=0).tolist()


def parts(model: Glove) -> dict[str, np.ndarray]:
    """Views of what a model trains, and of the sums of squares, under the names of plain Python."""
    records, columns = model.arrays["records"].reshape(model.words, -1), model.config.vectors * 16
    vectors = [records[:, HEAD + n * columns :][:, : model.config.dim] for n in range(4)]
    names = [*ARRAYS, *(f"squares of {name}" for name in ARRAYS)]
    found = [vectors[0], vectors[1], records[:, 0], records[:, 1]]
    found += [vectors[2], vectors[3], records[:, 2], records[:, 3]]
    return dict(zip(names, found, strict=True))


def some_model(dim: int, mirrored: bool, threads: int = 1, **options) -> Glove:
    model = Glove(GloveConfig(dim=dim, **options), int(BANDS[-1]), threads, BANDS, mirrored)
    rng = np.random.default_rng(1)
    for name in ARRAYS:
        view = parts(model)[name]
        view[:] = rng.normal(0, 0.3, view.shape)
    return model
