"""Labels by name: ids by code point, counts, unknown ones, and what cannot be labels."""

from collections import Counter

import pytest

from streamvec.corpus.labels import Labels
from streamvec.disk.files import write_json
from streamvec.errors import StreamvecError

ROWS = [["b", "a"], ["ä"], [], ["a", "B", "a"]]


def test_labels_are_sorted_and_counted(tmp_path):
    labels = Labels.of(ROWS)
    counted = Counter(name for row in ROWS for name in row)
    assert labels.names == sorted(counted) == ["B", "a", "b", "ä"]
    assert labels.counts == [counted[name] for name in labels.names]
    found = labels.ids([["a", "b"], [], ["never", "ä"]])
    assert (found.values.tolist(), found.lengths.tolist()) == ([1, 2, -1, 3], [2, 0, 2])
    labels.save(tmp_path / "labels.json")
    again = Labels.load(tmp_path / "labels.json")
    assert (again.names, again.counts, len(again)) == (labels.names, labels.counts, 4)


@pytest.mark.parametrize(("rows", "said"), [([], "found none"), ([["x"], ["x"]], "found only 'x'")])
def test_two_are_needed(rows, said):
    with pytest.raises(StreamvecError, match=said):
        Labels.of(rows)


def test_texts_are_no_labels():
    assert len(Labels.of([f"label {number}"] for number in range(10_000))) == 10_000
    with pytest.raises(StreamvecError, match=r"more than 10,000 different labels, such as .*--columns"):
        Labels.of([f"label {number}"] for number in range(10_001))


def test_damage_is_named(tmp_path):
    path = tmp_path / "labels.json"
    with pytest.raises(StreamvecError, match=r"labels.json"):
        Labels.load(path)
    write_json(path, {"labels": ["a"]})
    with pytest.raises(StreamvecError, match=r"labels.json: 'counts' is missing"):
        Labels.load(path)
    Labels(["a", "b"], [1, 2]).save(path)
    path.write_bytes(path.read_bytes().replace(b'"a"', b'"c"'))
    with pytest.raises(StreamvecError, match="checksum does not match"):
        Labels.load(path)
