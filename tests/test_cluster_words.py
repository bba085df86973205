"""Word vectors trained by the nodes of a Ray cluster: the bytes of one machine, whatever becomes of the nodes."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import topics_file, vectors_of

import streamvec
from streamvec.errors import Interrupted, StreamvecError
from streamvec.training.progress import Progress, Silence

pytestmark = pytest.mark.xdist_group("ray")
OPTIONS: dict[str, Any] = {"dim": 40, "min_count": 1, "sample": 0, "epochs": 3, "seed": 5}


class Told(Silence):
    """Keeps notes, and calls *then* once when training is half done."""

    def __init__(self, then: Callable[[], None] | None = None) -> None:
        self.notes: list[str] = []
        self._then = then

    def note(self, text: str) -> None:
        self.notes.append(text)

    def progress(self, now: Progress) -> None:
        if self._then is not None and now.stage == "training" and (now.done or 0) > 0.3:
            then, self._then = self._then, None
            then()


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return topics_file(tmp_path_factory.mktemp("text") / "text.txt", 9000)


@pytest.fixture(scope="module")
def alone(text: Path, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return trained(text, tmp_path_factory.mktemp("alone") / "run")


def trained(text: Path, out: Path, kind: str = "skipgram", **options: Any) -> bytes:
    return vectors_of(kind, text, out, **{**OPTIONS, **options})


def test_two_nodes_give_the_bytes_of_one_machine(two_nodes: Any, text: Path, alone: bytes, tmp_path: Path) -> None:
    assert trained(text, tmp_path / "run", cluster=two_nodes.address) == alone


def test_rows_that_are_given_go_to_the_nodes_that_hold_them(two_nodes: Any, text: Path, tmp_path: Path) -> None:
    given = tmp_path / "given.txt"
    given.write_text("".join(f"{word} {' '.join(['.5'] * 40)}\n" for word in ("the", "of")))
    options = {"vectors": given, "epochs": 1}
    there = trained(text, tmp_path / "there", **options, cluster=two_nodes.address)
    assert there == trained(text, tmp_path / "here", **options)


def test_held_out_text_and_subwords_are_read_by_nodes(two_nodes: Any, text: Path, tmp_path: Path) -> None:
    options = {"holdout": 0.2, "patience": 1, "subwords": "3-4", "buckets": 300, "epochs": 2}
    here = trained(text, tmp_path / "here", "cbow", **options)
    assert trained(text, tmp_path / "there", "cbow", **options, cluster=two_nodes.address) == here
    names = ("vectors.ngrams.arrow", "checkpoints/0002-000000000/arrays.safetensors")
    for name in names:
        assert (tmp_path / "there" / name).read_bytes() == (tmp_path / "here" / name).read_bytes()


def test_lanes_on_nodes_are_lanes_here_even_where_a_node_is_lost(two_nodes: Any, text: Path, tmp_path: Path) -> None:
    expected = trained(text, tmp_path / "here", lanes=3)
    told = Told(two_nodes.remove)
    found = trained(text, tmp_path / "there", lanes=3, cluster=two_nodes.address, report=told, checkpoint_batches=1)
    assert found == expected
    assert any("a worker of the cluster is gone" in note for note in told.notes)


@pytest.mark.parametrize("lanes", [1, 3])
def test_where_no_node_is_left_is_told(two_nodes: Any, text: Path, tmp_path: Path, lanes: int) -> None:
    two_nodes.have(1)
    how = {"lanes": lanes, "cluster": two_nodes.address, "checkpoint_batches": 1}
    with pytest.raises(StreamvecError, match="no node left that has a processor: start Ray on some, then go on with"):
        trained(text, tmp_path / "run", report=Told(two_nodes.remove), **how)


def test_a_node_that_is_lost_changes_no_byte(two_nodes: Any, text: Path, alone: bytes, tmp_path: Path) -> None:
    told = Told(two_nodes.remove)
    found = trained(text, tmp_path / "run", cluster=two_nodes.address, report=told, checkpoint_batches=1)
    assert found == alone
    assert any("a worker of the cluster is gone" in note for note in told.notes)


def test_a_worker_that_is_killed_changes_no_byte(two_nodes: Any, text: Path, alone: bytes, tmp_path: Path) -> None:
    told = Told(two_nodes.kill_worker)
    assert trained(text, tmp_path / "run", cluster=two_nodes.address, report=told) == alone
    assert any("a worker of the cluster is gone" in note for note in told.notes)


def test_what_was_stopped_goes_on_with_a_cluster_or_without(
    two_nodes: Any, text: Path, alone: bytes, tmp_path: Path
) -> None:
    stops: list[bool] = []
    out = tmp_path / "run"
    with pytest.raises(Interrupted):
        trained(text, out, cluster=two_nodes.address, report=Told(lambda: stops.append(True)), stop=lambda: bool(stops))
    stops.clear()
    with pytest.raises(Interrupted):
        streamvec.resume(out, stop=lambda: True)
    streamvec.resume(out, cluster=two_nodes.address)
    assert (out / "vectors.arrow").read_bytes() == alone


def test_where_nobody_answers_is_told(text: Path, tmp_path: Path) -> None:
    with pytest.raises(StreamvecError, match="no Ray cluster answers at 127"):
        trained(text, tmp_path / "run", cluster="127.0.0.1:1")
    with pytest.raises(StreamvecError, match="an address is HOST:PORT"):
        trained(text, tmp_path / "run", cluster="somewhere")
    assert not (tmp_path / "run").exists()


def test_what_no_cluster_works_on_is_told(text: Path, tmp_path: Path) -> None:
    with pytest.raises(StreamvecError, match="leave --cluster out, or train with --mode exact or --lanes"):
        trained(text, tmp_path / "run", mode="hogwild", cluster="auto")
    assert not (tmp_path / "run").exists()
    examples = tmp_path / "examples.tsv"
    examples.write_text("good\ta b\nbad\tc d\n")
    with pytest.raises(ValueError, match="options must be those of train classifier, got cluster"):
        streamvec.train_task("classifier", str(examples), tmp_path / "task", cluster="auto")
