"""Filling a dealer's quote, weighed by the exact twin beside swap and take."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from bot.domain import engine
from bot.domain.engine import Markets
from bot.domain.release import Bucket, Side, SpeedParameters
from bot.domain.wad import BPS, WAD
from bot.strategy.case import Case
from bot.strategy.decision import Candidate, Kind, Reason, Rejection
from bot.strategy.fills import fill, pays_for_depth
from bot.strategy.quotes import NOBODY, FirmQuote, OpenQuote
from bot.strategy.settings import StrategySettings
from tests.support.snapshots import KEEPER, NOW, USDC, WETH, Scene, units

DEALER = b"\xd0" * 20
FAIR = 200 * 10**6
MICROS = 10**6
SETTINGS = StrategySettings()


def case_of(
    collateral: Mapping[str, float] | None = None,
    debt: Mapping[str, float] | None = None,
    *,
    age: int = 600,
    **changes: Any,
) -> Case:
    scene = Scene(**changes)
    scene.account({}, {})  # so that the account of interest is not the zero address
    row = scene.account(collateral or {"WETH": 10}, debt or {"USDC": 1_700})
    scene.auction(row, ["WETH"], age=age)
    return Case.of(scene.shoot(), row)


def offered(case: Case, price: int = FAIR * 995 // 1000, **changes: Any) -> OpenQuote:
    quote = FirmQuote(
        dealer=DEALER,
        account=case.account,
        epoch=0,
        collateral_id=WETH,
        debt_id=USDC,
        price=price,
        min_fill=10**15,
        max_fill=units("WETH", 10),
        nonce=1,
        deadline=NOW + 36,
        filler=KEEPER,
        callback=False,
    )
    of_quote = {name: value for name, value in changes.items() if name in FirmQuote.__slots__}
    rest = {name: value for name, value in changes.items() if name not in of_quote}
    return OpenQuote(replace(quote, **of_quote), b"\x01" * 65, **rest)


def weighed(case: Case, quote: OpenQuote, gas_price: int = 0) -> Candidate:
    found = fill(case, quote, SETTINGS, gas_price)
    assert isinstance(found, Candidate), found
    return found


def refused(case: Case, quote: OpenQuote) -> Reason:
    found = fill(case, quote, SETTINGS, 0)
    assert isinstance(found, Rejection), found
    assert found.kind is Kind.FILL
    return found.reason


def health_after(case: Case, found: Candidate) -> int:
    position = case.position(WETH, USDC)
    balance = position.balance
    sold = position.sold.value_up(found.seized)
    held = balance.weighted_collateral - sold * position.sold.threshold // WAD
    owed = balance.weighted_debt - position.owed.value_down(found.repaid) * position.owed.weight // WAD
    return held * WAD // owed


def test_a_whole_fill_lifts_health_to_the_target_at_the_quotes_own_price() -> None:
    case = case_of()
    found = weighed(case, offered(case))
    assert health_after(case, found) == pytest.approx(case.snapshot.engine.target, rel=1e-6)
    assert found.payment == -(-found.seized * (FAIR * 995 // 1000) // WAD)
    assert found.action.kind is Kind.FILL
    assert found.action.max_seized == engine.UNBOUNDED
    assert found.realised_multiplier > found.reserve_multiplier


def test_a_better_price_sells_less_collateral_for_the_same_health() -> None:
    case = case_of()
    sold = [weighed(case, offered(case, FAIR * share // 1000)).seized for share in (970, 985, 1000)]
    assert sold == sorted(sold, reverse=True)
    assert len(set(sold)) == 3


def test_the_revenue_is_the_chip_and_the_tip_only_where_this_keeper_kicked() -> None:
    case = case_of()
    found = weighed(case, offered(case, fill_rate_bps=BPS))
    chip = found.repaid * case.snapshot.engine.chip_bps // BPS
    assert found.revenue == chip * WAD // 10**6
    theirs = replace(case, auction=replace(case.auction, tip_owed=500))
    ours = replace(case, auction=replace(case.auction, kicker=KEEPER, tip_owed=500))
    revenues = [weighed(tipped, offered(case, fill_rate_bps=BPS)).revenue for tipped in (theirs, ours)]
    assert revenues == [found.revenue, found.revenue + WAD // 2]


def test_a_dealer_that_lets_fills_fail_is_worth_less_and_its_gas_is_spent_all_the_same() -> None:
    case = case_of()
    good = weighed(case, offered(case, fill_rate_bps=BPS), gas_price=10**9)
    bad = weighed(case, offered(case, fill_rate_bps=BPS // 2), gas_price=10**9)
    assert bad.revenue == pytest.approx(good.revenue / 2, rel=1e-4)
    assert bad.gas_cost == good.gas_cost == 10**9 * SETTINGS.gas.fill


@pytest.mark.parametrize(
    "changes",
    [
        {"deadline": NOW},
        {"epoch": 1},
        {"filler": b"\x99" * 20},
        {"account": b"\x99" * 20},
        {"debt_id": WETH},
        {"collateral_id": 1},
        {"filled": units("WETH", 10)},
    ],
    ids=str,
)
def test_a_quote_that_does_not_hold_on_this_head_is_void(changes: Any) -> None:
    case = case_of()
    assert refused(case, offered(case, **changes)) is Reason.QUOTE_VOID


def test_an_owner_who_deals_with_himself_is_refused() -> None:
    case = case_of()
    assert refused(case, offered(case, dealer=case.account)) is Reason.QUOTE_VOID


def test_a_quote_for_anyone_is_for_this_keeper_too() -> None:
    case = case_of()
    assert weighed(case, offered(case, filler=NOBODY)).seized


def test_a_price_below_the_reserve_waits_until_the_reserve_has_fallen() -> None:
    young, old = case_of(age=0), case_of(age=900)
    assert refused(young, offered(young)) is Reason.QUOTE_BELOW_RESERVE
    assert weighed(old, offered(old)).seized


def test_a_fill_is_cut_to_what_the_quote_has_left_and_the_dealer_can_pay() -> None:
    case = case_of()
    left = weighed(case, offered(case, max_fill=units("WETH", 3), filled=units("WETH", 1)))
    assert left.seized == left.action.max_seized == units("WETH", 2)
    paid = weighed(case, offered(case, funds=units("USDC", 398)))
    assert paid.payment <= units("USDC", 398)
    assert paid.seized == pytest.approx(units("WETH", 2), rel=1e-6)


def test_less_than_the_smallest_fill_is_none_but_a_last_one_may_be_smaller() -> None:
    case = case_of()
    assert refused(case, offered(case, min_fill=units("WETH", 10))) is Reason.QUOTE_TOO_SMALL
    assert refused(case, offered(case, funds=0)) is Reason.QUOTE_TOO_SMALL
    last = offered(case, min_fill=units("WETH", 5), filled=units("WETH", 8))
    assert weighed(case, last).seized == units("WETH", 2)


def test_what_would_leave_dust_is_refused() -> None:
    case = case_of({"WETH": 1}, {"USDC": 190})
    assert refused(case, offered(case, max_fill=units("WETH", 0.7))) is Reason.DUST
    assert weighed(case, offered(case)).seized > units("WETH", 0.9)


def test_a_price_of_nothing_or_of_everything_is_no_crash() -> None:
    case = case_of()
    assert refused(case, offered(case, 0)) is Reason.QUOTE_BELOW_RESERVE
    assert isinstance(fill(case, offered(case, 2**256 - 1), SETTINGS, 0), Candidate | Rejection)


def test_a_leg_that_does_not_run_cannot_be_filled() -> None:
    case = case_of()
    still = replace(case, auction=replace(case.auction, legs={}))
    assert refused(still, offered(case)) is Reason.LEG_MISSING


# ---------------------------------------------------------------------- release budgets

SPEED = SpeedParameters(
    recovery=120,
    slippage_limit_bps=200,
    near_slippage_bps=30,
    shape_bps=5_000,
    urgency_z_bps=30_000,
    tau_clear=600,
    min_capacity=10_000,
    max_capacity=5_000_000,
    depth_max_age=1_800,
    choice_tolerance_bps=100,
)


def markets_of(*, poked_at: int = NOW - 60, level: int = 500_000, asset_id: int = WETH) -> Markets:
    """Return a market of one budgeted asset: a capacity of 500,000, which is half of its depth."""
    capacity = 500_000 * MICROS
    bucket = Bucket(level * MICROS, capacity, NOW, NOW * 1_000, poked_at)
    buckets = {(asset_id, side): bucket for side in Side}
    return Markets(SPEED, frozenset({asset_id}), buckets)


@pytest.mark.parametrize(
    ("usd", "quoted_bps", "pays"),
    [
        (0, 10_000, True),
        (0, 9_999, False),
        (500_000, 9_950, True),
        (500_000, 9_949, False),
        (10**8, 9_800, True),
        (10**8, 9_799, False),
    ],
)
def test_a_price_pays_for_depth_from_half_of_what_the_sale_would_move_it(
    usd: int, quoted_bps: int, pays: bool
) -> None:
    quoted = quoted_bps * WAD // BPS
    for asset_id in (WETH, USDC):
        markets = markets_of(asset_id=asset_id)
        assert pays_for_depth(markets, (WETH, USDC), usd * WAD, quoted, NOW) is pays


def test_where_the_poke_is_too_old_no_price_pays_and_without_budgets_every_price_does() -> None:
    old = markets_of(poked_at=NOW - 1_801)
    assert not pays_for_depth(old, (WETH, USDC), 0, WAD, NOW)
    assert pays_for_depth(markets_of(), (1, USDC), 10**9 * WAD, 0, NOW)


def test_a_price_that_does_not_pay_for_depth_waits_for_the_budget_and_one_that_does_goes_on() -> None:
    case = case_of(markets=markets_of(level=-500_000))
    assert refused(case, offered(case, FAIR * 97 // 100)) is Reason.BUDGET
    assert weighed(case, offered(case, FAIR)).seized


def test_a_fill_that_draws_on_the_budgets_is_cut_to_what_they_release() -> None:
    case = case_of({"WETH": 10_000}, {"USDC": 1_700_000}, markets=markets_of())
    found = weighed(case, offered(case, FAIR * 97 // 100, max_fill=units("WETH", 10_000)))
    assert found.seized == found.action.max_seized == units("WETH", 2_500)  # 500,000 at 200
