"""What is decided on hand-made snapshots, and why not otherwise."""

from dataclasses import replace

import pytest

from bot.domain import engine
from bot.domain.wad import WAD
from bot.strategy.case import Case
from bot.strategy.decide import decide, gas_price
from bot.strategy.decision import Decision, Kind, Reason
from bot.strategy.settings import GasEstimates, StrategySettings
from tests.support.snapshots import KEEPER, RULES, USDC, WBTC, WETH, Scene, pool_at, units

FREE = StrategySettings(priority_fee=0)
ALL = 2**256 - 1
GWEI = 10**9


def only(scene: Scene, settings: StrategySettings = FREE) -> Decision:
    (decision,) = decide(scene.shoot(), settings).decisions
    return decision


def reasons(decision: Decision) -> set[tuple[Kind, Reason]]:
    return {(rejection.kind, rejection.reason) for rejection in decision.rejected}


@pytest.fixture
def scene() -> Scene:
    """Return an account at health 0.913, its auction two minutes old, beside a deep pool."""
    made = Scene(pools=[pool_at(200, 5e7)])
    row = made.account({"WETH": 100}, {"USDC": 18_180})
    made.auction(row, ["WETH"], age=120)
    return made


# ------------------------------------------------------------------------------- screening


def test_healthy_accounts_are_not_decided_on() -> None:
    scene = Scene()
    scene.account({"WETH": 100}, {"USDC": 10_000})
    scene.account({"WETH": 100}, {})
    decisions = decide(scene.shoot(), FREE)
    assert decisions.decisions == ()
    assert decisions.accounts == 2


def test_health_of_exactly_one_is_healthy() -> None:
    scene = Scene()
    scene.account({"WETH": 100}, {"USDC": 16_600})
    assert decide(scene.shoot(), FREE).decisions == ()
    scene.accounts[0] = ({"WETH": 100}, {"USDC": 16_600.000001})
    assert only(scene).chosen is not None


def test_an_account_whose_price_is_refused_is_counted_and_left_alone(scene: Scene) -> None:
    scene.auctions.clear()
    scene.prices["WETH"] = None
    decisions = decide(scene.shoot(), FREE)
    assert decisions.decisions == ()
    assert decisions.unpriced == 1


def test_an_account_that_does_not_use_the_refused_asset_is_decided_on(scene: Scene) -> None:
    scene.prices["WBTC"] = None
    decisions = decide(scene.shoot(), FREE)
    assert len(decisions.candidates) == 1
    assert decisions.unpriced == 0


def test_the_unhealthiest_comes_first_and_then_the_largest() -> None:
    scene = Scene()
    scene.account({"WETH": 100}, {"USDC": 17_000})
    scene.account({"WETH": 100}, {"USDC": 19_000})
    scene.account({"WETH": 200}, {"USDC": 34_000})
    order = [int.from_bytes(d.account) for d in decide(scene.shoot(), FREE).decisions]
    assert order == [1, 2, 0]


# ------------------------------------------------------------------------------ kick, redo


def test_an_unhealthy_account_is_kicked_with_all_its_collateral() -> None:
    scene = Scene()
    scene.account({"WETH": 100, "WBTC": 1}, {"USDC": 24_000})
    chosen = only(scene).chosen
    assert chosen is not None
    assert chosen.action.kind is Kind.KICK
    assert chosen.action.collateral_ids == (WETH, WBTC)
    # a tip of 5 and a chip of 0.1 % of what the first slice repays
    assert 5 * WAD < chosen.revenue < 29 * WAD


def test_collateral_that_netting_uses_up_is_not_kicked() -> None:
    scene = Scene()
    scene.account({"WETH": 100, "USDC": 500}, {"USDC": 18_000})
    chosen = only(scene).chosen
    assert chosen is not None
    assert chosen.action.collateral_ids == (WETH,)


