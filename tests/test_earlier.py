"""Words of an earlier training among those of new text, against collections.Counter."""

import itertools
import random
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from streamvec.corpus import prepare as prepare_module
from streamvec.corpus import runfiles
from streamvec.corpus.crew import ThreadCrews
from streamvec.corpus.earlier import Earlier
from streamvec.corpus.lookup import Lookup
from streamvec.corpus.phrases import PhraseOptions
from streamvec.corpus.prepare import prepare
from streamvec.corpus.runs import merge, write_run
from streamvec.corpus.sampling import sample_corpus
from streamvec.corpus.shards import Shards
from streamvec.corpus.shares import Shares
from streamvec.corpus.sources import resolve
from streamvec.corpus.tokens import Tokenizer
from streamvec.corpus.vocabulary import Vocabulary
from streamvec.disk.arrow import verify_arrow
from streamvec.errors import StreamvecError

MIN_COUNT = 3


def lines(seed: int, first: int) -> list[list[str]]:
    """Zipf-like documents of 4,000 words from number *first* on: two of them share words, and each has its own."""
    draw = random.Random(seed)
    endings = ["", "é" * 40, "-a-long-ending", "글"]
    words = [f"{n % 7}prefix{n}{endings[n % 4]}" for n in range(first, first + 4000)]
    return [[words[int(4000 * draw.random() ** 3)] for _ in range(12)] for _ in range(1500)]


def prepared(texts: list[list[str]], folder: Path, **options: object) -> tuple[Vocabulary, Shards]:
    path = folder.with_suffix(".txt")
    path.write_text("\n".join(map(" ".join, texts)) + "\n", encoding="utf-8")
    more = {"min_count": MIN_COUNT, "crews": ThreadCrews(2, 1 << 28), **options}
    return prepare(
        resolve([str(path)]),
        folder,
        Tokenizer("whitespace"),
        report=lambda _: None,
        stop=lambda: False,
        **more,  # type: ignore[arg-type]
    )


def as_dict(vocabulary: Vocabulary) -> dict[str, int]:
    return dict(zip(vocabulary.words.to_pylist(), vocabulary.counts.tolist(), strict=True))


def earlier_of(folder: Path) -> Earlier:
    path = folder / "vocabulary.arrow"
    return Earlier(path, verify_arrow(path))


OLD, NEW = lines(1, 0), lines(2, 1500)


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("earlier") / "old"
    prepared(OLD, folder)
    return folder


@pytest.mark.parametrize("max_vocab", [None, 1000, 5000])
@pytest.mark.parametrize("table", [1, 1 << 24])
def test_counts_add_up_as_a_plain_counter_says(
    old: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, max_vocab: int | None, table: int
) -> None:
    monkeypatch.setattr(prepare_module, "shares", lambda *_: Shares(1 << 16, table))
    monkeypatch.setattr(runfiles, "MOST_FILES", 4)  # so that runs are merged to make room
    monkeypatch.setattr(runfiles, "AT_ONCE", 2)
    before = as_dict(Vocabulary.load(old / "vocabulary.arrow"))
    text = Counter(word for document in NEW for word in document)
    merged = Counter(before) + text
    frequent = [(word, count) for word, count in merged.items() if count >= MIN_COUNT or word in before]
    expected = sorted(frequent, key=lambda pair: (-pair[1], pair[0].encode()))[:max_vocab]
    vocabulary, shards = prepared(NEW, tmp_path / "new", earlier=earlier_of(old), max_vocab=max_vocab)
    assert list(as_dict(vocabulary).items()) == expected
    assert min(before.values()) == MIN_COUNT and set(text) - set(before)
    assert shards.tokens == sum(text[word] for word, _ in expected)
    assert shards.counts["tokens"] == text.total()
    assert shards.counts["dropped_rare"] == text.total() - shards.tokens
    assert vocabulary.about["tokens_in_corpus"] == text.total() + sum(map(len, OLD))
    words, place = vocabulary.words.to_pylist(), 0
    for number in range(shards.batches):  # shards hold the new text alone
        batch = shards.batch(number)
        known = [words[token] for token in batch.values]
        assert (
            known
            == [word for document in NEW for word in document if word in dict(expected)][place : place + len(known)]
        )
        place += len(known)


