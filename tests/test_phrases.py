"""Phrases as a whole: a naive reference, the same bytes however it is done, and gone on with after any stop."""

import json
import os
import random
import re
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import naive_phrases
import numpy as np
import pytest
from conftest import streamvec_command
from hypothesis import given, settings
from hypothesis import strategies as st

import streamvec
from streamvec.corpus import encoding as encoding_module
from streamvec.corpus import pairruns, phrasepasses, runfiles, shardwriter
from streamvec.corpus import prepare as prepare_module
from streamvec.corpus.phrases import Joins, PhraseOptions
from streamvec.corpus.phrasestage import refuse_too_many
from streamvec.corpus.prepare import Shares, prepare
from streamvec.corpus.shards import Shards
from streamvec.corpus.sources import resolve
from streamvec.corpus.tokens import Tokenizer
from streamvec.corpus.vocabulary import Vocabulary
from streamvec.errors import Interrupted, StreamvecError
from streamvec.kernels.pairs import pair_key
from streamvec.kernels.phrases import count_ids, flatten, neighbours, renumber
from streamvec.training.info import info
from streamvec.training.progress import Silence
from streamvec.training.verify import verify

BATCH = 200
WORD2VEC, NPMI = PhraseOptions(2, "word2vec", 1.5, 3), PhraseOptions(2, "npmi", 0.3, 3)