def test_an_unprofitable_kick_is_left_to_others_when_told_so() -> None:
    scene = Scene(base_fee=100 * GWEI)
    scene.account({"WETH": 3}, {"USDC": 510})
    assert only(scene).chosen is not None
    thrifty = replace(FREE, kick_unprofitable=False)
    decision = only(scene, thrifty)
    assert decision.chosen is None
    assert reasons(decision) == {(Kind.KICK, Reason.UNPROFITABLE)}


def test_an_account_that_borrowed_in_this_block_is_left_to_cool() -> None:
    scene = Scene(block=77, risk_blocks={0: 77})
    scene.account({"WETH": 100}, {"USDC": 18_000})
    assert reasons(only(scene)) == {(Kind.KICK, Reason.COOLING_OFF)}
    scene.risk_blocks[0] = 76
    assert only(scene).chosen is not None


def test_nothing_but_clearing_is_done_while_liquidations_are_halted(scene: Scene) -> None:
    scene.halted = True
    assert reasons(only(scene)) == {(Kind.KICK, Reason.HALTED)}
    scene.prices["WETH"] = 300
    chosen = only(scene).chosen
    assert chosen is not None
    assert chosen.action.kind is Kind.CLEAR


@pytest.mark.parametrize("age", [RULES.tail, RULES.tail + 1])
def test_a_lapsed_auction_is_begun_again(scene: Scene, age: int) -> None:
    scene.auction(0, ["WETH"], age=age)
    chosen = only(scene).chosen
    assert chosen is not None
    assert chosen.action.kind is Kind.REDO
    assert chosen.action.collateral_ids == (WETH,)


def test_an_auction_one_second_before_its_lapse_is_settled(scene: Scene) -> None:
    scene.auction(0, ["WETH"], age=RULES.tail - 1)
    chosen = only(scene).chosen
    assert chosen is not None
    assert chosen.action.kind in (Kind.SWAP, Kind.TAKE)


def test_an_auction_kicked_before_a_resumption_has_lapsed(scene: Scene) -> None:
    kicked = scene.auctions[0].kicked_at
    scene.resumed_at = kicked + 1
    assert only(scene).chosen.action.kind is Kind.REDO  # type: ignore[union-attr]
    scene.resumed_at = kicked
    assert only(scene).chosen.action.kind is not Kind.REDO  # type: ignore[union-attr]


def test_a_flag_without_an_auction_of_this_engine_is_taken_over(scene: Scene) -> None:
    snapshot = scene.shoot()
    (decision,) = decide(replace(snapshot, auctions={}), FREE).decisions
    assert decision.chosen is not None
    assert decision.chosen.action.kind is Kind.REDO


# ---------------------------------------------------------------------------- housekeeping


def test_a_flag_on_a_healthy_account_is_cleared_unless_told_not_to(scene: Scene) -> None:
    scene.prices["WETH"] = 300
    chosen = only(scene).chosen
    assert chosen is not None
    assert chosen.action.kind is Kind.CLEAR
    assert only(scene, replace(FREE, housekeeping=False)).chosen is None


def test_a_collateral_without_a_leg_gets_one_while_nothing_can_be_sold(scene: Scene) -> None:
    scene.accounts[0] = ({"WETH": 100, "WBTC": 0.1}, {"USDC": 18_800})
    scene.auction(0, ["WETH"], age=12)
    decision = only(scene)
    assert decision.chosen is not None
    assert decision.chosen.action.kind is Kind.KICK
    assert decision.chosen.action.collateral_ids == (WBTC,)
    assert (Kind.SWAP, Reason.LEG_MISSING) in reasons(decision)


def test_debt_in_an_asset_that_is_held_is_netted_while_nothing_can_be_sold(scene: Scene) -> None:
    scene.accounts[0] = ({"WETH": 100, "USDC": 300}, {"USDC": 18_400})
    scene.auction(0, ["WETH", "USDC"], age=12)
    chosen = only(scene).chosen
    assert chosen is not None
    assert chosen.action.kind is Kind.NET
    assert chosen.action.collateral_ids == (USDC,)


