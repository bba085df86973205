"""The memory that language models need: what is told is what they take, and too much is refused."""

import random
import re
import subprocess
import sys

import pytest

import streamvec as sv
from streamvec.errors import StreamvecError
from streamvec.models.lmconfig import LmConfig
from streamvec.training import lmneeds, words
from streamvec.training.plan import plan_training


def test_a_model_too_large_for_its_memory_is_refused_with_what_helps(lm_folder, tmp_path):
    options = {"level": "char", "hidden": 1500, "batch": 64, "bptt": 100, "min_count": 1, "threads": 2}
    with pytest.raises(StreamvecError, match=r"training needs [\d,]+ MB or more for 2 layers of 1500 units") as told:
        sv.train_lm(lm_folder / "text.txt", tmp_path / "run", memory=600 << 20, **options)
    said = str(told.value)
    helped = {name: int(re.search(rf"--{name} (?:to )?(\d+)", said)[1]) for name in ("memory", "hidden")}
    assert 0 < helped["hidden"] < 1500 and "\n" not in said
    read = []
    for hidden in (helped["hidden"], helped["hidden"] + 16):
        config = LmConfig(
            **{k: v for k, v in {**options, "hidden": hidden}.items() if k not in ("min_count", "threads")}
        )
        load = lmneeds.Load(30, 1.0)
        machine = lmneeds.MachineOptions(threads=2, memory=600 << 20)
        read.append(lmneeds.training_bytes(config, machine, load, 0, False))
    assert read[0] < read[1]


PEAK = """
import sys
import streamvec as sv
from streamvec.training import lm, lmneeds
def told(config, machine, load, shards, held_out):
    read = sum(lmneeds.lanes_bytes(one, config.batch) for one in (shards, held_out) if one is not None)
    print(lmneeds.training_bytes(config, machine, load, read, held_out is not None))
lm.refuse_too_large = told
sv.train_lm(sys.argv[1], sys.argv[2], **eval(sys.argv[3]))
lines = open("/proc/self/status").read().splitlines()  # not getrusage: that has a large parent's peak
print(next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM")))
"""


def test_memory_that_is_told_is_what_it_takes(tmp_path):
    draw = random.Random(5)
    lines = (" ".join(f"w{int(20_000 * draw.random()):x}" for _ in range(20)) for _ in range(1500))
    (tmp_path / "text.txt").write_text("\n".join(lines) + "\n")
    options = {
        "hidden": 96,
        "layers": 2,
        "optimizer": "adam",
        "dropout": 0.3,
        "min_count": 1,
        "epochs": 1,
        "threads": 2,
        "batch": 20,
        "bptt": 70,
    }
    command = [sys.executable, "-c", PEAK, str(tmp_path / "text.txt"), str(tmp_path / "run"), repr(options)]
    told, taken = map(int, subprocess.run(command, check=True, capture_output=True, text=True).stdout.split())
    assert taken <= told <= 1.25 * taken


def test_too_large_by_its_options_alone_is_told_before_the_text_is_read(lm_folder, tmp_path, monkeypatch):
    options = {"memory": 600 << 20, "threads": 1, "min_count": 1}
    monkeypatch.setattr(words, "prepared", None)  # is not come to
    with pytest.raises(StreamvecError, match=r"MB or more for 2 layers of 9000 units and the smallest vocabulary"):
        sv.train_lm(lm_folder / "text.txt", tmp_path / "run", hidden=9000, **options)
    assert not (tmp_path / "run").exists()


def test_words_that_may_be_kept_and_are_not_there_refuse_nothing(lm_folder, tmp_path):
    """--max-vocab is the most, however many bytes of text there are to hold these."""
    options = {"memory": 600 << 20, "threads": 1, "epochs": 1, "hidden": 8, "layers": 1, "min_count": 1}
    (tmp_path / "long.txt").write_text("a word\n" * 60_000)
    most = {"max_vocab": 400_000}
    assert not plan_training(tmp_path / "long.txt", kind="lm", **options, **most).warnings
    assert len(sv.train_lm(tmp_path / "long.txt", tmp_path / "long", **options, **most)) == 4
    assert len(sv.train_lm(lm_folder / "text.txt", tmp_path / "run", max_vocab=50_000_000, **options)) < 100
