"""The outlook by what is learnt from the feeds: when it is used, and what it rests on."""

from dataclasses import replace

import numpy as np
import pytest

from bot.domain import risk
from bot.domain.volatility import FeedHistory, LiveCovariance
from bot.strategy.outlook import Outlook, OutlookSettings, outlook_of
from tests.support.snapshots import NOW, PRICES, Scene

SETTINGS = OutlookSettings()
SLIPPAGE = 0.02
WETH, WBTC, USDC = range(3)
DAYS = 20


def lived(days: int = DAYS, wbtc_days: int = DAYS) -> LiveCovariance:
    """Return rounds every five minutes up to now, of prices that end where the scene's are."""
    generator = np.random.default_rng(11)
    steps = 288 * days
    moves = 0.003 * generator.standard_normal(steps)
    state = LiveCovariance.fresh(3, history=FeedHistory.fresh(3, 300, 17_520, 288))
    levels = np.cumsum(moves)
    levels -= levels[-1]
    for step, level in enumerate(levels.tolist()):
        time = NOW - 300 * (steps - 1 - step)
        state = state.after(WETH, time, PRICES["WETH"] * float(np.exp(level)))
        if step >= steps - 288 * wbtc_days:
            state = state.after(WBTC, time, PRICES["WBTC"] * float(np.exp(0.5 * level)))
        state = state.after(USDC, time, 1.0)
    return state


@pytest.fixture(scope="module")
def state() -> LiveCovariance:
    return lived()


def book() -> Scene:
    scene = Scene()
    for health in (0.99, 1.004, 1.01, 1.02, 1.05, 1.2):
        scene.account({"WETH": 100}, {"USDC": 16_600 / health})
        scene.account({"USDC": 20_000 * health}, {"WETH": 18_000 / 1.08 / 200})
        scene.account({"WETH": 50, "WBTC": 1}, {"USDC": (8_300 + 6_240) / health})
    scene.account({"WETH": 1}, {})
    return scene


def seen(state: LiveCovariance, settings: OutlookSettings = SETTINGS) -> Outlook:
    outlook = outlook_of(replace(book().shoot(), covariance=state), settings, SLIPPAGE)
    assert outlook is not None
    return outlook


def test_a_long_history_is_used_and_said_to_be(state: LiveCovariance) -> None:
    learnt, motion = seen(state), seen(state, replace(SETTINGS, learn=False))
    assert learnt.learnt
    assert not motion.learnt
    assert np.array_equal(learnt.health, motion.health)
    assert not np.array_equal(learnt.liquidatable, motion.liquidatable)


def test_each_account_is_as_likely_to_fall_as_past_prices_were_to_move_so_far(state: LiveCovariance) -> None:
    outlook = seen(state)
    assert state.history is not None
    model = risk.learn(state.history.basis, SETTINGS.horizon_s, (WETH, WBTC))
    assert model is not None
    for row in range(18):
        found = outlook.account(row)
        short = row % 3 == 1
        assert found.liquidatable == model.touch(found.health, found.volatility, short)
    forecast = model.volatility(state.history, WETH, NOW, SETTINGS.stale_after_s)
    assert outlook.estimate.volatilities[WETH] == forecast
    both = outlook.estimate.covariance
    assert outlook.account(2).volatility < np.sqrt(both[WETH, WETH])
    assert outlook.estimate.volatilities[USDC] == SETTINGS.stable_floor


def test_a_short_history_leaves_the_brownian_motion() -> None:
    short = lived(days=2)
    outlook = seen(short)
    assert not outlook.learnt
    without = seen(replace(short, history=None))
    assert np.array_equal(outlook.liquidatable, without.liquidatable, equal_nan=True)


def test_an_asset_heard_for_less_than_a_day_keeps_its_own_estimate() -> None:
    young = lived(wbtc_days=0)
    at = young.estimate(NOW, SETTINGS.limits(book().shoot().assets))
    outlook = seen(young)
    assert outlook.learnt
    assert outlook.estimate.volatilities[WBTC] == at.volatilities[WBTC]
    assert outlook.estimate.volatilities[WETH] != at.volatilities[WETH]


def test_the_cap_does_not_hold_what_was_learnt_and_the_floor_does(state: LiveCovariance) -> None:
    capped = seen(state, replace(SETTINGS, cap=0.3))
    assert capped.estimate.volatilities[WETH] > 0.3
    raised = seen(state, replace(SETTINGS, floor=4.0))
    assert raised.estimate.volatilities[WETH] == 4.0


def test_accounts_without_debt_are_safe_and_probabilities_are_ones(state: LiveCovariance) -> None:
    outlook = seen(state)
    assert outlook.account(18).liquidatable == 0.0
    assert np.isinf(outlook.account(18).health)
    indebted = outlook.liquidatable[:18].reshape(6, 3)
    assert (indebted[0] == 1.0).all()
    assert (np.diff(indebted, axis=0) <= 0.0).all()
    assert (outlook.insolvency <= outlook.liquidatable).all()
