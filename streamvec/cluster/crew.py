"""Crews on the nodes of a cluster: a worker for each core, whose runs are fetched and written here.

What workers hold is what threads hold (`streamvec.corpus.crew`). No folder is shared: a full table waits in the memory
of its worker, as blocks of some MB, and is fetched while the worker goes on.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import chain
from types import TracebackType
from typing import Any, Self

import pyarrow as pa

from streamvec.cluster.nodes import Call, Cluster, Node, Worker
from streamvec.cluster.placed import Place, PlacedWorkers
from streamvec.corpus.crew import ThreadCrews
from streamvec.corpus.release import give_memory_back
from streamvec.corpus.runfiles import RunFiles

_BLOCK = 8 << 20  # bytes of a run that are sent at a time
_AHEAD = 8  # blocks asked for at once: each waits for what the worker was to do before
_USED = 2, 3  # of a worker's memory is divided as that of a thread: the rest is for the run that waits


class NodeCrews:
    """Crews of the nodes that are alive now; see `streamvec.corpus.crew.Crews`.

    The same workers are hired again and again, unless a crew ended with an exception.
    """

    threads = 1

    def __init__(self, cluster: Cluster, here: ThreadCrews) -> None:
        """The process of a worker may hold as much memory as that of *here*, or its share of half of what Ray may give
        away there. Raises StreamvecError where no node is left.
        """
        self.here = here
        self._cluster = cluster
        self._placed = PlacedWorkers(cluster, _Bench, _one_a_core)
        self._placed.begin()
        nodes = [worker.node for worker in self._placed.workers]
        self.size = len(nodes)
        each = min(here.memory, *(node.memory // 2 // node.cores for node in nodes))
        self.memory = each * _USED[0] // _USED[1]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()

    def end(self) -> None:
        """Ends the processes of all workers."""
        self._placed.end()

    def hire(self, kind: Callable[..., Any], *arguments: Any, runs: RunFiles | None = None) -> "NodeCrew":
        """As `Crews.hire`, in a process for each worker; *arguments* are sent to each node once."""
        workers = self._placed.workers
        if not workers:
            self._placed.begin()
            workers = self._placed.workers
        shared = [self._cluster.share(one) for one in arguments]
        try:
            for held in [worker.call("hold", runs is not None, kind, *shared) for worker in workers]:
                held.result()
        except BaseException:
            self.end()
            raise
        return NodeCrew(workers, runs, self.end)


def _one_a_core(nodes: Sequence[Node]) -> list[Place]:
    return [Place(node, ()) for node in nodes for _ in range(node.cores)]


class NodeCrew:
    """Workers who hold what they are to work with; whatever asks for one that is gone raises Lost."""

    def __init__(self, workers: Sequence[Worker], runs: RunFiles | None, end: Callable[[], None]) -> None:
        """end: ends all of them, when an exception leaves them with work that nobody waits for."""
        self._members = [_Member(worker) for worker in workers]
        self.size = len(self._members)
        self._runs = runs
        self._end = end
        self._next = 0
        self._fetching: deque[Future[None]] = deque()
        self._pool = ThreadPoolExecutor(1, "streamvec-fetch")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            for member in self._members:
                member.worker.call("let_go")
        else:
            self._end()
        self._pool.shutdown(wait=True, cancel_futures=True)

    def submit(self, method: str, item: Any) -> "_Answer":
        """As `Crew.submit`."""
        return self._ask(self._freest(), method, item)

    def each(self, method: str) -> None:
        """As `Crew.each`; all runs are written by then."""
        for answer in [self._ask(member, method) for member in self._members]:
            answer.result()
        while self._fetching:
            self._fetching.popleft().result()

    def answered(self, member: "_Member", kept: list[int]) -> None:
        """Has runs of *member*, each of so many blocks, fetched; raises what went wrong with those before.

        Where more runs wait than there are workers, the oldest is waited for.
        """
        self._fetching += [self._pool.submit(self._fetch, member, blocks) for blocks in kept]
        while self._fetching and (len(self._fetching) > self.size or self._fetching[0].done()):
            self._fetching.popleft().result()

    def _ask(self, member: "_Member", method: str, *item: Any) -> "_Answer":
        call = member.worker.call("call", method, *item)
        member.calls.append(call)
        return _Answer(self, member, call)

    def _freest(self) -> "_Member":
        """The first in turn that has nothing to do, else one that has least."""
        turn = [*self._members[self._next :], *self._members[: self._next]]
        found = next((member for member in turn if not member.busy()), None) or min(turn, key=lambda m: len(m.calls))
        self._next = (self._members.index(found) + 1) % self.size
        return found

    def _fetch(self, member: "_Member", blocks: int) -> None:
        assert self._runs is not None
        streams = member.streams(blocks)
        first = next(streams)
        self._runs.keep(first.schema, (batch for stream in chain([first], streams) for batch in stream))


class _Member:
    """A worker, seen from outside."""

    def __init__(self, worker: Worker) -> None:
        self.worker = worker
        self.calls: deque[Call] = deque()  # that may not be answered yet, in order

    def busy(self) -> bool:
        while self.calls and self.calls[0].is_done:
            self.calls.popleft()
        return bool(self.calls)

    def streams(self, blocks: int) -> Iterator[pa.ipc.RecordBatchStreamReader]:
        """The next blocks that wait there, some asked for while one is used."""
        asked: deque[Call] = deque()
        for number in range(blocks + _AHEAD):
            if number < blocks:
                asked.append(self.worker.call("block"))
            if number >= _AHEAD:
                yield pa.ipc.open_stream(asked.popleft().result())


class _Answer:
    """As `streamvec.corpus.crew.Answer`."""

    def __init__(self, crew: NodeCrew, member: _Member, call: Call) -> None:
        self._crew, self._member, self._call = crew, member, call

    def result(self) -> Any:
        found, kept = self._call.result()
        self._crew.answered(self._member, kept)
        return found


class _Bench:
    """What a worker has in its process: the object that it holds, and runs that are not fetched yet."""

    def __init__(self) -> None:
        self._held: Any = None
        self._blocks: deque[pa.Buffer] = deque()
        self._kept: list[int] = []

    def ready(self) -> None:
        """Answers once the worker is there."""

    def hold(self, keeps: bool, kind: Callable[..., Any], *arguments: Any) -> None:
        """Makes the object; *keeps*: its last argument takes over runs."""
        self._held = kind(*arguments, self._keep) if keeps else kind(*arguments)

    def let_go(self) -> None:
        """Gives back the memory of the object."""
        self._held = None
        give_memory_back()

    def call(self, method: str, *item: Any) -> tuple[Any, list[int]]:
        """What a method of the object returns, and of how many blocks each run is that came of it."""
        self._kept = []
        return getattr(self._held, method)(*item), self._kept

    def block(self) -> pa.Buffer:
        """The next block of the oldest run, a stream of record batches."""
        return self._blocks.popleft()

    def _keep(self, schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> None:
        before = len(self._blocks)
        sent = pa.ipc.IpcWriteOptions(compression="lz4")
        sink = pa.BufferOutputStream()
        stream = pa.ipc.new_stream(sink, schema, options=sent)
        for batch in batches:
            if sink.tell() >= _BLOCK:
                stream.close()
                self._blocks.append(sink.getvalue())
                sink = pa.BufferOutputStream()
                stream = pa.ipc.new_stream(sink, schema, options=sent)
            stream.write_batch(batch)
        stream.close()
        self._blocks.append(sink.getvalue())
        self._kept.append(len(self._blocks) - before)
