"""Small vectors with a known bias, for the tests of measuring and removing it."""

import numpy as np

from streamvec.vectors import KeyedVectors

DIM = 12
PAIRS = [("she", "he"), ("woman", "man"), ("her", "his"), ("girl", "boy")]
EQUAL = [("she", "he"), ("woman", "man"), ("mother", "father")]
JOBS = [f"job{number}" for number in range(30)]
FEMALE = ["queen", "actress", "bride", "nun", "widow", "lady", "aunt"]
MALE = ["king", "actor", "groom", "monk", "widower", "lord", "uncle"]
OTHERS = [f"word{number}" for number in range(400)]


def biased_vectors(seed: int = 0, dim: int = DIM, strongly: float = 3.0) -> KeyedVectors:
    """Words that lie along the first axis as their meaning or prejudice has it, and anywhere else at random.

    Those that are specific lie *strongly* along the second.
    """
    rng = np.random.default_rng(seed)
    words, rows = [], []

    def add(word: str, bias: float, specific: float = 0.0) -> None:
        row = rng.standard_normal(dim)
        row[0], row[1] = 2.0 * bias + 0.1 * rng.standard_normal(), strongly * specific + 0.3 * rng.standard_normal()
        words.append(word)
        rows.append(row * rng.uniform(0.5, 4.0))

    for she, he in dict.fromkeys([*PAIRS, *EQUAL]):
        add(she, 1.0, 1.0)
        add(he, -1.0, 1.0)
        share = 0.8 * (rows[-2] / np.linalg.norm(rows[-2]))[2:]
        rows[-1][2:] = np.linalg.norm(rows[-1]) * (0.2 * rows[-1][2:] / np.linalg.norm(rows[-1]) + share)
    for place, job in enumerate(JOBS):
        add(job, (place - 15) / 15)
    for woman, man in zip(FEMALE, MALE, strict=True):
        add(woman, 1.0, 1.0)
        add(man, -1.0, 1.0)
    for word in OTHERS:
        add(word, 0.3 * rng.standard_normal())
    return KeyedVectors.from_arrays(words, np.array(rows, np.float32), np.arange(len(words), 0, -1), {"made": "up"})


def units_of(vectors: KeyedVectors, words: list[str] | tuple[str, ...]) -> np.ndarray:
    """float64[n, dim] of length 1, by the plainest means."""
    rows = np.array([vectors[word] for word in words], float)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)
