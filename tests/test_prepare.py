"""Preparation as a whole: a naive reference, the same bytes however it is done, and gone on with after any stop."""

import os
import random
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from preparing import BATCH, corpus, made_in_four_ways, run
from stopping import content_of, stopped_after

from streamvec.corpus.counts import Counts
from streamvec.corpus.crew import ThreadCrews
from streamvec.corpus.pipeline import Progress
from streamvec.corpus.prepare import prepare
from streamvec.corpus.sources import resolve
from streamvec.corpus.tokens import Tokenizer
from streamvec.errors import Interrupted, StreamvecError

pytestmark = pytest.mark.usefixtures("small_shards")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "corpus.txt"
    path.write_bytes(corpus(1))
    return path


def test_as_the_naive_reference(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    progress: list[Progress] = []
    folder = tmp_path / "run"
    vocabulary, shards = run(
        source, folder, monkeypatch, block=1 << 22, table=10**7, threads=2, max_vocab=500, report=progress.append
    )
    lines = source.read_bytes().decode(errors="replace").split("\n")
    documents = [[w for w in Tokenizer().tokens(line) if len(w.encode()) <= 1000] for line in lines]
    counted = Counter(word for document in documents for word in document)
    expected = sorted((w for w in counted if counted[w] >= 3), key=lambda w: (-counted[w], w.encode()))[:500]
    assert vocabulary.words.to_pylist() == expected
    assert vocabulary.counts.tolist() == [counted[word] for word in expected]
    index = {word: number for number, word in enumerate(expected)}
    kept = [[index[word] for word in document if word in index] for document in documents]
    found = [shards.batch(number) for number in range(shards.batches)]
    assert [token for batch in found for token in batch.values] == [token for ids in kept for token in ids]
    assert max(batch.values.size for batch in found) <= BATCH
    counts = Counts.from_json(shards.counts)
    assert counts.bytes_read in (source.stat().st_size, source.stat().st_size + 1)
    assert counts.documents == len(documents)
    assert counts.empty_documents == sum(not document for document in documents)
    assert counts.documents_dropped == sum(
        bool(document) and not ids for document, ids in zip(documents, kept, strict=True)
    )
    assert counts.documents_split == sum(len(ids) > BATCH for ids in kept)
    assert counts.tokens == counted.total() == vocabulary.about["tokens_in_corpus"]
    assert counts.dropped_rare == counted.total() - sum(map(len, kept)) and counts.dropped_rare > 0
    assert counts.dropped_long == sum(len(w.encode()) > 1000 for line in lines for w in Tokenizer().tokens(line))
    assert counts.replaced_bytes == source.read_bytes().count(b"\xe9 \xf0\x9f x") * 3
    repeats = Counter(tuple(document) for document in documents if len(document) >= 10)
    assert counts.repeated_documents == repeats.total() - len(repeats) > 0
    assert [p.stage for p in progress] == ["counting"] * len(progress[::2]) + ["encoding"] * len(progress[::2])
    assert progress[-1][1:] == (counts.bytes_read, counts.documents, shards.tokens)
    assert shards.vocabulary_checksum == vocabulary.checksum
    assert sorted(path.name for path in folder.iterdir()) == ["prepared.json", "shards", "vocabulary.arrow"]


@pytest.mark.parametrize("tokenizer", [Tokenizer(), Tokenizer("characters"), Tokenizer("whitespace", keep_case=True)])
def test_the_same_bytes_for_any_threads_blocks_and_memory(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tokenizer: Tokenizer
) -> None:
    first, *others = made_in_four_ways(source, tmp_path, monkeypatch, tokenizer=tokenizer)
    for other in others:
        assert other == first


def test_regular_expressions_too(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tokenizer = Tokenizer("regex", pattern=r"[a-z]+|\d")
    results = []
    for threads in (1, 3):
        folder = tmp_path / str(threads)
        vocabulary, _ = run(source, folder, monkeypatch, block=1 << 16, table=1, threads=threads, tokenizer=tokenizer)
        results.append(content_of(folder))
    text = source.read_bytes().decode(errors="replace")
    counted = Counter(word for word in tokenizer.tokens(text) if len(word) <= 1000)
    assert results[0] == results[1]
    assert dict(zip(vocabulary.words.to_pylist(), vocabulary.counts.tolist(), strict=True)) == {
        word: number for word, number in counted.items() if number >= 3
    }


@pytest.mark.parametrize("seed", range(4))
def test_stopped_at_random_blocks_and_gone_on_with(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    run(source, tmp_path / "whole", monkeypatch, block=1 << 22, table=10**7, threads=1)
    draw = random.Random(seed)
    stops = 0
    for _ in range(500):
        stop = stopped_after(draw.randrange(1, 14))
        block = draw.choice([3000, 7000, 20_000])
        try:
            run(source, tmp_path / "run", monkeypatch, block=block, table=1, threads=draw.choice([1, 2, 3]), stop=stop)
            break
        except Interrupted:
            stops += 1
    assert stops > 2
    assert content_of(tmp_path / "run") == content_of(tmp_path / "whole")


def test_damaged_hashes_of_documents_are_named(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    options: dict[str, Any] = {"block": 5000, "table": 1, "threads": 1}
    with pytest.raises(Interrupted):
        run(source, tmp_path / "run", monkeypatch, **options, stop=stopped_after(12))
    (path,) = (tmp_path / "run" / "counting").glob("repeats-*")
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(StreamvecError, match=f"{path.name}: damaged: its checksum does not match record.json"):
        run(source, tmp_path / "run", monkeypatch, **options)


KILLED = """
import os, sys
from pathlib import Path
from streamvec.corpus import counting, encoding, prepare as module, shardwriter
from streamvec.corpus.sources import resolve
from streamvec.corpus.crew import ThreadCrews
from streamvec.corpus.tokens import Tokenizer
shardwriter.BATCH_TOKENS, encoding.SHARD_BATCHES, counting.INTERVAL = 200, 4, 0.0
module.shares = lambda *_: module.Shares(5000, 1)
left = [int(sys.argv[3])]
def report(progress):
    left[0] -= 1
    if left[0] == 0:
        os.kill(os.getpid(), 9)
module.prepare(resolve([sys.argv[1]]), Path(sys.argv[2]), Tokenizer(), min_count=3, crews=ThreadCrews(2, 1),
               report=report, stop=lambda: False)
"""


def test_killed_at_any_moment_and_gone_on_with(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(source, tmp_path / "whole", monkeypatch, block=1 << 22, table=10**7, threads=1)
    codes = []
    for moment in (3, 40, 25, 0):
        arguments = [sys.executable, "-c", KILLED, str(source), str(tmp_path / "run"), str(moment)]
        codes.append(subprocess.run(arguments, env=os.environ, check=False).returncode)
    assert codes == [-signal.SIGKILL] * 3 + [0]
    assert content_of(tmp_path / "run") == content_of(tmp_path / "whole")


def test_what_is_finished_is_not_read_again(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = run(source, tmp_path / "run", monkeypatch, block=5000, table=1, threads=1)
    again = run(source, tmp_path / "run", monkeypatch, block=5000, table=1, threads=1, stop=lambda: True)
    assert again[0].checksum == first[0].checksum and again[1].tokens == first[1].tokens


@pytest.mark.parametrize("stop_after", [3, 10**9])
def test_other_options_or_input_begin_anew(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stop_after: int
) -> None:
    stop = stopped_after(stop_after)
    try:
        run(source, tmp_path / "run", monkeypatch, block=5000, table=1, threads=1, stop=stop)
    except Interrupted:
        assert stop_after == 3
    for options in ({"min_count": 10}, {"min_count": 10, "max_vocab": 9}, {"tokenizer": Tokenizer("characters")}):
        run(source, tmp_path / "run", monkeypatch, block=5000, table=1, threads=1, **options)
        fresh = tmp_path / str(options)
        run(source, fresh, monkeypatch, block=5000, table=1, threads=1, **options)
        assert content_of(tmp_path / "run") == content_of(fresh)
    source.write_bytes(corpus(2))
    vocabulary, _ = run(source, tmp_path / "run", monkeypatch, block=5000, table=1, threads=1)
    assert vocabulary.checksum == run(source, tmp_path / "new", monkeypatch, block=5000, table=1, threads=1)[0].checksum


def test_input_that_was_only_touched_is_gone_on_with(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options: dict[str, Any] = {"block": 5000, "table": 1, "threads": 1}
    run(source, tmp_path / "run", monkeypatch, **options)
    content = source.read_bytes()
    source.unlink()
    source.write_bytes(content)
    os.utime(source, ns=(5, 5))
    run(source, tmp_path / "run", monkeypatch, **options, stop=lambda: True)  # reads nothing
    for changed in (b"x" + content[1:], content[:-1] + b"x", content + b"x"):
        source.write_bytes(changed)
        with pytest.raises(Interrupted):
            run(source, tmp_path / "run", monkeypatch, **options, stop=lambda: True)
        assert not (tmp_path / "run" / "vocabulary.arrow").exists()
        source.write_bytes(content)
        run(source, tmp_path / "run", monkeypatch, **options)


def test_input_that_changes_between_the_passes_is_noticed(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def change(progress: Progress) -> None:
        if progress.stage == "counting":
            source.write_bytes(corpus(1)[:-1000])

    with pytest.raises(StreamvecError, match="the input changed while it was read"):
        run(source, tmp_path / "run", monkeypatch, block=1 << 22, table=1, threads=1, report=change)
    assert not (tmp_path / "run" / "shards" / "index.json").exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\n\n ... \n", "the input holds no words: .* 3 documents"),
        (b"x" * 2000, "1 tokens longer than 1,000 bytes"),
        (
            b"one two two\n",
            "no word occurs 3 times: 3 tokens in 1 documents, 2 different words, the most frequent 2 times",
        ),
    ],
)
def test_nothing_to_train_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes, message: str) -> None:
    path = tmp_path / "corpus.txt"
    path.write_bytes(content)
    with pytest.raises(StreamvecError, match=message):
        run(path, tmp_path / "run", monkeypatch, block=5000, table=1, threads=2)
    assert [p.name for p in tmp_path.iterdir()] == ["corpus.txt"]


@pytest.mark.parametrize("name", ["min_count", "max_vocab"])
def test_arguments_below_1(source: Path, tmp_path: Path, name: str) -> None:
    nothing: Callable[..., Any] = lambda *_: None  # noqa: E731
    options = {"crews": ThreadCrews(1), "report": nothing, "stop": nothing, name: 0}
    with pytest.raises(ValueError, match=f"{name} must be at least 1, got 0"):
        prepare(resolve([str(source)]), tmp_path / "run", Tokenizer(), **options)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("name", ["threads", "memory"])
def test_crews_below_1(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} must be at least 1, got 0"):
        ThreadCrews(**{"threads": 1, name: 0})
