"""From the daily volatility of the interface to the seconds in which auctions run."""

import numpy as np

from bot.domain._validation import ArrayLike, FloatArray, non_negative, within
from bot.errors import InvalidInputError

SECONDS_PER_DAY = 86_400.0

_LARGEST_LOG = 700.0


def variance_per_second(volatility_daily: ArrayLike) -> FloatArray:
    """Return the variance per second of a volatility per square root of a day."""
    volatility = non_negative("volatility_daily", volatility_daily)
    with np.errstate(all="ignore"):
        variance = np.asarray(volatility * volatility / SECONDS_PER_DAY)
    if not np.all(np.isfinite(variance)):
        raise InvalidInputError("volatility_daily", float(volatility.max()), "small enough to be squared")
    return variance


def log_ratio(name: str, value: ArrayLike) -> FloatArray:
    """Return the logarithm of ask over fair, if that ratio and its inverse are floats."""
    requirement = f"from -{_LARGEST_LOG} to {_LARGEST_LOG}, the logarithm of a ratio that a float can hold"
    return within(name, value, -_LARGEST_LOG, _LARGEST_LOG, requirement)
