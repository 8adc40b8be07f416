"""What holds for every shock, on random books and pools of any depth."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from bot.domain import engine
from bot.domain.wad import WAD
from bot.strategy.case import Case
from bot.strategy.ladder import ladder_of
from bot.strategy.shock import shocked
from bot.strategy.snapshot import Snapshot
from bot.strategy.stress import StressReport, slices_of, stress
from tests.support.snapshots import PRICES, SYMBOLS, WBTC, WETH, Scene, pool_at

SLIPPAGE = 0.02
sizes = st.floats(3.0, 6.5).map(lambda exponent: 10**exponent)
factors = st.fractions(Fraction(1, 100), Fraction(2), max_denominator=10_000)
EXAMPLES = settings(max_examples=100)


@st.composite
def scenes(draw: st.DrawFn, *, pure_longs: bool = False) -> Scene:
    """Return accounts of any health; longs hold volatile assets and owe dollars."""
    scene = Scene(pools=[pool_at(200, draw(sizes) * 30), pool_at(8_000, draw(sizes) * 30, WBTC)])
    held_from = SYMBOLS[:2] if pure_longs else SYMBOLS
    owed_from = SYMBOLS[2:] if pure_longs else SYMBOLS
    for _ in range(draw(st.integers(1, 5))):
        value = draw(sizes)
        held = draw(st.lists(st.sampled_from(held_from), min_size=1, max_size=3, unique=True))
        owed = draw(st.lists(st.sampled_from(owed_from), min_size=1, max_size=2, unique=True))
        share = draw(st.floats(0.3, 1.1))
        scene.account(
            {symbol: value / PRICES[symbol] / len(held) for symbol in held},
            {symbol: share * value / PRICES[symbol] / len(owed) for symbol in owed},
        )
    return scene


def run(snapshot: Snapshot, eth: Fraction, btc: Fraction = Fraction(1)) -> StressReport:
    return stress(snapshot, {WETH: eth, WBTC: btc}, SLIPPAGE)


@given(scenes(pure_longs=True), factors, factors)
@EXAMPLES
def test_a_more_severe_fall_never_reduces_the_liquidatable_debt_of_longs(
    scene: Scene, one: Fraction, other: Fraction
) -> None:
    snapshot, (worse, milder) = scene.shoot(), sorted([one, other])
    severe, mild = run(snapshot, worse), run(snapshot, milder)
    assert {found.account for found in mild.fallen} <= {found.account for found in severe.fallen}
    assert severe.debt >= mild.debt
    assert severe.shortfall >= mild.shortfall


@given(scenes(), factors, factors)
@EXAMPLES
def test_bad_debt_is_at_least_the_shortfall_and_at_most_the_debt(
    scene: Scene, eth: Fraction, btc: Fraction
) -> None:
    report = run(scene.shoot(), eth, btc)
    dust = 10**13 * max(len(report.fallen), 1)  # a token unit of USDC per rounding
    assert report.bad_debt >= report.shortfall - dust
    assert report.bad_debt <= report.debt
    for sale in report.sales:
        assert 0 <= sale.sale.sold <= sale.wanted
        assert sale.sale.price_move <= 0


@given(scenes(), factors, factors)
@EXAMPLES
def test_at_the_oracle_price_the_slices_restore_every_account_or_use_one_side_up(
    scene: Scene, eth: Fraction, btc: Fraction
) -> None:
    after = shocked(scene.shoot(), {WETH: eth, WBTC: btc})
    for row in range(len(after.positions.accounts)):
        case = Case.of(after, row)
        slices = slices_of(case.holdings, case.terms, after.engine)
        assert bool(slices) <= (not case.healthy)
        left = {held.asset_id: held for held in engine.netted(case.holdings)}
        for slice_ in slices:
            sold, owed = slice_.pair
            held = left[sold]
            left[sold] = held._replace(collateral=held.collateral - slice_.seized)
            left[owed] = left[owed]._replace(debt=left[owed].debt - slice_.repaid)
            assert left[sold].collateral >= 0
            assert left[owed].debt >= 0
        balance = engine.balance_of(tuple(left.values()), case.terms)
        if not case.healthy and balance.collateral_value > 10 * WAD and balance.debt_value > 10 * WAD:
            assert balance.weighted_collateral >= balance.weighted_debt


@given(scenes(), factors)
@EXAMPLES
def test_the_ladder_agrees_with_the_exact_engine_at_every_price(scene: Scene, factor: Fraction) -> None:
    snapshot = scene.shoot()
    ladder = ladder_of(snapshot, snapshot.assets[WETH])
    after = shocked(snapshot, {WETH: factor})
    cases = [Case.of(after, row) for row in range(len(after.positions.accounts))]
    balances = [case.balance for case in cases]
    gaps = [abs(b.weighted_collateral / b.weighted_debt - 1) for b in balances if b.weighted_debt]
    assume(all(gap > 1e-9 for gap in gaps))  # floats cannot tell an account at exactly 1
    price = np.array([(after.assets[WETH].price or 0) / WAD])
    owed = sum(case.balance.debt_value for case in cases if not case.healthy)
    assert float(ladder.debt(price)[0]) == pytest.approx(owed / WAD, rel=1e-9, abs=1e-5)
    assert int(ladder.accounts(price)[0]) == sum(not case.healthy for case in cases)
