"""Several sales of one account in one call: when they are made, in which order, and at what price."""

from dataclasses import replace

import pytest

from bot.domain import engine
from bot.domain.binary_float import pack_down, pack_up
from bot.domain.engine import Markets
from bot.domain.lending import assets_up
from bot.domain.release import Bucket, Side
from bot.domain.wad import WAD
from bot.errors import InvalidInputError
from bot.strategy.board import Board
from bot.strategy.case import Case
from bot.strategy.decide import decide
from bot.strategy.decision import Candidate, Decision, Kind, Reason
from bot.strategy.routes import Route, paths
from bot.strategy.sale import Offer, Pair
from bot.strategy.settings import GasEstimates, StrategySettings
from bot.strategy.several import after, is_open
from tests.support.snapshots import NOW, RULES, SPEED, USDC, WBTC, WETH, Scene, pool_at, units

FREE = StrategySettings(priority_fee=0)
GWEI = 10**9


@pytest.fixture
def scene() -> Scene:
    """Return an account whose debt needs more than one of its two collaterals, each with a deep pool."""
    made = Scene(pools=[pool_at(200, 5e7), pool_at(8_000, 5e7, WBTC)], take_open=False)
    row = made.account({"WETH": 100, "WBTC": 2.5}, {"USDC": 36_900})
    made.auction(row, ["WETH", "WBTC"], age=300)
    return made


def only(scene: Scene, settings: StrategySettings = FREE) -> Decision:
    (decision,) = decide(scene.shoot(), settings).decisions
    return decision


def chosen(scene: Scene, settings: StrategySettings = FREE) -> Candidate:
    found = only(scene, settings).chosen
    assert found is not None
    return found


def pairs(candidate: Candidate) -> list[tuple[int, int]]:
    return [(booking.collateral_id, booking.debt_id) for booking in candidate.bookings]


def test_a_collateral_that_is_used_up_is_followed_by_another(scene: Scene) -> None:
    candidate = chosen(scene)
    assert candidate.action.label == "swap_2"
    first, second = candidate.bookings
    assert {first.collateral_id, second.collateral_id} == {WETH, WBTC}
    held = {WETH: units("WETH", 100), WBTC: units("WBTC", 2.5)}
    assert first.seized == held[first.collateral_id]
    assert 0 < second.seized < held[second.collateral_id]
    assert second.repaid < first.repaid


def test_both_sales_together_reach_the_target(scene: Scene) -> None:
    snapshot = scene.shoot()
    case = Case.of(snapshot, 0)
    candidate = chosen(scene)
    collateral, owed = case.balance.weighted_collateral, case.balance.weighted_debt
    for booking in candidate.bookings:
        sold, debt = case.terms[booking.collateral_id], case.terms[booking.debt_id]
        collateral -= sold.value_up(booking.seized) * sold.threshold // WAD
        owed -= debt.value_down(booking.repaid)
    assert RULES.target * 0.999 < collateral * WAD // owed <= RULES.target


@pytest.mark.parametrize("debt", [36_900, 38_700])
def test_what_a_sale_leaves_adds_up(scene: Scene, debt: int) -> None:
    scene.accounts[0] = ({"WETH": 100, "WBTC": 2.5}, {"USDC": debt})
    scene.auction(0, ["WETH", "WBTC"], age=600)
    case = Case.of(scene.shoot(), 0)
    position = case.position(WETH, USDC)
    reserve = engine.terms_at(position, case.multiplier(WETH), RULES.penalty)
    (path,) = paths(Board(scene.pools), WETH, USDC, range(3), position.collateral)
    pair = Pair(case, WETH, USDC, position, reserve, Route.along(path), FREE, 0)
    offer = pair.swap()
    assert isinstance(offer, Offer)
    assert offer.booked is not None
    left = after(pair, offer.booked)
    before, now = (found.snapshot.assets[USDC].market for found in (case, left))
    sale, (kept, owed) = offer.booked.sale, left.holdings
    assert kept == (WBTC, units("WBTC", 2.5), 0)
    assert owed.debt == assets_up(left.debt_shares(USDC), now.borrow_assets, now.borrow_shares)
    assert 0 <= owed.debt - (position.debt - sale.cancelled) <= 1
    assert before.borrow_assets - now.borrow_assets == sale.cancelled
    assert before.borrow_shares - now.borrow_shares == case.debt_shares(USDC) - left.debt_shares(USDC)
    assert now.imbalance == before.imbalance
    assert left.balance == engine.balance_of(left.holdings, case.terms)
    assert left.auction is not None
    assert left.auction.legs[WETH].urgency == case.urgency
    assert (case.urgency > 0) == reserve.insolvent == (debt == 38_700)
    assert left.auction.legs[WBTC].urgency == 0


def test_a_sale_that_cures_is_made_alone(scene: Scene) -> None:
    scene.accounts[0] = ({"WETH": 100, "WBTC": 2.5}, {"USDC": 33_000})
    assert chosen(scene).action.further == ()


def test_a_debt_that_is_repaid_is_followed_by_another(scene: Scene) -> None:
    scene.accounts[0] = ({"WETH": 190}, {"USDC": 17_000, "WBTC": 2.1})
    scene.auction(0, ["WETH"], age=300)
    candidate = chosen(scene)
    assert pairs(candidate) == [(WETH, USDC), (WETH, WBTC)]
    assert candidate.repaid == units("USDC", 17_000)


def test_one_sale_at_most_where_the_operator_wants_no_more(scene: Scene) -> None:
    alone = chosen(scene, replace(FREE, max_sales=1))
    assert alone.action.further == ()
    assert alone == chosen(scene).alone


