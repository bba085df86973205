"""Makes an index of vectors part by part, and measures how good it is against looking at all of them.

A part is built by one thread in the order of rank, so the same vectors are the same graph on any number of threads,
which have a part each: memory grows with threads, not with the vocabulary.
"""

import os
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Any, NamedTuple

import numpy as np
import xxhash

from streamvec.disk.sealed import sealed_json
from streamvec.disk.writing import whole_file
from streamvec.errors import StreamvecError
from streamvec.vectors.annindex import (
    ALIGNED,
    DTYPES,
    MAGIC,
    VERSION,
    Part,
    empty_graph,
    index_beside,
    is_index,
    quantized,
)
from streamvec.vectors.finding import find_vectors
from streamvec.vectors.keyedvectors import KeyedVectors

PART = 131_072  # rows of a part; part of the format, so that the same vectors are the same bytes
_ADDED = 2048  # rows between two looks at whether to stop
_TOP = 10


@dataclass(frozen=True)
class IndexOptions:
    """How graphs are made; checked on construction."""

    dtype: str = "i8"
    connectivity: int = 16
    expansion: int = 128

    def __post_init__(self) -> None:
        if self.dtype not in DTYPES:
            raise ValueError(f"dtype must be {' or '.join(DTYPES)}, got {self.dtype!r}")
        if not 2 <= self.connectivity <= 256:
            raise ValueError(f"connectivity must be 2 to 256, got {self.connectivity}")
        if not 1 <= self.expansion <= 10_000:
            raise ValueError(f"expansion must be 1 to 10,000, got {self.expansion}")


class Built(NamedTuple):
    """What `build_index` made."""

    path: Path
    rows: int
    dim: int
    parts: int
    size: int  # bytes
    seconds: float


class Checked(NamedTuple):
    """How an index does beside an exact search, for queries that are words of the vocabulary."""

    queries: int
    recall: float  # of the 10 nearest, the share that is found
    exact_rate: float  # queries a second
    index_rate: float


def place_of_index(vectors: Path) -> Path:
    """Where the index of VECTORS is or would be; StreamvecError where these are another tool's file."""
    place, ours = find_vectors(vectors)
    if not ours:
        raise StreamvecError(f"{vectors}: another tool's file: streamvec import makes vectors that can have an index")
    return index_beside(place)


def build_index(
    vectors: Path,
    options: IndexOptions = IndexOptions(),
    threads: int = 0,
    overwrite: bool = False,
    told: Callable[[int, int], None] = lambda done, rows: None,
) -> Built:
    """Writes the index of a RUN or a vectors.arrow beside it, whole or not at all. *told*: of (rows done, all rows).

    threads: 0 is all cores. Raises StreamvecError where there is one already (without *overwrite*), usearch is missing,
    or the disk is full.
    """
    out = place_of_index(vectors)
    if out.exists() and not overwrite:
        raise StreamvecError(f"{out}: exists already: --overwrite makes it again, --check measures it")
    if out.exists() and not is_index(out):
        raise StreamvecError(f"{out}: no index of streamvec, or cut short: remove it, or move it away")
    begin, opened, stop = time.perf_counter(), KeyedVectors.load(vectors), Event()
    empty_graph(opened.dim, options.dtype, options.connectivity, options.expansion)  # refuses before any work
    about: dict[str, Any] = {"version": VERSION, "vectors": opened.checksum}
    about |= {"rows": len(opened), "dim": opened.dim, "dtype": options.dtype}
    about |= {"connectivity": options.connectivity, "expansion": options.expansion}
    position, parts = 0, []
    done = [0] * (-(-len(opened) // PART))

    def build(number: int) -> tuple[int, bytes]:
        graph = empty_graph(opened.dim, options.dtype, options.connectivity, options.expansion)
        first, last = number * PART, min((number + 1) * PART, len(opened))
        for start in range(first, last, _ADDED):
            if stop.is_set():
                return 0, b""
            ranks = np.arange(start, min(start + _ADDED, last))
            graph.add(ranks - first, quantized(opened.rows(ranks), options.dtype), threads=1)
            done[number] = int(ranks[-1]) + 1 - first
        return last - first, graph.save()

    with whole_file(out) as file, ThreadPoolExecutor(threads or os.cpu_count() or 1) as pool:
        try:
            for rows, content in _in_order(pool, build, len(done), lambda: told(sum(done), len(opened))):
                padded = bytes(content) + bytes(-len(content) % ALIGNED)
                parts.append(Part(rows, position, len(content), xxhash.xxh3_128_hexdigest(padded)))
                file.write(padded)
                position += len(padded)
        except BaseException:
            stop.set()
            raise
        text = sealed_json({**about, "parts": [list(part) for part in parts]})
        file.write(text + len(text).to_bytes(8, "little") + MAGIC)
    return Built(out, len(opened), opened.dim, len(parts), out.stat().st_size, time.perf_counter() - begin)


def _in_order(
    pool: ThreadPoolExecutor, work: Callable[[int], tuple[int, bytes]], number: int, wait: Callable[[], None]
) -> Iterator[tuple[int, bytes]]:
    """What *work* gives of 0 .. number - 1, in that order; at most two a thread are begun before the first is taken."""
    begun: deque[Future[tuple[int, bytes]]] = deque()
    for next_one in range(number):
        begun.append(pool.submit(work, next_one))
        while len(begun) > pool._max_workers or (begun and next_one == number - 1):
            while not begun[0].done():
                wait()
                _settle(begun[0])
            yield begun.popleft().result()
    wait()


def _settle(future: Future[tuple[int, bytes]]) -> None:
    try:
        future.exception(timeout=0.2)
    except TimeoutError:
        return


def check_index(vectors: Path, queries: int = 1000, seed: int = 1, threads: int = 0) -> Checked:
    """Recall of the 10 nearest and queries a second, both ways, for words drawn at random without repetition."""
    if queries < 1 or seed < 0:
        raise ValueError(f"queries must be at least 1 and seed at least 0, got {queries} and {seed}")
    exact, by_index = KeyedVectors.load(vectors), KeyedVectors.load(vectors, index=True)
    if by_index.index is None:
        raise StreamvecError(by_index.notes[-1] if by_index.notes else f"{vectors}: has no index: streamvec index")
    if not by_index.uses_index(_TOP):
        raise StreamvecError(f"{vectors}: {len(exact)} words: of so few all are looked at, and an index is not used")
    by_index.index.threads = threads
    ranks = np.sort(np.random.default_rng(seed).choice(len(exact), min(queries, len(exact)), replace=False))
    ranks = ranks[exact.rows(ranks).any(axis=1)]  # zeros are near to nothing
    rows = exact.rows(ranks)
    found, seconds = [], []
    for search in (exact.nearest, by_index.nearest_by_index):
        search(rows[:1], _TOP + 1)  # opens what is opened once
        begin = time.perf_counter()
        found.append(search(rows, _TOP + 1)[0])
        seconds.append(time.perf_counter() - begin)
    right = sum(
        len(set(a[a != me].tolist()[:_TOP]) & set(b[b != me].tolist()[:_TOP]))
        for a, b, me in zip(*found, ranks, strict=True)
    )
    wanted = sum(len(a[a != me][:_TOP]) for a, me in zip(found[0], ranks, strict=True))
    return Checked(len(rows), right / max(1, wanted), len(rows) / seconds[0], len(rows) / seconds[1])
