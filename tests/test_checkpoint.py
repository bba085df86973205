"""Checkpoints: whole or not at all, the last two kept, damage noticed and named."""

import numpy as np
import pytest
from test_writing import cuts

from streamvec.errors import StreamvecError
from streamvec.models.step import Position
from streamvec.training.checkpoint import ARRAYS, STATE, Checkpoints


def arrays(value: float) -> dict[str, np.ndarray]:
    return {"inputs": np.full(1000, value, np.float32), "outputs": np.full((3, 5), -value, np.float32)}


def saved(folder, *positions) -> Checkpoints:
    checkpoints = Checkpoints(folder / "checkpoints")
    for number, position in enumerate(positions):
        checkpoints.save(Position(*position), arrays(number), {})
    return checkpoints


def test_the_last_two_are_kept_and_the_newest_is_loaded(tmp_path):
    checkpoints = saved(tmp_path, (0, 5), (0, 12), (1, 0))
    assert [path.name for path in checkpoints.paths()] == ["0001-000000000", "0000-000000012"]
    into = arrays(9)
    position, _ = checkpoints.load(into, pytest.fail)
    assert position == (1, 0)
    np.testing.assert_array_equal(into["inputs"], 2)


def test_none_without_checkpoints(tmp_path):
    assert Checkpoints(tmp_path / "checkpoints").load(arrays(0), pytest.fail) is None


@pytest.mark.parametrize("name", [ARRAYS, STATE])
def test_a_flipped_bit_falls_back_to_the_one_before_and_says_so(tmp_path, name):
    checkpoints = saved(tmp_path, (0, 5), (0, 12))
    path = checkpoints.paths()[0] / name
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2] ^= 4
    path.write_bytes(raw)
    notes = []
    into = arrays(9)
    position, _ = checkpoints.load(into, notes.append)
    assert position == (0, 5)
    np.testing.assert_array_equal(into["inputs"], 0)
    assert len(notes) == 1 and "0000-000000012" in notes[0] and "damaged" in notes[0]
    assert len(checkpoints.paths()) == 1


@pytest.mark.parametrize("length", [0, 7, 100])
def test_a_file_cut_short_is_noticed(tmp_path, length):
    checkpoints = saved(tmp_path, (0, 5))
    path = checkpoints.paths()[0] / ARRAYS
    path.write_bytes(path.read_bytes()[:length])
    for _ in range(2):  # nor is it forgotten: the next one does not begin anew without a word
        with pytest.raises(StreamvecError, match="all checkpoints were damaged"):
            checkpoints.load(arrays(0), lambda note: None)
    again = saved(tmp_path, (0, 5)).paths()[0] / ARRAYS
    again.write_bytes(again.read_bytes()[:length])
    with pytest.raises(StreamvecError, match="all checkpoints were damaged"):
        checkpoints.load(arrays(0), lambda note: None)
    names = sorted(path.name for path in checkpoints.folder.iterdir())
    assert names == ["0000-000000005.damaged", "0000-000000005.damaged-2"]


def test_a_half_written_one_does_not_count(tmp_path):
    checkpoints = saved(tmp_path, (0, 5))
    (checkpoints.folder / "0000-000000009.partial").mkdir()
    assert len(checkpoints.paths()) == 1
    checkpoints.save(Position(0, 9), arrays(3), {})
    assert [path.name for path in checkpoints.folder.iterdir() if path.suffix] == []


def test_arrays_of_another_shape_are_refused(tmp_path):
    checkpoints = saved(tmp_path, (0, 5))
    with pytest.raises(StreamvecError, match="damaged"):
        checkpoints.load(
            {"inputs": np.zeros(10, np.float32), "outputs": np.zeros((3, 5), np.float32)}, lambda note: None
        )


def test_one_that_was_given_another_name_is_not_taken(tmp_path):
    checkpoints = saved(tmp_path, (0, 5), (0, 12))
    checkpoints.paths()[0].rename(checkpoints.folder / "0003-000000000")
    notes = []
    position, _ = checkpoints.load(arrays(9), notes.append)
    assert position == (0, 5) and "is not the checkpoint its state.json speaks of" in notes[0]


def test_a_power_cut_while_one_is_saved_leaves_one_that_is_whole(tmp_path):
    """And once it is saved, that one."""
    checkpoints = saved(tmp_path, (0, 5), (0, 12))
    whole = {f"checkpoints/{path.name}/{name}" for path in checkpoints.paths() for name in (ARRAYS, STATE)}
    for done, left in cuts(tmp_path, lambda: checkpoints.save(Position(1, 0), arrays(3), {})):
        new = {name for name in left if name.startswith("checkpoints/0001-000000000/")}
        assert len(new) == 2 if done else len(new) in (0, 2)
        assert len(left.keys() & whole) >= (2 if new else 4)
