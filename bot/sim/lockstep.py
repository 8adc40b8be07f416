"""Lockstep of two processes: the next block is mined once the keeper says that it has acted on this one.

The keeper connects and sends one JSON line for each head: ``{"block": n, "hash": "0x..", "sent": k}``, k
being the transactions that the node has accepted from it. Nothing is sent the other way.
"""

import json
import selectors
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType

HOST = "127.0.0.1"
LONGEST_LINE = 4_096
POLL_S = 0.1


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """The keeper has acted on a head.

    Parameters
    ----------
    block : int
        Height.
    block_hash : str
        Lower case, with ``0x``.
    sent : int
        Transactions that it sent.
    """

    block: int
    block_hash: str
    sent: int


@dataclass
class AcknowledgementServer:
    """Listens on the loopback interface for the keeper's acknowledgements.

    Anyone on this machine could connect, so what does not parse is dropped with its connection, and only the
    acknowledgement of the very head waited for counts.
    """

    _listener: socket.socket = field(init=False)
    _selector: selectors.BaseSelector = field(init=False)
    _buffers: dict[socket.socket, bytes] = field(init=False, default_factory=dict)
    _arrived: dict[int, Acknowledgement] = field(init=False, default_factory=dict)

    def __enter__(self) -> "AcknowledgementServer":
        self._listener = socket.create_server((HOST, 0))
        self._listener.setblocking(False)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for connection in list(self._buffers):
            self._drop(connection)
        self._selector.close()
        self._listener.close()

    @property
    def address(self) -> str:
        """Where the keeper connects, ``host:port``."""
        return f"{HOST}:{self._listener.getsockname()[1]}"

    def wait(
        self, block: int, block_hash: str, timeout_s: float, check: Callable[[], None]
    ) -> Acknowledgement | None:
        """Wait for the acknowledgement of a head.

        Parameters
        ----------
        block, block_hash : int, str
            The head.
        timeout_s : float
            Wall time after which None is returned.
        check : callable
            Called now and then; raises if waiting is pointless.
        """
        deadline = time.monotonic() + timeout_s
        while True:
            arrived = self._arrived.pop(block, None)
            if arrived is not None and arrived.block_hash == block_hash.lower():
                self._arrived = {number: ack for number, ack in self._arrived.items() if number > block}
                return arrived
            left = deadline - time.monotonic()
            if left <= 0:
                return None
            if not self._pump(min(left, POLL_S)):
                check()

    def _pump(self, timeout_s: float) -> bool:
        """Take in what the sockets have; whether they had anything."""
        ready = self._selector.select(timeout_s)
        for key, _ in ready:
            if key.fileobj is self._listener:
                self._accept()
            elif isinstance(key.fileobj, socket.socket):
                self._receive(key.fileobj)
        return bool(ready)

    def _accept(self) -> None:
        connection, _ = self._listener.accept()
        connection.setblocking(False)
        self._buffers[connection] = b""
        self._selector.register(connection, selectors.EVENT_READ)

    def _receive(self, connection: socket.socket) -> None:
        try:
            data = connection.recv(65_536)
        except OSError:
            data = b""
        if not data:
            self._drop(connection)
            return
        *lines, rest = (self._buffers[connection] + data).split(b"\n")
        self._buffers[connection] = rest
        parsed = [parse_acknowledgement(line) for line in lines]
        for acknowledgement in parsed:
            if acknowledgement is not None:
                self._arrived[acknowledgement.block] = acknowledgement
        if None in parsed or len(rest) > LONGEST_LINE:
            self._drop(connection)

    def _drop(self, connection: socket.socket) -> None:
        self._selector.unregister(connection)
        del self._buffers[connection]
        connection.close()


def parse_acknowledgement(line: bytes) -> Acknowledgement | None:
    """Return what a line acknowledges, or None if it is no acknowledgement."""
    try:
        fields = json.loads(line)
        block, block_hash, sent = fields["block"], fields["hash"], fields["sent"]
    except (ValueError, KeyError, TypeError):
        return None
    if not (isinstance(block, int) and isinstance(block_hash, str) and isinstance(sent, int)):
        return None
    return Acknowledgement(block, block_hash.lower(), sent)
