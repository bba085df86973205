"""The skip-gram kernels against plain Python, and the promise of the same bytes on any number of threads."""

import hashlib
import os
import platform
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import naive
import numpy as np
import pytest
from scipy.stats import chi2

from streamvec.corpus.shards import TokenBatch
from streamvec.errors import StreamvecError
from streamvec.kernels import batches, random
from streamvec.kernels.alias import alias_table
from streamvec.kernels.exchange import NOBODY
from streamvec.kernels.huffman import huffman_paths
from streamvec.models.skipgram import SkipGram
from streamvec.models.step import Position
from streamvec.models.wordconfig import CbowConfig, SkipGramConfig


def some_batch(words: int, tokens: int, seed: int = 0) -> TokenBatch:
    """Zipfian documents of uneven lengths, some of one word, one with a word many times over."""
    rng = np.random.default_rng(seed)
    values = np.minimum(rng.zipf(1.3, tokens) - 1, words - 1).astype(np.int32)
    values[tokens // 2 : tokens // 2 + 20] = 1
    cuts = np.unique(np.concatenate([[0, 1, 2, tokens], rng.integers(0, tokens, tokens // 30)]))
    values.setflags(write=False)
    return TokenBatch(values, cuts.astype(np.int32))


def counts_of(words: int) -> np.ndarray:
    return (10_000 / np.arange(1, words + 1)).astype(np.int64) + 5


def matrix(model: SkipGram, name: str) -> np.ndarray:
    parts = [part for _, part in model.slices(name)]
    return np.concatenate(parts, axis=1)


KINDS = [SkipGramConfig, CbowConfig]
OBJECTIVES = ["ns", "hs"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize(
    ("dim", "window", "negative", "batch"),
    [(10, 2, 3, 8), (100, 5, 5, 64), (300, 3, 5, 256), (33, 4, 13, 32), (16, 1, 1, 1), (40, 8, 6, 16)],
)
def test_step_does_what_plain_python_does(kind, objective, dim, window, negative, batch):
    rates = {"learning_rate": 0.02, "final_learning_rate": 0.02}
    config = kind(dim=dim, window=window, negative=negative, batch=batch, sample=1e-2, objective=objective, **rates)
    counts = counts_of(50)
    model = SkipGram(config, counts, steps=1)
    rng = np.random.default_rng(3)
    for name in ("inputs", "outputs"):
        for column, part in model.slices(name):
            wanted = max(0, min(part.shape[1], dim - column))
            part[:-1, :wanted] = rng.normal(0, 0.3, (50, wanted))
    inputs, outputs = matrix(model, "inputs").astype(np.float64), matrix(model, "outputs").astype(np.float64)
    tokens = some_batch(50, 400)
    result = model.step(tokens, Position(2, 7))

    place = 7 << 16
    documents = [tokens.values[a:b] for a, b in pairwise(tokens.offsets)]
    keys = [naive.stream(config.seed, 3, purpose) for purpose in (naive.KEEP, naive.WINDOW, naive.NOISE)]
    starts, nodes = huffman_paths(counts)
    paths = [nodes[a:b] for a, b in pairwise(starts)]
    centers = []
    for document in naive.kept_tokens(documents, place, model._keep, keys[0]):
        for i, (token, token_place) in enumerate(document):
            if objective == "ns":
                targets = naive.noise_targets(token, token_place, negative, model._targets.table, keys[2])
            else:
                path = paths[token]
                targets = [(int(node) >> 1, int(node) & 1, n) for n, node in enumerate(path)]
            centers.append((naive.window_of(document, i, window, keys[1]), targets))
    starts = np.flatnonzero(model._step.starts[: len(centers)])
    assert np.diff([*starts, len(centers)]).max() <= batch
    losses = []
    for first, last in zip(starts, [*starts[1:], len(centers)], strict=True):
        together = 10 if config.target_blocks > 1 else None
        losses += naive.train_batch(inputs, outputs, centers[first:last], np.float32(0.02), config.averaged, together)
    assert result.tokens == 400
    assert result.examples == sum(min(len(c), 1) if config.averaged else len(c) for c, _ in centers)
    assert result.loss == pytest.approx(sum(losses), rel=1e-5)
    np.testing.assert_allclose(matrix(model, "inputs"), inputs, atol=2e-5)
    np.testing.assert_allclose(matrix(model, "outputs"), outputs, atol=2e-5)


@pytest.mark.parametrize(("averaged", "together"), [(False, None), (False, 2), (True, None)])
@pytest.mark.parametrize("targets", [[(2, 1, 0), (4, 0, 1), (5, 0, 2)], [(0, 1, 0), (3, 0, 1), (1, 1, 2), (5, 1, 3)]])
def test_update_is_the_gradient_of_the_loss(averaged, together, targets):
    """Batches of one center: the change of each row is -rate times the loss's gradient, by central differences."""
    rng = np.random.default_rng(0)
    inputs, outputs = rng.normal(0, 0.5, (6, 4)), rng.normal(0, 0.5, (6, 4))
    contexts, rate = [1, 3, 4], 1e-6
    slopes = naive.gradients(lambda *moved: naive.loss(*moved, contexts, targets, averaged), [inputs, outputs])
    changed = [inputs.copy(), outputs.copy()]
    naive.train_batch(*changed, [(contexts, targets)], rate, averaged, together)
    for after, before, slope in zip(changed, [inputs, outputs], slopes, strict=True):
        np.testing.assert_allclose((before - after) / rate, slope, atol=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_a_long_step_measures_the_loss_of_every_eighth_center(kind):
    config = kind(dim=16, sample=0, learning_rate=1e-9, final_learning_rate=0)
    model = SkipGram(config, counts_of(50), steps=1)
    part = model.arrays["outputs"]
    part[: -16 * 2] = np.random.default_rng(0).normal(0, 0.5, part.size - 32)
    batch = some_batch(50, 40_000)
    result, losses = model.step(batch, Position(0, 0)), model._step.losses[:40_000].copy()
    kept = model._draw(batch, 1, 0, held_out=False)
    batches.measure(*model._rows(0), model._step, model._scratch[0], kept, NOBODY)
    assert kept == 40_000 and not losses.reshape(-1, 8)[:, 1:].any()
    np.testing.assert_allclose(losses[::8], model._step.losses[:40_000:8], rtol=1e-4)
    assert result.loss == pytest.approx(losses.sum(dtype=np.float64), rel=1e-6)
    pairs = (model._step.left + model._step.right)[:40_000:8]
    assert result.examples == (np.count_nonzero(pairs) if config.averaged else pairs.sum())


@pytest.mark.parametrize("words", [2, 3, 10, 200])
def test_huffman_paths_are_as_short_as_they_can_be_and_tell_words_apart(words):
    rng = np.random.default_rng(words)
    counts = np.sort(rng.zipf(1.5, words))[::-1].astype(np.int64)
    starts, nodes = huffman_paths(counts)
    paths = [[int(node) for node in nodes[a:b]] for a, b in pairwise(starts)]
    best = naive.huffman_codes(counts)
    assert sum(counts * [len(path) for path in paths]) == sum(counts * [len(best[n]) for n in range(words)])
    assert all(path[0] >> 1 == 0 for path in paths)
    assert len({tuple(path) for path in paths}) == words
    labels = {}
    for path in paths:  # a node and a turn lead to one node only, or to one word
        for here, after in zip(path, [*path[1:], tuple(path)], strict=True):
            labels.setdefault(here, set()).add(after >> 1 if isinstance(after, int) else after)
    assert len(labels) == 2 * (words - 1) and all(len(after) == 1 for after in labels.values())


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("reach", "sides"), [("fixed", "both"), ("fixed", "left"), ("dynamic", "right")])
def test_windows_of_every_shape(kind, reach, sides):
    model = SkipGram(kind(dim=8, window=3, sample=0, reach=reach, sides=sides), np.array([100] * 9), steps=1)
    batch = TokenBatch(np.arange(9, dtype=np.int32), np.array([0, 9], np.int32))
    assert model._draw(batch, 1, 0, held_out=False) == 9
    left, right = model._step.left[:9], model._step.right[:9]
    if sides == "left":
        assert not right.any() and left.tolist() == [0, 1, 2, 3, 3, 3, 3, 3, 3]
    elif sides == "right":
        assert not left.any() and right.max() <= 3 and right[:6].min() >= 1 and right[8] == 0
    else:
        assert left.tolist() == [0, 1, 2, 3, 3, 3, 3, 3, 3] and right.tolist() == [3, 3, 3, 3, 3, 3, 2, 1, 0]


@pytest.mark.parametrize("dim", [16, 40, 100, 300])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("options", [{"negative": 5}, {"negative": 8}, {"objective": "hs"}])
def test_same_bytes_on_any_number_of_threads(kind, dim, options):
    config = kind(dim=dim, batch=64, **options)
    found = set()
    for threads in (1, 2, 3, 4, 7):
        model = SkipGram(config, counts_of(300), steps=4, threads=threads)
        losses = [model.step(some_batch(300, 5000, n), Position(0, n)).loss for n in range(4)]
        found.add((model.arrays["inputs"].tobytes(), model.arrays["outputs"].tobytes(), *losses))
        model.close()
    assert len(found) == 1


def digest_of_a_few_steps() -> str:
    digest = hashlib.sha256()
    for dim, negative in ((100, 5), (300, 8)):
        model = SkipGram(SkipGramConfig(dim=dim, negative=negative), counts_of(300), steps=3)
        for n in range(3):
            digest.update(repr(model.step(some_batch(300, 3000, n), Position(0, n))).encode())
        for array in model.arrays.values():
            digest.update(array.tobytes())
    return digest.hexdigest()


@pytest.mark.skipif(platform.machine() != "x86_64", reason="compiles for another processor of the x86-64 family")
def test_same_bytes_on_a_processor_with_narrower_registers(tmp_path):
    """Lanes and the order of sums are fixed, so that AVX-512, AVX2 or less change the speed and nothing else."""
    code = "import test_skipgram; print(test_skipgram.digest_of_a_few_steps())"
    narrow = {
        "NUMBA_CPU_NAME": "x86-64-v3",
        "NUMBA_CPU_FEATURES": "+avx,+avx2,+fma,+sse4.2,+bmi,+bmi2,+f16c,+popcnt",
        "NUMBA_CACHE_DIR": str(tmp_path),
        "PYTHONPATH": str(Path(__file__).parent),
    }
    found = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | narrow, check=True, capture_output=True, text=True
    )
    assert found.stdout.strip() == digest_of_a_few_steps()


@pytest.mark.parametrize("threads", [1, 2])
def test_hogwild_learns_as_exact_does(threads):
    batches = [some_batch(300, 3000, n) for n in range(10)]
    counts = np.bincount(np.concatenate([b.values for b in batches]), minlength=300) + 1
    order = np.argsort(-counts, kind="stable")
    rank = np.empty_like(order)
    rank[order] = np.arange(300)
    batches = [TokenBatch(rank[b.values].astype(np.int32), b.offsets) for b in batches]
    losses = {}
    for mode in ("exact", "hogwild"):
        config = SkipGramConfig(dim=24, mode=mode, batch=32, sample=1e-2)
        model = SkipGram(config, counts[order], steps=200, threads=threads)
        results = [model.step(batches[n % 10], Position(n // 40, n % 40)) for n in range(200)]
        losses[mode] = sum(r.loss for r in results[-20:]) / sum(r.examples for r in results[-20:])
        assert losses[mode] < results[0].loss / results[0].examples - 0.3
        model.close()
    assert losses["hogwild"] == pytest.approx(losses["exact"], rel=0.02)


@pytest.mark.parametrize("words", [2, 5, 50, 800])
def test_text_full_of_few_words_does_not_diverge(words):
    """Half of all tokens one word, no subsampling: rows must stay finite, however badly this is learnt."""
    model = SkipGram(SkipGramConfig(dim=32, sample=0), np.full(words, 1000, np.int64), steps=300)
    for n in range(30):
        result = model.step(some_batch(words, 20_000, n), Position(0, n))
    assert np.isfinite(result.loss) and model.not_finite() is None
    assert np.abs(model.arrays["inputs"]).max() < 100


def test_one_word_alone_trains_without_noise():
    model = SkipGram(SkipGramConfig(dim=8), np.array([100]), steps=1)
    result = model.step(TokenBatch(np.zeros(50, np.int32), np.array([0, 50], np.int32)), Position(0, 0))
    assert np.isfinite(result.loss) and result.examples > 0
    with pytest.raises(StreamvecError, match="two words"):
        SkipGram(SkipGramConfig(objective="hs"), np.array([100]), steps=1)


def test_held_out_documents_are_never_trained_on():
    counts = counts_of(40)
    config = SkipGramConfig(dim=8, holdout=0.5, sample=0)
    model = SkipGram(config, counts, steps=1)
    tokens = some_batch(40, 2000)
    trained = model._draw(tokens, 1, 0, held_out=False)
    held_out = model._draw(tokens, 1, 0, held_out=True)
    assert trained + held_out == 2000
    assert 300 < held_out < 1700
    before = model.arrays["inputs"].copy()
    loss = model.held_out_loss([(0, tokens)])
    pairs = (model._step.left + model._step.right)[:held_out]  # all scores are 0: log 2 for each target that is one
    targets = (model._step.targets[:held_out, 0] != 2 * 40).sum(axis=1)
    assert loss == pytest.approx(np.log(2) * (pairs * targets).sum() / pairs.sum(), rel=1e-6)
    np.testing.assert_array_equal(before, model.arrays["inputs"])
    assert model.held_out_loss([]) is None


def test_vectors_are_the_rows_of_inputs():
    model = SkipGram(SkipGramConfig(dim=300), counts_of(20), steps=1)
    rows = model.vectors(3, 7)
    assert rows.shape == (4, 300) and rows.dtype == np.float32
    np.testing.assert_array_equal(rows, matrix(model, "inputs")[3:7, :300])
    assert 0 < np.abs(rows).max() <= 0.5 / 300


@pytest.mark.parametrize("dim", [3, 16, 40, 270])
def test_rows_that_are_set_are_those_and_no_others(dim):
    model = SkipGram(SkipGramConfig(dim=dim), np.array([5, 4, 3, 2, 1]), steps=1)
    before, outputs = model.vectors(0, 5), model.arrays["outputs"].copy()
    rows = np.arange(2 * dim, dtype=np.float32).reshape(2, dim) + 1
    model.set_rows("inputs", np.array([3, 1]), rows)
    expected = before.copy()
    expected[[3, 1]] = rows
    assert (model.vectors(0, 5) == expected).all() and (model.arrays["outputs"] == outputs).all()
    model.set_rows("outputs", np.array([4, 0]), rows)
    assert model.arrays["outputs"].sum(dtype=np.float64) == rows.sum(dtype=np.float64)
    assert all(not part[-1].any() for name in model.arrays for _, part in model.slices(name))


def test_not_finite_names_the_array():
    model = SkipGram(SkipGramConfig(dim=8), counts_of(20), steps=1)
    assert model.not_finite() is None
    model.arrays["outputs"][5] = np.inf
    assert model.not_finite() == "outputs"


def _agrees(observed: np.ndarray, expected: np.ndarray) -> bool:
    statistic = ((observed - expected) ** 2 / expected).sum()
    return statistic < chi2.ppf(0.9999, len(expected) - 1)


def test_noise_words_follow_their_distribution():
    counts = counts_of(60)
    share = counts**0.75 / (counts**0.75).sum()
    table = alias_table(counts.astype(np.float64) ** 0.75)
    key, draws = int(random.stream(5, 1, random.NOISE)), 100_000
    observed = np.zeros(60)
    for place in range(draws):
        word = int(random.bits(np.uint64(key), place))
        row = naive.below(word, 60)
        entry = int(table[row])
        observed[row if word & 0xFFFFFFFF < entry >> 32 else entry & 0xFFFFFFFF] += 1
    assert _agrees(observed, share * draws)


def test_windows_reach_every_distance_equally_often():
    model = SkipGram(SkipGramConfig(dim=8, window=5, sample=0), np.array([100] * 50), steps=1)
    rng = np.random.default_rng(0)
    batch = TokenBatch(rng.integers(0, 50, 60_000).astype(np.int32), np.array([0, 60_000], np.int32))
    kept = model._draw(batch, 1, 0, held_out=False)
    reach = model._step.left[5 : kept - 5]
    assert _agrees(np.bincount(reach, minlength=6)[1:], np.full(5, len(reach) / 5))


def test_subsampling_keeps_words_as_often_as_the_formula_says():
    counts = np.array([50_000, 5_000, 500])
    model = SkipGram(SkipGramConfig(dim=8, sample=1e-2), counts, steps=1)
    rng = np.random.default_rng(0)
    values = rng.integers(0, 3, 60_000).astype(np.int32)
    kept = model._draw(TokenBatch(values, np.array([0, 60_000], np.int32)), 1, 0, held_out=False)
    ratio = 1e-2 * counts.sum() / counts
    expected = np.bincount(values) * np.minimum(1, np.sqrt(ratio) + ratio)
    observed = np.bincount(model._step.tokens[:kept])
    np.testing.assert_allclose(observed, expected, rtol=0.03)


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("window", 0, "window must be at least 1, got 0"),
        ("sample", -1.0, "sample must be at least 0"),
        ("learning_rate", 0.0, "learning_rate must be above 0"),
        ("final_learning_rate", 1.0, "at most learning_rate"),
        ("holdout", 1.0, "below 1"),
        ("seed", -1, "seed must be at least 0"),
        ("mode", "fast", "exact or hogwild"),
    ],
)
def test_config_refuses_what_can_never_be_right(option, value, message):
    with pytest.raises(ValueError, match=message):
        SkipGramConfig(**{option: value})
