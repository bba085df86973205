"""Plans of language models, against what trainings then take."""

import json
import random
import re

import numpy as np
import pytest
from planning import cli, flags, most_memory

import streamvec as sv
from streamvec.corpus.shards import MarkedShards, TokenBatch
from streamvec.errors import StreamvecError
from streamvec.models.lmconfig import LmConfig
from streamvec.models.lmsizes import LmSizes
from streamvec.training import lmtiming
from streamvec.training.info import info
from streamvec.training.lmplan import lengths_of_sequences, share_filled
from streamvec.training.plan import plan_training

pytestmark = pytest.mark.usefixtures("short_timings")
OPTIONS = {"hidden": 32, "layers": 1, "epochs": 2, "threads": 2, "memory": 600_000_000, "batch": 8, "bptt": 10}
LEVELS = {"word": {"level": "word", "min_count": 2}, "char": {"level": "char"}}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """Lines of few and of many words, some without any."""
    draw = random.Random(3)
    lines = [" ".join(f"w{int(2000 * draw.random() ** 3):x}" for _ in range(draw.randrange(12))) for _ in range(900)]
    path = tmp_path_factory.mktemp("plan") / "text.txt"
    path.write_text("\n".join([*lines, "<unk> once </s> <unk>"]) + "\n")
    return path


@pytest.fixture(scope="module")
def runs(corpus, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    for level, options in LEVELS.items():
        sv.train_lm(corpus, folder / level, valid=corpus, patience=2, **OPTIONS, **options)
    return folder


@pytest.fixture(scope="module")
def plans(corpus):
    return {
        level: plan_training(corpus, kind="lm", valid=corpus, patience=2, **OPTIONS, **options)
        for level, options in LEVELS.items()
    }


def size_of(path):
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file())


@pytest.mark.parametrize("level", LEVELS)
def test_small_inputs_are_told_exactly(plans, runs, level):
    shards, told = MarkedShards.open(runs / level / "shards"), plans[level].corpus
    assert told["is_whole"]
    assert (told["words"], told["documents"]) == (shards.vocabulary_size, shards.whole_documents)
    assert told["tokens"] == shards.tokens
    assert told["known_tokens"] == shards.tokens - shards.counts["dropped_rare"]
    assert plans[level].network["tokens"] == len(sv.KeyedVectors.load(runs / level))


@pytest.mark.parametrize("level", LEVELS)
def test_disk_is_that_of_the_run(plans, runs, level):
    for name in ("shards", "vocabulary.arrow", "heldout", "checkpoints", "vectors.arrow"):
        told = plans[level].disk[name.split(".")[0]]
        assert told == pytest.approx(size_of(runs / level / name), rel=0.03, abs=8192), name
    best = size_of(runs / level / "best")  # while one is written, the one before is there
    assert plans[level].disk["best"] == pytest.approx(2 * best, rel=0.03, abs=8192)


def test_memory_is_what_the_system_saw(corpus, tmp_path):
    options = OPTIONS | {"hidden": 192, "layers": 2, "batch": 20, "bptt": 60, "optimizer": "adam", "epochs": 1}
    options |= LEVELS["word"]
    plan = plan_training(corpus, kind="lm", valid=corpus, **options)
    taken = most_memory("train", "lm", corpus, "--out", tmp_path / "run", "--valid", corpus, *flags(options))
    assert plan.peak_memory == pytest.approx(taken, rel=0.25)
    assert [*plan.memory] == ["counting", "encoding", "training"]


def test_a_run_can_be_planned(runs, plans, corpus):
    for level in LEVELS:
        told = plan_training(runs / level, kind="lm", **OPTIONS)
        assert told.network == plans[level].network and told.disk["shards"] == 0 and set(told.memory) == {"training"}
        for name in ("tokens", "known_tokens", "words", "documents"):
            assert told.corpus[name] == plans[level].corpus[name]
    with pytest.raises(ValueError, match="level must be char, as in the RUN"):
        plan_training(runs / "char", kind="lm", level="word")
    with pytest.raises(StreamvecError, match=r"its shards hold the places of rare words.*which cbow cannot take"):
        plan_training(runs / "char", kind="cbow")
    with pytest.raises(StreamvecError, match="its shards were made with min_count=2, not 3"):
        plan_training(runs / "word", kind="lm", min_count=3)


