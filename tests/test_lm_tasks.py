"""What trained language models do with text: perplexity against plain Python, and text that is written."""

import json
import math

import numpy as np
import pytest
from lm_runs import WORDS, names_of, parameters_of, split_by_hand
from recurrent_models import naive_losses

from streamvec.models.lmconfig import LmConfig
from streamvec.tasks.generation import Sampling
from streamvec.tasks.lm import TrainedModel
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
    losses, _ = naive_losses(config, p, ids[:-1], ids[1:])
    said = streamvec("evaluate", run, path, "--json")
    assert said.returncode == 0, said.stderr
    found = json.loads(said.stdout)
    assert found["perplexity"] == pytest.approx(math.exp(losses.mean()), rel=1e-5)
    assert found["bits_per_character"] == pytest.approx(losses.sum() / math.log(2) / len(text), rel=1e-5)
    assert ((found["tokens"], found["unknown"]) == (len(losses), unknown) and unknown > 0) or level == "char"
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
