"""Language models trained by the nodes of a Ray cluster: the bytes of one machine, whatever becomes of the nodes."""

from pathlib import Path
from typing import Any

import pytest
from clusters import Nodes, while_training
from lm_runs import SMALL, checkpoint, stopped_while_training, text_of
from starting import Notes

import streamvec as sv
from streamvec.cluster.lanegroups import shares
from streamvec.cluster.placed import PlacedWorkers
from streamvec.errors import Interrupted, StreamvecError

pytestmark = pytest.mark.xdist_group("ray")  # one Ray, in one process of those that test
MODELS: dict[str, dict[str, Any]] = {
    "stream": {"cell": "rnn", "dropout": 0.3, "optimizer": "adam", "learning_rate": 0.01},
    "separate": {"cell": "gru", "output": "adaptive", "cutoffs": "3,6", "separate": True, "bptt": 7},
    "sampled": {"cell": "lstm", "output": "sampled", "samples": 5, "batch": 70, "bptt": 2},  # four groups of lanes
}


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("text") / "text.txt"
    path.write_text(text_of(60, 1), encoding="utf-8")
    return path


def options_of(model: str) -> dict[str, Any]:
    return {**SMALL, "epochs": 2, **MODELS[model]}


def trained(text: Path, run: Path, model: str, **how: Any) -> tuple[bytes, bytes]:
    """The last checkpoint and the vectors."""
    sv.train_lm(text, run, valid=text, **options_of(model), **how)
    return result_of(run)


def result_of(run: Path) -> tuple[bytes, bytes]:
    return checkpoint(run), (run / "vectors.arrow").read_bytes()


@pytest.mark.parametrize("model", MODELS)
def test_the_same_bytes_as_one_machine(two_nodes: Nodes, text: Path, tmp_path: Path, model: str) -> None:
    expected = trained(text, tmp_path / "here", model)
    assert trained(text, tmp_path / "there", model, cluster=two_nodes.address) == expected


def test_lost_nodes_lost_workers_and_a_stop_change_no_byte(two_nodes: Nodes, text: Path, tmp_path: Path) -> None:
    expected, notes = trained(text, tmp_path / "here", "stream"), Notes()
    losses = while_training({4: two_nodes.kill_worker, 9: two_nodes.remove})
    how: dict[str, Any] = {"cluster": two_nodes.address, "report": notes}
    assert trained(text, tmp_path / "lost", "stream", stop=losses, **how) == expected
    assert sum("its lanes go to the nodes that are left" in note for note in notes.said) == 2
    with pytest.raises(Interrupted):  # of one node that is left
        trained(text, tmp_path / "stopped", "stream", stop=stopped_while_training(5), **how)
    sv.resume(tmp_path / "stopped")
    assert result_of(tmp_path / "stopped") == expected
    two_nodes.have(2)


def test_groups_are_dealt_so_that_all_are_done_soonest() -> None:
    assert shares(2, [1, 1]) == [1, 1] and shares(2, [4, 4]) == [2, 0]
    assert shares(7, [2, 1]) == [6, 1] and shares(1, [1, 8]) == [1, 0]
    for groups in range(1, 20):
        assert sum(shares(groups, [3, 1, 2])) == groups


def test_a_cluster_without_nodes_says_what_to_do() -> None:
    class Empty:
        def nodes(self) -> list[Any]:
            return []

    with pytest.raises(StreamvecError, match=r"no node left .*: start Ray on some, then go on with streamvec resume"):
        PlacedWorkers(Empty(), dict, lambda nodes: []).begin()  # type: ignore[arg-type]
