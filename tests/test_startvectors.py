"""Beginning with vectors of any file: which rows are taken, what is refused, the same bytes after a stop."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from starting import FIRST, NEW, rows_of, words_of

import streamvec as sv
from streamvec.corpus.vocabulary import Vocabulary
from streamvec.errors import Interrupted, StreamvecError
from streamvec.vectors.exports import export_vectors


@pytest.mark.parametrize("name", ["run", "vectors.arrow", "v.bin", "v.vec.gz", "v.npy", "v.txt.zst", "v.parquet"])
def test_vectors_of_any_format_are_what_words_begin_with(
    old_and_new: tuple[Path, Path], old_run: Path, tmp_path: Path, begun: Any, name: str
) -> None:
    before = sv.KeyedVectors.load(old_run)
    path = {"run": old_run, "vectors.arrow": old_run / "vectors.arrow"}.get(name, tmp_path / name)
    if path.parent == tmp_path:
        export_vectors(before, path, "glove" if ".txt" in name else None)
    notes = begun(old_and_new[1], tmp_path / "new", vectors=path, **NEW)
    inputs, outputs = (rows_of(tmp_path / "new", FIRST, name) for name in ("inputs", "outputs"))
    found = [word for word in inputs if word in before]
    assert len(found) == len(inputs) - 3
    assert all((inputs[word] == before[word]).all() for word in found)
    assert all(0 < np.abs(inputs[word]).max() <= 0.5 / 40 for word in ("trout", "steamer", "castle"))
    assert not any(row.any() for row in outputs.values())
    assert f"{len(found)} of {len(inputs)} words found in {path}; the others begin at random" in notes.said
    assert sv.resume(tmp_path / "new").dim == 40
    counts = Vocabulary.load(tmp_path / "new" / "vocabulary.arrow").counts
    assert counts.sum() == sum(word in inputs for word in old_and_new[1].read_text().split())  # those of the text alone


def test_the_first_of_rows_with_the_same_word_is_taken(
    old_and_new: tuple[Path, Path], tmp_path: Path, begun: Any
) -> None:
    path = tmp_path / "v.txt"
    path.write_text("river 1 2 3\nlake 4 5 6\nriver 7 8 9\nnowhere 1 1 1\n")
    begun(old_and_new[1], tmp_path / "new", vectors=path, **NEW)
    rows = rows_of(tmp_path / "new", FIRST, "inputs", dim=3)
    assert rows["river"].tolist() == [1, 2, 3] and rows["lake"].tolist() == [4, 5, 6]


def test_vectors_give_the_same_bytes_on_threads_and_after_a_stop(
    old_and_new: tuple[Path, Path], old_run: Path, tmp_path: Path
) -> None:
    path = tmp_path / "v.vec"
    export_vectors(sv.KeyedVectors.load(old_run), path)
    sv.train_skipgram(old_and_new[1], tmp_path / "whole", vectors=path, **NEW)
    run = tmp_path / "run"
    with pytest.raises(Interrupted):
        sv.train_skipgram(old_and_new[1], run, vectors=path, stop=(run / "shards" / "index.json").exists, **NEW)
    text = path.read_text()
    path.write_text(text.replace("river", "reveR"))
    with pytest.raises(StreamvecError, match=r"v.vec: changed since .* was begun"):
        sv.resume(run)
    path.write_text(text)
    sv.resume(run, threads=2)
    assert (run / "vectors.arrow").read_bytes() == (tmp_path / "whole" / "vectors.arrow").read_bytes()


def test_vectors_that_do_not_fit_are_refused(old_and_new: tuple[Path, Path], old_run: Path, tmp_path: Path) -> None:
    def refused(message: str, **options: Any) -> None:
        with pytest.raises(StreamvecError, match=message):
            sv.train_skipgram(old_and_new[1], tmp_path / "new", **NEW | options)

    refused(r"its vectors have 40 numbers, not 50: leave --dim out, or give --dim 40", vectors=old_run, dim=50)
    refused("no such file", vectors=tmp_path / "nothing")
    assert not (tmp_path / "new").exists()
    (tmp_path / "strange.txt").write_text("elsewhere 1 2\n")
    refused(r"none of its 1 words is in the vocabulary", vectors=tmp_path / "strange.txt")


def test_shards_of_a_run_go_with_vectors(old_and_new: tuple[Path, Path], old_run: Path, tmp_path: Path) -> None:
    assert len(sv.train_skipgram(old_run, tmp_path / "new", vectors=old_run, epochs=1)) == len(words_of(old_run))
