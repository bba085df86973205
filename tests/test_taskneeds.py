"""The memory that tasks need: what is told is what they take, and too much is refused with what would help."""

import re
import subprocess
import sys

import pytest
import task_runs

from streamvec.errors import StreamvecError
from streamvec.models.bagclassifier import BagClassifier
from streamvec.models.classifierconfig import ClassifierConfig
from streamvec.models.sequenceclassifier import SequenceClassifier
from streamvec.training.needs import Load
from streamvec.training.options import MachineOptions
from streamvec.training.taskneeds import Told, refuse_too_large, training_bytes
from streamvec.training.words import resume, train_task

LOAD = Load(50_000, 7.0)
TOLD = Told(20_000, 4_000_000, 1000, 0, 60, nbytes=20_000_000)


def make(config):
    return (SequenceClassifier if config.is_recurrent else BagClassifier)(config, LOAD.words, 3)


def needs(config, told=TOLD, fewer=0):
    return training_bytes(config, make, MachineOptions(threads=2, memory=1 << 30), LOAD, told, fewer)


@pytest.mark.parametrize(
    ("options", "names"),
    [
        ({"encoder": "lstm", "hidden": 600, "bidirectional": True}, ["batch", "hidden", "max-length"]),
        ({"encoder": "mean", "ngrams": 2, "buckets": 2_000_000}, ["buckets"]),
    ],
    ids=["lstm", "ngrams"],
)
def test_what_would_help_does(options, names):
    config = ClassifierConfig(**options)
    machine = MachineOptions(threads=2, memory=900 << 20)
    with pytest.raises(
        StreamvecError, match=r"training needs [\d,]+ MB for 50,000 words and examples of up to"
    ) as told:
        refuse_too_large(config, make, machine, LOAD, TOLD)
    said = str(told.value)
    found = {name: int(number) for name, number in re.findall(r"--([a-z-]+) (?:to )?(\d+)", said)}
    assert {*names, "memory"} <= set(found) and "\n" not in said
    for name in names:
        if name == "max-length":
            sizes = [TOLD._replace(longest=found[name] + more) for more in (0, 1)]
            under, over = (needs(config, told=size) for size in sizes)
        else:
            under, over = (needs(ClassifierConfig(**{**options, name: found[name] + more})) for more in (0, 16))
        assert under <= machine.memory_bytes < over or name == "max-length", name
    refuse_too_large(config, make, MachineOptions(threads=2, memory=found["memory"] * 10**6), LOAD, TOLD)


def test_fewer_words_need_less():
    config = ClassifierConfig()
    assert needs(config) - needs(config, fewer=10_000) >= 10_000 * 112 * 4 * 3


def test_a_run_that_does_not_fit_can_be_gone_on_with(tmp_path):
    task_runs.made(tmp_path)
    options = {"encoder": "lstm", "hidden": 1500, "dim": 8, "epochs": 1, "threads": 1, "train_size": 20}
    with pytest.raises(StreamvecError, match=r"training needs .*--memory to \d+MB.*lower --hidden to \d+"):
        train_task("classifier", tmp_path / "train.tsv", tmp_path / "run", memory=300 << 20, **options)
    assert len(resume(tmp_path / "run", memory=8 << 30, threads=1)) > 2


PEAK = """
import sys
from streamvec.training import taskneeds, tasktraining
from streamvec.training.words import train_task
tasktraining.refuse_too_large = lambda *sizes: print(taskneeds.training_bytes(*sizes))
train_task("classifier", sys.argv[1], sys.argv[2], **eval(sys.argv[3]))
lines = open("/proc/self/status").read().splitlines()  # not getrusage: that has a large parent's peak
print(next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM")))
"""


def test_memory_that_is_told_is_what_it_takes(tmp_path):
    text = " ".join(f"word{number % 97}" for number in range(700))
    (tmp_path / "x.tsv").write_text("".join(f"{'ab'[number % 2]}\t{text} {number}\n" for number in range(64)))
    options = {"encoder": "lstm", "bidirectional": True, "epochs": 1, "threads": 2}
    command = [sys.executable, "-c", PEAK, str(tmp_path / "x.tsv"), str(tmp_path / "run"), repr(options)]
    told, taken = map(int, subprocess.run(command, check=True, capture_output=True, text=True).stdout.split())
    assert taken <= told <= 1.5 * taken
