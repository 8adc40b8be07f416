"""One dealer over HTTP or WebSocket: its answers are parsed, bounded in size, and never trusted."""

import asyncio
from types import TracebackType
from typing import Final, Protocol, Self

from aiohttp import (
    ClientConnectionError,
    ClientError,
    ClientSession,
    ClientTimeout,
    ClientWebSocketResponse,
    DummyCookieJar,
    StreamReader,
    TCPConnector,
    WSMsgType,
    WSServerHandshakeError,
)

from bot.chain.endpoint import Endpoint
from bot.chain.trouble import words_of
from bot.errors import DealerUnreachableError, QuoteDeclinedError, QuoteMessageError
from bot.rfq import messages
from bot.rfq.messages import RefusalMessage, RequestMessage, SignedMessage, StreamReply, StreamRequest

QUOTES_PATH: Final = f"/v{messages.VERSION}/quotes"
STREAM_PATH: Final = f"/v{messages.VERSION}/stream"
DEALER_PATH: Final = f"/v{messages.VERSION}/dealer"

_JSON: Final = {"Content-Type": "application/json", "Accept-Encoding": "identity"}
_OK: Final = 200


class DealerLink(Protocol):
    """A way to one dealer."""

    @property
    def label(self) -> str:
        """Scheme, host and port."""
        ...

    async def quote(self, request: RequestMessage) -> SignedMessage:
        """Ask for a quote. What comes back is well formed, and otherwise unproven.

        Raises
        ------
        QuoteDeclinedError
            If the dealer refuses.
        QuoteMessageError
            If the answer is no message of the protocol, or too long for one.
        DealerUnreachableError
            If there is none.
        """
        ...


class HttpDealer:
    """A dealer asked over HTTP, one request each; redirects are not followed, nothing is decompressed.

    Parameters
    ----------
    endpoint : Endpoint
        Base URL of the dealer.
    session : ClientSession
        Shared; see `session_for_dealers`.
    """

    def __init__(self, endpoint: Endpoint, session: ClientSession) -> None:
        self._url: Final = endpoint.url.rstrip("/") + QUOTES_PATH
        self._session: Final = session
        self.label: Final = endpoint.label

    async def quote(self, request: RequestMessage) -> SignedMessage:
        """See `DealerLink.quote`."""
        body = messages.dump(request)
        try:
            async with self._session.post(
                self._url, data=body, headers=_JSON, allow_redirects=False
            ) as response:
                text = await _read(response.content)
                status = response.status
        except (ClientError, OSError, TimeoutError) as error:
            # The cause is cut off on purpose: its text may hold the URL.
            raise DealerUnreachableError(self.label, words_of(error)) from None
        if status == _OK:
            return messages.parse(SignedMessage, text)
        refusal = messages.parse(RefusalMessage, text)
        raise QuoteDeclinedError(refusal.code, refusal.detail)


async def _read(content: StreamReader) -> bytes:
    """Return a body, or its first bytes where it is longer than a message: enough to be refused by length."""
    body = bytearray()
    async for chunk in content.iter_any():
        body += chunk
        if len(body) > messages.MAX_BODY:
            break
    return bytes(body)


class StreamDealer:
    """A dealer asked over one WebSocket, many requests at once; connects when asked, and again when lost.

    Use it as a context manager: on exit its reader ends.

    Parameters
    ----------
    endpoint : Endpoint
        Base URL of the dealer.
    session : ClientSession
        Shared.
    """

    def __init__(self, endpoint: Endpoint, session: ClientSession) -> None:
        self._url: Final = endpoint.url.rstrip("/") + STREAM_PATH
        self._session: Final = session
        self._waiting: Final[dict[int, asyncio.Future[StreamReply]]] = {}
        self._connecting: Final = asyncio.Lock()
        self._socket: ClientWebSocketResponse | None = None
        self._reader: asyncio.Task[None] | None = None
        self._last_id = 0
        self.label: Final = endpoint.label

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._drop()

    async def quote(self, request: RequestMessage) -> SignedMessage:
        """See `DealerLink.quote`."""
        self._last_id += 1
        identifier = self._last_id
        answer: asyncio.Future[StreamReply] = asyncio.get_running_loop().create_future()
        self._waiting[identifier] = answer
        try:
            socket = await self._connected()
            await socket.send_bytes(messages.dump(StreamRequest(id=identifier, request=request)))
            reply = await answer
        except (ClientError, OSError, TimeoutError) as error:
            raise DealerUnreachableError(self.label, words_of(error)) from None
        finally:
            self._waiting.pop(identifier, None)
        if reply.signed is not None:
            return reply.signed
        assert reply.refusal is not None  # the reader lets no other through
        raise QuoteDeclinedError(reply.refusal.code, reply.refusal.detail)

    async def _connected(self) -> ClientWebSocketResponse:
        async with self._connecting:
            if self._socket is None or self._socket.closed:
                await self._drop()
                try:
                    self._socket = await self._session.ws_connect(
                        self._url, max_msg_size=messages.MAX_BODY, heartbeat=15.0, compress=0
                    )
                except WSServerHandshakeError as error:
                    raise DealerUnreachableError(self.label, f"HTTP status {error.status}") from None
                self._reader = asyncio.create_task(self._read(self._socket), name=f"dealer {self.label}")
            return self._socket

    async def _read(self, socket: ClientWebSocketResponse) -> None:
        """Hand answers to those who wait for them, until the socket ends."""
        async for message in socket:
            if message.type not in (WSMsgType.TEXT, WSMsgType.BINARY):
                break
            try:
                reply = messages.parse(StreamReply, message.data)
                if (reply.signed is None) == (reply.refusal is None):
                    raise QuoteMessageError("message", "both or neither", "a quote or a refusal")
            except QuoteMessageError as error:
                self._fail(error)  # whom it was meant for is unknown: the stream cannot be trusted any more
                break
            waiting = self._waiting.get(reply.id) if reply.id is not None else None
            if waiting is not None and not waiting.done():
                waiting.set_result(reply)
        await socket.close()
        too_large = isinstance(socket.exception(), Exception) or socket.close_code == 1009
        self._fail(
            QuoteMessageError("message", "a frame", f"at most {messages.MAX_BODY} bytes, and well formed")
            if too_large
            else ClientConnectionError("the dealer closed the stream")
        )

    def _fail(self, error: Exception) -> None:
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(error)

    async def _drop(self) -> None:
        reader, self._reader = self._reader, None
        socket, self._socket = self._socket, None
        if socket is not None:
            await socket.close()
        if reader is not None:
            reader.cancel()
            await asyncio.wait([reader])


def session_for_dealers(timeout_s: float) -> ClientSession:
    """Return a session that keeps no cookies, follows no proxy of the environment, and ends requests in time.

    Parameters
    ----------
    timeout_s : float
        Seconds for a whole request.
    """
    return ClientSession(
        connector=TCPConnector(limit=0),  # each dealer has its own limit: the slow take none from the others
        cookie_jar=DummyCookieJar(),
        timeout=ClientTimeout(total=timeout_s),
        auto_decompress=False,
        trust_env=False,
    )
