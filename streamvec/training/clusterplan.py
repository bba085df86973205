"""What work on several machines will take: what they send each other, how long it lasts, and what it waits for.

docs/cluster.md says what the sums stand for, and how far they were from measured times. Nodes are taken to be as fast
as this machine, with as many processors; what is measured here of one is the unit of all times.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from streamvec.cluster.lanegroups import shares
from streamvec.corpus.cooccurrences import ENTRY_BYTES
from streamvec.corpus.shards import BATCH_TOKENS
from streamvec.errors import StreamvecError
from streamvec.models.gloveconfig import GloveConfig
from streamvec.models.kinds import Config
from streamvec.models.lmconfig import LmConfig
from streamvec.models.lmsizes import LmSizes
from streamvec.models.wordconfig import SkipGramConfig
from streamvec.training.lanetraffic import ROW_HEAD, kept_share, lane_traffic, met_of, words_of
from streamvec.training.needs import Load
from streamvec.training.nodeneeds import RACING, Room, columns_of_nodes, held_by_nodes, refuse_too_large_for_nodes
from streamvec.training.options import MachineOptions
from streamvec.training.pairneeds import PairNeeds
from streamvec.training.planned import DISK_RATE, PAIR_SORT_RATE, SORT_RATE
from streamvec.training.seen import Seen
from streamvec.training.tableneeds import PAIR_BYTES

CALL = 0.007  # seconds that a record batch takes on a node beyond its arithmetic: Ray's calls and objects
STORE_RATE = 2e8  # bytes a second that one process puts into Ray's objects, or takes out of them
ALIKE = 1 / 3  # of the arithmetic of a step that every node does which has only some columns: draws, errors
_SHRUNK = 0.46  # of the bytes of a run that are sent: sorted numbers compress
_WORD_BYTES = 8  # of the count of a word
_SCORES = 64  # bytes that stand for two contexts, six targets and one slice


@dataclass(frozen=True)
class Machines:
    """Nodes like this machine, and the network between all of them."""

    number: int
    bandwidth: float = 10.0  # gigabits a second, each way
    round_trip: float = 100.0  # microseconds from one machine to another and back

    def __post_init__(self) -> None:
        if self.number < 1:
            raise ValueError(f"cluster must be at least 1 node, got {self.number}")
        for name in ("bandwidth", "round_trip"):
            if not 0 < getattr(self, name) < float("inf"):
                raise ValueError(f"{name} must be above 0 and finite, got {getattr(self, name)}")

    def seconds(self, sent: float) -> float:
        """What a machine takes to send so many bytes, and another to take them."""
        return sent * 8 / (self.bandwidth * 1e9)

    def stored(self, sent: float) -> float:
        """The same where they go through Ray's objects on the machine that leads."""
        return max(self.seconds(sent), sent / STORE_RATE)


class Stage(NamedTuple):
    """A stage of the work."""

    seconds: float
    sent: float  # bytes from one machine to another, in all
    waits_for: str  # what takes longest

    @classmethod
    def side_by_side(cls, sent: float, **takes: float) -> "Stage":
        """Of things that go on at the same time, each in so many seconds."""
        longest = max(takes, key=lambda name: takes[name])
        return cls(takes[longest], sent, longest.replace("_", " "))

    @classmethod
    def in_turn(cls, sent: float, **takes: float) -> "Stage":
        """Of things that wait for each other."""
        return cls.side_by_side(sent, **takes)._replace(seconds=sum(takes.values()))

    def then(self, seconds: float) -> "Stage":
        """The same, and something afterwards on the machine that leads."""
        return self._replace(seconds=self.seconds + seconds)


