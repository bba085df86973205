"""Files of Stanford's GloVe, written byte by byte as its tools would: trained on, named or piped in."""

import gzip
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from cooccurring import in_float32
from stanford_files import FAST, PROGRAM, WORDS, counted_in, packed, summed, unpacked
from starting import Notes

import streamvec as sv
from streamvec.corpus.cooccurrences import Cooccurrences
from streamvec.corpus.vocabulary import Vocabulary
from streamvec.errors import StreamvecError
from streamvec.training.run import Run


def test_a_small_file_is_the_matrix_it_says(cooccurrence_bin: Path, vocab_txt: Path, tmp_path: Path) -> None:
    vectors = sv.train_glove(cooccurrence_bin, tmp_path / "run", vocab=vocab_txt, **FAST)
    assert list(vectors.words) == WORDS and vectors.dim == 8
    expected = summed(unpacked(cooccurrence_bin.read_bytes()))
    assert any(
        (column, row) not in expected or expected[column, row] != value for (row, column), value in expected.items()
    )
    assert counted_in(tmp_path / "run") == in_float32(expected)
    vocabulary = Vocabulary.load(tmp_path / "run" / "vocabulary.arrow")
    assert vocabulary.counts.tolist() == [100, 99, 98, 97, 96, 95, 94]
    assert not Cooccurrences.open(tmp_path / "run" / "cooccurrences").mirrored
    assert not (tmp_path / "run" / "shards").exists()


@pytest.mark.parametrize("option", ["window", "sides", "weighting", "min_count", "tokens", "phrases", "column"])
def test_options_about_text_are_refused(cooccurrence_bin: Path, vocab_txt: Path, tmp_path: Path, option: str) -> None:
    value = {"sides": "left", "weighting": "flat", "tokens": "whitespace", "column": "text"}.get(option, 3)
    with pytest.raises(ValueError, match=f"{option} says what is counted in text"):
        sv.train_glove(cooccurrence_bin, tmp_path / "run", vocab=vocab_txt, **{option: value})
    about = "config", "text"
    sv.train_glove(cooccurrence_bin, tmp_path / "run", vocab=vocab_txt, **FAST)
    assert not any(option in Run.open(tmp_path / "run").about[part] for part in about)


def test_overwrite_replaces_and_without_it_nothing_is(cooccurrence_bin: Path, vocab_txt: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    sv.train_glove(cooccurrence_bin, run, vocab=vocab_txt, **FAST)
    with pytest.raises(StreamvecError, match="exists already"):
        sv.train_glove(cooccurrence_bin, run, vocab=vocab_txt, **FAST)
    cooccurrence_bin.write_bytes(packed([(1, 2, 4.0), (2, 1, 4.0)]))
    sv.train_glove(cooccurrence_bin, run, vocab=vocab_txt, overwrite=True, **FAST)
    assert counted_in(run) == {(0, 1): 4.0, (1, 0): 4.0}
    shutil.move(cooccurrence_bin, run / "cooccurrence.bin")
    with pytest.raises(StreamvecError, match=r"lies in .*, which would be replaced"):
        sv.train_glove(run / "cooccurrence.bin", run, vocab=vocab_txt, overwrite=True, **FAST)


def test_vectors_txt_is_begun_from_and_unk_is_a_word_like_another(
    cooccurrence_bin: Path, vocab_txt: Path, tmp_path: Path
) -> None:
    path, notes = tmp_path / "vectors.txt", Notes()
    rows = {"river": [0.25, -1, 0.5], "水": [1, 0.5, -0.125], "<unk>": [0.5, 0.75, 0.5], "absent": [8, 8, 8]}
    lines = [f"{word} {' '.join(f'{number:.6f}' for number in row)}\n" for word, row in rows.items()]
    path.write_text("".join([*lines[:2], lines[3], lines[2]]), encoding="utf-8")
    options = {"epochs": 1, "threads": 1, "learning_rate": 1e-9}
    vectors = sv.train_glove(cooccurrence_bin, tmp_path / "run", vocab=vocab_txt, vectors=path, report=notes, **options)
    assert vectors.dim == 3 and "<unk>" not in vectors
    assert f"2 of 7 words found in {path}; the others begin at random" in notes.said
    for word in ("river", "水"):
        assert vectors[word] == pytest.approx(rows[word], abs=1e-6)
    vocab_txt.write_text(vocab_txt.read_text(encoding="utf-8").replace("of ", "<unk> "), encoding="utf-8")
    again = sv.train_glove(cooccurrence_bin, tmp_path / "known", vocab=vocab_txt, vectors=path, **options)
    assert again["<unk>"] == pytest.approx(rows["<unk>"], abs=1e-6)


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gz"])
def test_entries_may_be_piped_in(cooccurrence_bin: Path, vocab_txt: Path, tmp_path: Path, pack: Any) -> None:
    sv.train_glove(cooccurrence_bin, tmp_path / "named", vocab=vocab_txt, **FAST)
    run, piped = tmp_path / "run", pack(cooccurrence_bin.read_bytes())
    start = [*PROGRAM, "train", "glove", "-", "--vocab", vocab_txt, "--out", run, "--dim", "8", "--epochs", "2"]
    subprocess.run(list(map(str, start)), input=piped, check=True, capture_output=True, timeout=120)
    assert (run / "vectors.arrow").read_bytes() == (tmp_path / "named" / "vectors.arrow").read_bytes()
    assert not (run / "input.zst").exists()
    ended = subprocess.run(
        [*PROGRAM, "train", "glove", "-", "--out", str(tmp_path / "other")],
        input=piped,
        capture_output=True,
        timeout=120,
    )
    assert ended.returncode == 1 and b"with --vocab vocab.txt" in ended.stderr
    assert not (tmp_path / "other").exists()
