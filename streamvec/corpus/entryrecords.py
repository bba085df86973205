"""What a record of Stanford's cooccurrence.bin is, and whether a file begins like one.

Records of 16 bytes, little-endian: int32 row and int32 column, numbers of lines of vocab.txt from 1, and a float64
value. There is no header: a file is known by its first records alone.
"""

import numpy as np

RECORD = np.dtype([("row", "<i4"), ("column", "<i4"), ("value", "<f8")])
RECORD_BYTES = RECORD.itemsize
_LARGEST_ID = 1 << 28  # the date in a gzip header, where a column would be, is above
_VALUES = 1e-30, 1e30  # letters, also of two bytes each, make numbers far beyond


def looks_like_entries(head: bytes) -> bool:
    """Whether these first bytes of a file are co-occurrences: ids, values of a likely size, and not text."""
    records = np.frombuffer(head[: len(head) // RECORD_BYTES * RECORD_BYTES], RECORD)
    if not records.size or b"\0" not in head:
        return False
    ids_fit = all(((records[name] >= 1) & (records[name] <= _LARGEST_ID)).all() for name in ("row", "column"))
    low, high = _VALUES
    return bool(ids_fit and ((records["value"] >= low) & (records["value"] <= high)).all())
