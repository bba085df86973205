"""Skip-gram and CBOW on several nodes, each of which holds some slices of the columns of both matrices.

Every node reads the same tokens, draws the same windows and noise words, and updates its own columns; only partial
scores go from one to another (`streamvec.kernels.exchange`). They are added up in the order in which one machine adds
them, so the bytes of the model are the same, and a model that is too large for one node lies on several. There are as
many nodes as slices at most.
"""

import contextlib
import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple, Protocol

import numpy as np

from streamvec.cluster.nodes import Cluster, Lost, Node, Worker
from streamvec.cluster.peers import Wires
from streamvec.cluster.placed import Place, PlacedWorkers
from streamvec.corpus.elsewhere import look_here
from streamvec.corpus.shards import Numbers, Shards, TokenBatch
from streamvec.errors import StreamvecError
from streamvec.models.columns import Columns
from streamvec.models.skipgram import PeerGone, SkipGram, rate_at
from streamvec.models.step import Position, StepResult
from streamvec.models.subwords import NGrams
from streamvec.models.wordconfig import LANES, SkipGramConfig
from streamvec.models.workers import Dealt

_TRIES = 4  # to begin, one after another


class Told(NamedTuple):
    """What every worker must know."""

    config: SkipGramConfig
    counts: np.ndarray
    steps: int
    ngrams: NGrams | None
    secret: bytes


class ColumnWorker:
    """Some slices of a model, on a node."""

    def __init__(self, told: Told, number: int, slices: list[tuple[int, int]], threads: int) -> None:
        self._told = told
        self._number, self._slices, self._threads = number, slices, threads
        self._wires = Wires(told.secret)
        self._model: SkipGram
        self._shards: Shards

    def ready(self) -> int:
        """Where the others connect to."""
        return self._wires.port

    def meet(self, addresses: list[tuple[str, int]]) -> float:
        """Connects to the others, and makes the slices as training begins with them; returns ``loss_at_chance``."""
        told, (first, last) = self._told, self._slices[self._number]
        peers = self._wires.meet(self._number, addresses, self._slices)
        columns = Columns(first, last, peers)
        self._model = SkipGram(told.config, told.counts, told.steps, self._threads, told.ngrams, columns)
        return self._model.loss_at_chance

    def read(self, shards: Shards) -> None:
        """Has numbers of record batches stand for those of *shards*; StreamvecError where this node cannot see them."""
        self._shards = shards
        look_here(shards)

    def step(self, batch: TokenBatch | int, position: Position) -> StepResult:
        """Trains on a record batch, with the others; Lost when one of them is gone."""
        with self._in_step():
            return self._model.step(self._shards.batch(batch) if isinstance(batch, int) else batch, position)

    def held_out_loss(self, numbered: list[tuple[int, TokenBatch]]) -> float | None:
        """As `SkipGram.held_out_loss`, with the others."""
        with self._in_step():
            return self._model.held_out_loss(numbered)

    @contextlib.contextmanager
    def _in_step(self) -> Iterator[None]:
        """Whatever goes wrong here, the others are not left waiting for this worker's scores."""
        try:
            yield
        except BaseException as problem:
            self._wires.close()
            if isinstance(problem, PeerGone):
                raise Lost(str(problem)) from None
            raise

    def block(self, name: str, first: int, last: int) -> np.ndarray:
        """Numbers first .. last-1 of an array that is here."""
        return self._model.arrays[name][first:last]

    def put(self, name: str, first: int, block: np.ndarray) -> None:
        """Writes them."""
        self._model.arrays[name][first : first + block.size] = block

    def vectors(self, start: int, stop: int) -> np.ndarray:
        """This worker's columns of the vectors of words."""
        return self._model.vectors(start, stop)

    def ngram_vectors(self, start: int, stop: int) -> np.ndarray:
        """This worker's columns of the rows of n-grams."""
        return self._model.ngram_vectors(start, stop)

    def set_rows(self, name: str, words: np.ndarray, rows: np.ndarray) -> None:
        """Takes its columns of *rows*."""
        self._model.set_rows(name, words, rows)

    def set_ngrams(self, buckets: np.ndarray, rows: np.ndarray) -> None:
        """Takes its columns of *rows*."""
        self._model.set_ngrams(buckets, rows)

    def not_finite(self) -> str | None:
        """The name of an array with a NaN or an infinity in it."""
        return self._model.not_finite()

    def sent(self) -> int:
        """Bytes of partial scores that went to the others."""
        return self._wires.sent


class Batches(Protocol):
    """Record batches of tokens, or what stands for them."""

    def at(self, epoch: int, batch: int) -> Any:
        """What an epoch's step number *batch* trains on."""


class SharedBatches:
    """The same, put where all nodes find them by whoever reads ahead: training does not wait for that."""

    def __init__(self, cluster: Cluster, batches: Batches) -> None:
        self._cluster, self._batches = cluster, batches

    def at(self, epoch: int, batch: int) -> Any:
        """As `Batches.at`."""
        return self._cluster.share(self._batches.at(epoch, batch))


