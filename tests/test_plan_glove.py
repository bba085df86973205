"""Plans of GloVe, against what its stages then take, and the refusal of a disk that is too small for them."""

import json
import shutil
import subprocess
import sys
from collections import namedtuple

import numpy as np
import pytest

import streamvec
from streamvec.corpus import cooccurrencestage, pairpass
from streamvec.corpus.batchpieces import BatchPiece
from streamvec.corpus.cooccurrences import Cooccurrences, Counted, bands_of
from streamvec.corpus.cooccurrencestage import CooccurrenceStage, TokenSource
from streamvec.corpus.nearby import AT_ONCE
from streamvec.corpus.pairgrowth import Frequencies, pair_growth
from streamvec.corpus.pairroom import room_of, table_bytes
from streamvec.corpus.pairruns import BYTES_PER_SLOT, PairCounter, table_sizes
from streamvec.corpus.shards import Shards, TokenBatch
from streamvec.corpus.stitch import Start
from streamvec.corpus.vocabulary import Vocabulary
from streamvec.errors import StreamvecError
from streamvec.kernels.pairs import SLOT_BYTES
from streamvec.models.gloveconfig import GloveConfig
from streamvec.training import glovetiming, needs, pairneeds, tableneeds, timing
from streamvec.training.options import MachineOptions
from streamvec.training.pairneeds import growth_of_shards, pair_needs, rounds_of
from streamvec.training.plan import plan_training
from streamvec.training.tableneeds import most_pairs, pair_table_bytes, runs_of

OPTIONS = {"dim": 40, "epochs": 1, "threads": 2, "memory": 600_000_000}
MAIN = [sys.executable, "-c", "from streamvec_cli.main import main; main()"]
usage = namedtuple("usage", "total used free")


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(timing, "SECONDS", 0.05)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    path = tmp_path_factory.mktemp("plan") / "zipf.txt"
    ids = np.minimum(np.random.default_rng(7).zipf(1.4, (20_000, 12)), 20_000)
    path.write_text("\n".join(" ".join(f"word{number}" for number in line) for line in ids) + "\n")
    return path


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


def flags(options):
    return [part for name, value in options.items() for part in (f"--{name.replace('_', '-')}", str(value))]


def cli(*arguments):
    return subprocess.run([*MAIN, "plan", *map(str, arguments)], capture_output=True, text=True)


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
        stage.run(1, threads, lambda *_: None, lambda: False)
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


def test_runs_that_never_fill_a_table_are_one_a_thread():
    told = runs_of(lambda tokens: tokens / 2, 1000, 2, 10**6)
    assert (told.number, told.peak, told.kept, told.written) == (2, 500, 500, 500)


def test_runs_are_merged_now_and_then():
    def different(tokens):
        return min(tokens, 10**6)

    told = runs_of(different, 10_500_000, 1, 10**6, longest=10**6)  # ten and a half hold the same
    assert (told.number, told.peak, told.kept) == (11, 10_500_000, 10_500_000)
    told = runs_of(different, 40 * 10**6, 1, 999_999)  # 32 become one, and are there until it is
    assert told.number == 10 and told.peak == pytest.approx(33 * 10**6, rel=0.03)
    assert told.kept == pytest.approx(9.5 * 10**6, rel=0.06) and told.written == pytest.approx(41 * 10**6, rel=0.03)
    often = runs_of(lambda tokens: tokens, 1000, 1, 10**6, longest=100)
    assert (often.number, often.kept) == (10, 1000)


@pytest.mark.parametrize("room", [1, 10**6, 40 * 10**6])
def test_tables_of_pairs_are_as_planned(room, tmp_path):
    sizes = table_sizes(room)
    counter = PairCounter(room, lambda: tmp_path / "run")
    assert counter._table.slots.shape[0] == sizes[0]
    assert sizes[-1] == max(1 << 14, room // BYTES_PER_SLOT)
    used = 0
    pairs = np.arange(int(most_pairs(room)), dtype=np.uint64)
    for some in np.array_split(pairs, 50):
        counter.add(some, np.ones(1, np.int64))
        used += some.size
        slots = counter._table.slots.shape[0]
        assert pair_table_bytes(room, used) >= SLOT_BYTES * (slots + used) * 0.999
        assert pair_table_bytes(room, used) <= SLOT_BYTES * (slots * 1.26 + used)
    assert not counter.runs
    counter.add(np.arange(10**9, 10**9 + 2, dtype=np.uint64), np.ones(1, np.int64))
    assert len(counter.runs) == 1


def test_the_stage_has_the_room_that_is_planned():
    machine = MachineOptions(threads=2, memory=800_000_000)
    load = needs.Load(100_000, 6.0)
    words = np.full(load.words, 10**7)
    growth = pair_growth([_BATCH], Frequencies.of_counts(words), Counted(10))
    told = pair_needs(machine, growth, load, int(words.sum()))
    taken = needs.prepared_bytes(machine, load)
    full = pair_table_bytes(
        table_bytes(room_of(machine.memory_bytes, 2, taken + 8 * load.words, load.words), 2), 10**12
    )
    assert told.counting_memory == taken + 8 * load.words + 2 * (full + 16 * AT_ONCE)
    assert 0.9 * machine.memory_bytes < told.counting_memory <= machine.memory_bytes


_BATCH = TokenBatch(np.arange(1000, dtype=np.int32), np.arange(0, 1001, 20, dtype=np.int32))


@pytest.mark.parametrize("words", [15, 300, 20_000, 72_535, 1_000_000, 3_000_000])
def test_rounds_are_as_many_as_bands(words):
    counts = (10**7 / np.arange(1, words + 1)).astype(np.int64) + 5
    growth = pair_growth([], Frequencies.of_counts(counts), Counted(10))
    assert rounds_of(growth, words, int(counts.sum())) == pytest.approx(bands_of(counts, 10).starts.size - 1, rel=0.05)


def test_memory_is_what_the_system_saw(corpus, plan, tmp_path):
    arguments = [*MAIN, "train", "glove", str(corpus), "--out", str(tmp_path / "run"), *flags(OPTIONS)]
    small = (
        "import resource, subprocess, sys; subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL); "
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    )
    told = subprocess.run([sys.executable, "-S", "-c", small, *arguments], capture_output=True, text=True, check=True)
    assert plan.peak_memory == pytest.approx(int(told.stdout) * 1024, rel=0.2)


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
    growth = pair_growth([_BATCH], Frequencies.of_counts(counts), Counted(10))
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
        (["--kind", "lm"], "lm"),
    ],
)
def test_command_line_refuses_what_other_kinds_have(arguments, message):
    told = cli("x.txt", *arguments)
    assert (told.returncode, told.stdout) == (2, "") and message in told.stderr
