"""NAME.index: graphs that lead to near vectors without looking at all of them, beside the NAME.arrow that they are of.

Each part holds 131,072 rows (the last one the rest) as a graph by usearch (HNSW; Malkov and Yashunin 2016), which is
mapped, not read. A search asks every part and takes twice as many candidates as were asked for; their cosines are then
computed from the vectors themselves, so what is found has the same similarity as in an exact search: only
neighbours can be missing.

The file is the parts end to end, each at a multiple of 64 bytes, then JSON that says what they are, its length (8
bytes) and ``SVINDEX1``. The JSON has the checksum of the vectors, so that other vectors are noticed, that of each part,
and its own. A graph is followed wherever it leads, so up to 1 GB all parts are read against theirs on opening (some
hundredths of a second), and always by ``streamvec verify``.
"""

import mmap
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import xxhash

from streamvec.disk.reading import mapped, opened
from streamvec.disk.sealed import unsealed_json
from streamvec.errors import StreamvecError

SUFFIX = ".index"
MAGIC = b"SVINDEX1"
VERSION = 1
ALIGNED = 64
MOST = 1000  # neighbours that a graph is asked for; more are found by looking at all vectors
DTYPES = ("i8", "f16", "f32")
_TAIL = len(MAGIC) + 8
_LARGEST = 1 << 26  # bytes of JSON: half a million parts
_BREADTH = 128  # candidates that a search in a graph keeps
_AGAIN = "streamvec index --overwrite makes it again"
_CHECKED = 1 << 30  # bytes of graphs that are read against their checksum before they are used


class Part(NamedTuple):
    """One graph: its rows, where its bytes are, and the xxh3-128 of these and what follows up to a multiple of 64."""

    rows: int
    start: int
    size: int
    checksum: str

    @property
    def end(self) -> int:
        """Where the next part begins."""
        return self.start + self.size + -self.size % ALIGNED


def index_beside(vectors: Path) -> Path:
    """Where the index of a file of vectors is."""
    return vectors.with_name(vectors.name.removesuffix(".arrow") + SUFFIX)


def quantized(rows: np.ndarray, dtype: str) -> np.ndarray:
    """Rows float[n, dim] as a graph holds them: of length 1, or int8 whose largest number is 127 or -127."""
    if dtype == "i8":
        largest = np.abs(rows).max(axis=1, keepdims=True, initial=0)
        return np.rint(rows / np.where(largest > 0, largest, 1) * 127).astype(np.int8)
    lengths = np.sqrt((rows.astype(np.float64) ** 2).sum(axis=1, keepdims=True))
    return (rows / np.where(lengths > 0, lengths, 1)).astype(np.float16 if dtype == "f16" else np.float32)


def empty_graph(dim: int, dtype: str, connectivity: int, expansion: int) -> Any:
    """A graph of usearch's without rows; StreamvecError where that is not installed."""
    try:
        from usearch.index import Index
    except ImportError:
        raise StreamvecError("an index needs usearch: pip install 'streamvec[ann]'") from None
    return Index(
        ndim=dim,
        metric="cos",
        dtype=dtype,
        connectivity=connectivity,
        expansion_add=expansion,
        expansion_search=_BREADTH,
        enable_key_lookups=False,
    )


