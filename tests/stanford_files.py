"""What tests of Stanford's files share: entries, in bytes and in a dictionary, and options of a small training."""

import random
import struct
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from cooccurring import matrix_of

from streamvec.corpus.cooccurrences import Cooccurrences

Entry = tuple[int, int, float]
Matrix = dict[tuple[int, int], float]
WORDS = ["the", "of", "river", "lake", "king", "Zürich", "水"]
FAST: dict[str, Any] = {"dim": 8, "epochs": 2, "threads": 1}
PROGRAM = [sys.executable, "-m", "streamvec_cli.main"]


def entries_of(number: int, words: int = len(WORDS), seed: int = 0) -> list[Entry]:
    """Entries with repetitions, of one direction only now and then."""
    draw = random.Random(seed)
    return [
        (draw.randint(1, words), draw.randint(1, words), draw.choice([1.0, 0.5, 0.25, 3.0, 1 / 3]))
        for _ in range(number)
    ]


def packed(entries: Iterable[Entry]) -> bytes:
    return b"".join(struct.pack("<iid", *entry) for entry in entries)


def unpacked(data: bytes) -> list[Entry]:
    return list(struct.iter_unpack("<iid", data))


def summed(entries: Iterable[Entry]) -> Matrix:
    """The plain way: a dictionary, ids from 0."""
    matrix: Matrix = {}
    for row, column, value in entries:
        matrix[row - 1, column - 1] = matrix.get((row - 1, column - 1), 0.0) + value
    return matrix


def counted_in(run: Path) -> Matrix:
    """What a RUN has counted, entries that stand for two written out."""
    return matrix_of(Cooccurrences.open(run / "cooccurrences"))
