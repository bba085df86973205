"""Co-occurrences: how often words stand near each other, in Arrow files in the order in which GloVe trains on them.

Columns ``row`` and ``column`` (int32, ids of words) and ``value`` (float32, above 0). The vocabulary is cut into bands
and entries stand block by block, round by round, as `streamvec.kernels.cooccurrences` has it. A record batch holds
entries of one round. Where windows have both sides the matrix is symmetric: each pair is there once, with the lower id
as its row, and stands for its mirror image, too.
"""

import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from streamvec.corpus.shardfiles import ShardFiles
from streamvec.errors import StreamvecError
from streamvec.kernels.records import Bands, Reach

KIND = "cooccurrences"
SCHEMA = pa.schema(
    [
        pa.field("row", pa.int32(), nullable=False),
        pa.field("column", pa.int32(), nullable=False),
        pa.field("value", pa.float32(), nullable=False),
    ]
)
BATCH_ENTRIES = 1 << 18
ENTRY_BYTES = 12
SIDES, WEIGHTINGS = ("both", "left", "right"), ("distance", "flat")
_DIRECTIONS = {"both": 0, "right": 1, "left": 2}
_UNITS = 720_720  # a neighbour's weight 1/1 ... 1/16 is a whole number of these parts
_BAND_WORDS = 256  # records of two bands of this size, of 100 numbers, lie in a second cache of 1 MB
_MOST_BANDS = 1023
_HEAVY = 64  # no band has more than this part of all entries, if it can be: blocks of a round then take alike


@dataclass(frozen=True)
class Counted:
    """Which neighbours count, and how much; part of what decides the bytes of the result."""

    window: int
    sides: str = "both"
    weighting: str = "distance"

    @property
    def unit(self) -> int:
        """Sums are whole numbers of such parts of 1."""
        return _UNITS if self.weighting == "distance" else 1

    @property
    def symmetric(self) -> bool:
        """Whether (row, column) counts what (column, row) does."""
        return self.sides == "both"

    def reach(self) -> Reach:
        """The same for kernels. From a distance of 17 on, 1/distance is rounded to a 720,720th."""
        weights = np.zeros(self.window + 1, np.int64)
        distances = np.arange(1, self.window + 1)
        weights[1:] = np.maximum(1, np.rint(_UNITS / distances)) if self.weighting == "distance" else 1
        return Reach(weights, _DIRECTIONS[self.sides])

    def to_json(self) -> dict[str, Any]:
        """What the co-occurrences of a corpus depend on."""
        return asdict(self)


def bands_of(counts: np.ndarray, window: int) -> Bands:
    """Cuts a vocabulary, int64[V] counts by rank, into an odd number of bands.

    A band has at most 256 words (more where that would be over 1,023 bands), and fewer where these are frequent: a
    word has at most as many different neighbours as there are words, and as there are places near it.
    """
    words = len(counts)
    most = max(_BAND_WORDS, math.ceil(words / (_MOST_BANDS - 2 * _HEAVY)))
    neighbours = np.minimum(float(words), 2.0 * window * counts)
    limit = neighbours.sum() / _HEAVY
    starts = [0]
    totals = np.concatenate([[0.0], np.cumsum(neighbours)])
    while starts[-1] < words:
        first = starts[-1]
        within = int(np.searchsorted(totals, totals[first] + limit, side="right")) - 1
        starts.append(min(words, first + most, max(first + 1, within)))
    if len(starts) % 2:  # an even number of bands: the last one is empty
        starts.append(words)
    edges = np.array(starts, np.int64)
    sizes = np.diff(edges)
    bits = max(1, int(sizes.max() - 1).bit_length())
    numbers = np.repeat(np.arange(len(sizes)), sizes)
    return Bands(edges, numbers << bits | np.arange(words) - edges[numbers], bits)


def own(bands: Bands) -> Bands:
    """The same for kernels, which know one type: what came from another process is read-only, and copied."""
    starts, of = (np.require(array, requirements="W") for array in (bands.starts, bands.of))
    return Bands(starts, of, bands.bits)


class Entries(NamedTuple):
    """Some co-occurrences of one round; read-only."""

    rows: np.ndarray  # int32[n]
    columns: np.ndarray  # int32[n]
    values: np.ndarray  # float32[n]
    first: int  # number of the first among all entries


class Cooccurrences(ShardFiles):
    """Co-occurrences on disk, read a record batch at a time."""

    KIND = KIND
    SCHEMA = SCHEMA
    AGAIN = "remove the folder {folder}, and streamvec resume {run} counts the pairs again"

    def __init__(self, folder: Path, index: dict[str, Any]) -> None:
        super().__init__(folder, index)
        self.stored: int = index["stored"]  # rows of the files
        self.entries: int = index["entries"]  # of the matrix: both of a pair and its mirror image
        self.counted: dict[str, Any] = index["counted"]
        self.mirrored: bool = index["mirrored"]
        self.bands: np.ndarray = np.array(index["bands"], np.int64)
        sizes = [size for file in self._files for size in file["sizes"]]
        self._begins = np.cumsum([0, *sizes])  # number of the first entry of each record batch

    def batch(self, number: int) -> Entries:
        """Record batch *number*, read and validated; see `record_batch` for what may be wrong."""
        found, path = self.record_batch(number)
        rows, columns, values = (column.to_numpy() for column in found.columns)
        ids_end = self.vocabulary_size
        if rows.size and not (min(rows.min(), columns.min()) >= 0 and max(rows.max(), columns.max()) < ids_end):
            raise StreamvecError(f"{path}: damaged: batch {number} holds ids beyond the {ids_end} words")
        if rows.size and not (values.min() >= np.finfo(np.float32).tiny and values.max() < np.inf):
            raise StreamvecError(f"{path}: damaged: batch {number} holds values that are not above 0 and finite")
        return Entries(rows, columns, values, int(self._begins[number]))
