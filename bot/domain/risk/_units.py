"""Units and limits that every function of the package shares."""

import numpy as np

from bot.domain import _validation as valid
from bot.domain._validation import ArrayLike, FloatArray
from bot.domain.risk._barrier import LARGEST_DEVIATION

YEAR = 365.0 * 86_400.0
"""Seconds in the 365-day year of every annualised quantity."""


def years(seconds: FloatArray) -> FloatArray:
    """Convert seconds to 365-day years."""
    return np.asarray(seconds / YEAR, dtype=np.float64)


def ratio(name: str, value: ArrayLike) -> FloatArray:
    """Return ``value`` as float64 if every element is at least 0; infinity passes, for want of debt."""
    return valid.check(name, value, lambda x: x >= 0.0, "at least 0 (infinite where there is no debt)")


def deviation(volatility: FloatArray, period: FloatArray) -> FloatArray:
    """Return ``volatility * sqrt(period in years)``, held below what can be squared."""
    with np.errstate(all="ignore"):
        held = np.minimum(volatility * np.sqrt(period), LARGEST_DEVIATION)
    return np.asarray(held, dtype=np.float64)


def log_ratio(value: FloatArray) -> FloatArray:
    """Return the logarithm, minus infinity at 0, without numpy's warning."""
    with np.errstate(divide="ignore"):
        return np.asarray(np.log(value), dtype=np.float64)
