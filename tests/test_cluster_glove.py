"""GloVe trained by the nodes of a Ray cluster: the bytes of one machine, whatever becomes of the nodes."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from clusters import Nodes, while_training
from conftest import topics_file
from lm_runs import checkpoint, stopped_while_training
from stanford_files import WORDS, entries_of, packed
from starting import Notes

import streamvec as sv
from streamvec.cluster.glovetasks import dealt
from streamvec.cluster.nodes import Cluster
from streamvec.cluster.placed import Place, PlacedWorkers
from streamvec.errors import Interrupted, StreamvecError
from streamvec.models.gloveconfig import GloveConfig

pytestmark = pytest.mark.xdist_group("ray")  # one Ray, in one process of those that test
OPTIONS: dict[str, Any] = {"dim": 20, "window": 4, "epochs": 2, "threads": 1}


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return topics_file(tmp_path_factory.mktemp("text") / "text.txt", 100)


def trained(text: Path, run: Path, **options: Any) -> tuple[bytes, bytes]:
    """The last checkpoint and the vectors."""
    sv.train_glove(text, run, **{**OPTIONS, **options})
    return result_of(run)


def result_of(run: Path) -> tuple[bytes, bytes]:
    return checkpoint(run), (run / "vectors.arrow").read_bytes()


def test_the_same_bytes_as_one_machine(two_nodes: Nodes, text: Path, tmp_path: Path) -> None:
    """Without direction, with a record of similarity after each epoch; checkpoints in between."""
    (tmp_path / "set.tsv").write_text("river\tlake\t9\nking\tqueen\t8\nriver\tking\t1\n")
    options: dict[str, Any] = {"evaluate": [tmp_path / "set.tsv"], "checkpoint_batches": 7}
    expected = trained(text, tmp_path / "here", **options)
    assert trained(text, tmp_path / "there", cluster=two_nodes.address, **options) == expected
    metrics = [(tmp_path / run / "metrics.jsonl").read_text().splitlines() for run in ("here", "there")]
    assert [line.split("similarity")[1] for line in metrics[0] if "similarity" in line] == [
        line.split("similarity")[1] for line in metrics[1] if "similarity" in line
    ]


def test_the_same_bytes_of_what_another_tool_counted(two_nodes: Nodes, tmp_path: Path) -> None:
    """With direction."""
    (tmp_path / "vocab.txt").write_text("".join(f"{word} {100 - n}\n" for n, word in enumerate(WORDS)))
    (tmp_path / "pairs.bin").write_bytes(packed(entries_of(200)))
    options: dict[str, Any] = {"dim": 8, "epochs": 2, "threads": 1, "vocab": tmp_path / "vocab.txt"}
    runs = [tmp_path / "here", tmp_path / "there"]
    for run, more in zip(runs, ({}, {"cluster": two_nodes.address}), strict=True):
        sv.train_glove(tmp_path / "pairs.bin", run, **options, **more)
    assert result_of(runs[0]) == result_of(runs[1])


def test_lost_nodes_lost_workers_and_a_stop_change_no_byte(two_nodes: Nodes, text: Path, tmp_path: Path) -> None:
    expected, notes = trained(text, tmp_path / "here", sides="left"), Notes()
    how: dict[str, Any] = {"cluster": two_nodes.address, "report": notes, "checkpoint_batches": 3, "sides": "left"}
    losses = while_training({2: two_nodes.kill_worker, 9: two_nodes.remove})  # the first before there is a checkpoint
    assert trained(text, tmp_path / "lost", stop=losses, **how) == expected
    assert sum("going on from the last checkpoint" in note for note in notes.said) == 2
    with pytest.raises(Interrupted):  # of one node that is left
        trained(text, tmp_path / "stopped", stop=stopped_while_training(5), **how)
    sv.resume(tmp_path / "stopped")
    assert result_of(tmp_path / "stopped") == expected
    two_nodes.have(2)


def test_tasks_are_dealt_evenly_and_then_to_who_has_their_words() -> None:
    sizes = np.array([100, 90, 95, 105])
    has = np.array([[0, 9], [9, 0], [0, 9], [9, 0]])
    assert dealt(sizes, has, [1, 1]).tolist() == [1, 0, 1, 0]
    assert dealt(sizes, has[:, :1], [4]).tolist() == [0, 0, 0, 0]
    draw = np.random.default_rng(0)
    sizes = draw.integers(1, 1000, 200)
    found = dealt(sizes, np.zeros((200, 3), np.int64), [1, 2, 5])
    share = np.bincount(found, sizes, minlength=3) / sizes.sum()
    np.testing.assert_allclose(share, [1 / 8, 2 / 8, 5 / 8], atol=0.05)


def test_what_a_worker_raises_when_it_begins_is_raised_here(two_nodes: Nodes) -> None:
    with Cluster(two_nodes.address) as cluster:
        with pytest.raises(ValueError, match="dim must be at least 1, got 0"):
            PlacedWorkers(cluster, GloveConfig, lambda there: [Place(node, (0,)) for node in there]).begin()
        with pytest.raises(StreamvecError, match=r"cannot begin on a node .*No module named 'clusters'"):
            PlacedWorkers(cluster, Nodes, lambda there: [Place(node, ()) for node in there]).begin()
