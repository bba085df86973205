"""Files of Stanford's GloVe, taken over with stops, and files that change meanwhile: the same bytes, or a refusal."""

import random
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from stanford_files import FAST, PROGRAM, entries_of, packed

import streamvec as sv
from streamvec.corpus import entryfiles
from streamvec.corpus.vocabulary import Vocabulary
from streamvec.disk.sealed import read_json
from streamvec.errors import Interrupted, StreamvecError


@pytest.fixture(scope="module")
def larger(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, bytes]:
    """200,000 entries of 1,000 words, their vocab.txt, and the vectors that they give."""
    folder = tmp_path_factory.mktemp("larger")
    (folder / "vocab.txt").write_text("".join(f"w{number} {2000 - number}\n" for number in range(1000)))
    (folder / "cooccurrence.bin").write_bytes(packed(entries_of(200_000, words=1000, seed=3)))
    sv.train_glove(folder / "cooccurrence.bin", folder / "run", vocab=folder / "vocab.txt", **FAST)
    return folder / "cooccurrence.bin", folder / "vocab.txt", (folder / "run" / "vectors.arrow").read_bytes()


STAGES = [
    "run.json",
    "vocabulary.arrow",
    "cooccurrences/runs/record.json",
    "cooccurrences/00000.arrow",
    "metrics.jsonl",
]


@pytest.mark.parametrize("stage", STAGES)
def test_stopped_at_any_stage_it_goes_on_to_the_same_bytes(
    larger: tuple[Path, Path, bytes], tmp_path: Path, stage: str
) -> None:
    (matrix, vocab, expected), run = larger, tmp_path / "run"
    for path in (matrix, vocab):
        shutil.copy(path, tmp_path)
    inputs = tmp_path / matrix.name, tmp_path / vocab.name
    with pytest.raises(Interrupted, match="go on with: streamvec resume"):
        sv.train_glove(inputs[0], run, vocab=inputs[1], stop=(run / stage).exists, **FAST)
    if stage == "run.json":
        assert read_json(run / "prepared.json")["cooccurrences"]["records"] == 16384
        assert not (run / "vocabulary.arrow").exists()
    if stage == "metrics.jsonl":
        for path in inputs:  # not needed any more
            path.unlink()
    sv.resume(run, threads=2)
    assert (run / "vectors.arrow").read_bytes() == expected


def test_looking_over_goes_on_where_it_was(
    larger: tuple[Path, Path, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (matrix, vocab, expected), run = larger, tmp_path / "run"
    with pytest.raises(Interrupted, match="looked over"):
        sv.train_glove(matrix, run, vocab=vocab, stop=(run / "run.json").exists, **FAST)
    firsts: list[int] = []
    blocks = entryfiles._blocks

    def remembered(source: Any, first: int) -> Any:
        firsts.append(first)
        return blocks(source, first)

    monkeypatch.setattr(entryfiles, "_blocks", remembered)
    sv.resume(run)
    assert firsts == [1, 0]  # the second piece is the first to be looked over; then all are counted
    assert (run / "vectors.arrow").read_bytes() == expected


def test_killed_at_random_moments_and_the_same_bytes(larger: tuple[Path, Path, bytes], tmp_path: Path) -> None:
    (matrix, vocab, expected), run = larger, tmp_path / "run"
    draw = random.Random(2)
    start = ["train", "glove", matrix, "--vocab", vocab, "--out", run, "--dim", 8, "--epochs", 2]
    for _ in range(4):
        arguments = ["resume", run] if (run / "run.json").exists() else start
        process = subprocess.Popen([*PROGRAM, *map(str, arguments), "--threads", "2"], stderr=subprocess.DEVNULL)
        while not (run / "run.json").exists() and process.poll() is None:
            time.sleep(0.002)
        time.sleep(draw.uniform(0, 0.8))
        process.kill()
        assert process.wait() in (-signal.SIGKILL, 0)
    subprocess.run([*PROGRAM, "resume", str(run)], check=True, capture_output=True)
    assert (run / "vectors.arrow").read_bytes() == expected


@pytest.mark.parametrize("name", ["cooccurrence.bin", "vocab.txt"])
def test_an_input_that_changed_is_refused_until_it_is_not_needed(
    larger: tuple[Path, Path, bytes], tmp_path: Path, name: str
) -> None:
    (matrix, vocab, expected), run = larger, tmp_path / "run"
    inputs = {path.name: Path(shutil.copy(path, tmp_path)) for path in (matrix, vocab)}
    stop = (run / "vocabulary.arrow").exists
    with pytest.raises(Interrupted):
        sv.train_glove(inputs["cooccurrence.bin"], run, vocab=inputs["vocab.txt"], stop=stop, **FAST)
    whole = inputs[name].read_bytes()
    inputs[name].write_bytes(whole[:-16])
    with pytest.raises(StreamvecError, match=rf"{name}: changed since .*--overwrite"):
        sv.resume(run)
    inputs[name].write_bytes(whole)
    sv.resume(run)
    assert (run / "vectors.arrow").read_bytes() == expected
    inputs[name].write_bytes(b"other")
    (run / "vectors.arrow").unlink()
    sv.resume(run)
    assert (run / "vectors.arrow").read_bytes() == expected


@pytest.mark.parametrize("change", ["shorter", "longer", "id", "value"])
def test_a_file_that_changes_between_the_readings_is_noticed(
    cooccurrence_bin: Path, vocab_txt: Path, tmp_path: Path, change: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = cooccurrence_bin.read_bytes()
    changed = {
        "shorter": whole[:-16],
        "longer": whole + packed([(1, 1, 1.0)]),
        "id": whole[:-16] + packed([(10**6, 1, 1.0)]),
        "value": whole[:-16] + packed([(1, 1, 1e30)]),
    }
    save = Vocabulary.save

    def saved(vocabulary: Vocabulary, path: Path) -> None:
        save(vocabulary, path)
        cooccurrence_bin.write_bytes(changed[change])

    monkeypatch.setattr(Vocabulary, "save", saved)
    with pytest.raises(StreamvecError, match=r"changed while it was read: .*--overwrite"):
        sv.train_glove(cooccurrence_bin, tmp_path / "run", vocab=vocab_txt, **FAST)
