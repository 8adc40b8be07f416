"""The path that prices take inside their bars.

Inside a bar the price visits the open, the extreme nearer to it, the other extreme and the close, and walks
a seeded Brownian bridge in log price from each to the next, folded back at the bar's extremes so that it
never leaves the bar. One step is one slot (12 s). The bridge's variance is the bar's own by Parkinson's
estimator, ``ln(high / low)**2 / (4 ln 2)``, spread evenly over its slots.

Each bar has its own random stream, keyed by the seed and the bar's time, so the path of an hour does not
depend on the window that is played.

Source: M. Parkinson, "The extreme value method for estimating the variance of the rate of return", 1980.
"""

import math
from dataclasses import dataclass

import numpy as np

from bot.sim.prices import SLOT, Bars, FloatArray, IntArray
from bot.sim.scenario import Scenario

CORRELATION = 0.85
"""Of the bridges of ETH and BTC, slot by slot; their bars carry the rest of what they share."""

FIRST_EXTREME = (0.15, 0.45)
SECOND_EXTREME = (0.55, 0.85)
"""Where within a bar the extremes are visited, drawn evenly from these fractions, for both assets alike."""


@dataclass(frozen=True, slots=True)
class PricePath:
    """Prices of ETH and BTC at every slot of a window.

    Parameters
    ----------
    ts : (n,) int array
        Unix seconds, every 12 s.
    eth, btc : (n,) float array
        US dollars.
    waypoint : (n,) bool array
        Slots at which a bar's open, an extreme or close is visited.
    """

    ts: IntArray
    eth: FloatArray
    btc: FloatArray
    waypoint: np.ndarray[tuple[int], np.dtype[np.bool_]]

    def at(self, ts: float) -> tuple[float, float]:
        """Return the prices of ETH and BTC at a time, straight lines in log price between slots.

        Raises
        ------
        ValueError
            If the time is outside the path.
        """
        if not self.ts[0] <= ts <= self.ts[-1]:
            raise ValueError(f"time {ts} is outside the path, {self.ts[0]} to {self.ts[-1]}")
        return self._interpolate(self.eth, ts), self._interpolate(self.btc, ts)

    def _interpolate(self, prices: FloatArray, ts: float) -> float:
        index, rest = divmod(ts - int(self.ts[0]), SLOT)
        below = float(prices[int(index)])
        if rest == 0:
            return below
        above = float(prices[int(index) + 1])
        return below * math.pow(above / below, rest / SLOT)


def build_path(scenario: Scenario, seed: int) -> PricePath:
    """Return the path of a scenario.

    Parameters
    ----------
    scenario : Scenario
        Bars and window; both assets' bars begin together.
    seed : int
        Not negative. The same seed gives the same path.
    """
    parts = [_bar_path(scenario.eth, scenario.btc, index, seed) for index in range(len(scenario.eth.ts))]
    ts = np.concatenate([part.ts for part in parts])
    keep = (ts >= scenario.start) & (ts <= scenario.end)
    return PricePath(
        ts[keep],
        np.concatenate([part.eth for part in parts])[keep],
        np.concatenate([part.btc for part in parts])[keep],
        np.concatenate([part.waypoint for part in parts])[keep],
    )


def _bar_path(eth: Bars, btc: Bars, index: int, seed: int) -> PricePath:
    """Return the path of both assets within one bar."""
    begin, slots = int(eth.ts[index]), eth.step // SLOT
    rng = np.random.default_rng([seed, begin])
    visits = _visits(rng, slots)
    shared, own = rng.standard_normal((2, slots))
    noise = CORRELATION * shared + math.sqrt(1.0 - CORRELATION**2) * own
    waypoint = np.zeros(slots, dtype=np.bool_)
    waypoint[list(visits)] = True
    ts = begin + SLOT * np.arange(slots, dtype=np.int64)
    return PricePath(ts, _walk(eth, index, visits, shared), _walk(btc, index, visits, noise), waypoint)


def _visits(rng: np.random.Generator, slots: int) -> tuple[int, int, int, int]:
    """Draw the slots at which open, first extreme, second extreme and close are visited."""
    first = round(slots * rng.uniform(*FIRST_EXTREME))
    second = round(slots * rng.uniform(*SECOND_EXTREME))
    first = min(max(first, 1), slots - 3)
    second = min(max(second, first + 1), slots - 2)
    return 0, first, second, slots - 1


def _walk(bars: Bars, index: int, visits: tuple[int, int, int, int], noise: FloatArray) -> FloatArray:
    """Return one asset's prices within a bar, slot by slot."""
    opening, high, low, close = (
        float(column[index]) for column in (bars.open, bars.high, bars.low, bars.close)
    )
    up_first = high / opening <= opening / low
    extremes = (high, low) if up_first else (low, high)
    levels = np.log([opening, *extremes, close])
    deviation = math.log(high / low) / math.sqrt(4.0 * math.log(2.0) * len(noise))
    logs = np.empty(len(noise))
    for leg in range(3):
        begin, end = visits[leg], visits[leg + 1]
        logs[begin : end + 1] = bridge(levels[leg], levels[leg + 1], deviation * noise[begin + 1 : end + 1])
    prices = np.exp(fold(logs, math.log(low), math.log(high)))
    prices[list(visits)] = [opening, *extremes, close]
    return np.clip(prices, low, high)


def bridge(begin: float, end: float, steps: FloatArray) -> FloatArray:
    """Return a walk from ``begin`` to ``end`` whose steps deviate from the straight line as given.

    Parameters
    ----------
    begin, end : float
        First and last value.
    steps : (n,) array
        Steps of a free walk; what of them would miss ``end`` is taken off evenly.

    Returns
    -------
    (n + 1,) array
    """
    walk = np.concatenate([[0.0], np.cumsum(steps)])
    share = np.linspace(0.0, 1.0, len(walk))
    bridged: FloatArray = begin + (end - begin) * share + walk - walk[-1] * share
    return bridged


def fold(values: FloatArray, low: float, high: float) -> FloatArray:
    """Reflect values at both bounds until they lie within; those within stay as they are."""
    width = high - low
    if width <= 0.0:
        return np.full_like(values, low)
    offset = np.mod(values - low, 2.0 * width)
    folded: FloatArray = low + np.where(offset > width, 2.0 * width - offset, offset)
    return folded
