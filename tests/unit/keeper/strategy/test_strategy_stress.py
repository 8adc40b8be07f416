"""What a shock does, on books small enough to check by hand."""

from fractions import Fraction

import pytest

from bot.domain.wad import WAD
from bot.errors import InvalidInputError
from bot.strategy.board import Board
from bot.strategy.shock import parse_change, parse_shocks, shocked
from bot.strategy.snapshot import Snapshot
from bot.strategy.stress import sell_at_once, stress
from tests.support.snapshots import RULES, USDC, WBTC, WETH, Scene, pool_at, units

SLIPPAGE = 0.02


def book(*, depth: float = 50e6) -> Scene:
    """Return a long that falls at 20 %, one that does not, and a short."""
    scene = Scene(pools=[pool_at(200, depth), pool_at(8_000, depth, WBTC)])
    scene.account({"WETH": 100}, {"USDC": 14_000})
    scene.account({"WETH": 100}, {"USDC": 10_000})
    scene.account({"USDC": 20_000}, {"WETH": 70})
    return scene


def by(snapshot: Snapshot, *shocks: str) -> dict[int, Fraction]:
    return parse_shocks(shocks, snapshot.assets)


# ---------------------------------------------------------------------------------- texts


@pytest.mark.parametrize(
    ("text", "factor"),
    [
        ("-20%", Fraction(4, 5)),
        ("+5%", Fraction(21, 20)),
        ("0.8", Fraction(4, 5)),
        (".5", Fraction(1, 2)),
        (" -12.5 % ", Fraction(7, 8)),
        ("0%", Fraction(1)),
    ],
)
def test_a_change_is_a_percentage_or_a_factor(text: str, factor: Fraction) -> None:
    assert parse_change(text) == factor


@pytest.mark.parametrize(
    "text", ["", "%", "-100%", "-0.2", "0", "20", "nan", "inf", "1e9", "--5%", "5%%", "1/2", "٥%", "+901%"]
)
def test_what_is_no_change_is_refused_by_name(text: str) -> None:
    with pytest.raises(InvalidInputError, match="-20%") as refused:
        parse_change(text)
    assert refused.value.value == text


@pytest.mark.parametrize("symbol", ["ETH", "WETH", "eth", "wEth"])
def test_wrapped_assets_answer_to_both_spellings(symbol: str) -> None:
    assert by(Scene().shoot(), f"{symbol}=-20%", "BTC=0.9") == {WETH: Fraction(4, 5), WBTC: Fraction(9, 10)}


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        (["ETH"], "SYMBOL=CHANGE"),
        (["=-5%"], "SYMBOL=CHANGE"),
        (["DOGE=-5%"], r"WETH, WBTC, USDC.*DOGE=-5%"),
        (["ETH=a lot"], r"-20%.*ETH=a lot"),
        (["ETH=-5%", "weth=-6%"], r"only one for WETH.*weth=-6%"),
    ],
)
def test_a_shock_that_cannot_be_read_is_named(texts: list[str], said: str) -> None:
    with pytest.raises(InvalidInputError, match=said):
        by(Scene().shoot(), *texts)


def test_an_asset_without_a_price_cannot_be_shocked() -> None:
    scene = Scene()
    scene.prices["WETH"] = None
    with pytest.raises(InvalidInputError, match="oracle refuses WETH"):
        by(scene.shoot(), "ETH=-5%")


# ---------------------------------------------------------------------------------- pools


def test_pools_move_with_the_ratio_of_their_tokens() -> None:
    snapshot = book().shoot()
    after = shocked(snapshot, by(snapshot, "ETH=-19%", "USDC=0.9"))
    weth, wbtc = (view.pool for view in after.pools)
    was = snapshot.pools[0].pool.sqrt_price_x96
    assert (weth.sqrt_price_x96 / was) ** 2 == pytest.approx(0.81 / 0.9, rel=1e-12)
    assert (wbtc.sqrt_price_x96 / snapshot.pools[1].pool.sqrt_price_x96) ** 2 == pytest.approx(1 / 0.9)
    assert after.assets[WETH].price == snapshot.assets[WETH].price * 81 // 100  # type: ignore[operator]
    assert after.assets[WBTC] == snapshot.assets[WBTC]


def test_two_pools_share_a_sale_so_that_it_brings_most() -> None:
    scene = Scene(pools=[pool_at(200, 1e6)])
    twin = pool_at(200, 3e6)
    scene.pools.append(type(twin)(b"\x77" * 20, twin.token0, twin.token1, twin.pool))
    amount = units("WETH", 1_000)
    both = sell_at_once(Board(scene.pools), (WETH, USDC), amount)
    alone = [sell_at_once(Board([view]), (WETH, USDC), amount) for view in scene.pools]
    assert both.sold == amount
    assert both.proceeds > max(sale.proceeds for sale in alone)
    whole = sell_at_once(Board([pool_at(200, 4e6)]), (WETH, USDC), amount)
    assert both.proceeds == pytest.approx(whole.proceeds, rel=1e-9)


def test_what_the_liquidity_cannot_take_stays_unsold() -> None:
    view = pool_at(200, 1e4)
    sale = sell_at_once(Board([view]), (WETH, USDC), 2**200)
    assert 0 < sale.sold < 2**200
    assert sale.price_move == pytest.approx(-1.0)


# --------------------------------------------------------------------------------- report