def test_vectors_decide_the_length(runs, corpus):
    told = plan_training(corpus, kind="lm", vectors=runs / "word" / "vectors.arrow", freeze=True, hidden=48, layers=1)
    assert told.dim == 32 and told.disk["checkpoints"] >= 2 * told.model_bytes  # one before the first step, too
    with pytest.raises(ValueError, match="freeze needs vectors"):
        plan_training(corpus, kind="lm", freeze=True)


@pytest.mark.parametrize("options", [{"hidden": 1200, "batch": 64}, {"batch": 90_000, "hidden": 1, "bptt": 1}])
def test_a_plan_and_a_refusal_never_disagree(corpus, tmp_path, options):
    options = {**OPTIONS, **LEVELS["char"], **options, "memory": 420_000_000, "epochs": 1}
    (told,) = (warning for warning in plan_training(corpus, kind="lm", **options).warnings if "refused" in warning)
    with pytest.raises(StreamvecError) as refusal:
        sv.train_lm(corpus, tmp_path / "run", **options)
    assert "MB or more for 1 layers" in str(refusal.value)  # the text was not read for it
    assert not (tmp_path / "run").exists()
    both = [re.search(r"needs ([\d,]+) MB.*--memory to (\d+)MB", text) for text in (told, str(refusal.value))]
    assert int(both[0][2]) >= int(both[1][2]) > 420


def test_a_plan_without_a_warning_is_a_training_without_a_refusal(corpus, tmp_path):
    options = {**OPTIONS, **LEVELS["char"], "epochs": 1}
    needed = plan_training(corpus, kind="lm", **options).memory["training"]
    for fits, memory in ((True, needed), (False, needed - 1)):
        here = options | {"memory": memory}
        refused = [warning for warning in plan_training(corpus, kind="lm", **here).warnings if "refused" in warning]
        assert bool(refused) != fits
        if fits:
            sv.train_lm(corpus, tmp_path / "run", **here)
            continue
        with pytest.raises(StreamvecError) as refusal:
            sv.train_lm(corpus, tmp_path / "other", **here)
        assert str(refusal.value) in refused[0]


def test_a_reported_gradient_takes_a_step(corpus, monkeypatch):
    monkeypatch.setattr("streamvec.training.lmplan.tokens_a_second", lambda *_: 1000.0)
    options = {"kind": "lm", **OPTIONS, **LEVELS["char"]}
    plain, more = (plan_training(corpus, report_gradients=on, **options).seconds["training"] for on in (False, True))
    assert plain == pytest.approx(2 * plan_training(corpus, **options).corpus["tokens"] / 1000, rel=0.01)
    assert more - plain == pytest.approx(2 * 5 * 80 / 1000)


def test_text_is_read_as_lanes():
    batch = TokenBatch(np.array([0, 3, -2, 1, 2], np.int32), np.array([0, 3, 5], np.int32))
    stream = lmtiming.Stream([batch], 2, True)
    taken = stream.batch(100, 3, 2, 0)  # 2 5 <unk> </s> 3 4 </s>
    assert taken.inputs.T.tolist() == [[2, 5, 0], [1, 3, 4]] and taken.targets.T.tolist() == [[5, 0, 1], [3, 4, 1]]
    assert taken.begins and not stream.batch(100, 3, 2, 1).begins
    assert stream.batch(4, 3, 2, 0).inputs.T.tolist() == [[2, 0, 0], [1, 3, 0]]
    assert lmtiming.Stream([batch], 1, False).batch(9, 4, 1, 0).inputs.T.tolist() == [[1, 4, 0, 2]]


@pytest.mark.parametrize(
    "options",
    [
        {"hidden": 40},
        {"hidden": 20_000, "layers": 3},
        {"batch": 5000, "bptt": 900, "dropout": 0.5},
        {"tied": True, "hidden": 9000},
        {"dim": 300_000, "hidden": 16},
        {"output": "adaptive", "cutoffs": "500,9000"},
        {"output": "nce", "samples": 9_000_000},
    ],
)
def test_a_model_that_is_too_large_is_timed_smaller(options):
    config, words, most = LmConfig(**options), 20_000_000, 4 << 20
    small, some = lmtiming._smaller(config, words, 2, most)
    assert LmSizes(small, some).training_bytes(2) <= most and some < words
    stream = lmtiming.Stream([TokenBatch(np.arange(500, dtype=np.int32), np.array([0, 500], np.int32))], 2, True)
    rate = lmtiming.tokens_a_second(config, words, np.arange(900, 0, -1), stream, 2, most)
    assert 0 < rate < 1e8
    assert lmtiming._smaller(LmConfig(), 1000, 2, 1 << 30) == (LmConfig(), 1000)