class Spread(NamedTuple):
    """What a plan says of the nodes."""

    machines: Machines
    cores: int
    at_work: int  # nodes that training has something to do for
    node_bytes: int  # of memory, on each of these
    stages: Mapping[str, Stage]
    alone: float  # seconds of all, on this machine without a cluster

    @property
    def seconds(self) -> dict[str, float]:
        """Of each stage."""
        return {name: stage.seconds for name, stage in self.stages.items()}

    def refuse_too_large(self, config: Config, load: Load, machine: MachineOptions) -> None:
        """StreamvecError when training would not fit on nodes that have the memory of this machine."""
        if isinstance(config, SkipGramConfig) and config.mode == "hogwild":
            raise StreamvecError(RACING)
        room = Room("a node like this machine", self.cores, machine.memory_bytes)
        refuse_too_large_for_nodes(config, load, [room] * self.machines.number)

    def to_json(self) -> dict[str, Any]:
        """The same as one JSON object."""
        return {
            "nodes": self.machines.number,
            "cores_of_a_node": self.cores,
            "nodes_that_train": self.at_work,
            "node_memory_bytes": self.node_bytes,
            "bandwidth_gigabits": self.machines.bandwidth,
            "round_trip_microseconds": self.machines.round_trip,
            "sent_bytes": {name: round(stage.sent) for name, stage in self.stages.items()},
            "waits_for": {name: stage.waits_for for name, stage in self.stages.items()},
            "seconds_on_one_machine": round(self.alone, 1),
        }


def spread_of(
    machines: Machines,
    config: Config,
    machine: MachineOptions,
    load: Load,
    stages: Mapping[str, Stage],
    alone: Mapping[str, float],
) -> Spread:
    """What *stages* on the nodes come to; alone: seconds of all stages on this machine."""
    held = held_by_nodes(config, load, [machine.cores] * machines.number)
    at_work = sum(some > 0 for some in held)
    return Spread(machines, machine.cores, at_work, max(held), stages, sum(alone.values()))


def preparing(machines: Machines, machine: MachineOptions, seen: Seen) -> dict[str, Stage]:
    """Counting and encoding of text, where there is some: it is read here, cut into blocks, and sent."""
    sample, corpus = seen.sample, seen.corpus
    if sample is None:
        return {}
    workers = machines.number * machine.cores
    read, count = sample.read_seconds * sample.scale, sample.count_seconds * sample.scale
    tokens, bytes_of_word = sample.all_tokens(), float(sample.sizes.mean()) + _WORD_BYTES
    runs = sample.words(tokens / workers) * workers * bytes_of_word
    ids = 4.0 * (corpus.tokens + corpus.documents)
    table = corpus.words * (corpus.word_bytes + _WORD_BYTES) * machines.number
    sorting = sample.words(tokens) / SORT_RATE  # here, as without nodes
    return {
        "counting": Stage.side_by_side(
            corpus.text_bytes + runs,
            reading_here=read,
            work_of_the_nodes=count / workers,
            sending_text=machines.stored(corpus.text_bytes),
            fetching_counts=machines.stored(runs),
        ).then(sorting),
        "encoding": Stage.side_by_side(
            corpus.text_bytes + table + ids,
            reading_here=read,
            work_of_the_nodes=count / workers,
            sending_text=machines.stored(corpus.text_bytes + table),
            fetching_ids=machines.stored(ids),
        ).then(ids / (2 * DISK_RATE)),
    }


def counting_pairs(
    machines: Machines, machine: MachineOptions, tokens: int, near: float, pairs: PairNeeds, rate: float
) -> Stage:
    """Of GloVe; near: pairs a token; rate: pairs that a thread counts in a second."""
    runs = pairs.runs.written * PAIR_BYTES * _SHRUNK
    return Stage.side_by_side(
        4.0 * tokens + runs,
        work_of_the_nodes=(tokens * near / rate + pairs.runs.written / PAIR_SORT_RATE)
        / (machines.number * machine.cores),
        sending_tokens=machines.stored(4.0 * tokens),
        fetching_pairs=machines.stored(runs),
    )


