"""The dealer's door over HTTP and WebSocket, and the keeper's client at the other end of it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import orjson
import pytest
from aiohttp import ClientSession, WSMsgType, web

from bot.chain.endpoint import Endpoint
from bot.errors import (
    DealerAddressError,
    DealerLedgerError,
    DealerUnreachableError,
    QuoteDeclinedError,
    QuoteMessageError,
)
from bot.rfq import messages
from bot.rfq.client import HttpDealer, StreamDealer, session_for_dealers
from bot.rfq.dealing import Dealer
from bot.rfq.messages import quote_of, request_message
from bot.rfq.server import DealerServer, ServerOptions
from tests.support.dealing import DEALER, a_dealer, asked, scene, view_of
from tests.support.rfq import DOMAIN, ENGINE, a_key, a_quote, address_of, quote_body

SMALL = ServerOptions(port=0, request_timeout_s=10, at_once=4, streams=2)


@asynccontextmanager
async def door(dealer: Dealer | None = None, options: ServerOptions = SMALL) -> AsyncIterator[str]:
    if dealer is None:
        dealer = a_dealer()
        await dealer.show(view_of(scene()))
    async with DealerServer(dealer, options).running() as port:
        yield f"http://127.0.0.1:{port}"


def a_message(**changes: Any) -> dict[str, Any]:
    message = request_message(asked(account=b"\xb0" * 20), DOMAIN.chain_id, ENGINE)
    return message.model_dump() | changes


async def posted(url: str, body: bytes) -> tuple[int, dict[str, Any]]:
    async with ClientSession() as session, session.post(f"{url}/v1/quotes", data=body) as response:
        assert response.content_type == "application/json"
        return response.status, await response.json()


# -------------------------------------------------------------------------------- honest use


@pytest.fixture
async def named_dealer() -> Dealer:
    """Return a dealer with an account in row 1: row 0 has the zero address, which is nobody."""
    made = scene()
    made.account({"WETH": 10}, {"USDC": 1_700})
    made.auction(1, ["WETH"], age=600)
    dealer = a_dealer()
    await dealer.show(view_of(made))
    return dealer


SOMEBODY = (1).to_bytes(20)


@pytest.mark.parametrize("kind", [HttpDealer, StreamDealer])
async def test_a_quote_arrives_as_it_was_signed(kind: Any, named_dealer: Dealer) -> None:
    async with door(named_dealer) as url, session_for_dealers(2.0) as session:
        link = kind(Endpoint.parse(url), session)
        message = request_message(asked(account=SOMEBODY), DOMAIN.chain_id, ENGINE)
        quote, signature = quote_of(await link.quote(message))
        (issued,) = named_dealer.live
        assert (quote, signature) == (issued.quote, issued.signature)
        if isinstance(link, StreamDealer):
            await link.__aexit__(None, None, None)


async def test_many_requests_share_one_stream_and_find_their_answers(named_dealer: Dealer) -> None:
    async with (
        door(named_dealer) as url,
        session_for_dealers(2.0) as session,
        StreamDealer(Endpoint.parse(url), session) as link,
    ):
        fillers = [bytes([number]) * 20 for number in range(1, 7)]
        requests = [asked(account=SOMEBODY, filler=filler, amount=10**17) for filler in fillers]
        sent = [request_message(request, DOMAIN.chain_id, ENGINE) for request in requests]
        answers = await asyncio.gather(*(link.quote(message) for message in sent))
    assert [quote_of(answer)[0].filler for answer in answers] == fillers


async def test_the_dealer_says_who_it_is() -> None:
    async with door() as url, ClientSession() as session, session.get(f"{url}/v1/dealer") as response:
        said = await response.json()
    assert bytes.fromhex(said["dealer"][2:]) == DEALER
    assert (said["chain_id"], said["version"], said["validity_s"]) == (31337, 1, 36)


@pytest.mark.parametrize("kind", [HttpDealer, StreamDealer])
async def test_a_refusal_has_its_code_and_its_reason(kind: Any) -> None:
    async with door() as url, session_for_dealers(2.0) as session:
        link = kind(Endpoint.parse(url), session)
        with pytest.raises(QuoteDeclinedError, match="no auction") as declined:
            await link.quote(request_message(asked(account=b"\xb0" * 20), DOMAIN.chain_id, ENGINE))
        assert declined.value.code == "not_for_sale"
        if isinstance(link, StreamDealer):
            await link.__aexit__(None, None, None)


# ------------------------------------------------------------------------------- bad requests


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"", 400, "malformed"),
        (b"{", 400, "malformed"),
        (b"[]", 400, "malformed"),
        (b"\xff", 400, "malformed"),
        (orjson.dumps({"account": 1}), 400, "malformed"),
        (b"x" * (messages.MAX_BODY + 1), 413, "too_large"),
        (orjson.dumps(a_message(chain_id=1)), 409, "wrong_venue"),
        (orjson.dumps(a_message(engine="0x" + "99" * 20)), 409, "wrong_venue"),
        (orjson.dumps(a_message(filler="0x" + "00" * 20)), 400, "malformed"),
        (orjson.dumps(a_message(amount="-1")), 400, "malformed"),
        (orjson.dumps(a_message(amount=5)), 400, "malformed"),
        (orjson.dumps(a_message(debt_id=64)), 400, "malformed"),
        (orjson.dumps(a_message(extra=1)), 400, "malformed"),
    ],
)
async def test_a_bad_request_is_refused_with_a_reason(body: bytes, status: int, code: str) -> None:
    async with door() as url:
        answered, said = await posted(url, body)
    assert (answered, said["code"]) == (status, code)
    assert said["detail"]


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (orjson.dumps({}), "chain_id must be given"),
        (orjson.dumps(a_message(extra=1)), "extra must be left out, and is 1"),
        (orjson.dumps(a_message(account="nobody")), "account must be text of the pattern '^0x"),
        (orjson.dumps(a_message(filler="0x" + "00" * 20)), "filler must be an address other than zero"),
        (orjson.dumps(a_message(filler="0x" + "aA" * 20)), "filler must be an address; in mixed case"),
        (b"[]", "message must be a JSON object, and is []"),
    ],
)
async def test_a_bad_request_is_refused_in_the_words_of_the_protocol(body: bytes, says: str) -> None:
    async with door() as url:
        _, said = await posted(url, body)
    assert said["detail"].startswith(says)
    assert "Message" not in said["detail"], "a class is none of the asker's business"


async def test_a_port_that_is_taken_is_told_with_its_setting() -> None:
    async with door() as url:
        port = int(url.rpartition(":")[2])
        with pytest.raises(DealerAddressError, match=rf"127\.0\.0\.1:{port}.*in use.*server\.port"):
            async with door(options=ServerOptions(port=port)):
                pass


async def test_a_frame_that_is_no_request_is_answered_and_the_stream_lives_on() -> None:
    async with door() as url, ClientSession() as session, session.ws_connect(f"{url}/v1/stream") as socket:
        for frame in ("", "{", "[]", '{"id": 1}', '{"id": -1, "request": {}}'):
            await socket.send_str(frame)
            said = orjson.loads((await socket.receive(timeout=2)).data)
            assert said["refusal"]["code"] == "malformed"
            assert "id" not in said


async def test_a_frame_beyond_the_limit_ends_the_stream() -> None:
    async with door() as url, ClientSession() as session, session.ws_connect(f"{url}/v1/stream") as socket:
        await socket.send_bytes(b"x" * (messages.MAX_BODY + 1))
        assert (await socket.receive(timeout=2)).type in (WSMsgType.CLOSE, WSMsgType.CLOSED, WSMsgType.ERROR)


async def test_streams_beyond_the_limit_are_refused() -> None:
    async with door() as url, ClientSession() as session:
        first = await session.ws_connect(f"{url}/v1/stream")
        second = await session.ws_connect(f"{url}/v1/stream")
        async with session.get(f"{url}/v1/stream") as third:
            assert third.status == 429
        await first.close()
        await second.close()


async def test_a_body_that_never_ends_is_given_up() -> None:
    async def drip() -> AsyncIterator[bytes]:
        for _ in range(100):
            yield b" "
            await asyncio.sleep(0.05)

    async with door(options=replace(SMALL, request_timeout_s=0.5)) as url, ClientSession() as session:
        started = asyncio.get_running_loop().time()
        try:
            async with session.post(f"{url}/v1/quotes", data=drip()) as response:
                assert response.status == 429
        except ConnectionError:
            pass  # the server has hung up while the body was being sent
        assert asyncio.get_running_loop().time() - started < 3


class Stuck:
    """A dealer whose answer takes for ever, or fails."""

    def __init__(self, error: Exception | None = None) -> None:
        self._dealer = a_dealer()
        self._error = error

    def __getattr__(self, name: str) -> Any:
        return getattr(self._dealer, name)

    async def quote(self, _request: Any) -> Any:
        if self._error is not None:
            raise self._error
        await asyncio.sleep(60)


async def test_too_many_requests_at_once_are_refused_and_none_hangs() -> None:
    stuck: Any = Stuck()
    async with door(stuck, replace(SMALL, request_timeout_s=2)) as url:
        body = orjson.dumps(a_message())
        answers = await asyncio.gather(*(posted(url, body) for _ in range(8)))
    assert [(status, said["code"]) for status, said in answers] == [(429, "busy")] * 8
    assert sum("under way" in said["detail"] for _, said in answers) == 4


async def test_a_ledger_that_fails_stops_the_quoting_and_not_the_server() -> None:
    broken: Any = Stuck(DealerLedgerError("dealer.sqlite", "disk full"))
    async with door(broken) as url:
        for _ in range(2):
            status, said = await posted(url, orjson.dumps(a_message()))
            assert (status, said["code"]) == (503, "not_ready")
            assert "dealer.sqlite" not in said["detail"]


# ------------------------------------------------------------------- a stream that misbehaves


@asynccontextmanager
async def stream_of(*frames: bytes | None) -> AsyncIterator[str]:
    """Serve a WebSocket that answers each message with the next frame; None closes it."""

    async def handle(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        for frame in frames:
            await socket.receive()
            if frame is None:
                break
            await socket.send_bytes(frame)
        else:
            await socket.receive()
        await socket.close()
        return socket

    application = web.Application()
    application.router.add_get("/v1/stream", handle)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def reply(**content: Any) -> bytes:
    return orjson.dumps(content)


@pytest.mark.parametrize(
    "frame",
    [
        b"nonsense",
        b"",
        reply(id=1),
        reply(id=1, refusal={"code": "whim", "detail": ""}),
        reply(
            id=1,
            refusal={"code": "limit", "detail": ""},
            signed=orjson.loads(quote_body(a_quote(a_key()), a_key())),
        ),
        b" " * (messages.MAX_BODY + 1),
    ],
    ids=["nonsense", "empty", "neither", "unknown-code", "both", "huge"],
)
async def test_a_frame_that_is_no_answer_is_a_fault(frame: bytes) -> None:
    async with (
        stream_of(frame) as url,
        session_for_dealers(2.0) as session,
        StreamDealer(Endpoint.parse(url), session) as link,
    ):
        with pytest.raises(QuoteMessageError):
            async with asyncio.timeout(2):
                await link.quote(request_message(asked(account=SOMEBODY), DOMAIN.chain_id, ENGINE))


async def test_a_stream_that_closes_is_silence_and_the_next_request_connects_again() -> None:
    key = a_key()
    good = reply(id=2, signed=orjson.loads(quote_body(a_quote(key), key)))
    frames = iter([(None,), (good,)])

    async def handle(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        for frame in next(frames):
            await socket.receive()
            if frame is not None:
                await socket.send_bytes(frame)
        await socket.close()
        return socket

    application = web.Application()
    application.router.add_get("/v1/stream", handle)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    message = request_message(asked(account=SOMEBODY), DOMAIN.chain_id, ENGINE)
    async with session_for_dealers(2.0) as session:
        endpoint = Endpoint.parse(f"http://127.0.0.1:{runner.addresses[0][1]}")
        async with StreamDealer(endpoint, session) as link:
            with pytest.raises(DealerUnreachableError):
                await link.quote(message)
            quote, _ = quote_of(await link.quote(message))
    await runner.cleanup()
    assert quote.dealer == address_of(key)


async def test_an_error_shows_the_dealers_label_and_never_its_url() -> None:
    async with session_for_dealers(0.5) as session:
        link = HttpDealer(Endpoint.parse("http://user:secret@127.0.0.1:9/key"), session)
        with pytest.raises(DealerUnreachableError) as error:
            await link.quote(request_message(asked(account=SOMEBODY), DOMAIN.chain_id, ENGINE))
    assert "secret" not in str(error.value)
    assert "key" not in str(error.value)