def test_old_words_stay_however_rare_and_new_ones_must_be_frequent(old: Path, tmp_path: Path) -> None:
    vocabulary, _ = prepared(NEW, tmp_path / "new", earlier=earlier_of(old), min_count=50)
    before, found = as_dict(Vocabulary.load(old / "vocabulary.arrow")), as_dict(vocabulary)
    assert set(before) <= set(found)
    new = set(found) - set(before)
    assert new and all(found[word] >= 50 for word in new)


def test_a_chain_of_three_adds_all_up(old: Path, tmp_path: Path) -> None:
    prepared(NEW, tmp_path / "second", earlier=earlier_of(old))
    third, _ = prepared(OLD, tmp_path / "third", earlier=earlier_of(tmp_path / "second"))
    second = as_dict(Vocabulary.load(tmp_path / "second" / "vocabulary.arrow"))
    both = Counter(second) + Counter(word for document in OLD for word in document)
    assert as_dict(third) == {word: n for word, n in both.items() if n >= MIN_COUNT or word in second}
    assert third.about["tokens_in_corpus"] == 2 * sum(map(len, OLD)) + sum(map(len, NEW))


def test_another_vocabulary_makes_preparation_begin_anew(old: Path, tmp_path: Path) -> None:
    prepared(NEW, tmp_path / "other")
    plain, _ = prepared(NEW, tmp_path / "new")
    merged, _ = prepared(NEW, tmp_path / "new", earlier=earlier_of(old))
    again, _ = prepared(NEW, tmp_path / "new", earlier=earlier_of(tmp_path / "other"))
    assert len(merged) > len(plain) and as_dict(again) == {word: 2 * count for word, count in as_dict(plain).items()}


def test_a_changed_vocabulary_is_refused(old: Path, tmp_path: Path) -> None:
    with pytest.raises(StreamvecError, match=r"vocabulary.arrow: changed since"):
        prepared(NEW, tmp_path / "new", earlier=Earlier(old / "vocabulary.arrow", "0" * 32))
    with pytest.raises(StreamvecError, match=r"nowhere.*no such file"):
        prepared(NEW, tmp_path / "new", earlier=Earlier(tmp_path / "nowhere", "0" * 32))


@pytest.mark.parametrize(
    ("text", "message"),
    [([[]], "holds no words"), ([["stranger", "unknown"]], "no token of the text is a word of the earlier training")],
)
def test_text_that_adds_nothing_is_refused(old: Path, tmp_path: Path, text: list[list[str]], message: str) -> None:
    (tmp_path / "text").mkdir()
    with pytest.raises(StreamvecError, match=message):
        prepared(text, tmp_path / "text" / "new", earlier=earlier_of(old))
    assert not (tmp_path / "text" / "new").exists()


def test_a_run_of_any_words_is_read_back(tmp_path: Path) -> None:
    draw = random.Random(3)
    words = sorted({"w" * draw.randrange(1, 900) + f"{n:x}" for n in range(20_000)} | {"a", "ab", "é"}, key=str.encode)
    counts = np.arange(len(words), dtype=np.int64)
    write_run(pa.array(words, pa.large_string()), counts, tmp_path / "run.arrow")
    found, numbers = [], []
    for some in merge([tmp_path / "run.arrow"]):
        data, places = some.data.tobytes(), some.offsets.tolist()
        found += [data[a:b].decode() for a, b in itertools.pairwise(places)]
        numbers += some.counts.tolist()
    assert found == words and numbers == counts.tolist()


def test_numbers_of_words_as_a_dict_says(old: Path) -> None:
    vocabulary = Vocabulary.load(old / "vocabulary.arrow")
    ranks = {word: rank for rank, word in enumerate(vocabulary.words.to_pylist())}
    asked = [*list(ranks)[::3], "", "nowhere", "0prefix", "x" * 1024, "글"]
    expected = [ranks.get(word, -1) for word in asked]
    lookup = Lookup(vocabulary)
    assert lookup.numbers(asked).tolist() == expected
    assert lookup.numbers(pa.array(["cut", *asked]).slice(1)).tolist() == expected
    assert lookup.numbers(pa.array([], pa.string())).tolist() == []


