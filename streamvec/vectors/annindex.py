"""NAME.index: graphs that lead to near vectors without looking at all of them, beside the NAME.arrow that they are of.

Each part holds 131,072 rows (the last one the rest) as a graph by usearch (HNSW; Malkov and Yashunin 2016), which is
mapped, not read. A search asks every part and takes twice as many candidates as were asked for; their cosines are then
computed from the vectors themselves, so what is found has the same similarity as in an exact search: only
neighbours can be missing.

The file is the parts end to end, each at a multiple of 64 bytes, then JSON that says what they are, its length (8
bytes) and ``SVINDEX1``. The JSON has the checksum of the vectors, so that other vectors are noticed, its own, and that
of all before it: a graph is followed wherever it leads, so up to 1 GB is read against it on opening (a tenth of a
second), and all of it by ``streamvec verify``.
"""

import mmap
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import xxhash

from streamvec.disk.files import named_problems, unsealed_json
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
_BLOCK = 1 << 24
_CHECKED = 1 << 30  # bytes of graphs that are read against their checksum before they are used


class Part(NamedTuple):
    """One graph: its rows, and where its bytes are."""

    rows: int
    start: int
    size: int


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
        self.path = path
        self.about = read_about(path)
        empty_graph(*self._shape())  # is usearch there?
        if self.about["body"] <= _CHECKED:
            _check_body(path, self.about)
        self.threads = threads
        self._graphs: list[Any] = []
        self._map: mmap.mmap | None = None

    @property
    def vectors(self) -> str:
        """The checksum of the vectors that it was made of."""
        return str(self.about["vectors"])

    def candidates(self, queries: np.ndarray, number: int) -> np.ndarray:
        """int64[q, n]: ranks of about *number* rows near to each query float[q, dim]; -1 where there are fewer."""
        parts = self.about["parts"]
        asked = quantized(queries, self.about["dtype"])
        found, distances, base = [], [], 0
        for part, graph in zip(parts, self._opened(), strict=True):
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

    def _shape(self) -> tuple[int, str, int, int]:
        dim, dtype, connectivity, expansion = (
            self.about[name] for name in ("dim", "dtype", "connectivity", "expansion")
        )
        return dim, dtype, connectivity, expansion

    def _opened(self) -> list[Any]:
        if not self._graphs:
            with named_problems(self.path), self.path.open("rb") as file:
                self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
            view = memoryview(self._map)
            for part in self.about["parts"]:
                graph = empty_graph(*self._shape())
                try:
                    graph.view(view[part.start : part.start + part.size])
                    if len(graph) != part.rows:
                        raise ValueError(f"{len(graph)} rows, expected {part.rows}")
                except Exception as problem:  # usearch raises what it likes
                    raise StreamvecError(
                        f"{self.path}: damaged ({problem}): streamvec index --overwrite makes it again"
                    ) from problem
                self._graphs.append(graph)
        return self._graphs


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
    with named_problems(path), path.open("rb") as file:
        file.seek(max(0, file.seek(0, 2) - len(MAGIC)))
        return file.read() == MAGIC


def read_about(path: Path) -> dict[str, Any]:
    """What an index says of itself, "parts" as `Part`; StreamvecError where it is damaged or of a newer version."""
    damaged = f"{path}: damaged or cut short, or no index of streamvec: streamvec index --overwrite makes it again"
    with named_problems(path), path.open("rb") as file:
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
            f"{path}: version {about.get('version')} of indexes, this streamvec reads {VERSION}: "
            "streamvec index --overwrite makes it again"
        )
    about["parts"] = [Part(*part) for part in about["parts"]]
    about["body"] = size - _TAIL - length
    if any(part.start + part.size > about["body"] for part in about["parts"]):
        raise StreamvecError(damaged)
    return about


def verify_index(path: Path) -> str:
    """Reads every byte of an index and returns its checksum; StreamvecError when it is damaged."""
    return _check_body(path, read_about(path))


def _check_body(path: Path, about: dict[str, Any]) -> str:
    digest = xxhash.xxh3_128()
    with named_problems(path), path.open("rb") as file:
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)  # twice as fast as reading into memory of ours
    with mapped, memoryview(mapped) as view:
        for start in range(0, about["body"], _BLOCK):
            with view[start : min(start + _BLOCK, about["body"])] as block:
                digest.update(block)
            mapped.madvise(mmap.MADV_DONTNEED, start, min(_BLOCK, len(mapped) - start))  # stays in the page cache only
    found: str = digest.hexdigest()
    if found != about["body_checksum"]:
        raise StreamvecError(
            f"{path}: damaged: its content has checksum {found}, it was written with {about['body_checksum']}: "
            "streamvec index --overwrite makes it again"
        )
    return found
