"""Plans of GloVe, against what its stages then take, and the refusal of a disk that is too small for them."""

import json
import shutil

import numpy as np
import pytest
from planning import BATCH, OPTIONS, cli, flags, most_memory, usage, zipf_text

import streamvec
from streamvec.corpus import cooccurrencestage, pairpass
from streamvec.corpus.batchpieces import BatchPiece
from streamvec.corpus.cooccurrences import Cooccurrences, Counted, bands_of
from streamvec.corpus.cooccurrencestage import CooccurrenceStage, TokenSource
from streamvec.corpus.crew import ThreadCrews
from streamvec.corpus.pairgrowth import Frequencies, pair_growth
from streamvec.corpus.shards import Shards, TokenBatch
from streamvec.corpus.stitch import Start
from streamvec.corpus.vocabulary import Vocabulary
from streamvec.errors import StreamvecError
from streamvec.models.gloveconfig import GloveConfig
from streamvec.training import glovetiming, needs, pairneeds, tableneeds
from streamvec.training.options import MachineOptions
from streamvec.training.pairneeds import growth_of_shards, pair_needs
from streamvec.training.plan import plan_training

pytestmark = pytest.mark.usefixtures("short_timings")


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return zipf_text(tmp_path_factory.mktemp("plan"), 20_000, 20_000)


