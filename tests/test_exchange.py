"""Models whose slices lie with several processes, connected by sockets: the bytes of one process. No Ray is needed."""

import socket
import threading
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from streamvec.cluster.peers import Wires
from streamvec.corpus.shards import TokenBatch
from streamvec.errors import StreamvecError
from streamvec.models.columns import Columns
from streamvec.models.skipgram import PeerGone, SkipGram
from streamvec.models.step import Position, StepResult
from streamvec.models.subwords import ngrams_of
from streamvec.models.wordconfig import CbowConfig, SkipGramConfig
from streamvec.training.clusterplan import score_bytes

WORDS, STEPS = 60, 3
COUNTS = np.sort(np.random.default_rng(1).integers(5, 400, WORDS))[::-1].copy()


def batch_of(seed: int) -> TokenBatch:
    random = np.random.default_rng(seed)
    lengths = random.integers(1, 40, 60)
    values = random.choice(WORDS, int(lengths.sum()), p=COUNTS / COUNTS.sum()).astype(np.int32)
    return TokenBatch(values, np.cumsum([0, *lengths]).astype(np.int32))


BATCHES = [batch_of(seed) for seed in range(STEPS)]


def word_bytes() -> tuple[np.ndarray, np.ndarray]:
    words = [f"word{number}" for number in range(WORDS)]
    return np.frombuffer("".join(words).encode(), np.uint8), np.cumsum([0, *map(len, words)]).astype(np.int64)


def at_once(works: list[Callable[[], Any]]) -> list[Any]:
    """What each returns, or raised, run side by side."""
    found: list[Any] = [None] * len(works)

    def run(number: int) -> None:
        try:
            found[number] = works[number]()
        except Exception as problem:
            found[number] = problem

    threads = [threading.Thread(target=run, args=(number,)) for number in range(len(works))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def connected(wires: list[Wires], slices: list[tuple[int, int]]) -> list[Any]:
    addresses = [("127.0.0.1", each.port) for each in wires]
    return at_once([lambda n=n: wires[n].meet(n, addresses, slices) for n in range(len(wires))])


def divided(config: SkipGramConfig, processes: int, threads: int) -> tuple[list[SkipGram], list[Wires]]:
    ngrams = ngrams_of(config, word_bytes())
    edges = [config.slices * number // processes for number in range(processes + 1)]
    slices = list(pairwise(edges))
    wires = [Wires(b"secret") for _ in slices]
    peers = connected(wires, slices)
    models = [
        SkipGram(config, COUNTS, STEPS, threads, ngrams, Columns(first, last, peer))
        for (first, last), peer in zip(slices, peers, strict=True)
    ]
    return models, wires


def trained(models: list[SkipGram]) -> list[StepResult]:
    def run(model: SkipGram) -> list[StepResult]:
        return [model.step(batch, Position(0, number)) for number, batch in enumerate(BATCHES)]

    results = at_once([lambda model=model: run(model) for model in models])
    assert all(result == results[0] for result in results), results
    return results[0]


@pytest.mark.parametrize(
    ("options", "processes", "threads"),
    [
        ({"dim": 40}, 2, 1),
        ({"dim": 40, "sides": "left", "negative": 13}, 2, 2),
        ({"dim": 250}, 2, 1),
        ({"dim": 250}, 4, 2),
        ({"dim": 250}, 3, 1),
        ({"dim": 40, "objective": "hs"}, 2, 1),
        ({"dim": 40, "subwords": "3-4", "buckets": 500}, 2, 1),
        ({"dim": 40, "averaged": True}, 2, 1),
    ],
)
def test_slices_in_several_processes_are_those_of_one(options: dict, processes: int, threads: int) -> None:
    kind = CbowConfig if options.pop("averaged", False) else SkipGramConfig
    config = kind(**options, sample=0, holdout=0.1, learning_rate=0.05)
    whole = SkipGram(config, COUNTS, STEPS, 1, ngrams_of(config, word_bytes()))
    expected = [whole.step(batch, Position(0, number)) for number, batch in enumerate(BATCHES)]
    models, wires = divided(config, processes, threads)
    assert trained(models) == expected
    for name, array in whole.arrays.items():
        assert np.concatenate([model.arrays[name] for model in models]).tobytes() == array.tobytes()
    assert np.array_equal(np.concatenate([model.vectors(3, 50) for model in models], axis=1), whole.vectors(3, 50))
    held_out = at_once([lambda model=model: model.held_out_loss(enumerate(BATCHES)) for model in models])
    assert set(held_out) == {whole.held_out_loss(enumerate(BATCHES))}
    tokens = sum(batch.values.size for batch in BATCHES)
    told = tokens * score_bytes(config) * config.slices * (processes - 1)
    assert sum(wire.sent for wire in wires) == pytest.approx(told, rel=0.12)  # less where documents end


def test_rows_that_are_given_go_to_the_columns_that_are_here() -> None:
    config = SkipGramConfig(dim=40)
    models, _ = divided(config, 2, 1)
    words, rows = np.array([3, 1]), np.arange(80, dtype=np.float32).reshape(2, 40)
    for model in models:
        model.set_rows("inputs", words, rows)
    assert np.array_equal(np.concatenate([model.vectors(0, 5) for model in models], axis=1)[words], rows)


def test_a_step_whose_peer_is_gone_is_not_done() -> None:
    models, wires = divided(SkipGramConfig(dim=40), 2, 2)
    found = at_once([lambda: models[0].step(BATCHES[0], Position(0, 0)), wires[1].close])
    assert isinstance(found[0], PeerGone)


def test_nobody_waits_for_others_who_found_a_peer_gone() -> None:
    """Whoever has all of the dead peer's scores waits for one who has not, and gave up: that one's end is seen."""
    models, wires = divided(SkipGramConfig(dim=250, window=10, negative=20), 4, 1)

    def step(number: int) -> Any:
        try:
            return models[number].step(BATCHES[0], Position(0, 0))
        finally:
            wires[number].close()

    found = at_once([lambda n=n: step(n) for n in range(3)] + [wires[3].close])
    assert all(isinstance(one, PeerGone) for one in found[:3])


def test_a_stranger_is_not_connected_to() -> None:
    wires = [Wires(b"secret"), Wires(b"secret")]
    stranger = Wires(b"guess!")
    addresses = [("127.0.0.1", each.port) for each in wires]
    slices = [(0, 1), (1, 2)]

    def guess() -> Any:
        return stranger.meet(1, addresses, slices)

    def late() -> Any:
        return wires[1].meet(1, addresses, slices)

    first = threading.Thread(target=lambda: at_once([guess]))
    first.start()
    silent = socket.create_connection(addresses[0])
    first.join()
    found = at_once([lambda: wires[0].meet(0, addresses, slices), late])
    silent.close()
    assert [peers.others for peers in found] == [1, 1]


def test_nobody_who_answers_is_told() -> None:
    wires = Wires(b"secret")
    with pytest.raises(StreamvecError, match="nodes must reach one another"):
        wires.meet(1, [("127.0.0.1", 1), ("127.0.0.1", wires.port)], [(0, 1), (1, 2)])