def test_a_fall_takes_the_longs_below_and_a_rise_the_shorts() -> None:
    snapshot = book().shoot()
    down = stress(snapshot, by(snapshot, "ETH=-20%"), SLIPPAGE)
    up = stress(snapshot, by(snapshot, "ETH=+20%"), SLIPPAGE)
    assert [fallen.account for fallen in down.fallen] == [snapshot.positions.accounts[0]]
    assert [fallen.account for fallen in up.fallen] == [snapshot.positions.accounts[2]]
    assert (down.below_before, down.debt_before) == (0, 0)
    assert down.debt == 14_000 * WAD
    assert [sale.pair for sale in up.sales] == [(USDC, WETH)]


def test_an_account_sells_what_brings_it_to_the_target() -> None:
    """By hand: V 16,000, k 0.83, D 14,000, h 1.05, p 0.5 %: r = (14,700 - 13,280) / (1.05 - 0.83 * 1.005)."""
    snapshot = book().shoot()
    report = stress(snapshot, by(snapshot, "ETH=-20%"), SLIPPAGE)
    repaid = (1.05 * 14_000 - 0.83 * 16_000) / (1.05 - 0.83 * 1.005)
    (sale,) = report.sales
    assert sale.repaid_value / WAD == pytest.approx(repaid, rel=1e-6)
    assert sale.value / WAD == pytest.approx(repaid * 1.005, rel=1e-6)
    assert sale.wanted / 1e18 == pytest.approx(repaid * 1.005 / 160, rel=1e-6)
    assert (report.shortfall, report.bad_debt) == (0, 0)


def test_slippage_beyond_the_cushion_is_bad_debt() -> None:
    snapshot = book(depth=1e4).shoot()
    report = stress(snapshot, by(snapshot, "ETH=-20%"), SLIPPAGE)
    (sale,) = report.sales
    lost = (sale.sold_value - sale.proceeds_value) / WAD
    assert report.shortfall == 0
    assert lost > 2_000
    # Proceeds are booked without a penalty, because no cushion is left for one.
    assert report.bad_debt / WAD == pytest.approx(lost - 2_000, abs=0.01)
    assert sale.load is not None
    assert sale.load > 1


def test_debt_beyond_collateral_is_bad_whatever_the_pools_pay() -> None:
    snapshot = book().shoot()
    report = stress(snapshot, by(snapshot, "ETH=-50%"), SLIPPAGE)
    assert report.shortfall == 4_000 * WAD
    assert report.bad_debt / WAD == pytest.approx(4_000, rel=0.01)
    assert report.bad_debt > report.shortfall


def test_where_no_pool_trades_the_pair_nothing_is_sold() -> None:
    scene = book()
    scene.pools.clear()
    snapshot = scene.shoot()
    report = stress(snapshot, by(snapshot, "ETH=-20%"), SLIPPAGE)
    (sale,) = report.sales
    assert (sale.pools, sale.sale.sold, sale.loss, sale.load) == (0, 0, None, None)
    assert report.bad_debt == 0


def test_the_collateral_that_restores_most_health_goes_first() -> None:
    scene = book()
    scene.account({"WETH": 50, "WBTC": 1.25}, {"USDC": 15_200})
    snapshot = scene.shoot()
    report = stress(snapshot, by(snapshot, "ETH=-12%"), SLIPPAGE)
    fallen = {found.account: found for found in report.fallen}
    (slice_,) = fallen[snapshot.positions.accounts[3]].slices
    assert slice_.pair == (WBTC, USDC)  # the lower threshold
    assert slice_.seized < units("WBTC", 1.25)


def test_debt_in_the_same_asset_is_netted_first() -> None:
    scene = Scene(pools=[pool_at(200, 50e6)])
    scene.account({"WETH": 100, "USDC": 5_000}, {"USDC": 19_500})
    scene.account({"WETH": 100, "USDC": 5_000}, {"USDC": 19_700})
    snapshot = scene.shoot()
    deep, shallow = stress(snapshot, by(snapshot, "ETH=-12%"), SLIPPAGE).fallen
    assert [slice_.pair for slice_ in deep.slices] == [(WETH, USDC)]
    assert shallow.slices == ()  # netting alone heals it: 0.83 * 17,600 > 14,500


def test_an_account_below_before_is_told_apart() -> None:
    scene = book()
    scene.account({"WETH": 100}, {"USDC": 17_000})
    snapshot = scene.shoot()
    report = stress(snapshot, by(snapshot, "ETH=-20%"), SLIPPAGE)
    assert [fallen.was_below for fallen in report.fallen] == [True, False]
    assert (report.below_before, report.debt_before) == (1, 17_000 * WAD)


def test_accounts_without_a_price_are_counted_and_left_out() -> None:
    scene = book()
    scene.prices["WBTC"] = None
    scene.account({"WBTC": 1}, {"USDC": 7_000})
    snapshot = scene.shoot()
    assert stress(snapshot, by(snapshot, "ETH=-20%"), SLIPPAGE).unpriced == 1


def test_an_empty_book_falls_nowhere() -> None:
    snapshot = Scene(rules=RULES).shoot()
    report = stress(snapshot, by(snapshot, "ETH=-20%"), SLIPPAGE)
    assert (report.fallen, report.sales, report.debt, report.bad_debt) == ((), (), 0, 0)
