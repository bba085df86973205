"""Subwords: n-grams as fastText has them, steps as plain Python makes them, and a RUN that answers for unseen words."""

import hashlib
import json
import random as python_random
import subprocess
import sys
import time
from dataclasses import asdict
from itertools import pairwise
from pathlib import Path
from subprocess import DEVNULL

import naive
import naive_subwords
import numpy as np
import pyarrow as pa
import pytest
from conftest import streamvec_command as command
from conftest import two_topics
from hypothesis import given, settings
from hypothesis import strategies as st
from test_floors import heavy, loaded_by
from test_skipgram import counts_of, matrix, some_batch

import streamvec
from streamvec.corpus.vocabulary import Vocabulary, word_bytes
from streamvec.errors import Interrupted, StreamvecError
from streamvec.kernels.huffman import huffman_paths
from streamvec.models.skipgram import SkipGram
from streamvec.models.step import Position
from streamvec.models.subwords import ngrams_of
from streamvec.models.wordconfig import CbowConfig, SkipGramConfig
from streamvec.vectors import ngrams as look_up
from streamvec.vectors.store import raw_words

KINDS = [SkipGramConfig, CbowConfig]


def bytes_of(words: list[str]) -> tuple[np.ndarray, np.ndarray]:
    return word_bytes(pa.array(words, pa.large_string()))


def some_words(number: int, seed: int = 0) -> list[str]:
    """Distinct words that share syllables, of one to some twenty letters, some of more than one byte."""
    rng = python_random.Random(seed)
    syllables = ["ba", "li", "ent", "o", "ing", "ßa", "ch", "é", "서", "🦆", "x"]
    found = dict.fromkeys("".join(rng.choices(syllables, k=rng.randint(1, 8))) for _ in range(4 * number))
    assert len(found) >= number
    return list(found)[:number]


def new_model(config: SkipGramConfig, words: int, steps: int = 4, threads: int = 1) -> SkipGram:
    ngrams = ngrams_of(config, bytes_of(some_words(words)))
    return SkipGram(config, counts_of(words), steps, threads, ngrams)


@settings(deadline=None)  # the first one compiles
@given(
    st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=12), min_size=1, max_size=20),
    st.integers(1, 4),
    st.integers(0, 3),
    st.sampled_from([1, 7, 1000, 2_000_000]),
)
def test_ngrams_of_a_vocabulary_are_those_of_look_ups(words, minn, more, buckets):
    config = SkipGramConfig(subwords=f"{minn}-{minn + more}", buckets=buckets)
    found = ngrams_of(config, bytes_of(words))
    lists = [found.lists[a:b].tolist() for a, b in pairwise(found.starts)]
    looked_up, counts = look_up.ngrams_of(*raw_words(pa.array(words)), minn, minn + more, buckets)
    of_each = np.split(looked_up, np.cumsum(counts)[:-1])
    assert found.buckets.tolist() == np.unique(looked_up).tolist()
    for rank, (rows, some) in enumerate(zip(lists, of_each, strict=True)):
        assert rows[0] == rank
        assert found.buckets[np.array(rows[1:], int) - len(words)].tolist() == some.tolist()
    assert (lists, found.buckets.tolist()) == naive_subwords.row_lists(words, minn, minn + more, buckets)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("objective", ["ns", "hs"])
