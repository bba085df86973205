"""Who works on the stages of a RUN: threads, or the nodes of a cluster; and what follows where some are lost."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from streamvec.cluster.crew import NodeCrews
from streamvec.cluster.nodes import Cluster, Lost
from streamvec.corpus.crew import Crews, ThreadCrews
from streamvec.corpus.layout import RECORD
from streamvec.disk.pasting import pasted
from streamvec.errors import StreamvecError
from streamvec.training.options import MachineOptions

_LOSSES = 3  # of workers, one after another and without anything kept in between, after which no more are started

Result = TypeVar("Result")


def crews_of(machine: MachineOptions, cluster: Cluster | None) -> Crews:
    """Threads of this machine, or all cores of the nodes that are alive; StreamvecError where none is left."""
    here = ThreadCrews(machine.cores, machine.memory_bytes)
    return here if cluster is None else NodeCrews(cluster, here)


def despite_losses(
    attempt: Callable[[], Result],
    kept: Callable[[], object],
    what: str,
    note: Callable[[str], None],
    folder: Path,
    renew: Callable[[], None] = lambda: None,
) -> Result:
    """What *attempt* returns, which is made again, after *renew*, when it raises Lost.

    kept: tells, by another value, that something to go on from was kept; what: what that is; folder: of the RUN.
    Raises StreamvecError after three losses with nothing kept in between.
    """
    losses, newest = 0, None
    while True:
        try:
            if losses:
                renew()
            return attempt()
        except Lost as lost:
            now = kept()
            losses, newest = (losses + 1 if newest == now else 1), now
            if losses == _LOSSES:
                raise StreamvecError(
                    f"workers of the cluster were lost {losses} times since the last {what} ({lost}): look after its "
                    f"nodes, then go on with: streamvec resume {pasted(folder)}"
                ) from None
            note(f"a worker of the cluster is gone ({lost}): going on from the last {what}")


def records(folder: Path) -> object:
    """What stages keep in *folder* of a RUN to go on from: another value whenever that is more."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.name == RECORD or path.parent == folder:
            found[path] = path.stat().st_mtime_ns if path.name == RECORD else 0
    return found
