"""An auction and its first sale in one call."""

from dataclasses import replace

import pytest

from bot.domain.binary_float import pack_down, pack_up
from bot.domain.engine import CurveInputs, Markets
from bot.domain.incentives import TIP_STEPS
from bot.domain.release import Bucket, Side
from bot.domain.wad import WAD
from bot.strategy.case import Case
from bot.strategy.decide import decide
from bot.strategy.decision import Action, Candidate, Decision, Kind, Reason
from bot.strategy.inclusion import Inclusions
from bot.strategy.opening import opened
from bot.strategy.settings import StrategySettings
from bot.strategy.snapshot import NO_KICK, NO_REDO
from tests.support.snapshots import KEEPER, NOW, RULES, SPEED, USDC, WBTC, WETH, Scene, pool_at

FREE = StrategySettings(priority_fee=0)
NEAR = 9_965 * WAD // 10_000
"""1 less a fee of 0.05 % and 0.3 % of slippage."""
MICROS = 10**6


def fresh(price: float, *, age: int = 0, capacity: int = 1_000_000) -> Markets:
    """Return budgets of WETH whose depth was read a moment ago, when its pools paid ``price``."""
    wad = round(price * 10**6) * 10**12
    sides = {Side.SELL: pack_up(wad), Side.BUY: pack_down(wad)}
    level = capacity * MICROS
    buckets = {
        (WETH, side): Bucket(level, level, NOW - age, 10**9, NOW - age, mean) for side, mean in sides.items()
    }
    return Markets(SPEED, frozenset({WETH}), buckets)


@pytest.fixture
def scene() -> Scene:
    """Return an account just below health 1, not flagged, beside a deep pool that pays the oracle's price."""
    made = Scene(pools=[pool_at(200, 5e7)], markets=fresh(200.0))
    made.account({"WETH": 100}, {"USDC": 16_700})
    return made


def only(scene: Scene, settings: StrategySettings = FREE) -> Decision:
    (decision,) = decide(scene.shoot(), settings).decisions
    return decision


def chosen(scene: Scene, settings: StrategySettings = FREE) -> Candidate:
    found = only(scene, settings).chosen
    assert found is not None
    return found


def test_a_lot_that_starts_near_the_market_is_sold_with_its_kick(scene: Scene) -> None:
    found = chosen(scene)
    assert found.action.kind is Kind.KICK_SWAP
    assert (found.action.started, found.action.collateral_ids, found.action.debt_id) == (
        (WETH,),
        (WETH,),
        USDC,
    )
    assert found.reserve_multiplier == pytest.approx(NEAR, rel=1e-7)
    assert found.realised_multiplier > NEAR
    assert found.tip == pytest.approx(5 * WAD, abs=10**12)
    assert found.revenue > found.tip


def test_the_kick_alone_is_told_as_outbid(scene: Scene) -> None:
    lost = [found for found in only(scene).rejected if found.kind is Kind.KICK]
    assert [found.reason for found in lost] == [Reason.OUTBID]


def test_a_lot_that_starts_above_the_market_is_only_kicked(scene: Scene) -> None:
    scene.markets = fresh(200.0, age=61)
    decision = only(scene)
    assert decision.chosen is not None
    assert decision.chosen.action.kind is Kind.KICK
    (lost,) = decision.rejected
    assert (lost.kind, lost.reason) == (Kind.KICK_SWAP, Reason.RESERVE_ABOVE_MARKET)
    assert lost.numbers["reserve"] > WAD > lost.numbers["spot"]


def test_pools_that_paid_more_raise_the_start_beyond_what_they_pay_now(scene: Scene) -> None:
    scene.markets = fresh(201.0)
    assert chosen(scene).action.kind is Kind.KICK
    scene.pools = [pool_at(201, 5e7)]
    assert chosen(scene).action.kind is Kind.KICK_SWAP


def test_a_start_behind_a_reading_of_depth_is_not_guessed_at(scene: Scene) -> None:
    scene.markets = fresh(200.0, age=50)  # old enough to be read again before a kick
    assert chosen(scene).action.kind is Kind.KICK_SWAP
    decisions = decide(replace(scene.shoot(), poke_open=True), FREE).decisions
    kinds = [decision.chosen.action.kind for decision in decisions if decision.chosen]
    assert kinds == [Kind.POKE, Kind.KICK]


def test_without_an_open_venue_or_a_signer_an_account_is_only_kicked(scene: Scene) -> None:
    snapshot = scene.shoot()
    for other in (replace(snapshot, swap_open=False), replace(snapshot, keeper=None)):
        (decision,) = decide(other, FREE).decisions
        assert decision.chosen is not None
        assert decision.chosen.action.kind is Kind.KICK


def test_one_call_costs_less_gas_than_two(scene: Scene) -> None:
    scene.base_fee = 10**9
    cost = chosen(scene).gas_cost
    gas = FREE.gas
    assert 0 < cost < (gas.kick + gas.swap) * 10**9 * 200


def test_a_sale_that_does_not_pay_is_left_to_others_and_the_kick_made(scene: Scene) -> None:
    scene.base_fee = 10**12
    decision = only(scene)
    assert decision.chosen is not None
    assert decision.chosen.action.kind is Kind.KICK
    assert {found.reason for found in decision.rejected} == {Reason.UNPROFITABLE}


