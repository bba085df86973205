"""Outputs that score a sample of words: what is drawn, losses and gradients, what they estimate and leave alone."""

from functools import partial
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import naive_samples
import numpy as np
import pytest
from naive_recurrent import central_differences

import streamvec as sv
from streamvec.corpus.lanes import LaneBatch
from streamvec.disk.tensors import Tensors
from streamvec.errors import Interrupted
from streamvec.kernels.team import Team
from streamvec.models import exactsoftmax
from streamvec.models.head import Given
from streamvec.models.languagemodel import LanguageModel
from streamvec.models.lmconfig import LmConfig
from streamvec.models.sampledhead import SampledHead
from streamvec.models.sampler import Sampler
from streamvec.models.softmaxhead import SoftmaxHead
from streamvec.models.step import Position
from streamvec.training.checkpoint import ARRAYS

OUTPUTS = ["sampled", "nce"]
COLUMNS = 16


def zipf(words: int) -> np.ndarray:
    return (10_000 / np.arange(1, words + 1)).astype(np.int64)


def head_of(words: int, most: int, number: int, loss: str, power: float = 0.75, threads: int = 1) -> SimpleNamespace:
    """A head with random parameters, and what it is made of."""
    draw, counts = np.random.default_rng(words), zipf(words)
    sampler = Sampler(counts, power, number, seed=3)
    parameters = {
        "output": draw.normal(0, 0.5, (words, COLUMNS)).astype(np.float32),
        "output.b": draw.normal(0, 0.5, words).astype(np.float32),
    }
    head = SampledHead(words, COLUMNS, most, Team(threads), sampler, loss)
    hidden = draw.normal(0, 1, (most, COLUMNS)).astype(np.float32)
    targets = draw.choice(words, most, p=naive_samples.chances(counts, 1)).astype(np.int32)
    q = naive_samples.chances(counts, power)
    return SimpleNamespace(head=head, sampler=sampler, parameters=parameters, hidden=hidden, targets=targets, q=q)


def dense(head: SampledHead, name: str, shape: tuple[int, ...]) -> np.ndarray:
    """The gradients by all rows, of those that were met."""
    found = np.zeros((shape[0], int(np.prod(shape[1:]))))
    for ids, rows in head.met()[name]:
        np.add.at(found, ids, rows.astype(np.float64))
    return found.reshape(shape)


