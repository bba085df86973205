"""What trained language models do with text: perplexity against plain Python, and text that is written."""

import json
import math

import numpy as np
import pytest
from click.testing import CliRunner
from lm_runs import SMALL, WORDS, names_of, parameters_of, split_by_hand
from recurrent_models import naive_losses
from streamvec_cli.main import streamvec as program

import streamvec as sv
from streamvec.models.lmconfig import LmConfig
from streamvec.tasks.generation import Sampling
from streamvec.tasks.lm import TrainedModel
from streamvec.training import warming
from streamvec.training.run import Run


@pytest.mark.parametrize("level", ["word", "char"])
def test_perplexity_is_what_the_checkpoint_says_by_hand(lm_folder, streamvec, level):
    run, path = lm_folder / level, lm_folder / "valid.txt"
    config = LmConfig(**Run.open(run).about["config"])
    names, text = names_of(run), path.read_text(encoding="utf-8")
    tokens = split_by_hand(text, level)
    ids = np.array([names.index(token) if token in names else names.index("<unk>") for token in tokens])
    unknown = sum(token not in names for token in tokens)
    p = parameters_of(Run.open(run).checkpoints.paths()[0], config)
    begin = names.index("\n" if level == "char" else "</s>")  # as for what is written
    losses, _ = naive_losses(config, p, np.append(begin, ids[:-1]), ids)
    said = streamvec("evaluate", run, path, "--json")
    assert said.returncode == 0, said.stderr
    found = json.loads(said.stdout)
    assert found["perplexity"] == pytest.approx(math.exp(losses.mean()), rel=1e-5)
    assert found["bits_per_character"] == pytest.approx(losses.sum() / math.log(2) / len(text), rel=1e-5)
    assert (found["tokens"], found["unknown"]) == (len(tokens), unknown) and unknown > 0
    shown = streamvec("evaluate", run, path).stdout
    assert f"perplexity {found['perplexity']:.2f}" in shown and f"{unknown / len(losses):.1%} of them unknown" in shown


def test_it_writes_and_ends(lm_folder, streamvec):
    said = [streamvec("generate", lm_folder / "char", "--length", 80, "--seed", seed).stdout for seed in (1, 1, 2)]
    assert said[0] == said[1] != said[2] and len(said[0]) == 81
    known = set("".join(WORDS)) | set(" \nonly endThe")
    assert set(said[0]) <= known
    record = json.loads(streamvec("generate", lm_folder / "word", "--prompt", "The ship unheard", "--json").stdout)
    assert record["prompt"] == "The ship unheard" and "<unk>" not in record["text"] and "</s>" not in record["text"]
    with TrainedModel(Run.open(lm_folder / "word")) as trained:
        texts = ["".join(trained.write("", Sampling(seed=seed), 50)) for seed in range(30)]
        assert all(not text.startswith(" ") for text in texts)
        assert len({len(text.split()) for text in texts}) > 3  # each ends where the model ends a sentence
        assert trained.ids("ship UNHEARD Größe").tolist() == [
            names_of(lm_folder / "word").index(name) for name in ("ship", "<unk>", "größe")
        ]


@pytest.mark.parametrize(
    ("options", "between"),
    [
        ({"tokens": "characters"}, ""),
        ({"tokens": "text"}, ""),
        ({"tokens": "words"}, " "),
        ({"tokens": "whitespace"}, " "),
        ({"tokens": "regex", "token_pattern": "[a-z]"}, " "),
    ],
    ids=lambda value: value["tokens"] if isinstance(value, dict) else "",
)
def test_what_stands_between_tokens(lm_folder, tmp_path, options, between):
    sv.train_lm(lm_folder / "text.txt", tmp_path / "run", **{**SMALL, "epochs": 1, **options})
    names = set(names_of(tmp_path / "run"))
    with TrainedModel(Run.open(tmp_path / "run")) as trained:
        for prompt in ("", "the ship"):
            pieces = [piece for seed in range(9) for piece in list(trained.write(prompt, Sampling(seed=seed), 9))[1:]]
            assert len(pieces) > 9 and all(piece.removeprefix(between) in names for piece in pieces)
            assert all(piece.startswith(between) for piece in pieces)
        firsts = {piece for seed in range(9) for piece in list(trained.write("the", Sampling(seed=seed), 9))[:1]}
        assert all(first.startswith(between) and first.removeprefix(between) in names for first in firsts)


@pytest.mark.parametrize("command", [["generate", "word"], ["evaluate", "word", "valid.txt"]], ids=lambda c: c[0])
def test_it_says_that_kernels_are_compiled_where_they_are(lm_folder, tmp_path, monkeypatch, command):
    started = []

    def compiled(arguments, **_):  # as the process would leave it
        started.append(arguments)
        (tmp_path / "compiled").touch()

    monkeypatch.setattr(warming, "_mark", lambda: tmp_path / "compiled")
    monkeypatch.setattr(warming.subprocess, "run", compiled)
    monkeypatch.chdir(lm_folder)
    said = [CliRunner().invoke(program, command) for _ in range(2)]
    assert [one.exit_code for one in said] == [0, 0] and len(started) == 1
    assert said[0].stderr == "streamvec: compiling kernels, which happens once and takes half a minute\n"
    assert said[1].stderr == "" and said[0].stdout == said[1].stdout != ""
