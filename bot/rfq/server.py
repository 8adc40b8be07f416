"""The dealer's door: requests over HTTP and WebSocket, each bounded in size, time and number."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

import structlog
from aiohttp import WSMsgType, web

from bot.errors import DealerAddressError, DealerLedgerError, QuoteDeclinedError, QuoteMessageError
from bot.rfq import messages
from bot.rfq.client import DEALER_PATH, QUOTES_PATH, STREAM_PATH
from bot.rfq.dealing import Dealer
from bot.rfq.messages import (
    Code,
    DealerMessage,
    RefusalMessage,
    RequestMessage,
    SignedMessage,
    StreamReply,
    StreamRequest,
    request_of,
    signed_message,
)

_log = structlog.get_logger(__name__)

STATUS: Final = {
    Code.MALFORMED: 400,
    Code.TOO_LARGE: 413,
    Code.BUSY: 429,
    Code.NOT_READY: 503,
}
"""HTTP status of a refusal; 409 where none is given: the request was understood, and declined."""

DECLINED: Final = 409


@dataclass(frozen=True, slots=True)
class ServerOptions:
    """What the door bears.

    Parameters
    ----------
    host : str
        Interface; the loopback one unless a proxy that ends TLS stands in front.
    port : int
        0 takes a free one.
    request_timeout_s : float
        Seconds for a request, its body included.
    at_once : int
        Requests under way; the next is refused.
    streams : int
        WebSockets open at once.
    idle_s : float
        Seconds after which a silent WebSocket is closed.
    """

    host: str = "127.0.0.1"
    port: int = 8600
    request_timeout_s: float = 2.0
    at_once: int = 64
    streams: int = 32
    idle_s: float = 300.0


class DealerServer:
    """Serves one dealer.

    Parameters
    ----------
    dealer : Dealer
        Who answers.
    options : ServerOptions
        What the door bears.
    """

    def __init__(self, dealer: Dealer, options: ServerOptions | None = None) -> None:
        self._dealer: Final = dealer
        self._options: Final = options or ServerOptions()
        self._busy = 0
        self._streams: Final[set[web.WebSocketResponse]] = set()

    def application(self) -> web.Application:
        """Return the application with its routes: those of docs/openapi/rfq.yaml."""
        application = web.Application(client_max_size=messages.MAX_BODY)
        application.router.add_get(DEALER_PATH, self._who)
        application.router.add_post(QUOTES_PATH, self._quote)
        application.router.add_get(STREAM_PATH, self._stream)
        application.on_shutdown.append(self._close_streams)
        return application

    @asynccontextmanager
    async def running(self) -> AsyncIterator[int]:
        """Serve for as long as the context lasts; yield the port.

        Raises
        ------
        DealerAddressError
            If the address is taken, or not ours.
        """
        runner = web.AppRunner(self.application(), access_log=None, shutdown_timeout=1.0)
        await runner.setup()
        try:
            await self._listen(runner)
            port: int = runner.addresses[0][1]
            _log.info("dealer_listens", host=self._options.host, port=port)
            yield port
        finally:
            await runner.cleanup()

    async def _listen(self, runner: web.AppRunner) -> None:
        host, port = self._options.host, self._options.port
        try:
            await web.TCPSite(runner, host, port).start()
        except OSError as error:
            raise DealerAddressError(host, port, (error.strerror or str(error)).lower()) from error

    # --------------------------------------------------------------------------- routes

    async def _who(self, _request: web.Request) -> web.Response:
        identity = self._dealer.identity
        return _json(
            DealerMessage(
                chain_id=identity.domain.chain_id,
                engine="0x" + identity.domain.engine.hex(),
                dealer="0x" + identity.dealer.hex(),
                validity_s=self._dealer.limits.validity_s,
            )
        )

    async def _quote(self, request: web.Request) -> web.Response:
        try:
            async with asyncio.timeout(self._options.request_timeout_s):
                body = await request.read()
                answer = await self._answer(messages.parse(RequestMessage, body))
        except web.HTTPRequestEntityTooLarge:
            answer = _refusal(Code.TOO_LARGE, f"a message has at most {messages.MAX_BODY} bytes")
        except QuoteMessageError as error:
            answer = _refusal(Code.MALFORMED, str(error))
        except TimeoutError:
            answer = _refusal(Code.BUSY, f"no answer within {self._options.request_timeout_s} s")
        if isinstance(answer, SignedMessage):
            return _json(answer)
        return _json(answer, STATUS.get(answer.code, DECLINED))

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        if len(self._streams) >= self._options.streams:
            return _json(_refusal(Code.BUSY, "too many streams are open"), STATUS[Code.BUSY])
        socket = web.WebSocketResponse(
            max_msg_size=messages.MAX_BODY,
            heartbeat=30.0,
            compress=False,
            receive_timeout=self._options.idle_s,
        )
        await socket.prepare(request)
        self._streams.add(socket)
        try:
            async for message in socket:
                if message.type not in (WSMsgType.TEXT, WSMsgType.BINARY):
                    break
                await socket.send_bytes(messages.dump(await self._reply(message.data)))
        except (TimeoutError, ConnectionError):
            pass  # idle, or gone
        finally:
            self._streams.discard(socket)
            await socket.close()
        return socket

    async def _close_streams(self, _application: web.Application) -> None:
        for socket in tuple(self._streams):
            await socket.close()

    # -------------------------------------------------------------------------- answers

    async def _reply(self, data: bytes | str) -> StreamReply:
        try:
            asked = messages.parse(StreamRequest, data)
        except QuoteMessageError as error:
            return StreamReply(refusal=_refusal(Code.MALFORMED, str(error)))
        try:
            async with asyncio.timeout(self._options.request_timeout_s):
                answer = await self._answer(asked.request)
        except TimeoutError:
            answer = _refusal(Code.BUSY, f"no answer within {self._options.request_timeout_s} s")
        if isinstance(answer, SignedMessage):
            return StreamReply(id=asked.id, signed=answer)
        return StreamReply(id=asked.id, refusal=answer)

    async def _answer(self, request: RequestMessage) -> SignedMessage | RefusalMessage:
        domain = self._dealer.identity.domain
        if (request.chain_id, request.engine.lower()) != (domain.chain_id, "0x" + domain.engine.hex()):
            return _refusal(
                Code.WRONG_VENUE, f"quotes hold on chain {domain.chain_id}, engine 0x{domain.engine.hex()}"
            )
        if self._busy >= self._options.at_once:
            return _refusal(Code.BUSY, f"{self._busy} requests are under way")
        self._busy += 1
        try:
            issued = await self._dealer.quote(request_of(request))
        except QuoteDeclinedError as declined:
            _log.info("quote_declined", account=request.account, code=declined.code, reason=declined.detail)
            return _refusal(Code(declined.code), declined.detail)
        except DealerLedgerError as error:
            _log.error("quote_not_written", reason=str(error))
            return _refusal(Code.NOT_READY, "the dealer cannot write its ledger")
        finally:
            self._busy -= 1
        quote = issued.quote
        _log.info(
            "quoted", account=request.account, price=quote.price, amount=quote.max_fill, block=issued.block
        )
        return signed_message(quote, issued.signature)


def _refusal(code: Code, detail: str) -> RefusalMessage:
    return RefusalMessage(code=code, detail=detail[:400])


def _json(message: SignedMessage | RefusalMessage | DealerMessage, status: int = 200) -> web.Response:
    return web.Response(body=messages.dump(message), status=status, content_type="application/json")
