"""Several sales of one account in one transaction: booked to the wei as decided, one after the other."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bot import abi
from bot.chain import codec
from bot.domain.wad import WAD
from bot.execution.fees import FeePolicy
from bot.execution.options import ExecutorOptions
from bot.execution.simulation import Simulator, Trial
from bot.ledger.store import SqlLedger
from bot.ports import Address, Call, Outcome, Receipt
from bot.protocols.events import EventDecoder
from bot.strategy.decide import decide
from bot.strategy.decision import Action, Candidate, Kind
from bot.strategy.settings import StrategySettings
from bot.strategy.snapshot import Snapshot
from scripts.deployment.config import AssetConfig, DeploymentConfig, PoolConfig
from tests.support.crowd import Crowd
from tests.support.daemon import keeper, sluice
from tests.support.node_rpc import NodeRpc
from tests.support.world import KEEPER, World, world

pytestmark = [pytest.mark.node]

LINK = AssetConfig("LINK", "Chainlink", 18, 10.0, 6_500, 7_000, 11_500, cap=100_000_000)
DAI = AssetConfig("DAI", "Dai", 18, 1.0, 8_700, 9_000, 10_000, cap=10**10, volatility_bps=2_000)
ASSETS = (*DeploymentConfig().assets, LINK, DAI)
POOLS = tuple(PoolConfig(base, "USDC") for base in ("WETH", "WBTC", "LINK", "DAI"))
RISKY = ("WETH", "WBTC", "LINK")
SETTLED = EventDecoder(abi.load("clearing_house"), ["Settled"])
FREE = StrategySettings(priority_fee=0, minimum_profit=-(10**21), housekeeping=False)


@pytest.fixture(scope="module")
def deployed() -> Iterator[World]:
    with world(DeploymentConfig(assets=ASSETS, pools=POOLS)) as here:
        here.provide(2, 20_000_000)
        here.provide(3, 20_000_000, 0.1)
        here.lend("DAI", 20_000_000)
        here.node.call("anvil_impersonateAccount", KEEPER)
        yield here


@pytest.fixture
def here(deployed: World) -> Iterator[World]:
    with deployed.scratch():
        yield deployed


def crash(here: World, factor: float) -> str:
    """Open an account of three collaterals and two debts, and let all it holds fall; return the account."""
    account = here.open({"WETH": 150, "WBTC": 3.75, "LINK": 3_000}, {"USDC": 32_000, "DAI": 32_000})
    for symbol in RISKY:
        here.publish(symbol, round(here.config.asset(symbol).price * factor, 2))
        here.follow_oracle(symbol)
    here.advance(2_000)
    here.refresh()
    return account


def poke_all(here: World) -> None:
    for symbol in (*RISKY, "DAI"):
        here.act(KEEPER, "liquidation_engine", "poke", here.manifest.asset(symbol).id)


async def auctioned(crowd: Crowd, seconds: int) -> Snapshot:
    """Kick whoever is unhealthy, wait, and return what the next block will see."""
    await crowd.kick_all()
    crowd.world.advance(seconds)
    crowd.world.refresh()
    poke_all(crowd.world)
    return crowd.protocol.snapshot(await crowd.next_block(12))


def only(snapshot: Snapshot, settings: StrategySettings = FREE) -> Candidate:
    (decision,) = decide(replace(snapshot, take_open=False), settings).decisions
    assert decision.chosen is not None, decision.rejected
    return decision.chosen


def landed(crowd: Crowd, action: Action) -> Receipt:
    call = crowd.protocol.call_for(action)
    return codec.receipt(crowd.world.send(KEEPER, call.to, call.data))


def gas_of(crowd: Crowd, action: Action, timestamp: int) -> int:
    """Return the gas that an action would use in the next block, at that time; nothing is changed."""
    call = crowd.protocol.call_for(action)
    block = {
        "blockOverrides": {"time": hex(timestamp)},
        "calls": [{"from": KEEPER, "to": call.to, "data": "0x" + call.data.hex()}],
    }
    (found,) = crowd.world.node.call("eth_simulateV1", {"blockStateCalls": [block]}, "latest")
    (result,) = found["calls"]
    assert result["status"] == "0x1", result
    return int(result["gasUsed"], 16)


def settlements(receipt: Receipt) -> list[dict[str, Any]]:
    """Return the fields of every settlement in a receipt, in order."""
    events = (SETTLED.decode(log) for log in receipt.logs)
    return [dict(event.fields) for event in events if event is not None]


def assert_as_expected(receipt: Receipt, candidate: Candidate) -> None:
    found = settlements(receipt)
    assert len(found) == len(candidate.bookings)
    for fields, booking in zip(found, candidate.bookings, strict=True):
        assert (fields["collateralId"], fields["debtId"]) == (booking.collateral_id, booking.debt_id)
        assert (fields["seized"], fields["payment"]) == (booking.seized, booking.payment)
        assert (fields["repaid"], fields["multiplierWad"]) == (booking.repaid, booking.realised_multiplier)


@pytest.mark.parametrize(("factor", "sales"), [(0.86, 1), (0.81, 2), (0.755, 3), (0.73, 4)], ids=str)
async def test_one_transaction_settles_as_many_pairs_as_the_account_needs(
    here: World, factor: float, sales: int
) -> None:
    crowd = Crowd.of(here, 1)
    account = crash(here, factor)
    candidate = only(await auctioned(crowd, 900))
    assert candidate.action.kind is Kind.SWAP
    assert len(candidate.bookings) == sales
    height = int(here.node.call("eth_blockNumber"), 16)
    receipt = landed(crowd, candidate.action)
    assert receipt.block_number == height + 1
    assert_as_expected(receipt, candidate)
    assert here.health(account) >= 1
    head = await crowd.see()
    earned = crowd.protocol.realised(receipt)
    assert earned is not None
    assert 0 <= earned - candidate.revenue <= sales  # each is rounded down by itself
    assert await crowd.protocol.audit(head, 10) == 1


@pytest.mark.parametrize("move", [1.003, 0.997])
async def test_several_sales_land_though_prices_move_a_little_before(here: World, move: float) -> None:
    crowd = Crowd.of(here, 6)
    account = crash(here, 0.81)
    candidate = only(await auctioned(crowd, 900))
    assert len(candidate.bookings) == 2
    for symbol in RISKY:
        here.publish(symbol, round(here.config.asset(symbol).price * 0.81 * move, 4))
    found = settlements(landed(crowd, candidate.action))
    assert [fields["collateralId"] for fields in found] == [sold.collateral_id for sold in candidate.bookings]
    assert here.health(account) >= 1


async def test_a_first_sale_at_a_loss_to_lenders_makes_room_for_sales_that_pay(here: World) -> None:
    crowd = Crowd.of(here, 2)
    crash(here, 0.755)
    snapshot = await auctioned(crowd, 900)
    (alone,) = only(snapshot, replace(FREE, max_sales=1)).bookings
    candidate = only(snapshot)
    assert candidate.bookings[0] == alone
    assert alone.revenue < WAD // 1_000
    assert candidate.revenue > 30 * WAD
    first, *rest = settlements(landed(crowd, candidate.action))
    assert first["cancelled"] > first["repaid"]
    assert all(fields["cancelled"] == fields["repaid"] for fields in rest)


async def test_a_sale_at_a_loss_has_the_gas_that_its_fund_must_be_left(here: World) -> None:
    crowd = Crowd.of(here, 7)
    crash(here, 0.755)
    snapshot = await auctioned(crowd, 900)
    action = only(snapshot, replace(FREE, max_sales=1)).action
    assert action.writes_off
    call = crowd.protocol.call_for(action)
    options = ExecutorOptions(31337, FeePolicy(0, 10**12), gas_margin_bps=0)
    limits = []
    for tried in (call, replace(call, gas_reserve=0)):
        trial = Trial(Address(KEEPER), tried)
        (result,) = await Simulator(NodeRpc(here.node)).run([trial], await crowd.see())
        limits.append(options.gas_limit(tried, result))
    enough, short = limits
    assert call_succeeds(here, call, enough, snapshot.timestamp)
    assert not call_succeeds(here, call, short, snapshot.timestamp)


def call_succeeds(here: World, call: Call, gas: int, timestamp: int) -> bool:
    """Return whether a call goes through in the next block with so much gas."""
    transaction = {"from": KEEPER, "to": call.to, "data": "0x" + call.data.hex(), "gas": hex(gas)}
    block = {"blockOverrides": {"time": hex(timestamp)}, "calls": [transaction]}
    (found,) = here.node.call("eth_simulateV1", {"blockStateCalls": [block]}, "latest")
    return bool(found["calls"][0]["status"] == "0x1")


async def test_an_auction_and_several_sales_land_in_one_call(here: World) -> None:
    crowd = Crowd.of(here, 3)
    account = crash(here, 0.81)
    poke_all(here)
    snapshot = crowd.protocol.snapshot(await crowd.next_block(12))
    candidate = only(snapshot)
    assert candidate.action.kind is Kind.KICK_SWAP
    assert candidate.action.label == "kick_swap_2"
    receipt = landed(crowd, candidate.action)
    assert_as_expected(receipt, candidate)
    earned = crowd.protocol.realised(receipt)
    assert earned is not None
    assert 0 <= earned - candidate.revenue <= 2
    assert here.health(account) >= 1
    assert await crowd.protocol.audit(await crowd.see(), 10) == 1


async def test_a_further_sale_takes_less_gas_than_is_estimated_and_than_one_by_itself(here: World) -> None:
    crowd = Crowd.of(here, 4)
    crash(here, 0.755)
    snapshot = await auctioned(crowd, 900)
    candidate, used = only(snapshot), []
    for sales in range(3):
        action = replace(candidate.action, further=candidate.action.further[:sales])
        used.append(gas_of(crowd, action, snapshot.timestamp))
    one, two, three = used
    for further in (two - one, three - two):
        assert FREE.gas.further * 0.6 < further < FREE.gas.of_further(1)
        assert further < one * 0.7


async def test_random_accounts_are_settled_to_the_wei(here: World) -> None:
    crowd = Crowd.of(here, 5)
    random, kinds = crowd.random, Counter[str]()
    for _ in range(20):
        values = {symbol: 10 ** random.uniform(3, 5) for symbol in RISKY}
        held = {symbol: round(value / here.config.asset(symbol).price, 4) for symbol, value in values.items()}
        limit = sum(values[s] * here.config.asset(s).max_ltv_bps / 10_000 for s in RISKY)
        share = random.uniform(0.2, 0.8)
        owed = {"USDC": round(limit * share * 0.97, 2), "DAI": round(limit * (1 - share) * 0.97, 2)}
        here.open(held, owed)
    for symbol in RISKY:
        here.publish(symbol, round(here.config.asset(symbol).price * random.uniform(0.68, 0.8), 3))
        here.follow_oracle(symbol)
    here.advance(2_000)
    here.refresh()
    await auctioned(crowd, 600)
    for _ in range(24):
        kinds.update(await settle_the_most_urgent(crowd))
    await crowd.protocol.audit(await crowd.see(), 50)
    assert kinds["several"] >= 8
    assert kinds["three or more"] >= 3
    assert kinds["at a loss"] >= 2


async def settle_the_most_urgent(crowd: Crowd) -> list[str]:
    """Settle the first account that can be, compare, and return what kinds of settlement it was."""
    snapshot = crowd.protocol.snapshot(await crowd.next_block(crowd.random.randrange(5, 60)))
    candidates = decide(replace(snapshot, take_open=False), FREE).candidates
    candidate = next((found for found in candidates if found.bookings), None)
    if candidate is None:
        return []
    receipt = landed(crowd, candidate.action)
    assert_as_expected(receipt, candidate)
    kinds = ["at a loss"] if any(f["cancelled"] > f["repaid"] for f in settlements(receipt)) else []
    kinds += ["several"] if len(candidate.bookings) > 1 else []
    return kinds + (["three or more"] if len(candidate.bookings) > 2 else [])


async def test_the_keeper_lands_several_sales_and_tells_of_each(here: World, tmp_path: Path) -> None:
    here.act(here.owner, "flash_taker", "setOperator", KEEPER, False)  # takes earn more, and go alone
    account = crash(here, 0.81)
    with keeper(tmp_path, here) as daemon:
        for _ in range(6):
            here.advance(12)
            daemon.acknowledged(int(here.node.call("eth_blockNumber"), 16))
        daemon.stop()
    assert here.health(account) >= 1
    async with await SqlLedger.open_to_read(tmp_path / "sluice.sqlite") as ledger:
        rows = [row for row in await ledger.recent_transactions(20) if row.intent.terms.moves]
        spent = [item for item in await ledger.landing.spent_since(0) if item.moves]
    (row,) = rows
    assert row.outcome is Outcome.INCLUDED
    assert row.signed is not None
    receipt = here.node.call("eth_getTransactionReceipt", row.signed.hash)
    found = settlements(codec.receipt(receipt))
    assert len(found) == len(row.intent.terms.moves) >= 2
    symbols = [asset.symbol for asset in here.manifest.assets]
    pairs = [(symbols[fields["collateralId"]], symbols[fields["debtId"]]) for fields in found]
    assert [(moved.asset, moved.debt) for moved in row.intent.terms.moves] == pairs
    assert [item.moves for item in spent] == [row.intent.terms.moves]
    assert row.realised_profit == pytest.approx(sum(earned(fields) for fields in found), rel=1e-6)
    told = sluice("why", account, "--block", str(row.planned_block), "--config", tmp_path / "sluice.toml")
    assert told.returncode == 0, told.stderr
    assert f"then {pairs[1][0]} for {pairs[1][1]}" in " ".join(told.stdout.split())


def earned(fields: dict[str, Any]) -> int:
    """Return what a settlement paid the keeper, WAD quote units: both debts are worth a quote unit."""
    return (fields["tip"] + fields["chip"]) * (10**12 if fields["debtId"] == 2 else 1)
