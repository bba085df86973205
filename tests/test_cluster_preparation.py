"""Preparation on the nodes of a cluster: the same bytes as by threads, whatever becomes of nodes and workers."""

import sys
from collections import Counter as Counts
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from preparing import corpus
from starting import Notes
from stopping import content_of

import streamvec as sv
from streamvec.cluster.crew import NodeCrews
from streamvec.cluster.nodes import Cluster, Lost
from streamvec.corpus import cooccurrencestage, counting, encoding, pairpass, shardwriter
from streamvec.corpus import prepare as prepare_module
from streamvec.corpus.cooccurrences import Counted
from streamvec.corpus.cooccurrencestage import CooccurrenceStage, TokenSource
from streamvec.corpus.counting import Counter
from streamvec.corpus.crew import Crews, ThreadCrews
from streamvec.corpus.layout import SHARDS, VOCABULARY
from streamvec.corpus.prepare import prepare
from streamvec.corpus.runfiles import RunFiles
from streamvec.corpus.runs import merge, merge_to_run
from streamvec.corpus.shards import Shards
from streamvec.corpus.shares import Shares
from streamvec.corpus.sources import resolve
from streamvec.corpus.stitch import Piece, Start
from streamvec.corpus.tokens import Tokenizer
from streamvec.corpus.vocabulary import Vocabulary
from streamvec.errors import Interrupted, StreamvecError
from streamvec.training import crews as crews_module
from streamvec.training.crews import despite_losses
from streamvec.training.progress import Progress

pytestmark = pytest.mark.xdist_group("ray")  # one Ray, in one process of those that test
OPTIONS: dict[str, Any] = {"dim": 4, "epochs": 1, "min_count": 3, "window": 4, "threads": 1, "memory": 1 << 30}


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("text") / "text.txt"
    path.write_bytes(corpus(5, 4000))
    return path


