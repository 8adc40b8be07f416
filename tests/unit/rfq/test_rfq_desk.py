"""The keeper's desk against dealers honest and hostile: what does not hold is never returned."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import orjson
import pytest
from aiohttp import web

from bot.chain.endpoint import Endpoint
from bot.errors import RpcError
from bot.ports.rfq import UNSCORED, DealerScore
from bot.rfq.asking import DeskOptions, KnownDealer, RequestDesk
from bot.rfq.client import HttpDealer, session_for_dealers
from bot.rfq.verification import QuoteVerifier
from bot.strategy.quotes import NOBODY
from tests.support.keeper import a_head
from tests.support.rfq import (
    BORROWER,
    DOMAIN,
    FAIR,
    HEAD,
    VENUE,
    FakeChain,
    Memory,
    Script,
    a_key,
    a_quote,
    a_request,
    address_of,
    quote_body,
    scripted_dealer,
    sign,
)

KEY = a_key()
DEALER = address_of(KEY)
QUICK = DeskOptions(deadline_s=0.4)
MAGIC = bytes.fromhex("1626ba7e").ljust(32, b"\0")


class Asked:
    """A desk with one scripted dealer, or several."""

    def __init__(self, desk: RequestDesk, memory: Memory) -> None:
        self.desk = desk
        self.memory = memory

    async def ask(self, head: Any = HEAD, **changes: Any) -> list[Any]:
        found = await self.desk.ask([a_request(**changes)], head)
        return list(found.get(BORROWER, ()))

    @property
    def score(self) -> DealerScore:
        (score,) = [s for s in self.memory.scores.values() if bytes.fromhex(s.dealer[2:]) == DEALER]
        return score


@asynccontextmanager
async def desk_of(
    script: Script, chain: FakeChain | None = None, *, status: int = 200, memory: Memory | None = None
) -> AsyncIterator[Asked]:
    memory = memory or Memory()
    async with scripted_dealer(script, status) as url, session_for_dealers(5.0) as session:
        known = KnownDealer(DEALER, HttpDealer(Endpoint.parse(url), session))
        verifier = QuoteVerifier(chain or FakeChain(), VENUE)
        yield Asked(RequestDesk([known], DOMAIN, verifier, memory, QUICK), memory)


def honest(**changes: Any) -> Script:
    return lambda _: quote_body(a_quote(KEY, **changes), KEY)


def altered(field: str, value: Any) -> Script:
    """Sign an honest quote, and send it with one field changed."""

    def answer(_: bytes) -> bytes:
        message = orjson.loads(quote_body(a_quote(KEY), KEY))
        message["quote"][field] = value
        return orjson.dumps(message)

    return answer


# ------------------------------------------------------------------------------ an honest one


async def test_a_quote_that_holds_comes_back_with_what_the_chain_says_of_it() -> None:
    quote = a_quote(KEY)
    chain = FakeChain(filled={DOMAIN.digest(quote): 10**17}, balance=10**9, allowance=5 * 10**8)
    async with desk_of(honest(), chain) as asked:
        (opened,) = await asked.ask()
    assert opened.quote == quote
    assert opened.signature == sign(quote, KEY)
    assert (opened.filled, opened.left, opened.funds) == (10**17, 9 * 10**17, 5 * 10**8)
    assert (asked.score.asked, asked.score.answered, asked.score.faults) == (1, 1, 0)


async def test_several_dealers_are_asked_at_once_and_the_best_price_comes_first() -> None:
    keys = [a_key(name) for name in ("one", "two", "three")]
    prices = [FAIR * 98 // 100, FAIR, FAIR * 99 // 100]
    together = asyncio.Barrier(3)

    def slow(index: int) -> Script:
        async def answer(_: bytes) -> bytes:
            await together.wait()  # ends only if all three are under way together
            return quote_body(a_quote(keys[index], price=prices[index]), keys[index])

        return answer

    async with (
        scripted_dealer(slow(0)) as first,
        scripted_dealer(slow(1)) as second,
        scripted_dealer(slow(2)) as third,
        session_for_dealers(5.0) as session,
    ):
        known = [
            KnownDealer(address_of(key), HttpDealer(Endpoint.parse(url), session))
            for key, url in zip(keys, (first, second, third), strict=True)
        ]
        desk = RequestDesk(known, DOMAIN, QuoteVerifier(FakeChain(), VENUE), Memory(), QUICK)
        found = await desk.ask([a_request()], HEAD)
    assert [opened.quote.price for opened in found[BORROWER]] == sorted(prices, reverse=True)


async def test_a_polite_refusal_costs_a_dealer_nothing() -> None:
    body = orjson.dumps({"code": "limit", "detail": "inventory is full"})
    async with desk_of(lambda _: body, status=409) as asked:
        assert await asked.ask() == []
    assert (asked.score.declined, asked.score.faults, asked.score.benched_until) == (1, 0, 0)
    assert asked.score.response_bps > DealerScore("x").response_bps


async def test_a_contract_that_accepts_its_signature_holds() -> None:
    chain = FakeChain(codes={DEALER}, accepts=lambda digest, _: MAGIC if digest else b"")
    async with desk_of(honest(callback=True), chain) as asked:
        (opened,) = await asked.ask()
    assert opened.quote.callback


# ---------------------------------------------------------------------------------- hostile ones


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("dealer", "0x" + "99" * 20),
        ("account", "0x" + "99" * 20),
        ("epoch", 4),
        ("collateral_id", 1),
        ("debt_id", 1),
        ("price", str(FAIR)),
        ("min_fill", "1"),
        ("max_fill", "999"),
        ("nonce", "8"),
        ("deadline", HEAD.timestamp + 37),
        ("filler", "0x" + "99" * 20),
        ("callback", True),
    ],
)
async def test_a_quote_altered_after_it_was_signed_is_refused_and_benches(field: str, value: Any) -> None:
    async with desk_of(altered(field, value)) as asked:
        assert await asked.ask() == []
        assert asked.score.faults == 1
        assert await asked.ask(a_head(101)) == []
    assert asked.score.asked == 1  # benched, so not asked again


@pytest.mark.parametrize(
    "changes",
    [
        {"deadline": HEAD.timestamp - 1},
        {"deadline": HEAD.timestamp},
        {"deadline": HEAD.timestamp + 11},
        {"deadline": HEAD.timestamp + 601},
        {"price": 0},
        {"price": 1},
        {"price": FAIR * 1_000},
        {"price": 2**256 - 1},
        {"max_fill": 0, "min_fill": 0},
        {"max_fill": 10**18 + 1},
        {"min_fill": 10**18 + 1},
        {"filler": NOBODY},
        {"epoch": 2},
    ],
    ids=str,
)
async def test_a_well_signed_quote_that_is_not_what_was_asked_for_is_refused(changes: Any) -> None:
    async with desk_of(honest(**changes)) as asked:
        assert await asked.ask() == []
    assert asked.score.faults == 1


async def test_a_quote_signed_by_another_key_is_refused() -> None:
    async with desk_of(lambda _: quote_body(a_quote(KEY), a_key("thief"))) as asked:
        assert await asked.ask() == []
    assert asked.score.faults == 1


async def test_a_quote_for_another_engine_or_chain_is_refused() -> None:
    for domain in (replace(DOMAIN, chain_id=1), replace(DOMAIN, engine=b"\x01" * 20)):
        body = quote_body(a_quote(KEY), KEY, domain)
        async with desk_of(lambda _, body=body: body) as asked:
            assert await asked.ask() == []


async def test_the_other_form_of_a_signature_is_refused() -> None:
    quote = a_quote(KEY)
    good = sign(quote, KEY)
    order = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
    twin = good[:32] + (order - int.from_bytes(good[32:64])).to_bytes(32) + bytes([27 + 28 - good[64]])
    body = orjson.loads(quote_body(quote, KEY)) | {"signature": "0x" + twin.hex()}
    async with desk_of(lambda _: orjson.dumps(body)) as asked:
        assert await asked.ask() == []


async def test_one_nonce_for_two_quotes_is_refused() -> None:
    prices = iter((FAIR, FAIR - 1))
    async with desk_of(lambda _: quote_body(a_quote(KEY, price=next(prices)), KEY)) as asked:
        assert len(await asked.ask()) == 1
        assert await asked.ask() == []
    assert asked.score.faults == 1


async def test_a_quote_that_was_filled_or_cancelled_before_is_refused() -> None:
    quote = a_quote(KEY)
    for chain in (FakeChain(filled={DOMAIN.digest(quote): quote.max_fill}), FakeChain(spent={(DEALER, 7)})):
        async with desk_of(honest(), chain) as asked:
            assert await asked.ask() == []
        assert asked.score.response_bps < UNSCORED
        assert asked.score.benched_until == 0


@pytest.mark.parametrize("short", [{"allowance": 0}, {"balance": 0}, {"allowance": 10**6}])
async def test_a_dealer_that_cannot_pay_its_smallest_fill_is_refused(short: Any) -> None:
    async with desk_of(honest(), FakeChain(**short)) as asked:
        assert await asked.ask() == []
        assert asked.score.benched_until == 0  # once, it may have seen another head
        for _ in range(10):
            assert await asked.ask() == []
    assert asked.score.benched_until > HEAD.number


async def test_a_contract_that_refuses_or_reverts_is_refused() -> None:
    def revert(_digest: bytes, _signature: bytes) -> bytes:
        raise RpcError("eth_call", 3, "execution reverted")

    wrong = (revert, lambda *_: b"", lambda *_: MAGIC[::-1], lambda *_: MAGIC + b"\0", lambda *_: MAGIC[:4])
    for accepts in wrong:
        async with desk_of(honest(), FakeChain(codes={DEALER}, accepts=accepts)) as asked:
            assert await asked.ask() == []
        assert asked.score.faults == 1


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not json",
        b"null",
        b"[]",
        b"{}",
        b"\xff\xfe",
        b'{"quote": {}, "signature": "0x"}',
        b"[" * 2_000,
        b'"' + b"x" * 10_000 + b'"',
    ],
)
async def test_a_body_that_is_no_quote_benches(body: bytes) -> None:
    async with desk_of(lambda _: body) as asked:
        assert await asked.ask() == []
    assert asked.score.faults == 1
    assert asked.score.benched_until > HEAD.number


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("epoch", "3"),
        ("epoch", 3.0),
        ("epoch", True),
        ("epoch", -1),
        ("epoch", 2**32),
        ("price", 198_000_000),
        ("price", "0x10"),
        ("price", "01"),
        ("price", "-1"),
        ("price", " 1"),
        ("price", "١"),
        ("price", str(2**256)),
        ("price", "9" * 78),
        ("max_fill", str(2**128)),
        ("deadline", 2**40),
        ("dealer", "0x" + "0" * 40),
        ("dealer", "0xA" + "a" * 39),
        ("callback", 1),
        ("callback", None),
        ("surprise", 1),
    ],
)
async def test_a_field_of_the_wrong_type_is_refused(field: str, value: Any) -> None:
    async with desk_of(altered(field, value)) as asked:
        assert await asked.ask() == []
    assert asked.score.faults == 1


async def test_an_endless_body_is_read_no_further_than_a_message_may_be() -> None:
    sent = 0

    async def handle(request: web.Request) -> web.StreamResponse:
        nonlocal sent
        response = web.StreamResponse()
        await response.prepare(request)
        try:
            for _ in range(10_000):
                await response.write(b" " * 65_536)
                sent += 65_536
        except ConnectionError:
            pass
        return response

    application = web.Application()
    application.router.add_post("/v1/quotes", handle)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    memory = Memory()
    async with session_for_dealers(5.0) as session:
        url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        known = KnownDealer(DEALER, HttpDealer(Endpoint.parse(url), session))
        desk = RequestDesk([known], DOMAIN, QuoteVerifier(FakeChain(), VENUE), memory, QUICK)
        assert await desk.ask([a_request()], HEAD) == {}
    await runner.cleanup()
    assert Asked(desk, memory).score.faults == 1
    assert sent < 100 * 65_536


async def test_a_slow_dealer_is_not_waited_for_and_the_fast_one_is_heard() -> None:
    async def slow(_: bytes) -> bytes:
        await asyncio.sleep(5)
        return b""

    fast_key = a_key("fast")
    body = quote_body(a_quote(fast_key), fast_key)
    memory, loop = Memory(), asyncio.get_running_loop()
    async with (
        scripted_dealer(slow) as slow_url,
        scripted_dealer(lambda _: body) as url,
        session_for_dealers(30.0) as session,
    ):
        known = [
            KnownDealer(DEALER, HttpDealer(Endpoint.parse(slow_url), session)),
            KnownDealer(address_of(fast_key), HttpDealer(Endpoint.parse(url), session)),
        ]
        desk = RequestDesk(known, DOMAIN, QuoteVerifier(FakeChain(), VENUE), memory, QUICK)
        started = loop.time()
        found = await desk.ask([a_request()], HEAD)
        took = loop.time() - started
    assert [opened.quote.dealer for opened in found[BORROWER]] == [address_of(fast_key)]
    assert took < 2 * QUICK.deadline_s
    assert Asked(desk, memory).score.response_bps < DealerScore("x").response_bps


async def test_many_slow_dealers_take_no_connection_from_an_honest_one() -> None:
    async def slow(_: bytes) -> bytes:
        await asyncio.sleep(5)
        return b""

    honest_key, memory = a_key("honest"), Memory()
    body = quote_body(a_quote(honest_key), honest_key)
    async with (
        scripted_dealer(slow) as slow_url,
        scripted_dealer(lambda _: body) as url,
        session_for_dealers(30.0) as session,
    ):
        lazy = HttpDealer(Endpoint.parse(slow_url), session)
        known = [KnownDealer(address_of(a_key(f"slow {number}")), lazy) for number in range(8)]
        known.append(KnownDealer(address_of(honest_key), HttpDealer(Endpoint.parse(url), session)))
        options = DeskOptions(deadline_s=1.0)
        desk = RequestDesk(known, DOMAIN, QuoteVerifier(FakeChain(), VENUE), memory, options)
        requests = [a_request(), *(a_request(epoch=epoch) for epoch in range(100, 119))]
        found = await desk.ask(requests, HEAD)
    assert [opened.quote.dealer for opened in found[BORROWER]] == [address_of(honest_key)]


async def test_a_dealers_cookies_are_not_kept() -> None:
    async def nosy(_: bytes) -> web.StreamResponse:
        return web.Response(body=b"{}", headers={"Set-Cookie": "who=keeper; Path=/"})

    async with scripted_dealer(nosy) as url, session_for_dealers(5.0) as session:
        named = url.replace("127.0.0.1", "localhost")  # an address alone is given no cookies anyway
        known = KnownDealer(DEALER, HttpDealer(Endpoint.parse(named), session))
        await RequestDesk([known], DOMAIN, QuoteVerifier(FakeChain(), VENUE), Memory(), QUICK).ask(
            [a_request()], HEAD
        )
        assert len(session.cookie_jar) == 0


async def test_silence_again_and_again_benches_and_a_restart_does_not_forget() -> None:
    memory = Memory()
    async with session_for_dealers(1.0) as session:
        nobody = HttpDealer(Endpoint.parse("http://127.0.0.1:9"), session)

        def a_desk() -> RequestDesk:
            known = [KnownDealer(DEALER, nobody)]
            return RequestDesk(known, DOMAIN, QuoteVerifier(FakeChain(), VENUE), memory, QUICK)

        desk = a_desk()
        for block in range(100, 130):
            await desk.ask([a_request()], a_head(block))
        asked = Asked(desk, memory).score.asked
        assert 5 <= asked < 20
        await a_desk().ask([a_request()], a_head(129))
    assert Asked(desk, memory).score.asked == asked


async def test_a_dealer_whose_fills_revert_is_weighed_down_and_then_benched() -> None:
    async with desk_of(honest()) as asked:
        (opened,) = await asked.ask()
        before = opened.fill_rate_bps
        await asked.desk.report_fill(opened, succeeded=False, head=HEAD)
        (again,) = await asked.ask()
        assert again.fill_rate_bps < before
        for _ in range(5):
            await asked.desk.report_fill(opened, succeeded=False, head=HEAD)
        assert asked.score.failed_fills == 6
        assert asked.score.benched_until > HEAD.number
        assert await asked.ask() == []


async def test_a_price_is_held_against_the_mid_some_blocks_later() -> None:
    async with desk_of(honest(price=FAIR)) as asked:
        await asked.ask()
        await asked.desk.report_mid({(0, 2): FAIR * 101 // 100}, a_head(104))
        assert asked.score.edge_bps == 0  # not yet due
        await asked.desk.report_mid({(0, 2): FAIR * 101 // 100}, a_head(105))
        assert asked.score.edge_bps < 0
        edge = asked.score.edge_bps
        await asked.desk.report_mid({(0, 2): FAIR * 101 // 100}, a_head(106))
        assert asked.score.edge_bps == edge  # counted once


async def test_a_redirect_is_not_followed() -> None:
    asked_paths: list[bytes] = []

    def answer(body: bytes) -> Any:
        asked_paths.append(body)

        async def redirect() -> web.Response:
            return web.Response(status=307, headers={"Location": "http://127.0.0.1:9/"})

        return redirect()

    async with desk_of(answer) as asked:
        assert await asked.ask() == []
    assert len(asked_paths) == 1
    assert asked.score.faults == 1