def test_a_flagged_account_with_nothing_left_is_kicked_again_to_be_written_off(scene: Scene) -> None:
    scene.accounts[0] = ({"WETH": 0.4}, {"USDC": 500})
    scene.auction(0, ["WETH"], age=12)
    chosen = only(scene).chosen
    assert chosen is not None
    assert chosen.action.kind is Kind.KICK
    scene.accounts[0] = ({"WETH": 0.6}, {"USDC": 500})
    assert only(scene).chosen is None


def test_a_leg_is_not_started_for_dust(scene: Scene) -> None:
    scene.accounts[0] = ({"WETH": 100, "WBTC": 0.01}, {"USDC": 18_300})
    scene.auction(0, ["WETH"], age=12)
    assert only(scene).chosen is None


# -------------------------------------------------------------------------------- selling


def test_nothing_is_sold_while_the_reserve_is_above_the_market(scene: Scene) -> None:
    scene.auction(0, ["WETH"], age=12)
    decision = only(scene)
    assert decision.chosen is None
    assert reasons(decision) == {
        (Kind.SWAP, Reason.RESERVE_ABOVE_MARKET),
        (Kind.TAKE, Reason.RESERVE_ABOVE_MARKET),
    }


def test_the_dearer_route_wins_and_the_other_keeps_its_numbers(scene: Scene) -> None:
    decision = only(scene)
    assert decision.chosen is not None
    assert decision.chosen.action.kind is Kind.TAKE  # it earns the discount too
    (lost,) = decision.rejected
    assert (lost.kind, lost.reason) == (Kind.SWAP, Reason.OUTBID)
    assert 0 < lost.numbers["revenue"] < decision.chosen.revenue


def test_a_closed_route_leaves_the_other(scene: Scene) -> None:
    scene.take_open = False
    decision = only(scene)
    assert decision.chosen is not None
    assert decision.chosen.action.kind is Kind.SWAP
    assert (Kind.TAKE, Reason.ROUTE_CLOSED) in reasons(decision)
    scene.take_open, scene.swap_open = True, False
    decision = only(scene)
    assert decision.chosen is not None
    assert decision.chosen.action.kind is Kind.TAKE
    assert (Kind.SWAP, Reason.ROUTE_CLOSED) in reasons(decision)


def test_a_pair_without_a_pool_is_not_sold(scene: Scene) -> None:
    scene.pools = [pool_at(8_000, 5e7, WBTC)]
    decision = only(scene)
    assert decision.chosen is None
    assert reasons(decision) == {(Kind.SWAP, Reason.NO_POOL)}


def test_an_unlimited_sale_leaves_its_size_to_the_engine(scene: Scene) -> None:
    scene.take_open = False
    chosen = only(scene).chosen
    assert chosen is not None
    assert chosen.action.max_seized == ALL
    assert 0 < chosen.seized < units("WETH", 100)


def test_a_swap_ends_between_health_one_and_the_target(scene: Scene) -> None:
    scene.take_open = False
    chosen = only(scene).chosen
    assert chosen is not None
    case = Case.of(scene.shoot(), 0)
    left = engine.Holding(WETH, units("WETH", 100) - chosen.seized, 0)
    owed = engine.Holding(USDC, 0, units("USDC", 18_180) - chosen.repaid)
    health = engine.balance_of((left, owed), case.terms).health_factor
    assert 1.045 * WAD < health <= 1.05 * WAD


def test_a_sale_into_a_shallow_pool_stops_at_the_slippage_limit(scene: Scene) -> None:
    scene.pools = [pool_at(200, 1e5)]
    scene.auction(0, ["WETH"], age=900)  # the reserve is far below the market
    scene.take_open = False
    chosen = only(scene, replace(FREE, max_slippage_bps=100)).chosen
    assert chosen is not None
    assert chosen.action.max_seized == chosen.seized
    # constant product: an average 1 % below spot comes from selling 1 % of the reserve
    assert chosen.seized == pytest.approx(0.0101 * 500e18, rel=0.01)
    assert chosen.realised_multiplier == pytest.approx(0.9895e18, rel=1e-4)


