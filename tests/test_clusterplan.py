"""Plans for the nodes of a cluster: what is told of bytes against what lanes send, and what more nodes change."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from planning import cli, zipf_text

from streamvec.corpus.shards import BATCH_TOKENS, TokenBatch
from streamvec.corpus.vocabulary import word_bytes
from streamvec.models.replicas import InSteps, Replicas
from streamvec.models.step import Position
from streamvec.models.subwords import ngrams_of
from streamvec.models.wordconfig import SkipGramConfig
from streamvec.training.clusterplan import Machines
from streamvec.training.lanetraffic import Met, lane_traffic
from streamvec.training.plan import plan_training
from streamvec.training.planned import Plan

pytestmark = pytest.mark.usefixtures("short_timings")
OPTIONS = {"dim": 250, "epochs": 1, "threads": 1, "memory": 600_000_000}


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Path(zipf_text(tmp_path_factory.mktemp("plan"), 20_000, 60_000))


def planned(text: Path, nodes: int, bandwidth: float = 10.0, **options: Any) -> Plan:
    return plan_training(text, machines=Machines(nodes, bandwidth), **{**OPTIONS, **options})


class Drawn:
    """Record batches of words drawn as often as *counts* has them."""

    def __init__(self, counts: np.ndarray, batches: int) -> None:
        self.batches, self._counts = batches, counts

    def batch(self, number: int) -> TokenBatch:
        drawn = np.random.default_rng(number).choice(
            len(self._counts), BATCH_TOKENS, p=self._counts / self._counts.sum()
        )
        return TokenBatch(drawn.astype(np.int32), np.arange(0, BATCH_TOKENS + 1, 64, dtype=np.int32))


@pytest.mark.parametrize("options", [{}, {"objective": "hs"}, {"sample": 0}, {"subwords": "3-4", "buckets": 9000}])
def test_lanes_send_what_is_told(options: dict[str, Any]) -> None:
    counts = np.maximum(5, 4 * BATCH_TOKENS / 12 / np.arange(1, 20_001)).astype(np.int64)
    config = SkipGramConfig(dim=16, lanes=2, **options)
    drawn = Drawn(counts, 4)
    ngrams = ngrams_of(
        config, word_bytes(pa.array([f"w{number:05}" for number in range(len(counts))], pa.large_utf8()))
    )
    model, steps = Replicas.here(config, counts, drawn.batches, 1, ngrams), InSteps(drawn, config.lanes)
    try:
        for number in range(steps.steps):
            model.step(steps.at(0, number), Position(0, number))
    finally:
        model.close()
    up, down, times = lane_traffic(config, Met.of(config, counts, ngrams), drawn.batches * BATCH_TOKENS)
    assert up + down == pytest.approx(model.exchanged, rel=0.03)
    assert times == 4 * steps.steps  # parts of a record batch


def test_rare_words_are_sent_too() -> None:
    counts = np.maximum(5, 1e9 / np.arange(1, 400_001)).astype(np.int64)
    config, tokens = SkipGramConfig(lanes=4), int(counts.sum())
    whole = lane_traffic(config, Met.of(config, counts), tokens)
    some = np.array([20_000, 30_000, 50_000, 100_000, 100_000, 80_000])
    ends = 20_000 + np.cumsum(some)
    tail = [int(counts[end - size : end].mean()) for end, size in zip(ends, some, strict=True)]
    told = lane_traffic(config, Met.of(config, counts[:20_000], tail=(np.array(tail), some)), tokens)
    assert told == pytest.approx(whole, rel=0.05)


def test_what_nodes_share_they_need_less_of(text: Path) -> None:
    plans = {nodes: planned(text, nodes) for nodes in (1, 2, 4)}
    told = {nodes: plan.to_json()["cluster"] for nodes, plan in plans.items()}
    held = [one["node_memory_bytes"] for one in told.values()]
    assert held == sorted(held, reverse=True) and held[2] < held[0]
    sent = [one["sent_bytes"]["training"] for one in told.values()]
    assert sent == sorted(sent) and sent[0] < sent[1]  # tokens alone, then scores, too
    assert [one["nodes_that_train"] for one in told.values()] == [1, 2, 4]
    assert planned(text, 9).to_json()["cluster"]["nodes_that_train"] == 4  # slices of 250 columns
    assert not any(plan.warnings for plan in plans.values())


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        *(("skipgram", {"lanes": lanes}) for lanes in (1, 2)),
        ("cbow", {"lanes": 2}),
        ("skipgram", {"lanes": 2, "subwords": "3-4", "buckets": 5000}),
        ("glove", {}),
        ("lm", {"dim": 40, "hidden": 40}),
    ],
)
def test_slow_networks_are_waited_for(text: Path, kind: str, options: dict[str, Any]) -> None:
    fast, slow = (planned(text, 2, bandwidth, kind=kind, **options) for bandwidth in (100.0, 0.001))
    assert fast.cluster is not None and slow.cluster is not None
    assert slow.seconds["training"] > 3 * fast.seconds["training"] > 0
    assert slow.rate < fast.rate / 2
    assert slow.cluster["sent_bytes"]["training"] == pytest.approx(fast.cluster["sent_bytes"]["training"], rel=0.2)
    assert "work" not in slow.cluster["waits_for"]["training"]


def test_a_model_that_fits_on_no_node_is_refused_with_the_figures(text: Path) -> None:
    plan = planned(text, 2, memory=250_000_000)
    (warning,) = [one for one in plan.warnings if "refused" in one]
    assert "MB on one of 2 nodes for" in warning and "and 250 MB are there" in warning, warning


def test_what_no_cluster_does_is_told(text: Path) -> None:
    (warning,) = planned(text, 2, mode="hogwild").warnings
    assert "refused" in warning and "leave --cluster out" in warning


def test_at_the_shell(text: Path) -> None:
    arguments = [text, "--dim", "40", "--epochs", "1", "--memory", "600MB"]
    shown = cli(*arguments, "--cluster", "2", "--bandwidth", "1")
    assert shown.returncode == 0, shown.stderr
    assert "1 Gbit/s, 100 us there and back" in shown.stdout and "nodes " in shown.stdout
    told = json.loads(cli(*arguments, "--cluster", "2", "--json").stdout)["cluster"]
    assert told["nodes"] == 2 and set(told["sent_bytes"]) == {"counting", "encoding", "training"}
    for wrong in (["--bandwidth", "1"], ["--cluster", "0"], ["--cluster", "2", "--round-trip", "0"]):
        ended = cli(*arguments, *wrong)
        assert ended.returncode == 2 and "Traceback" not in ended.stderr, ended.stderr
