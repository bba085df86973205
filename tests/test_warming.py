"""Every kernel of a language model and of the tasks is compiled before its training begins."""

import subprocess
import sys

COMPILED = """
import sys
from numba.core.dispatcher import Dispatcher
import streamvec as sv
from streamvec.corpus.compiling import compile_kernels
from streamvec.corpus.tokens import Tokenizer
from streamvec.kernels import dropout, nonlinear, optimizers, products, random, recurrence, rows, softmax, streams
from streamvec.kernels import wordtable
from streamvec.tasks.generation import Sampling
from streamvec.tasks.lm import TrainedModel
from streamvec.training import words
from streamvec.training.run import Run
from streamvec.training.warming import compile_language_model
modules = dropout, nonlinear, optimizers, products, random, recurrence, rows, softmax, streams, wordtable
kernels = {k.py_func.__qualname__ + k.py_func.__module__: k for m in modules for k in vars(m).values()
           if isinstance(k, Dispatcher)}
def compiled():
    return {name: len(kernel.signatures) for name, kernel in kernels.items()}
compile_kernels(Tokenizer())
compile_language_model()
before = compiled()
assert sum(before.values()) > 25
for number, more in enumerate(eval(sys.argv[3])):
    out = f"{sys.argv[2]}{number}"
    sv.train_lm(sys.argv[1], out, valid=sys.argv[1], epochs=1, batch=3, threads=2, min_count=1, **more)
    with TrainedModel(Run.open(out)) as trained:
        trained.perplexity(sys.argv[1])
        list(trained.write("the", Sampling(), 5))
    assert compiled() == before, {n: (before[n], after) for n, after in compiled().items() if after != before[n]}
"""


def test_every_kernel_is_compiled_beforehand(lm_folder, tmp_path):
    each = [
        {"cell": "gru", "optimizer": "adam", "dropout": 0.2},
        {"tied": True, "level": "char", "optimizer": "momentum"},
        {"output": "adaptive", "cutoffs": "3,5", "optimizer": "adagrad", "cell": "rnn"},
        {"cell": "gru-simple"},
        {"cell": "rnn-relu", "dropout": 0.1},
    ]
    command = [sys.executable, "-c", COMPILED, str(lm_folder / "text.txt"), str(tmp_path / "run"), repr(each)]
    ended = subprocess.run(command, check=False, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr


TASKS = """
import importlib, pkgutil, sys
from numba.core.dispatcher import Dispatcher
import streamvec as sv
from streamvec import kernels as room
from streamvec.corpus.compiling import compile_kernels
from streamvec.corpus.tokens import Tokenizer
from streamvec.tasks.trained import TrainedTask
from streamvec.training.run import Run
from streamvec.training.warming import compile_language_model, compile_tasks
modules = [importlib.import_module(f"streamvec.kernels.{m.name}") for m in pkgutil.iter_modules(room.__path__)]
kernels = {k.py_func.__qualname__ + k.py_func.__module__: k for m in modules for k in vars(m).values()
           if isinstance(k, Dispatcher)}
def compiled():
    return {name: len(kernel.signatures) for name, kernel in kernels.items()}
compile_kernels(Tokenizer())
compile_language_model()
compile_tasks()
before = compiled()
for number, (kind, file, text, more) in enumerate(eval(sys.argv[2])):
    path, out = f"{sys.argv[1]}/{file}", f"{sys.argv[1]}/{number}"
    sv.train_task(kind, path, out, valid=path, epochs=1, batch=3, threads=2, min_count=1, **more)
    with TrainedTask(Run.open(out)) as trained:
        trained.answers([text])
    assert compiled() == before, {n: (before[n], after) for n, after in compiled().items() if after != before[n]}
"""


def test_every_kernel_of_a_task_is_compiled_beforehand(tmp_path):
    (tmp_path / "texts").write_text("good\tone two two\nbad\tthree one\nbad\tthree\nsoso\ttwo\n")
    (tmp_path / "tagged").write_text("Anna I-PER\nsees O\nOslo I-LOC\n\nOslo I-LOC\n")
    each = [
        ("classifier", "texts", "one two", {"ngrams": 2}),
        ("classifier", "texts", "one two", {"encoder": "gru", "bidirectional": True, "pool": "mean", "hidden": 8}),
        ("tagger", "tagged", "Oslo sees", {"hidden": 8}),
        (
            "tagger",
            "tagged",
            "Oslo sees",
            {"output": "softmax", "layers": 2, "char_hidden": 0, "optimizer": "sgd", "hidden": 8},
        ),
        ("translator", "texts", "good", {"hidden": 8}),
        (
            "translator",
            "texts",
            "good",
            {"cell": "lstm", "layers": 2, "attention": False, "level": "char", "hidden": 8},
        ),
    ]
    command = [sys.executable, "-c", TASKS, str(tmp_path), repr(each)]
    ended = subprocess.run(command, check=False, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