@pytest.mark.parametrize("power", [0.0, 0.75, 1.0])
def test_words_are_drawn_by_count_to_a_power(power: float) -> None:
    counts = np.array([1000, 400, 200, 90, 30, 10, 0, 1])
    sampler = Sampler(counts, power, 1000, seed=5)
    drawn = np.concatenate([sampler.draw(Position(batch // 50, batch % 50)) for batch in range(100)])
    expected = naive_samples.chances(counts, power)
    np.testing.assert_allclose(sampler.chances(), expected)
    found = np.bincount(drawn, minlength=len(counts))
    assert found.size == len(counts) and found.sum() == 100_000
    chi_square = ((found - 100_000 * expected) ** 2 / (100_000 * expected)).sum()
    assert chi_square < 24.3  # 7 degrees of freedom: more once in a thousand times


def test_draws_are_a_function_of_seed_and_position() -> None:
    def draw(seed: int, epoch: int, batch: int) -> list[int]:
        return Sampler(zipf(1000), 0.75, 64, seed).draw(Position(epoch, batch)).tolist()

    assert draw(1, 2, 3) == draw(1, 2, 3)
    assert len({tuple(draw(*place)) for place in [(1, 2, 3), (2, 2, 3), (1, 3, 3), (1, 2, 4), (1, 3, 2)]}) == 5
    longer = Sampler(zipf(1000), 0.75, 64, 1).draw(Position(0, 0)).tolist()
    assert longer != draw(1, 0, 1) and len(set(longer)) > 10


@pytest.mark.parametrize("loss", OUTPUTS)
@pytest.mark.parametrize("threads", [1, 3])
def test_loss_and_gradients_are_those_of_the_reference(loss: str, threads: int) -> None:
    made = head_of(words=170, most=70, number=500, loss=loss, threads=threads)
    head, position, scale = made.head, Position(1, 4), 0.25
    drawn = made.sampler.draw(position)
    assert 128 < len(set(drawn.tolist())) < 170  # several blocks, some words drawn twice and some not at all
    assert 0 < np.isin(made.targets, drawn).sum() < 70
    head.begin(made.targets, position)
    head._team.run(lambda thread: head.work(Given(made.parameters, {}, made.hidden, made.targets, scale), thread))

    wide = {name: array.astype(np.float64) for name, array in made.parameters.items()}
    hidden = made.hidden.astype(np.float64)

    # Gradients by rows and by hidden vectors: through the scores, of which there is one for each token and word.
    by_scores, losses = np.zeros((70, 170)), []
    for token in range(70):
        scores = wide["output"] @ hidden[token] + wide["output.b"]
        one = partial(naive_samples.LOSSES[loss], scores, made.targets[token], drawn, made.q)
        losses.append(one())
        by_scores[token] = scale * central_differences(one, scores)
    np.testing.assert_allclose(head.losses, losses, rtol=2e-5, atol=2e-5)
    np.testing.assert_allclose(dense(head, "output.b", (170,)), by_scores.sum(axis=0), atol=2e-5)
    np.testing.assert_allclose(dense(head, "output", (170, COLUMNS)), by_scores.T @ hidden, atol=3e-5)
    np.testing.assert_allclose(head.d_hidden(0, 70), by_scores @ wide["output"], atol=3e-5)
    head._team.close()


def full_gradient(made: SimpleNamespace, words: int) -> np.ndarray:
    """The gradient of a softmax over every word, by its rows."""
    head = SoftmaxHead(words, COLUMNS, len(made.targets), Team(1))
    gradients = {name: np.zeros_like(array) for name, array in made.parameters.items()}
    head.work(Given(made.parameters, gradients, made.hidden, made.targets, 1.0), 0)
    return gradients["output"]


def sampled_gradient(made: SimpleNamespace, words: int, batch: int) -> np.ndarray:
    made.head.begin(made.targets, Position(0, batch))
    made.head.work(Given(made.parameters, {}, made.hidden, made.targets, 1.0), 0)
    return dense(made.head, "output", (words, COLUMNS))


def test_with_all_words_among_the_samples_it_is_the_full_softmax() -> None:
    made = head_of(words=30, most=50, number=3000, loss="sampled", power=0.3)
    assert len(set(made.sampler.draw(Position(0, 0)).tolist())) == 30
    np.testing.assert_allclose(sampled_gradient(made, 30, 0), full_gradient(made, 30), atol=5e-5)


def test_the_gradient_comes_nearer_to_that_of_the_full_softmax_with_more_samples() -> None:
    distances = []
    for number in (20, 80, 320, 1280):
        made = head_of(words=200, most=100, number=number, loss="sampled")
        expected = full_gradient(made, 200)
        mean = np.mean([sampled_gradient(made, 200, batch) for batch in range(60)], axis=0)
        distances.append(float(np.linalg.norm(mean - expected) / np.linalg.norm(expected)))
    assert all(later < 0.7 * earlier for earlier, later in pairwise(distances)), distances
    assert distances[-1] < 0.03


@pytest.mark.parametrize("loss", OUTPUTS)
def test_a_model_that_is_right_is_left_alone_in_expectation(loss: str) -> None:
    """Where targets come as the model says, gradients of all words are zero on average; where not, they are not."""
    words, tokens, steps = 40, 500, 400
    draw, made = np.random.default_rng(1), head_of(40, 500, number=60, loss=loss)
    made.parameters["output"][:] = 0
    bias = made.parameters["output.b"]
    chance = np.exp(bias) / np.exp(bias).sum()
    bias -= np.float32(np.log(np.exp(bias).mean()))  # to V on the whole, as noise contrast wants it

    def standings(chance: np.ndarray) -> np.ndarray:
        """Of each word's mean gradient, in standard errors."""
        found = []
        for step in range(steps):
            targets = draw.choice(words, tokens, p=chance).astype(np.int32)
            made.head.begin(targets, Position(0, step))
            made.head.work(Given(made.parameters, {}, made.hidden, targets, 1.0), 0)
            found.append(dense(made.head, "output.b", (words,)))
        return np.mean(found, axis=0) / (np.std(found, axis=0) / np.sqrt(steps))

    assert np.abs(standings(chance)).max() < 4.5
    wrong = chance.copy()
    wrong[[3, 4]] *= [2, 0.5]
    off = standings(wrong / wrong.sum())
    assert np.abs(off[[3, 4]]).min() > 10


def test_a_number_that_is_none_is_not_lost() -> None:
    for loss in OUTPUTS:
        made = head_of(words=50, most=10, number=20, loss=loss)
        made.hidden[4, 2] = np.nan
        sampled_gradient(made, 50, 0)
        assert np.isnan(made.head.losses).tolist() == [number == 4 for number in range(10)]


def batch_of(words: int, steps: int, lanes: int, seed: int, begins: bool = True) -> LaneBatch:
    draw, chance = np.random.default_rng(seed), naive_samples.chances(zipf(words), 1)
    tokens = draw.choice(words, (steps + 1, lanes), p=chance).astype(np.int32)
    return LaneBatch(tokens[:-1], tokens[1:], begins)


def model_of(words: int, threads: int = 1, **options: Any) -> LanguageModel:
    chosen = {"hidden": 20, "layers": 1, "batch": 18, "bptt": 5, "samples": 300, "output": "sampled"} | options
    return LanguageModel(LmConfig(**chosen), words, 10, threads, counts=zipf(words))


@pytest.mark.parametrize(("output", "tied"), [("sampled", False), ("sampled", True), ("nce", False), ("nce", True)])
@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_same_bytes_on_any_number_of_threads(output: str, tied: bool, optimizer: str) -> None:
    found = []
    for threads in (1, 2, 3):
        model = model_of(700, threads, output=output, tied=tied, optimizer=optimizer, dropout=0.1)
        losses = [model.step(batch_of(700, 5, 18, step), Position(0, step)).loss for step in range(3)]
        exact = model.loss([batch_of(700, 5, 18, 9)])
        found.append((losses, exact, {name: array.tobytes() for name, array in model.arrays.items()}))
        model.close()
    assert found[0] == found[1] == found[2]


@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "adagrad", "adam"])
def test_only_rows_that_were_met_change(optimizer: str, tied: bool) -> None:
    model = model_of(3000, optimizer=optimizer, tied=tied, samples=50)
    batch = batch_of(3000, 5, 18, 1)
    model.step(batch_of(3000, 5, 18, 0), Position(0, 0))  # sums are not zero any more
    before = {name: array.copy() for name, array in model.arrays.items()}
    model.step(batch, Position(0, 1))
    scored = set(Sampler(zipf(3000), 1.0, 50, 1).draw(Position(0, 1)).tolist()) | set(batch.targets.ravel().tolist())
    read = set(batch.inputs.ravel().tolist())
    expected = {"embedding": read | scored if tied else read, "output.b": scored}
    expected |= {} if tied else {"output": scored}
    checked = 0
    for name, array in model.arrays.items():
        parameter = name if name in expected else name.rpartition(".")[0]
        if parameter in expected:
            same = (array == before[name]).reshape(3000, -1).all(axis=1)
            assert set(np.flatnonzero(~same).tolist()) == expected[parameter], name
            checked += 1
    sums = {"sgd": 0, "momentum": 1, "adagrad": 1, "adam": 2}[optimizer]
    assert checked == len(expected) * (1 + sums)


@pytest.mark.parametrize("output", OUTPUTS)
@pytest.mark.parametrize("tied", [False, True])
def test_what_is_measured_is_exact(output: str, tied: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exactsoftmax, "_ROOM", 8 * 3 * 20)  # 1,100 words are 3 blocks: 20 tokens are scored at once
    for threads in (1, 2):
        model = model_of(1100, threads, output=output, tied=tied)
        for step in range(3):
            model.step(batch_of(1100, 5, 18, step), Position(0, step))
        assert len(model._head._exact._scores[0]) == 20
        plain = model_of(1100, output="softmax", tied=tied)
        for name, array in plain.parameters.items():
            array[:] = model.parameters[name]
        batches = [batch_of(1100, 5, 18, 7), batch_of(1100, 3, 18, 8, begins=False)]
        expected = plain.loss(batches)
        assert expected[1] == 18 * 8 and 0.8 < expected[0] / expected[1] / np.log(1100) < 1.2
        reader = model.reader(18)
        for measured in (model, reader):
            found = measured.loss(batches)
            assert found[1] == expected[1] and found[0] == pytest.approx(expected[0], rel=1e-6)
        one = model.reader(1, 1)
        one.forget()
        assert np.exp(one.read(5)).sum() == pytest.approx(1)
        for used in (one, reader, plain, model):
            used.close()


@pytest.mark.parametrize("output", OUTPUTS)
@pytest.mark.parametrize("samples", [30, 1000])
def test_the_loss_at_chance_is_that_of_scores_of_zero(output: str, samples: int) -> None:
    made = head_of(words=500, most=400, number=samples, loss=output, power=1.0)
    for array in made.parameters.values():
        array[:] = 0
    losses = []
    for step in range(20):
        made.targets[:] = np.random.default_rng(step).choice(500, 400, p=made.q)
        sampled_gradient(made, 500, step)
        losses.append(made.head.losses.mean())
    assert np.mean(losses) == pytest.approx(made.head.loss_at_chance, rel=0.03)


def test_what_cannot_be_right_is_refused() -> None:
    for name, value in (("samples", 0), ("noise_power", -0.1), ("noise_power", float("inf"))):
        with pytest.raises(ValueError, match=rf"{name} must be at least .*, got {value}"):
            LmConfig(**{name: value})
    with pytest.raises(ValueError, match="counts must be those of 50 words with the output nce"):
        LanguageModel(LmConfig(output="nce"), 50, 1)
    with pytest.raises(ValueError, match="freeze must be off"):
        LmConfig(tied=True, freeze=True)


OPTIONS = {"hidden": 12, "dim": 8, "layers": 1, "batch": 4, "bptt": 6, "epochs": 2, "min_count": 2, "threads": 1}
SMALL = OPTIONS | {"samples": 20, "optimizer": "adam"}


@pytest.fixture(scope="module")
def text(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("text") / "text.txt"
    path.write_text("\n".join(corpus.read_text().splitlines()[:120]) + "\n")
    return path


@pytest.fixture(scope="module")
def some_vectors(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("vectors") / "v.txt"
    rows = np.random.default_rng(3).normal(0, 1, (4, 8)).astype(np.float32)
    path.write_text(
        "".join(f"{word} {' '.join(map(repr, row.tolist()))}\n" for word, row in zip(KNOWN, rows, strict=True))
    )
    return path


KNOWN = ["river", "queen", "the", "nowhere"]


def arrays_of(run: Path) -> dict[str, bytes]:
    newest = max(path for path in (run / "checkpoints").iterdir())
    with Tensors(newest / ARRAYS) as tensors:
        found = {
            name: np.empty(tensors.shape(name), np.uint8 if name == "frozen" else np.float32)
            for name in tensors.names()
        }
        for name, array in found.items():
            tensors.fill(name, array)
    return {name: array.tobytes() for name, array in found.items()}


@pytest.mark.parametrize(
    "more", [{"output": "sampled", "freeze": True}, {"output": "nce"}, {"output": "nce", "tied": True}]
)
def test_stopped_and_gone_on_with_it_is_the_same(
    text: Path, some_vectors: Path, tmp_path: Path, more: dict[str, Any]
) -> None:
    options = (
        SMALL | more | ({"vectors": some_vectors} if "freeze" in more else {}) | ({"dim": 12} if "tied" in more else {})
    )
    sv.train_lm(text, tmp_path / "whole", **options)
    stops = iter([False] * 50 + [True] * 1000)
    run = tmp_path / "run"

    def stop() -> bool:
        return (
            (run / "checkpoints").exists() is ("freeze" in more)
            and (run / "shards" / "index.json").exists()
            and next(stops)
        )

    with pytest.raises(Interrupted):
        sv.train_lm(text, run, stop=stop, **options)
    (left,) = [path.name for path in (run / "checkpoints").iterdir() if path.name != "0000-000000000"]
    assert left not in ("0000-000000000", "0002-000000000")
    sv.resume(run, threads=3)
    assert (run / "vectors.arrow").read_bytes() == (tmp_path / "whole" / "vectors.arrow").read_bytes()
    assert arrays_of(run) == arrays_of(tmp_path / "whole")


@pytest.mark.parametrize("output", ["softmax", "sampled"])
def test_frozen_vectors_stay_as_they_are(text: Path, some_vectors: Path, tmp_path: Path, output: str) -> None:
    given = sv.KeyedVectors.load(some_vectors)
    trained = sv.train_lm(text, tmp_path / "frozen", vectors=some_vectors, freeze=True, output=output, **SMALL)
    free = sv.train_lm(text, tmp_path / "free", vectors=some_vectors, output=output, **SMALL)
    start = sv.train_lm(text, tmp_path / "start", vectors=some_vectors, **SMALL | {"learning_rate": 1e-9})
    for word in trained.words:
        if word in KNOWN:
            assert (trained[word] == given[word]).all() and (free[word] != given[word]).any()
        elif word != "<unk>":  # which may not be met
            assert np.abs(trained[word] - start[word]).max() > 1e-3


def test_freeze_without_vectors_or_tied_is_wrong_usage(text: Path, tmp_path: Path, streamvec: Any) -> None:
    ended = streamvec("train", "lm", text, "--out", tmp_path / "run", "--freeze")
    assert ended.returncode == 2 and "freeze needs vectors" in ended.stderr
    ended = streamvec("train", "lm", text, "--out", tmp_path / "run", "--freeze", "--tied", "--vectors", "v.txt")
    assert ended.returncode == 2 and "freeze must be off" in ended.stderr
    assert not (tmp_path / "run").exists()


def test_a_step_without_a_position_has_the_samples_of_the_first() -> None:
    made = head_of(words=170, most=70, number=50, loss="sampled")
    first = sampled_gradient(made, 170, 0)
    assert (sampled_gradient(made, 170, 1) != first).any()
    made.head.begin(made.targets)
    made.head.work(Given(made.parameters, {}, made.hidden, made.targets, 1.0), 0)
    assert (dense(made.head, "output", (170, COLUMNS)) == first).all()
