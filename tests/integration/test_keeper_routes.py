"""Sales over several real pools, landed as decided, and equal to the wei to what was expected of them."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from bot import abi
from bot.ports import Head
from bot.protocols.events import EventDecoder
from bot.strategy.decide import decide
from bot.strategy.decision import Action, Candidate, Kind, Way
from bot.strategy.settings import StrategySettings
from bot.strategy.snapshot import Snapshot
from scripts.deployment.config import DeploymentConfig, PoolConfig
from tests.support.crowd import Crowd, fields_of
from tests.support.world import KEEPER, World, world

pytestmark = [pytest.mark.node]

WETH, WBTC, USDC = 0, 1, 2
TIERS = (PoolConfig("WETH", "USDC"), PoolConfig("WBTC", "USDC"), PoolConfig("WETH", "USDC", 3_000))
SETTLED = EventDecoder(abi.load("clearing_house"), ["Settled"])
FREE = StrategySettings(priority_fee=0, minimum_profit=-(10**21), housekeeping=False)


@pytest.fixture(scope="module")
def deployed() -> Iterator[World]:
    with world(DeploymentConfig(pools=TIERS)) as here:
        here.provide(2, 5_000_000)
        here.node.call("anvil_impersonateAccount", KEEPER)
        yield here


async def auctioned(crowd: Crowd, seconds: int) -> Head:
    """Kick whoever is unhealthy wait, and return the head as the next block will see it."""
    crowd.world.advance(2_000)
    crowd.world.refresh()
    await crowd.kick_all()
    crowd.world.advance(seconds)
    crowd.world.refresh()
    for asset_id in (WETH, WBTC):
        crowd.world.act(KEEPER, "liquidation_engine", "poke", asset_id)
    return await crowd.next_block(12)


def only(snapshot: Snapshot, settings: StrategySettings = FREE) -> Candidate:
    (decision,) = decide(replace(snapshot, take_open=False), settings).decisions
    assert decision.chosen is not None, decision.rejected
    return decision.chosen


def landed(crowd: Crowd, action: Action) -> dict[str, object]:
    call = crowd.protocol.call_for(action)
    receipt = crowd.world.send(KEEPER, call.to, call.data)
    fields = fields_of(SETTLED, receipt)
    assert fields is not None
    return fields | {"gas": int(receipt["gasUsed"], 16)}


def assert_as_expected(found: dict[str, object], candidate: Candidate) -> None:
    assert (found["seized"], found["payment"]) == (candidate.seized, candidate.payment)
    assert found["repaid"] == candidate.repaid


async def test_a_sale_split_over_two_fee_tiers_brings_what_was_expected(here: World) -> None:
    crowd = Crowd.of(here, 1)
    here.open({"WETH": 5_000}, {"USDC": 790_000})
    here.publish("WETH", 186)
    here.follow_oracle("WETH")
    head = await auctioned(crowd, 700)
    snapshot = crowd.protocol.snapshot(head)
    candidate = only(snapshot)
    assert candidate.action.kind is Kind.SWAP
    weights = {way.fees: way.weight_bps for way in candidate.action.route}
    assert set(weights) == {(500,), (3_000,)}
    assert weights[(500,)] > weights[(3_000,)] > 500
    found = landed(crowd, candidate.action)
    assert_as_expected(found, candidate)
    alone = only(replace(snapshot, pools=snapshot.pools[:2]))
    assert candidate.realised_multiplier > alone.realised_multiplier
    after = crowd.protocol.snapshot(await crowd.see())
    moved = [
        before.pool.tick != now.pool.tick for before, now in zip(snapshot.pools, after.pools, strict=True)
    ]
    assert moved == [True, False, True]


async def test_a_sale_over_an_asset_in_between_brings_what_was_expected(here: World) -> None:
    crowd = Crowd.of(here, 2)
    here.open({"WBTC": 30}, {"WETH": 790})
    here.publish("WETH", 220)
    here.publish("WBTC", 7_900)
    for symbol in ("WETH", "WBTC"):
        here.follow_oracle(symbol)
    head = await auctioned(crowd, 700)
    candidate = only(crowd.protocol.snapshot(head))
    assert candidate.action.kind is Kind.SWAP
    assert {way.assets for way in candidate.action.route} == {(WBTC, USDC, WETH)}
    assert_as_expected(landed(crowd, candidate.action), candidate)


async def test_estimates_of_gas_cover_what_more_pools_take(here: World) -> None:
    crowd = Crowd.of(here, 3)
    here.open({"WETH": 5_000}, {"USDC": 790_000})
    here.publish("WETH", 186)
    here.follow_oracle("WETH")
    candidate = only(crowd.protocol.snapshot(await auctioned(crowd, 700)))
    both = Way(5_000, (WETH, USDC), (500,)), Way(5_000, (WETH, USDC), (3_000,))
    routes = (Way(10_000, (WETH, USDC), (500,)),), both
    used = []
    for route in routes:
        with here.scratch():
            action = replace(candidate.action, route=route, limit_price=0)
            used.append(int(str(landed(crowd, action)["gas"])))
    single, split = used
    assert single < FREE.gas.of(Kind.SWAP)
    assert split < FREE.gas.of(Kind.SWAP, 2)
    assert FREE.gas.pool * 0.6 < split - single < FREE.gas.pool


async def test_an_auction_and_its_first_sale_land_in_one_call(here: World) -> None:
    crowd = Crowd.of(here, 4)
    account = here.open({"WETH": 1_000}, {"USDC": 158_000})
    here.publish("WETH", 189)
    here.follow_oracle("WETH")
    here.advance(2_000)
    here.refresh()
    assert here.health(account) < 1
    here.act(KEEPER, "liquidation_engine", "poke", WETH)
    head = await crowd.next_block(12)
    candidate = only(crowd.protocol.snapshot(head))
    assert candidate.action.kind is Kind.KICK_SWAP
    before = int(here.node.call("eth_blockNumber"), 16)
    found = landed(crowd, candidate.action)
    assert int(here.node.call("eth_blockNumber"), 16) == before + 1
    assert_as_expected(found, candidate)
    (leg,) = here.read("liquidation_engine", "auctionLeg", account, WETH)
    assert leg[0] == candidate.reserve_multiplier
    tip = int(str(found["tip"])) * 10**12
    assert candidate.tip == tip
    assert candidate.revenue == tip + int(str(found["chip"])) * 10**12
    assert int(str(found["gas"])) < FREE.gas.of(Kind.KICK_SWAP, len(candidate.action.route))
    assert here.health(account) >= 1
    await crowd.protocol.audit(await crowd.see(), 10)
