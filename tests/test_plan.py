"""Plans, against what trainings then take: memory by the operating system, disk by the sizes of files."""

import gzip
import json
import math
import random
import re
import shutil
from dataclasses import fields

import numpy as np
import pyarrow as pa
import pytest
from planning import OPTIONS, cli, flags, most_memory, usage, zipf_text

import streamvec
from streamvec.corpus.counting import Counter, Counting
from streamvec.corpus.crew import ThreadCrews
from streamvec.corpus.shards import Shards
from streamvec.corpus.shares import shares
from streamvec.corpus.sources import resolve
from streamvec.corpus.tokens import Tokenizer
from streamvec.corpus.vocabulary import word_bytes
from streamvec.errors import StreamvecError
from streamvec.models.kinds import CONFIGS
from streamvec.models.subwords import ngrams_of
from streamvec.models.wordconfig import SkipGramConfig
from streamvec.training import needs, planned, seen, tableneeds, wordvectors
from streamvec.training.options import MachineOptions, TextOptions
from streamvec.training.plan import plan_training
from streamvec.training.timing import batches_of

pytestmark = pytest.mark.usefixtures("short_timings")


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return zipf_text(tmp_path_factory.mktemp("plan"), 40_000, 60_000)


@pytest.fixture(scope="module")
def run(corpus, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "run"
    streamvec.train_skipgram(corpus, folder, **OPTIONS)
    return folder


@pytest.fixture(scope="module")
def plan(corpus):
    return plan_training(corpus, **OPTIONS)


def test_small_inputs_are_told_exactly(plan, run):
    shards = Shards.open(run / "shards")
    told = plan.corpus
    assert told["is_whole"]
    assert (told["words"], told["known_tokens"]) == (shards.vocabulary_size, shards.tokens)
    assert (told["documents"], told["tokens"]) == (40_000, shards.counts["tokens"])
    assert told["text_bytes"] == shards.counts["bytes_read"]


def test_disk_is_that_of_the_run(plan, run):
    def size(name):
        path = run / name
        return sum(file.stat().st_size for file in (path.rglob("*.*") if path.is_dir() else [path]))

    found = {
        "shards": size("shards"),
        "vocabulary": size("vocabulary.arrow"),
        "checkpoints": size("checkpoints"),
        "vectors": size("vectors.arrow"),
    }
    for name, expected in found.items():
        assert plan.disk[name] == pytest.approx(expected, rel=0.03, abs=8192), name


SUBWORDS = {"subwords": "2-6", "buckets": 400_000, "dim": 200}


@pytest.mark.parametrize("options", [{}, SUBWORDS])
def test_memory_is_what_the_system_saw(corpus, tmp_path, options):
    plan = plan_training(corpus, **OPTIONS | options)
    taken = most_memory("train", "skipgram", corpus, "--out", tmp_path / "run", *flags(OPTIONS | options))
    assert plan.peak_memory == pytest.approx(taken, rel=0.2)


@pytest.mark.parametrize(
    "options",
    [
        {"dim": 333},
        {"mode": "hogwild"},
        {"negative": 9, "batch": 100},
        {"subwords": "3-6", "buckets": 100_000},
        {"objective": "hs"},
        {"objective": "softmax"},
    ],
)
def test_a_plan_and_a_refusal_never_disagree(corpus, tmp_path, monkeypatch, options):
    monkeypatch.setattr(
        wordvectors, "compiling_bytes", lambda: 0
    )  # on a fresh machine this process is the one that compiles
    options = OPTIONS | options
    config = SkipGramConfig(**{name: value for name, value in options.items() if name not in ("threads", "memory")})
    sizes = seen.of_text(resolve([str(corpus)]), TextOptions(), config).corpus
    low, high = 1 << 20, 1 << 32  # the least memory that is enough: what is needed grows with what is allowed
    while high - low > 1000:
        middle = (low + high) // 2
        machine = MachineOptions(threads=2, memory=middle)
        load = needs.Load(sizes.words, sizes.word_bytes, sizes.text_bytes, sizes.ngrams)
        fits = needs.training_bytes(config, machine, load) <= middle
        low, high = (low, middle) if fits else (middle, high)
    for memory, fits in ((high, True), (low, False)):
        here = options | {"memory": memory}
        told = plan_training(corpus, **here)
        refusals = [warning for warning in told.warnings if "refused" in warning]
        try:
            streamvec.train_skipgram(corpus, tmp_path / str(fits), **here)
            assert not refusals
        except StreamvecError as refusal:
            assert str(refusal) in refusals[0]
            assert "--max-vocab" in refusals[0]


def test_what_is_advised_fits(corpus):
    options = {"dim": 5000, "epochs": 1, "threads": 1, "memory": 320_000_000}
    warning = next(warning for warning in plan_training(corpus, **options).warnings if "refused" in warning)
    for flag, name in (("--max-vocab", "max_vocab"), ("--dim", "dim")):
        number = int(re.search(flag + r" (?:to )?(\d+)", warning)[1])
        assert not plan_training(corpus, **options | {name: number}).warnings
        assert plan_training(corpus, **options | {name: number + max(2, number // 50)}).warnings


def test_ngrams_are_told_exactly_and_disk_is_that_of_the_run(corpus, tmp_path):
    plan = plan_training(corpus, **OPTIONS | SUBWORDS)
    streamvec.train_skipgram(corpus, tmp_path / "run", **OPTIONS | SUBWORDS)
    stored = pa.ipc.open_file(tmp_path / "run" / "vectors.ngrams.arrow").read_all()
    assert plan.corpus["ngrams"] == stored.num_rows
    vectors = sum((tmp_path / "run" / f"vectors{name}.arrow").stat().st_size for name in ("", ".ngrams"))
    assert plan.disk["vectors"] == pytest.approx(vectors, rel=0.03, abs=8192)
    found = sum(path.stat().st_size for path in (tmp_path / "run" / "checkpoints").rglob("*.*"))
    assert plan.disk["checkpoints"] == pytest.approx(found, rel=0.03, abs=8192)
    again = plan_training(tmp_path / "run", **OPTIONS | SUBWORDS)
    assert again.corpus["ngrams"] == plan.corpus["ngrams"]


def test_ngrams_of_more_words_grow_as_they_did(monkeypatch):
    words = [f"{number * 7919 % 99991:05d}" for number in range(40_000)]
    content, offsets = word_bytes(pa.array(words, pa.large_string()))
    config = SkipGramConfig(subwords="3-6")
    found = ngrams_of(config, (content, offsets)).sizes
    told = needs.told_from(config, (content, offsets[:10_001]), 40_000)
    assert told.rows == pytest.approx(found.rows, rel=0.15) and told.entries == found.entries
    assert needs.told_from(SkipGramConfig(), (content, offsets), 40_000) == (0, 0)
    assert needs.told_from(SkipGramConfig(subwords="3-6", buckets=99), (content, offsets), 10**9).rows == 99


def test_a_run_can_be_planned(run, plan):
    told = plan_training(run, **OPTIONS | {"dim": 80})
    assert told.corpus["words"] == plan.corpus["words"] and told.corpus["known_tokens"] == plan.corpus["known_tokens"]
    assert told.disk["shards"] == 0 and set(told.memory) == {"training"}
    assert told.disk["vectors"] > 1.8 * plan.disk["vectors"] - 40 * plan.corpus["words"]


def test_more_checkpoints_take_more_disk(corpus):
    one, two, many = (
        plan_training(corpus, **OPTIONS | {"epochs": epochs, "checkpoint_batches": 6}).disk["checkpoints"]
        for epochs in (1, 2, 9)
    )
    single = needs.checkpoint_bytes(
        SkipGramConfig(dim=40).array_bytes(plan_training(corpus, **OPTIONS).corpus["words"])
    )
    assert one in (single, 2 * single) and 2 * single <= two <= many < 3 * single


def test_warnings_of_disk_and_machine(corpus, tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage(10**9, 10**9 - 1000, 1000))
    monkeypatch.setattr(planned, "free_memory", lambda: 10**8)
    found = plan_training(corpus, tmp_path / "not" / "there", **OPTIONS).warnings
    assert any(str(tmp_path) in warning and "--out" in warning for warning in found)
    assert any("the machine has 100 MB of memory free" in warning for warning in found)


def test_tables_of_words_begin_as_planned():
    for memory in (300_000_000, 600_000_000, 5_000_000_000):
        machine = MachineOptions(threads=2, memory=memory)
        counter = Counter(Tokenizer(), shares(memory, 2).table_bytes // 2, lambda *_: None)
        assert tableneeds.first_slots(machine)[0] == counter._table.slots.shape[0]


def test_spilled_runs_are_foreseen(tmp_path):
    """Counting with a table that is always full."""
    from streamvec.corpus.blocks import read_blocks
    from streamvec.corpus.sampling import sample_corpus
    from streamvec.corpus.stitch import whole_tokens

    path = tmp_path / "many.txt"
    rng = random.Random(2)
    path.write_text("".join(f"w{rng.randrange(10**6)} w{rng.randrange(10**6)}\n" for _ in range(100_000)))
    sources, tokenizer = resolve([str(path)]), Tokenizer()
    counting = Counting(tmp_path / "counting", tokenizer, 1, ThreadCrews(1))  # the smallest table
    most = Counter(tokenizer, 1, lambda *_: None)._most_slots * 0.7
    counting.run(
        whole_tokens(read_blocks(sources, block_bytes=1 << 16), tokenizer), lambda progress: None, lambda: False
    )
    found = sum(file.stat().st_size for file in (tmp_path / "counting").glob("run-*"))
    sample = sample_corpus(sources, tokenizer, most_seconds=60)
    runs = tableneeds.runs_of(lambda tokens: -(10**6) * math.expm1(-tokens / 10**6), sample.tokens, 1, most)
    told = runs.kept * (float(sample.sizes.mean()) + tableneeds._RUN_WORD)
    assert told == pytest.approx(found, rel=0.1) and runs.peak > 1.3 * runs.kept


def test_batches_leave_rare_words_out():
    ids, lengths = np.array([0, 5, 1, 2, 9, 9, 3], np.int32), np.array([3, 0, 4], np.int32)
    (batch,) = batches_of([(ids, lengths)], 5)
    assert batch.values.tolist() == [0, 1, 2, 3] and batch.offsets.tolist() == [0, 2, 4]


def test_standard_input_cannot_be_planned():
    with pytest.raises(StreamvecError, match=r"standard input.*cannot be planned"):
        plan_training("-")


@pytest.mark.parametrize(("text", "message"), [("", "no words"), ("one two three\n", "min-count")])
def test_text_without_words(tmp_path, text, message):
    (tmp_path / "text.txt").write_text(text)
    with pytest.raises(StreamvecError, match=message):
        plan_training(tmp_path / "text.txt")


def test_wrong_arguments():
    with pytest.raises(ValueError, match="options must be those of train skipgram, got dimension"):
        plan_training("x", dimension=3)
    with pytest.raises(StreamvecError, match="nowhere"):
        plan_training("nowhere.txt")
    with pytest.raises(ValueError, match="kind must be skipgram or cbow or glove or lm, got 'tagger'"):
        plan_training("x", kind="tagger")
    with pytest.raises(ValueError, match="valid must be left out of kind cbow"):
        plan_training("x", kind="cbow", valid="y")


def test_cbow_and_patience_are_planned_too(corpus):
    told = plan_training(corpus, kind="cbow", **OPTIONS | {"holdout": 0.1, "patience": 1, "epochs": 3})
    plain = plan_training(corpus, **OPTIONS | {"epochs": 3})
    one = needs.checkpoint_bytes(SkipGramConfig(dim=OPTIONS["dim"]).array_bytes(told.corpus["words"]))
    assert plain.disk["best"] == 0 and told.disk["best"] == 2 * one
    assert told.peak_disk == plain.peak_disk + 2 * one
    assert told.model_bytes == plain.model_bytes


def test_command_line(corpus, tmp_path):
    packed = tmp_path / "zipf.txt.gz"
    packed.write_bytes(gzip.compress(corpus.read_bytes(), 1))
    told = cli(packed, *flags(OPTIONS))
    assert told.returncode == 0 and told.stderr == ""
    assert [line.split()[0] for line in told.stdout.splitlines() if not line.startswith(" ")] == [
        "text",
        "vocabulary",
        "memory",
        "disk",
        "time",
    ]
    answer = json.loads(cli(packed, "--json", *flags(OPTIONS)).stdout)
    assert answer["peak_memory_bytes"] == max(answer["memory"].values())
    assert answer["total_seconds"] > 0 and answer["corpus"]["words"] > 1000
    assert [*tmp_path.iterdir()] == [packed]  # nothing is written


def test_command_line_refuses():
    for arguments, status, message in (
        (["-"], 1, "cannot be planned"),
        (["nowhere.txt"], 1, "nowhere.txt"),
        (["x.txt", "--dim", "0"], 2, "dim must be at least 1"),
        ([], 2, "INPUT"),
    ):
        told = cli(*arguments)
        assert (told.returncode, told.stdout) == (status, "") and message in told.stderr


def test_plan_has_the_options_of_train():
    import streamvec_cli.plan
    import streamvec_cli.train

    planned = {option.name for option in streamvec_cli.plan.plan_.params}
    verbs = streamvec_cli.train.train_.commands
    trained = {option.name for kind in CONFIGS for option in verbs[kind].params}
    assert trained - planned == {"overwrite", "evaluate", "vocab", "bidirectional", "shards"}
    assert planned <= trained | {"kind", "bandwidth", "round_trip"}
    kinds = (*CONFIGS.values(), TextOptions, MachineOptions)
    assert {field.name for kind in kinds for field in fields(kind)} <= planned


def test_compiling_counts_once():
    config, machine = SkipGramConfig(), MachineOptions(threads=2, memory=400_000_000)
    most = needs.words_that_fit(config, machine, needs.Load(1, 7.0))
    needs.refuse_too_large(config, machine, needs.Load(most, 7.0))
    with pytest.raises(StreamvecError, match=r"compiled first.*run the same command again"):
        needs.refuse_too_large(config, machine, needs.Load(most, 7.0), needs.COMPILING_BYTES)
    with pytest.raises(StreamvecError, match=f"--max-vocab {most}"):
        needs.refuse_too_large(config, machine, needs.Load(most + 1, 7.0))