@pytest.fixture(scope="module", autouse=True)
def many_parts() -> Iterator[None]:
    """Blocks, tables, record batches and shards so small, and records so often, that a little text has many."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(prepare_module, "shares", lambda *_: Shares(20_000, 1))
        patch.setattr(cooccurrencestage, "table_bytes", lambda *_: 1)
        patch.setattr(shardwriter, "BATCH_TOKENS", 3200)
        patch.setattr(encoding, "SHARD_BATCHES", 4)
        patch.setattr(counting, "INTERVAL", 0.2)
        patch.setattr(pairpass, "INTERVAL", 0.2)
        yield


@pytest.fixture(scope="module")
def expected(text: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """What threads make of the text."""
    run = tmp_path_factory.mktemp("threads") / "run"
    sv.train_glove(text, run, **OPTIONS)
    return made(run)


def made(run: Path) -> dict[str, bytes]:
    """What preparation leaves in a RUN."""
    content = content_of(run)
    return {name: content[name] for name in content if name.startswith(("vocabulary", "shards/", "cooccurrences/"))}


def all_stages(text: Path, folder: Path, crews: Crews) -> dict[str, bytes]:
    """Words, shards with and without marks, and co-occurrences, without a RUN."""
    usual: dict[str, Any] = {"min_count": 3, "report": lambda progress: None}
    for marked in (True, False):
        sources, name = resolve([str(text)]), "marked" if marked else "plain"
        prepare(sources, folder / name, Tokenizer(), marked=marked, stop=lambda: False, crews=crews, **usual)
    vocabulary, shards = Vocabulary.load(folder / "plain" / VOCABULARY), Shards.open(folder / "plain" / SHARDS)
    stage = CooccurrenceStage(folder / "pairs", vocabulary, TokenSource(shards, Counted(4)), 4)
    stage.run(crews, lambda *_: None, lambda: False)
    return content_of(folder)


@pytest.fixture(scope="module")
def by_threads(text: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    return all_stages(text, tmp_path_factory.mktemp("threads"), ThreadCrews(2, 1 << 30))


@pytest.mark.parametrize("number", [1, 2])
def test_nodes_make_the_bytes_of_threads(
    ray_nodes: Any, text: Path, by_threads: dict[str, bytes], tmp_path: Path, number: int
) -> None:
    from clusters import Some

    ray_nodes.have(2)
    assert {"marked/shards/00003.arrow", "plain/shards/00003.arrow", "pairs/00000.arrow"} <= set(by_threads)
    with Cluster(ray_nodes.address) as cluster, NodeCrews(Some(cluster, number), ThreadCrews(2)) as crews:
        assert crews.size == number
        assert all_stages(text, tmp_path, crews) == by_threads


def test_long_runs_come_in_blocks(ray_nodes: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ray_nodes.have(1)
    drawn = np.random.default_rng(1).bytes(700_000 * 12)  # which do not compress
    words = sorted(drawn[at : at + 12].hex().encode() for at in range(0, len(drawn), 12))
    runs = RunFiles(tmp_path, merge_to_run)
    blocks = 0
    with (
        Cluster(ray_nodes.address) as cluster,
        NodeCrews(cluster, ThreadCrews(2, 4 << 30)) as crews,
        crews.hire(Counter, Tokenizer(), 200 << 20, runs=runs) as crew,
    ):
        member = crew._members[0]
        streams = member.streams

        def counted(number: int) -> Iterator[Any]:
            nonlocal blocks
            for stream in streams(number):
                blocks += 1
                yield stream

        monkeypatch.setattr(member, "streams", counted)
        data = b" ".join(words) + b"\n"
        for number in range(2):
            found = crew.submit("count", Piece(Start(number), data, len(data), False, False, 0)).result()
            assert (found.tokens, found.documents) == (len(words), 1)
        crew.each("spill")
        crew.each("spill")  # nothing is left in the table
    assert runs.kept == 1 and blocks >= 2
    runs.add_kept()
    merged = [(some.data.tobytes(), some.counts.copy()) for some in merge(runs.paths)]
    assert b"".join(data for data, _ in merged) == b"".join(words) and all((counts == 2).all() for _, counts in merged)


class Disturbed(Notes):
    """Has something happen where stages have told so often of their progress."""

    def __init__(self, disturb: dict[tuple[str, int], Callable[[], None]]) -> None:
        super().__init__()
        self._disturb = disturb
        self._told: Counts[str] = Counts()

    def progress(self, progress: Progress) -> None:
        self._told[progress.stage] += 1
        if disturb := self._disturb.pop((progress.stage, self._told[progress.stage]), None):
            disturb()


def test_nodes_and_workers_that_are_lost(
    ray_nodes: Any, text: Path, expected: dict[str, bytes], tmp_path: Path
) -> None:
    """One in each stage; the rest goes on from the last record, and with a node that joins."""
    ray_nodes.have(2)
    disturb = {("counting", 12): ray_nodes.remove, ("encoding", 12): ray_nodes.kill_worker}
    watching = Disturbed({**disturb, ("cooccurrences", 9): ray_nodes.kill_worker})
    sv.train_glove(text, tmp_path / "run", cluster=ray_nodes.address, report=watching, **OPTIONS)
    assert sum("going on from the last record" in note for note in watching.said) == 3
    assert made(tmp_path / "run") == expected


def test_a_node_that_goes_while_shards_are_written(
    ray_nodes: Any, text: Path, expected: dict[str, bytes], tmp_path: Path
) -> None:
    ray_nodes.have(2)
    watching = Disturbed({("encoding", 12): ray_nodes.remove})
    sv.train_skipgram(text, tmp_path / "run", cluster=ray_nodes.address, report=watching, **OPTIONS)
    assert sum("going on from the last record" in note for note in watching.said) == 1
    found = made(tmp_path / "run")
    assert found == {name: expected[name] for name in found} and "shards/index.json" in found


def test_stopped_on_nodes_and_gone_on_with_there_and_by_threads(
    ray_nodes: Any, text: Path, expected: dict[str, bytes], tmp_path: Path
) -> None:
    ray_nodes.have(1)
    run, nodes = tmp_path / "run", {"cluster": ray_nodes.address}

    def stopping(stage: str) -> dict[str, Any]:
        asked: list[bool] = []
        return {"report": Disturbed({(stage, 12): lambda: asked.append(True)}), "stop": lambda: bool(asked)}

    with pytest.raises(Interrupted, match="stopped while counting words; go on with: streamvec resume"):
        sv.train_glove(text, run, **nodes, **stopping("counting"), **OPTIONS)
    with pytest.raises(Interrupted, match="stopped while writing shards; go on with: streamvec resume"):
        sv.resume(run, **nodes, **stopping("encoding"))
    sv.resume(run, threads=2)
    assert made(run) == expected


def test_what_goes_wrong_in_a_worker_is_raised_here(ray_nodes: Any) -> None:
    ray_nodes.have(1)
    with Cluster(ray_nodes.address) as cluster, NodeCrews(cluster, ThreadCrews(2)) as crews:
        with pytest.raises(ValueError, match="kind of tokens must be one of"):
            crews.hire(Tokenizer, "nonsense")
        with pytest.raises(AttributeError, match="encode"), crews.hire(Tokenizer, "words") as crew:
            crew.submit("tokens", 3).result()
        with crews.hire(Tokenizer, "words") as crew:  # others, as those before were ended
            assert crew.submit("tokens", "A word").result() == ["a", "word"]


def test_a_cluster_without_nodes_is_refused(ray_nodes: Any, text: Path, tmp_path: Path) -> None:
    ray_nodes.have(0)
    with pytest.raises(StreamvecError, match="no node left that has a processor: start Ray on some, then go on"):
        sv.train_skipgram(text, tmp_path / "run", cluster=ray_nodes.address, **OPTIONS)


def test_without_ray_the_extra_is_named(text: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(StreamvecError, match=r"--cluster needs Ray.*pip install 'streamvec\[ray\]'"):
        sv.train_skipgram(text, tmp_path / "run", cluster="auto", **OPTIONS)


def test_three_losses_with_nothing_kept_in_between_are_told(tmp_path: Path) -> None:
    kept, tried, notes = [0, 0, 1, 1, 1, 2], 0, Notes()

    def attempt() -> None:
        nonlocal tried
        tried += 1
        raise Lost("the node went")

    with pytest.raises(StreamvecError, match=r"lost 3 times since the last record \(the node went\).* resume "):
        despite_losses(attempt, lambda: kept[tried - 1], "record", notes.note, tmp_path / "run")
    assert tried == 5 and len(notes.said) == 4


def test_every_record_counts_as_something_kept(tmp_path: Path) -> None:
    values = [crews_module.records(tmp_path)]
    for name in ("counting/record.json", "vocabulary.arrow", "cooccurrences/runs/record.json"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("{}")
        values.append(crews_module.records(tmp_path))
    assert crews_module.records(tmp_path) == values[-1]
    assert all(before != after for before, after in pairwise(values))
