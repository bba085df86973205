"""The nodes of a Ray cluster, and workers on them: all that this project knows of Ray.

A worker is an actor that holds one object and calls its methods in the order of their numbers. It is never restarted by
itself: who meets `Lost` begins again from what is on disk, with the nodes that are left, as after a kill of its own.
"""

import contextlib
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from importlib.metadata import version
from types import ModuleType, TracebackType
from typing import Any, NamedTuple, Self

from streamvec.errors import StreamvecError

AUTO = "auto"
_STORE = 512 << 20  # bytes of the object store of a Ray that is started here: blocks of text and record batches
_CONNECTING = 5.0  # seconds
_PATIENCE = 40.0  # seconds that answers are waited for once another call has failed
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Lost(Exception):
    """A worker, or its node, is gone; what it did since the last record or checkpoint is to be done again."""


class Stuck(StreamvecError):
    """Ray itself cannot go on, for whatever reason: another node may be gone, too."""


class Node(NamedTuple):
    """A machine of the cluster."""

    id: str
    address: str
    cores: int
    memory: int  # bytes that Ray may give away there


class Call:
    """The answer of a worker, which may not be there yet."""

    def __init__(self, ray: ModuleType, reference: Any) -> None:
        self._ray = ray
        self.reference = reference  # Ray's own

    def result(self) -> Any:
        """The answer, waited for; raises what the worker raised, or Lost."""
        with _as_here(self._ray):
            return self._ray.get(self.reference)

    @property
    def is_done(self) -> bool:
        """Whether `result` would not wait."""
        return bool(self._ray.wait([self.reference], timeout=0)[0])


class Worker:
    """A worker on a node, seen from outside."""

    def __init__(self, ray: ModuleType, actor: Any, node: Node) -> None:
        self._ray = ray
        self._actor = actor
        self._calls = 0
        self._numbering = threading.Lock()  # several threads call: numbers are to come in order
        self.node = node

    def call(self, method: str, *arguments: Any) -> Call:
        """Begins a call of a method of the worker's object; an argument that is a `Call` stands for its answer, which
        goes from worker to worker, and which this one waits for."""
        given = [one.reference if isinstance(one, Call) else one for one in arguments]
        with self._numbering, _as_here(self._ray):
            self._calls += 1
            return Call(self._ray, self._actor.call.remote(self._calls, method, *given))

    def end(self) -> None:
        """Ends the process of the worker."""
        with contextlib.suppress(Exception):
            self._ray.kill(self._actor)


class Cluster:
    """A connection to a Ray cluster; to be used in a ``with`` block."""

    def __init__(self, address: str) -> None:
        """address: of the cluster's head, or "auto": the cluster that this machine belongs to, or one of its own.

        Raises StreamvecError where Ray is not installed, or nothing answers at the address.
        """
        self._ray = _imported()
        self._connect(address)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        with _same_signals():
            self._ray.shutdown()

    def nodes(self) -> list[Node]:
        """The nodes that are alive and have a processor, in the order of their ids."""
        found = []
        for node in self._ray.nodes():
            resources = node.get("Resources", {})
            if node.get("Alive") and resources.get("CPU", 0) >= 1:
                address, memory = node["NodeManagerAddress"], int(resources.get("memory", 0))
                found.append(Node(node["NodeID"], address, int(resources["CPU"]), memory))
        return sorted(found)

    def start(self, node: Node, kind: Callable[..., Any], *arguments: Any) -> Worker:
        """A worker on *node* that holds ``kind(*arguments)``; what its constructor raises, its first call raises.

        It takes none of the processors that Ray counts: who starts one a core sees to it that there are no more.
        """
        strategy = self._ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(node.id, soft=False)
        host = self._ray.remote(num_cpus=0, max_restarts=0, scheduling_strategy=strategy)(_Host)
        with _as_here(self._ray):
            return Worker(self._ray, host.remote(version("streamvec"), kind, *arguments), node)

    def share(self, value: Any) -> Any:
        """Puts *value* where workers find it: an argument of calls in its place, which is sent to each node once."""
        with _as_here(self._ray):
            return self._ray.put(value)

    def answers(self, calls: Sequence[Call]) -> list[Any]:
        """What all *calls* return, in their order.

        Where one raises something, the others are waited for only a little longer, as they may wait for it; then what
        a worker says is wrong is raised before Lost, which may have come of that, and Lost before any other error.
        """
        found: dict[Any, Any] = {}
        problems: list[Exception] = []
        waiting = [call.reference for call in calls]
        while waiting:
            with _as_here(self._ray):
                done, waiting = self._ray.wait(waiting, timeout=_PATIENCE if problems else None)
            if not done:
                break
            for reference in done:
                try:
                    with _as_here(self._ray):
                        found[reference] = self._ray.get(reference)
                except Exception as problem:
                    problems.append(problem)
        if problems:
            raise min(problems, key=_rank)
        return [found[call.reference] for call in calls]

    def _connect(self, address: str) -> None:
        quiet = {"logging_level": "error", "log_to_driver": False}
        if self._ray.is_initialized():
            raise StreamvecError("this process is connected to Ray already: end that with ray.shutdown() before")
        with _same_signals():
            try:
                if address != AUTO:
                    _refuse_silence(address)
                    self._ray.init(address=address, **quiet)
                    return
                try:
                    self._ray.init(address="auto", **quiet)
                except ConnectionError:
                    alone = {"include_dashboard": False, "object_store_memory": _STORE}
                    self._ray.init(address="local", **alone, **quiet)
            except (ConnectionError, OSError, RuntimeError, ValueError) as problem:
                raise StreamvecError(
                    f"no Ray cluster answers at {address} ({problem}): give the address of its head, such as "
                    "10.0.0.1:6379, or start one with ray start --head"
                ) from None


