"""Whole files in the wrong place: their own checksums are right, so what others state of them must be compared."""

import shutil
from pathlib import Path
from typing import Any

import pytest
from conftest import two_topics
from glove_runs import unfinish
from task_runs import reviews, write_tsv

import streamvec as sv
from streamvec.errors import Interrupted, StreamvecError
from streamvec.training.checking import DAMAGED
from streamvec.training.verify import verify
from streamvec.vectors import KeyedVectors

SMALL: dict[str, Any] = {"dim": 8, "epochs": 2, "min_count": 2, "threads": 1}
WORDS = {**SMALL, "subwords": "3-4", "buckets": 40}


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Finished RUNs of two texts, with n-grams, and of two files of labels; not to be changed."""
    folder = tmp_path_factory.mktemp("two")
    for number in (1, 2):
        (folder / f"{number}.txt").write_text(two_topics(300, seed=number))
        write_tsv(folder / f"{number}.tsv", reviews(80, number))
        sv.train_skipgram(folder / f"{number}.txt", folder / f"words{number}", **WORDS)
        sv.train_task("classifier", folder / f"{number}.tsv", folder / f"labels{number}", **SMALL)
    return folder


def exchanged(two: Path, tmp_path: Path, kind: str, name: str) -> Path:
    """The first RUN of a kind, with a file of the second."""
    run = Path(shutil.copytree(two / f"{kind}1", tmp_path / "run"))
    shutil.copy(two / f"{kind}2" / name, run / name)
    return run


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("words", "vocabulary.arrow"),
        ("words", "shards/00000.arrow"),
        ("labels", "vocabulary.arrow"),
        ("labels", "examples/00000.arrow"),
    ],
)
def test_a_file_of_another_run_is_told_and_not_trained_on(two: Path, tmp_path: Path, kind: str, name: str) -> None:
    run = unfinish(exchanged(two, tmp_path, kind, name))
    assert [file for file in verify(run) if file.state == DAMAGED]
    with pytest.raises(StreamvecError, match=r"another vocabulary|checksum|expected"):
        sv.resume(run, threads=1)
    assert not (run / "vectors.arrow").exists()


def test_a_shard_of_the_same_size_is_told_by_its_checksum(two: Path, tmp_path: Path) -> None:
    """Another order of the same words: nothing but the checksum tells."""
    lines = (two / "1.txt").read_text().splitlines()
    (tmp_path / "turned.txt").write_text("\n".join([lines[1], lines[0], *lines[2:]]) + "\n")
    other = tmp_path / "other"
    sv.train_skipgram(tmp_path / "turned.txt", other, **WORDS)
    run = unfinish(Path(shutil.copytree(two / "words1", tmp_path / "run")))
    shard = run / "shards" / "00000.arrow"
    size = shard.stat().st_size
    shutil.copy(other / "shards" / "00000.arrow", shard)
    assert shard.stat().st_size == size
    assert [file.path for file in verify(run) if file.state == DAMAGED] == [shard]
    with pytest.raises(StreamvecError, match=r"00000\.arrow: its checksum is \w+, index\.json says"):
        sv.resume(run, threads=1)


def test_the_n_grams_of_another_run_are_refused(two: Path, tmp_path: Path) -> None:
    run = exchanged(two, tmp_path, "words", "vectors.ngrams.arrow")
    with pytest.raises(StreamvecError, match=r"holds the n-grams of other words than vectors\.arrow"):
        KeyedVectors.load(run)["unheard"]


def test_the_checkpoint_of_another_run_is_put_aside(two: Path, tmp_path: Path) -> None:
    run = Path(shutil.copytree(two / "words1", tmp_path / "run"))
    (run / "vectors.arrow").unlink()
    newest, other = (sorted((at / "checkpoints").iterdir())[-1] for at in (run, two / "words2"))
    shutil.copy(other / "arrays.safetensors", newest / "arrays.safetensors")
    assert [file.path.name for file in verify(run) if file.state == DAMAGED] == ["arrays.safetensors"]
    with pytest.raises(StreamvecError, match="all checkpoints were damaged"):
        sv.resume(run, threads=1)


def test_an_earlier_run_that_changed_is_not_gone_on_from(two: Path, tmp_path: Path) -> None:
    earlier = Path(shutil.copytree(two / "words1", tmp_path / "earlier"))
    with pytest.raises(Interrupted):
        options = {**WORDS, "start_from": earlier, "stop": (tmp_path / "run" / "vocabulary.arrow").exists}
        sv.train_skipgram(two / "2.txt", tmp_path / "run", **options)
    for name in ("vocabulary.arrow", "vectors.arrow"):
        shutil.copy(two / "words2" / name, earlier / name)
    with pytest.raises(StreamvecError, match="earlier: changed since"):
        sv.resume(tmp_path / "run", threads=1)