def test_a_swap_is_cut_where_the_average_would_fall_below_the_reserve(scene: Scene) -> None:
    scene.pools = [pool_at(200, 1e5)]
    scene.take_open = False
    chosen = only(scene).chosen
    assert chosen is not None
    assert chosen.action.max_seized == chosen.seized
    assert chosen.realised_multiplier >= chosen.reserve_multiplier
    assert chosen.realised_multiplier == pytest.approx(chosen.reserve_multiplier, rel=1e-4)


def test_a_take_is_sized_where_the_marginal_price_meets_the_reserve(scene: Scene) -> None:
    scene.pools = [pool_at(200, 1e5)]
    scene.swap_open = False
    chosen = only(scene).chosen
    assert chosen is not None
    best = chosen.revenue
    case = Case.of(scene.shoot(), 0)
    position = case.position(WETH, USDC)
    reserve = engine.terms_at(position, case.multiplier(WETH), RULES.penalty)
    pool = scene.pools[0].pool
    for factor in (0.97, 1.03):
        size = int(chosen.seized * factor)
        sale = engine.partial_take(position, reserve, size)
        chip = sale.repaid * RULES.chip_bps // 10_000
        earned = pool.quote_exact_input(size, True).amount_out - sale.payment + chip
        assert earned * 10**12 < best


@pytest.mark.parametrize("route", ["swap_open", "take_open"])
def test_a_sale_that_would_leave_dust_leaves_more(scene: Scene, route: str) -> None:
    scene.pools = [pool_at(200, 7_500)]  # two per cent of slippage are about 150 dollars
    scene.accounts[0] = ({"WETH": 1.3}, {"USDC": 235})
    scene.auction(0, ["WETH"], age=900)
    scene.swap_open = scene.take_open = False
    setattr(scene, route, True)
    chosen = only(scene).chosen
    assert chosen is not None
    assert chosen.action.max_seized == chosen.seized
    left = (235e6 - chosen.repaid) / 1e6
    # a take leaves as little as it may; a swap less than that only where its chip does not fall by it
    assert 100 <= left <= (125 if route == "take_open" else 170)
    assert (1.3e18 - chosen.seized) * 200 / 1e18 >= 100


def test_a_sale_that_can_leave_nothing_but_dust_waits(scene: Scene) -> None:
    scene.pools = [pool_at(200, 2_000)]
    scene.accounts[0] = ({"WETH": 0.6}, {"USDC": 107})
    scene.auction(0, ["WETH"], age=900)
    decision = only(scene)
    assert decision.chosen is None
    assert reasons(decision) == {(Kind.SWAP, Reason.DUST), (Kind.TAKE, Reason.DUST)}


def test_a_loss_is_refused_and_a_subsidy_is_paid_up_to_the_limit(scene: Scene) -> None:
    scene.base_fee = 200 * GWEI
    scene.accounts[0] = ({"WETH": 5}, {"USDC": 900})
    scene.auction(0, ["WETH"], age=100)
    decision = only(scene)
    assert decision.chosen is None
    assert (Kind.TAKE, Reason.UNPROFITABLE) in reasons(decision)
    cost = gas_price(scene.shoot(), FREE) * FREE.gas.take
    chosen = only(scene, replace(FREE, minimum_profit=-cost)).chosen
    assert chosen is not None
    assert -cost <= chosen.net < 0


