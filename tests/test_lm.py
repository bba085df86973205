"""Language models from text to a RUN and back: levels, held-out text, perplexity by hand, stops, wrong usage."""

import json
import math
import random
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from recurrent_models import naive_losses, places
from starting import Notes

import streamvec as sv
from streamvec.corpus.vocabulary import Vocabulary
from streamvec.disk.tensors import Tensors
from streamvec.errors import Interrupted, StreamvecError
from streamvec.models.lmconfig import LmConfig
from streamvec.tasks.generation import Sampling
from streamvec.tasks.lm import TrainedModel
from streamvec.training import lm, lmneeds
from streamvec.training.checking import DAMAGED, OK, UNFINISHED
from streamvec.training.info import info
from streamvec.training.run import Run
from streamvec.training.verify import verify

WORDS = ["The", "ship", "sails", "to", "a", "shore,", "and", "Größe", "it's", "far."]
SMALL = {"hidden": 8, "layers": 2, "dim": 6, "batch": 3, "bptt": 5, "epochs": 3, "min_count": 2, "threads": 1}
MORE = {"optimizer": "adam", "dropout": 0.2, "learning_rate": 0.01}


def text_of(lines, seed):
    draw = random.Random(seed)
    return "".join(" ".join(draw.choice(WORDS) for _ in range(draw.randrange(1, 8))) + "\n" for _ in range(lines))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Text to learn, text to measure on, and RUNs that no test changes."""
    folder = tmp_path_factory.mktemp("lm")
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


@pytest.mark.parametrize("level", ["word", "char"])
def test_the_vocabulary_is_the_tokens_of_the_level(folder, level):
    names, text = names_of(folder / level), (folder / "text.txt").read_text(encoding="utf-8")
    tokens = [token for token in split_by_hand(text, level) if token != "</s>"]
    least = 2 if level == "word" else 1
    assert set(names) - {"<unk>", "</s>"} == {token for token in tokens if tokens.count(token) >= least}
    loaded = sv.KeyedVectors.load(folder / level)
    assert len(loaded) == len(names) and loaded.dim == 6
    assert ("T" in names) == (level == "char") and ("," in names) and ("once" in names) is False


@pytest.mark.parametrize("level", ["word", "char"])
def test_perplexity_is_what_the_checkpoint_says_by_hand(folder, streamvec, level):
    run, path = folder / level, folder / "valid.txt"
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


def test_heldout_loss_in_the_metrics_is_that_of_lanes_by_hand(folder):
    run = folder / "word"
    config, names = LmConfig(**Run.open(run).about["config"]), names_of(run)
    p = parameters_of(Run.open(run).checkpoints.paths()[0], config)
    tokens = split_by_hand((folder / "valid.txt").read_text(encoding="utf-8"), "word")
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


def test_tokens_can_be_said_otherwise(folder, tmp_path):
    sv.train_lm(folder / "text.txt", tmp_path / "a", tokens="whitespace", **SMALL)
    assert {"shore,", "far."} <= set(names_of(tmp_path / "a"))
    sv.train_lm(folder / "text.txt", tmp_path / "b", tokens="regex", token_pattern="[a-z]", **SMALL)
    assert set(names_of(tmp_path / "b")) <= {"<unk>", "</s>", *"abcdefghijklmnopqrstuvwxyz"}
    sv.train_lm(folder / "text.txt", tmp_path / "c", keep_case=True, **SMALL)
    assert "The" in names_of(tmp_path / "c")


def test_it_writes_and_ends(folder, streamvec):
    said = [streamvec("generate", folder / "char", "--length", 80, "--seed", seed).stdout for seed in (1, 1, 2)]
    assert said[0] == said[1] != said[2] and len(said[0]) == 81
    known = set("".join(WORDS)) | set(" \nonly endThe")
    assert set(said[0]) <= known
    record = json.loads(streamvec("generate", folder / "word", "--prompt", "The ship unheard", "--json").stdout)
    assert record["prompt"] == "The ship unheard" and "<unk>" not in record["text"] and "</s>" not in record["text"]
    with TrainedModel(Run.open(folder / "word")) as trained:
        texts = ["".join(trained.write("", Sampling(seed=seed), 50)) for seed in range(30)]
        assert all(not text.startswith(" ") for text in texts)
        assert len({len(text.split()) for text in texts}) > 3  # each ends where the model ends a sentence
        assert trained.ids("ship UNHEARD Größe").tolist() == [
            names_of(folder / "word").index(name) for name in ("ship", "<unk>", "größe")
        ]


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["train", "lm", "text.txt", "--out", "new", "--tied", "--output", "adaptive"], 2, "tied vectors need"),
        (["train", "lm", "text.txt", "--out", "new", "--tied", "--dim", "5"], 2, "dim must be hidden"),
        (["train", "lm", "text.txt", "--out", "new", "--patience", "2"], 2, "patience needs text to measure on"),
        (["train", "lm", "text.txt", "--out", "new", "--phrases", "1"], 2, "phrases must be 0 for a language model"),
        (["train", "lm", "text.txt", "--out", "new", "--output", "adaptive", "--cutoffs", "9,x"], 2, "cutoffs must be"),
        (["train", "lm", "text.txt", "--out", "new", "--output", "adaptive", "--cutoffs", "9,5"], 2, "cutoffs must be"),
        (["train", "lm", "text.txt", "--out", "new", "--dropout", "1"], 2, "dropout must be"),
        (["train", "lm", "text.txt", "--out", "new", "--cell", "transformer"], 2, "cell"),
        (["train", "lm", "text.txt", "--out", "new", "--valid", "none.txt"], 1, "none.txt"),
        (["generate", "word", "--temperature", "-1"], 2, "temperature must be at least 0"),
        (["generate", "word", "--length", "0"], 2, "length"),
        (["generate", "none"], 1, "not a RUN"),
        (["evaluate", "word"], 2, "nothing to evaluate by"),
        (["evaluate", "word", "text.txt", "--similarity", "x"], 2, "TEXT is for a language model"),
        (["evaluate", "word", "none.txt"], 1, "none.txt"),
    ],
    ids=lambda value: " ".join(value[-4:]) if isinstance(value, list) else None,
)
def test_wrong_usage(folder, arguments, code, message):
    command = [sys.executable, "-m", "streamvec_cli.main", *arguments]
    ended = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert ended.returncode == code and message in ended.stderr and "Traceback" not in ended.stderr
    assert not (folder / "new").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"patience": 2}, "patience needs text"),
        ({"phrases": 1}, "phrases must be 0"),
        ({"tied": True, "output": "adaptive"}, "tied vectors need an output that gives all words the same length"),
        ({"output": "adaptive", "cutoffs": ""}, "cutoffs must be rising numbers"),
        ({"output": "adaptive", "cutoffs": "0,5"}, "cutoffs must be rising numbers"),
        ({"bidirectional": True}, "options must be those of train lm, got bidirectional"),
        ({"batch": 0}, "batch must be at least 1, got 0"),
        ({"clip": -1.0}, "clip must be at least 0"),
        ({"decay": 0.0}, "decay must be above 0"),
        ({"learning_rate": float("inf")}, "learning_rate must be"),
    ],
)
def test_what_can_never_be_right(folder, tmp_path, options, message):
    with pytest.raises(ValueError, match=message):
        sv.train_lm(folder / "text.txt", tmp_path / "run", **options)
    assert not (tmp_path / "run").exists()


def test_text_that_is_too_short_for_its_lanes_is_named(tmp_path):
    (tmp_path / "text.txt").write_text("a b\n" * 3)
    with pytest.raises(StreamvecError, match=r"9 tokens are too few for 20 sequences.*smaller --batch"):
        sv.train_lm(tmp_path / "text.txt", tmp_path / "run", min_count=1)


def test_a_diverging_learning_rate_is_refused_and_the_last_good_checkpoint_stays(folder, tmp_path):
    options = {**SMALL, "learning_rate": 1e5, "clip": 0.0, "checkpoint_batches": 1, "cell": "rnn-relu"}
    with (
        np.errstate(all="ignore"),
        pytest.raises(StreamvecError, match=r"training diverged in epoch 1, batch \d+") as told,
    ):
        sv.train_lm(folder / "text.txt", tmp_path / "run", **options)
    assert "lower --learning-rate, such as 4e+04" in str(told.value)
    assert all(one.state in (OK, UNFINISHED) or one.path.name == "metrics.jsonl" for one in verify(tmp_path / "run"))


def stopped_after(steps):
    left = [steps]

    def stop():
        left[0] -= 1
        return left[0] < 0

    return stop


OUTPUTS = {"tied": {"tied": True, "dim": 8}, "adaptive": {"output": "adaptive", "cutoffs": "3,6"}}


@pytest.mark.parametrize("optimizer", ["momentum", "adam"])
@pytest.mark.parametrize("output", OUTPUTS)
def test_stopped_and_gone_on_with_is_the_same_bytes(folder, tmp_path, output, optimizer):
    options = {**SMALL, "dropout": 0.3, "optimizer": optimizer, "valid": folder / "valid.txt", "patience": 2}
    options |= OUTPUTS[output]
    sv.train_lm(folder / "text.txt", tmp_path / "whole", **options)
    run, threads, stops = tmp_path / "run", [2, 3, 1], 0
    for number in range(60):
        try:
            if number == 0:
                sv.train_lm(folder / "text.txt", run, **options, stop=stopped_after(14))
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


def losses_of(run):
    """What the records say of each epoch."""
    records = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    names = ("epoch_loss", "heldout_loss", "learning_rate")
    return [[record[name] for name in names] for record in records if "epoch_loss" in record]


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


def test_killed_in_the_middle_of_an_epoch_and_the_same_bytes(folder, tmp_path):
    options = {**SMALL, **MORE, "valid": str(folder / "valid.txt"), "checkpoint_batches": 3}
    sv.train_lm(folder / "text.txt", tmp_path / "whole", **options)
    run, codes = tmp_path / "run", []
    for steps, *more in ((17, str(folder / "text.txt"), repr(options)), (13,), (11,), (10**9,)):
        command = [sys.executable, "-c", KILLED, str(run), str(steps), *more]
        codes.append(subprocess.run(command, check=False, capture_output=True).returncode)
        if codes[-1]:
            assert Run.open(run).checkpoints.paths()[0].name[5:] != "000000000"  # in the middle
    assert codes == [-signal.SIGKILL] * 3 + [0]
    assert checkpoint(run) == checkpoint(tmp_path / "whole")
    assert (run / "vectors.arrow").read_bytes() == (tmp_path / "whole" / "vectors.arrow").read_bytes()


def test_other_threads_are_the_same_bytes(folder, tmp_path):
    sv.train_lm(folder / "text.txt", tmp_path / "run", valid=folder / "valid.txt", **{**SMALL, **MORE, "threads": 3})
    assert checkpoint(tmp_path / "run") == checkpoint(folder / "word")
    assert (tmp_path / "run" / "vectors.arrow").read_bytes() == (folder / "word" / "vectors.arrow").read_bytes()


def test_a_finished_run_gives_its_vectors_again(folder, tmp_path):
    run = Path(shutil.copytree(folder / "word", tmp_path / "run"))
    before = (run / "vectors.arrow").read_bytes()
    assert len(sv.resume(run)) == len(names_of(run))
    assert (run / "vectors.arrow").read_bytes() == before
    (run / "vectors.arrow").unlink()
    sv.resume(run, threads=2)
    assert (run / "vectors.arrow").read_bytes() == before


def test_patience_keeps_the_best_epoch_and_what_is_asked_uses_it(folder, tmp_path, monkeypatch):
    heard = iter([3.0, 2.0, 2.5, 2.6, 1.0])
    monkeypatch.setattr(lm.PerplexityWatch, "measure", lambda self: (next(heard), True))
    notes, run = Notes(), tmp_path / "run"
    options = {**SMALL, **MORE, "epochs": 9, "patience": 2}
    trained = sv.train_lm(folder / "text.txt", run, valid=folder / "valid.txt", report=notes, **options)
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
        assert found.nats == pytest.approx(naive_losses(config, best, ids[:-1], ids[1:])[0].sum(), rel=1e-5)


def test_nn_works_on_the_vectors_of_a_run(folder, streamvec):
    said = streamvec("nn", folder / "word", "ship", "-n", 3, "--json")
    assert said.returncode == 0 and len(said.stdout.splitlines()) >= 1 and "ship" in said.stdout


def test_vectors_to_begin_with(folder, tmp_path):
    words = ["ship", "shore", "nowhere"]
    rows = np.random.default_rng(1).normal(0, 1, (3, 6)).astype(np.float32)
    sv.KeyedVectors.from_arrays(words, rows).save(tmp_path / "vectors.arrow")
    options = {name: value for name, value in SMALL.items() if name != "dim"}
    with pytest.raises(Interrupted):
        sv.train_lm(
            folder / "text.txt",
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
    sv.train_lm(folder / "text.txt", tmp_path / "whole", vectors=tmp_path / "vectors.arrow", **options)
    assert checkpoint(tmp_path / "run") == checkpoint(tmp_path / "whole")
    with pytest.raises(ValueError, match="dim must be hidden"):
        sv.train_lm(folder / "text.txt", tmp_path / "new", vectors=tmp_path / "vectors.arrow", tied=True, **options)


def stopped_while_training(steps):
    """Says stop after so many steps of training, however often it is asked before."""
    calls = [0]

    def stop():
        name = sys._getframe(1).f_code.co_name
        calls[0] += name == "train"
        return calls[0] >= steps

    return stop


def test_info_and_verify_in_every_stage(folder, tmp_path):
    steps = info(folder / "word")["steps"]
    tokens = len(split_by_hand((folder / "text.txt").read_text(encoding="utf-8"), "word"))
    assert steps == -(-((tokens - 1) // 3) // 5)
    seen, run = set(), tmp_path / "run"
    options = {**SMALL, **MORE, "valid": folder / "valid.txt", "patience": 3}
    for number in range(80):
        try:
            if number == 0:
                sv.train_lm(folder / "text.txt", run, **options, stop=stopped_after(0))
            else:
                sv.resume(run, checkpoint_batches=1, stop=stopped_after(number if number < 4 else 7))
        except Interrupted:
            pass
        said, checked = info(run), list(verify(run))
        seen.add(said["stage"])
        assert not [one for one in checked if one.state == DAMAGED]
        if newest := Run.open(run).checkpoints.paths():
            epoch, batch = map(int, newest[0].name.split("-"))
            done = (epoch + batch / steps) / 3
            assert said["progress"] == (1.0 if said["stage"] == "finished" else pytest.approx(done, abs=1e-5))
        names = {one.path.relative_to(run).parts[0]: one.state for one in checked}
        assert "heldout" in names
        assert said["stage"] in ("counting", "encoding") or (names["heldout"] == OK) == (run / "heldout").exists()
        if said["stage"] == "finished":
            break
    assert {"counting", "training", "finished"} <= seen
    assert (
        said["heldout"]["tokens"]
        == 1
        + sum(token != "</s>" for token in split_by_hand((folder / "valid.txt").read_text(encoding="utf-8"), "word"))
        - 1
    )


def test_info_of_a_run_of_characters_counts_no_ends(folder):
    characters = len((folder / "text.txt").read_text(encoding="utf-8")) + 1  # the last line break is added
    assert info(folder / "char")["steps"] == -(-((characters - 1) // 3) // 5)
    assert info(folder / "char" / "shards")["tokens"] == characters


def test_damaged_held_out_text_is_named_and_made_again(folder, tmp_path):
    run = tmp_path / "run"
    with pytest.raises(Interrupted):
        sv.train_lm(folder / "text.txt", run, valid=folder / "valid.txt", **SMALL, stop=stopped_while_training(3))
    shard = next((run / "heldout").glob("*.arrow"))
    whole = shard.read_bytes()
    shard.write_bytes(whole[:-40] + bytes(8) + whole[-32:])
    found = [one for one in verify(run) if one.state == DAMAGED]
    assert [one.path for one in found] == [shard] and "remove the folder" in found[0].what
    shutil.rmtree(run / "heldout")
    sv.resume(run)
    assert next((run / "heldout").glob("*.arrow")).read_bytes() == whole


def test_shards_of_a_run_can_be_learnt_from_again(folder, tmp_path):
    options = {name: value for name, value in SMALL.items() if name != "min_count"}
    sv.train_lm(folder / "char", tmp_path / "run", **options, **MORE)
    assert checkpoint(tmp_path / "run") == checkpoint(folder / "char")
    assert Run.open(tmp_path / "run").about["config"]["level"] == "char"
    with pytest.raises(ValueError, match="level must be char"):
        sv.train_lm(folder / "char", tmp_path / "other", level="word", **options)
    with pytest.raises(StreamvecError, match="hold the places of rare words"):
        sv.train_skipgram(folder / "word", tmp_path / "other", dim=8)
    sv.train_skipgram(folder / "text.txt", tmp_path / "skipgram", dim=8, min_count=2, epochs=1)
    with pytest.raises(StreamvecError, match="lack the places of rare words"):
        sv.train_lm(tmp_path / "skipgram", tmp_path / "other", **options)
    assert not (tmp_path / "other").exists()


def test_a_model_too_large_for_its_memory_is_refused_with_what_helps(folder, tmp_path):
    options = {"level": "char", "hidden": 1500, "batch": 64, "bptt": 100, "min_count": 1, "threads": 2}
    with pytest.raises(StreamvecError, match=r"training needs [\d,]+ MB for 2 layers of 1500 units") as told:
        sv.train_lm(folder / "text.txt", tmp_path / "run", memory=600 << 20, **options)
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
    assert taken <= told <= 1.5 * taken  # what comes and goes within a step is told at its largest


COMPILED = """
import sys
from numba.core.dispatcher import Dispatcher
import streamvec as sv
from streamvec.corpus.compiling import compile_kernels
from streamvec.corpus.tokens import Tokenizer
from streamvec.kernels import cells, dropout, nonlinear, optimizers, random, rows, softmax, streams, wordtable
from streamvec.tasks.generation import Sampling
from streamvec.tasks.lm import TrainedModel
from streamvec.training import words
from streamvec.training.run import Run
from streamvec.training.warming import compile_language_model
modules = cells, dropout, nonlinear, optimizers, random, rows, softmax, streams, wordtable
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
    sv.train_lm(sys.argv[1], out, valid=sys.argv[1], epochs=1, batch=3, hidden=8, threads=2, min_count=1, **more)
    with TrainedModel(Run.open(out)) as trained:
        trained.perplexity(sys.argv[1])
        list(trained.write("the", Sampling(), 5))
    assert compiled() == before, {n: (before[n], after) for n, after in compiled().items() if after != before[n]}
"""


def test_every_kernel_is_compiled_beforehand(folder, tmp_path):
    each = [
        {"cell": "gru", "optimizer": "adam", "dropout": 0.2},
        {"tied": True, "level": "char", "optimizer": "momentum"},
        {"output": "adaptive", "cutoffs": "3,5", "optimizer": "adagrad", "cell": "rnn"},
        {"cell": "gru-simple"},
        {"cell": "rnn-relu", "dropout": 0.1},
    ]
    command = [sys.executable, "-c", COMPILED, str(folder / "text.txt"), str(tmp_path / "run"), repr(each)]
    ended = subprocess.run(command, check=False, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