@pytest.mark.parametrize(("dim", "window", "negative", "batch"), [(10, 2, 3, 8), (100, 5, 5, 64), (300, 3, 8, 256)])
def test_step_does_what_plain_python_does(kind, objective, dim, window, negative, batch):
    rates = {"learning_rate": 0.02, "final_learning_rate": 0.02}
    more = {"subwords": "3-5", "buckets": 400}
    config = kind(dim=dim, window=window, negative=negative, batch=batch, sample=1e-2, objective=objective)
    config = kind(**asdict(config) | rates | more)
    model = new_model(config, 50)
    rng = np.random.default_rng(3)
    for name in ("inputs", "outputs"):
        for column, part in model.slices(name):
            wanted = max(0, min(part.shape[1], dim - column))
            part[:-1, :wanted] = rng.normal(0, 0.3, (len(part) - 1, wanted))
    table, outputs = matrix(model, "inputs").astype(np.float64), matrix(model, "outputs").astype(np.float64)
    lists, used = naive_subwords.row_lists(some_words(50), 3, 5, 400)
    assert len(table) == 50 + len(used) + 1 and len(outputs) == 51
    tokens = some_batch(50, 400)
    result = model.step(tokens, Position(2, 7))

    documents = [tokens.values[a:b] for a, b in pairwise(tokens.offsets)]
    keys = [naive.stream(config.seed, 3, purpose) for purpose in (naive.KEEP, naive.WINDOW, naive.NOISE)]
    kept = naive_subwords.windows(naive.kept_tokens(documents, 7 << 16, model._keep, keys[0]), window, keys[1])
    starts, nodes = huffman_paths(counts_of(50))
    centers = []
    for token, place, contexts in kept:
        if objective == "ns":
            targets = naive.noise_targets(token, place, negative, model._targets.table, keys[2])
        else:
            path = nodes[starts[token] : starts[token + 1]]
            targets = [(int(node) >> 1, int(node) & 1, n) for n, node in enumerate(path)]
        centers.append((contexts, targets))
    words = [token for token, _, _ in kept]
    starts = np.flatnonzero(model._step.starts[: len(centers)])
    losses = []
    for first, last in pairwise([*starts, len(centers)]):
        batch_of, together = centers[first:last], 10 if config.target_blocks > 1 else None
        losses += naive_subwords.train_batch(
            table, outputs, lists, words, batch_of, np.float32(0.02), config.averaged, together
        )
    assert result.loss == pytest.approx(sum(losses), rel=1e-5)
    np.testing.assert_allclose(matrix(model, "inputs"), table, atol=5e-5)
    np.testing.assert_allclose(matrix(model, "outputs"), outputs, atol=5e-5)
    means = np.array([table[rows].mean(axis=0) for rows in lists])
    np.testing.assert_allclose(model.vectors(3, 47), means[3:47, :dim], atol=5e-5)
    np.testing.assert_allclose(model.ngram_vectors(2, 9), table[52:59, :dim], atol=5e-5)


@pytest.mark.parametrize("averaged", [False, True])
def test_update_is_the_gradient_of_the_loss(averaged):
    """One center: each row gets the whole gradient of the words it is in, n times that of the mean of n rows."""
    rng = np.random.default_rng(0)
    lists = [[0, 4, 5], [1, 5, 6], [2, 6, 6], [3, 4, 7]]  # of three rows each: shared ones, and one that is there twice
    table, outputs = rng.normal(0, 0.5, (8, 4)), rng.normal(0, 0.5, (6, 4))
    contexts, targets, rate = [1, 3, 2, 1], [(2, 1, 0), (4, 0, 1), (5, 0, 2)], 1e-6
    slopes = naive.gradients(
        lambda *moved: naive_subwords.loss(*moved, lists, contexts, targets, averaged), [table, outputs]
    )
    changed, places = [table.copy(), outputs.copy()], list(range(len(contexts)))
    naive_subwords.train_batch(*changed, lists, contexts, [(places, targets)], rate, averaged)
    for after, before, slope, rows in zip(changed, [table, outputs], slopes, (3, 1), strict=True):
        np.testing.assert_allclose((before - after) / rate, slope * rows, atol=1e-4)


@pytest.mark.parametrize("dim", [16, 100, 300])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("objective", ["ns", "hs"])
def test_same_bytes_on_any_number_of_threads(kind, dim, objective):
    config = kind(dim=dim, batch=64, subwords="2-5", buckets=1000, objective=objective)
    found = set()
    for threads in (1, 2, 3, 4, 7):
        model = new_model(config, 200, threads=threads)
        losses = [model.step(some_batch(200, 4000, n), Position(0, n)).loss for n in range(3)]
        held = (*(array.tobytes() for array in model.arrays.values()), model.vectors(0, 200).tobytes())
        found.add((hashlib.sha256(b"".join(held)).digest(), *losses))
        model.close()
    assert len(found) == 1