def test_the_tip_counts_only_for_the_keeper_that_kicked(scene: Scene) -> None:
    scene.take_open = False
    scene.auction(0, ["WETH"], age=120, tip=5)
    others = only(scene).chosen
    scene.auction(0, ["WETH"], age=120, tip=5, kicker=KEEPER)
    ours = only(scene).chosen
    assert others is not None
    assert ours is not None
    assert ours.revenue - others.revenue == pytest.approx(5 * WAD, abs=10**12)


def test_the_limit_price_of_a_swap_is_the_realised_price_less_the_tolerance(scene: Scene) -> None:
    scene.take_open = False
    chosen = only(scene, replace(FREE, price_tolerance_bps=100)).chosen
    assert chosen is not None
    realised = chosen.realised_multiplier * 200
    assert chosen.action.limit_price == pytest.approx(realised * 0.99, rel=1e-4)


def test_a_take_asks_for_the_profit_that_pays_its_gas(scene: Scene) -> None:
    scene.base_fee = 50 * GWEI
    scene.swap_open = False
    chosen = only(scene, replace(FREE, minimum_profit=WAD)).chosen
    assert chosen is not None
    gas_usd = 50 * GWEI * GasEstimates().take * 200 / 1e18
    assert chosen.action.min_profit == pytest.approx((1 + gas_usd) * 10**6, rel=1e-6)


def test_a_tip_of_ours_lowers_the_profit_that_a_take_must_bring(scene: Scene) -> None:
    scene.base_fee = 150 * GWEI
    scene.swap_open = False
    scene.auction(0, ["WETH"], age=120, tip=5, kicker=KEEPER)
    chosen = only(scene).chosen
    assert chosen is not None
    gas_usd = 150 * GWEI * GasEstimates().take * 200 / 1e18
    assert chosen.action.min_profit == pytest.approx((gas_usd - 5) * 10**6, rel=1e-5)


def test_a_take_that_the_pool_cannot_pay_is_refused_whatever_the_tip(scene: Scene) -> None:
    scene.pools = [pool_at(200, 15_000)]  # the whole slice moves it by a per cent
    scene.accounts[0] = ({"WETH": 0.6}, {"USDC": 107})
    scene.auction(0, ["WETH"], age=80, tip=5, kicker=KEEPER)
    scene.swap_open = False
    decision = only(scene)
    assert decision.chosen is None
    assert (Kind.TAKE, Reason.UNPROFITABLE) in reasons(decision)


# ------------------------------------------------------------------------- several accounts


def test_a_later_sale_finds_the_pool_as_the_earlier_one_leaves_it() -> None:
    scene = Scene(pools=[pool_at(200, 2e7)], take_open=False)
    for debt in (18_180, 18_181):
        row = scene.account({"WETH": 100}, {"USDC": debt})
        scene.auction(row, ["WETH"], age=120)
    first, second = decide(scene.shoot(), FREE).candidates
    assert second.realised_multiplier < first.realised_multiplier


def test_what_the_first_sale_uses_up_is_not_sold_twice() -> None:
    scene = Scene(pools=[pool_at(200, 4e5)], take_open=False)
    for debt in (18_180, 18_181):
        row = scene.account({"WETH": 100}, {"USDC": debt})
        scene.auction(row, ["WETH"], age=120)
    first, second = decide(scene.shoot(), FREE).decisions
    assert first.chosen is not None
    assert second.chosen is None
    assert second.rejected[0].reason is Reason.RESERVE_ABOVE_MARKET


def test_no_more_actions_are_decided_than_allowed() -> None:
    scene = Scene()
    for _ in range(3):
        scene.account({"WETH": 100}, {"USDC": 18_000})
    decisions = decide(scene.shoot(), replace(FREE, max_actions=2)).decisions
    assert [decision.chosen is not None for decision in decisions] == [True, True, False]
    assert reasons(decisions[2]) == {(Kind.KICK, Reason.BLOCK_FULL)}


def test_the_same_snapshot_gives_the_same_decisions(scene: Scene) -> None:
    assert decide(scene.shoot(), FREE) == decide(scene.shoot(), FREE)