def corpus(seed: int, lines: int = 600) -> list[list[str]]:
    """Documents with collocations of two and three words, rare words between them, repetitions, and empty ones."""
    draw = random.Random(seed)
    words = [f"w{number}" for number in range(300)]
    fixed = [
        ["new", "york", "city"],
        ["new", "york"],
        ["san", "francisco"],
        ["a", "a", "a"],
        ["of", "the"],
        ["new_york"],
    ]
    documents = []
    for number in range(lines):
        document: list[str] = []
        for _ in range(draw.choice([0, 1, 5, 20])):
            document += draw.choice(fixed) if draw.random() < 0.3 else [words[int(300 * draw.random() ** 3)]]
        if number % 7 == 0:
            document += ["new", f"rare{number}", "york", "city"]
        documents.append(document)
    documents[5] = [words[number % 40] if number % 3 else "new" for number in range(BATCH * 3)]
    documents[6] = ["new", "york"] * (BATCH // 2)
    documents[9] = ["of", "z" * 1200, "the"]
    return documents


def write(path: Path, documents: list[list[str]]) -> Path:
    path.write_text("\n".join(map(" ".join, documents)) + "\n", encoding="utf-8")
    return path


def run(
    source: Path, folder: Path, monkeypatch: pytest.MonkeyPatch, *, block: int, table: int, threads: int, **options: Any
) -> tuple[Vocabulary, Shards]:
    monkeypatch.setattr(prepare_module, "shares", lambda *_: Shares(block, table))
    options = {"min_count": 4, "report": lambda progress: None, "stop": lambda: False, **options}
    return prepare(resolve([str(source)]), folder, Tokenizer(), memory=1, threads=threads, **options)


def content_of(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


@pytest.fixture(autouse=True)
def small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shardwriter, "BATCH_TOKENS", BATCH)
    monkeypatch.setattr(encoding_module, "SHARD_BATCHES", 4)
    monkeypatch.setattr(pairruns, "_FEWEST_SLOTS", 100)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return write(tmp_path / "corpus.txt", corpus(1))


@pytest.mark.parametrize("passes", [1, 2, 3])
@pytest.mark.parametrize("options", [WORD2VEC, NPMI], ids=["word2vec", "npmi"])
@pytest.mark.parametrize(("min_count", "max_vocab"), [(4, None), (2, 60)])
def test_as_the_naive_reference(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    options: PhraseOptions,
    passes: int,
    min_count: int,
    max_vocab: int | None,
) -> None:
    documents = corpus(2)
    source = write(tmp_path / "corpus.txt", documents)
    options = PhraseOptions(passes, options.score, options.threshold, options.min_count)
    vocabulary, shards = run(
        source,
        tmp_path / "run",
        monkeypatch,
        block=5000,
        table=1,
        threads=2,
        phrases=options,
        min_count=min_count,
        max_vocab=max_vocab,
    )
    # longer documents are cut for good, so that phrases do not cross the cuts, either
    pieces = [document[at : at + BATCH] for document in documents for at in range(0, max(1, len(document)), BATCH)]
    after = naive_phrases.phrased(pieces, passes, options.score, options.above, options.min_count)
    assert any("_" in word and "new_york" not in word for document in after for word in document)
    counted = Counter(word for document in after for word in document)
    expected = sorted((w for w in counted if counted[w] >= min_count), key=lambda w: (-counted[w], w.encode()))
    expected = expected[:max_vocab]
    assert vocabulary.words.to_pylist() == expected
    assert vocabulary.counts.tolist() == [counted[word] for word in expected]
    index = {word: number for number, word in enumerate(expected)}
    kept = [[index[word] for word in document if word in index] for document in after]
    found = [shards.batch(number) for number in range(shards.batches)]
    assert [token for batch in found for token in batch.values] == [token for ids in kept for token in ids]
    counts, before = shards.counts, Counter(word for document in documents for word in document)
    assert counts["tokens"] == before.total() - 1 and counts["dropped_long"] == 1
    assert counts["joined_tokens"] == before.total() - counted.total() > 0
    assert counts["dropped_rare"] == counts["tokens"] - counts["joined_tokens"] - sum(map(len, kept)) > 0
    assert counts["documents"] == len(documents)
    whole = [0] * len(documents)  # ids of each document
    owners = [n for n, document in enumerate(documents) for _ in range(0, max(1, len(document)), BATCH)]
    for owner, ids in zip(owners, kept, strict=True):
        whole[owner] += len(ids)
    empty = sum(not [w for w in document if len(w) < 1000] for document in documents)
    assert counts["empty_documents"] == empty and counts["documents_dropped"] == whole.count(0) - empty
    assert counts["documents_split"] == sum(size > BATCH for size in whole)
    ends = [int(end) for batch in found for end in batch.offsets[1:] - batch.offsets[:-1]]
    assert [size for size in ends if size < BATCH] == [
        size % BATCH if size > BATCH else size for size in whole if size and size != BATCH and size % BATCH
    ]
    about = vocabulary.about["phrases"]
    assert about["passes"] == passes and about["score"] == options.score
    if max_vocab is None:
        made = {word for document in after for word in document if "_" in word}
        assert about["found"] == len(made & set(expected)) and set(about["examples"]) <= made
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == ["prepared.json", "shards", "vocabulary.arrow"]


@pytest.mark.parametrize("options", [WORD2VEC, NPMI], ids=["word2vec", "npmi"])
def test_the_same_bytes_for_any_threads_blocks_and_memory(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: PhraseOptions
) -> None:
    reference: dict[str, bytes] = {}
    for block, table, threads in ((1 << 22, 10**7, 1), (4000, 1, 2), (1 << 16, 1, 4), (20_000, 10**6, 2)):
        folder = tmp_path / f"{block}-{threads}"
        run(source, folder, monkeypatch, block=block, table=table, threads=threads, phrases=options)
        reference = reference or content_of(folder)
        assert content_of(folder) == reference


def test_small_tables_spill_and_many_runs_are_merged(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(source, tmp_path / "whole", monkeypatch, block=1 << 22, table=10**7, threads=1, phrases=WORD2VEC)
    monkeypatch.setattr(pairruns, "_FEWEST_SLOTS", 40)
    monkeypatch.setattr(runfiles, "AT_ONCE", 3)
    written: list[str] = []
    merged: list[int] = []
    spill, merge_to_run = pairruns.spill, phrasepasses.merge_to_run
    monkeypatch.setattr(pairruns, "spill", lambda table, path: (written.append(path.name), spill(table, path)))
    monkeypatch.setattr(
        phrasepasses, "merge_to_run", lambda paths, path: (merged.append(len(paths)), merge_to_run(paths, path))
    )
    run(source, tmp_path / "run", monkeypatch, block=5000, table=1, threads=2, phrases=WORD2VEC)
    assert len(written) > 50 and len(merged) > 10
    assert content_of(tmp_path / "run") == content_of(tmp_path / "whole")


@pytest.mark.parametrize("seed", range(3))
def test_stopped_at_random_batches_and_gone_on_with(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    run(source, tmp_path / "whole", monkeypatch, block=1 << 22, table=10**7, threads=1, phrases=NPMI)
    draw, stops, stages = random.Random(seed), 0, set()
    for _ in range(500):
        left = [draw.randrange(1, 12)]
        now = [""]

        def stop(left: list[int] = left) -> bool:
            left[0] -= 1
            return left[0] < 0

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
from streamvec.corpus import counting, encoding, phrasepasses, prepare as module, shardwriter
from streamvec.corpus.phrases import PhraseOptions
from streamvec.corpus.sources import resolve
from streamvec.corpus.tokens import Tokenizer
shardwriter.BATCH_TOKENS, encoding.SHARD_BATCHES, counting.INTERVAL = 200, 4, 0.0
phrasepasses.INTERVAL = 0.0
module.shares = lambda *_: module.Shares(5000, 1)
stage, left = sys.argv[3], [int(sys.argv[4])]
def report(progress):
    left[0] -= progress.stage == stage
    if left[0] == 0:
        os.kill(os.getpid(), 9)
module.prepare(resolve([sys.argv[1]]), Path(sys.argv[2]), Tokenizer(), min_count=4, memory=1, threads=2,
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


def test_a_damaged_run_of_pairs_is_named(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(phrasepasses, "INTERVAL", 0.0)
    left = [40]

    def stop() -> bool:
        left[0] -= bool(list((tmp_path / "run/phrases/pairs").glob("run-*")))
        return left[0] < 0

    options: dict[str, Any] = {"block": 5000, "table": 1, "threads": 1, "phrases": WORD2VEC}
    with pytest.raises(Interrupted):
        run(source, tmp_path / "run", monkeypatch, **options, stop=stop)
    path = sorted((tmp_path / "run/phrases/pairs").glob("run-*"))[0]
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(StreamvecError, match=f"{path.name}: damaged"):
        run(source, tmp_path / "run", monkeypatch, **options)


def test_a_phrase_that_spells_a_word_is_that_word(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = ["new york"] * 20 + [f"x{n} y{n} z{n}" for n in range(200)]
    for number, expected in ((5, 25), (1, 20)):  # a word that is too rare to be in a phrase stays rare
        source = write(tmp_path / "text", [line.split() for line in lines + ["new_york"] * number])
        options: dict[str, Any] = {"block": 5000, "table": 1, "threads": 1, "phrases": PhraseOptions(1)}
        vocabulary, shards = run(source, tmp_path / str(number), monkeypatch, **options)
        assert dict(zip(vocabulary.words.to_pylist(), vocabulary.counts.tolist(), strict=True)) == {
            "new_york": expected
        }
        assert shards.tokens == expected
        assert vocabulary.about["phrases"]["found"] == 1 and vocabulary.about["phrases"]["examples"] == ["new_york"]


def test_a_phrase_longer_than_a_word_may_be_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [["a" * 600, "b" * 600], ["c" * 499, "d" * 500]] * 20 + [[f"x{n}", f"y{n}"] for n in range(200)]
    options: dict[str, Any] = {"block": 50_000, "table": 1, "threads": 1, "phrases": PhraseOptions(1)}
    vocabulary, _ = run(write(tmp_path / "text", lines), tmp_path / "run", monkeypatch, **options)
    assert vocabulary.words.to_pylist() == ["a" * 600, "b" * 600, "c" * 499 + "_" + "d" * 500]


def test_text_without_phrases_gives_what_it_gives_without_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = write(tmp_path / "text", [["a", "b"], ["b", "a"], ["a"], ["b"]] * 30)
    options: dict[str, Any] = {"block": 5000, "table": 1, "threads": 1}
    plain, _ = run(source, tmp_path / "plain", monkeypatch, **options)
    vocabulary, shards = run(source, tmp_path / "run", monkeypatch, **options, phrases=PhraseOptions(3))
    assert vocabulary.checksum == plain.checksum and shards.counts["joined_tokens"] == 0
    assert (tmp_path / "run/shards/00000.arrow").read_bytes() == (tmp_path / "plain/shards/00000.arrow").read_bytes()


def test_nothing_frequent_enough_is_refused_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = write(tmp_path / "text", [["a", "b", "c"]] * 6)
    with pytest.raises(StreamvecError, match=r"no word occurs 9 times.*the most frequent 6 times"):
        options: dict[str, Any] = {"block": 5000, "table": 1, "threads": 1, "phrases": PhraseOptions(1)}
        run(source, tmp_path / "run", monkeypatch, **options, min_count=9)
    assert not (tmp_path / "run").exists()


def test_other_phrases_begin_anew(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    options: dict[str, Any] = {"block": 5000, "table": 1, "threads": 1}
    results = []
    for phrases in (PhraseOptions(), WORD2VEC, PhraseOptions(1, "word2vec", 1.5, 3), NPMI, PhraseOptions()):
        run(source, tmp_path / "run", monkeypatch, **options, phrases=phrases)
        run(source, tmp_path / "fresh", monkeypatch, **options, phrases=phrases)
        results.append(content_of(tmp_path / "run"))
        assert results[-1] == content_of(tmp_path / "fresh")
    assert results[0] == results[-1] and len({str(one) for one in results}) == 4


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ((-1,), "phrases must be at least 0, got -1"),
        ((1, "pmi"), "phrase_score must be one of word2vec, npmi, got 'pmi'"),
        ((1, "word2vec", 0.0), "phrase_threshold must be above 0 with the score word2vec, got 0.0"),
        ((1, "word2vec", float("nan")), "phrase_threshold must be above 0"),
        ((1, "npmi", 10.0), "phrase_threshold must be in -1 to 1 with the score npmi, got 10.0"),
        ((1, "npmi", None, 0), "phrase_min_count must be at least 1, got 0"),
    ],
)
def test_options_that_can_never_be_right(options: tuple[Any, ...], what: str) -> None:
    with pytest.raises(ValueError, match=what):
        PhraseOptions(*options)


@pytest.mark.parametrize(("score", "threshold"), [("word2vec", 0.8), ("npmi", 0.25)])
def test_as_gensim_joins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, score: str, threshold: float) -> None:
    gensim = pytest.importorskip("gensim.models.phrases")
    documents = [[w for w in document if "_" not in w and len(w) < 1000][:BATCH] for document in corpus(3)]
    after = documents
    for _ in range(2):
        scoring = {"word2vec": "default", "npmi": "npmi"}[score]
        model = gensim.Phrases(after, min_count=3, threshold=threshold, scoring=scoring)
        after = [model[document] for document in after]
    vocabulary, shards = run(
        write(tmp_path / "text", documents),
        tmp_path / "run",
        monkeypatch,
        block=5000,
        table=1,
        threads=2,
        min_count=1,
        phrases=PhraseOptions(2, score, threshold, 3),
    )
    words = vocabulary.words.to_pylist()
    found = [words[token] for number in range(shards.batches) for token in shards.batch(number).values]
    assert found == [word for document in after for word in document]
    assert sum("_" in word for word in words) > 5


TOKENS = st.one_of(st.integers(0, 4), st.sampled_from([-2, -7, 1 - (1 << 31)]))


@given(st.lists(st.lists(TOKENS, max_size=12), max_size=8), st.sets(st.tuples(st.integers(0, 4), st.integers(0, 4))))
@settings(max_examples=200, deadline=None)
def test_kernels_as_the_naive_reference(documents: list[list[int]], phrases: set[tuple[int, int]]) -> None:
    values = np.array([token for document in documents for token in document], np.int32)
    offsets = np.cumsum([0] + [len(document) for document in documents]).astype(np.int32)
    flat = np.empty(values.size + len(documents), np.int32)
    size = flatten(values, offsets, flat)
    pairs = np.empty(size, np.uint64)
    found = pairs[: neighbours(flat, size, pairs)].tolist()
    expected = [pair for document in documents for pair in pairwise(document)]
    assert found == [int(pair_key(np.int32(left), np.int32(right))) for left, right in expected]
    chosen = sorted(phrases)
    keys = np.array([pair_key(left, right) for left, right in chosen], np.uint64)
    size = Joins(keys, 5 + np.arange(len(chosen)), np.zeros(len(chosen)), 5).apply(flat, size)
    names = {f"{left}_{right}": 5 + number for number, (left, right) in enumerate(chosen)}
    words = [[str(token) for token in document] for document in documents]
    after = naive_phrases.joined(words, {(str(left), str(right)) for left, right in phrases})
    ids = [[names.get(word) or int(word) for word in document] for document in after]
    assert flat[:size].tolist() == [token for document in ids for token in [*document, -1]]
    counts = np.zeros(5 + len(chosen), np.int64)
    assert count_ids(flat, size, counts) == sum(map(len, ids))
    every = Counter(token for document in ids for token in document if token >= 0)
    assert dict(enumerate(counts.tolist())) == {number: every[number] for number in range(counts.size)}
    numbers = np.arange(counts.size, dtype=np.int32)[::-1] - 2  # the last two are left out
    out, lengths = np.empty(size, np.int32), np.empty(len(documents), np.int32)
    count, ended = renumber(flat, size, np.maximum(numbers, -1), out, lengths)
    kept = [[int(numbers[token]) for token in document if token >= 0 and numbers[token] >= 0] for document in ids]
    assert out[:count].tolist() == [token for document in kept for token in document]
    assert lengths[:ended].tolist() == [len(document) for document in kept]


def test_info_and_verify_of_a_run_whose_phrases_are_being_found(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(phrasepasses, "INTERVAL", 0.0)
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


def test_the_command_line(source: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    small = ["--dim", "8", "--epochs", "1", "--threads", "2"]
    ended = streamvec_command(
        "train", "skipgram", source, "--out", run, *small, "--phrases", "2", "--phrase-threshold", "2"
    )
    assert ended.returncode == 0, ended.stderr
    assert re.search(r"\d+ phrases, such as \w+_\w+.*; [\d,]+ tokens joined", ended.stderr)
    for said in ("words to numbers", "phrases 1", "phrases 2", "phrases counted", "writing shards"):
        assert said in ended.stderr, said
    one, other = (streamvec_command("nn", run, query, "-n", "2") for query in ("new_york", "new york"))
    assert one.returncode == 0 and one.stdout == other.stdout
    assert "tokens joined to the one before" in streamvec_command("info", run).stdout
    again = streamvec_command("train", "cbow", run, "--out", tmp_path / "again", *small)
    assert again.returncode == 0, again.stderr
    wrong = streamvec_command("train", "cbow", run, "--out", tmp_path / "wrong", *small, "--phrases", "1")
    assert wrong.returncode == 1 and "its shards were made with phrases=2, not 1" in wrong.stderr
    for words, what in (
        (
            ["--phrases", "1", "--phrase-score", "npmi", "--phrase-threshold", "3"],
            "phrase_threshold must be in -1 to 1",
        ),
        (["--phrase-min-count", "3"], "phrases is 0"),
        (["--phrases", "-1"], "phrases must be at least 0"),
    ):
        wrong = streamvec_command("train", "skipgram", source, "--out", tmp_path / "wrong", *words)
        assert wrong.returncode == 2 and what in wrong.stderr, wrong.stderr
    plan = streamvec_command("plan", source, "--phrases", "2", "--phrase-threshold", "2", "--json")
    found = json.loads(plan.stdout)
    words = len(streamvec.KeyedVectors.load(run))
    assert found["disk"]["phrases"] > 0 and found["seconds"]["phrases"] > 0 and found["memory"]["phrases"] > 0
    assert 0.7 * words <= found["corpus"]["words"] <= 1.3 * words


def test_phrases_go_on_from_an_earlier_training(source: Path, tmp_path: Path, finished_run: Path) -> None:
    made = []
    for threads in (1, 2):
        run = tmp_path / f"run{threads}"
        given = ["--from", finished_run, "--out", run, "--epochs", "1", "--threads", threads]
        asked = ["--phrases", "1", "--phrase-threshold", "2", "--min-count", "2"]
        ended = streamvec_command("train", "skipgram", source, *given, *asked)
        assert ended.returncode == 0, ended.stderr
        assert not (run / "phrases").exists()
        made.append((run / "vectors.arrow").read_bytes())
    assert made[0] == made[1]


def test_more_words_than_memory_holds_are_refused_with_what_helps() -> None:
    refuse_too_many(1_000_000, 10_000_000, 2, 100 << 20)
    with pytest.raises(
        StreamvecError, match=r"among 10,000,000 words holds 620 MB.*--phrase-min-count and --min-count"
    ):
        refuse_too_many(10_000_000, 100_000_000, 2, 100 << 20)
