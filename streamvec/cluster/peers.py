"""Sockets between the workers that hold a model's slices: each is connected to each other one, by TCP.

Who connects has to show a secret that the workers were given by the one who started them.
"""

import contextlib
import hmac
import socket
import time

import numpy as np

from streamvec.errors import StreamvecError
from streamvec.kernels.exchange import FIRST, LAST, PEER_WORDS, SENT, SOCKET, Peers

_CONNECTING = 30.0  # seconds
_STRANGER = 2.0  # seconds in which who connects has to say the secret
_SILENCE = 20  # seconds after which a machine that answers nothing is taken for gone
_BUFFER = 4 << 20


class Wires:
    """One worker's sockets, and the table of them that kernels read."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret
        self._listening = socket.create_server(("", 0), backlog=64)
        self._sockets: list[socket.socket] = []
        self._table = np.zeros((0, PEER_WORDS), np.int64)
        self._polled, self._failed = np.zeros(0, np.int64), np.zeros(1, np.int64)

    @property
    def port(self) -> int:
        """Where others connect to."""
        return int(self._listening.getsockname()[1])

    @property
    def sent(self) -> int:
        """Bytes sent to all others so far."""
        return int(self._table[:, SENT].sum())

    def meet(self, number: int, addresses: list[tuple[str, int]], slices: list[tuple[int, int]]) -> Peers:
        """Connects to all workers before *number*, and is connected to by all behind it.

        addresses: (host, port) of each worker; slices: (first, one past the last) that each holds. All have to call
        this at about the same time. StreamvecError where a connection cannot be had.
        """
        others = [other for other in range(len(addresses)) if other != number]
        met: dict[int, socket.socket] = {}
        try:
            for other in others[:number]:
                wire = socket.create_connection(addresses[other], _CONNECTING)
                wire.sendall(self._secret + number.to_bytes(4, "little"))
                met[other] = wire
            until = time.monotonic() + _CONNECTING
            while len(met) < len(others):
                self._listening.settimeout(max(0.01, until - time.monotonic()))
                wire, _ = self._listening.accept()
                stranger = self._introduced(wire)
                if stranger is not None and number < stranger < len(addresses):
                    met[stranger] = wire
                else:
                    wire.close()
        except OSError as problem:
            raise StreamvecError(
                f"worker {number} at {addresses[number][0]} cannot be connected to all others ({problem}): nodes must "
                "reach one another by TCP, at any port"
            ) from None
        finally:
            self._listening.close()
        self._sockets = [met[other] for other in others]
        self._table = np.zeros((len(others), PEER_WORDS), np.int64)
        self._polled = np.zeros(max(1, len(others)), np.int64)
        for row, wire, other in zip(self._table, self._sockets, others, strict=True):
            _prepare(wire)
            row[SOCKET], (row[FIRST], row[LAST]) = wire.fileno(), slices[other]
        table, polled, failed = (int(array.ctypes.data) for array in (self._table, self._polled, self._failed))
        return Peers(len(others), table, polled, failed, socket.MSG_DONTWAIT | getattr(socket, "MSG_NOSIGNAL", 0))

    def _introduced(self, wire: socket.socket) -> int | None:
        """Which worker has connected; None for a stranger, who is not waited for long."""
        wire.settimeout(_STRANGER)
        try:
            said = _received(wire, len(self._secret) + 4)
        except OSError:
            return None
        return int.from_bytes(said[-4:], "little") if hmac.compare_digest(said[:-4], self._secret) else None

    def close(self) -> None:
        """Closes all sockets: the others will find this worker gone."""
        for wire in self._sockets:
            with contextlib.suppress(OSError):  # the other end may have been faster
                wire.shutdown(socket.SHUT_RDWR)
            wire.close()


def _prepare(wire: socket.socket) -> None:
    """Sends at once, and tells a machine that went silent."""
    wire.setblocking(False)
    wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    wire.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in (("TCP_KEEPIDLE", 5), ("TCP_KEEPINTVL", 5), ("TCP_KEEPCNT", 3)):
        if hasattr(socket, name):
            wire.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 1000 * _SILENCE)
    for name in ("SO_SNDBUF", "SO_RCVBUF"):
        wire.setsockopt(socket.SOL_SOCKET, getattr(socket, name), _BUFFER)


def _received(wire: socket.socket, size: int) -> bytes:
    parts = b""
    while len(parts) < size:
        part = wire.recv(size - len(parts))
        if not part:
            break
        parts += part
    return parts