@pytest.mark.parametrize("threads", [1, 2])
def test_hogwild_learns_as_exact_does(threads):
    losses = {}
    for mode in ("exact", "hogwild"):
        config = SkipGramConfig(dim=24, mode=mode, batch=32, sample=1e-2, subwords="3-6", buckets=5000)
        model = new_model(config, 200, 80, threads)
        results = [model.step(some_batch(200, 3000, n % 5), Position(n // 40, n % 40)) for n in range(80)]
        losses[mode] = sum(r.loss for r in results[-10:]) / sum(r.examples for r in results[-10:])
        assert losses[mode] < results[0].loss / results[0].examples - 0.2
        model.close()
    assert losses["hogwild"] == pytest.approx(losses["exact"], rel=0.02)


@pytest.mark.parametrize("number", [50, 800])
def test_words_that_share_most_ngrams_do_not_diverge(number):
    """Addresses: batches end where stale gains of shared rows would add up."""
    config = SkipGramConfig(dim=32, subwords="3-6", sample=0)
    words = [f"httpwwwexamplecomsomepagenumber{n:05d}" for n in range(number)]
    ngrams = ngrams_of(config, bytes_of(words))
    model = SkipGram(config, np.full(number, 1000, np.int64), 60, ngrams=ngrams)
    for n in range(30):
        result = model.step(some_batch(number, 20_000, n), Position(0, n))
    assert result.loss / result.examples < 2 and np.abs(model.vectors(0, number)).max() < 2
    starts = np.flatnonzero(model._step.starts[:20_000])
    assert np.diff(starts).max() <= 16


def test_measuring_changes_no_row():
    model = new_model(SkipGramConfig(dim=8, holdout=0.5, sample=0, subwords="3-4", buckets=100), 40)
    before = model.arrays["inputs"].copy()
    loss = model.held_out_loss([(0, some_batch(40, 2000))])
    assert loss == pytest.approx(model.loss_at_chance, rel=0.1)  # outputs are zero: all scores are
    np.testing.assert_array_equal(before, model.arrays["inputs"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"subwords": "3"}, "subwords must be the lengths of .* like 3-6, got '3'"),
        ({"subwords": "6-3"}, "got '6-3'"),
        ({"subwords": "0-3"}, "got '0-3'"),
        ({"subwords": ""}, "got ''"),
        ({"subwords": "3-6", "objective": "softmax"}, "subwords need objective ns or hs, got softmax"),
        ({"subwords": "3-6", "buckets": 0}, "buckets must be at least 1"),
        ({"subwords": "3-6", "buckets": 2**30 + 1}, "at most 2..30"),
    ],
)
def test_config_refuses_what_can_never_be_right(options, message):
    with pytest.raises(ValueError, match=message):
        SkipGramConfig(**options)


def test_a_model_with_subwords_needs_their_ngrams():
    with pytest.raises(ValueError, match="ngrams must be those of subwords=3-6, got None"):
        SkipGram(SkipGramConfig(subwords="3-6"), np.array([3, 2]), 1)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("subwords") / "text.txt"
    path.write_text(two_topics(1500), encoding="utf-8")
    return path


OPTIONS = {"dim": 20, "epochs": 3, "min_count": 1, "subwords": "3-6", "buckets": 5000, "threads": 1}


@pytest.fixture(scope="module")
def finished(corpus: Path) -> Path:
    streamvec.train_skipgram(corpus, corpus.parent / "run", **OPTIONS)
    return corpus.parent / "run"


def test_unseen_words_are_the_mean_of_their_ngrams(finished: Path) -> None:
    words = Vocabulary.load(finished / "vocabulary.arrow").words.to_pylist()
    lists, used = naive_subwords.row_lists(words, 3, 6, 5000)
    stored = pa.ipc.open_file(finished / "vectors.ngrams.arrow").read_all()
    assert stored["bucket"].to_pylist() == used
    rows = dict(zip(used, np.array(stored["vector"].to_pylist(), np.float32), strict=True))
    vectors = streamvec.KeyedVectors.load(finished)
    for word in (words[0] + "s", words[3][:-1] + "zz", "un" + words[5]):
        assert word not in vectors
        known = [rows[bucket] for bucket in naive_subwords.ngrams(word, 3, 6, 5000) if bucket in rows]
        np.testing.assert_allclose(vectors[word], np.mean(known, axis=0), rtol=1e-5, atol=1e-7)
    with pytest.raises(streamvec.vectors.UnknownWord):
        _ = vectors["ЖЖЖЖЖЖ"]  # no n-gram that any word has
    assert len(lists) == len(vectors)


def test_an_unseen_form_is_near_its_word(finished: Path) -> None:
    vectors = streamvec.KeyedVectors.load(finished)
    word = max(list(vectors.words)[:20], key=len)
    assert word in [found for found, _ in vectors.most_similar(word + "s", topn=3)]


def test_words_answer_where_their_ngrams_are_not_beside_them(finished: Path, tmp_path: Path) -> None:
    alone = tmp_path / "alone.arrow"
    alone.write_bytes((finished / "vectors.arrow").read_bytes())
    vectors = streamvec.KeyedVectors.load(alone)
    word = vectors.words[0]
    np.testing.assert_array_equal(vectors[word], streamvec.KeyedVectors.load(finished)[word])
    with pytest.raises(StreamvecError, match=r"alone\.ngrams\.arrow, which would tell, is not beside it"):
        _ = vectors[word + "s"]
    beside = tmp_path / "alone.ngrams.arrow"
    beside.write_bytes((finished / "vectors.ngrams.arrow").read_bytes())
    assert streamvec.KeyedVectors.load(alone)[word + "s"].any()
    streamvec.KeyedVectors.load(alone).save(tmp_path / "copy.arrow")
    assert (tmp_path / "copy.ngrams.arrow").read_bytes() == beside.read_bytes()
    assert (tmp_path / "copy.arrow").read_bytes() == alone.read_bytes()


def test_the_ngrams_of_another_model_are_refused(finished: Path, corpus: Path, tmp_path: Path) -> None:
    streamvec.train_skipgram(corpus, tmp_path / "other", **OPTIONS | {"seed": 2})
    (tmp_path / "other" / "vectors.arrow").write_bytes((finished / "vectors.arrow").read_bytes())
    vectors = streamvec.KeyedVectors.load(tmp_path / "other")
    with pytest.raises(StreamvecError, match=r"holds the n-grams of other words than vectors\.arrow"):
        _ = vectors[vectors.words[0] + "s"]


@pytest.mark.parametrize("options", [{"threads": 2}, {"threads": 4}, {"threads": 2, "memory": 10**9}])
def test_runs_are_the_same_bytes_on_any_number_of_threads(finished: Path, corpus: Path, tmp_path, options) -> None:
    streamvec.train_skipgram(corpus, tmp_path / "run", **OPTIONS | options)
    for name in ("vectors.arrow", "vectors.ngrams.arrow"):
        assert (tmp_path / "run" / name).read_bytes() == (finished / name).read_bytes()


def test_stopped_and_gone_on_with_is_the_same_bytes(finished: Path, corpus: Path, tmp_path: Path) -> None:
    asked = 0

    def stop() -> bool:
        nonlocal asked
        asked += (tmp_path / "run" / "shards" / "index.json").exists()
        return asked > 1

    with pytest.raises(Interrupted):
        streamvec.train_skipgram(corpus, tmp_path / "run", stop=stop, **OPTIONS)
    assert list((tmp_path / "run" / "checkpoints").iterdir()) and not (tmp_path / "run" / "vectors.arrow").exists()
    streamvec.resume(tmp_path / "run", threads=2)
    for name in ("vectors.arrow", "vectors.ngrams.arrow"):
        assert (tmp_path / "run" / name).read_bytes() == (finished / name).read_bytes()
        (tmp_path / "run" / name).unlink()  # either is written again
        streamvec.resume(tmp_path / "run")
        assert (tmp_path / "run" / name).read_bytes() == (finished / name).read_bytes()


def test_killed_and_gone_on_with_is_the_same_bytes(corpus: Path, tmp_path: Path) -> None:
    options = ["--min-count", "1", "--dim", "20", "--subwords", "3-6", "--epochs", "150", "--checkpoint-batches", "1"]
    assert command("train", "skipgram", corpus, "--out", tmp_path / "whole", *options).returncode == 0
    run = tmp_path / "killed"
    for epochs in ("0002", "0040"):
        words = ["resume", run] if run.exists() else ["train", "skipgram", corpus, "--out", run, *options]
        process = subprocess.Popen([sys.executable, "-m", "streamvec_cli.main", *map(str, words)], stderr=DEVNULL)
        while max((path.name for path in (run / "checkpoints").glob("*-*")), default="") < epochs:
            assert process.poll() is None
            time.sleep(0.001)
        process.kill()
        process.wait()
        assert not (run / "vectors.arrow").exists()
    assert command("resume", run, "--threads", "2").returncode == 0
    for name in ("vectors.arrow", "vectors.ngrams.arrow"):
        assert (run / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_similarity_while_training_is_that_of_composed_vectors(corpus: Path, tmp_path: Path) -> None:
    words = two_topics(20).split()
    pairs = sorted({tuple(sorted(pair)) for pair in pairwise(words) if pair[0] != pair[1]})[:12]
    lines = [f"{a}\t{b}\t{n}" for n, (a, b) in enumerate(pairs)]
    (tmp_path / "pairs.tsv").write_text("\n".join(lines), encoding="utf-8")
    vectors = streamvec.train_skipgram(corpus, tmp_path / "run", evaluate=[tmp_path / "pairs.tsv"], **OPTIONS)
    from streamvec.vectors.evaluation import evaluate_similarity

    last = json.loads((tmp_path / "run" / "metrics.jsonl").read_text().splitlines()[-1])
    assert last["similarity"]["pairs.tsv"] == pytest.approx(
        evaluate_similarity(vectors, tmp_path / "pairs.tsv").spearman, abs=1e-9
    )


def test_the_command_line(corpus: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    options = ["--dim", "20", "--min-count", "1", "--subwords", "3-6", "--buckets", "5000"]
    assert command("train", "cbow", corpus, "--out", run, *options).returncode == 0
    word = max(list(streamvec.KeyedVectors.load(run).words)[:20], key=len)

    known = command("nn", run, word)
    assert known.returncode == 0 and known.stderr == ""
    unseen = command("nn", run, word + "s", "--json")
    assert unseen.returncode == 0
    assert f"note: '{word}s' is not in the vocabulary: its n-grams stand for it" in unseen.stderr
    answer = json.loads(unseen.stdout)
    assert answer["composed"] == [word + "s"] and len(answer["neighbours"]) == 10
    look = "from streamvec.vectors import KeyedVectors; KeyedVectors.load(sys.argv[1]).most_similar(sys.argv[2])"
    modules = loaded_by(look, run, word + "s")
    assert "streamvec.vectors.ngramfile" in modules and not heavy(modules)
    similar = command("similarity", run, word, word + "s")
    assert similar.returncode == 0 and float(similar.stdout) > 0.3
    assert command("nn", run, "ЖЖЖЖ").returncode == 1
    lines = command("nn", run, "-n", "1", stdin=f"{word}\n{word}s\nЖЖЖЖ\n")
    assert lines.returncode == 0 and len(lines.stdout.splitlines()) == 4
    assert lines.stderr.count("note:") == 1 and lines.stderr.count("warning:") == 1
    solved = command("analogy", run, "king", "queen", word + "s")
    assert solved.returncode == 0 and "its n-grams stand for it" in solved.stderr

    exported = command("export", run, "-o", tmp_path / "words.vec")
    assert exported.returncode == 0 and "fasttext-vec" in exported.stdout and "n-grams stay behind" in exported.stderr
    copied = command("import", run, "-o", tmp_path / "copy.arrow")
    assert copied.returncode == 1 and "copy vectors.arrow and vectors.ngrams.arrow" in copied.stderr
    (tmp_path / "pairs.tsv").write_text(f"{word}\tqueen\t3\nking\t{word}s\t2\n", encoding="utf-8")
    judged = command("evaluate", run, "--similarity", tmp_path / "pairs.tsv", "--json")
    assert json.loads(judged.stdout)["missing"] == [word + "s"] and "left out: n-grams do not count" in judged.stderr
    again = streamvec.KeyedVectors.load(tmp_path / "words.vec")
    np.testing.assert_array_equal(again[word], streamvec.KeyedVectors.load(run)[word])

    checked = command("verify", run)
    assert checked.returncode == 0 and "vectors.ngrams.arrow" in checked.stdout
    told = json.loads(command("info", run, "--json").stdout)
    assert told["options"]["subwords"] == "3-6" and told["ngrams"].endswith("vectors.ngrams.arrow")
    grams = json.loads(command("info", run / "vectors.ngrams.arrow", "--json").stdout)
    assert (grams["what"], grams["minn"], grams["maxn"], grams["buckets"]) == ("n-grams", 3, 6, 5000)
    wrong = command("nn", run / "vectors.ngrams.arrow", word)
    assert wrong.returncode == 1 and "n-grams without their words: name vectors.arrow" in wrong.stderr

    content = bytearray((run / "vectors.ngrams.arrow").read_bytes())
    content[len(content) // 2] ^= 1
    (run / "vectors.ngrams.arrow").write_bytes(content)
    damaged = command("verify", run)
    assert damaged.returncode == 1 and "1 of" in damaged.stderr
    (run / "vectors.ngrams.arrow").unlink()
    assert command("verify", run).returncode == 1
    assert command("resume", run).returncode == 0
    assert command("verify", run).returncode == 0

    usage = command("train", "skipgram", corpus, "--out", tmp_path / "x", "--subwords", "3,6")
    assert usage.returncode == 2 and "like 3-6, got '3,6'" in usage.stderr