@pytest.mark.parametrize("max_vocab", [None, 1000])
def test_a_plan_of_all_the_text_foresees_the_merged_vocabulary(old: Path, tmp_path: Path, max_vocab: int) -> None:
    vocabulary, shards = prepared(NEW, tmp_path / "new", earlier=earlier_of(old), max_vocab=max_vocab)
    sample = sample_corpus(resolve([str(tmp_path / "new.txt")]), Tokenizer("whitespace"))
    known = earlier_of(old).expected(sample, MIN_COUNT, max_vocab)
    assert sample.is_whole and known.words == len(vocabulary)
    if max_vocab is None:
        assert known.tokens == shards.tokens
    assert known.word_bytes == pytest.approx(np.mean([len(word.encode()) for word in as_dict(vocabulary)]), rel=0.1)


def phrasing(seed: int, first: int) -> list[list[str]]:
    """Documents in which some words are often neighbours."""
    draw = random.Random(seed)
    return [
        [
            word
            for n in (int(400 * draw.random() ** 2) + first for _ in range(12))
            for word in ([f"new{n}", f"york{n}"] if n % 5 == 0 else [f"word{n}"])
        ]
        for _ in range(2000)
    ]


@pytest.mark.parametrize("max_vocab", [None, 200])
def test_phrases_of_new_text_join_the_words_and_phrases_of_the_old(tmp_path: Path, max_vocab: int | None) -> None:
    options = PhraseOptions(1, "word2vec", 10.0, 5)
    first, later = phrasing(1, 0), phrasing(2, 200)
    later = [[*document, "word1", "word3"] if number < 2 else document for number, document in enumerate(later)]
    old, _ = prepared(first, tmp_path / "old", phrases=options)
    alone, _ = prepared(later, tmp_path / "alone", phrases=options, min_count=1)
    before, text = as_dict(old), as_dict(alone)
    assert any("_" in word for word in before) and any("_" in word for word in set(text) - set(before))
    assert text["word1"] == text["word3"] == 2 < MIN_COUNT and "word1" in before
    both = Counter(before) + Counter(text)
    chosen = [(word, count) for word, count in both.items() if count >= MIN_COUNT or word in before]
    expected = sorted(chosen, key=lambda pair: (-pair[1], pair[0].encode()))[:max_vocab]
    merged, shards = prepared(
        later, tmp_path / "new", phrases=options, earlier=earlier_of(tmp_path / "old"), max_vocab=max_vocab
    )
    assert list(as_dict(merged).items()) == expected
    assert shards.tokens == sum(text.get(word, 0) for word, _ in expected)
    assert merged.about["tokens_in_corpus"] == sum(map(len, first)) + sum(map(len, later))
    assert not (tmp_path / "new" / "phrases").exists()
    said = merged.about["phrases"]
    assert said["found"] == sum("_" in word for word, _ in expected if word in text) and said["examples"]
    assert set(said["examples"]) <= {word for word, _ in expected if "_" in word}


def test_an_old_vocabulary_does_not_change_which_phrases_are_found(tmp_path: Path) -> None:
    options = PhraseOptions(1, "word2vec", 10.0, 5)
    texts, strange = phrasing(2, 0), [[f"other{n}" for n in range(first, first + 50)] for first in range(0, 20_000, 50)]
    prepared([*strange, *strange, *strange], tmp_path / "old", min_count=1)
    alone, _ = prepared(texts, tmp_path / "alone", phrases=options)
    merged, _ = prepared(texts, tmp_path / "new", phrases=options, earlier=earlier_of(tmp_path / "old"))
    assert {word for word in as_dict(alone) if "_" in word} == {word for word in as_dict(merged) if "_" in word}
    assert sum("_" in word for word in as_dict(alone)) > 20
