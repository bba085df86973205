"""Files of embedded lines: what is in them, that they appear whole, and that nn takes them."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from streamvec.disk.arrow import verify_arrow
from streamvec.errors import StreamvecError
from streamvec.vectors import KeyedVectors
from streamvec.vectors.sentencefiles import sentence_file

TEXTS = ["a boat on the river", "", "서울에서", "x" * 3000, "last"]
MATRIX = np.random.default_rng(0).standard_normal((5, 6)).astype(np.float32)


def write(path: Path, overwrite: bool = False) -> None:
    with sentence_file(path, 6, overwrite) as append:
        append(TEXTS[:2], MATRIX[:2])
        append(TEXTS[2:], MATRIX[2:])


def test_tables_hold_text_and_vector(tmp_path: Path) -> None:
    for name in ("v.arrow", "v.parquet"):
        write(tmp_path / name)
        if name == "v.arrow":
            verify_arrow(tmp_path / name)
            table = pa.ipc.open_file(tmp_path / name).read_all()
        else:
            table = pq.read_table(tmp_path / name)
        assert table.column_names == ["text", "vector"] and table["text"].to_pylist() == TEXTS
        kind = table.schema.field("vector").type
        assert pa.types.is_fixed_size_list(kind) and (kind.list_size, kind.value_type) == (6, pa.float32())
        np.testing.assert_array_equal(np.array(table["vector"].to_pylist(), np.float32), MATRIX)
        opened = KeyedVectors.load(tmp_path / name)  # lines are words there: nn finds the nearest ones
        np.testing.assert_array_equal(opened["서울에서"], MATRIX[2])


@pytest.mark.parametrize("rows", [0, 5])
def test_npy_holds_the_vectors_alone(tmp_path: Path, rows: int) -> None:
    with sentence_file(tmp_path / "v.npy", 6) as append:
        for row in range(rows):
            append(TEXTS[row : row + 1], MATRIX[row : row + 1])
    np.testing.assert_array_equal(np.load(tmp_path / "v.npy"), MATRIX[:rows])


@pytest.mark.parametrize("name", ["v.arrow", "v.parquet", "v.npy"])
def test_a_file_appears_whole_or_not_at_all(tmp_path: Path, name: str) -> None:
    with pytest.raises(KeyboardInterrupt), sentence_file(tmp_path / name, 6) as append:
        append(TEXTS, MATRIX)
        raise KeyboardInterrupt
    assert not list(tmp_path.iterdir())
    write(tmp_path / name)
    before = (tmp_path / name).read_bytes()
    with pytest.raises(StreamvecError, match="exists already"):
        write(tmp_path / name)
    write(tmp_path / name, overwrite=True)
    assert (tmp_path / name).read_bytes() == before


def test_another_suffix_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"out must end in \.npy, \.parquet, \.arrow, got 'v\.csv'"):
        write(tmp_path / "v.csv")