class AnnIndex:
    """An open index; raises StreamvecError where it is damaged or cut short."""

    def __init__(self, path: Path, threads: int = 0) -> None:
        """threads: of searches of several queries; 0 is all cores."""
        self.path, self.threads = path, threads
        self.about = read_about(path)
        self._map = mapped(path)
        is_checked = self.about["parts"][-1].end <= _CHECKED if self.about["parts"] else False
        with ThreadPoolExecutor(os.cpu_count() or 1) as pool:  # usearch goes through all of a graph to open it
            self._graphs = list(pool.map(lambda part: self._opened(part, is_checked), self.about["parts"]))

    def candidates(self, queries: np.ndarray, number: int) -> np.ndarray:
        """int64[q, n]: ranks of about *number* rows near to each query float[q, dim]; -1 where there are fewer."""
        parts = self.about["parts"]
        asked = quantized(queries, self.about["dtype"])
        found, distances, base = [], [], 0
        for part, graph in zip(parts, self._graphs, strict=True):
            take = min(number, part.rows)
            graph.expansion_search = max(_BREADTH, 2 * take)
            keys, far, counts = _searched(graph, asked, take, self.threads)
            here = np.arange(take) < counts[:, None]
            found.append(np.where(here, keys.astype(np.int64) + base, -1))
            distances.append(np.where(here, far, np.inf))
            base += part.rows
        ranks, all_far = np.concatenate(found, axis=1), np.concatenate(distances, axis=1)
        order = np.lexsort((ranks, all_far), axis=1)[:, :number]
        return np.take_along_axis(ranks, order, axis=1)

    def _opened(self, part: Part, is_checked: bool) -> Any:
        if is_checked:
            _check_part(self.path, self._map, part)
        graph = empty_graph(*(self.about[name] for name in ("dim", "dtype", "connectivity", "expansion")))
        try:
            graph.view(memoryview(self._map)[part.start : part.start + part.size])
            if len(graph) != part.rows:
                raise ValueError(f"{len(graph)} rows, expected {part.rows}")
        except Exception as problem:  # usearch raises what it likes
            raise StreamvecError(f"{self.path}: damaged ({problem}): {_AGAIN}") from problem
        return graph


def _searched(graph: Any, asked: np.ndarray, take: int, threads: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(keys uint64[q, take], distances float32[q, take], how many of these are found int64[q])."""
    if len(asked) > 1:
        several = graph.search(asked, take, threads=threads)
        return several.keys, several.distances, np.asarray(several.counts)
    one, keys, distances = graph.search(asked[0], take, threads=1), np.zeros((1, take), np.uint64), np.zeros((1, take))
    keys[0, : len(one)], distances[0, : len(one)] = one.keys, one.distances
    return keys, distances, np.array([len(one)])


def is_index(path: Path) -> bool:
    """Whether a file ends as an index does."""
    with opened(path) as file:
        file.seek(max(0, file.seek(0, 2) - len(MAGIC)))
        return file.read() == MAGIC


def read_about(path: Path) -> dict[str, Any]:
    """What an index says of itself, "parts" as `Part`; StreamvecError where it is damaged or of a newer version."""
    damaged = f"{path}: damaged or cut short, or no index of streamvec: {_AGAIN}"
    with opened(path) as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - _TAIL))
        tail = file.read(_TAIL)
        length = int.from_bytes(tail[:8], "little")
        if len(tail) < _TAIL or tail[8:] != MAGIC or not 0 < length <= min(_LARGEST, size - _TAIL):
            raise StreamvecError(damaged)
        file.seek(size - _TAIL - length)
        about = unsealed_json(file.read(length), path)
    if about.get("version") != VERSION:
        raise StreamvecError(
            f"{path}: version {about.get('version')} of indexes, this streamvec reads {VERSION}: {_AGAIN}"
        )
    about["parts"] = [Part(*part) for part in about["parts"]]
    ends = [0, *(part.end for part in about["parts"])]
    if [part.start for part in about["parts"]] != ends[:-1] or ends[-1] != size - _TAIL - length:
        raise StreamvecError(damaged)
    return about


def verify_index(path: Path) -> str:
    """Reads every byte of an index and returns the checksum of its parts' checksums; StreamvecError when damaged."""
    about = read_about(path)
    with mapped(path) as pages:
        for part in about["parts"]:
            _check_part(path, pages, part)
            pages.madvise(mmap.MADV_DONTNEED)  # stays in the page cache, and no longer counts as ours
    found: str = xxhash.xxh3_128_hexdigest("".join(part.checksum for part in about["parts"]).encode())
    return found


def _check_part(path: Path, pages: mmap.mmap, part: Part) -> None:
    with memoryview(pages) as view, view[part.start : part.end] as some:
        found = xxhash.xxh3_128_hexdigest(some)
    if found != part.checksum:
        raise StreamvecError(
            f"{path}: damaged: a part has checksum {found}, it was written with {part.checksum}: {_AGAIN}"
        )
