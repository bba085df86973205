"""Language models from text to a RUN: levels, text to measure on, patience, and what they begin from."""

import json
import math

import numpy as np
import pytest
from lm_runs import MORE, SMALL, checkpoint, names_of, parameters_of, split_by_hand, stopped_while_training
from recurrent_models import naive_losses
from starting import Notes

import streamvec as sv
from streamvec.errors import Interrupted, StreamvecError
from streamvec.models.lmconfig import LmConfig
from streamvec.tasks.lm import TrainedModel
from streamvec.training import lm
from streamvec.training.checking import OK, UNFINISHED
from streamvec.training.run import Run
from streamvec.training.verify import verify


@pytest.mark.parametrize("level", ["word", "char"])
def test_the_vocabulary_is_the_tokens_of_the_level(lm_folder, level):
    names, text = names_of(lm_folder / level), (lm_folder / "text.txt").read_text(encoding="utf-8")
    tokens = [token for token in split_by_hand(text, level) if token != "</s>"]
    least = 2 if level == "word" else 1
    assert set(names) - {"<unk>", "</s>"} == {token for token in tokens if tokens.count(token) >= least}
    loaded = sv.KeyedVectors.load(lm_folder / level)
    assert len(loaded) == len(names) and loaded.dim == 6
    assert ("T" in names) == (level == "char") and ("," in names) and ("once" in names) is False


def test_heldout_loss_in_the_metrics_is_that_of_lanes_by_hand(lm_folder):
    run = lm_folder / "word"
    config, names = LmConfig(**Run.open(run).about["config"]), names_of(run)
    p = parameters_of(Run.open(run).checkpoints.paths()[0], config)
    tokens = split_by_hand((lm_folder / "valid.txt").read_text(encoding="utf-8"), "word")
    ids = np.array([names.index(token) if token in names else names.index("<unk>") for token in tokens])
    length = (len(ids) - 1) // config.batch
    losses = [
        naive_losses(config, p, ids[a : a + length], ids[a + 1 : a + length + 1])[0]
        for a in range(0, length * config.batch, length)
    ]
    records = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    last = [record for record in records if "heldout_loss" in record][-1]
    assert last["epoch"] == 3 and last["heldout_loss"] == pytest.approx(np.mean(losses), rel=1e-5)
    assert last["heldout_perplexity"] == pytest.approx(math.exp(last["heldout_loss"]))


def test_tokens_can_be_said_otherwise(lm_folder, tmp_path):
    sv.train_lm(lm_folder / "text.txt", tmp_path / "a", tokens="whitespace", **SMALL)
    assert {"shore,", "far."} <= set(names_of(tmp_path / "a"))
    sv.train_lm(lm_folder / "text.txt", tmp_path / "b", tokens="regex", token_pattern="[a-z]", **SMALL)
    assert set(names_of(tmp_path / "b")) <= {"<unk>", "</s>", *"abcdefghijklmnopqrstuvwxyz"}
    sv.train_lm(lm_folder / "text.txt", tmp_path / "c", keep_case=True, **SMALL)
    assert "The" in names_of(tmp_path / "c")


def test_text_that_is_too_short_for_its_lanes_is_named(tmp_path):
    (tmp_path / "text.txt").write_text("a b\n" * 3)
    with pytest.raises(StreamvecError, match=r"9 tokens are too few for 20 sequences.*smaller --batch"):
        sv.train_lm(tmp_path / "text.txt", tmp_path / "run", min_count=1)


def test_a_diverging_learning_rate_is_refused_and_the_last_good_checkpoint_stays(lm_folder, tmp_path):
    options = {**SMALL, "learning_rate": 1e5, "clip": 0.0, "checkpoint_batches": 1, "cell": "rnn-relu"}
    with (
        np.errstate(all="ignore"),
        pytest.raises(StreamvecError, match=r"training diverged in epoch 1, batch \d+") as told,
    ):
        sv.train_lm(lm_folder / "text.txt", tmp_path / "run", **options)
    assert "lower --learning-rate, such as 4e+04" in str(told.value)
    assert all(one.state in (OK, UNFINISHED) or one.path.name == "metrics.jsonl" for one in verify(tmp_path / "run"))