def test_the_limit_of_sales_is_at_least_one() -> None:
    with pytest.raises(InvalidInputError, match="max_sales"):
        StrategySettings(max_sales=0)


def test_gas_is_shared_and_what_is_earned_adds_up(scene: Scene) -> None:
    scene.base_fee = GWEI
    candidate, alone = chosen(scene), chosen(scene, replace(FREE, max_sales=1))
    price = GWEI * 200  # WAD quote units per gas
    gas = GasEstimates()
    assert candidate.gas_cost == price * (gas.swap + gas.further)
    assert [booking.gas_cost for booking in candidate.bookings] == [price * gas.swap, price * gas.further]
    assert candidate.revenue == alone.revenue + candidate.further[0].revenue
    assert candidate.net > alone.net


def test_a_further_sale_that_does_not_pay_its_gas_is_left(scene: Scene) -> None:
    earned = chosen(scene).further[0].revenue
    scene.base_fee = earned // (GasEstimates().further * 200) + 1
    losing = replace(FREE, minimum_profit=-100 * WAD)
    assert chosen(scene, losing).action.label == "swap_2", "the operator pays for health"
    candidate = chosen(scene, replace(FREE, minimum_profit=0))
    assert candidate.action.further == ()


def test_a_further_sale_can_make_a_first_one_worth_its_gas(scene: Scene) -> None:
    candidate = chosen(scene)
    between = (candidate.alone.net + candidate.net) // 2
    asks = replace(FREE, minimum_profit=between)
    assert only(scene, replace(asks, max_sales=1)).chosen is None
    assert chosen(scene, asks) == candidate


def test_what_is_contained_is_told_apart_from_what_lost(scene: Scene) -> None:
    decision = only(scene)
    assert decision.chosen is not None
    reasons = {(lost.collateral_id, lost.reason) for lost in decision.rejected if lost.kind is Kind.SWAP}
    first, second = decision.chosen.bookings
    assert reasons == {(first.collateral_id, Reason.CONTAINED), (second.collateral_id, Reason.OUTBID)}


def test_an_account_that_a_small_rise_would_cure_waits_with_its_second_sale(scene: Scene) -> None:
    case = Case.of(scene.shoot(), 0)
    debt = case.balance.weighted_debt
    for short_bps, is_left in ((60, True), (40, False)):
        balance = case.balance._replace(weighted_collateral=debt * (10_000 - short_bps) // 10_000)
        assert is_open(replace(case, balance=balance), FREE) is is_left


def test_an_account_below_dust_has_been_written_off(scene: Scene) -> None:
    case = Case.of(scene.shoot(), 0)
    assert is_open(case, FREE)
    spent = case.balance._replace(collateral_value=RULES.dust - 1, weighted_collateral=1)
    assert not is_open(replace(case, balance=spent), FREE)


def test_a_budget_that_the_first_sale_empties_stops_the_second(scene: Scene) -> None:
    scene.accounts[0] = ({"WETH": 200}, {"USDC": 17_000, "WBTC": 2.1})
    scene.auction(0, ["WETH"], age=300)
    full = 10_000 * 10**6
    buckets = {(WETH, Side.SELL): Bucket(full, full, NOW, NOW * 1_000, NOW)}
    scene.markets = Markets(SPEED, frozenset({WETH}), buckets)
    candidate = chosen(scene)
    assert candidate.action.further == ()
    assert candidate.seized == units("WETH", 50)  # the capacity, at 200


def test_pools_and_budgets_are_left_as_all_sales_leave_them(scene: Scene) -> None:
    row = scene.account({"WETH": 100, "WBTC": 2.5}, {"USDC": 36_850})
    scene.auction(row, ["WETH", "WBTC"], age=300)
    first, second = decide(scene.shoot(), FREE).candidates
    assert second.realised_multiplier < first.realised_multiplier
    by_pair = {booking.collateral_id: booking for booking in second.bookings}
    for booking in first.bookings:
        assert by_pair[booking.collateral_id].realised_multiplier < booking.realised_multiplier


def test_an_auction_may_begin_with_several_sales(scene: Scene) -> None:
    scene.auctions.clear()
    level, buckets = 5 * 10**12, {}
    for asset_id, price in ((WETH, 200), (WBTC, 8_000)):
        for side, pack in ((Side.SELL, pack_up), (Side.BUY, pack_down)):
            buckets[asset_id, side] = Bucket(level, level, NOW, NOW * 1_000, NOW, pack(price * WAD))
    scene.markets = Markets(SPEED, frozenset({WETH, WBTC}), buckets)
    candidate = chosen(scene)
    assert candidate.action.label == "kick_swap_2"
    assert set(candidate.action.started) == {WETH, WBTC}
    assert [action.kind for action in candidate.action.further] == [Kind.SWAP]
    assert candidate.tip > 0
    assert candidate.further[0].tip == 0, "the first sale has paid it"


def test_a_branch_of_the_board_remembers_how_it_found_its_pools(scene: Scene) -> None:
    board = Board(scene.pools)
    branch = board.branch()
    (market,) = branch.markets(WETH, USDC)
    quote = market.quote(units("WETH", 1_000))
    assert quote is not None
    branch.sell(market, quote)
    (moved,), (kept,) = branch.markets(WETH, USDC), board.markets(WETH, USDC)
    assert moved.at_spot(10**18) < moved.at_found(10**18) == kept.at_spot(10**18)
    assert kept.found is None
