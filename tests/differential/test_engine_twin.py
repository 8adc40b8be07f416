"""The Python twin of the engine against the engine, on random accounts, prices and times, to the wei."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import astuple
from typing import Any

import pytest

from bot import abi
from bot.domain import engine
from bot.domain.engine import Position, Terms
from bot.domain.engine.starts import NEAR_START_MAX
from bot.domain.incentives import chip_part_of, incentives
from bot.domain.lending import Market, assets_down, shares_down, shares_up
from bot.domain.release import Side
from bot.domain.wad import WAD
from bot.ports import Head
from bot.protocols.events import EventDecoder
from bot.protocols.sluice.calls import Function, pool_path, route_data
from bot.strategy.board import Board
from bot.strategy.case import Case
from tests.support.anvil import RpcError
from tests.support.crowd import Crowd, fields_of, logs_of
from tests.support.world import KEEPER, World, world

pytestmark = [pytest.mark.node]

SETTLED = EventDecoder(abi.load("clearing_house"), ["Settled"])
LEG_STARTED = EventDecoder(abi.load("liquidation_engine"), ["LegStarted"])
TAKE = Function("liquidation_engine", "take")
SWAP = Function("liquidation_engine", "swap")
ALL = 2**256 - 1
SALE_FIELDS = ("seized", "payment", "repaid", "cancelled", "surplus")


@pytest.fixture(scope="module")
def here() -> Iterator[World]:
    with world() as deployed:
        deployed.node.call("anvil_impersonateAccount", KEEPER)
        Crowd.of(deployed, 0x51).join(24)
        yield deployed


def context(case: Case, pair: tuple[int, int]) -> tuple[Position, Terms]:
    position = case.position(*pair)
    penalty = case.snapshot.engine.penalty
    return position, engine.terms_at(position, case.multiplier(pair[0]), penalty)


def predicted_incentives(
    case: Case, pair: tuple[int, int], paid: Terms, sale: engine.Sale, chip_part: int = WAD
) -> tuple[int, int]:
    assert case.auction is not None
    market = case.snapshot.assets[pair[1]].market
    owed = case.auction.tip_owed
    return incentives(case.position(*pair), case.snapshot.engine, paid, sale, owed, market, chip_part)


def assert_booked(
    receipt: dict[str, Any], sale: engine.Sale, paid_out: tuple[int, int], multiplier: int
) -> None:
    booked = fields_of(SETTLED, receipt)
    assert booked is not None
    assert tuple(booked[name] for name in SALE_FIELDS) == tuple(sale)
    assert (booked["tip"], booked["chip"]) == paid_out
    assert booked["multiplierWad"] == multiplier


def refused(case: Case, pair: tuple[int, int], position: Position, reserve: Terms, offer: Terms) -> bool:
    """Return whether the engine refuses any sale of a pair: its budgets are empty, or another is cheaper."""
    empty = case.released(pair, position, reserve, offer, position.collateral) == 0
    return empty or case.dearer(pair, position, offer) is not None


def largest(case: Case, pair: tuple[int, int], position: Position, reserve: Terms) -> engine.Sale:
    """Return the largest take that budgets release."""
    rules = case.snapshot.engine
    sale = engine.largest_take(position, reserve, rules.target, rules.dust)
    released = case.released(pair, position, reserve, reserve, sale.seized)
    return engine.partial_take(position, reserve, released) if released < sale.seized else sale


async def crashed(here: World, seed: int) -> Crowd:
    """Return a crowd after a crash, its auctions running for a while."""
    crowd = Crowd.of(here, seed)
    crowd.shock()
    await crowd.kick_all()
    return crowd


def auctions(crowd: Crowd, head: Head) -> list[tuple[Case, tuple[int, int]]]:
    """Return every pair of every running auction."""
    return [
        (case, pair)
        for case in crowd.suspects(head)
        if case.auction is not None and not case.lapsed
        for pair in case.pairs()
        if pair[0] in case.auction.legs
    ]


@pytest.mark.parametrize("seed", range(6))
async def test_balances_equal_the_clearing_house(here: World, seed: int) -> None:
    with here.scratch():
        crowd = await crashed(here, seed)
        here.advance(crowd.random.randrange(1, 90_000))
        here.refresh()
        head = await crowd.see()
        snapshot = crowd.protocol.snapshot(head)
        for row, account in enumerate(snapshot.positions.accounts):
            case = Case.of(snapshot, row)
            (state,) = here.read("clearing_house", "accountState", "0x" + account.hex())
            assert tuple(case.balance) == tuple(state[:4])
            holdings = [(leg[0], leg[4], leg[5]) for leg in state[-1]]
            assert [tuple(holding) for holding in case.holdings] == holdings
            health = here.read("clearing_house", "healthFactor", "0x" + account.hex())[0]
            assert case.balance.health_factor == health


async def test_largest_slices_equal_the_engine(here: World) -> None:
    kinds: Counter[str] = Counter()
    for seed in range(30):
        with here.scratch():
            crowd = await crashed(here, seed)
            for _ in range(4):
                here.advance(crowd.random.randrange(1, 900))
                for case, pair in auctions(crowd, await crowd.see()):
                    kinds[compare_slice(here, case, pair)] += 1
    assert kinds["insolvent"] >= 40
    assert kinds["cut by the budget"] >= 40
    assert kinds["to the target"] >= 40
    assert kinds["closing"] >= 40


def compare_slice(here: World, case: Case, pair: tuple[int, int]) -> str:
    """Compare the largest slice and the reserve price; return which branch of the sizing it took."""
    position, reserve = context(case, pair)
    account = "0x" + case.account.hex()
    price = here.read("liquidation_engine", "reservePrice", account, pair[0])[0]
    assert price == -(-case.multiplier(pair[0]) * position.sold.price // WAD)
    if refused(case, pair, position, reserve, reserve):
        with pytest.raises(RpcError):
            here.read("liquidation_engine", "largestSlice", account, *pair)
        return "refused"
    sale = largest(case, pair, position, reserve)
    (found,) = here.read("liquidation_engine", "largestSlice", account, *pair)
    assert tuple(found) == (*sale[:4], reserve.multiplier, reserve.insolvent)
    if reserve.insolvent:
        return "insolvent"
    rules = case.snapshot.engine
    if sale != engine.largest_take(position, reserve, rules.target, rules.dust):
        return "cut by the budget"
    whole = sale.cancelled == position.debt or sale.seized == position.collateral
    return "closing" if whole else "to the target"


async def test_budgets_equal_the_engines(here: World) -> None:
    for seed in range(300, 306):
        with here.scratch():
            crowd = await crashed(here, seed)
            for asset in here.manifest.assets:
                units = here.units(asset.symbol, 10**7)
                here.mint(asset.symbol, KEEPER, units, here.manifest.clearing_house)
            await settled_at_random(here, crowd, take)
            head = await crowd.see()
            compare_buckets(here, crowd, head)


def compare_buckets(here: World, crowd: Crowd, head: Head) -> None:
    """Compare every bucket as stored, and as it stands at the head."""
    markets = crowd.protocol.snapshot(head).markets
    assert markets.budgeted
    for asset_id in markets.budgeted:
        for side in Side:
            (kept,) = here.read("liquidation_engine", "bucketNow", asset_id, side)
            assert astuple(markets.bucket(asset_id, side, head.timestamp)) == tuple(kept)


async def test_curves_start_as_the_twin_says(here: World) -> None:
    kinds: Counter[str] = Counter()
    for seed in range(400, 444):
        with here.scratch():
            crowd = Crowd.of(here, seed)
            here.advance(2_000)  # the pools' record is then as long as the window of their depth
            crowd.shock()
            here.refresh()
            for index, symbol in enumerate(("WETH", "WBTC")):
                here.provide(index, 10 ** crowd.random.uniform(4, 8), 0.9)
                here.follow_oracle(symbol)
            here.refresh()
            for symbol in ("WETH", "WBTC"):
                # pools stay behind; a start depends on by how much, and on who told the engine
                answer = oracle_price(here, symbol) * crowd.random.uniform(0.955, 1.03)
                here.publish(symbol, round(answer, 2))
                if crowd.random.random() < 0.8:
                    here.act(KEEPER, "liquidation_engine", "poke", here.manifest.asset(symbol).id)
            kinds += await compare_starts(here, crowd)
    assert kinds["far"] >= 20
    assert kinds["lowest"] >= 20
    assert kinds["highest"] >= 5
    assert kinds["between"] >= 20


def oracle_price(here: World, symbol: str) -> float:
    """Return what the oracle says a whole token is worth."""
    (price,) = here.read("price_oracle", "price", here.manifest.asset(symbol).token)
    return float(price / WAD)


async def compare_starts(here: World, crowd: Crowd) -> Counter[str]:
    """Kick every unhealthy account a few blocks later and compare its curves; count which start they got."""
    kinds: Counter[str] = Counter()
    for suspect in crowd.suspects(await crowd.see()):
        head = await crowd.next_block(crowd.random.randrange(1, 30))
        case = next((found for found in crowd.suspects(head) if found.account == suspect.account), None)
        if case is None or case.flagged or case.doubled:
            continue
        account, ids = "0x" + case.account.hex(), case.collateral_ids
        receipt = here.act(KEEPER, "liquidation_engine", "kick", account, ids)
        kinds += compare_curves(here, case, receipt)
    return kinds


def compare_curves(here: World, case: Case, receipt: dict[str, Any]) -> Counter[str]:
    """Compare the curves that a kick gave with the twin's."""
    snapshot, kinds = case.snapshot, Counter[str]()
    opening = engine.Opening(
        snapshot.markets, snapshot.engine, case.holdings, case.terms, case.balance, snapshot.timestamp
    )
    for log in logs_of(receipt):
        event = LEG_STARTED.decode(log)
        if event is None:
            continue
        asset_id = event.fields["assetId"]
        (fields,) = here.read("liquidation_engine", "curveInputs", asset_id)
        inputs = engine.CurveInputs(*fields)
        found = opening.curve(asset_id, inputs)
        told = event.fields["startMultiplierWad"], event.fields["decayPerSecondWad"]
        assert tuple(found) == told
        lowest = inputs.lowest_near_start(snapshot.markets.speed.near_slippage_bps)
        named = {inputs.far_start: "far", lowest: "lowest", NEAR_START_MAX: "highest"}
        kinds[named.get(found.start_multiplier, "between")] += 1
    return kinds