def test_command_line(corpus, runs):
    answer = json.loads(cli(corpus, "--kind", "lm", "--json", *flags(OPTIONS | LEVELS["char"])).stdout)
    assert answer["tokens_per_second"] > 0 and "words_per_second" not in answer
    assert answer["network"] == {"tokens": 28, "cell": "lstm", "layers": 1, "hidden": 32, "output": "softmax"}
    told = cli(corpus, "--kind", "lm", "--valid", corpus, "--report-gradients", *flags(OPTIONS))
    assert (told.returncode, told.stderr) == (0, "")
    names = [line.split()[0] for line in told.stdout.splitlines() if not line.startswith(" ")]
    assert names == ["text", "vocabulary", "memory", "disk", "time"]
    assert "tokens/s, 2 epochs" in told.stdout and "1 layer of 32 units (lstm)" in told.stdout
    assert "heldout" in told.stdout


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["--kind", "lm", "--window", "5"], 2, "--window is an option of skipgram and cbow and glove, not of lm"),
        (["--kind", "lm", "--from", "x"], 2, "--from is an option of skipgram and cbow, not of lm"),
        (["--valid", "x"], 2, "--valid is an option of lm, not of skipgram"),
        (["--kind", "glove", "--report-gradients"], 2, "--report-gradients is an option of lm, not of glove"),
        (["--kind", "lm", "--phrases", "2"], 2, "phrases must be 0 for a language model"),
        (["--kind", "lm", "--patience", "2"], 2, "patience needs text to measure on"),
        (["--kind", "lm", "--tied", "--dim", "3"], 2, "dim must be hidden"),
        (["--kind", "lm", "--valid", "nowhere.txt"], 1, "nowhere.txt"),
    ],
)
def test_command_line_refuses(corpus, arguments, status, message):
    told = cli(corpus, *arguments)
    assert (told.returncode, told.stdout) == (status, "") and message in told.stderr


def test_separate_sequences_are_slower_by_what_pads_them():
    lengths = [1, 3, 0, 2, 30, 9, 4]  # of documents, short and long ones; with their ends one more, and pieces of 10
    batch = TokenBatch(np.zeros(49, np.int32), np.cumsum([0, *lengths]).astype(np.int32))
    pieces = lengths_of_sequences([batch], 10, True)
    assert pieces.tolist() == [2, 4, 3, 10, 10, 10, 1, 10, 5]
    assert share_filled(pieces, 2) == pytest.approx((55 / 9) / ((4 + 10 + 10 + 10 + 5) / 5))
    assert share_filled(pieces, 1) == 1
    assert lengths_of_sequences([batch], 10, False).tolist() == [1, 3, 2, 10, 10, 10, 9, 4]


def test_a_plan_of_separate_sequences_has_the_steps_of_the_training(tmp_path):
    draw = random.Random(5)
    lengths = [draw.choice([1, 2, 3, 7, 9, 10, 11, 60, 95]) for _ in range(300)]
    (tmp_path / "text.txt").write_text("\n".join(" ".join(draw.choices("abcd", k=length)) for length in lengths))
    options = {**OPTIONS, **LEVELS["word"], "separate": True, "epochs": 1}
    sv.train_lm(tmp_path / "text.txt", tmp_path / "run", **options)
    steps = info(tmp_path / "run")["steps"]
    assert steps == -(-sum(-(-(length + 1) // 10) for length in lengths) // 8)
    for source in (tmp_path / "text.txt", tmp_path / "run"):
        # With a checkpoint after so many steps, another is written only when there are more.
        saved = [
            plan_training(source, kind="lm", **options, checkpoint_batches=every).disk["checkpoints"]
            for every in (steps, steps - 1)
        ]
        assert saved[1] == 2 * saved[0]
    streams = plan_training(tmp_path / "text.txt", kind="lm", **{**options, "separate": False})
    plan = plan_training(tmp_path / "text.txt", kind="lm", **options)
    assert plan.memory["training"] != streams.memory["training"] and not plan.warnings
