"""Which phrases are found and joined: a naive reference, gensim, and what is refused."""

from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import naive_phrases
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from phrasing import NPMI, WORD2VEC, corpus, run, write
from preparing import BATCH
from stopping import content_of

from streamvec.corpus.phrases import Joins, PhraseOptions
from streamvec.errors import StreamvecError
from streamvec.kernels.pairs import pair_key
from streamvec.kernels.phrases import count_ids, flatten, neighbours, renumber

pytestmark = pytest.mark.usefixtures("small_shards", "small_tables_of_pairs")


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
