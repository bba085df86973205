"""Lanes: what is combined, how, and when; that a result depends on how many there are, and on nothing else."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from conftest import TOPICS, topics_file

import streamvec
from streamvec.corpus import shards
from streamvec.errors import Interrupted
from streamvec.kernels.replicas import combine
from streamvec.models.replica import OCCURRENCES, PARTS, ROUNDS, STEPS, Timetable, rounds_of
from streamvec.models.replicas import InSteps, Replicas
from streamvec.models.skipgram import SkipGram
from streamvec.models.step import Position
from streamvec.models.wordconfig import SkipGramConfig
from streamvec.training.info import info

OPTIONS: dict[str, Any] = {"dim": 40, "min_count": 1, "sample": 0, "epochs": 2, "seed": 5}


def combined(changes: np.ndarray) -> np.ndarray:
    """The same in plain Python, in float64."""
    rows = [list(lane.astype(np.float64)) for lane in changes]
    apart = 1
    while apart < len(rows):
        for lane in range(0, len(rows) - apart, 2 * apart):
            for row, (a, b) in enumerate(zip(rows[lane], rows[lane + apart], strict=True)):
                share_a = 1 - a @ b / (2 * a @ a) if a.any() else 1
                share_b = 1 - a @ b / (2 * b @ b) if b.any() else 1
                rows[lane][row] = share_a * a + share_b * b
        apart *= 2
    return np.array(rows[0])


@pytest.mark.parametrize("lanes", [1, 2, 3, 4, 7, 8])
def test_changes_are_combined_as_in_plain_python(lanes: int) -> None:
    random = np.random.default_rng(lanes)
    changes = random.normal(size=(lanes, 9, 32)).astype(np.float32)
    changes[0, 3] = 0  # a lane that did not touch a row
    changes[:, 4] = 0  # no lane did
    changes[:, 5] = changes[0, 5]
    expected = combined(changes)
    single = changes[0, 5].copy()
    combine(changes, 0, 9)
    np.testing.assert_allclose(changes[0], expected, rtol=2e-5, atol=1e-6)
    np.testing.assert_allclose(changes[0, 5], single, rtol=1e-5)  # all found the same: once is enough


def test_orthogonal_changes_are_added_up() -> None:
    changes = np.zeros((2, 1, 16), np.float32)
    changes[0, 0, 3], changes[1, 0, 7] = 2, 5
    combine(changes, 0, 1)
    assert changes[0, 0, [3, 7]].tolist() == [2, 5]


def test_frequent_rows_are_due_often_and_rare_ones_at_the_end() -> None:
    part = shards.BATCH_TOKENS // PARTS
    often = np.array([2.0 * OCCURRENCES, 0.6 * OCCURRENCES, 0.3 * OCCURRENCES, 0.01])  # a part
    table = Timetable.of({"inputs": often}, part, ROUNDS)
    rows = [table.after(number) for number in range(1, ROUNDS * PARTS + 1)]
    times = [sum(due is None or row in due["inputs"] for due in rows) for row in range(4)]
    assert times == [ROUNDS * PARTS, ROUNDS * PARTS // 2, ROUNDS * PARTS // 4, 1] and rows[-1] is None


@pytest.mark.parametrize(("batches", "lanes"), [(1, 4), (260, 4), (2000, 4), (10**6, 8), (511, 1)])
def test_steps_are_many_and_not_too_long(batches: int, lanes: int) -> None:
    rounds = rounds_of(batches, lanes)
    assert 1 <= rounds <= ROUNDS and rounds & (rounds - 1) == 0
    assert rounds == 1 or batches // (lanes * rounds) >= STEPS


def text_batch(seed: int) -> shards.TokenBatch:
    values = np.random.default_rng(seed).integers(0, 30, 3000).astype(np.int32)
    return shards.TokenBatch(values, np.array([0, 1000, 3000], np.int32))


def test_lanes_agree_after_each_step_and_one_alone_would_have_done_so_much() -> None:
    counts = np.full(30, 400)
    config = SkipGramConfig(dim=24, lanes=3, epochs=1)
    laned = Replicas.here(config, counts, 5, 1)
    batches = [text_batch(seed) for seed in range(5)]
    source = SimpleNamespace(batches=5, batch=lambda number: batches[number])
    results = [laned.step(InSteps(source, 3).at(0, number), Position(0, number)) for number in range(2)]
    alone = SkipGram(SkipGramConfig(dim=24, epochs=1), counts, 5)
    single = [alone.step(batch, Position(0, number)) for number, batch in enumerate(batches)]
    assert sum(result.examples for result in results) == sum(result.examples for result in single)
    assert sum(result.tokens for result in results) == 15_000
    first, *others = [worker.held for worker in laned._workers]
    for lane in others:
        assert np.array_equal(lane.vectors(0, 30), first.vectors(0, 30))
    similar = np.corrcoef(first.vectors(0, 30).ravel(), alone.vectors(0, 30).ravel())[0, 1]
    assert similar > 0.9


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return topics_file(tmp_path_factory.mktemp("text") / "text.txt", 20_000)


@pytest.mark.parametrize(
    ("kind", "more"),
    [("skipgram", {}), ("cbow", {"objective": "hs"}), ("skipgram", {"subwords": "3-3", "buckets": 200, "dim": 20})],
)
def test_threads_and_stops_change_no_byte_and_lanes_do(text: Path, tmp_path: Path, kind: str, more: dict) -> None:
    train = getattr(streamvec, f"train_{kind}")
    options = {**OPTIONS, **more, "lanes": 2}
    train(text, tmp_path / "one", threads=1, **options)
    train(text, tmp_path / "two", threads=2, **options)
    stops = iter([False, False, True])
    with pytest.raises(Interrupted):
        train(tmp_path / "one", tmp_path / "stopped", stop=lambda: next(stops, True), **options)
    assert info(tmp_path / "stopped")["progress"] == 0.5  # of two epochs of three steps
    streamvec.resume(tmp_path / "stopped", threads=1)
    train(text, tmp_path / "alone", **{**options, "lanes": 1})
    found = {name: (tmp_path / name / "vectors.arrow").read_bytes() for name in ("one", "two", "stopped")}
    matrix = streamvec.KeyedVectors.load(tmp_path / "one")[TOPICS[0][0]]
    assert found["one"] == found["two"] == found["stopped"]
    assert not np.array_equal(matrix, streamvec.KeyedVectors.load(tmp_path / "alone")[TOPICS[0][0]])


def test_neighbours_are_of_the_same_topic(text: Path, tmp_path: Path) -> None:
    trained = streamvec.train_skipgram(text, tmp_path / "run", lanes=4, **{**OPTIONS, "epochs": 5})
    for topic, other in (TOPICS, TOPICS[::-1]):
        for word in topic[:4]:
            near = [found for found, _ in trained.most_similar(word, topn=3)]
            assert not set(near) & set(other), (word, near)


@pytest.mark.parametrize("options", [{"objective": "softmax"}, {"mode": "hogwild"}])
def test_what_cannot_be_laned_is_refused(options: dict) -> None:
    with pytest.raises(ValueError, match="lanes need objective ns or hs and mode exact"):
        SkipGramConfig(lanes=2, **options)
