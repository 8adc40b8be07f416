"""Lockstep: after each head, one line of JSON to whoever mines the next block."""

import asyncio
import contextlib
import json
from types import TracebackType
from typing import Self

import structlog

from bot.errors import AcknowledgerUnreachableError
from bot.ports import Head

_log = structlog.get_logger(__name__)

_CONNECT_TIMEOUT_S = 5.0
_ATTEMPTS = 3


class TcpAcknowledger:
    """`bot.ports.HeadAcknowledger` over TCP: ``{"block": n, "hash": "0x..", "sent": k}`` and a newline.

    Connects on entry; if the connection is lost, the next acknowledgement connects again.

    Parameters
    ----------
    host, port : str, int
        Who listens.
    """

    def __init__(self, host: str, port: int) -> None:
        self._host = host
        self._port = port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def __aenter__(self) -> Self:
        """Connect.

        Raises
        ------
        AcknowledgerUnreachableError
            If nobody listens.
        """
        await self._connect()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._disconnect()

    async def acknowledge(self, head: Head, sent: int) -> None:
        """See `bot.ports.HeadAcknowledger.acknowledge`.

        Raises
        ------
        AcknowledgerUnreachableError
            If the line cannot be delivered: the driver is gone, and nobody will mine again.
        """
        line = json.dumps({"block": head.number, "hash": head.hash, "sent": sent}).encode() + b"\n"
        for _ in range(_ATTEMPTS):
            reader, writer = self._streams if self._streams is not None else await self._connect()
            try:
                if reader.at_eof():  # a write into a closed connection would seem to succeed
                    raise ConnectionResetError
                writer.write(line)
                await writer.drain()
            except ConnectionError:
                _log.warning("acknowledger_lost", host=self._host, port=self._port)
                await self._disconnect()
            else:
                return
        raise AcknowledgerUnreachableError(self._host, self._port, "the connection is lost each time")

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        try:
            async with asyncio.timeout(_CONNECT_TIMEOUT_S):
                self._streams = await asyncio.open_connection(self._host, self._port)
        except (OSError, TimeoutError) as error:
            detail = "no connection in time" if isinstance(error, TimeoutError) else "connection refused"
            raise AcknowledgerUnreachableError(self._host, self._port, detail) from error
        return self._streams

    async def _disconnect(self) -> None:
        streams, self._streams = self._streams, None
        if streams is not None:
            streams[1].close()
            with contextlib.suppress(ConnectionError):
                await streams[1].wait_closed()


class SilentAcknowledger:
    """`bot.ports.HeadAcknowledger` where nobody asked for word."""

    async def acknowledge(self, head: Head, sent: int) -> None:
        """Do nothing."""
