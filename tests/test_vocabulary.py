"""Counting and the vocabulary against collections.Counter, however small the memory."""

import random
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from streamvec.corpus import runfiles
from streamvec.corpus.blocks import Block, Place
from streamvec.corpus.counting import Counting
from streamvec.corpus.crew import ThreadCrews
from streamvec.corpus.repeats import Repeats
from streamvec.corpus.runs import WordCounts, merge, merge_to_run
from streamvec.corpus.stitch import Start, whole_tokens
from streamvec.corpus.tokens import Tokenizer
from streamvec.corpus.vocabulary import Vocabulary, select
from streamvec.errors import Interrupted, StreamvecError

TOKENIZER = Tokenizer("whitespace")


def random_lines(seed: int, lines: int, words: int) -> list[str]:
    """Zipf-like text with many words that share their first bytes, some very long, in several scripts."""
    draw = random.Random(seed)
    endings = ["", "s", "-very-long-ending", "글", "\x00", "\x00\x00", "é" * 40]
    known = [
        draw.choice(["a", "prefix8!", "internation", "한국어", ""]) + f"{n:x}" + draw.choice(endings)
        for n in range(words)
    ]
    return [
        " ".join(known[int(words * draw.random() ** 4)] for _ in range(draw.randrange(0, 40))) for _ in range(lines)
    ]


def blocks_of(lines: list[str], at_once: int) -> list[Block]:
    return [
        Block(
            number,
            Place(0, start),
            "".join(line + "\n" for line in lines[start : start + at_once]).encode(),
            False,
            False,
        )
        for number, start in enumerate(range(0, len(lines), at_once))
    ]


def count(folder: Path, blocks: list[Block], table_bytes: int, threads: int, interval: float = 1e9) -> Counting:
    counting = Counting(folder, TOKENIZER, table_bytes // threads, ThreadCrews(threads))
    left = [block for block in blocks if block.number >= counting.start.number]
    counting.run(whole_tokens(left, TOKENIZER), lambda _: None, lambda: False, interval)
    return counting


def as_dict(words: WordCounts) -> dict[bytes, int]:
    content = words.data.tobytes()
    places = words.offsets.tolist()
    return {content[a:b]: n for a, b, n in zip(places, places[1:], words.counts.tolist(), strict=False)}


LINES = random_lines(1, 3000, 8000)
EXPECTED = Counter(word.encode() for line in LINES for word in line.split())


@pytest.mark.parametrize(
    ("table_bytes", "threads", "at_once", "interval"),
    [(1, 1, 100, 1e9), (1, 3, 57, 0.0), (10**8, 2, 999, 1e9), (2 * 10**6, 1, 3000, 1e9)],
)
def test_counts_are_exact_and_in_order(
    tmp_path: Path, table_bytes: int, threads: int, at_once: int, interval: float
) -> None:
    counting = count(tmp_path, blocks_of(LINES, at_once), table_bytes, threads, interval)
    merged: dict[bytes, int] = {}
    for words in counting.merged():
        merged.update(as_dict(words))
    assert list(merged) == sorted(EXPECTED)
    assert merged == EXPECTED
    assert counting.counts.tokens == EXPECTED.total()
    assert counting.counts.documents == len(LINES)
    assert counting.counts.empty_documents == sum(not line for line in LINES)
    documents = Counter(line for line in LINES if len(line.split()) >= 10)
    assert counting.counts.repeated_documents == documents.total() - len(documents)


def test_many_runs_are_merged_in_several_passes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runfiles, "AT_ONCE", 3)
    monkeypatch.setattr(runfiles, "MOST_FILES", 4)
    counting = count(tmp_path, blocks_of(LINES, 100), 1, 2, 0.0)
    assert len(list(tmp_path.glob("run-*.arrow"))) <= 4
    assert sum((Counter(as_dict(words)) for words in counting.merged()), Counter()) == EXPECTED


def test_repeated_documents_do_not_depend_on_where_pieces_end(tmp_path: Path) -> None:
    lines = [" ".join(f"w{n % 7}" for n in range(k % 5 + 8)) for k in range(50)]
    data = "".join(line + "\n" for line in lines).encode()
    found = set()
    for size in (7, 50, 333, 10**6):
        blocks, start = [], 0
        while start < len(data):
            end = min(start + size, len(data))
            end = (
                max(data.rfind(b" ", start, end), data.rfind(b"\n", start, end), start) + 1 if end < len(data) else end
            )
            open_before = start > 0 and data[start - 1] != 10
            blocks.append(Block(len(blocks), Place(0, start), data[start:end], open_before, data[end - 1] != 10))
            start = end
        counts = count(tmp_path / str(size), blocks, 10**6, 2).counts
        assert counts.documents == 50
        found.add((counts.repeated_documents, counts.tokens))
    expected = Counter(line for line in lines if len(line.split()) >= 10)
    assert found == {(expected.total() - len(expected), sum(len(line.split()) for line in lines))}