def training_words(
    machines: Machines, machine: MachineOptions, config: SkipGramConfig, seen: Seen, rate: float
) -> Stage:
    """Of skip-gram and CBOW; rate: tokens a second of this machine."""
    tokens = float(seen.corpus.tokens * config.epochs)
    if config.lanes > 1:
        return _by_lanes(machines, config, seen, rate)
    parts = columns_of_nodes(config, machines.number)
    nodes, share = sum(part > 0 for part in parts), max(parts) / config.columns[-1][1]
    batches = tokens / BATCH_TOKENS
    kept = tokens * kept_share(config, seen)
    slices = config.slices * share  # of the node that has most
    exchanges = kept / config.batch if nodes > 1 else 0.0
    each = kept * score_bytes(config) * (nodes - 1)  # of one slice, to all others
    return Stage.in_turn(
        4 * tokens * nodes + each * config.slices,
        work_of_the_nodes=tokens / rate * (ALIKE + (1 - ALIKE) * share),
        calls_of_the_nodes=batches * CALL,
        scores_on_their_way=exchanges * machines.round_trip / 2e6 + machines.seconds(each * slices),
    )


def score_bytes(config: SkipGramConfig) -> float:
    """Bytes of the scores of one center over one slice, which go to each other node: two contexts together."""
    reaches = range(1, config.window + 1) if config.reach == "dynamic" else [config.window]
    contexts = [reach * (2 if config.sides == "both" else 1) for reach in reaches]
    twos = 1.0 if config.averaged else sum(-(-number // 2) for number in contexts) / len(contexts)
    return _SCORES * config.target_blocks * twos


def _by_lanes(machines: Machines, config: SkipGramConfig, seen: Seen, rate: float) -> Stage:
    corpus, lanes = seen.corpus, config.lanes
    nodes = min(machines.number, lanes)
    tokens = float(corpus.tokens * config.epochs)
    up, down, combined = lane_traffic(config, met_of(config, seen), corpus.tokens)
    up, down, combined = (config.epochs * number for number in (up, down, combined))
    return Stage.in_turn(
        4 * tokens + up + down * nodes / lanes,
        work_of_the_nodes=tokens / rate / (lanes / -(-lanes // nodes)),
        combining_here=machines.stored(up) + machines.stored(down * nodes / lanes) + combined * CALL,
    )


def training_glove(machines: Machines, config: GloveConfig, seen: Seen, pairs: PairNeeds, rate: float) -> Stage:
    """rate: entries of the matrix a second of this machine."""
    nodes = machines.number
    entries, steps = float(pairs.stored * config.epochs), float(pairs.batches * config.epochs)
    counts, (rare, times) = words_of(seen)
    near = np.minimum(float(seen.corpus.words), 2.0 * config.window * np.append(counts, rare))
    many = np.append(np.ones(counts.size), times)
    often = near * (2 * pairs.stored / (near * many).sum()) / pairs.batches  # of each word in a step
    words = float(-(np.expm1(-often) * many).sum())
    moved = words * min(0.5, 1 - 1 / nodes) * (4 * config.record + ROW_HEAD)
    return Stage.in_turn(
        entries * ENTRY_BYTES + steps * moved,
        work_of_the_nodes=pairs.entries * config.epochs / rate / nodes,
        calls_of_the_nodes=steps * CALL,
        sending_entries=machines.stored(entries * ENTRY_BYTES),
        records_on_their_way=steps * machines.seconds(moved / nodes),
    )


def training_lm(
    machines: Machines, machine: MachineOptions, config: LmConfig, tokens: int, words: int, rate: float
) -> Stage:
    """rate: tokens a second of this machine; tokens: of all epochs."""
    sizes = LmSizes(config, words)
    nodes = sum(some > 0 for some in shares(len(config.groups(config.batch)), [machine.cores] * machines.number))
    many = config.batch * config.bptt  # time steps of a step, of all lanes
    steps = tokens / many
    vectors = 4.0 * many * (2 * config.dim + config.shape.outputs)
    there = nodes * 4.0 * sizes.stack + vectors
    back = 4.0 * sizes.stack + vectors
    stack = sizes.stack_share
    return Stage.in_turn(
        steps * (there + back + (nodes - 1) * 4.0 * sizes.stack),
        work_of_the_nodes=tokens / rate * stack / nodes,
        output_and_optimizer_here=tokens / rate * (1 - stack),
        parameters_on_their_way=steps * (machines.stored(there) + machines.stored(back)),
        calls_of_the_nodes=steps * 3 * CALL,
    )
