"""Which forecasts are written down, and how later heads answer them."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from bot.domain.volatility import LiveCovariance
from bot.errors import InvalidInputError
from bot.strategy.outlook import Outlook, OutlookSettings, outlook_of
from bot.strategy.predictions import (
    Fate,
    Fates,
    Prediction,
    PredictionBook,
    PredictionSettings,
    draw,
    fingerprint,
)
from bot.strategy.snapshot import Snapshot
from tests.support.snapshots import NOW, Scene

EVERY = PredictionSettings(interval_blocks=1)
HORIZON = OutlookSettings().horizon_s


def seen(scene: Scene, *, after: int = 0) -> tuple[Snapshot, Outlook]:
    """Return the scene ``after`` seconds, and as many blocks of 12 s, later."""
    snapshot = replace(
        scene.shoot(),
        covariance=LiveCovariance.fresh(3),
        timestamp=NOW + after,
        block=scene.block + after // 12,
    )
    outlook = outlook_of(snapshot, OutlookSettings(), 0.02)
    assert outlook is not None
    return snapshot, outlook


def book(count: int, usdc: float = 15_800) -> Scene:
    scene = Scene()
    for _ in range(count):
        scene.account({"WETH": 100}, {"USDC": usdc})
    return scene


def watching(scene: Scene, gap: int = 1_000) -> tuple[PredictionBook, Sequence[Prediction]]:
    snapshot, outlook = seen(scene)
    watched = PredictionBook(gap)
    watched.observe(snapshot, outlook)
    drawn = draw(snapshot, outlook, EVERY)
    watched.add(range(1, len(drawn) + 1), drawn)
    return watched, drawn


# ---------------------------------------------------------------------------------- draw


def test_a_prediction_says_what_was_expected_of_whom() -> None:
    snapshot, outlook = seen(book(1))
    (made,) = draw(snapshot, outlook, EVERY)
    expected = outlook.account(0)
    assert (made.account, made.block, made.timestamp) == (bytes(20), snapshot.block, NOW)
    assert (made.health, made.liquidatable) == (expected.health, expected.liquidatable)
    assert (made.horizon_s, made.insolvency) == (HORIZON, expected.insolvency)


def test_predictions_are_made_at_multiples_of_the_interval() -> None:
    scene = book(1)
    for block, made in ((100, 1), (101, 0), (107, 0), (110, 1)):
        scene.block = block
        assert len(draw(*seen(scene), PredictionSettings(interval_blocks=10))) == made


def test_only_healthy_accounts_in_debt_without_an_auction_are_drawn() -> None:
    scene = book(1)
    scene.account({"WETH": 100}, {"USDC": 17_000})
    scene.account({"WETH": 100}, {})
    scene.account({"WBTC": 1}, {"USDC": 1_000})
    flagged = scene.account({"WETH": 100}, {"USDC": 15_000})
    scene.auction(flagged, ["WETH"], age=12)
    scene.prices["WBTC"] = None
    assert [int.from_bytes(p.account) for p in draw(*seen(scene), EVERY)] == [0]


def test_samples_are_bounded_and_the_same_for_everyone() -> None:
    scene = book(50, usdc=16_500)
    for _ in range(50):
        scene.account({"WETH": 100}, {"USDC": 1_000})
    settings = PredictionSettings(interval_blocks=1, likely=7, others=3)
    drawn = [int.from_bytes(p.account) for p in draw(*seen(scene), settings)]
    assert drawn == [int.from_bytes(p.account) for p in draw(*seen(scene), settings)]
    assert len([row for row in drawn if row < 50]) == 7
    assert len([row for row in drawn if row >= 50]) == 3
    scene.block += 1
    assert drawn != [int.from_bytes(p.account) for p in draw(*seen(scene), settings)]


@pytest.mark.parametrize(
    "wrong", [{"interval_blocks": 0}, {"floor": 1.1}, {"likely": -1}, {"keep": 0}, {"longest_gap": 0}]
)
def test_settings_that_make_no_sense_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(InvalidInputError):
        PredictionSettings(**wrong)  # type: ignore[arg-type]


def test_interest_does_not_change_the_fingerprint_and_repaying_does() -> None:
    scene = book(1)
    snapshot, _ = seen(scene)
    grown = tuple(
        replace(asset, market=asset.market._replace(borrow_assets=2 * asset.market.borrow_assets))
        if hasattr(asset.market, "_replace")
        else replace(asset, market=replace(asset.market, borrow_assets=2 * asset.market.borrow_assets))
        for asset in snapshot.assets
    )
    assert fingerprint(replace(snapshot, assets=grown), 0) == fingerprint(snapshot, 0)
    scene.accounts[0] = ({"WETH": 100}, {"USDC": 15_799})
    assert fingerprint(seen(scene)[0], 0) != fingerprint(snapshot, 0)


# -------------------------------------------------------------------------------- answers


def test_falling_below_one_within_the_horizon_is_seen_at_once() -> None:
    scene = book(2)
    watched, _ = watching(scene)
    scene.prices["WETH"] = 190.0
    found = watched.observe(*seen(scene, after=HORIZON))
    assert found == {k: Fates(Fate.HAPPENED, Fate.PENDING) for k in (1, 2)}


def test_a_recovery_does_not_undo_it() -> None:
    scene = book(1)
    watched, _ = watching(scene)
    scene.prices["WETH"] = 190.0
    watched.observe(*seen(scene, after=12))
    scene.prices["WETH"] = 200.0
    assert watched.observe(*seen(scene, after=24)) == {}
    assert watched.observe(*seen(scene, after=HORIZON + 1)) == {1: Fates(Fate.HAPPENED, Fate.DID_NOT)}
    assert len(watched) == 0


def test_insolvency_settles_both() -> None:
    scene = book(1)
    watched, _ = watching(scene)
    scene.prices["WETH"] = 150.0
    assert watched.observe(*seen(scene, after=12)) == {1: Fates(Fate.HAPPENED, Fate.HAPPENED)}
    assert len(watched) == 0


def test_what_comes_after_the_horizon_does_not_count() -> None:
    scene = book(1)
    watched, _ = watching(scene)
    assert watched.observe(*seen(scene, after=HORIZON)) == {}
    scene.prices["WETH"] = 150.0
    assert watched.observe(*seen(scene, after=HORIZON + 1)) == {1: Fates(Fate.DID_NOT, Fate.DID_NOT)}


@pytest.mark.parametrize("price", [200.0, 150.0])
def test_an_account_that_was_changed_has_no_answer(price: float) -> None:
    scene = book(1)
    watched, _ = watching(scene)
    scene.accounts[0] = ({"WETH": 100}, {"USDC": 15_900})
    scene.prices["WETH"] = price
    after = 12 if price < 200 else HORIZON + 12
    assert watched.observe(*seen(scene, after=after)) == {1: Fates(Fate.CHANGED, Fate.CHANGED)}


def test_a_sale_leaves_the_fall_answered_and_the_insolvency_open_to_none() -> None:
    scene = book(1)
    watched, _ = watching(scene)
    scene.prices["WETH"] = 190.0
    watched.observe(*seen(scene, after=12))
    scene.accounts[0] = ({"WETH": 50}, {"USDC": 6_500})
    scene.prices["WETH"] = 100.0
    assert watched.observe(*seen(scene, after=24)) == {1: Fates(Fate.HAPPENED, Fate.CHANGED)}


def test_a_refused_price_answers_nothing() -> None:
    scene = book(1)
    watched, _ = watching(scene)
    scene.prices["WETH"] = None
    assert watched.observe(*seen(scene, after=12)) == {}


def test_too_many_blocks_unseen_leave_no_answer() -> None:
    scene = book(1)
    watched, _ = watching(scene, gap=5)
    assert watched.observe(*seen(scene, after=60)) == {}
    assert watched.observe(*seen(scene, after=132)) == {1: Fates(Fate.UNSEEN, Fate.UNSEEN)}
    assert len(watched) == 0


def test_an_account_that_a_reorg_took_away_is_settled_by_the_end() -> None:
    scene = book(2)
    watched, _ = watching(scene)
    shrunk = book(1)
    assert watched.observe(*seen(shrunk, after=12)) == {}
    found = watched.observe(*seen(shrunk, after=HORIZON + 12))
    assert found[2] == Fates(Fate.CHANGED, Fate.CHANGED)