def test_a_keeper_without_rivals_starts_and_takes_later(scene: Scene) -> None:
    scene.pools = [pool_at(202, 5e7)]  # one per cent above the start is there to be taken
    patient = replace(FREE, timing=replace(FREE.timing, race_bps=0))
    decision = only(scene, patient)
    assert decision.chosen is not None
    assert decision.chosen.action.kind is Kind.KICK
    waits = [found for found in decision.rejected if found.reason is Reason.WAITING_PAYS]
    assert [found.kind for found in waits] == [Kind.KICK_SWAP]
    assert waits[0].numbers["value_of_waiting"] > waits[0].numbers["revenue"]
    assert (
        chosen(scene).action.kind is Kind.KICK
    )  # the tip is sure, and a tenth of the take more than the chip
    crowded = replace(FREE, timing=replace(FREE.timing, race_bps=9_900))
    assert chosen(scene, crowded).action.kind is Kind.KICK_SWAP


def test_a_lapsed_auction_begins_again_with_a_sale(scene: Scene) -> None:
    scene.auction(0, ["WETH"], age=RULES.tail)
    found = chosen(scene)
    assert found.action.kind is Kind.REDO_SWAP
    assert found.reserve_multiplier == pytest.approx(NEAR, rel=1e-7)


def test_an_account_that_borrowed_in_this_block_is_left_to_cool(scene: Scene) -> None:
    scene.risk_blocks[0] = scene.block
    decision = only(scene)
    assert decision.chosen is None
    assert [found.reason for found in decision.rejected] == [Reason.COOLING_OFF]


@pytest.mark.parametrize(("level", "age"), [(NO_KICK, None), (NO_REDO, None), (NO_REDO, RULES.tail)])
def test_the_breaker_stops_what_it_says(scene: Scene, level: int, age: int | None) -> None:
    if age is not None:
        scene.auction(0, ["WETH"], age=age)
    (decision,) = decide(replace(scene.shoot(), breaker_level=level), FREE).decisions
    assert decision.chosen is None
    assert [found.reason for found in decision.rejected] == [Reason.HALTED]


def test_a_lapsed_auction_may_begin_again_while_kicks_are_stopped(scene: Scene) -> None:
    scene.auction(0, ["WETH"], age=RULES.tail)
    (decision,) = decide(replace(scene.shoot(), breaker_level=NO_KICK), FREE).decisions
    assert decision.chosen is not None


# ----------------------------------------------------------------------------- the opening


def test_netting_that_cures_begins_no_auction() -> None:
    scene = Scene()
    scene.account({"WETH": 100, "USDC": 3_000}, {"USDC": 18_000})
    scene.prices["USDC"] = 1.0
    case = Case.of(scene.shoot(), 0)
    assert not case.healthy or case.balance.debt_value == 0 or opened(case) is None
    scene.accounts[0] = ({"WETH": 100, "USDC": 16_000}, {"USDC": 31_800})
    worse = Case.of(scene.shoot(), 0)
    assert not worse.healthy
    assert opened(worse) is None


def test_what_is_too_small_to_auction_is_not_opened() -> None:
    scene = Scene()
    scene.account({"WETH": 0.4}, {"USDC": 500})
    assert opened(Case.of(scene.shoot(), 0)) is None


def test_every_collateral_gets_a_leg_at_the_clocks_of_its_market(scene: Scene) -> None:
    scene.accounts[0] = ({"WETH": 100, "WBTC": 1, "USDC": 100}, {"USDC": 22_900, "WETH": 3})
    snapshot = replace(scene.shoot(), curves={WBTC: CurveInputs(6_000, 50, 500)})
    begun = opened(Case.of(snapshot, 0))
    assert begun is not None
    assert begun.auction is not None
    assert set(begun.auction.legs) == {WETH, WBTC}
    assert begun.auction.kicker == KEEPER
    assert begun.auction.tip_owed == 5 * TIP_STEPS
    assert begun.auction.legs[WETH].clock_at == 10**9
    assert begun.auction.legs[WBTC].clock_at == 0
    assert begun.auction.legs[WBTC].decay_per_second < begun.auction.legs[WETH].decay_per_second
    assert {held.asset_id: (held.collateral, held.debt) for held in begun.holdings}[USDC] == (
        0,
        22_800 * 10**6,
    )
    for asset_id, multiplier in begun.multipliers().items():
        assert multiplier == begun.auction.legs[asset_id].start_multiplier


def test_it_is_urgent_and_worth_its_revenue(scene: Scene) -> None:
    snapshot, found = scene.shoot(), chosen(scene)
    inclusion = Inclusions(FREE).of(snapshot, found)
    assert inclusion.urgent
    assert [moved.asset for moved in inclusion.moves] == ["WETH"]
    assert inclusion.worth == found.revenue * WAD // (200 * WAD)
    assert inclusion.moves[0].value > 0
    assert Action(Kind.KICK, found.action.account).started == ()


def test_what_one_sale_draws_on_a_budget_the_next_one_finds_gone(scene: Scene) -> None:
    scene.markets = fresh(200.0, capacity=30_000)
    scene.accounts = [({"WETH": 1_000}, {"USDC": 180_000}) for _ in range(2)]
    for row in range(2):
        scene.auction(row, ["WETH"], age=120)
    first, second = decide(scene.shoot(), FREE).decisions
    assert first.chosen is not None
    assert first.chosen.seized * 200 / 1e18 == pytest.approx(30_000, rel=1e-3)
    assert second.chosen is None
    assert {found.reason for found in second.rejected} == {Reason.BUDGET}