def test_patience_keeps_the_best_epoch_and_what_is_asked_uses_it(lm_folder, tmp_path, monkeypatch):
    heard = iter([3.0, 2.0, 2.5, 2.6, 1.0])
    monkeypatch.setattr(lm.PerplexityWatch, "measure", lambda self: (next(heard), True))
    notes, run = Notes(), tmp_path / "run"
    options = {**SMALL, **MORE, "epochs": 9, "patience": 2}
    trained = sv.train_lm(lm_folder / "text.txt", run, valid=lm_folder / "valid.txt", report=notes, **options)
    assert any("lowest after epoch 2" in note for note in notes.said)
    assert [path.name for path in (run / "best").iterdir()] == ["0002-000000000"]
    assert Run.open(run).checkpoints.paths()[0].name == "0004-000000000"
    config = LmConfig(**Run.open(run).about["config"])
    best, last = (parameters_of(run / name, config) for name in ("best/0002-000000000", "checkpoints/0004-000000000"))
    assert (best["output"] != last["output"]).any()
    np.testing.assert_array_equal(trained["ship"], best["embedding"][names_of(run).index("ship")].astype(np.float32))
    names = names_of(run)
    ids = np.array([names.index(t) if t in names else 0 for t in split_by_hand("the ship\n" * 4, "word")])
    (tmp_path / "asked.txt").write_text("the ship\n" * 4)
    with TrainedModel(Run.open(run)) as asked:
        assert asked.checkpoint == run / "best" / "0002-000000000"
        found = asked.perplexity(str(tmp_path / "asked.txt"))
        before = np.append(names.index("</s>"), ids[:-1])
        assert found.nats == pytest.approx(naive_losses(config, best, before, ids)[0].sum(), rel=1e-5)


def test_nn_works_on_the_vectors_of_a_run(lm_folder, streamvec):
    said = streamvec("nn", lm_folder / "word", "ship", "-n", 3, "--json")
    assert said.returncode == 0 and len(said.stdout.splitlines()) >= 1 and "ship" in said.stdout


def test_vectors_to_begin_with(lm_folder, tmp_path):
    words = ["ship", "shore", "nowhere"]
    rows = np.random.default_rng(1).normal(0, 1, (3, 6)).astype(np.float32)
    sv.KeyedVectors.from_arrays(words, rows).save(tmp_path / "vectors.arrow")
    options = {name: value for name, value in SMALL.items() if name != "dim"}
    with pytest.raises(Interrupted):
        sv.train_lm(
            lm_folder / "text.txt",
            tmp_path / "run",
            vectors=tmp_path / "vectors.arrow",
            **options,
            checkpoint_batches=1,
            stop=stopped_while_training(1),
        )
    config = LmConfig(**Run.open(tmp_path / "run").about["config"])
    assert config.dim == 6
    first, names = tmp_path / "run" / "checkpoints" / "0000-000000000", names_of(tmp_path / "run")
    embedding = parameters_of(first, config)["embedding"]
    for word in ("ship", "shore"):
        np.testing.assert_array_equal(embedding[names.index(word)].astype(np.float32), rows[words.index(word)])
    assert np.abs(embedding[names.index("the")]).max() < 0.1
    sv.resume(tmp_path / "run")
    sv.train_lm(lm_folder / "text.txt", tmp_path / "whole", vectors=tmp_path / "vectors.arrow", **options)
    assert checkpoint(tmp_path / "run") == checkpoint(tmp_path / "whole")
    with pytest.raises(ValueError, match="dim must be hidden"):
        sv.train_lm(lm_folder / "text.txt", tmp_path / "new", vectors=tmp_path / "vectors.arrow", tied=True, **options)


def test_shards_of_a_run_can_be_learnt_from_again(lm_folder, tmp_path):
    options = {name: value for name, value in SMALL.items() if name != "min_count"}
    sv.train_lm(lm_folder / "char", tmp_path / "run", **options, **MORE)
    assert checkpoint(tmp_path / "run") == checkpoint(lm_folder / "char")
    assert Run.open(tmp_path / "run").about["config"]["level"] == "char"
    with pytest.raises(ValueError, match="level must be char"):
        sv.train_lm(lm_folder / "char", tmp_path / "other", level="word", **options)
    with pytest.raises(StreamvecError, match="hold the places of rare words"):
        sv.train_skipgram(lm_folder / "word", tmp_path / "other", dim=8)
    sv.train_skipgram(lm_folder / "text.txt", tmp_path / "skipgram", dim=8, min_count=2, epochs=1)
    with pytest.raises(StreamvecError, match="lack the places of rare words"):
        sv.train_lm(tmp_path / "skipgram", tmp_path / "other", **options)
    assert not (tmp_path / "other").exists()


def test_ends_are_counted_once_a_document_however_long_it_is(tmp_path):
    (tmp_path / "text.txt").write_text("a b " * 40_000 + "\nb a\na\n")  # the first is divided in the shards
    options = {"min_count": 1, "hidden": 8, "layers": 1, "epochs": 1, "batch": 200, "bptt": 200, "threads": 1}
    sv.train_lm(tmp_path / "text.txt", tmp_path / "run", **options)
    vectors = sv.KeyedVectors.load(tmp_path / "run")
    assert dict(zip(vectors.words, vectors.counts.tolist(), strict=True)) == {
        "<unk>": 0,
        "</s>": 3,
        "a": 40_002,
        "b": 40_001,
    }