def _rank(problem: Exception) -> int:
    """What is told first of several problems at the same time."""
    if isinstance(problem, StreamvecError) and not isinstance(problem, Stuck):
        return 0
    return 1 if isinstance(problem, Lost) else 2


class _Host:
    """The object of a worker, within its process."""

    def __init__(self, stated: str, kind: Callable[..., Any], *arguments: Any) -> None:
        self._stated, self._kind, self._arguments = stated, kind, arguments
        self._held: Any = None
        self._calls = 0

    def call(self, number: int, method: str, *arguments: Any) -> Any:
        if number != self._calls + 1:
            raise Lost(f"call {number} came behind call {self._calls}")
        self._calls = number
        if self._held is None:  # here, since what an actor's constructor raises does not reach who started it
            self._held = self._made()
        return getattr(self._held, method)(*arguments)

    def _made(self) -> Any:
        here = version("streamvec")
        if here != self._stated:
            raise StreamvecError(
                f"a node has streamvec {here}, and {self._stated} is here: install the same on all nodes"
            )
        return self._kind(*self._arguments)


def _refuse_silence(address: str) -> None:
    """OSError where nothing listens at HOST:PORT, ValueError for another address: Ray would try for many minutes."""
    host, colon, port = address.rpartition(":")
    if not (colon and host and port.isdigit()) or "/" in host:
        raise ValueError("an address is HOST:PORT")
    socket.create_connection((host.strip("[]"), int(port)), _CONNECTING).close()


def _imported() -> ModuleType:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_IGNORE_UNHANDLED_ERRORS", "1")  # answers that nobody waits for when a worker is lost
    try:
        import ray
        import ray.util.scheduling_strategies
    except ImportError as problem:
        raise StreamvecError(
            f"--cluster needs Ray, which is not installed here ({problem}): pip install 'streamvec[ray]'"
        ) from None
    return ray


@contextlib.contextmanager
def _same_signals() -> Iterator[None]:
    """Signals are answered as before: Ray would have SIGTERM end this process at once, unsaved."""
    before = {number: signal.getsignal(number) for number in _SIGNALS}
    try:
        yield
    finally:
        if threading.current_thread() is threading.main_thread():  # in another, Ray sets none either
            for number, handler in before.items():
                signal.signal(number, handler)


@contextlib.contextmanager
def _as_here(ray: ModuleType) -> Iterator[None]:
    """What a worker raised is raised here as it was; that there is none any more as Lost."""
    errors = ray.exceptions
    gone = (
        *(errors.RayActorError, errors.ActorUnschedulableError, errors.NodeDiedError),
        *(errors.ObjectLostError, errors.WorkerCrashedError, errors.OutOfMemoryError),
    )
    try:
        yield
    except errors.RayTaskError as problem:
        if isinstance(problem.cause, gone):  # what it was to be given
            raise Lost(str(problem.cause).splitlines()[0]) from None
        raise problem.cause from None
    except gone as problem:
        if getattr(problem, "actor_init_failed", False):  # what it was to hold cannot even be named there
            last = str(problem).splitlines()[-1]
            raise StreamvecError(
                f"a worker cannot begin on a node ({last}): install the same streamvec on all"
            ) from None
        raise Lost(str(problem).splitlines()[0]) from None
    except errors.RayError as problem:
        first = (str(problem) or type(problem).__name__).splitlines()[0]
        raise Stuck(f"Ray cannot go on ({first}): look after the cluster, then go on with resume") from None