@pytest.fixture(scope="module")
def run(corpus, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "run"
    streamvec.train_glove(corpus, folder, **OPTIONS)
    return folder


@pytest.fixture(scope="module")
def plan(corpus):
    return plan_training(corpus, kind="glove", **OPTIONS)


def size_of(folder):
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def test_pairs_and_disk_are_those_of_the_run(plan, run):
    found = Cooccurrences.open(run / "cooccurrences")
    assert plan.corpus["is_whole"] and plan.unit == "entries" and plan.epochs == 1
    assert plan.corpus["pairs"] == pytest.approx(found.stored, rel=0.02)
    assert plan.corpus["entries"] == pytest.approx(found.entries, rel=0.02)
    for name in ("shards", "cooccurrences", "checkpoints"):
        assert plan.disk[name] == pytest.approx(size_of(run / name), rel=0.03, abs=20_000), name
    assert plan.disk["vectors"] == pytest.approx((run / "vectors.arrow").stat().st_size, rel=0.03, abs=8192)
    assert [*plan.memory] == ["counting", "encoding", "pairs", "blocks", "training"]
    assert [*plan.seconds] == ["starting", "counting", "encoding", "pairs", "blocks", "training"]
    assert plan.peak_memory == max(plan.memory.values()) and not plan.warnings


def test_one_sided_windows_have_no_mirror_images(corpus):
    told = plan_training(corpus, kind="glove", sides="left", **OPTIONS)
    assert told.corpus["pairs"] == told.corpus["entries"]


class ShortPieces(TokenSource):
    """Record batches cut into pieces of 500 documents: a table takes several."""

    def __init__(self, shards, counted):
        super().__init__(shards, counted)
        self._pieces = []
        for number in range(shards.batches):
            values, offsets = shards.batch(number)
            for first in range(0, offsets.size - 1, 500):
                some = offsets[first : first + 501]
                batch = TokenBatch(values[some[0] : some[-1]], some - some[0])
                self._pieces.append(BatchPiece(Start(len(self._pieces)), batch, 0, False))
        self.end = len(self._pieces)

    def pieces(self, first):
        yield from self._pieces[first:]


@pytest.mark.parametrize("threads", [1, 2])
def test_runs_are_foreseen_where_they_take_most(run, tmp_path, monkeypatch, threads):
    """With the smallest tables, and what the folder holds whenever runs have been merged, but are still there."""
    vocabulary, shards = Vocabulary.load(run / "vocabulary.arrow"), Shards.open(run / "shards")
    stage = CooccurrenceStage(tmp_path / "pairs", vocabulary, ShortPieces(shards, Counted(10)), 10)
    monkeypatch.setattr(pairpass.runfiles, "AT_ONCE", 4)
    monkeypatch.setattr(tableneeds, "AT_ONCE", 4)
    monkeypatch.setattr(tableneeds, "BATCH_TOKENS", 3000)
    for module in (cooccurrencestage, pairneeds):
        monkeypatch.setattr(module, "room_of", lambda memory, threads, taken, words: threads << 18)
    runs, seen, merge = tmp_path / "pairs" / "runs", [], pairpass.merge_to_run

    def merge_to_run(paths, path, *_):
        merge(paths, path)
        seen.append(size_of(runs))

    def enough(*_):
        seen.append(size_of(runs))
        raise _Enough

    monkeypatch.setattr(pairpass, "merge_to_run", merge_to_run)
    monkeypatch.setattr(stage, "_write", enough)
    with pytest.raises(_Enough):
        stage.run(ThreadCrews(threads, 1), lambda *_: None, lambda: False)
    machine = MachineOptions(threads=threads, memory=1)
    growth = growth_of_shards(shards, vocabulary.counts, Counted(10))
    told = pair_needs(machine, growth, needs.Load(len(vocabulary), 7.0), shards.tokens)
    assert len(seen) > 2
    assert told.runs_disk == pytest.approx(max(seen), rel=0.2)
    assert told.runs.kept * 16 == pytest.approx(seen[-1], rel=0.4)  # it depends on how many come together in the end
    assert told.runs_disk > told.runs.kept * 16


class _Enough(Exception):
    pass


def _stop():
    raise _Enough


def test_memory_is_what_the_system_saw(corpus, plan, tmp_path):
    taken = most_memory("train", "glove", corpus, "--out", tmp_path / "run", *flags(OPTIONS))
    assert plan.peak_memory == pytest.approx(taken, rel=0.2)


def test_a_run_can_be_planned(run, plan, corpus):
    told = plan_training(run, kind="glove", **OPTIONS)
    assert told.corpus["pairs"] == pytest.approx(plan.corpus["pairs"], rel=0.03)
    assert told.disk["shards"] == 0 and [*told.memory] == ["pairs", "blocks", "training"]
    warm = plan_training(corpus, kind="glove", vectors=run / "vectors.arrow", **OPTIONS)
    assert warm.disk["checkpoints"] == 2 * plan.disk["checkpoints"]  # one before the first step, too


def test_vectors_decide_the_length(corpus, run):
    told = plan_training(corpus, kind="glove", vectors=run / "vectors.arrow", epochs=1, threads=1)
    assert told.dim == 40
    with pytest.raises(StreamvecError, match="its vectors have 40 numbers, not 50"):
        plan_training(corpus, kind="glove", vectors=run / "vectors.arrow", dim=50)


def test_what_is_refused_is_told_before(corpus, tmp_path):
    options = {"dim": 5000, "epochs": 1, "threads": 1, "memory": 320_000_000}
    warning = next(text for text in plan_training(corpus, kind="glove", **options).warnings if "refused" in text)
    with pytest.raises(StreamvecError, match="--max-vocab") as refusal:
        streamvec.train_glove(corpus, tmp_path / "run", **options)
    assert str(refusal.value).split(" for ")[1] in warning


def test_a_disk_that_is_too_small_is_refused_before_pairs_are_counted(corpus, run, tmp_path, monkeypatch):
    out = tmp_path / "run"
    free = size_of(run / "cooccurrences") // 2
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "disk_usage", lambda folder: usage(10**9, 10**9 - free, free))
        with pytest.raises(StreamvecError, match=r"MB are free.*--max-vocab.*--window.*--out") as refusal:
            streamvec.train_glove(corpus, out, **OPTIONS)
        assert str(out) in str(refusal.value) and f"{free / 1e6:,.0f} MB" in str(refusal.value)
        assert not [path for path in (out / "cooccurrences").rglob("*") if path.is_file()]
    streamvec.resume(out)
    assert (out / "vectors.arrow").read_bytes() == (run / "vectors.arrow").read_bytes()


