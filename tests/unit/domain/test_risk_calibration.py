"""The calibration walks forward: on made-up prices, no forecast changes when the future does."""

import numpy as np
import pytest

from benchmarks.calibration import walk
from benchmarks.calibration.data import ASSETS, DAY, Bars
from benchmarks.calibration.scores import relative_gain

HOURS = 24 * 120
CHANGED = 24 * 90
HOURLY = walk.Horizon("3 h", 3_600, 3, (1, 6, 24), 10 * DAY)


def made_up(asset: str, after: float) -> list[Bars]:
    """Hourly bars of a random walk whose moves are ``after`` times as large from `CHANGED` on."""
    generator = np.random.default_rng(ASSETS.index(asset))
    scale = np.where(np.arange(HOURS) < CHANGED, 1.0, after)[:, None]
    steps = generator.standard_t(4, (HOURS, 12)) * 0.002 * scale
    inside = np.cumsum(steps, axis=1)
    opens = np.concatenate([[0.0], np.cumsum(inside[:, -1])[:-1]])
    prices = opens[:, None] + np.concatenate([np.zeros((HOURS, 1)), inside], axis=1)
    time = 3_600 * (np.arange(HOURS) + 1)
    return [Bars(time, prices[:, 0], prices.max(axis=1), prices.min(axis=1), prices[:, -1])]


def forecasts(monkeypatch: pytest.MonkeyPatch, after: float) -> dict[str, walk.Forecasts]:
    monkeypatch.setattr(walk, "load", lambda asset, _: made_up(asset, after))
    return walk.walk(HOURLY)


def test_no_forecast_knows_the_future(monkeypatch: pytest.MonkeyPatch) -> None:
    calm, wild = forecasts(monkeypatch, 1.0), forecasts(monkeypatch, 5.0)
    for asset in ASSETS:
        before = calm[asset].time <= 3_600 * CHANGED
        assert 0 < before.sum() < before.size
        for model in walk.MODELS:
            one, other = calm[asset].probability[model], wild[asset].probability[model]
            np.testing.assert_allclose(one[:, before], other[:, before], rtol=1e-10)
            assert (one[:, ~before] != other[:, ~before]).any()


def test_outcomes_are_the_falls_that_came(monkeypatch: pytest.MonkeyPatch) -> None:
    found = forecasts(monkeypatch, 1.0)["ETH"]
    (bars,) = made_up("ETH", 1.0)
    assert ((found.probability[walk.EMPIRICAL] >= 0) & (found.probability[walk.EMPIRICAL] <= 1)).all()
    assert (found.outcome.mean(axis=1)[:-1] >= found.outcome.mean(axis=1)[1:]).all()
    # The highest bucket always fails at a fall by ln 1.2, and never at one by less than ln 1.1.
    index = np.searchsorted(bars.time, found.time)
    fall = bars.close[index] - np.min([bars.low[index + k] for k in (1, 2, 3)], axis=0)
    assert (found.outcome[3][fall >= np.log(1.2)] == 1).all()
    assert (found.outcome[3][fall < np.log(1.1)] == 0).all()


def test_gain_interval_holds_the_gain_and_excludes_zero_where_it_is_plain() -> None:
    generator = np.random.default_rng(0)
    time = np.arange(0, 400 * DAY, 3_600)
    base = generator.random(time.size)
    better = relative_gain(time, base, 0.9 * base)
    assert better.value == pytest.approx(0.1)
    assert better.low <= better.value <= better.high
    assert better.above_zero
    assert not relative_gain(time, base, generator.permutation(base)).above_zero
