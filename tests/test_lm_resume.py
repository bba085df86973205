"""Language models stopped, killed and gone on with: the same bytes, on any threads."""

import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from lm_runs import MORE, SMALL, checkpoint, names_of, stopped_while_training
from starting import Notes
from stopping import stopped_after

import streamvec as sv
from streamvec.errors import Interrupted, StreamvecError
from streamvec.models.blas import products
from streamvec.training import words
from streamvec.training.run import Run

OUTPUTS = {"tied": {"tied": True, "dim": 8}, "adaptive": {"output": "adaptive", "cutoffs": "3,6"}}


def losses_of(run):
    """What the records say of each epoch."""
    records = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    names = ("epoch_loss", "heldout_loss", "learning_rate")
    return [[record[name] for name in names] for record in records if "epoch_loss" in record]


@pytest.mark.parametrize("optimizer", ["momentum", "adam"])
@pytest.mark.parametrize("output", OUTPUTS)
def test_stopped_and_gone_on_with_is_the_same_bytes(lm_folder, tmp_path, output, optimizer):
    options = {**SMALL, "dropout": 0.3, "optimizer": optimizer, "valid": lm_folder / "valid.txt", "patience": 2}
    options |= OUTPUTS[output]
    sv.train_lm(lm_folder / "text.txt", tmp_path / "whole", **options)
    run, threads, stops = tmp_path / "run", [2, 3, 1], 0
    for number in range(60):
        try:
            if number == 0:
                sv.train_lm(lm_folder / "text.txt", run, **options, stop=stopped_after(14))
            else:
                sv.resume(run, threads=threads[number % 3], stop=stopped_after(9))
            break
        except Interrupted as interrupted:
            assert "streamvec resume" in str(interrupted)
            stops += 1
    assert stops > 4
    assert checkpoint(run) == checkpoint(tmp_path / "whole")
    assert (run / "vectors.arrow").read_bytes() == (tmp_path / "whole" / "vectors.arrow").read_bytes()
    assert losses_of(run) == losses_of(tmp_path / "whole")


KILLED = """
import os, sys
import streamvec as sv
from streamvec.models.languagemodel import LanguageModel
left, step = [int(sys.argv[2])], LanguageModel.step
def killed(model, batch, position):
    left[0] -= 1
    if left[0] < 0:
        os.kill(os.getpid(), 9)
    return step(model, batch, position)
LanguageModel.step = killed
if sys.argv[3:]:
    sv.train_lm(sys.argv[3], sys.argv[1], **eval(sys.argv[4]))
else:
    sv.resume(sys.argv[1], threads=2, checkpoint_batches=3)
"""


def test_killed_in_the_middle_of_an_epoch_and_the_same_bytes(lm_folder, tmp_path):
    options = {**SMALL, **MORE, "valid": str(lm_folder / "valid.txt"), "checkpoint_batches": 3}
    sv.train_lm(lm_folder / "text.txt", tmp_path / "whole", **options)
    run, codes = tmp_path / "run", []
    for steps, *more in ((17, str(lm_folder / "text.txt"), repr(options)), (13,), (11,), (10**9,)):
        command = [sys.executable, "-c", KILLED, str(run), str(steps), *more]
        codes.append(subprocess.run(command, check=False, capture_output=True).returncode)
        if codes[-1]:
            assert Run.open(run).checkpoints.paths()[0].name[5:] != "000000000"  # in the middle
    assert codes == [-signal.SIGKILL] * 3 + [0]
    assert checkpoint(run) == checkpoint(tmp_path / "whole")
    assert (run / "vectors.arrow").read_bytes() == (tmp_path / "whole" / "vectors.arrow").read_bytes()


def test_other_threads_are_the_same_bytes(lm_folder, tmp_path):
    sv.train_lm(
        lm_folder / "text.txt", tmp_path / "run", valid=lm_folder / "valid.txt", **{**SMALL, **MORE, "threads": 3}
    )
    assert checkpoint(tmp_path / "run") == checkpoint(lm_folder / "word")
    assert (tmp_path / "run" / "vectors.arrow").read_bytes() == (lm_folder / "word" / "vectors.arrow").read_bytes()


def test_a_finished_run_gives_its_vectors_again(lm_folder, tmp_path):
    run = Path(shutil.copytree(lm_folder / "word", tmp_path / "run"))
    before = (run / "vectors.arrow").read_bytes()
    assert len(sv.resume(run)) == len(names_of(run))
    assert (run / "vectors.arrow").read_bytes() == before
    (run / "vectors.arrow").unlink()
    sv.resume(run, threads=2)
    assert (run / "vectors.arrow").read_bytes() == before


@pytest.mark.parametrize("change", ["bytes", "a file more", "gone"])
def test_text_to_measure_on_that_changed_is_refused(lm_folder, tmp_path, change):
    run, valid = tmp_path / "run", tmp_path / "valid"
    valid.mkdir()
    shutil.copy(lm_folder / "valid.txt", valid / "a.txt")
    text = lm_folder / "text.txt"
    with pytest.raises(Interrupted):  # while the text is counted
        sv.train_lm(text, run, valid=valid, **SMALL, **MORE, stop=stopped_after(1))
    assert not (run / "heldout").exists()
    before = (valid / "a.txt").read_text(encoding="utf-8")
    if change == "bytes":
        (valid / "a.txt").write_text(before.replace("ship", "shop"), encoding="utf-8")
    elif change == "a file more":
        (valid / "b.txt").write_text("The ship\n")
    else:
        (valid / "a.txt").unlink()
    with pytest.raises(StreamvecError, match="without files" if change == "gone" else f"{valid}: changed since {run}"):
        sv.resume(run)
    assert not (run / "checkpoints").exists()
    (valid / "b.txt").unlink(missing_ok=True)
    (valid / "a.txt").write_text(before, encoding="utf-8")  # with another date
    with pytest.raises(Interrupted):
        sv.resume(run, stop=stopped_while_training(2))
    (valid / "a.txt").unlink()  # not needed any more
    sv.resume(run)
    assert checkpoint(run) == checkpoint(lm_folder / "word")


@pytest.mark.parametrize("kind", ["lm", "softmax"])
def test_other_kernels_of_matrix_products_are_told(lm_folder, tmp_path, monkeypatch, kind):
    def stopped(run, **options):
        with pytest.raises(Interrupted):
            train(lm_folder / "text.txt", run, **options, stop=stopped_while_training(1))
        return json.loads((run / "run.json").read_text()).get("products")

    train = sv.train_lm if kind == "lm" else sv.train_skipgram
    options = SMALL if kind == "lm" else {"dim": 8, "min_count": 2, "epochs": 2, "threads": 1, "sample": 0.0}
    run = tmp_path / "run"
    assert stopped(run, **options, **({"objective": "softmax"} if kind == "softmax" else {})) == products()
    other = Path(shutil.copytree(run, tmp_path / "other"))
    same, moved = Notes(), Notes()
    sv.resume(run, report=same)
    monkeypatch.setattr(words, "products", lambda: "openblas Elsewhere")
    sv.resume(other, report=moved)
    assert not any("matrix products" in note for note in same.said)
    assert [note for note in moved.said if "matrix products" in note] == [
        f"matrix products were made by {products()} when {other} was begun, and are by openblas Elsewhere here: the "
        "last bits will differ from those of one machine"
    ]
    sv.resume(other, report=(again := Notes()))  # finished: nothing is multiplied any more
    assert not again.said
    if kind == "softmax":
        assert stopped(tmp_path / "ns", **options) is None  # no library has a part in it
