"""How much memory training takes on each node of a cluster, and that nodes which have less are told with figures."""

import pytest

from streamvec.errors import StreamvecError
from streamvec.models.kinds import Config
from streamvec.models.lmconfig import LmConfig
from streamvec.models.wordconfig import SkipGramConfig
from streamvec.training.needs import PROCESS_BYTES, Load
from streamvec.training.nodeneeds import Room, held_by_nodes, refuse_too_large_for_nodes

LOAD = Load(2_000_000, 8.0)


def node_bytes(config: Config, load: Load, nodes: int, cores: int) -> int:
    return max(held_by_nodes(config, load, [cores] * nodes))


def test_nodes_share_the_columns_as_they_are_dealt() -> None:
    config = SkipGramConfig(dim=250)
    arrays = config.array_bytes(LOAD.words)
    rest = node_bytes(config, LOAD, 4, 1) - PROCESS_BYTES - arrays // 4
    assert node_bytes(config, LOAD, 1, 1) == PROCESS_BYTES + arrays + rest
    assert node_bytes(config, LOAD, 3, 1) == PROCESS_BYTES + arrays // 2 + rest  # one has two of four slices
    assert node_bytes(config, LOAD, 9, 1) == node_bytes(config, LOAD, 4, 1)
    uneven = SkipGramConfig(dim=48)  # 32 columns and 16
    rest = node_bytes(uneven, LOAD, 1, 1) - uneven.array_bytes(LOAD.words)
    assert node_bytes(uneven, LOAD, 2, 1) == rest + uneven.array_bytes(LOAD.words) * 2 // 3


def test_each_lane_has_a_replica_and_what_it_was() -> None:
    config = SkipGramConfig(dim=100, lanes=4)
    assert node_bytes(config, LOAD, 4, 1) > 2 * config.array_bytes(LOAD.words)
    assert node_bytes(config, LOAD, 2, 1) == 2 * node_bytes(config, LOAD, 4, 1)
    assert config.model_bytes(LOAD.words) > 8 * config.array_bytes(LOAD.words)


def test_a_node_with_less_is_told_and_one_with_nothing_to_do_is_not() -> None:
    config, many = SkipGramConfig(dim=100), 1 << 40
    needed = node_bytes(config, LOAD, 2, 1)
    refuse_too_large_for_nodes(config, LOAD, [Room("a", 1, needed), Room("b", 1, needed), Room("idle", 1, 1)])
    with pytest.raises(StreamvecError, match=r"on one of 2 nodes .* and [\d,]+ MB are there at b: add nodes"):
        refuse_too_large_for_nodes(
            config, LOAD, [Room("a", 1, many), Room("b", 1, held_by_nodes(config, LOAD, [1, 1])[1] - 1)]
        )


def test_nodes_of_a_language_model_hold_what_their_processors_are_dealt() -> None:
    config, few = LmConfig(hidden=100, batch=256, bptt=20), Load(1000, 8.0)
    groups = len(config.groups(config.batch))
    small, large = held_by_nodes(config, few, [1, groups - 1])
    assert large - PROCESS_BYTES > 3 * (small - PROCESS_BYTES) > 0
    assert held_by_nodes(config, few, [groups, 1]) == [held_by_nodes(config, few, [groups])[0], 0]
