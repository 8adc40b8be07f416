"""Dealers whose prices waste requests are benched, by what the mid price was then and some blocks later."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import count

import orjson
import pytest
from eth_utils.address import to_checksum_address

from bot.chain.endpoint import Endpoint
from bot.config import load_settings
from bot.ports.rfq import DealerScore
from bot.rfq.asking import DeskOptions, KnownDealer, RequestDesk
from bot.rfq.client import HttpDealer, session_for_dealers
from bot.rfq.scoring import BenchPolicy
from bot.rfq.verification import QuoteVerifier
from tests.support.keeper import a_head
from tests.support.rfq import (
    DOMAIN,
    FAIR,
    VENUE,
    FakeChain,
    Memory,
    a_key,
    a_quote,
    a_request,
    address_of,
    quote_body,
    scripted_dealer,
)

KEY = a_key()
PAIR = (0, 2)
BENCH = BenchPolicy(first_blocks=10)
AFTER = 5


@dataclass
class Market:
    """A dealer that bids a price, on a pair with a mid price, block after block."""

    desk: RequestDesk
    memory: Memory
    bid: int = FAIR
    block: int = 100

    async def next_block(self, mid: int, requests: int = 1) -> bool:
        """Tell the desk the mid, ask the dealer; return whether it was asked."""
        self.block += 1
        head, before = a_head(self.block), self.score.asked
        await self.desk.report_mid({PAIR: mid}, head)
        await self.desk.ask([a_request(fair_price=mid, epoch=epoch) for epoch in range(requests)], head)
        return self.score.asked > before

    @property
    def score(self) -> DealerScore:
        name = to_checksum_address(address_of(KEY))
        return self.memory.scores.get(name, DealerScore(name))


@asynccontextmanager
async def market(bench: BenchPolicy = BENCH) -> AsyncIterator[Market]:
    nonces = count()

    def answer(body: bytes) -> bytes:
        epoch = orjson.loads(body)["epoch"]
        deadline = a_head(here.block).timestamp + 36
        return quote_body(
            a_quote(KEY, price=here.bid, epoch=epoch, nonce=next(nonces), deadline=deadline), KEY
        )

    async with scripted_dealer(answer) as url, session_for_dealers(5.0) as session:
        known = KnownDealer(address_of(KEY), HttpDealer(Endpoint.parse(url), session))
        memory, options = Memory(), DeskOptions(deadline_s=3.0, mark_after=AFTER, bench=bench)
        desk = RequestDesk([known], DOMAIN, QuoteVerifier(FakeChain(), VENUE), memory, options)
        here = Market(desk, memory)
        yield here


async def test_a_dealer_that_always_bids_far_below_the_mid_is_benched_and_asked_again_later() -> None:
    async with market() as here:
        here.bid = FAIR * 90 // 100
        asked = [await here.next_block(FAIR) for _ in range(40)]
    answered = asked.index(False)
    assert AFTER < answered <= AFTER + 6
    until = answered + 1 + BENCH.first_blocks
    assert asked[answered : until + AFTER] == [False] * 11 + [True] * AFTER, "older bids count no more"
    assert not all(asked[until:]), "and benched again, as it bids no better"
    assert here.score.strikes == 2
    assert here.score.faults == 0


async def test_a_bench_for_prices_is_longer_each_time_however_much_is_answered() -> None:
    async with market() as here:
        here.bid = FAIR * 90 // 100
        benched = [not await here.next_block(FAIR, requests=10) for _ in range(52)]
    lengths = [len(run) for run in "".join("x" if b else " " for b in benched).split()]
    assert lengths == [11, 21], "the block of the verdict and the bench"


async def test_a_dealer_near_the_mid_is_not_benched_though_the_market_rises_after_each_quote() -> None:
    async with market() as here:
        for step in range(40):
            mid = FAIR * 103**step // 100**step
            here.bid = mid * 99 // 100
            assert await here.next_block(mid)
    assert here.score.edge_bps < -BENCH.most_discount_bps


async def test_a_dealer_that_bids_below_a_feed_that_lags_is_borne_out() -> None:
    async with market() as here:
        for step in range(40):
            mid = FAIR * 98**step // 100**step
            here.bid = mid * 93 // 100
            assert await here.next_block(mid)
    assert here.score.edge_bps > -BENCH.most_discount_bps


async def test_one_bad_block_of_many_requests_benches_nobody() -> None:
    async with market() as here:
        here.bid = FAIR * 80 // 100
        await here.next_block(FAIR, requests=40)
        here.bid = FAIR
        assert all([await here.next_block(FAIR) for _ in range(10)])


async def test_what_was_bid_before_a_bench_is_not_counted_in_it() -> None:
    async with market() as here:
        here.bid = FAIR * 90 // 100
        while await here.next_block(FAIR):
            pass
        edge = here.score.edge_bps
        for _ in range(AFTER):
            await here.next_block(FAIR)
    assert here.score.edge_bps == edge


@pytest.mark.parametrize("most", [1_500, 10_000])
async def test_the_operator_says_what_is_far(most: int) -> None:
    async with market(BenchPolicy(most_discount_bps=most)) as here:
        here.bid = FAIR * 90 // 100
        assert all([await here.next_block(FAIR) for _ in range(30)])


def test_the_setting_reaches_the_desk() -> None:
    assert load_settings().rfq.options().bench == BenchPolicy()
    settings = load_settings(overrides={"rfq": {"most_discount_bps": 700}})
    assert settings.rfq.options().bench.most_discount_bps == 700