def test_a_stopped_count_goes_on(tmp_path: Path) -> None:
    blocks = blocks_of(LINES, 50)
    draw = random.Random(3)
    interruptions = 0
    while True:
        counting = Counting(tmp_path, TOKENIZER, 10**6 // 2, ThreadCrews(2))
        left = [block for block in blocks if block.number >= counting.start.number]
        calls = iter(range(10**9))
        limit = draw.randrange(1, 25)
        try:
            counting.run(
                whole_tokens(left, TOKENIZER), lambda _: None, lambda calls=calls, limit=limit: next(calls) >= limit
            )
            break
        except Interrupted:
            interruptions += 1
    assert interruptions >= 2
    assert sum((Counter(as_dict(words)) for words in counting.merged()), Counter()) == EXPECTED
    documents = Counter(line for line in LINES if len(line.split()) >= 10)
    assert counting.counts.repeated_documents == documents.total() - len(documents)
    # finished: nothing is counted again
    again = Counting(tmp_path, TOKENIZER, 10**6 // 2, ThreadCrews(2))
    again.run(iter([None]), lambda _: None, lambda: True)  # type: ignore[list-item]
    assert again.counts == counting.counts


def test_what_a_crash_left_is_removed_and_counted_again(tmp_path: Path) -> None:
    blocks = blocks_of(LINES, 100)

    def dying() -> list[Block]:
        yield from blocks[:20]
        raise RuntimeError("power cut")

    counting = Counting(tmp_path, TOKENIZER, 1, ThreadCrews(1))
    with pytest.raises(RuntimeError):
        counting.run(whole_tokens(dying(), TOKENIZER), lambda _: None, lambda: False, 1e9)
    left = list(tmp_path.glob("run-*"))
    assert left
    counting = Counting(tmp_path, TOKENIZER, 1, ThreadCrews(1))
    assert counting.start == Start() and not list(tmp_path.glob("run-*"))
    counting.run(whole_tokens(blocks, TOKENIZER), lambda _: None, lambda: False)
    assert sum((Counter(as_dict(words)) for words in counting.merged()), Counter()) == EXPECTED


def test_a_damaged_run_is_noticed(tmp_path: Path) -> None:
    counting = count(tmp_path, blocks_of(LINES, 100), 1, 1)
    run = sorted(tmp_path.glob("run-*.arrow"))[0]
    content = bytearray(run.read_bytes())
    content[len(content) // 2] ^= 4
    run.write_bytes(content)
    with pytest.raises(StreamvecError, match="damaged"):
        list(counting.merged())


def test_merging_to_a_run_keeps_every_word(tmp_path: Path) -> None:
    counting = count(tmp_path, blocks_of(LINES, 100), 1, 1)
    runs = sorted(tmp_path.glob("run-*.arrow"))
    assert len(runs) > 1
    merge_to_run(runs, tmp_path / "all.arrow")
    assert [as_dict(words) for words in merge([tmp_path / "all.arrow"])] == [as_dict(w) for w in counting.merged()]


@pytest.mark.parametrize(("min_count", "max_vocab"), [(1, None), (5, None), (1, 100), (3, 1), (2, 10**6)])
def test_selection_by_falling_count_and_bytes(
    tmp_path: Path, min_count: int, max_vocab: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streamvec.corpus.vocabulary._ROWS", 64)
    counting = count(tmp_path, blocks_of(LINES, 500), 1, 1)
    selection = select(counting.merged(), min_count, max_vocab)
    expected = sorted((w for w in EXPECTED if EXPECTED[w] >= min_count), key=lambda w: (-EXPECTED[w], w))[:max_vocab]
    assert [word.encode() for word in selection.words.to_pylist()] == expected
    assert selection.counts.tolist() == [EXPECTED[word] for word in expected]
    assert (selection.tokens, selection.distinct) == (EXPECTED.total(), len(EXPECTED))
    assert selection.highest == max(EXPECTED.values())


def test_selection_refuses_limits_below_1() -> None:
    with pytest.raises(ValueError, match="min_count must be at least 1, got 0"):
        select([], 0)
    with pytest.raises(ValueError, match="max_vocab must be at least 1, got 0"):
        select([], 1, 0)


def test_saved_and_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streamvec.corpus.vocabulary._ROWS", 3)
    words = pa.array(["the", "a b", "new\nline", "한국어", "é", "x", "y"], pa.large_string())
    vocabulary = Vocabulary(words, np.arange(7, 0, -1), {"min_count": 1})
    vocabulary.save(tmp_path / "vocabulary.arrow")
    loaded = Vocabulary.load(tmp_path / "vocabulary.arrow")
    assert loaded.words.equals(words) and loaded.counts.tolist() == [7, 6, 5, 4, 3, 2, 1]
    assert loaded.about == {"min_count": 1} and len(loaded) == 7 and loaded.total == 28
    assert loaded.checksum == vocabulary.checksum
    assert loaded.checksum != Vocabulary(words, np.arange(8, 1, -1)).checksum
    assert loaded.index_of(["é", "none", "the", "new\nline"]).tolist() == [4, -1, 0, 2]
    content = bytearray((tmp_path / "vocabulary.arrow").read_bytes())
    content[len(content) // 2] ^= 1
    (tmp_path / "vocabulary.arrow").write_bytes(content)
    with pytest.raises(StreamvecError, match="damaged"):
        Vocabulary.load(tmp_path / "vocabulary.arrow")
    with pytest.raises(StreamvecError, match="no such file"):
        Vocabulary.load(tmp_path / "other.arrow")


def test_repeats_beyond_the_exact_are_a_fair_sample_in_any_order(tmp_path: Path) -> None:
    draw = np.random.default_rng(5)
    hashes = draw.integers(0, 2**63, 60_000).astype(np.uint64) * np.uint64(2) + np.uint64(1)
    hashes = np.concatenate([hashes, hashes[:20_000], hashes[:5_000]])
    exact = Repeats()
    exact.add(hashes)
    assert exact.repeated == 25_000 and exact.level == 0
    sampled, shuffled = Repeats(most=4096), Repeats(most=4096)
    sampled.add(hashes)
    for part in np.array_split(draw.permutation(hashes), 7):
        shuffled.add(part)
    assert sampled.level == shuffled.level == 4
    assert sampled.repeated == shuffled.repeated and abs(sampled.repeated - 25_000) < 2_000
    exact.save(tmp_path / "repeats")
    loaded = Repeats.load(tmp_path / "repeats")
    assert loaded.repeated == 25_000
    loaded.add(hashes[:10])
    assert loaded.repeated == 25_010
