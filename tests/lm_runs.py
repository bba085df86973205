"""What tests of language models share: a text, options of small models, and what stands in a RUN."""

import json
import random
import re
import sys

import numpy as np
from recurrent_models import places

import streamvec as sv
from streamvec.corpus.vocabulary import Vocabulary
from streamvec.disk.tensors import Tensors
from streamvec.training.run import Run

WORDS = ["The", "ship", "sails", "to", "a", "shore,", "and", "Größe", "it's", "far."]
SMALL = {"hidden": 8, "layers": 2, "dim": 6, "batch": 3, "bptt": 5, "epochs": 3, "min_count": 2, "threads": 1}
MORE = {"optimizer": "adam", "dropout": 0.2, "learning_rate": 0.01}


def text_of(lines, seed):
    draw = random.Random(seed)
    return "".join(" ".join(draw.choice(WORDS) for _ in range(draw.randrange(1, 8))) + "\n" for _ in range(lines))


def made(folder):
    """Text to learn, text to measure on, and a RUN of words and one of characters in *folder*."""
    (folder / "text.txt").write_text(text_of(60, 1) + "once only\n\nThe end", encoding="utf-8")
    (folder / "valid.txt").write_text(text_of(12, 2) + "unheard words\n", encoding="utf-8")
    sv.train_lm(folder / "text.txt", folder / "word", valid=folder / "valid.txt", **SMALL, **MORE)
    sv.train_lm(folder / "text.txt", folder / "char", level="char", **{**SMALL, "min_count": 1}, **MORE)
    return folder


def checkpoint(run):
    """The newest one's arrays, byte for byte."""
    return (Run.open(run).checkpoints.paths()[0] / "arrays.safetensors").read_bytes()


def names_of(run):
    """The tokens by number: those that are no words first."""
    words = Vocabulary.load(run / "vocabulary.arrow").words.to_pylist()
    level = json.loads((run / "run.json").read_text())["text"]["tokens"]
    return [name for name in ["<unk>", "</s>"][: 1 if level == "text" else 2] if name not in words] + words


def parameters_of(path, config):
    """What a checkpoint holds, in float64 and unpadded."""
    with Tensors(path / "arrays.safetensors") as tensors:
        arrays = {
            name: tensors.load(name) for name in tensors.names() if not re.match("state|.*[.](means|squares)$", name)
        }
    return {name: array[places(config, name, array.shape)].astype(np.float64) for name, array in arrays.items()}


def split_by_hand(text, level):
    lines = text.split("\n")[:-1] if text.endswith("\n") else text.split("\n")
    if level == "char":
        return [character for line in lines for character in [*line, "\n"]]
    tokens = []
    for line in lines:
        found = re.findall(r"<\w+>|\w+(?:['\u2019-]\w+)*|[^\w\s]", line.lower())
        tokens += [*found, "</s>"] if found else []
    return tokens


def stopped_while_training(steps):
    """Says stop after so many steps of training, however often it is asked before."""
    calls = [0]

    def stop():
        name = sys._getframe(1).f_code.co_name
        calls[0] += name == "train"
        return calls[0] >= steps

    return stop