def test_what_is_there_already_is_not_needed_again(corpus, run, tmp_path, monkeypatch):
    runs = 16 * Cooccurrences.open(run / "cooccurrences").stored
    newest = max((run / "checkpoints").iterdir())
    rest = size_of(run / "cooccurrences") + 2 * size_of(newest)
    free = rest + (run / "vectors.arrow").stat().st_size - runs // 2  # too little for all, enough for what is missing
    machine = {"threads": 1, "memory": 600_000_000}
    out = tmp_path / "run"
    calls = iter([10**12] + [free] * 10)

    def disk_usage(folder):
        return usage(0, 0, next(calls))

    monkeypatch.setattr(shutil, "disk_usage", disk_usage)
    monkeypatch.setattr(CooccurrenceStage, "_write", lambda *_: _stop())
    with pytest.raises(_Enough):
        streamvec.train_glove(corpus, out, **OPTIONS | machine)
    monkeypatch.undo()
    monkeypatch.setattr(shutil, "disk_usage", disk_usage)
    streamvec.resume(out, **machine)
    assert next(calls) == free


def test_a_plan_warns_of_the_disk(corpus, tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage(10**9, 10**9 - 1000, 1000))
    found = plan_training(corpus, tmp_path, kind="glove", **OPTIONS).warnings
    assert any(str(tmp_path) in warning and "--out" in warning for warning in found)


def test_entries_are_made_block_by_block():
    counts = (10**6 / np.arange(1, 5001)).astype(np.int64)
    bands = bands_of(counts, 10).starts
    for number in (0, 1, 77):
        made = glovetiming._made(bands, counts.astype(float), 5000, number)
        first, second = (np.searchsorted(bands, ids, side="right") - 1 for ids in (made.rows, made.columns))
        low, high = np.minimum(first, second), np.maximum(first, second)
        assert made.rows.size == made.columns.size == made.values.size == 5000 and made.values.min() > 0
        assert np.unique((low + high) % (bands.size - 1)).size == 1 and (np.diff(low) >= 0).all()
    load, machine = needs.Load(5000, 6.0), MachineOptions(threads=1)
    growth = pair_growth([BATCH], Frequencies.of_counts(counts), Counted(10))
    few, many = (pair_needs(machine, growth, load._replace(words=words), 10**7) for words in (5000, 10**8))
    rate = glovetiming.entries_a_second(GloveConfig(dim=16), 5000, few, counts, 1)
    assert 1e4 < rate < 1e10
    assert 1e2 < glovetiming.entries_a_second(GloveConfig(dim=1000), 10**8, many, counts, 1) < rate  # of a part of them


def test_wrong_arguments():
    with pytest.raises(ValueError, match="options must be those of train glove, got negative"):
        plan_training("x", kind="glove", negative=3)
    with pytest.raises(ValueError, match="start_from"):
        plan_training("x", kind="glove", start_from="y")
    with pytest.raises(ValueError, match="x_max must be above 0"):
        plan_training("x", kind="glove", x_max=0.0)


def test_command_line(corpus):
    answer = json.loads(cli(corpus, "--kind", "glove", "--json", "--x-max", 20, *flags(OPTIONS)).stdout)
    assert answer["entries_per_second"] > 0 and "words_per_second" not in answer
    assert answer["peak_disk_bytes"] >= answer["disk"]["runs"] and answer["corpus"]["pairs"] > 10_000
    told = cli(corpus, "--kind", "glove", *flags(OPTIONS))
    assert told.returncode == 0 and told.stderr == ""
    names = [line.split()[0] for line in told.stdout.splitlines() if not line.startswith(" ")]
    assert names == ["text", "vocabulary", "pairs", "memory", "disk", "time"]
    assert "entries/s, 1 epochs" in told.stdout
    wider = json.loads(cli(corpus, "--kind", "glove", "--json", "--window", 2, *flags(OPTIONS)).stdout)
    assert wider["corpus"]["pairs"] < 0.6 * answer["corpus"]["pairs"]  # of the default window, ten


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--kind", "glove", "--negative", "5"], "--negative is an option of skipgram and cbow, not of glove"),
        (["--kind", "glove", "--from", "x"], "--from is an option of skipgram and cbow, not of glove"),
        (["--x-max", "10"], "--x-max is an option of glove, not of skipgram"),
        (["--kind", "glove", "--alpha", "-1"], "alpha must be at least 0"),
        (["--kind", "tagger"], "tagger"),
    ],
)
def test_command_line_refuses_what_other_kinds_have(arguments, message):
    told = cli("x.txt", *arguments)
    assert (told.returncode, told.stdout) == (2, "") and message in told.stderr
