"""First passage by the falls that really happened, each measured in the deviations forecast for it."""

from typing import NamedTuple

import numpy as np

from bot.domain import _validation as valid
from bot.domain._validation import ArrayLike, FloatArray
from bot.domain.risk import _units as units

TAIL_SHARE = 0.01
"""Largest falls whose Pareto tail replaces counting."""

FEWEST = 100
"""Falls below which counting them says nothing about a rare one."""


class FallDistribution(NamedTuple):
    """How deep prices fell, in forecast standard deviations; made by `fall_distribution`."""

    falls: FloatArray
    """Sorted, each at least 0."""
    threshold: float
    """The fall from which the tail takes over."""
    tail_index: float
    """Exponent of the Pareto tail; infinite where nothing lies beyond."""

    def reached(self, depth: FloatArray) -> FloatArray:
        """Share of falls at least ``depth`` deep; 1 for a depth of 0 or less."""
        count = self.falls.size
        counted = (count - np.searchsorted(self.falls, depth, side="left")) / count
        at_threshold = (count - np.searchsorted(self.falls, self.threshold, side="left")) / count
        with np.errstate(all="ignore"):
            beyond = at_threshold * np.power(depth / self.threshold, -self.tail_index)
        share = np.where(depth > self.threshold, beyond, counted)
        return np.asarray(np.where(depth <= 0.0, 1.0, share), dtype=np.float64)


def fall_distribution(falls: ArrayLike) -> FallDistribution:
    """Prepare past falls for `first_passage_empirical`.

    Parameters
    ----------
    falls : (n,) array
        For each of at least 100 past moments, the deepest fall of the log price within the horizon from
        there, 0 if it only rose, divided by the standard deviation that was forecast for the horizon at that
        moment.

    Returns
    -------
    FallDistribution
        The falls sorted, with a Pareto tail through the hundredth part of them (Hill's estimator, Annals of
        Statistics 3, 1975), so that a fall deeper than any seen has a small probability, not none.

    Raises
    ------
    InvalidInputError
        If there are too few, or one is negative or not finite.
    """
    given = valid.vector("falls", valid.non_negative("falls", falls), minimum=FEWEST)
    ordered = np.sort(given)
    beyond = max(int(TAIL_SHARE * ordered.size), FEWEST // 10)
    threshold = float(ordered[-beyond])
    if threshold <= 0.0:
        return FallDistribution(ordered, threshold, np.inf)
    excess = float(np.mean(np.log(ordered[-beyond:] / threshold)))
    return FallDistribution(ordered, threshold, 1.0 / excess if excess > 0.0 else np.inf)


def first_passage_empirical(
    ratio: ArrayLike, volatility: ArrayLike, horizon: ArrayLike, past: FallDistribution
) -> float | FloatArray:
    """Probability that ``ratio`` touches 1, as often as past prices fell as many forecast deviations.

    Filtered historical simulation: the share of past falls of at least ``ln(ratio) / (volatility
    sqrt(horizon))``. The distribution carries what a Brownian path leaves out: fat tails, the error of the
    volatility forecast itself, and looks at traded lows. It is only as good as its past resembles the future.

    Parameters
    ----------
    ratio : float or array
        Assets over the barrier, at least 0; infinite for an account without debt.
    volatility : float or array
        Forecast by the same rule as that which scaled the past falls, annualised.
    horizon : float or array
        Seconds; the past falls must be over the same horizon.
    past : FallDistribution
        From `fall_distribution`.

    Returns
    -------
    float or array
        In [0, 1]; 1 where ``ratio <= 1``.

    Raises
    ------
    InvalidInputError
        If a ratio is negative or NaN, or a volatility or horizon is negative or not finite.

    Notes
    -----
    Source: Barone-Adesi, Giannopoulos and Vosper, Journal of Futures Markets 19, 1999. Without volatility or
    horizon only ``ratio <= 1`` counts.
    """
    start, sigma, seconds = valid.broadcast(
        ratio=units.ratio("ratio", ratio),
        volatility=valid.non_negative("volatility", volatility),
        horizon=valid.non_negative("horizon", horizon),
    )
    with np.errstate(all="ignore"):
        depth = units.log_ratio(start) / units.deviation(sigma, units.years(seconds))
    return valid.unwrap(past.reached(np.where(start <= 1.0, 0.0, depth)))