async def test_takes_are_booked_as_the_twin_says(here: World) -> None:
    booked = 0
    for seed in range(100, 115):
        with here.scratch():
            crowd = await crashed(here, seed)
            for asset in here.manifest.assets:
                units = here.units(asset.symbol, 10**7)
                here.mint(asset.symbol, KEEPER, units, here.manifest.clearing_house)
            booked += await settled_at_random(here, crowd, take)
    assert booked >= 90


async def settled_at_random(
    here: World, crowd: Crowd, settle: Callable[[World, Crowd, Case, tuple[int, int]], bool]
) -> int:
    """Settle random pairs at random times; return how many went through."""
    booked = 0
    for _ in range(25):
        running = auctions(crowd, await crowd.next_block(crowd.random.randrange(1, 250)))
        if not running:
            break
        booked += settle(here, crowd, *crowd.random.choice(running))
    return booked


def take(here: World, crowd: Crowd, case: Case, pair: tuple[int, int]) -> bool:
    """Take a random part of a leg and compare; False if the contract refused, as the twin foretold."""
    position, reserve = context(case, pair)
    rules = case.snapshot.engine
    sale = largest(case, pair, position, reserve)
    limit = ALL
    if crowd.random.random() < 0.5:
        limit = crowd.random.randrange(1, max(sale.seized, 1) + 1)
        if limit < sale.seized:
            sale = engine.partial_take(position, reserve, limit)
    account = "0x" + case.account.hex()
    data = TAKE.data(account, *pair, limit, ALL, KEEPER, b"")
    receipt = here.send(KEEPER, here.manifest.liquidation_engine, data, must_succeed=False)
    fails = refused(case, pair, position, reserve, reserve)
    fails |= engine.leaves_dust(position, sale.seized, sale.cancelled, rules.dust)
    assert (receipt["status"] == "0x0") == fails
    if fails:
        return False
    paid_out = predicted_incentives(case, pair, reserve, sale)
    assert_booked(receipt, sale, paid_out, reserve.multiplier)
    return True


