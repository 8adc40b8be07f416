"""When the keeper has a market's depth read."""

from dataclasses import replace

import pytest

from bot.domain.engine import Markets
from bot.domain.release import MICROS, Bucket, Side
from bot.strategy.case import Case
from bot.strategy.decision import Decision, Kind
from bot.strategy.pokes import pokes
from bot.strategy.screen import Screen
from bot.strategy.settings import StrategySettings
from bot.strategy.snapshot import Snapshot
from tests.support.snapshots import MARKETS, NOW, Scene

WETH, WBTC, USDC = range(3)
READY = Bucket(10**12, 10**12, NOW, NOW * 1_000, NOW)


@pytest.fixture
def scene() -> Scene:
    made = Scene(markets=replace(MARKETS, budgeted=frozenset({WETH, WBTC})))
    made.account({"WETH": 100}, {"USDC": 18_000})
    return made


def read(snapshot: Snapshot, settings: StrategySettings | None = None) -> list[Decision]:
    cases = [Case.of(snapshot, int(row)) for row in Screen(snapshot).suspects]
    return pokes(replace(snapshot, poke_open=True), cases, settings or StrategySettings(), 0)


def with_bucket(scene: Scene, bucket: Bucket) -> Markets:
    return replace(scene.markets, buckets={(WETH, Side.SELL): bucket})


def test_depth_is_read_where_more_is_to_be_sold_than_the_least_capacity(scene: Scene) -> None:
    (decision,) = read(scene.shoot())
    assert decision.chosen is not None
    assert (decision.chosen.action.kind, decision.chosen.action.collateral_ids) == (Kind.POKE, (WETH,))
    assert decision.account == WETH.to_bytes(20)


def test_depth_is_not_read_for_a_small_account(scene: Scene) -> None:
    scene.accounts[0] = ({"WETH": 10}, {"USDC": 1_900})
    assert read(scene.shoot()) == []


def test_a_short_has_the_buy_side_read(scene: Scene) -> None:
    scene.accounts[0] = ({"USDC": 22_000}, {"WETH": 99})
    assert [d.chosen.action.collateral_ids for d in read(scene.shoot()) if d.chosen] == [(WETH,)]


@pytest.mark.parametrize(("age", "count"), [(0, 0), (900, 0), (901, 1), (5_000, 1)])
def test_a_reading_serves_for_half_of_its_time(scene: Scene, age: int, count: int) -> None:
    scene.markets = with_bucket(scene, replace(READY, poked_at=NOW - age))
    scene.auction(0, ["WETH"], age=60)
    assert len(read(scene.shoot())) == count


@pytest.mark.parametrize(("age", "count"), [(0, 0), (30, 0), (31, 1)])
def test_beside_a_kick_it_serves_for_half_of_the_time_that_a_price_counts(
    scene: Scene, age: int, count: int
) -> None:
    scene.markets = with_bucket(scene, replace(READY, poked_at=NOW - age))
    assert len(read(scene.shoot())) == count


def test_a_lapsed_auction_starts_again_and_so_needs_the_price(scene: Scene) -> None:
    scene.markets = with_bucket(scene, replace(READY, poked_at=NOW - 31))
    scene.auction(0, ["WETH"], age=7_200)
    assert len(read(scene.shoot())) == 1


def test_nothing_is_read_without_housekeeping_or_during_a_halt_or_with_nothing_to_read_it(
    scene: Scene,
) -> None:
    snapshot = scene.shoot()
    assert read(snapshot, StrategySettings(housekeeping=False)) == []
    assert read(replace(snapshot, breaker_level=3)) == []
    assert pokes(snapshot, [Case.of(snapshot, 0)], StrategySettings(), 0) == []


def test_the_least_capacity_is_the_engines(scene: Scene) -> None:
    speed = replace(scene.markets.speed, min_capacity=10**6)
    scene.markets = replace(scene.markets, speed=speed)
    assert read(scene.shoot()) == []
    assert speed.min_capacity * MICROS == 10**12
