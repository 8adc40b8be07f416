"""JSON-RPC over one WebSocket.

web3.py's own provider is not used here: it spins on the event loop while it waits, has one slot for
batches, prints the URL, and skips what was missed while the socket was down.
"""

from collections.abc import AsyncIterator
from typing import Self

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException

from bot.chain.endpoint import Endpoint
from bot.chain.stream import MAX_MESSAGE_BYTES, StreamConnection, StreamLostError
from bot.chain.trouble import words_of
from bot.errors import EndpointUnreachableError


class WebSocketConnection(StreamConnection):
    """One open socket. Make one with `open`, end it with `close`."""

    def __init__(self, endpoint: Endpoint, socket: ClientConnection) -> None:
        self._socket = socket
        super().__init__(endpoint)

    @classmethod
    async def open(cls, endpoint: Endpoint, *, connect_timeout_s: float, ping_timeout_s: float) -> Self:
        """Connect.

        Raises
        ------
        EndpointUnreachableError
            If the socket is not open within ``connect_timeout_s`` seconds.
        """
        try:
            socket = await connect(
                endpoint.url,
                open_timeout=connect_timeout_s,
                ping_interval=ping_timeout_s,
                ping_timeout=ping_timeout_s,
                close_timeout=1.0,
                max_size=MAX_MESSAGE_BYTES,
                compression=None,
                proxy=None,
            )
        except (OSError, TimeoutError, WebSocketException) as error:
            # The cause is cut off on purpose: its text may hold the URL.
            raise EndpointUnreachableError(endpoint.label, _describe(error)) from None
        return cls(endpoint, socket)

    async def _transmit(self, message: bytes) -> None:
        try:
            await self._socket.send(message, text=True)
        except ConnectionClosed as error:
            raise StreamLostError(_describe(error)) from None

    async def _messages(self) -> AsyncIterator[str | bytes]:
        try:
            async for message in self._socket:
                yield message
        except ConnectionClosed as error:
            raise StreamLostError(_describe(error)) from None

    async def _shut(self) -> None:
        await self._socket.close()


def _describe(error: BaseException) -> str:
    """Return what went wrong, without the URL that the error's own text may hold."""
    if isinstance(error, InvalidStatus):
        return f"HTTP status {error.response.status_code}"
    if isinstance(error, TimeoutError):
        return "no connection in time"
    if isinstance(error, ConnectionClosed):
        return "the connection was lost"
    return words_of(error)
