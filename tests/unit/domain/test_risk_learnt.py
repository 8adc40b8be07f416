"""Forecasts learnt from feeds: against a market whose truth is known."""

import math

import numpy as np
import pytest

from bot.domain import risk
from bot.domain.risk.learnt import LEARNING_S
from bot.domain.volatility import Bars, FeedHistory
from bot.errors import InvalidInputError

BAR = 300
START = 1_600_000_200
YEAR = 365 * 86_400
STALE = 4_200.0
TICK = 60


def market(days: int, volatility: float, seed: int = 3, refit: int = 288) -> FeedHistory:
    """Return the history of a feed that publishes each minute a Brownian motion of calm and wild days."""
    generator = np.random.default_rng(seed)
    history = FeedHistory.fresh(1, BAR, 40_000, refit)
    level = math.log(200.0)
    for minute in range(days * 1_440):
        wild = 3.0 if (minute // 1_440) % 5 == 0 else 1.0
        level += wild * volatility * math.sqrt(TICK / YEAR) * generator.standard_normal()
        history = history.after(0, START + TICK * minute, math.exp(level))
    return history


@pytest.fixture(scope="module")
def history() -> FeedHistory:
    return market(40, 0.8)


@pytest.fixture(scope="module")
def model(history: FeedHistory) -> risk.LearntModel:
    found = risk.learn(history.basis, 3_600, (0,))
    assert found is not None
    return found


def test_the_volatility_follows_calm_and_storm(history: FeedHistory, model: risk.LearntModel) -> None:
    now = int(history.times[0])
    calm = model.volatility(history, 0, now, STALE)
    assert calm == pytest.approx(0.8, rel=0.25)
    storm = market(41, 0.8)
    wild = model.volatility(storm, 0, int(storm.times[0]), STALE)
    assert wild is not None
    assert calm is not None
    assert 1.8 * calm < wild < 2.4 * 1.25  # a storm is not believed to last for ever


@pytest.mark.parametrize("short", [False, True])
@pytest.mark.parametrize("ratio", [1.002, 1.006, 1.012])
def test_a_touch_is_as_likely_as_that_of_the_motion(
    model: risk.LearntModel, ratio: float, short: bool
) -> None:
    calm = model.touch(ratio, 0.8, short)
    assert calm == pytest.approx(risk.first_passage(ratio, 0.8, 3_600), abs=0.06)


def test_what_is_learnt_is_a_probability_that_falls_with_health(model: risk.LearntModel) -> None:
    ratios = np.concatenate([[0.0, 0.5, 1.0], np.linspace(1.0001, 2.0, 400), [np.inf]])
    for volatility in (0.0, 0.4, 0.8, 2.4, 30.0):
        touched = np.asarray(model.touch(ratios, volatility, False))
        assert (touched[:3] == 1.0).all()
        assert (np.diff(touched) <= 0.0).all()
        assert touched[-1] == 0.0
    assert isinstance(model.touch(1.1, 0.8, False), float)


def test_the_same_past_is_fitted_once(history: FeedHistory, model: risk.LearntModel) -> None:
    assert risk.learn(history.basis, 3_600, (0,)) is model
    later = history.after(0, int(history.times[0]) + 60, 200.0)
    assert risk.learn(later.basis, 3_600, (0,)) is model


def test_a_restart_learns_the_same(history: FeedHistory, model: risk.LearntModel) -> None:
    again = risk.learn(FeedHistory.restored(history.plain()).basis, 3_600, (0,))
    assert again is not None
    assert again is not model
    assert np.array_equal(again.har.coefficients, model.har.coefficients)
    assert again.touch(1.01, 0.8, False) == model.touch(1.01, 0.8, False)


def test_the_future_of_the_basis_is_not_learnt(history: FeedHistory) -> None:
    now = int(history.times[0])
    crashed = history
    for minute in range(1, 200):
        crashed = crashed.after(0, now + minute * TICK, 200.0 * 0.99**minute)
        if crashed.basis is not history.basis:
            break
    assert crashed.basis.end * BAR <= int(crashed.times[0])
    first = len(history.basis)
    assert np.array_equal(crashed.basis.logs()[:first], history.basis.logs(), equal_nan=True)


@pytest.mark.parametrize("horizon", [BAR - 1, 40 * 86_400])
def test_too_short_a_past_or_horizon_teaches_nothing(history: FeedHistory, horizon: float) -> None:
    assert risk.learn(history.basis, horizon, (0,)) is None


def test_nothing_is_learnt_from_nobody_or_from_a_price_that_stood_still() -> None:
    fresh = FeedHistory.fresh(2)
    assert risk.learn(fresh.basis, 3_600, (0, 1)) is None
    assert risk.learn(fresh.basis, 3_600, ()) is None
    still = fresh
    for day in range(20):
        for hour in range(24):
            still = still.after(0, START + 86_400 * day + 3_600 * hour, 200.0)
    frozen = risk.learn(still.basis, 3_600, (0,))
    assert frozen is None or frozen.touch(1.01, 0.0, False) == 0.0


def test_an_asset_of_less_than_a_day_is_not_forecast(model: risk.LearntModel) -> None:
    young = FeedHistory.fresh(1, BAR)
    for second in range(0, LEARNING_S - BAR, BAR):
        young = young.after(0, START + second, 200.0 + second % 7)
    assert model.volatility(young, 0, int(young.times[0]), STALE) is None


def test_a_horizon_that_is_none_is_refused(history: FeedHistory) -> None:
    for horizon in (0.0, -1.0, math.nan):
        with pytest.raises(InvalidInputError):
            risk.learn(history.basis, horizon, (0,))


def test_bars_know_how_many_they_are(history: FeedHistory) -> None:
    bars: Bars = history.closed
    assert len(bars) == len(bars.logs()) == bars.end - START // BAR
    assert np.array_equal(bars.logs(100)[-100:], bars.logs()[-100:])


def test_falls_are_learnt_for_the_long_and_rises_for_the_short() -> None:
    generator = np.random.default_rng(4)
    history, level = FeedHistory.fresh(1, BAR, 40_000, 288), math.log(200.0)
    for step in range(20 * 288 - 5):
        # Down at once by 5 % each eighth of a day, and slowly up again.
        level += -0.05 if step % 36 == 35 else 0.05 / 35 + 0.0005 * generator.standard_normal()
        history = history.after(0, START + BAR * step, math.exp(level))
    model = risk.learn(history.basis, 3_600, (0,))
    assert model is not None
    volatility = model.volatility(history, 0, int(history.times[0]), STALE)
    assert volatility is not None
    long, short = (model.touch(1.03, volatility, side) for side in (False, True))
    assert long > 3.0 * short
