"""Passes over ids: the same bytes however they are made, and gone on with after any stop."""

import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from cooccurring import runs_seen
from phrasing import NPMI, WORD2VEC, corpus, run, write
from preparing import made_in_four_ways
from stopping import content_of, stopped_after

import streamvec
from streamvec.corpus import pairpass, pairruns, runfiles
from streamvec.corpus import prepare as prepare_module
from streamvec.corpus.phrases import PhraseOptions
from streamvec.corpus.phrasestage import refuse_too_many
from streamvec.corpus.shares import Shares
from streamvec.errors import Interrupted, StreamvecError
from streamvec.training.info import info
from streamvec.training.progress import Silence
from streamvec.training.verify import verify

pytestmark = pytest.mark.usefixtures("small_shards", "small_tables_of_pairs")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return write(tmp_path / "corpus.txt", corpus(1))


@pytest.mark.parametrize("options", [WORD2VEC, NPMI], ids=["word2vec", "npmi"])
def test_the_same_bytes_for_any_threads_blocks_and_memory(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: PhraseOptions
) -> None:
    first, *others = made_in_four_ways(source, tmp_path, monkeypatch, min_count=4, phrases=options)
    for other in others:
        assert other == first


def test_small_tables_spill_and_many_runs_are_merged(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(source, tmp_path / "whole", monkeypatch, block=1 << 22, table=10**7, threads=1, phrases=WORD2VEC)
    monkeypatch.setattr(pairruns, "_FEWEST_SLOTS", 40)
    monkeypatch.setattr(runfiles, "AT_ONCE", 3)
    written, merged = runs_seen(monkeypatch)
    run(source, tmp_path / "run", monkeypatch, block=5000, table=1, threads=2, phrases=WORD2VEC)
    assert len(written) > 50 and len(merged) > 10
    assert content_of(tmp_path / "run") == content_of(tmp_path / "whole")


@pytest.mark.parametrize("seed", [2, *(pytest.param(seed, marks=pytest.mark.soak) for seed in range(2))])
def test_stopped_at_random_batches_and_gone_on_with(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    run(source, tmp_path / "whole", monkeypatch, block=1 << 22, table=10**7, threads=1, phrases=NPMI)
    draw, stops, stages = random.Random(seed), 0, set()
    for _ in range(500):
        stop, now = stopped_after(draw.randrange(1, 12)), [""]
        options = {"block": draw.choice([700, 1500]), "table": 1, "threads": draw.choice([1, 2, 3])}
        report = lambda progress, now=now: now.__setitem__(0, progress.stage)  # noqa: E731
        try:
            run(source, tmp_path / "run", monkeypatch, **options, stop=stop, phrases=NPMI, report=report)
            break
        except Interrupted:
            stops += 1
            stages.add(now[0])
    assert stops > 4 and {"numbering", "phrases 1", "phrases 2", "phrases counted", "encoding"} <= stages
    assert content_of(tmp_path / "run") == content_of(tmp_path / "whole")


KILLED = """
import os, sys
from pathlib import Path
from streamvec.corpus import counting, encoding, pairpass, prepare as module, shardwriter
from streamvec.corpus.phrases import PhraseOptions
from streamvec.corpus.sources import resolve
from streamvec.corpus.crew import ThreadCrews
from streamvec.corpus.tokens import Tokenizer
shardwriter.BATCH_TOKENS, encoding.SHARD_BATCHES, counting.INTERVAL = 200, 4, 0.0
pairpass.INTERVAL = 0.0
module.shares = lambda *_: module.Shares(5000, 1)
stage, left = sys.argv[3], [int(sys.argv[4])]
def report(progress):
    left[0] -= progress.stage == stage
    if left[0] == 0:
        os.kill(os.getpid(), 9)
module.prepare(resolve([sys.argv[1]]), Path(sys.argv[2]), Tokenizer(), min_count=4, crews=ThreadCrews(2, 1),
               phrases=PhraseOptions(2, "word2vec", 1.5, 3), report=report, stop=lambda: False)
"""


def test_killed_in_each_stage_and_gone_on_with(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(source, tmp_path / "whole", monkeypatch, block=1 << 22, table=10**7, threads=1, phrases=WORD2VEC)
    moments = [("counting", 3), ("numbering", 4), ("phrases 1", 9), ("phrases 2", 9), ("phrases counted", 20)]
    for stage, left in [*moments, ("encoding", 20), ("none", -1)]:
        arguments = [sys.executable, "-c", KILLED, str(source), str(tmp_path / "run"), stage, str(left)]
        code = subprocess.run(arguments, env=os.environ, check=False).returncode
        assert code == (0 if stage == "none" else -signal.SIGKILL), stage
    assert content_of(tmp_path / "run") == content_of(tmp_path / "whole")


@pytest.mark.parametrize("kind", ["run-*", "counts-*"])
def test_a_damaged_run_or_file_of_counts_is_named(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setattr(pairpass, "INTERVAL", 0.0)
    left = [40]

    def stop() -> bool:
        left[0] -= bool(list((tmp_path / "run/phrases/pairs").glob("run-*")))
        return left[0] < 0

    options: dict[str, Any] = {"block": 5000, "table": 1, "threads": 1, "phrases": WORD2VEC}
    with pytest.raises(Interrupted):
        run(source, tmp_path / "run", monkeypatch, **options, stop=stop)
    path = sorted((tmp_path / "run/phrases/pairs").glob(kind))[0]
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(StreamvecError, match=f"{path.name}: damaged"):
        run(source, tmp_path / "run", monkeypatch, **options)


def test_info_and_verify_of_a_run_whose_phrases_are_being_found(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pairpass, "INTERVAL", 0.0)
    monkeypatch.setattr(prepare_module, "shares", lambda *_: Shares(1000, 1))
    stages: list[str] = []
    tokens = {"tokens": "words", "min_count": 4, "phrases": 2, "phrase_threshold": 1.5, "phrase_min_count": 3}
    options: dict[str, Any] = {"dim": 8, "epochs": 1, "threads": 1, **tokens}

    class Report(Silence):
        def progress(self, progress: Any) -> None:
            stages.append(progress.stage)

    def stop(last: str) -> Callable[[], bool]:
        return lambda: stages.count(last) > 5

    run = tmp_path / "run"
    states = {}
    for last in ("numbering", "phrases 1", "phrases 2", "phrases counted", "encoding"):
        stages.clear()
        begin = partial(streamvec.resume, run) if run.exists() else partial(streamvec.train_skipgram, source, run)
        given = {"threads": 1} if run.exists() else options
        with pytest.raises(Interrupted, match="streamvec resume"):
            begin(report=Report(), stop=stop(last), **given)
        states[last] = {file.path.relative_to(run).as_posix(): file.state for file in verify(run)}
        assert "damaged" not in states[last].values()
        assert info(run)["stage"] == ("encoding" if last == "encoding" else "phrases")
    assert states["numbering"]["phrases/words.arrow"] == "ok"
    assert states["phrases 1"]["phrases/ids/index.json"] == states["phrases 1"]["phrases/pairs/record.json"] == "ok"
    assert states["phrases 2"]["phrases/joins-1.arrow"] == "ok"
    assert any(name.startswith("phrases/pairs/run-") for name in states["phrases 2"])
    assert any(name.startswith("phrases/pairs/counts-") for name in states["phrases 2"])
    for name in ("words.arrow", "ids/00000.arrow", "joins-2.arrow", "pairs/record.json"):
        path = run / "phrases" / name
        content = path.read_bytes()
        path.write_bytes(content[:-20] + bytes([content[-20] ^ 1]) + content[-19:])
        assert [file.path for file in verify(run) if file.state == "damaged"] == [path]
        path.write_bytes(content)
    vectors = streamvec.resume(run, threads=1)
    assert "new_york" in vectors and not (run / "phrases").exists()
    assert info(run)["counts"]["joined_tokens"] > 0


def test_more_words_than_memory_holds_are_refused_with_what_helps() -> None:
    refuse_too_many(1_000_000, 10_000_000, 2, 100 << 20)
    with pytest.raises(
        StreamvecError, match=r"among 10,000,000 words holds 620 MB.*--phrase-min-count and --min-count"
    ):
        refuse_too_many(10_000_000, 100_000_000, 2, 100 << 20)
