"""The liquidator of the fixed bonus: what it chooses to send."""

from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import pytest

from bot.sim.book import AssetTerms
from bot.sim.book_view import AccountView, BookView, MarketView
from bot.sim.depth_curve import DepthCurve, depth_curve
from bot.sim.liquidator import BONUS, Liquidator
from bot.sim.liquidity import Geometry, scale_for_depth, shape, tail

WAD = 10**18
PRICE = 2_000.0
TERMS = (
    AssetTerms("WETH", 0, 18, 2_000 * WAD, 8_000, 8_300, 10_800),
    AssetTerms("WBTC", 1, 8, 40_000 * WAD, 7_300, 7_800, 11_000),
    AssetTerms("USDC", 2, 6, WAD, 8_700, 9_000, 10_000),
)
MARKETS = [
    MarketView(10**24, 10**24, 2_000 * WAD),
    MarketView(10**14, 10**14, 40_000 * WAD),
    MarketView(10**14, 10**14, WAD),
]


@dataclass
class Part:
    """Anything with the attributes that it is given."""

    def __init__(self, **parts: Any) -> None:
        self.__dict__.update(parts)


def pools(depth: float) -> list[DepthCurve]:
    curves = []
    for decimals, price in ((18, 2_000.0), (8, 40_000.0)):
        geometry = Geometry(decimals, 6, True, 500)
        scale = scale_for_depth(geometry, price, depth)
        ranges = [*shape(geometry, price, scale), tail(geometry, scale)]
        curves.append(depth_curve(geometry, ranges, geometry.sqrt_price_x96(price)))
    return curves


def liquidator(*accounts: AccountView) -> Liquidator:
    book = BookView(TERMS, len(accounts))
    for index, account in enumerate(accounts):
        book.update(index, account)
    world = Part(
        terms=TERMS,
        pools=(Part(base_id=0), Part(base_id=1)),
        manifest=Part(asset=lambda symbol: Part(id=0)),
        anvil=Part(rpc=Part(call=lambda *_: None)),
    )
    watcher = Part(book=book, markets=MARKETS)
    return Liquidator(cast("Any", world), cast("Any", watcher), "0x" + "11" * 20, 31 * 10**9)


def owing(weth: float, usdc: float) -> AccountView:
    return AccountView((int(weth * WAD), 0, 0), (0, 0, int(usdc * 10**6)))


def test_in_a_deep_market_half_is_repaid_near_health_and_all_of_it_below() -> None:
    near, far = owing(10.0, 17_000.0), owing(10.0, 18_000.0)
    chooser = liquidator(near, far)
    health = chooser.watcher.book.health(MARKETS)
    assert 0.95 < health.health[0] < 1.0
    assert health.health[1] < 0.95
    offers = {offer.index: offer for offer in chooser.choose(health, pools(1e9))}
    assert offers[0].repaid == pytest.approx(8_500e6, rel=1e-6)
    assert offers[1].repaid == pytest.approx(18_000e6, rel=1e-6)
    assert offers[1].seized == pytest.approx(9.45e18, rel=1e-6)


def test_in_a_thin_market_less_is_repaid_than_allowed() -> None:
    chooser = liquidator(owing(1_000.0, 1_800_000.0))
    (offer,) = chooser.choose(chooser.watcher.book.health(MARKETS), pools(200_000.0))
    assert 0.0 < offer.repaid < 900_000e6
    assert offer.profit > 0.0


def test_what_does_not_pay_its_gas_is_left_alone() -> None:
    chooser = liquidator(owing(0.01, 18.0))
    assert list(chooser.choose(chooser.watcher.book.health(MARKETS), pools(1e9))) == []


def test_healthy_accounts_are_left_alone() -> None:
    chooser = liquidator(owing(10.0, 10_000.0))
    assert list(chooser.choose(chooser.watcher.book.health(MARKETS), pools(1e9))) == []


def test_each_offer_counts_with_the_sales_before_it() -> None:
    account = owing(100.0, 180_000.0)
    chooser = liquidator(account, account)
    alone = chooser.best(0, chooser.watcher.book.health(MARKETS), pools(3e6))
    offers = list(chooser.choose(chooser.watcher.book.health(MARKETS), pools(3e6)))
    assert alone is not None
    assert len(offers) == 2
    assert offers[0].profit == alone.profit > offers[1].profit


def test_a_debt_in_another_volatile_asset_is_reached_through_both_pools() -> None:
    cross = AccountView((100 * WAD, 0, 0), (0, int(4.5 * 10**8), 0))
    chooser = liquidator(cross)
    (offer,) = chooser.choose(chooser.watcher.book.health(MARKETS), pools(1e9))
    assert chooser.route(0, 1) == ((0, True), (1, False))
    assert offer.seized * 2_000.0 / WAD == pytest.approx(
        (1.0 + BONUS) * offer.repaid * 40_000.0 / 10**8, rel=1e-6
    )
    assert np.isfinite(offer.profit)
