"""Liquidatable debt by price, on accounts whose liquidation price is known."""

import numpy as np
import pytest

from bot.domain.wad import WAD
from bot.strategy.ladder import Ladder, ladder_of
from tests.support.snapshots import USDC, WETH, Scene


def ladder(scene: Scene, asset_id: int = WETH) -> Ladder:
    snapshot = scene.shoot()
    return ladder_of(snapshot, snapshot.assets[asset_id])


def debt(found: Ladder, *prices: float) -> list[float]:
    return [float(value) for value in found.debt(np.array(prices))]


def test_a_long_falls_below_its_liquidation_price() -> None:
    scene = Scene()
    scene.account({"WETH": 100}, {"USDC": 12_450})
    found = ladder(scene)
    assert found.longs.triggers == pytest.approx([150.0], rel=1e-12)
    assert debt(found, 149.99, 150.01) == pytest.approx([12_450, 0])
    assert found.accounts(np.array([149.99, 150.01])).tolist() == [1, 0]
    assert found.price == 200.0


def test_a_short_falls_above_it_and_owes_more_as_it_rises() -> None:
    scene = Scene()
    scene.account({"USDC": 24_000}, {"WETH": 80})
    found = ladder(scene)  # 24,000 * 0.9 = 80 * 1.08 * 250
    assert found.shorts.triggers == pytest.approx([250.0], rel=1e-9)
    assert debt(found, 249.9, 250.1, 300.0) == pytest.approx([0, 80 * 250.1, 80 * 300.0], rel=1e-9)


def test_an_account_that_the_price_does_not_touch_is_a_constant() -> None:
    scene = Scene()
    scene.account({"WBTC": 1}, {"USDC": 7_000})
    scene.account({"WBTC": 1}, {"USDC": 6_000})
    assert debt(ladder(scene), 1.0, 200.0, 2_000.0) == pytest.approx([7_000] * 3)


def test_a_healthy_account_whose_rest_covers_its_debt_never_falls() -> None:
    scene = Scene()
    scene.account({"WETH": 1, "USDC": 20_000}, {"USDC": 10_000})
    assert debt(ladder(scene), 0.01, 200.0) == [0.0, 0.0]


def test_accounts_without_debt_or_without_a_price_are_left_out() -> None:
    scene = Scene()
    scene.prices["WBTC"] = None
    scene.account({"WETH": 1}, {})
    scene.account({"WBTC": 1}, {"USDC": 10_000})
    found = ladder(scene)
    assert found.unpriced == 1
    assert debt(found, 0.01, 1e6) == [0.0, 0.0]


def test_an_empty_book_is_a_flat_ladder() -> None:
    assert debt(ladder(Scene()), 1.0, 200.0) == [0.0, 0.0]


def test_the_price_is_that_of_the_asset_asked_for() -> None:
    found = ladder(Scene(), USDC)
    assert found.price == 1.0
    assert found.asset.price == WAD