async def test_swaps_are_booked_as_the_twin_says(here: World) -> None:
    booked = 0
    for seed in range(200, 222):
        with here.scratch():
            crowd = await crashed(here, seed)
            for index, symbol in enumerate(("WETH", "WBTC")):
                here.provide(index, 20e6, 0.9)
                here.follow_oracle(symbol)
            here.trade("WETH", "USDC", crowd.random.uniform(1, 3_000))
            booked += await settled_at_random(here, crowd, swap)
    assert booked >= 65


def swap(here: World, crowd: Crowd, case: Case, pair: tuple[int, int]) -> bool:
    """Swap a leg, with a random limit or without, and compare; False if it cannot be sold there."""
    markets = Board(case.snapshot.pools).markets(*pair)
    if not markets:
        return False
    market, rules = markets[0], case.snapshot.engine
    position, reserve = context(case, pair)
    spot = engine.multiplier_up(position, position.collateral, market.at_spot(position.collateral))
    chosen = crowd.random.random() < 0.5
    price = int(spot * position.sold.price * crowd.random.uniform(0.9, 1.0)) // 10**18 if chosen else 0
    limit = crowd.random.randrange(1, position.collateral + 1) if crowd.random.random() < 0.3 else ALL
    least = max(reserve.multiplier, -(-price * 10**18 // position.sold.price))
    best = engine.terms_at(position, spot, rules.penalty)
    low = engine.terms_at(position, least, rules.penalty)
    allowed = engine.sale_size(position, best, low, rules.target, rules.dust)
    seized = min(case.released(pair, position, reserve, best, allowed), limit)
    quote = market.quote(seized) if seized else None
    tokens = [here.manifest.assets[asset_id].token for asset_id in pair]
    path = pool_path(tokens[0], market.pool.fee_pips, tokens[1])
    venue, data = here.manifest.uniswap_v3_venue, route_data((10_000, path))
    call = SWAP.data("0x" + case.account.hex(), *pair, limit, price, venue, data)
    receipt = here.send(KEEPER, here.manifest.liquidation_engine, call, must_succeed=False)
    fails = spot < least or quote is None or quote.amount_out < engine.payment_up(position, least, seized)
    fails |= case.dearer(pair, position, low) is not None or off_oracle(here, case, pair, venue, data)
    if fails or quote is None:
        assert receipt["status"] == "0x0"
        return False
    realised = max(engine.multiplier_down(position, seized, quote.amount_out), reserve.multiplier)
    paid = engine.terms_at(position, realised, rules.penalty)
    sale = engine.realised(position, paid, seized, quote.amount_out)
    dust = engine.leaves_dust(position, seized, sale.cancelled, rules.dust)
    assert (receipt["status"] == "0x0") == dust
    if dust:
        return False
    chip_part = chip_part_of(realised, case.snapshot.markets.speed.slippage_limit_bps)
    assert_booked(receipt, sale, predicted_incentives(case, pair, paid, sale, chip_part), realised)
    return True


def off_oracle(here: World, case: Case, pair: tuple[int, int], venue: str, data: bytes) -> bool:
    """Return whether a pool's mean price of the last three minutes is more than 3 % off the oracle's."""
    position = case.position(*pair)
    tokens = [here.manifest.assets[asset_id].token for asset_id in pair]
    bounds = Function("uniswap_v3_venue", "priceBounds")
    call = bounds.data(*tokens, position.collateral, data, 180)
    try:
        lowest, highest = bounds.result(here.view(venue, call))
    except RpcError:
        return True
    low = engine.multiplier_down(position, position.collateral, lowest)
    high = engine.multiplier_up(position, position.collateral, highest)
    return low < 97 * WAD // 100 or high > 103 * WAD // 100


async def test_shares_are_minted_and_burnt_as_the_twin_says(here: World) -> None:
    seen: Counter[str] = Counter()
    with here.scratch():
        crowd = await crashed(here, 7)
        owner = here.accounts[0]
        for asset in here.manifest.assets:
            here.mint(asset.symbol, owner, here.units(asset.symbol, 10**5), here.manifest.clearing_house)
        for _ in range(30):
            asset = crowd.random.choice(here.manifest.assets)
            amount = crowd.random.randrange(1, here.units(asset.symbol, 50))
            head = await crowd.next_block(crowd.random.randrange(1, 3_000))
            market = crowd.protocol.snapshot(head).assets[asset.id].market
            kind = crowd.random.choice(("Supplied", "Withdrawn", "Repaid"))
            seen[kind] += compare_shares(here, owner, kind, asset.id, amount, market)
    assert min(seen.values()) >= 3


def compare_shares(here: World, owner: str, kind: str, asset_id: int, amount: int, market: Market) -> bool:
    """Supply, withdraw or repay, and compare the shares; False if the contract refused."""
    supply = market.supply_assets, market.supply_shares
    borrow = market.borrow_assets, market.borrow_shares
    house = here.manifest.clearing_house
    function, arguments, shares = {
        "Supplied": ("supply", (asset_id, amount, here.owner), shares_down(amount, *supply)),
        "Withdrawn": (
            "withdraw",
            (asset_id, amount, 0, here.owner, here.owner),
            shares_up(amount, *supply),
        ),
        "Repaid": ("repay", (asset_id, amount, owner), shares_down(amount, *borrow)),
    }[kind]
    sender = here.owner if kind == "Withdrawn" else owner
    data = Function("clearing_house", function).data(*arguments)
    receipt = here.send(sender, house, data, must_succeed=False)
    if receipt["status"] == "0x0":
        return False
    fields = fields_of(EventDecoder(abi.load("clearing_house"), [kind]), receipt)
    assert fields is not None
    held = assets_down(shares, *supply) if kind == "Withdrawn" else amount
    assert held >= amount
    assert fields["shares"] == shares
    return True
