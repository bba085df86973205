"""What tests of co-occurrences share: a small text in many record batches, its counting, and the matrix as a dict."""

import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from streamvec.corpus import encoding, pairpass, pairruns, runfiles, shardwriter
from streamvec.corpus.cooccurrences import Cooccurrences, Counted
from streamvec.corpus.cooccurrencestage import CooccurrenceStage, Report, TokenSource
from streamvec.corpus.crew import ThreadCrews
from streamvec.corpus.layout import SHARDS, VOCABULARY
from streamvec.corpus.prepare import prepare
from streamvec.corpus.shards import Shards
from streamvec.corpus.sources import resolve
from streamvec.corpus.tokens import Tokenizer
from streamvec.corpus.vocabulary import Vocabulary

BATCH = 200  # tokens of a record batch: no document below is longer


class Text(NamedTuple):
    """A prepared text."""

    folder: Path
    documents: list[list[int]]  # as they are in the shards, by plain Python

    @property
    def vocabulary(self) -> Vocabulary:
        return Vocabulary.load(self.folder / VOCABULARY)

    @property
    def shards(self) -> Shards:
        return Shards.open(self.folder / SHARDS)


def documents_of(seed: int, lines: int = 400) -> list[list[str]]:
    """Documents of 0 to 40 words, frequent and rare ones, some next to themselves."""
    draw = random.Random(seed)
    documents = [
        [f"w{int(150 * draw.random() ** 3)}" for _ in range(draw.choice([0, 1, 2, 7, 20, 40]))] for _ in range(lines)
    ]
    documents[3] = ["w0"] * 30
    documents[4] = ["w1", "w1", "rare", "w1", "w2"]
    documents[5] = [f"w{number % 150}" for number in range(BATCH)]
    return documents


def prepared(folder: Path, documents: list[list[str]], min_count: int = 2, batch: int = BATCH) -> Text:
    """The text in *folder*, in record batches of *batch* tokens; words that come once are left out."""
    folder.mkdir(exist_ok=True)
    (folder / "text.txt").write_text("\n".join(map(" ".join, documents)) + "\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shardwriter, "BATCH_TOKENS", batch)
        patch.setattr(encoding, "SHARD_BATCHES", 4)
        vocabulary, _ = prepare(
            resolve([str(folder / "text.txt")]),
            folder,
            Tokenizer(),
            min_count=min_count,
            crews=ThreadCrews(1),
            report=lambda progress: None,
            stop=lambda: False,
        )
    ids = {word: number for number, word in enumerate(vocabulary.words.to_pylist())}
    return Text(folder, [[ids[word] for word in document if word in ids] for document in documents])


def count(
    text: Text,
    folder: Path,
    counted: Counted,
    *,
    threads: int = 1,
    memory: int = 1 << 30,
    report: Report = lambda stage, done: None,
    stop: Callable[[], bool] = lambda: False,
    vocabulary: Vocabulary | None = None,
) -> Cooccurrences:
    """The co-occurrences of a text in *folder*, begun or gone on with."""
    source = TokenSource(text.shards, counted)
    stage = CooccurrenceStage(folder, vocabulary or text.vocabulary, source, counted.window)
    return stage.run(ThreadCrews(threads, memory), report, stop)


def tiny_tables(patch: pytest.MonkeyPatch, slots: int = 300, at_once: int = 3) -> None:
    """Tables of *slots* places, however much memory there is, whose runs are merged *at_once* at a time."""
    patch.setattr(pairruns, "_FEWEST_SLOTS", slots)
    patch.setattr(pairruns, "BYTES_PER_SLOT", 1 << 50)
    patch.setattr(runfiles, "AT_ONCE", at_once)


def runs_seen(patch: pytest.MonkeyPatch) -> tuple[list[int], list[int]]:
    """The pairs of each run that is written from now on, and how many are merged at a time: both lists grow."""
    written: list[int] = []
    merged: list[int] = []
    batches_of, merge_to_run = pairruns.batches_of, pairpass.merge_to_run
    patch.setattr(pairruns, "batches_of", lambda table: (written.append(int(table.used[0])), batches_of(table))[1])
    patch.setattr(
        pairpass, "merge_to_run", lambda paths, path, *_: (merged.append(len(paths)), merge_to_run(paths, path))
    )
    return written, merged


def entries_of(found: Cooccurrences) -> Iterator[tuple[int, int, float]]:
    """All that stands in the files, in order."""
    for number in range(found.batches):
        batch = found.batch(number)
        yield from zip(batch.rows.tolist(), batch.columns.tolist(), batch.values.tolist(), strict=True)


def matrix_of(found: Cooccurrences) -> dict[tuple[int, int], float]:
    """{(row, column): value} with mirror images."""
    matrix: dict[tuple[int, int], float] = {}
    for row, column, value in entries_of(found):
        for place in {(row, column), (column, row)} if found.mirrored else {(row, column)}:
            assert place not in matrix, place
            matrix[place] = value
    return matrix


def in_float32(matrix: dict) -> dict[tuple[int, int], float]:
    return {place: float(np.float32(float(value))) for place, value in matrix.items()}


def open_files(*folders: Path) -> int:
    """Files in *folders* that this process holds open."""
    found = 0
    for handle in Path("/proc/self/fd").iterdir():
        try:
            path = handle.readlink()
        except FileNotFoundError:  # closed meanwhile, as that of the listing itself
            continue
        found += any(path.is_relative_to(folder) for folder in folders)
    return found