class ColumnShards:
    """The model of all nodes together, as training sees one: `streamvec.training.loop.Model`, and what beginning,
    watching and writing need."""

    unit = SkipGram.unit
    has_even_steps = SkipGram.has_even_steps

    def __init__(
        self, cluster: Cluster, config: SkipGramConfig, counts: np.ndarray, steps: int, ngrams: NGrams | None = None
    ) -> None:
        """As `SkipGram`; StreamvecError where no node can be had."""
        self.config = config
        self.words = len(counts)
        self.steps = steps
        self.ngrams = ngrams
        self._cluster = cluster
        self._told = cluster.share(Told(config, counts, steps, ngrams, secrets.token_bytes(32)))
        self._placed = PlacedWorkers(cluster, ColumnWorker, self._deal)
        self._chance = 0.0
        self._read: Any = None  # the shards that nodes read, if they do
        self._slices: list[tuple[int, int]] = []
        heights = {"inputs": self.words + (len(ngrams.buckets) if ngrams else 0) + 1, "outputs": self.words + 1}
        columns = config.vectors * LANES
        self.arrays: Mapping[str, Dealt] = {
            name: Dealt(name, rows * columns, partial(self._parts, rows)) for name, rows in heights.items()
        }
        self.renew()

    @property
    def loss_at_chance(self) -> float:
        """Loss a pair when all scores are 0."""
        return self._chance

    def shared(self, shards: Shards) -> Batches:
        """What `step` takes, of the record batches of *shards*: nodes read for themselves what they can."""
        if not shards.is_elsewhere:
            return SharedBatches(self._cluster, shards)
        self._read = self._cluster.share(shards)
        self._all("read", self._read)
        return Numbers(shards.batches)

    def step(self, batch: Any, position: Position) -> StepResult:
        """Trains on one of the `shared` batches on all nodes; Lost when one of them is gone, and then nothing of
        it counts."""
        results = self._all("step", batch, position)
        told = [np.array(result).tobytes() for result in results]  # NaN is NaN here
        if any(other != told[0] for other in told):
            raise StreamvecError(f"nodes disagree on the loss of {position}: one of them makes mistakes")
        return results[0]

    def learning_rate(self, position: Position) -> float:
        """As `SkipGram.learning_rate`."""
        return rate_at(self.config, self.steps, position)

    def held_out_loss(self, numbered: Iterable[tuple[int, TokenBatch]]) -> float | None:
        """As `SkipGram.held_out_loss`."""
        found: float | None = self._all("held_out_loss", self._cluster.share(list(numbered)))[0]
        return found

    def vectors(self, start: int, stop: int) -> np.ndarray:
        """The vectors of words start .. stop-1: float32[stop - start, dim]."""
        return np.concatenate(self._all("vectors", start, stop), axis=1)

    def ngram_vectors(self, start: int, stop: int) -> np.ndarray:
        """The rows of the n-grams in buckets number start .. stop-1: float32[stop - start, dim]."""
        return np.concatenate(self._all("ngram_vectors", start, stop), axis=1)

    def set_rows(self, name: str, words: np.ndarray, rows: np.ndarray) -> None:
        """As `SkipGram.set_rows`."""
        self._all("set_rows", name, words, self._cluster.share(rows))

    def set_ngrams(self, buckets: np.ndarray, rows: np.ndarray) -> None:
        """As `SkipGram.set_ngrams`."""
        self._all("set_ngrams", buckets, self._cluster.share(rows))

    def not_finite(self) -> str | None:
        """The name of an array with a NaN or an infinity in it, if there is one."""
        return next((name for name in self._all("not_finite") if name), None)

    def sent(self) -> int:
        """Bytes of partial scores that went from node to node since the workers were started."""
        return sum(self._all("sent"))

    def renew(self) -> None:
        """Begins anew on the nodes that there are, as training begins; StreamvecError where there is none, or they
        cannot reach one another."""
        for _ in range(_TRIES):
            ports = self._placed.begin()
            addresses = [(worker.node.address, port) for worker, port in zip(self._workers, ports, strict=True)]
            with contextlib.suppress(Lost):
                self._chance = self._all("meet", addresses)[0]
                if self._read is not None:
                    self._all("read", self._read)
                return
        raise StreamvecError("nodes of the cluster are lost as soon as they have met: look after them")

    def close(self) -> None:
        """Ends the workers."""
        self._placed.end()

    @property
    def _workers(self) -> list[Worker]:
        return self._placed.workers

    def _parts(self, height: int) -> list[tuple[list[Worker], int]]:
        """Each worker, and how many numbers of an array of so many rows it holds: they lie one after another."""
        edges = [Columns(*slices).edges(self.config) for slices in self._slices]
        return [([worker], height * (high - low)) for worker, (low, high) in zip(self._workers, edges, strict=True)]

    def _deal(self, nodes: Sequence[Node]) -> list[Place]:
        slices, count = self.config.slices, min(len(nodes), self.config.slices)
        self._slices = [(slices * i // count, slices * (i + 1) // count) for i in range(count)]
        return [
            Place(node, (self._told, number, self._slices, node.cores)) for number, node in enumerate(nodes[:count])
        ]

    def _all(self, method: str, *arguments: Any) -> list[Any]:
        """The answers of all workers, in their order."""
        return self._cluster.answers([worker.call(method, *arguments) for worker in self._workers])
