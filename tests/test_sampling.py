"""Samples: exact when they are the whole, near the truth when they are a part, and never larger than allowed."""

import gzip
import json
import random

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from streamvec.corpus.sampling import sample_corpus
from streamvec.corpus.sources import resolve
from streamvec.corpus.tokens import Tokenizer
from streamvec.errors import StreamvecError


def zipf_lines(lines, seed=3, types=400_000):
    """Lines of ten words each, drawn by Zipf's law from very many."""
    rng = np.random.default_rng(seed)
    weights = 1 / np.arange(3, types + 3) ** 1.05
    ids = rng.choice(types, size=(lines, 10), p=weights / weights.sum())
    return ids, [" ".join(f"w{number}" for number in line) for line in ids]


def frequent(ids, times):
    return int((np.bincount(ids.reshape(-1)) >= times).sum())


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    ids, lines = zipf_lines(200_000)
    path = tmp_path_factory.mktemp("sampling") / "zipf.txt"
    path.write_text("\n".join(lines) + "\n")
    return path, ids


def test_the_whole_is_exact(corpus):
    path, ids = corpus
    sample = sample_corpus(resolve([str(path)]), Tokenizer(), most_seconds=60)
    assert sample.is_whole and sample.text_bytes == path.stat().st_size
    assert (sample.all_documents(), sample.all_tokens()) == (200_000, 2_000_000)
    counts = np.bincount(ids.reshape(-1))
    known = sample.vocabulary(5, None)
    assert known.words == frequent(ids, 5)
    assert known.tokens == counts[counts >= 5].sum()
    lengths = [len(f"w{number}") for number in np.flatnonzero(counts >= 5)]
    assert known.word_bytes == pytest.approx(np.mean(lengths))
    assert sample.vocabulary(5, 100).words == 100
    assert sample.vocabulary(5, 100).tokens == np.sort(counts)[-100:].sum()


@pytest.mark.parametrize(("share", "near"), [(3, 0.1), (12, 0.2)])
@pytest.mark.parametrize("packed", [False, True])
def test_a_part_tells_of_the_whole(corpus, tmp_path, share, near, packed):
    path, ids = corpus
    if packed:
        packed_path = tmp_path / "zipf.txt.gz"
        packed_path.write_bytes(gzip.compress(path.read_bytes(), 1))
    size = path.stat().st_size
    source = resolve([str(packed_path if packed else path)])
    sample = sample_corpus(source, Tokenizer(), most_bytes=size // share, most_seconds=60)
    assert not sample.is_whole and sample.sampled_bytes < size / share + (1 << 20)
    assert sample.all_tokens() == pytest.approx(2_000_000, rel=0.1)
    known = sample.vocabulary(5, None)
    assert known.words == pytest.approx(frequent(ids, 5), rel=near)
    assert known.tokens == pytest.approx(2_000_000, rel=0.15)
    assert sample.words(sample.all_tokens()) == pytest.approx(frequent(ids, 1), rel=0.35)


def test_plain_text_is_entered_all_over(tmp_path):
    """Half of the words occur only in the second half."""
    path = tmp_path / "halves.txt"
    with path.open("w") as file:
        for half in "ab":
            for line in range(200_000):
                file.write(f"{half}{line % 1000} {half}{line % 77} and so on\n")
    sample = sample_corpus(resolve([str(path)]), Tokenizer(), most_bytes=2 << 20, most_seconds=60)
    assert not sample.is_whole and sample.vocabulary(5, None).words == pytest.approx(2003, rel=0.02)


def test_a_huge_file_is_not_read(tmp_path):
    path = tmp_path / "huge.txt"
    with path.open("w") as file:
        file.write("some words and more\n" * 1000)
        file.truncate(1 << 40)  # a hole
    sample = sample_corpus(resolve([str(path)]), Tokenizer(), most_bytes=4 << 20, most_seconds=60)
    assert sample.text_bytes == 1 << 40 and sample.sampled_bytes <= 5 << 20


def test_time_ends_a_sample(corpus):
    path, _ = corpus
    sample = sample_corpus(resolve([str(path)]), Tokenizer(), most_seconds=1e-9)
    assert not sample.is_whole and 0 < sample.sampled_bytes <= 2 << 20


def test_many_files_are_sampled_by_size(tmp_path):
    rng = random.Random(1)
    for number in range(1200):
        (tmp_path / f"{number:04d}.txt").write_text("".join(f"word{rng.randrange(50)} and\n" for _ in range(100)))
    sample = sample_corpus(resolve([str(tmp_path)]), Tokenizer(), most_seconds=60)
    assert sample.sampled_bytes < sample.text_bytes / 10  # of 1,200 files some
    assert sample.all_tokens() == pytest.approx(240_000, rel=0.02)
    assert sample.vocabulary(5, None).words == 51


def test_tables_and_json_lines(tmp_path):
    texts = [f"river {number % 10} bank" for number in range(1000)]
    pq.write_table(pa.table({"text": texts, "other": texts}), tmp_path / "a.parquet")
    (tmp_path / "b.jsonl").write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    for name in ("a.parquet", "b.jsonl"):
        sample = sample_corpus(resolve([str(tmp_path / name)], "text"), Tokenizer(), "text", most_seconds=60)
        assert sample.is_whole and (sample.documents, sample.tokens) == (1000, 3000)


def test_damage_is_named(tmp_path):
    path = tmp_path / "cut.txt.gz"
    path.write_bytes(gzip.compress(b"some words\n" * 100_000)[:-9])
    with pytest.raises(StreamvecError, match=r"cut\.txt\.gz.*cut short"):
        sample_corpus(resolve([str(path)]), Tokenizer(), most_seconds=60)


def test_ids_are_ranks(corpus):
    path, _ = corpus
    sample = sample_corpus(resolve([str(path)]), Tokenizer(), most_seconds=60)
    found = sample.ids()
    ids = np.concatenate([ids for ids, _ in found])
    counts = np.bincount(ids)
    assert counts[0] == counts.max() and (np.abs(counts[:3] / ids.size - sample.counts[:3] / 2e6) < 0.003).all()
    assert all(lengths.sum() <= ids.size and set(lengths.tolist()) <= {0, 10} for ids, lengths in found)
