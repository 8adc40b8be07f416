"""JSON-RPC over a local socket, as nodes serve it to their own machine: one JSON text after the other."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Self

import orjson

from bot.chain.endpoint import Endpoint
from bot.chain.stream import MAX_MESSAGE_BYTES, StreamConnection, StreamLostError
from bot.chain.trouble import words_of
from bot.errors import EndpointUnreachableError

_CHUNK_BYTES = 1 << 18
_TEXT_ENDS = (b"}", b"]")


class MessageTooLongError(ValueError):
    """More bytes came than a message may have, and no end of it."""


class MessageCutter:
    """Cuts a stream of bytes into JSON texts.

    Nodes end each text with a line break; those that do not are recognised by a text that is whole where
    the bytes pause.

    Parameters
    ----------
    limit : int
        Most bytes of one text.
    """

    def __init__(self, limit: int = MAX_MESSAGE_BYTES) -> None:
        self._limit = limit
        self._parts: list[bytes] = []
        self._held = 0

    def feed(self, chunk: bytes) -> list[bytes]:
        """Return the texts that are whole with these bytes, oldest first.

        Raises
        ------
        MessageTooLongError
            If a text passes the limit: nothing more can be made of the stream.
        """
        *lines, rest = chunk.split(b"\n")
        texts = []
        for line in lines:
            texts.append(b"".join([*self._parts, line]))
            self._parts, self._held = [], 0
        if rest:
            self._parts.append(rest)
            self._held += len(rest)
        if self._held > self._limit:
            raise MessageTooLongError
        if rest.endswith(_TEXT_ENDS):
            texts += self._whole()
        return [text for text in texts if text.strip()]

    def _whole(self) -> list[bytes]:
        text = b"".join(self._parts)
        self._parts = [text]
        try:
            orjson.loads(text)
        except orjson.JSONDecodeError:
            return []
        self._parts, self._held = [], 0
        return [text]


class IpcConnection(StreamConnection):
    """One open local socket. Make one with `open`, end it with `close`."""

    def __init__(
        self, endpoint: Endpoint, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._stream = reader
        self._writer = writer
        super().__init__(endpoint)

    @classmethod
    async def open(cls, endpoint: Endpoint, *, connect_timeout_s: float) -> Self:
        """Connect.

        Raises
        ------
        EndpointUnreachableError
            If the socket is not open within ``connect_timeout_s`` seconds.
        """
        try:
            async with asyncio.timeout(connect_timeout_s):
                reader, writer = await asyncio.open_unix_connection(endpoint.path, limit=_CHUNK_BYTES)
        except TimeoutError:
            raise EndpointUnreachableError(endpoint.label, "no connection in time") from None
        except OSError as error:
            raise EndpointUnreachableError(endpoint.label, words_of(error)) from None
        return cls(endpoint, reader, writer)

    async def _transmit(self, message: bytes) -> None:
        try:
            self._writer.write(message + b"\n")
            await self._writer.drain()
        except (ConnectionError, RuntimeError):  # RuntimeError: the transport is closing
            raise StreamLostError("the connection was lost") from None

    async def _messages(self) -> AsyncIterator[str | bytes]:
        cutter = MessageCutter()
        try:
            while chunk := await self._stream.read(_CHUNK_BYTES):
                for text in cutter.feed(chunk):
                    yield text
        except ConnectionError:
            raise StreamLostError("the connection was lost") from None
        except MessageTooLongError:
            self._writer.close()
            raise StreamLostError("a message was longer than is read") from None

    async def _shut(self) -> None:
        self._writer.close()
        with suppress(ConnectionError):
            await self._writer.wait_closed()
